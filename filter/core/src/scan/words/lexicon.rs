//! The table of known words and the classes each belongs to.
//!
//! Holds hashes, not words; who reads the classes decides what they mean. Invariant: a word of the table is found by the
//! hash of its folded spelling, whatever disguise [`Folding`] undoes.

use super::Words;
use crate::scan::normalize::Folding;

/// Which policy a class belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Classes of `prompt-injection`.
    Injection,
    /// Classes of `safety-filter`.
    Safety,
}

/// The classes of a word, one bit set a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes {
    /// Of `prompt-injection`.
    pub injection: u64,
    /// Of `safety-filter`.
    pub safety: u64,
}

impl Classes {
    /// The set of one policy.
    #[inline]
    pub fn of(self, side: Side) -> u64 {
        match side {
            Side::Injection => self.injection,
            Side::Safety => self.safety,
        }
    }
}

/// 64 Ki bits: fits the first-level cache, and a few thousand words leave nineteen in twenty unknown words outside.
const FILTER_WORDS: usize = 1024;

/// Known words.
#[derive(Debug, Clone)]
pub struct Lexicon {
    filter: Box<[u64; FILTER_WORDS]>,
    /// Open addressing; a power of two, at most half full.
    slots: Vec<(u64, Classes)>,
    folding: Folding,
}

impl Lexicon {
    /// The table of `words`: white-space separated spellings, the policy that asks, the classes to add.
    pub fn build<'a>(words: impl IntoIterator<Item = (&'a str, Side, u64)>, folding: Folding) -> Lexicon {
        let mut hashed: Vec<(u64, Side, u64)> = Vec::new();
        for (list, side, classes) in words {
            hashed.extend(hashes(list, folding).map(|hash| (hash, side, classes)));
        }
        let size = (hashed.len() * 2).next_power_of_two().max(16);
        let mut lexicon = Lexicon {
            filter: Box::new([0; FILTER_WORDS]),
            slots: vec![(0, Classes::default()); size],
            folding,
        };
        for (hash, side, classes) in hashed {
            lexicon.add(hash, side, classes);
        }
        lexicon
    }

    /// Which disguises are undone before a word is looked up.
    #[inline]
    pub fn folding(&self) -> Folding {
        self.folding
    }

    /// Bytes the table takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.filter) + size_of_val(self.slots.as_slice())
    }

    /// The classes of the word with this hash, if it is known.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<Classes> {
        let bit = (hash >> 48) as usize;
        let set = self.filter.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 != 0);
        if !set {
            return None;
        }
        self.probe(hash)
    }

    fn probe(&self, hash: u64) -> Option<Classes> {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            match self.slots.get(at) {
                Some((0, _)) | None => return None,
                Some((found, classes)) if *found == hash => return Some(*classes),
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    fn add(&mut self, hash: u64, side: Side, classes: u64) {
        let bit = (hash >> 48) as usize;
        if let Some(word) = self.filter.get_mut(bit >> 6) {
            *word |= 1 << (bit & 63);
        }
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.0 == 0 || slot.0 == hash {
                slot.0 = hash;
                match side {
                    Side::Injection => slot.1.injection |= classes,
                    Side::Safety => slot.1.safety |= classes,
                }
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The hashes of the words of a text, in order.
pub fn hashes(text: &str, folding: Folding) -> impl Iterator<Item = u64> {
    let mut words = Words::new();
    words.every_word(text, Folding { passages: false, ..folding });
    words.hits.into_iter().map(|hit| hit.hash)
}

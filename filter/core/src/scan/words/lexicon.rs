//! The table of known words and the classes each belongs to.
//!
//! Holds hashes, not words; who reads the classes decides what they mean. Invariant: a word of the table is found by the
//! hash of its folded spelling, whatever disguise [`Folding`] undoes.

use super::Words;
use crate::scan::normalize::Folding;
use std::collections::BTreeMap;

/// Which policy a class belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Classes of `prompt-injection`.
    Injection,
    /// Classes of `safety-filter`.
    Safety,
}

/// The classes of a word, one bit set a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
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
    /// Hashes of words by open addressing, zero where none is; a power of two, at most half full.
    slots: Vec<u64>,
    /// For each slot, which of `classes` its word has. Many words share one; apart from the hashes they stay in the cache.
    class_of: Vec<u16>,
    classes: Vec<Classes>,
    folding: Folding,
}

impl Lexicon {
    /// The table of `words`: white-space separated spellings, the policy that asks, the classes to add.
    pub fn build<'a>(words: impl IntoIterator<Item = (&'a str, Side, u64)>, folding: Folding) -> Lexicon {
        let mut known: BTreeMap<u64, Classes> = BTreeMap::new();
        for (list, side, classes) in words {
            for hash in hashes(list, folding) {
                let word = known.entry(hash).or_default();
                match side {
                    Side::Injection => word.injection |= classes,
                    Side::Safety => word.safety |= classes,
                }
            }
        }
        let size = (known.len() * 2).next_power_of_two().max(16);
        let mut lexicon = Lexicon {
            filter: Box::new([0; FILTER_WORDS]),
            slots: vec![0; size],
            class_of: vec![0; size],
            classes: Vec::new(),
            folding,
        };
        let mut sets: BTreeMap<Classes, u16> = BTreeMap::new();
        for (hash, classes) in known {
            // Operators' phrases share one bit, so there are never more sets than the built-in words make.
            let next = lexicon.classes.len() as u16;
            let set = *sets.entry(classes).or_insert_with(|| {
                lexicon.classes.push(classes);
                next
            });
            lexicon.add(hash, set);
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
        size_of_val(&*self.filter)
            + size_of_val(self.slots.as_slice())
            + size_of_val(self.class_of.as_slice())
            + size_of_val(self.classes.as_slice())
    }

    /// False for most words that are not known.
    #[inline]
    pub(super) fn may_know(&self, hash: u64) -> bool {
        let bit = (hash >> 48) as usize;
        self.filter.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 != 0)
    }

    /// The classes of the word with this hash, if it is known.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<Classes> {
        if self.may_know(hash) { self.probe(hash) } else { None }
    }

    #[inline]
    pub(super) fn probe(&self, hash: u64) -> Option<Classes> {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            match self.slots.get(at) {
                Some(0) | None => return None,
                Some(found) if *found == hash => break,
                Some(_) => at = (at + 1) & mask,
            }
        }
        self.classes.get(usize::from(*self.class_of.get(at)?)).copied()
    }

    fn add(&mut self, hash: u64, set: u16) {
        let bit = (hash >> 48) as usize;
        if let Some(word) = self.filter.get_mut(bit >> 6) {
            *word |= 1 << (bit & 63);
        }
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = (at + 1) & mask;
        }
        if let (Some(slot), Some(class)) = (self.slots.get_mut(at), self.class_of.get_mut(at)) {
            (*slot, *class) = (hash, set);
        }
    }
}

/// The hashes of the words of a text, in order.
pub fn hashes(text: &str, folding: Folding) -> impl Iterator<Item = u64> {
    let mut words = Words::new();
    words.every_word(text, Folding { passages: false, ..folding });
    words.hits.into_iter().map(|hit| hit.hash)
}

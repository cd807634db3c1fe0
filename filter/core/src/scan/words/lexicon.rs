//! The table of known words and the classes each belongs to.
//!
//! Holds hashes, not words; who reads the classes decides what they mean. Invariant: a word of the table is found by the
//! hash of its folded spelling, whatever disguise [`Folding`] undoes.

use super::rules::{MAX_HELD_BYTES, Openings};
use super::{Sight, every_word};
use crate::scan::normalize::{Folder, Folding};

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
    /// A bit for the hash of each telling word.
    filter: Box<[u64; FILTER_WORDS]>,
    /// Hashes of words by open addressing, zero where none is; a power of two, at most half full.
    slots: Vec<u64>,
    /// For each slot, which of `classes` its word has. Many words share one; apart from the hashes they stay in the cache.
    class_of: Vec<u16>,
    classes: Vec<Classes>,
    folder: Folder,
    /// What could begin with a telling word, by side.
    openings: [Openings; 2],
}

/// What a telling word could begin, given the telling words that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing.
    None,
    /// Something that else takes common words only, yet the word itself is common enough.
    Lone,
    /// Something.
    Sure,
}

impl Lexicon {
    /// The table of `words`: white-space separated spellings, the policy that asks, the classes to add. `openings` say which
    /// of them are telling, for injection and for safety.
    pub fn build<'a>(
        words: impl IntoIterator<Item = (&'a str, Side, u64)>,
        openings: [Openings; 2],
        folding: Folding,
    ) -> Lexicon {
        let folder = Folder::new(folding);
        let mut known: Vec<(u64, Classes)> = Vec::new();
        for (list, side, classes) in words {
            let classes = match side {
                Side::Injection => Classes { injection: classes, safety: 0 },
                Side::Safety => Classes { injection: 0, safety: classes },
            };
            known.extend(every_word(list, &folder).into_iter().map(|word| (word.hash, classes)));
        }
        known.sort_unstable_by_key(|word| word.0);
        known.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = Classes {
                    injection: kept.1.injection | next.1.injection,
                    safety: kept.1.safety | next.1.safety,
                };
            }
            same
        });
        let size = (known.len() * 2).next_power_of_two().max(16);
        let mut lexicon = Lexicon {
            filter: Box::new([0; FILTER_WORDS]),
            slots: vec![0; size],
            class_of: vec![0; size],
            classes: Vec::new(),
            folder,
            openings,
        };
        for (hash, classes) in known {
            // Operators' phrases share two bits, so there are never more sets than the built-in words make.
            let set = lexicon.classes.iter().position(|known| *known == classes).unwrap_or_else(|| {
                lexicon.classes.push(classes);
                lexicon.classes.len() - 1
            });
            lexicon.add(hash, set as u16, classes);
        }
        lexicon
    }

    /// Which disguises are undone before a word is looked up.
    #[inline]
    pub fn folding(&self) -> Folding {
        self.folder.folding()
    }

    #[inline]
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// False for most words that tell nothing.
    #[inline(always)]
    pub(super) fn may_tell(&self, hash: u64) -> bool {
        let bit = (hash >> 48) as usize;
        self.filter.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 != 0)
    }

    /// The classes of the word with this hash, if it is known.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<Classes> {
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

    /// What the telling word at `index` could begin in a text of `length` bytes.
    pub(super) fn opening(&self, sights: &[Sight], index: usize, length: usize) -> Opening {
        let Some(sight) = sights.get(index) else { return Opening::None };
        let [injection, safety] = &self.openings;
        let reach = sight.start as usize + MAX_HELD_BYTES;
        let begins = sight.classes.injection & injection.anchors | sight.classes.safety & safety.anchors;
        if begins == 0 {
            return Opening::None;
        }
        let mut ahead = Classes::default();
        // Forty telling words are more than fit into the reach of a rule in any prose.
        let following = sights.get(index + 1..).unwrap_or_default().iter().take(40);
        for next in following.take_while(|next| next.start as usize <= reach) {
            ahead.injection |= next.classes.injection;
            ahead.safety |= next.classes.safety;
        }
        // In a stream the others may still come.
        let unseen = reach >= length || following_is_dense(sights, index, reach);
        let safety = safety.of(sight.classes.safety, if unseen { u64::MAX } else { ahead.safety });
        if safety == Opening::Sure {
            return safety;
        }
        let unseen = following_is_dense(sights, index, reach);
        injection.of(sight.classes.injection, if unseen { u64::MAX } else { ahead.injection })
    }

    fn add(&mut self, hash: u64, set: u16, classes: Classes) {
        let [injection, safety] = &self.openings;
        if classes.injection & injection.telling | classes.safety & safety.telling != 0 {
            let bit = (hash >> 48) as usize;
            if let Some(word) = self.filter.get_mut(bit >> 6) {
                *word |= 1 << (bit & 63);
            }
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

/// Forty telling words ahead do not tell what else is.
fn following_is_dense(sights: &[Sight], index: usize, reach: usize) -> bool {
    sights.get(index + 41).is_some_and(|sight| sight.start as usize <= reach)
}

/// The hashes of the words of a text, in order.
pub fn hashes(text: &str, folding: Folding) -> impl Iterator<Item = u64> {
    every_word(text, &Folder::new(folding)).into_iter().map(|hit| hit.hash)
}

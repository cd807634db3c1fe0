//! The table of known words and the classes each belongs to.
//!
//! Holds hashes, not words; who reads the classes decides what they mean. Invariant: a word of the table is found by the
//! hash of its folded spelling, whatever disguise [`Folding`] undoes.

use super::odd::Folded;
use super::rules::{Around, Gate, MAX_HELD_BYTES, Openings, Seen};
use super::{Sight, Token, every_word};
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

impl std::ops::BitOr for Classes {
    type Output = Classes;

    fn bitor(self, other: Classes) -> Classes {
        Classes { injection: self.injection | other.injection, safety: self.safety | other.safety }
    }
}

/// 64 Ki bits: fits the first-level cache, and a few thousand words leave nineteen in twenty unknown words outside.
const FILTER_WORDS: usize = 1024;

/// Known words.
#[derive(Debug, Clone)]
pub struct Lexicon {
    /// A bit for the hash of each telling word.
    filter: Box<[u64; FILTER_WORDS]>,
    /// Words by open addressing, zero where none is; a power of two, at most half full. The upper 48 bits are those of the
    /// hash, the lower sixteen say which of `classes` the word has, counted from one: one load tells both.
    slots: Vec<u64>,
    /// Leaves as many of the upper bits of a hash as number the slots; in those of a short word the lower ones are all zero.
    shift: u32,
    classes: Vec<Classes>,
    folder: Folder,
    /// What could begin with a telling word, by side.
    openings: [Openings; 2],
    /// A bit for the hash of each word that is an anchor of a rule.
    anchors: Box<[u64; FILTER_WORDS]>,
    /// What could stand around an anchor, for injection and for safety.
    gates: [Gate; 2],
}

impl Lexicon {
    /// The table of `words`: white-space separated spellings, the policy that asks, the classes to add. `openings` say which
    /// of them are telling, `gates` which are anchors, for injection and for safety.
    pub fn build<'a>(
        words: impl IntoIterator<Item = (&'a str, Side, u64)>,
        openings: [Openings; 2],
        gates: [Gate; 2],
        folding: Folding,
    ) -> Lexicon {
        let folder = Folder::new(folding);
        let mut known: Vec<(u64, Classes)> = Vec::new();
        for (list, side, classes) in words {
            let classes = match side {
                Side::Injection => Classes { injection: classes, safety: 0 },
                Side::Safety => Classes { injection: 0, safety: classes },
            };
            for word in every_word(list, &folder) {
                known.push((word.hash, classes));
                // A word with digits is looked up by what a model knows it by, too.
                let spelled = list.as_bytes().get(word.start as usize..word.end as usize).unwrap_or_default();
                if spelled.iter().any(u8::is_ascii_digit) {
                    let folded = Folded::plain(list.as_bytes(), word.start as usize, word.end as usize);
                    known.push((folded.feature(), classes));
                }
            }
        }
        let known = merged(&known);
        let size = slots_for(known.len());
        let mut lexicon = Lexicon {
            filter: Box::new([0; FILTER_WORDS]),
            slots: vec![0; size],
            shift: 64 - size.trailing_zeros(),
            classes: Vec::new(),
            folder,
            openings,
            anchors: Box::new([0; FILTER_WORDS]),
            gates,
        };
        for (hash, classes) in known {
            lexicon.add(hash, classes);
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
        has(&self.filter, hash)
    }

    /// False for most words that are no anchor.
    #[inline(always)]
    pub(super) fn may_be_anchor(&self, hash: u64) -> bool {
        has(&self.anchors, hash)
    }

    /// Whether the word at `index` could be part of the match of a rule; `seen` is a buffer.
    #[inline(never)]
    pub(super) fn lets(&self, tokens: &[Token], index: usize, seen: &mut Seen) -> bool {
        let Some(classes) = tokens.get(index).and_then(|token| self.find(token.hash)) else { return false };
        let [injection, safety] = &self.gates;
        let mut around = Around::new(self, tokens, index, seen);
        injection.lets(classes, Side::Injection, &mut around)
            || safety.lets(classes, Side::Safety, &mut around)
    }

    /// The number of a set, counted from one.
    fn number(&mut self, classes: Classes) -> u16 {
        // Operators' phrases share two bits, so there are never more sets than the built-in words make.
        let set = self.classes.iter().position(|known| *known == classes).unwrap_or_else(|| {
            self.classes.push(classes);
            self.classes.len() - 1
        });
        set as u16 + 1
    }

    /// The classes of the word with this hash, if it is known.
    #[inline]
    pub fn find(&self, hash: u64) -> Option<Classes> {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        loop {
            match self.slots.get(at) {
                Some(0) | None => return None,
                Some(found) if (found ^ hash) >> 16 == 0 => {
                    return self.classes.get(usize::from(*found as u16) - 1).copied();
                }
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    /// Whether the telling word at `index` could begin something in a text of `length` bytes.
    pub(super) fn opens(&self, sights: &[Sight], index: usize, length: usize) -> bool {
        let Some(sight) = sights.get(index) else { return false };
        let [injection, safety] = &self.openings;
        let begins = sight.classes.injection & injection.anchors | sight.classes.safety & safety.anchors;
        if begins == 0 {
            return false;
        }
        let reach = sight.start as usize + MAX_HELD_BYTES;
        let near = |next: &&Sight| next.start as usize <= reach;
        let mut following = sights.get(index + 1..).unwrap_or_default().iter().take_while(near);
        let mut ahead = Classes::default();
        // More telling words than fit into the reach of a rule in any prose; if there are more, any may be among them.
        for next in following.by_ref().take(16) {
            ahead = ahead | next.classes;
        }
        if following.next().is_some() {
            ahead = Classes { injection: u64::MAX, safety: u64::MAX };
        }
        // In a stream the others may still come.
        if reach >= length {
            ahead.safety = u64::MAX;
        }
        injection.met(sight.classes.injection, ahead.injection)
            || safety.met(sight.classes.safety, ahead.safety)
    }

    fn add(&mut self, hash: u64, classes: Classes) {
        let [injection, safety] = &self.openings;
        if classes.injection & injection.telling | classes.safety & safety.telling != 0 {
            mark(&mut self.filter, hash);
        }
        let [injection, safety] = &self.gates;
        if injection.is_anchor(classes, Side::Injection) || safety.is_anchor(classes, Side::Safety) {
            mark(&mut self.anchors, hash);
        }
        let set = self.number(classes);
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = (at + 1) & mask;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = hash >> 16 << 16 | u64::from(set);
        }
    }
}

/// A power of two, so that at most half of the slots are taken.
fn slots_for(words: usize) -> usize {
    (words * 2).next_power_of_two().max(16)
}

/// The words, each once and with all its classes. By a table, because sorting is eight kilobytes of code that Envoy compiles.
fn merged(words: &[(u64, Classes)]) -> Vec<(u64, Classes)> {
    let mut places = vec![usize::MAX; slots_for(words.len())];
    let shift = 64 - places.len().trailing_zeros();
    let mut merged: Vec<(u64, Classes)> = Vec::with_capacity(words.len());
    for (hash, classes) in words {
        let mut at = (hash >> shift) as usize;
        while let Some(place) = places.get_mut(at) {
            match merged.get_mut(*place) {
                None => {
                    *place = merged.len();
                    merged.push((*hash, *classes));
                    break;
                }
                Some(known) if known.0 == *hash => {
                    known.1 = known.1 | *classes;
                    break;
                }
                Some(_) => at = (at + 1) & (places.len() - 1),
            }
        }
    }
    merged
}

#[inline(always)]
fn has(filter: &[u64; FILTER_WORDS], hash: u64) -> bool {
    let bit = (hash >> 48) as usize;
    filter.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 != 0)
}

fn mark(filter: &mut [u64; FILTER_WORDS], hash: u64) {
    let bit = (hash >> 48) as usize;
    if let Some(word) = filter.get_mut(bit >> 6) {
        *word |= 1 << (bit & 63);
    }
}

/// The hashes of the words of a text, in order.
pub fn hashes(text: &str, folding: Folding) -> impl Iterator<Item = u64> {
    every_word(text, &Folder::new(folding)).into_iter().map(|hit| hit.hash)
}

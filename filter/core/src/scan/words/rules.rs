//! Rules over word classes: a few classes in order, each within a few words of the last.
//!
//! Knows nothing of what the classes mean. Every decision about a first word depends on what follows it within one sentence
//! (or one phrase) and [`MAX_HELD_BYTES`], and on [`LOOK_BEHIND_BYTES`] before it; that is what makes streams exact.

mod gate;
mod openings;
mod phrases;

pub use gate::Gate;
pub(in crate::scan::words) use gate::{Around, Seen};
pub use openings::Openings;
pub use phrases::{MAX_PHRASE_WORDS, PHRASE, PHRASE_HEAD, Phrases};

use super::{Hit, Side};

/// No rule reaches further than this from the start of its first word. It bounds what a stream holds back; evidence that is
/// spread wider is not found, in whole texts neither.
pub const MAX_HELD_BYTES: usize = 192;

/// How far before its first word a rule may look. A stream keeps 64 bytes of what it released; four of them tell whether
/// the earliest word starts there.
pub const LOOK_BEHIND_BYTES: u32 = 60;

/// No rule spans more words than this.
pub const MAX_RULE_WORDS: usize = 24;

/// A class (or one of several) and how many words after the last one it may stand.
pub type Step = (u64, u32);

/// Classes in order.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Second half of the reason code.
    pub kind: &'static str,
    /// How sure this evidence makes, from 0 to 1.
    pub weight: f32,
    /// What must follow what; the distance of the first is not read.
    pub steps: &'static [Step],
    /// Classes that, shortly before or inside, make it something else.
    pub unless: u64,
    /// Classes that do so only inside.
    pub unless_inside: u64,
    /// Classes that do so within [`AFTERWARDS`] words of the last. Only who has the whole text may ask for any.
    pub unless_after: u64,
}

/// How many words after its last may turn a match round.
const AFTERWARDS: u32 = 5;

/// How far a rule got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Every class was found; the last at this index.
    Complete(usize),
    /// The classes cannot come any more.
    Dead,
    /// The text ended before that was known.
    Alive,
}

/// Rules by the class of the word their match begins with.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<Rule>,
    /// For each rule, the step its match begins with.
    begins: Vec<u8>,
    by_class: Vec<Vec<u16>>,
    openers: u64,
    side: Side,
}

impl Rules {
    /// The rules of one policy. Steps of `common` classes at the beginning of a rule are looked for before the match.
    pub fn new(side: Side, common: u64, rules: impl IntoIterator<Item = Rule>) -> Rules {
        let rules: Vec<Rule> = rules.into_iter().collect();
        let first = |rule: &Rule| rule.steps.iter().position(|step| step.0 & common == 0).unwrap_or(0) as u8;
        let begins: Vec<u8> = rules.iter().map(first).collect();
        let mut by_class = vec![Vec::new(); 64];
        let mut openers = 0;
        for (index, (rule, begin)) in rules.iter().zip(&begins).enumerate() {
            let first = rule.steps.get(usize::from(*begin)).map_or(0, |step| step.0);
            openers |= first;
            for (class, list) in by_class.iter_mut().enumerate() {
                if first >> class & 1 != 0 {
                    list.push(index as u16);
                }
            }
        }
        Rules { rules, begins, by_class, openers, side }
    }

    /// Whether the match of any rule begins with this word.
    #[inline]
    pub fn opens(&self, hit: &Hit) -> bool {
        hit.classes.of(self.side) & self.openers != 0
    }

    /// The rules whose matches may begin with this word, with their index and the step that it is.
    pub fn from(&self, hit: &Hit) -> impl Iterator<Item = (usize, &Rule, usize)> {
        let mut left = hit.classes.of(self.side) & self.openers;
        std::iter::from_fn(move || {
            let class = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            self.by_class.get(class)
        })
        .flatten()
        .filter_map(|&index| {
            let index = usize::from(index);
            Some((index, self.rules.get(index)?, usize::from(*self.begins.get(index)?)))
        })
    }

    /// All classes that follow the word at `first` within reach of any rule: most rules need no closer look.
    pub fn ahead(&self, hits: &[Hit], first: usize) -> u64 {
        let Some(opener) = hits.get(first) else { return 0 };
        let near = |hit: &&Hit| {
            hit.sentence == opener.sentence && hit.end as usize <= opener.start as usize + MAX_HELD_BYTES
        };
        let following =
            hits.get(first + 1..).unwrap_or_default().iter().take(MAX_RULE_WORDS).take_while(near);
        following.fold(0, |all, hit| all | hit.classes.of(self.side))
    }

    /// All classes that stand before the word at `first` within the reach of [`Rules::lead`].
    pub fn behind(&self, hits: &[Hit], first: usize) -> u64 {
        let Some(opener) = hits.get(first) else { return 0 };
        let before = hits.get(..first).unwrap_or_default().iter().rev();
        let near =
            |hit: &&Hit| hit.sentence == opener.sentence && hit.start + LOOK_BEHIND_BYTES >= opener.start;
        before.take_while(near).fold(0, |all, hit| all | hit.classes.of(self.side))
    }

    /// The first of the words that the steps of `rule` before `begin` want before the word at `first`, which is that word
    /// itself if there are no such steps.
    pub fn lead(&self, rule: &Rule, begin: usize, hits: &[Hit], first: usize) -> Option<usize> {
        let opener = hits.get(first)?;
        let mut earliest = first;
        let mut ordinal = opener.ordinal;
        let mut within = rule.steps.get(begin)?.1;
        for (classes, before) in rule.steps.get(..begin)?.iter().rev() {
            let near = |hit: &&Hit| {
                hit.sentence == opener.sentence
                    && ordinal - hit.ordinal <= within
                    && hit.start + LOOK_BEHIND_BYTES >= opener.start
            };
            let found = hits.get(..earliest)?.iter().rev().take_while(near);
            let back = found.map(|hit| hit.classes.of(self.side)).position(|of| of & classes != 0)?;
            earliest -= back + 1;
            ordinal = hits.get(earliest)?.ordinal;
            within = *before;
        }
        Some(earliest)
    }

    /// Follows `rule` from its step `begin`, the word at `first`, through `hits`, the words before `ends`.
    pub fn walk(&self, rule: &Rule, begin: usize, hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let Some(opener) = hits.get(first) else { return Walk::Dead };
        let limit = opener.start as usize + MAX_HELD_BYTES;
        let mut last = first;
        let mut ordinal = opener.ordinal;
        for (classes, within) in rule.steps.iter().skip(begin + 1) {
            let mut next = last + 1;
            loop {
                match hits.get(next) {
                    Some(hit)
                        if hit.sentence != opener.sentence
                            || hit.ordinal - ordinal > *within
                            || hit.end as usize > limit =>
                    {
                        return Walk::Dead;
                    }
                    Some(hit) if hit.classes.of(self.side) & classes != 0 => break,
                    Some(_) => next += 1,
                    None => {
                        let reachable = ends.sentence == opener.sentence
                            && ends.ordinal - ordinal <= *within
                            && ends.offset < limit;
                        return if reachable { Walk::Alive } else { Walk::Dead };
                    }
                }
            }
            last = next;
            ordinal = hits.get(next).map_or(ordinal, |hit| hit.ordinal);
        }
        Walk::Complete(last)
    }
}

/// What is known of the word that comes next, after the last known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// Its number.
    pub ordinal: u32,
    /// Its sentence.
    pub sentence: u32,
    /// Where it starts at the earliest.
    pub offset: usize,
}

/// Whether one of `classes` stands shortly before the word at `first`, in its sentence.
pub fn preceded(hits: &[Hit], first: usize, side: Side, classes: u64) -> bool {
    let Some(opener) = hits.get(first) else { return false };
    let before = hits.get(..first).unwrap_or_default().iter().rev();
    before
        .take_while(|hit| hit.sentence == opener.sentence && hit.start + LOOK_BEHIND_BYTES >= opener.start)
        .any(|hit| hit.classes.of(side) & classes != 0)
}

/// Whether one of `classes` stands shortly after the word at `last`, in its sentence.
pub fn followed(hits: &[Hit], last: usize, side: Side, classes: u64) -> bool {
    let Some(closer) = hits.get(last).filter(|_| classes != 0) else { return false };
    let after = hits.get(last + 1..).unwrap_or_default().iter();
    after
        .take_while(|hit| hit.sentence == closer.sentence && hit.ordinal - closer.ordinal <= AFTERWARDS)
        .any(|hit| hit.classes.of(side) & classes != 0)
}

/// Whether one of `classes` stands at or between two words.
pub fn contains(hits: &[Hit], first: usize, last: usize, side: Side, classes: u64) -> bool {
    hits.get(first..=last).unwrap_or_default().iter().any(|hit| hit.classes.of(side) & classes != 0)
}

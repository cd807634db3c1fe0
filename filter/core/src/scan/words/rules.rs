//! Rules over word classes: a few classes in order, each within a few words of the last.
//!
//! Knows nothing of what the classes mean. Every decision about a first word depends on what follows it within one sentence
//! (or one phrase) and [`MAX_HELD_BYTES`], and on nothing that came earlier; that is what makes streams exact.

use super::{Hit, Side, Words};

/// No rule reaches further than this from the start of its first word. It bounds what a stream holds back; evidence that is
/// spread wider is not found, in whole texts neither.
pub const MAX_HELD_BYTES: usize = 256;

/// A word of a phrase of the operator.
pub const PHRASE: u64 = 1 << 63;

/// Phrases of more words could not be held back in a stream.
pub const MAX_PHRASE_WORDS: usize = 24;

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
}

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

/// Rules by the class of their first word.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<Rule>,
    by_class: Vec<Vec<u16>>,
    openers: u64,
    side: Side,
}

impl Rules {
    /// The rules of one policy.
    pub fn new(side: Side, rules: impl IntoIterator<Item = Rule>) -> Rules {
        let mut by_class = vec![Vec::new(); 64];
        let mut openers = 0;
        let rules: Vec<Rule> = rules.into_iter().collect();
        for (index, rule) in rules.iter().enumerate() {
            let first = rule.steps.first().map_or(0, |step| step.0);
            openers |= first;
            for (class, list) in by_class.iter_mut().enumerate() {
                if first >> class & 1 != 0 {
                    list.push(index as u16);
                }
            }
        }
        Rules { rules, by_class, openers, side }
    }

    /// Whether any rule begins with this word.
    #[inline]
    pub fn opens(&self, hit: &Hit) -> bool {
        hit.classes.of(self.side) & self.openers != 0
    }

    /// The rules that may begin with this word, with their index.
    pub fn from(&self, hit: &Hit) -> impl Iterator<Item = (usize, &Rule)> {
        let mut left = hit.classes.of(self.side) & self.openers;
        std::iter::from_fn(move || {
            let class = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            self.by_class.get(class)
        })
        .flatten()
        .filter_map(|&index| Some((usize::from(index), self.rules.get(usize::from(index))?)))
    }

    /// All classes that follow the word at `first` within reach of any rule: most rules need no closer look.
    pub fn ahead(&self, hits: &[Hit], first: usize) -> u64 {
        let Some(opener) = hits.get(first) else { return 0 };
        let near = |hit: &&Hit| {
            hit.sentence == opener.sentence && hit.end as usize - opener.start as usize <= MAX_HELD_BYTES
        };
        // Forty words are more than fit into the reach of a rule in any prose.
        let following = hits.get(first + 1..).unwrap_or_default().iter().take(40).take_while(near);
        following.fold(0, |all, hit| all | hit.classes.of(self.side))
    }

    /// Follows `rule` from the word at `first` through `hits`, the words before `ends`.
    pub fn walk(&self, rule: &Rule, hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let Some(opener) = hits.get(first) else { return Walk::Dead };
        let limit = opener.start as usize + MAX_HELD_BYTES;
        let mut last = first;
        let mut ordinal = opener.ordinal;
        for (classes, within) in rule.steps.iter().skip(1) {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Its number.
    pub ordinal: u32,
    /// Its sentence.
    pub sentence: u32,
    /// Where it starts at the earliest.
    pub offset: usize,
}

/// Phrases of the operator: words in order, nothing else between them.
#[derive(Debug, Clone, Default)]
pub struct Phrases {
    phrases: Vec<Vec<u64>>,
}

impl Phrases {
    /// Phrases by the hashes of their words; none is empty.
    pub fn new(phrases: Vec<Vec<u64>>) -> Phrases {
        Phrases { phrases }
    }

    /// The longest phrase that begins with the word at `first`.
    pub fn walk(&self, hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let mut outcome = Walk::Dead;
        for phrase in &self.phrases {
            outcome = match (outcome, Phrases::follow(phrase, hits, first, ends)) {
                (Walk::Alive, _) | (_, Walk::Alive) => Walk::Alive,
                (Walk::Complete(a), Walk::Complete(b)) => Walk::Complete(a.max(b)),
                (Walk::Complete(at), Walk::Dead) | (Walk::Dead, Walk::Complete(at)) => Walk::Complete(at),
                (Walk::Dead, Walk::Dead) => Walk::Dead,
            };
        }
        outcome
    }

    fn follow(phrase: &[u64], hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let Some(opener) = hits.get(first) else { return Walk::Dead };
        let limit = opener.start as usize + MAX_HELD_BYTES;
        for (index, hash) in phrase.iter().enumerate() {
            let wanted = opener.ordinal + index as u32;
            match hits.get(first + index) {
                Some(hit) if hit.hash != *hash || hit.ordinal != wanted || hit.end as usize > limit => {
                    return Walk::Dead;
                }
                Some(_) => {}
                None if ends.ordinal == wanted && ends.offset < limit => return Walk::Alive,
                None => return Walk::Dead,
            }
        }
        Walk::Complete(first + phrase.len() - 1)
    }
}

/// Whether one of `classes` stands shortly before the word at `first`, in its sentence.
pub fn preceded(hits: &[Hit], first: usize, side: Side, classes: u64) -> bool {
    // A stream keeps 64 bytes of what it released; sixteen of them tell whether the earliest word starts there.
    const REACH: u32 = 48;
    let Some(opener) = hits.get(first) else { return false };
    let before = hits.get(..first).unwrap_or_default().iter().rev();
    before
        .take_while(|hit| hit.sentence == opener.sentence && hit.start + REACH >= opener.start)
        .any(|hit| hit.classes.of(side) & classes != 0)
}

/// Whether one of `classes` stands at or between two words.
pub fn contains(hits: &[Hit], first: usize, last: usize, side: Side, classes: u64) -> bool {
    hits.get(first..=last).unwrap_or_default().iter().any(|hit| hit.classes.of(side) & classes != 0)
}

impl Words {
    /// What comes after everything that is known for sure: an unfinished last word is not.
    pub fn settled(&self) -> (&[Hit], Ends) {
        let known = self.hits.partition_point(|hit| (hit.start as usize) < self.open);
        (self.hits.get(..known).unwrap_or_default(), self.next)
    }
}

//! Finds things in a text: identifiers, operator's patterns, words.
//!
//! Knows nothing of policies, JSON or streams; every scanner sees one string. Invariant: a scanner that offers `open_from`
//! finds the same matches however its text was cut into pieces. Offsets are bytes of the original text, whatever was undone to
//! read it.

pub mod identifiers;
pub mod normalize;
pub mod patterns;
pub(crate) mod simd;
pub(crate) mod turns;
pub mod words;

use std::borrow::Cow;

/// A place in a text that a detector found.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Second half of the reason code.
    pub kind: Cow<'static, str>,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Strength of the evidence from 0 to 1; 1 where the detector only knows yes and no.
    pub score: f32,
}

/// What comes first in a text that is read from some byte on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<Hit> {
    /// A match that no further text can change.
    Hit(Hit),
    /// No match begins before this byte; from it on, more text may make one. The length of the text: nothing may.
    Open(usize),
}

impl<Hit> Step<Hit> {
    /// The same step with its match put differently.
    pub fn map<Other>(self, put: impl FnOnce(Hit) -> Other) -> Step<Other> {
        match self {
            Step::Hit(hit) => Step::Hit(put(hit)),
            Step::Open(at) => Step::Open(at),
        }
    }
}

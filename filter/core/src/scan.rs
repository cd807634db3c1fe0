//! Many patterns over one text, in as few passes as possible.
//!
//! Finds; does not judge, and knows nothing of policies, JSON or streams. Offsets are bytes of the original text, whatever
//! was undone to read it. Invariant: a scanner that offers `open_from` finds the same however its text was cut into pieces.

pub mod identifiers;
pub mod normalize;
pub mod patterns;
pub(crate) mod simd;
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

//! Many patterns over one text, in as few passes as possible.
//!
//! Finds; does not judge. Offsets are bytes of the original text, whatever was undone to read it.

pub mod normalize;
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

//! Finds things in a text: identifiers, operator's patterns, words.
//!
//! Knows nothing of policies, JSON or streams; every scanner sees one string. Invariant: a scanner that offers `open_from`
//! finds the same matches however its text was cut into pieces.

pub mod identifiers;
pub mod normalize;
pub mod patterns;
pub(crate) mod simd;
pub mod words;

//! Many patterns over one text.

pub mod normalize;
pub mod words;

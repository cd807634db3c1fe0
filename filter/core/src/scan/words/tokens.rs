//! The tokens of a text on their way to whoever counts them, a few hundred at a time.
//!
//! Cuts no text and knows no lexicon. Invariant: tokens arrive in the order of the text, each once.

use std::ops::Range;

/// Tokens that are handed on together: few enough to stay in the first-level cache.
const BATCH: usize = 256;

/// A word, or a character that is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Token {
    /// First byte in the text.
    pub start: u32,
    /// Byte after its last.
    pub end: u32,
    /// What a model knows it by.
    pub hash: u64,
}

/// Who counts them.
pub trait Sink {
    /// A reading begins: the text as it stands, or what a passage of it decodes to.
    fn begin(&mut self, passage: Option<Range<usize>>);
    /// Where the text as it stands is worth reading in full: first and last byte of each place, in order; `None`: everywhere.
    fn places(&self) -> Option<&[(u32, u32)]> {
        None
    }

    /// The next tokens of `text`.
    fn take(&mut self, text: &[u8], tokens: &[Token]);
}

/// A batch that is being filled.
pub(super) struct Tokens<'a> {
    pub(super) text: &'a str,
    batch: &'a mut [Token],
    count: usize,
    sink: &'a mut dyn Sink,
}

impl<'a> Tokens<'a> {
    /// For the tokens of `text`, with `batch` to fill.
    pub(super) fn new(text: &'a str, batch: &'a mut Vec<Token>, sink: &'a mut dyn Sink) -> Tokens<'a> {
        batch.resize(BATCH, Token::default());
        Tokens { text, batch, count: 0, sink }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, start: usize, end: usize, hash: u64) {
        if let Some(slot) = self.batch.get_mut(self.count) {
            *slot = Token { start: start as u32, end: end as u32, hash };
        }
        self.count += 1;
        if self.count == BATCH {
            self.flush();
        }
    }

    /// Hands on what is left.
    #[inline(never)]
    pub(super) fn flush(&mut self) {
        self.sink.take(self.text.as_bytes(), self.batch.get(..self.count).unwrap_or_default());
        self.count = 0;
    }
}

/// Counts nothing.
pub struct Ignore;

impl Sink for Ignore {
    fn begin(&mut self, _: Option<Range<usize>>) {}
    fn take(&mut self, _: &[u8], _: &[Token]) {}
}

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
    /// It did not look like this.
    pub disguised: bool,
}

/// Stretches of tokens that are worth a closer look, each with its neighbours.
#[derive(Debug, Clone, Default)]
pub struct Lively {
    /// All of them.
    pub tokens: Vec<Token>,
    /// Where in `tokens` each stretch begins.
    pub stretches: Vec<u32>,
}

impl Lively {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.stretches.clear();
    }

    /// Adds tokens; those that are here already are left out, and a gap begins a new stretch.
    pub fn add(&mut self, tokens: &[Token], follow: bool) {
        let known = self.tokens.last().map_or(0, |last| last.end);
        let fresh = tokens.partition_point(|token| token.start < known);
        if !follow || self.tokens.is_empty() {
            self.stretches.push(self.tokens.len() as u32);
        }
        self.tokens.extend_from_slice(tokens.get(fresh..).unwrap_or_default());
    }
}

/// Who counts them.
pub trait Sink {
    /// A reading begins: the text as it stands, or what a passage of it decodes to.
    fn begin(&mut self, passage: Option<Range<usize>>);
    /// What of the text as it stands is worth reading in full; `None`: everything.
    fn lively(&self) -> Option<&Lively> {
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
        self.add(Token { start: start as u32, end: end as u32, hash, disguised: false });
    }

    #[inline(always)]
    pub(super) fn add(&mut self, token: Token) {
        if let Some(slot) = self.batch.get_mut(self.count) {
            *slot = token;
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

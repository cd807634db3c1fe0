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
    /// Byte after its last, and [`DISGUISED`].
    ends: u32,
    /// What a model knows it by.
    pub hash: u64,
}

/// It did not look like this: in the bit that no text is long enough to need, so that a token has sixteen bytes.
const DISGUISED: u32 = 1 << 31;

impl Token {
    /// A token from `start` to before `end`.
    #[inline(always)]
    pub fn new(start: usize, end: usize, hash: u64, disguised: bool) -> Token {
        Token { start: start as u32, ends: end as u32 | if disguised { DISGUISED } else { 0 }, hash }
    }

    /// Byte after its last.
    #[inline(always)]
    pub fn end(&self) -> u32 {
        self.ends & !DISGUISED
    }

    /// It did not look like this.
    #[inline(always)]
    pub fn is_disguised(&self) -> bool {
        self.ends & DISGUISED != 0
    }
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
        let known = self.tokens.last().map_or(0, Token::end);
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

/// Room for a batch and for more tokens than a block of text has, so that only every block asks whether the batch is full. A
/// power of two.
const ROOM: usize = 2 * BATCH;

/// Tokens that wait to be handed on; a buffer to be used again.
#[derive(Debug, Clone)]
pub(super) struct Batch(Box<[Token; ROOM]>);

impl Default for Batch {
    fn default() -> Batch {
        Batch(Box::new([Token::default(); ROOM]))
    }
}

/// A batch that is being filled.
pub(super) struct Tokens<'a> {
    pub(super) text: &'a str,
    batch: &'a mut [Token; ROOM],
    count: usize,
    sink: &'a mut dyn Sink,
}

impl<'a> Tokens<'a> {
    /// For the tokens of `text`, with `batch` to fill.
    pub(super) fn new(text: &'a str, batch: &'a mut Batch, sink: &'a mut dyn Sink) -> Tokens<'a> {
        Tokens { text, batch: &mut batch.0, count: 0, sink }
    }

    /// Adds a token. A block of text may add all of its own before [`Tokens::pass_on`] is called.
    #[inline(always)]
    pub(super) fn push(&mut self, start: usize, end: usize, hash: u64) {
        self.put(Token::new(start, end, hash, false));
    }

    /// Adds a token.
    pub(super) fn add(&mut self, token: Token) {
        self.put(token);
        self.pass_on();
    }

    #[inline(always)]
    fn put(&mut self, token: Token) {
        #[allow(clippy::indexing_slicing, reason = "masked to the length, a power of two")]
        {
            self.batch[self.count & (ROOM - 1)] = token;
        }
        self.count += 1;
    }

    /// Hands on a batch that is full.
    #[inline(always)]
    pub(super) fn pass_on(&mut self) {
        if self.count >= BATCH {
            self.hand_on();
        }
    }

    #[inline(never)]
    fn hand_on(&mut self) {
        let (full, rest) = self.batch.split_at_mut(BATCH);
        self.sink.take(self.text.as_bytes(), full);
        self.count -= BATCH;
        for (to, from) in full.iter_mut().zip(rest).take(self.count) {
            *to = *from;
        }
    }

    /// Hands on what is left.
    #[inline(never)]
    pub(super) fn flush(&mut self) {
        self.pass_on();
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

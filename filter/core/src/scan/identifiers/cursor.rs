//! Reads a text byte by byte and knows whether more of it may come.
//!
//! Recognises nothing. Invariant, and the reason why streaming and one-shot scanning agree: in a text that may go on, no
//! recogniser learns anything about the bytes after its end, because asking for them is the error [`Open`].

use crate::scan::simd;

/// The answer depends on text that has not come yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open;

/// What a recogniser says of one place: where the match ends, if there is one, unless text is missing.
pub(crate) type Verdict = Result<Option<usize>, Open>;

const DIGIT: u8 = 1;
const UPPER: u8 = 2;
const LOWER: u8 = 4;
const UNDERSCORE: u8 = 8;
const HEX: u8 = 16;
const DASH: u8 = 32;
const DOT: u8 = 64;
const PADDED: u8 = 128;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut n = 0;
    while n < 256 {
        let byte = n as u8;
        let mut class = 0;
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if byte.is_ascii_uppercase() {
            class |= UPPER;
        }
        if byte.is_ascii_lowercase() {
            class |= LOWER;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        if byte == b'_' {
            class |= UNDERSCORE;
        }
        if byte == b'-' {
            class |= DASH;
        }
        if byte == b'.' || byte == b'~' {
            class |= DOT;
        }
        if matches!(byte, b'+' | b'/' | b'=') {
            class |= PADDED;
        }
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            classes[n] = class;
        }
        n += 1;
    }
    classes
};

#[inline]
#[allow(clippy::indexing_slicing, reason = "a byte indexes 256 entries")]
fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// Kinds of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

impl Class {
    pub(crate) const DIGITS: Class = Class(DIGIT);
    pub(crate) const CAPITALS: Class = Class(DIGIT | UPPER);
    pub(crate) const HEX: Class = Class(HEX);
    pub(crate) const ALPHANUMERIC: Class = Class(DIGIT | UPPER | LOWER);
    pub(crate) const WORD: Class = Class(DIGIT | UPPER | LOWER | UNDERSCORE);
    pub(crate) const TOKEN: Class = Class(DIGIT | UPPER | LOWER | UNDERSCORE | DASH);
    pub(crate) const DOTTED: Class = Class(Class::TOKEN.0 | DOT);
    pub(crate) const BASE64: Class = Class(Class::ALPHANUMERIC.0 | PADDED);
    /// Of either alphabet.
    pub(crate) const ANY_BASE64: Class = Class(Class::TOKEN.0 | PADDED);
    pub(crate) const ANY_BASE64_DOTTED: Class = Class(Class::TOKEN.0 | PADDED | DOT);
}

/// A letter, a digit or `_`, in ASCII.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    class(byte) & Class::WORD.0 != 0
}

/// A letter or a digit, in ASCII.
#[inline]
pub(crate) fn is_alphanumeric(byte: u8) -> bool {
    class(byte) & Class::ALPHANUMERIC.0 != 0
}

/// A letter, a digit, `_` or `-`: what most tokens are made of.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    class(byte) & Class::TOKEN.0 != 0
}

/// A hexadecimal digit of either case.
#[inline]
pub(crate) fn is_hex(byte: u8) -> bool {
    class(byte) & HEX != 0
}

/// A text, and whether it may go on.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    more: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, more: bool) -> Self {
        Cursor { bytes: text.as_bytes(), more }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The text may go on.
    pub(crate) fn more(&self) -> bool {
        self.more
    }

    /// The byte at `at`; NUL, which is part of nothing, where the text is over for good.
    #[inline]
    pub(crate) fn at(&self, at: usize) -> Result<u8, Open> {
        #[cfg(test)]
        reads::add(1);
        match self.bytes.get(at) {
            Some(byte) => Ok(*byte),
            None if self.more => Err(Open),
            None => Ok(0),
        }
    }

    /// The byte `back` bytes before `at`; NUL before the text.
    #[inline]
    pub(crate) fn before(&self, at: usize, back: usize) -> u8 {
        #[cfg(test)]
        reads::add(1);
        at.checked_sub(back).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    /// What stands from `from` to `to`, both inside the text.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// The text goes on with `word` at `at`.
    #[inline(never)]
    pub(crate) fn starts_with(&self, at: usize, word: &[u8]) -> Result<bool, Open> {
        for (n, byte) in word.iter().enumerate() {
            if self.at(at + n)? != *byte {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// End of the run of `wanted` bytes from `at`, or `at + longest` where the run is longer.
    #[inline]
    pub(crate) fn run(&self, at: usize, longest: usize, wanted: impl Fn(u8) -> bool) -> Result<usize, Open> {
        let mut end = at;
        while end < at + longest && wanted(self.at(end)?) {
            end += 1;
        }
        Ok(end)
    }

    /// The same for bytes of a class: one loop for all that ask.
    #[inline(never)]
    pub(crate) fn run_of(&self, at: usize, longest: usize, wanted: Class) -> Result<usize, Open> {
        self.run(at, longest, |byte| class(byte) & wanted.0 != 0)
    }

    /// The same for bytes with a bit of `wanted` in a table of the caller's.
    #[inline(never)]
    pub(crate) fn run_in(
        &self,
        at: usize,
        longest: usize,
        table: &[u8; 256],
        wanted: u8,
    ) -> Result<usize, Open> {
        self.run(at, longest, |byte| table.get(usize::from(byte)).is_some_and(|bits| bits & wanted != 0))
    }

    /// [`Self::at`] for places that are seldom reached: less code.
    #[inline(never)]
    pub(crate) fn look(&self, at: usize) -> Result<u8, Open> {
        self.at(at)
    }

    /// [`Self::before`] likewise.
    #[inline(never)]
    pub(crate) fn behind(&self, at: usize, back: usize) -> u8 {
        self.before(at, back)
    }

    /// The same for digits.
    pub(crate) fn digits(&self, at: usize, longest: usize) -> Result<usize, Open> {
        self.run_of(at, longest, Class::DIGITS)
    }

    /// A number that ends at `end` is a number of its own: no letter, digit, `-1`, `.1` or the like goes on.
    pub(crate) fn number_ends(&self, end: usize) -> Result<bool, Open> {
        let next = self.at(end)?;
        Ok(match next {
            b'-' | b'.' => !self.at(end + 1)?.is_ascii_digit(),
            _ => !is_word(next),
        })
    }

    /// A number that begins at `start` is a number of its own, not the rest of a longer code.
    pub(crate) fn number_begins(&self, start: usize) -> bool {
        let before = self.before(start, 1);
        match before {
            b'-' | b'.' | b'/' => !is_alphanumeric(self.before(start, 2)),
            _ => !is_word(before),
        }
    }
}

/// Bytes of a text around a place, for tests that are asked of every candidate: one check of bounds for all of them.
pub(crate) struct Around<'a>(&'a [u8; 2 * Around::REACH]);

impl<'a> Around<'a> {
    /// How far it reaches on either side.
    pub(crate) const REACH: usize = 16;

    /// What is around `at`; `None` near the ends of the text.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Option<Self> {
        let from = at.checked_sub(Around::REACH)?;
        Some(Around(bytes.get(from..)?.first_chunk()?))
    }

    /// The byte `ahead` of the place.
    #[inline(always)]
    pub(crate) fn at(&self, ahead: usize) -> u8 {
        self.0.get(Around::REACH + ahead).copied().unwrap_or(0)
    }

    /// The four bytes from the place on; at once, because small code makes a loop of an array's `map`.
    #[inline(always)]
    pub(crate) fn four(&self) -> [u8; 4] {
        let here: Option<&[u8; Around::REACH]> = self.0.last_chunk();
        here.and_then(|here| here.first_chunk()).copied().unwrap_or_default()
    }

    /// The byte `back` before the place.
    #[inline(always)]
    pub(crate) fn behind(&self, back: usize) -> u8 {
        self.0.get(Around::REACH.wrapping_sub(back)).copied().unwrap_or(0)
    }

    /// A bit for each digit from the place on.
    #[inline(always)]
    pub(crate) fn digits(&self) -> u32 {
        self.0.last_chunk().map_or(0, simd::digits)
    }
}

/// Counts reads, so that a test can bound the work on a text without a clock.
#[cfg(test)]
pub(super) mod reads {
    use std::cell::Cell;

    thread_local! {
        static READS: Cell<usize> = const { Cell::new(0) };
    }

    pub(in super::super) fn add(reads: usize) {
        READS.set(READS.get() + reads);
    }

    pub(in super::super) fn reset() {
        READS.set(0);
    }

    pub(in super::super) fn count() -> usize {
        READS.get()
    }
}

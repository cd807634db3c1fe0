//! Words that are not plain ASCII letters: folded character by character.
//!
//! Looks nothing up. Invariant: where a word begins and ends, and whether it is whole, depends only on its run and on the
//! characters next to it.

use super::Lexicon;
use super::hash::{MULTIPLIER, eight, exact_long, exact_short, hash};
use super::tokens::Tokens;
use crate::scan::normalize::{self, Folder, Glyph};

/// A longer run of letters is cut: it is no word, and a stream must not wait for its end.
pub(super) const MAX_WORD_BYTES: usize = 128;
/// A folded word that is longer is in no lexicon.
pub(super) const MAX_FOLDED_BYTES: usize = 40;

/// Longer numbers are one to a model.
const MAX_DIGITS: usize = 4;
/// What a model sees of something that is no word.
pub(super) const LONG: u64 = MULTIPLIER.rotate_left(40);

/// Whether the first `length` bytes of `head`, at most eight, are all digits.
#[inline(always)]
pub(super) fn is_number(head: u64, length: usize) -> bool {
    let unused = 64 - 8 * length as u32;
    // The upper half of a digit is 3; its lower half with 6 added stays below 16.
    let upper = (head & 0xf0f0_f0f0_f0f0_f0f0) ^ 0x3030_3030_3030_3030;
    let lower = ((head & 0x0f0f_0f0f_0f0f_0f0f) + 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    (upper | lower) << unused == 0
}

/// What a model sees of a number of so many digits.
#[inline(always)]
pub(super) fn number(digits: usize) -> u64 {
    exact_short(0x3030_3030_3030_3030, digits.min(MAX_DIGITS))
}

/// A word as it folds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    /// First byte in the text.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
    /// Not a piece of something longer.
    pub(super) whole: bool,
    /// It did not look like this.
    pub(super) disguised: bool,
    length: usize,
    letters: [u8; MAX_FOLDED_BYTES + 4],
}

impl Folded {
    fn new(start: usize, whole: bool) -> Folded {
        Folded { start, end: start, whole, disguised: false, length: 0, letters: [0; MAX_FOLDED_BYTES + 4] }
    }

    /// A word that needs no folding but that of case.
    pub(super) fn plain(text: &[u8], start: usize, end: usize) -> Folded {
        let mut word = Folded::new(start, true);
        let bytes = text.get(start..end).unwrap_or_default();
        for (slot, byte) in word.letters.iter_mut().zip(bytes) {
            *slot = byte.to_ascii_lowercase();
        }
        Folded { end, length: bytes.len(), ..word }
    }

    /// What it says; nothing if that is too long for any lexicon.
    pub(super) fn letters(&self) -> &[u8] {
        if self.length > MAX_FOLDED_BYTES { &[] } else { self.letters.get(..self.length).unwrap_or_default() }
    }

    /// The hash of what it says.
    #[inline]
    pub(super) fn hash(&self) -> u64 {
        let letters = &self.letters;
        match self.length {
            1..=8 => exact_short(eight(letters, 0).unwrap_or(0), self.length),
            9..=16 => {
                let tail = eight(letters, self.length - 8).unwrap_or(0);
                exact_long(eight(letters, 0).unwrap_or(0), tail, self.length)
            }
            _ => hash(self.letters()),
        }
    }

    /// The hash under which a model knows it: digits are alike, unless they are few enough to stand for letters. Pieces of
    /// something longer, and what is too long for any lexicon, are all one token.
    pub(super) fn feature(&self) -> u64 {
        let letters = self.letters();
        if !self.whole || letters.is_empty() {
            return LONG;
        }
        let digits = letters.iter().filter(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return self.hash();
        }
        let spelled = self.is_leet() && digits * 2 <= letters.len();
        let mut plain = *self;
        for byte in plain.letters.iter_mut().take(letters.len()) {
            if byte.is_ascii_digit() {
                *byte = if spelled { normalize::unleet(*byte, b'i') } else { b'0' };
            }
        }
        if digits == letters.len() {
            plain.length = plain.length.min(MAX_DIGITS);
        }
        plain.hash()
    }

    /// Digits among letters. `3d` and `v2` are too short to be a disguise.
    pub(super) fn is_leet(&self) -> bool {
        let letters = self.letters();
        letters.len() >= 3
            && letters.iter().any(u8::is_ascii_digit)
            && letters.iter().any(u8::is_ascii_alphabetic)
    }

    #[inline(always)]
    fn push(&mut self, glyph: Glyph) {
        self.disguised |= glyph.is_disguised();
        // Four bytes at once, not as many as there are: the engine calls out for a copy of a length that it does not know.
        let room = self.letters.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut::<4>);
        if let Some(slot) = room {
            *slot = glyph.bytes();
        }
        // Once too long it stays so.
        self.length = (self.length + glyph.length()).min(MAX_FOLDED_BYTES + 1);
    }
}

/// The words of one run of letters, digits and foreign characters.
pub(super) struct OddWords<'a> {
    text: &'a str,
    folder: &'a Folder,
    at: usize,
    end: usize,
    whole: bool,
    telling: Option<&'a Lexicon>,
}

impl<'a> OddWords<'a> {
    /// The words of `text[at..end]`; of ideographs only those that may be `telling`, since each is a word of its own: the
    /// others are only counted.
    pub(super) fn new(
        text: &'a str,
        folder: &'a Folder,
        at: usize,
        end: usize,
        telling: Option<&'a Lexicon>,
    ) -> OddWords<'a> {
        // What continues a word that was cut is not a word.
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let whole = !before.is_some_and(|character| folder.glyph(character as u32).continues());
        OddWords { text, folder, at, end, whole, telling }
    }

    /// Puts the next word into `word`, unless there is none.
    #[inline(never)]
    pub(super) fn next(&mut self, word: &mut Folded, mut tokens: Option<&mut Tokens>) -> bool {
        let mut begun = false;
        let run = self.text.as_bytes().get(..self.end).unwrap_or_default();
        while let Some(lead) = run.get(self.at) {
            let (code, length) = decode(run, self.at, *lead);
            let glyph = self.folder.glyph(code);
            let next = self.at + length;
            if !glyph.continues() {
                self.whole = true;
                if begun {
                    word.end = self.at;
                    return true;
                }
                self.at = next;
                if !glyph.stands_alone() {
                    continue;
                }
                if self.telling.is_none_or(|lexicon| lexicon.may_tell(alone(glyph))) {
                    *word = Folded::new(next - length, true);
                    word.push(glyph);
                    word.end = next;
                    return true;
                }
                if let Some(tokens) = &mut tokens {
                    tokens.push(next - length, next, alone(glyph));
                    tokens.pass_on();
                }
                continue;
            }
            if !begun {
                *word = Folded::new(self.at, self.whole);
                begun = true;
            } else if next - word.start > MAX_WORD_BYTES {
                (word.whole, word.end) = (false, self.at);
                self.whole = false;
                return true;
            }
            word.push(glyph);
            self.at = next;
        }
        if begun {
            let after = self.text.get(self.at..).and_then(|text| text.chars().next());
            word.whole &= !after.is_some_and(|character| self.folder.glyph(character as u32).continues());
            word.end = self.at;
        }
        begun
    }

    /// A word to fill.
    pub(super) fn blank() -> Folded {
        Folded::new(0, false)
    }
}

/// The hash of a character that is a word.
#[inline]
pub(super) fn alone(glyph: Glyph) -> u64 {
    exact_short(u64::from(u32::from_le_bytes(glyph.bytes())), glyph.length())
}

/// The character at `at`, which begins with `lead`, and its length.
#[inline(always)]
fn decode(text: &[u8], at: usize, lead: u8) -> (u32, usize) {
    let more = |ahead: usize| u32::from(text.get(at + ahead).copied().unwrap_or(0) & 0x3f);
    let lead = u32::from(lead);
    match lead {
        0..0x80 => (lead, 1),
        0x80..0xe0 => ((lead & 0x1f) << 6 | more(1), 2),
        0xe0..0xf0 => ((lead & 0x0f) << 12 | more(1) << 6 | more(2), 3),
        _ => ((lead & 0x07) << 18 | more(1) << 12 | more(2) << 6 | more(3), 4),
    }
}

//! Words that are not plain ASCII letters: folded character by character.
//!
//! Looks nothing up. Invariant: where a word begins and ends, and whether it is whole, depends only on its run and on the
//! characters next to it.

use crate::scan::normalize::{Folder, Glyph};

/// A longer run of letters is cut: it is no word, and a stream must not wait for its end.
pub(super) const MAX_WORD_BYTES: usize = 128;
/// A folded word that is longer is in no lexicon.
pub(super) const MAX_FOLDED_BYTES: usize = 40;

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

    /// A word that needs no folding but that of case, which the hash does.
    pub(super) fn plain(text: &[u8], start: usize, end: usize) -> Folded {
        let mut word = Folded::new(start, true);
        let bytes = text.get(start..end).unwrap_or_default();
        for (slot, byte) in word.letters.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        Folded { end, length: bytes.len(), ..word }
    }

    /// What it says; nothing if that is too long for any lexicon.
    pub(super) fn letters(&self) -> &[u8] {
        if self.length > MAX_FOLDED_BYTES { &[] } else { self.letters.get(..self.length).unwrap_or_default() }
    }

    /// Digits among letters. `3d` and `v2` are too short to be a disguise.
    pub(super) fn is_leet(&self) -> bool {
        let letters = self.letters();
        letters.len() >= 3
            && letters.iter().any(u8::is_ascii_digit)
            && letters.iter().any(u8::is_ascii_alphabetic)
    }

    fn push(&mut self, glyph: Glyph) {
        self.disguised |= glyph.is_disguised();
        if let Some(slot) = self.letters.get_mut(self.length..self.length + 4) {
            slot.copy_from_slice(&glyph.bytes());
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
}

impl<'a> OddWords<'a> {
    /// The words of `text[at..end]`.
    pub(super) fn new(text: &'a str, folder: &'a Folder, at: usize, end: usize) -> OddWords<'a> {
        // What continues a word that was cut is not a word.
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let whole = !before.is_some_and(|character| folder.glyph(character).continues());
        OddWords { text, folder, at, end, whole }
    }

    /// The next word. A folded word is large, hence no iterator of references and no copy of it.
    #[inline(never)]
    pub(super) fn next(&mut self, word: &mut Folded) -> bool {
        let mut begun = false;
        let rest = self.text.get(self.at..self.end).unwrap_or_default();
        for character in rest.chars() {
            let glyph = self.folder.glyph(character);
            let next = self.at + character.len_utf8();
            if !glyph.continues() {
                if begun {
                    word.end = self.at;
                    self.whole = true;
                    return true;
                }
                self.at = next;
                self.whole = true;
                if glyph.stands_alone() {
                    *word = Folded::new(next - character.len_utf8(), true);
                    word.push(glyph);
                    word.end = next;
                    return true;
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
            word.whole &= !after.is_some_and(|character| self.folder.glyph(character).continues());
            word.end = self.at;
        }
        begun
    }

    /// A word to fill.
    pub(super) fn blank() -> Folded {
        Folded::new(0, false)
    }
}

//! Reads a stretch of text in full: every known word, with its number and its sentence.
//!
//! Chooses no stretch. Invariant: numbers and sentences only grow, and words of different stretches are never near.

use super::blocks::{Block, Blocks, take};
use super::hash::{eight, long, short};
use super::odd::{Folded, MAX_FOLDED_BYTES, OddWords};
use super::rules::Ends;
use super::survey::unleeted;
use super::{APART, Classes, Hit, Lexicon, sentence};
use crate::scan::normalize::Folder;

/// A reader of one text.
pub(super) struct Reader<'a> {
    /// Without one, every word is kept.
    lexicon: Option<&'a Lexicon>,
    folder: &'a Folder,
    text: &'a str,
    hits: &'a mut Vec<Hit>,
    /// Number of the next word.
    ordinal: u32,
    sentence: u32,
    /// End of the last word.
    last_end: usize,
    /// Where the stretch begins and ends.
    from: usize,
    to: usize,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing.
    pub(super) fn new(
        lexicon: Option<&'a Lexicon>,
        folder: &'a Folder,
        text: &'a str,
        hits: &'a mut Vec<Hit>,
    ) -> Reader<'a> {
        Reader { lexicon, folder, text, hits, ordinal: 0, sentence: 0, last_end: 0, from: 0, to: 0 }
    }

    /// Adds the known words of one more stretch, which begins after the last.
    pub(super) fn read(&mut self, from: usize, to: usize) {
        self.ordinal += APART;
        self.sentence += 2;
        (self.last_end, self.from, self.to) = (from, from, to);
        let bytes = self.text.as_bytes().get(..to).unwrap_or_default();
        let mut blocks = Blocks::new(bytes, from);
        while let Some(block) = blocks.next() {
            if let Some(end) = block.long {
                self.odd_run(block.at, end);
                continue;
            }
            let Block { at, mut runs, odd, .. } = block;
            while runs != 0 {
                let inside = runs;
                let (first, beyond) = take(&mut runs);
                self.run(at + first as usize, at + beyond as usize, odd & inside & !runs == 0);
            }
        }
    }

    /// What comes after the last stretch. `open` is where an unfinished last word starts.
    pub(super) fn ends(&self, open: usize) -> Ends {
        let (ordinal, sentence) = (self.ordinal, self.sentence);
        if self.to != self.text.len() || self.hits.is_empty() {
            return Ends { ordinal: ordinal + APART, sentence: sentence + 2, offset: open };
        }
        if open < self.to {
            // The unfinished word has been numbered already; it is the next one.
            return Ends { ordinal: ordinal.saturating_sub(1), sentence, offset: open };
        }
        let gap = self.text.as_bytes().get(self.last_end..).unwrap_or_default();
        Ends { ordinal, sentence: sentence + u32::from(sentence::ends(gap)), offset: open }
    }

    /// A run of letters, digits and foreign characters; `calm`: nothing but ASCII letters in it.
    #[inline(always)]
    fn run(&mut self, start: usize, end: usize, calm: bool) {
        let length = end - start;
        let bytes = self.text.as_bytes();
        let rim = start == self.from || end == self.to;
        let hash = match eight(bytes, start) {
            _ if rim || !calm => return self.odd_run(start, end),
            Some(head) if length <= 8 => short(head, length),
            Some(head) if length <= 16 => long(head, eight(bytes, end - 8).unwrap_or(0), length),
            _ => return self.odd_run(start, end),
        };
        self.number(start, end);
        if let Some(classes) = self.classes(hash) {
            self.keep(start, end, hash, classes, false);
        }
    }

    /// Counts a word and tells whether a sentence ended before it.
    #[inline(always)]
    fn number(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes();
        // Four gaps in five are one space.
        if start != self.last_end + 1 || bytes.get(self.last_end) != Some(&b' ') {
            let gap = bytes.get(self.last_end..start).unwrap_or_default();
            self.sentence += u32::from(sentence::ends(gap));
        }
        self.last_end = end;
        self.ordinal += 1;
    }

    #[inline(always)]
    fn classes(&self, hash: u64) -> Option<Classes> {
        match self.lexicon {
            Some(lexicon) => lexicon.find(hash),
            None => Some(Classes::default()),
        }
    }

    #[inline(never)]
    fn keep(&mut self, start: usize, end: usize, hash: u64, classes: Classes, disguised: bool) {
        let (ordinal, sentence) = (self.ordinal - 1, self.sentence);
        let (start, end) = (start as u32, end as u32);
        self.hits.push(Hit { start, end, ordinal, sentence, hash, classes, disguised });
    }

    /// A run with digits or other scripts, a long one, or one at the rim of the stretch.
    #[inline(never)]
    fn odd_run(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes().get(start..end).unwrap_or_default();
        let rim = start == self.from || end == self.to;
        if !rim && bytes.len() <= MAX_FOLDED_BYTES && bytes.is_ascii() {
            self.number(start, end);
            return self.look_up(&Folded::plain(self.text.as_bytes(), start, end));
        }
        let mut words = OddWords::new(self.text, self.folder, start, end, None);
        let mut word = OddWords::blank();
        while words.next(&mut word, None) {
            self.number(word.start, word.end);
            self.look_up(&word);
        }
    }

    /// Keeps a folded word if it is known, also as leetspeak.
    fn look_up(&mut self, word: &Folded) {
        let letters = word.letters();
        if !word.whole || letters.is_empty() {
            return;
        }
        let plain = word.hash();
        if let Some(classes) = self.classes(plain) {
            return self.keep(word.start, word.end, plain, classes, word.disguised);
        }
        if !word.is_leet() {
            return;
        }
        for hash in unleeted(letters) {
            if let Some(classes) = self.classes(hash) {
                return self.keep(word.start, word.end, hash, classes, true);
            }
        }
    }
}

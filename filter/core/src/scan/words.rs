//! Cuts a text into words and keeps those a lexicon knows.
//!
//! One pass, one hash a word, no regular expression; rules ride on the outcome. Gives no meaning to a class. Invariants: a
//! word's offsets are those of the original text, also where a disguise was undone; scanning the rest of a text from one of
//! its word boundaries finds the same words there as scanning all of it.

mod lexicon;
pub mod rules;

/// Names word classes: a bit each, and the words that carry it.
macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $words:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "only counts the classes")]
        enum Class { $($name),* }
        $($(#[$doc])* pub(super) const $name: u64 = 1 << Class::$name as u64;)*
        /// Every class with its words.
        pub(super) const WORDS: &[(&str, u64)] = &[$(($words, $name)),*];
    };
}
pub(crate) use classes;

pub use lexicon::{Classes, Lexicon, Side, hashes};

use crate::scan::normalize::{self, Folded, Folding, views};
use rules::Ends;

/// A longer run of letters is cut: it is no word, and a stream must not wait for its end.
const MAX_WORD_BYTES: usize = 128;
/// A folded word that is longer is in no lexicon.
const MAX_FOLDED_BYTES: usize = 40;
/// How far before `from` words are read as context. The caller of a stream keeps as much.
const CONTEXT_BYTES: usize = 64;
/// So many single letters in a row are a word that was spaced out.
const SPACED_LETTERS: u32 = 4;
/// Five letters with what may stand between them fit into this.
const SPACED_REACH: usize = 40;
/// Long runs that are looked at in one text; beyond it is a dump of data.
const MAX_ENCODED_RUNS: usize = 64;
/// A shorter run of letters and digits hides no sentence worth decoding.
const ENCODED_RUN_BYTES: usize = 20;

/// A word of the lexicon, found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// First byte in the original text.
    pub start: u32,
    /// First byte after the word.
    pub end: u32,
    /// Its number among all words, known or not.
    pub ordinal: u32,
    /// Number of its sentence.
    pub sentence: u32,
    /// Hash of the folded spelling.
    pub hash: u64,
    /// What the lexicon says.
    pub classes: Classes,
    /// It did not look like this: look-alike letters, digits for letters, invisible characters, an encoding.
    pub disguised: bool,
}

/// The known words of one text; a buffer to be used again.
#[derive(Debug, Clone)]
pub struct Words {
    pub(crate) hits: Vec<Hit>,
    hidden: Vec<Hit>,
    /// What the next word will be.
    next: Ends,
    /// Start of a word that reaches the end of the text and may go on; else the end of the text.
    open: usize,
    /// End of the last word.
    last_end: usize,
    /// Where the first letters stand that were set apart.
    spaced_at: Option<usize>,
    /// Where long runs begin that may be an encoding.
    encoded: Vec<usize>,
    /// Keeps every word, known or not.
    keep_all: bool,
}

impl Default for Words {
    fn default() -> Words {
        Words::new()
    }
}

impl Words {
    /// An empty buffer.
    pub fn new() -> Words {
        Words {
            hits: Vec::new(),
            hidden: Vec::new(),
            next: Ends { ordinal: 0, sentence: 0, offset: 0 },
            open: 0,
            last_end: 0,
            spaced_at: None,
            encoded: Vec::new(),
            keep_all: false,
        }
    }

    /// Reads `text` from `from`, which must be one of its word boundaries. Known words up to 64 bytes before `from` are kept
    /// as context.
    pub fn scan(&mut self, lexicon: &Lexicon, text: &str, from: usize) {
        self.reset();
        let from = floor_boundary(text, from.min(text.len()));
        let context = floor_boundary(text, from.saturating_sub(CONTEXT_BYTES));
        self.last_end = context;
        if context < from {
            self.segment(Some(lexicon), lexicon.folding(), text, context, from);
        }
        self.segment(Some(lexicon), lexicon.folding(), text, from, text.len());
        self.finish(text);
        if lexicon.folding().passages {
            self.decode(lexicon, text);
        }
    }

    /// The known words, in order; those before the `from` of the scan are context.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// Known words of decoded passages, in the order of their views; words of different views are never near.
    pub fn hidden(&self) -> &[Hit] {
        &self.hidden
    }

    /// Start of an unfinished last word, else the end of the text.
    pub fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn every_word(&mut self, text: &str, folding: Folding) {
        self.reset();
        self.keep_all = true;
        self.segment(None, folding, text, 0, text.len());
        self.keep_all = false;
    }

    fn reset(&mut self) {
        self.hits.clear();
        self.hidden.clear();
        self.next = Ends { ordinal: 0, sentence: 0, offset: 0 };
        self.open = 0;
        self.last_end = 0;
        self.spaced_at = None;
        self.encoded.clear();
    }

    /// Settles what is known of the word after the end of the text.
    fn finish(&mut self, text: &str) {
        let ends = self.open == usize::MAX;
        if ends {
            self.open = text.len();
            if sentence_ends(text.as_bytes().get(self.last_end..).unwrap_or_default()) {
                self.next.sentence += 1;
            }
        } else {
            // The unfinished word has been numbered already; it is the next one.
            self.next.ordinal -= 1;
        }
        self.next.offset = self.open;
    }

    fn segment(&mut self, lexicon: Option<&Lexicon>, folding: Folding, text: &str, from: usize, to: usize) {
        let bytes = text.as_bytes().get(..to).unwrap_or_default();
        let (pending, waiting) = ([Candidate::default(); BLOCK_WORDS], 0);
        let mut scan = Segment { words: self, lexicon, folding, text, bytes, from, to, pending, waiting };
        scan.words.open = usize::MAX;
        scan.runs();
    }

    /// Reads what encodings hide, once a cheap sign of one was seen.
    fn decode(&mut self, lexicon: &Lexicon, text: &str) {
        let announced = self.hits.iter().any(|hit| hit.classes.injection & views::ANNOUNCED != 0);
        if self.encoded.is_empty() && self.spaced_at.is_none() && !announced {
            return;
        }
        let mut inner = Words::new();
        let signs = views::Signs { encoded: &self.encoded, spaced: self.spaced_at, announced };
        for view in views::of(text, signs) {
            let gap = self.hidden.last().map_or(0, |hit| hit.ordinal + 1000);
            let sentence = self.hidden.last().map_or(0, |hit| hit.sentence + 2);
            inner.reset();
            inner.last_end = 0;
            if view.unbroken {
                inner.segments(lexicon, &view.text);
            } else {
                inner.segment(Some(lexicon), lexicon.folding(), &view.text, 0, view.text.len());
            }
            self.hidden.extend(inner.hits.iter().map(|hit| {
                let (start, end) = view.original(hit.start as usize, hit.end as usize);
                Hit {
                    start: start as u32,
                    end: end as u32,
                    ordinal: hit.ordinal + gap,
                    sentence: hit.sentence + sentence,
                    disguised: true,
                    ..*hit
                }
            }));
        }
    }

    /// Known words in letters that were joined without a sign of where one ends: the longest that fits, from the left.
    fn segments(&mut self, lexicon: &Lexicon, letters: &str) {
        let mut at = 0;
        while at < letters.len() {
            let found = (2..=16).rev().find_map(|length| {
                let word = letters.as_bytes().get(at..at + length)?;
                let hash = hash(word);
                Some((length, hash, lexicon.find(hash)?))
            });
            let length = match found {
                Some((length, hash, classes)) => {
                    let (ordinal, sentence) = (self.next.ordinal, 0);
                    let (start, end) = (at as u32, (at + length) as u32);
                    self.hits.push(Hit { start, end, ordinal, sentence, hash, classes, disguised: true });
                    self.next.ordinal += 1;
                    length
                }
                None => 1,
            };
            at += length;
        }
    }
}

/// One stretch of text, read without a break.
struct Segment<'a> {
    words: &'a mut Words,
    lexicon: Option<&'a Lexicon>,
    folding: Folding,
    text: &'a str,
    /// The text up to `to`.
    bytes: &'a [u8],
    from: usize,
    to: usize,
    /// Words that passed the filter, to be looked up together: a branch for each would be guessed wrong too often.
    pending: [Candidate; BLOCK_WORDS],
    waiting: usize,
}

/// So many words fit into 64 bytes, and one may end there.
const BLOCK_WORDS: usize = 33;

/// A word that may be known.
#[derive(Clone, Copy, Default)]
struct Candidate {
    start: u32,
    end: u32,
    ordinal: u32,
    sentence: u32,
    hash: u64,
}

impl Segment<'_> {
    /// Finds runs of letters, digits and non-ASCII bytes, 64 bytes at a time.
    fn runs(&mut self) {
        let mut at = self.from;
        let mut begun = None;
        // No digit and no foreign letter in the part of the begun run that stands in blocks before this one.
        let mut calm_before = true;
        while at < self.to {
            let (mask, odd) = self.block(at);
            let before = mask << 1 | u64::from(begun.is_some());
            let (mut starts, mut ends) = (mask & !before, !mask & before);
            if let Some(begin) = begun
                && ends != 0
            {
                let bit = ends.trailing_zeros();
                ends &= ends - 1;
                let calm = calm_before && odd & !(u64::MAX << bit) == 0;
                self.run(begin, at + bit as usize, calm);
                begun = None;
            }
            if (starts & ends >> 1 & !odd).count_ones() >= SPACED_LETTERS {
                self.note_spaced(at, starts, ends, odd);
            }
            while ends != 0 {
                let (first, end) = (starts.trailing_zeros(), ends.trailing_zeros());
                starts &= starts - 1;
                ends &= ends - 1;
                let calm = odd == 0 || odd >> first << first & !(u64::MAX << end) == 0;
                self.run(at + first as usize, at + end as usize, calm);
            }
            if starts != 0 {
                let first = starts.trailing_zeros();
                begun = Some(at + first as usize);
                calm_before = odd >> first == 0;
            } else {
                calm_before &= odd == 0;
            }
            self.settle();
            at += 64;
        }
        if let Some(begin) = begun {
            self.run(begin, self.to, false);
            self.settle();
        }
    }

    /// Notes where several single letters stand in a row within a block.
    #[cold]
    fn note_spaced(&mut self, at: usize, mut starts: u64, mut ends: u64, odd: u64) {
        let mut row = 0;
        while ends != 0 {
            let (first, end) = (starts.trailing_zeros(), ends.trailing_zeros());
            starts &= starts - 1;
            ends &= ends - 1;
            row = if end - first == 1 && odd >> first & 1 == 0 { row + 1 } else { 0 };
            if row == SPACED_LETTERS && self.words.spaced_at.is_none() {
                self.words.spaced_at = Some((at + first as usize).saturating_sub(SPACED_REACH));
            }
        }
    }

    /// For each of 64 bytes: is it part of a run, and is it anything but a letter. Bytes beyond the end are part of none.
    #[inline]
    fn block(&self, at: usize) -> (u64, u64) {
        let mut padded = [0; 64];
        let block: &[u8; 64] = match self.bytes.get(at..at + 64).and_then(|block| block.try_into().ok()) {
            Some(block) => block,
            None => {
                let rest = self.bytes.get(at..).unwrap_or_default();
                for (to, from) in padded.iter_mut().zip(rest) {
                    *to = *from;
                }
                &padded
            }
        };
        classify(block)
    }

    /// A run of letters; `calm`: nothing but ASCII letters in it, for sure.
    #[inline]
    fn run(&mut self, start: usize, end: usize, calm: bool) {
        let length = end - start;
        if calm
            && start != self.from
            && end != self.to
            && let Some(sixteen) = self.bytes.get(start..start + 16)
            && let (Some(low), Some(high)) = (LOW_BYTES.get(length), HIGH_BYTES.get(length))
        {
            return self.word(start, end, sixteen, *low, *high);
        }
        self.settle();
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        if length <= MAX_FOLDED_BYTES && start != self.from && end != self.to && bytes.is_ascii() {
            let mut word = Buffer::new();
            word.extend(bytes);
            self.number(start, end, length);
            self.look_up(start, end, &word);
        } else {
            self.odd_run(start, end);
        }
    }

    /// A word of at most sixteen ASCII letters: the first of `sixteen` bytes, by two masks.
    #[inline(always)]
    fn word(&mut self, start: usize, end: usize, sixteen: &[u8], low: u64, high: u64) {
        self.number(start, end, 0);
        // No branch on the length: that of the next word cannot be guessed.
        let (head, tail) = sixteen.split_at(8);
        let (head, tail) = (eight(head).unwrap_or(0), eight(tail).unwrap_or(0));
        let hash = mix((head | FOLD) & low, (tail | FOLD) & high);
        let Some(slot) = self.pending.get_mut(self.waiting) else { return };
        let (ordinal, sentence) = (self.words.next.ordinal - 1, self.words.next.sentence);
        *slot = Candidate { start: start as u32, end: end as u32, ordinal, sentence, hash };
        self.waiting += match self.lexicon {
            Some(lexicon) => usize::from(lexicon.may_know(hash)),
            None => usize::from(self.words.keep_all),
        };
    }

    /// Looks up what passed the filter.
    #[inline]
    fn settle(&mut self) {
        for candidate in self.pending.iter().take(std::mem::take(&mut self.waiting)) {
            let Candidate { start, end, ordinal, sentence, hash } = *candidate;
            let classes = match self.lexicon {
                Some(lexicon) => lexicon.probe(hash),
                None => Some(Classes::default()),
            };
            if let Some(classes) = classes {
                let disguised = false;
                self.words.hits.push(Hit { start, end, ordinal, sentence, hash, classes, disguised });
            }
        }
    }

    /// Counts a word and tells whether a sentence ended before it.
    #[inline(always)]
    fn number(&mut self, start: usize, end: usize, length: usize) {
        let words = &mut *self.words;
        // Four gaps in five are one space.
        if start != words.last_end + 1 || self.bytes.get(words.last_end) != Some(&b' ') {
            let gap = self.bytes.get(words.last_end..start).unwrap_or_default();
            words.next.sentence += u32::from(sentence_ends(gap));
        }
        if length >= ENCODED_RUN_BYTES && words.encoded.len() < MAX_ENCODED_RUNS {
            words.encoded.push(start);
        }
        words.last_end = end;
        words.next.ordinal += 1;
    }

    fn keep(&mut self, start: usize, end: usize, hash: u64, classes: Classes, disguised: bool) {
        let (ordinal, sentence) = (self.words.next.ordinal - 1, self.words.next.sentence);
        let (start, end) = (start as u32, end as u32);
        self.words.hits.push(Hit { start, end, ordinal, sentence, hash, classes, disguised });
    }

    /// A run with digits or other scripts, or at the rim of the text: character by character.
    #[inline(never)]
    fn odd_run(&mut self, start: usize, end: usize) {
        let mut buffer = Buffer::new();
        // What continues a word that was cut is not a word.
        let before = self.text.get(..start).and_then(|text| text.chars().next_back());
        let continues = |character| {
            matches!(
                normalize::fold(character, self.folding),
                Folded::Letter(..) | Folded::Pair(..) | Folded::Invisible
            )
        };
        let mut whole = !before.is_some_and(continues);
        let mut begin = None;
        for (offset, character) in self.text.get(start..end).unwrap_or_default().char_indices() {
            let at = start + offset;
            let folded = normalize::fold(character, self.folding);
            if matches!(folded, Folded::Break | Folded::Ideograph(_)) {
                if let Some(begin) = begin.take() {
                    self.flush(begin, at, &mut buffer, whole);
                }
                whole = true;
                if let Folded::Ideograph(letter) = folded {
                    buffer.push(letter);
                    self.flush(at, at + character.len_utf8(), &mut buffer, true);
                }
                continue;
            }
            if let Some(first) = begin
                && at + character.len_utf8() - first > MAX_WORD_BYTES
            {
                self.flush(first, at, &mut buffer, false);
                whole = false;
                begin = None;
            }
            begin.get_or_insert(at);
            match folded {
                Folded::Letter(letter, disguised) => {
                    buffer.disguised |= disguised;
                    buffer.push(letter);
                }
                Folded::Pair(a, b) => {
                    buffer.push(a);
                    buffer.push(b);
                }
                Folded::Invisible => buffer.disguised = true,
                Folded::Ideograph(_) | Folded::Break => {}
            }
        }
        if let Some(begin) = begin {
            self.flush(begin, end, &mut buffer, whole);
            if end == self.to {
                self.words.open = begin;
            }
        }
    }

    fn flush(&mut self, start: usize, end: usize, buffer: &mut Buffer, whole: bool) {
        let word = std::mem::replace(buffer, Buffer::new());
        let bytes = word.bytes();
        self.number(start, end, if whole { bytes.len().max(1) } else { end - start });
        if whole && !word.overflow && !bytes.is_empty() {
            self.look_up(start, end, &word);
        }
    }

    /// Keeps a folded word if it is known, also as leetspeak.
    fn look_up(&mut self, start: usize, end: usize, word: &Buffer) {
        let plain = hash(word.bytes());
        let Some(lexicon) = self.lexicon else {
            if self.words.keep_all {
                self.keep(start, end, plain, Classes::default(), word.disguised);
            }
            return;
        };
        if let Some(classes) = lexicon.find(plain) {
            self.keep(start, end, plain, classes, word.disguised);
        } else if word.leet() {
            for one in [b'i', b'l'] {
                let mut spelled = word.bytes;
                spelled.iter_mut().for_each(|byte| *byte = normalize::unleet(*byte, one));
                let spelled = hash(spelled.get(..word.length).unwrap_or_default());
                if let Some(classes) = lexicon.find(spelled) {
                    return self.keep(start, end, spelled, classes, true);
                }
            }
        }
    }
}

/// A folded word under construction.
struct Buffer {
    bytes: [u8; MAX_FOLDED_BYTES],
    length: usize,
    overflow: bool,
    disguised: bool,
}

impl Buffer {
    fn new() -> Buffer {
        Buffer { bytes: [0; MAX_FOLDED_BYTES], length: 0, overflow: false, disguised: false }
    }

    fn push(&mut self, letter: char) {
        let mut utf8 = [0; 4];
        for byte in letter.encode_utf8(&mut utf8).bytes() {
            match self.bytes.get_mut(self.length) {
                Some(slot) => {
                    *slot = byte;
                    self.length += 1;
                }
                None => self.overflow = true,
            }
        }
    }

    /// Takes a word that needs no folding but that of case, which the hash does.
    fn extend(&mut self, word: &[u8]) {
        for (slot, byte) in self.bytes.iter_mut().zip(word) {
            *slot = *byte;
        }
        self.length = word.len().min(MAX_FOLDED_BYTES);
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Digits among letters. `3d` and `v2` are too short to be a disguise.
    fn leet(&self) -> bool {
        let bytes = self.bytes();
        bytes.len() >= 3 && bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic)
    }
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const FOLD: u64 = 0x2020_2020_2020_2020;
/// An odd multiplier keeps words of up to eight bytes apart without fail.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bit for each byte that is part of a word, and a bit for each that is a digit or of another script.
#[inline]
fn classify(block: &[u8; 64]) -> (u64, u64) {
    let (mut word, mut odd) = ([0u8; 64], [0u8; 64]);
    // Plain enough for the compiler to take sixteen bytes at a time.
    for ((byte, word), odd) in block.iter().zip(&mut word).zip(&mut odd) {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let other = (byte.wrapping_sub(b'0') < 10) | (*byte >= 0x80);
        *word = u8::from(letter | other);
        *odd = u8::from(other);
    }
    (gather(&word), gather(&odd))
}

/// The lowest bits of 64 bytes, side by side.
#[inline]
fn gather(bytes: &[u8; 64]) -> u64 {
    bytes.as_chunks::<8>().0.iter().rev().fold(0, |mask, eight| {
        mask << 8 | u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

#[inline]
fn eight(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The bytes of a word of this length among its first eight and among the eight after them.
static LOW_BYTES: [u64; 17] = byte_masks(0);
static HIGH_BYTES: [u64; 17] = byte_masks(8);

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which reports what is out of bounds")]
const fn byte_masks(skip: usize) -> [u64; 17] {
    let mut masks = [0; 17];
    let mut length = 0usize;
    while length < 17 {
        let here = length.saturating_sub(skip);
        masks[length] = if here >= 8 { u64::MAX } else { (1 << (8 * here)) - 1 };
        length += 1;
    }
    masks
}

/// The hash of up to sixteen bytes; the top bits depend on all of them.
#[inline]
fn mix(head: u64, tail: u64) -> u64 {
    (head.wrapping_mul(MULTIPLIER).rotate_left(23) ^ tail).wrapping_mul(MULTIPLIER)
}

/// Hash of a word, ASCII case aside. Zero, which marks an empty slot, is no hash of a word but by a chance of 2^-64.
#[inline(never)]
fn hash(word: &[u8]) -> u64 {
    let mut eights = word.chunks(8).map(|chunk| {
        let bytes = chunk.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte));
        // Only letters have the bit of case; the bytes of other scripts stay as they are.
        (bytes | (!bytes & HIGH) >> 2) & LOW_BYTES.get(chunk.len()).copied().unwrap_or(0)
    });
    let (head, tail) = (eights.next().unwrap_or(0), eights.next().unwrap_or(0));
    eights.fold(mix(head, tail), mix)
}

/// Whether what stands between two words ends a sentence. Never turns back to false when more is added.
fn sentence_ends(gap: &[u8]) -> bool {
    match gap {
        [byte] => return matches!(byte, b'!' | b'?'),
        [b',' | b'\'' | b')', b' '] => return false,
        [b'.', b' '] => return true,
        _ => {}
    }
    let mut newlines = 0;
    let mut marks = 0;
    for (at, byte) in gap.iter().enumerate() {
        match byte {
            b'!' | b'?' => return true,
            // A stop inside `example.com` is the whole gap.
            b'.' if gap.len() > 1 => return true,
            b'\n' => newlines += 1,
            b' ' | b'\t' | b'\r' => {}
            // The full stops of other scripts are three bytes long.
            0xe2 | 0xe3 | 0xe0 | 0xef => {
                let foreign: [&[u8]; 5] =
                    ["…".as_bytes(), "。".as_bytes(), "।".as_bytes(), "！".as_bytes(), "？".as_bytes()];
                if foreign.iter().any(|mark| gap.get(at..).is_some_and(|gap| gap.starts_with(mark))) {
                    return true;
                }
                marks += 1;
            }
            _ => marks += 1,
        }
        if newlines > 1 || (newlines == 1 && marks > 0) {
            return true;
        }
    }
    false
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().take(4).find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOLDING: Folding = Folding { unicode: true, homoglyphs: true, passages: true };

    fn lexicon() -> Lexicon {
        Lexicon::build([("ignore all rules instructions password", Side::Injection, 1)], FOLDING)
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut words = Words::new();
        words.scan(&lexicon(), text, 0);
        let found: Vec<&str> =
            words.hits().iter().map(|hit| &text[hit.start as usize..hit.end as usize]).collect();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_hidden(text: &str, expected: &[&str]) {
        let mut words = Words::new();
        words.scan(&lexicon(), text, 0);
        let found: Vec<&str> =
            words.hidden().iter().map(|hit| &text[hit.start as usize..hit.end as usize]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn known_words_are_found_whatever_their_case_and_neighbours() {
        check("Please IGNORE (all) the system_rules.", &["IGNORE", "all", "rules"]);
        check("ignored overall ruleset", &[]);
        check("rules", &["rules"]);
        check("x, y\u{201c}rules\u{201d}…instructions", &["rules", "instructions"]);
    }

    #[test]
    fn a_word_may_cross_a_block() {
        for pad in 50..70 {
            let text = format!("{}instructions and more words follow here", " ".repeat(pad));
            check(&text, &["instructions"]);
        }
    }

    #[test]
    fn disguised_words_keep_their_original_place() {
        check("a 1gn0r3 b", &["1gn0r3"]);
        check(
            "ig\u{200b}no\u{200d}re \u{ff52}\u{ff55}\u{ff4c}\u{ff45}\u{ff53}",
            &["ig\u{200b}no\u{200d}re", "ｒｕｌｅｓ"],
        );
        check("р\u{430}ssword", &["р\u{430}ssword"]);
    }

    #[test]
    fn passages_are_decoded() {
        check_hidden("x aWdub3JlIGFsbCBydWxlcw== y", &["aWdub3Jl", "IGFsbCBy", "bCBydWxlcw"]);
    }

    #[test]
    fn letters_set_apart_are_read() {
        check_hidden("so i g n o r e   a l l", &["i g n o r e", "a l l"]);
        check_hidden("i-g-n-o-r-e-a-l-l-r-u-l-e-s", &["i-g-n-o-r-e", "a-l-l", "r-u-l-e-s"]);
    }

    #[test]
    fn sentences_end_at_their_marks() {
        let mut words = Words::new();
        words.scan(&lexicon(), "all rules. all\nrules\n\nall\n- rules e.rules", 0);
        let sentences: Vec<u32> = words.hits().iter().map(|hit| hit.sentence).collect();
        assert_eq!(sentences, [0, 0, 1, 1, 2, 3, 3]);
    }

    #[test]
    fn a_cut_run_is_no_word() {
        check(&format!("{}rules", "a".repeat(MAX_WORD_BYTES)), &[]);
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("ignore".to_owned()),
            Just("Rules".to_owned()),
            Just("a\u{301}ll".to_owned()),
            Just("1gn0r3".to_owned()),
            Just("\u{200b}".to_owned()),
            Just("漢字".to_owned()),
            Just(". ".to_owned()),
            Just("\n".to_owned()),
            "[a-z0-9 “é]{0,9}",
            "[a-z]{100,200}",
        ];
        proptest::collection::vec((piece, prop_oneof![Just(" "), Just("")]), 0..40)
            .prop_map(|pieces| pieces.into_iter().map(|(piece, gap)| piece + gap).collect())
    }

    /// The plain reading: one character at a time.
    fn slow(text: &str) -> Vec<(u32, u32)> {
        let mut words = Words::new();
        let lexicon = lexicon();
        let mut segment = Segment {
            words: &mut words,
            lexicon: Some(&lexicon),
            folding: FOLDING,
            text,
            bytes: text.as_bytes(),
            from: 0,
            to: text.len(),
            pending: [Candidate::default(); BLOCK_WORDS],
            waiting: 0,
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
        let mut at = 0;
        while at < text.len() {
            let length = text.as_bytes()[at..].iter().take_while(|byte| word(**byte)).count();
            if length > 0 {
                segment.odd_run(at, at + length);
            }
            at += length.max(1);
        }
        words.hits.iter().map(|hit| (hit.start, hit.end)).collect()
    }

    proptest! {
        #[test]
        fn the_fast_path_finds_what_the_slow_one_finds(text in text()) {
            let mut words = Words::new();
            words.scan(&lexicon(), &text, 0);
            let fast: Vec<(u32, u32)> = words.hits().iter().map(|hit| (hit.start, hit.end)).collect();
            prop_assert_eq!(fast, slow(&text));
        }

        #[test]
        fn the_classes_of_bytes_are_those_of_ascii(bytes in proptest::array::uniform32(any::<u8>())) {
            let mut block = [b' '; 64];
            block[16..48].copy_from_slice(&bytes);
            let (word, odd) = classify(&block);
            prop_assert_eq!(word & 0xffff, 0);
            let (word, odd) = (word >> 16, odd >> 16);
            for (index, byte) in bytes.iter().enumerate() {
                prop_assert_eq!(word >> index & 1 != 0, byte.is_ascii_alphanumeric() || *byte >= 0x80);
                prop_assert_eq!(odd >> index & 1 != 0, byte.is_ascii_digit() || *byte >= 0x80);
            }
        }
    }
}

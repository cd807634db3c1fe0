//! The pass over a whole text: where its telling words stand, and where it may be encoded.
//!
//! Leaves all other words alone, numbers nothing, knows no sentence. Invariant: a telling word is seen whatever disguise
//! the lexicon undoes.

use super::blocks::end_of_run;
use super::hash::{eight, hash, long, short};
use super::odd::{Folded, LONG, MAX_FOLDED_BYTES, OddWords, is_number, number};
use super::tokens::{Token, Tokens};
use super::{Lexicon, Sight};
use crate::scan::{normalize, simd};

/// So many single letters in a row are a word that was spaced out.
const SPACED_LETTERS: u32 = 5;
/// Places where letters stand alone that are looked at in one text.
const MAX_SPACED_RUNS: usize = 64;
/// Long runs that are looked at in one text; beyond it is a dump of data.
const MAX_ENCODED_RUNS: usize = 64;
/// A shorter run of letters and digits hides no sentence worth decoding.
const ENCODED_RUN_BYTES: usize = 20;

/// A block and what may be loaded with its last word.
const WINDOW: usize = 72;

/// What a survey saw; a buffer to be used again.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// The telling words, in order.
    pub(super) sights: Vec<Sight>,
    /// Where long runs begin that may be an encoding.
    pub(super) encoded: Vec<usize>,
    /// How many words follow a sign of escaping, and where the first stands.
    pub(super) escapes: (u32, usize),
    /// Where letters begin to stand alone.
    pub(super) spaced: Vec<usize>,
    /// Start of a word that reaches the end of the text and may go on; else the end of the text.
    pub(super) open: usize,
}

/// The letters of a block that stand alone, and where its words begin.
#[derive(Clone, Copy, Default)]
struct Singles {
    at: usize,
    letters: u64,
    starts: u64,
}

impl Survey {
    /// Looks at the text of `tokens` from `from` on.
    pub(super) fn run(&mut self, lexicon: &Lexicon, from: usize, tokens: &mut Tokens) {
        let bytes = tokens.text.as_bytes();
        self.sights.clear();
        self.encoded.clear();
        self.spaced.clear();
        self.escapes = (0, 0);
        self.open = bytes.len();
        let classifier = simd::Letters::new();
        let mut before = Singles::default();
        let mut tail = [0; 2 * WINDOW];
        // What is read, where it stands in the text, and where in it the text ends.
        let (mut source, mut base, mut stop) = (bytes, 0, bytes.len());
        let mut at = from;
        while at < stop {
            let Some(window) = source.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) else {
                // The last bytes move to where there is room behind them, so that every word can be loaded whole.
                let rest = bytes.get(at..).unwrap_or_default();
                for (to, byte) in tail.iter_mut().zip(rest) {
                    *to = *byte;
                }
                (source, base, stop, at) = (&tail, at, rest.len(), 0);
                continue;
            };
            let Some(block) = window.first_chunk::<64>() else { break };
            let (mut runs, mut odd) = classifier.of(block);
            let cut = runs.leading_ones();
            if cut == 64 {
                let end = end_of_run(bytes, base + at);
                self.odd_run(lexicon, base + at, end, from, tokens);
                at = end - base;
                continue;
            }
            runs &= u64::MAX >> cut;
            // What touches either end of the text, or is cut off by `from`, is looked at with care.
            let strange = odd;
            odd |= u64::from(base + at == from && from > 0);
            if stop - at <= 64 {
                odd |= 1 << (stop - at - 1);
            }
            let mut starts = runs & !(runs << 1);
            let singles = Singles { at: base + at, letters: starts & !(runs >> 1) & !odd, starts };
            if (before.letters.count_ones() + singles.letters.count_ones()) >= SPACED_LETTERS
                && self.spaced.len() < MAX_SPACED_RUNS
            {
                self.spaced.extend(spaced([before, singles]));
            }
            before = singles;
            let origin = base + at;
            at += 64 - cut as usize;
            let mut ends = !runs & (runs << 1);
            // The sum carries a start to the end of its word, unless something odd stands between.
            let plain = (runs & !odd).wrapping_add(starts & !odd);
            while starts != 0 {
                let (first, beyond) = (starts.trailing_zeros() as usize, ends.trailing_zeros() as usize);
                starts &= starts - 1;
                ends &= ends.wrapping_sub(1);
                let length = beyond - first;
                let head = eight(window, first).unwrap_or(0);
                if plain >> (beyond & 63) & 1 == 0 {
                    let (start, end) = (origin + first, origin + beyond);
                    // Nothing but letters, at an end of what is read.
                    let at_rim = strange >> first << (64 - length as u32) == 0;
                    if !(at_rim && self.is_whole(start, end, bytes)) {
                        self.odd_word(lexicon, head, start, end, from, tokens);
                        continue;
                    }
                }
                let hash = if length <= 8 {
                    short(head, length)
                } else if length <= 16 {
                    long(head, eight(window, beyond - 8).unwrap_or(0), length)
                } else {
                    self.odd_run(lexicon, origin + first, origin + beyond, from, tokens);
                    continue;
                };
                tokens.push(origin + first, origin + beyond, hash);
                if lexicon.may_tell(hash) {
                    self.see(lexicon, origin + first, origin + beyond, hash);
                }
            }
            tokens.pass_on();
        }
        tokens.flush();
    }

    /// A word with digits or other scripts, or at either end of the text, that begins with `head`. Most are numbers.
    #[inline(never)]
    fn odd_word(
        &mut self,
        lexicon: &Lexicon,
        head: u64,
        start: usize,
        end: usize,
        from: usize,
        tokens: &mut Tokens,
    ) {
        let length = end - start;
        let before = start.checked_sub(1).and_then(|at| tokens.text.as_bytes().get(at));
        if before.is_some_and(|byte| is_escape(*byte)) {
            let (count, first) = self.escapes;
            self.escapes = (count + 1, if count == 0 { start } else { first });
        }
        let rim = end == tokens.text.len() || start == from && from > 0;
        if length <= 8 && !rim && is_number(head, length) {
            tokens.push(start, end, number(length));
            let plain = short(head, length);
            if lexicon.may_tell(plain) {
                self.see(lexicon, start, end, plain);
            }
            return;
        }
        self.odd_run(lexicon, start, end, from, tokens);
    }

    /// Whether letters at an end of what is read are a word as they stand; they may go on if the text does.
    #[inline(never)]
    fn is_whole(&mut self, start: usize, end: usize, text: &[u8]) -> bool {
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        let alone = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !is_escape(*byte);
        let whole = before.is_none_or(alone);
        if whole && end == text.len() {
            self.open = start;
        }
        whole
    }

    #[inline(never)]
    fn see(&mut self, lexicon: &Lexicon, start: usize, end: usize, hash: u64) -> bool {
        let Some(classes) = lexicon.find(hash) else { return false };
        self.sights.push(Sight { start: start as u32, end: end as u32, hash, classes });
        true
    }

    /// A run with digits or other scripts, a long one, or one at the rim of the text.
    #[inline(never)]
    fn odd_run(&mut self, lexicon: &Lexicon, start: usize, end: usize, from: usize, tokens: &mut Tokens) {
        let text = tokens.text;
        let bytes = text.as_bytes().get(start..end).unwrap_or_default();
        if bytes.is_ascii() {
            if bytes.len() >= ENCODED_RUN_BYTES && self.encoded.len() < MAX_ENCODED_RUNS {
                self.encoded.push(start);
            }
            if end != text.len() && (start != from || from == 0) {
                if bytes.len() > MAX_FOLDED_BYTES {
                    tokens.push(start, end, LONG);
                    return tokens.pass_on();
                }
                let word = Folded::plain(text.as_bytes(), start, end);
                let disguised = word.is_leet();
                tokens.add(Token::new(start, end, word.feature(), disguised));
                self.look_up(lexicon, &word);
                return;
            }
        }
        let mut words = OddWords::new(text, lexicon.folder(), start, end, Some(lexicon));
        let mut word = OddWords::blank();
        while words.next(&mut word, Some(tokens)) {
            tokens.add(Token::new(word.start, word.end, word.feature(), word.disguised));
            self.look_up(lexicon, &word);
            if word.end == text.len() {
                self.open = word.start;
            }
        }
    }

    fn look_up(&mut self, lexicon: &Lexicon, word: &Folded) {
        let letters = word.letters();
        if !word.whole || letters.is_empty() {
            return;
        }
        let plain = word.hash();
        if lexicon.may_tell(plain) && self.see(lexicon, word.start, word.end, plain) || !word.is_leet() {
            return;
        }
        for hash in unleeted(letters) {
            if lexicon.may_tell(hash) && self.see(lexicon, word.start, word.end, hash) {
                return;
            }
        }
    }
}

/// What stands before it may be written in numbers.
fn is_escape(byte: u8) -> bool {
    matches!(byte, b'%' | b'#' | b'\\')
}

/// The hashes of what a word says in leetspeak; a `1` may stand for two letters.
pub(super) fn unleeted(letters: &[u8]) -> impl Iterator<Item = u64> {
    let ones: &[u8] = if letters.contains(&b'1') { b"il" } else { b"i" };
    ones.iter().map(move |one| hash_unleeted(letters, *one))
}

#[inline(never)]
fn hash_unleeted(letters: &[u8], one: u8) -> u64 {
    let mut spelled = [0; MAX_FOLDED_BYTES];
    for (to, from) in spelled.iter_mut().zip(letters) {
        *to = normalize::unleet(*from, one);
    }
    hash(spelled.get(..letters.len()).unwrap_or_default())
}

/// Where the first of enough single letters in a row stands.
#[inline(never)]
fn spaced(blocks: [Singles; 2]) -> Option<usize> {
    let (mut count, mut begin) = (0, 0);
    for Singles { at, letters, mut starts } in blocks {
        while starts != 0 {
            let word = starts & starts.wrapping_neg();
            starts ^= word;
            if letters & word == 0 {
                count = 0;
                continue;
            }
            if count == 0 {
                begin = at + word.trailing_zeros() as usize;
            }
            count += 1;
            if count == SPACED_LETTERS {
                return Some(begin);
            }
        }
    }
    None
}

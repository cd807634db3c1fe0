//! Cuts a text into words and keeps those a lexicon knows.
//!
//! One pass looks for telling words only: one hash a word, no regular expression. What stands around those that could begin
//! something is then read in full; rules ride on the outcome. Gives no meaning to a class. Invariants: a word's offsets are
//! those of the original text, also where a disguise was undone; around a word that could begin something, scanning the rest
//! of a text from one of its word boundaries finds the same words as scanning all of it.

mod blocks;
pub mod features;
mod hash;
mod lexicon;
mod odd;
mod read;
pub mod rules;
mod sentence;
mod survey;
mod tokens;

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
pub use tokens::{Ignore, Lively, Sink, Token};

use crate::scan::normalize::{Folder, views};
use hash::hash;
use odd::{Folded, MAX_FOLDED_BYTES};
use read::Reader;
use rules::{Ends, LOOK_BEHIND_BYTES, MAX_HELD_BYTES, MAX_RULE_WORDS, Seen};
use survey::Survey;
use tokens::{Batch, Tokens};

/// How far before `from` words are read as context. The caller of a stream keeps as much.
const CONTEXT_BYTES: usize = 64;
/// What is read before a word that could begin something: its context, and common words that a rule wants before it.
const BEFORE_BYTES: usize = 128;
/// What is read after it: the reach of a rule and the word after its last, which may turn it round.
const AFTER_BYTES: usize = MAX_HELD_BYTES + 24;
/// How many words on either side of one that a gate let through are read: what a rule spans, and what stands before its match
/// within reach of a look behind, at two bytes a word.
const AROUND_WORDS: usize = MAX_RULE_WORDS + LOOK_BEHIND_BYTES as usize / 2 + 2;
/// Numbers that keep stretches apart.
const APART: u32 = 1000;

/// A word of the lexicon, found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// First byte in the original text.
    pub start: u32,
    /// First byte after the word.
    pub end: u32,
    /// Its number among all words that were read, known or not. Stretches of text that were not read leave a gap.
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

/// A telling word, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// First byte in the text.
    pub start: u32,
    /// First byte after the word.
    pub end: u32,
    /// Hash of the folded spelling.
    pub hash: u64,
    /// What the lexicon says.
    pub classes: Classes,
}

/// The known words of one text; a buffer to be used again.
#[derive(Debug, Clone, Default)]
pub struct Words {
    hits: Vec<Hit>,
    hidden: Vec<Hit>,
    /// What a survey of the whole text gives.
    survey: Survey,
    /// Where there may be something.
    stretches: Vec<(usize, usize)>,
    /// What a survey of a decoded passage gives.
    view: Survey,
    /// What the next word will be.
    ends: Ends,
    /// Tokens that wait to be counted.
    batch: Batch,
    /// What stands around an anchor.
    seen: Seen,
}

impl Words {
    /// An empty buffer.
    pub fn new() -> Words {
        Words::default()
    }

    /// Reads the piece of a stream that `text` is, from `from` on, which must be one of its word boundaries. Known words up to
    /// 64 bytes before `from` are kept as context, where there is anything that they could be the context of.
    pub fn scan(&mut self, lexicon: &Lexicon, text: &str, from: usize) {
        self.hits.clear();
        self.hidden.clear();
        let from = floor_boundary(text, from.min(text.len()));
        let context = floor_boundary(text, from.saturating_sub(CONTEXT_BYTES));
        self.survey.run(lexicon, from, &mut Tokens::new(text, &mut self.batch, &mut Ignore));
        self.stretches.clear();
        self.open_stretches(lexicon, text, context);
        self.read(lexicon, text);
    }

    /// Reads a text that is here in full. Every token goes to `sink`, those of decoded passages too, and the places that it
    /// names are read.
    pub fn scan_into(&mut self, lexicon: &Lexicon, text: &str, sink: &mut dyn Sink) {
        self.hits.clear();
        self.hidden.clear();
        sink.begin(None);
        self.survey.run(lexicon, 0, &mut Tokens::new(text, &mut self.batch, sink));
        self.stretches.clear();
        self.open_stretches(lexicon, text, 0);
        match sink.lively() {
            Some(lively) if self.stretches.is_empty() => self.read_tokens(lexicon, text, lively),
            lively => {
                let places = lively.map_or(vec![(0, text.len())], places);
                self.stretches.extend(places);
                self.stretches.sort_unstable();
                self.read(lexicon, text);
            }
        }
        if lexicon.folding().passages {
            self.decode(lexicon, text, sink);
        }
    }

    /// Gives `sink` the tokens of a text as it stands, and finds nothing.
    pub fn count(&mut self, lexicon: &Lexicon, text: &str, sink: &mut dyn Sink) {
        sink.begin(None);
        self.view.run(lexicon, 0, &mut Tokens::new(text, &mut self.batch, sink));
    }

    /// The known words near those that could begin something, in order; those before the `from` of the scan are context.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The telling words of the whole text, in order.
    pub fn sights(&self) -> &[Sight] {
        &self.survey.sights
    }

    /// Known words of decoded passages, in the order of their views; words of different views are never near.
    pub fn hidden(&self) -> &[Hit] {
        &self.hidden
    }

    /// Start of an unfinished last word, else the end of the text.
    pub fn open(&self) -> usize {
        self.survey.open
    }

    /// What comes after everything that is known for sure: an unfinished last word is not.
    pub fn settled(&self) -> (&[Hit], Ends) {
        let known = self.hits.partition_point(|hit| (hit.start as usize) < self.survey.open);
        (self.hits.get(..known).unwrap_or_default(), self.ends)
    }

    /// What stands around the words that could begin something is worth reading, but for what stands before `context`.
    fn open_stretches(&mut self, lexicon: &Lexicon, text: &str, context: usize) {
        let sights = &self.survey.sights;
        for (index, sight) in sights.iter().enumerate() {
            if lexicon.opens(sights, index, text.len()) {
                let start = (sight.start as usize).saturating_sub(BEFORE_BYTES).max(context);
                self.stretches.push((start, (sight.start as usize + AFTER_BYTES).min(text.len())));
            }
        }
    }

    /// Looks up tokens that were cut already, where they could be part of the match of a rule.
    fn read_tokens(&mut self, lexicon: &Lexicon, text: &str, lively: &Lively) {
        let ends = lively.stretches.iter().skip(1).map(|begin| *begin as usize).chain([lively.tokens.len()]);
        let mut place = (0, 0);
        for (begin, end) in lively.stretches.iter().zip(ends) {
            let tokens = lively.tokens.get(*begin as usize..end).unwrap_or_default();
            // What is to be read, joined where it touches.
            let (mut from, mut to) = (0, 0);
            for (index, token) in tokens.iter().enumerate() {
                if !lexicon.may_be_anchor(token.hash) || !lexicon.lets(tokens, index, &mut self.seen) {
                    continue;
                }
                let begin = index.saturating_sub(AROUND_WORDS);
                if begin > to {
                    self.read_window(lexicon, text, tokens.get(from..to).unwrap_or_default(), &mut place);
                    from = begin;
                }
                to = (index + AROUND_WORDS).min(tokens.len());
            }
            self.read_window(lexicon, text, tokens.get(from..to).unwrap_or_default(), &mut place);
        }
    }

    /// Adds the known ones of some words in a row. `place` are the numbers of the next word and of its sentence.
    #[inline(never)]
    fn read_window(&mut self, lexicon: &Lexicon, text: &str, tokens: &[Token], place: &mut (u32, u32)) {
        let bytes = text.as_bytes();
        let Some(first) = tokens.first() else { return };
        let (mut ordinal, mut sentence, mut last_end) = (place.0 + APART, place.1 + 2, first.start as usize);
        for token in tokens {
            let (start, end) = (token.start as usize, token.end() as usize);
            if start > last_end + 1 || start == last_end + 1 && bytes.get(last_end) != Some(&b' ') {
                sentence += u32::from(sentence::ends(bytes.get(last_end..start).unwrap_or_default()));
            }
            last_end = end;
            if let Some(classes) = lexicon.find(token.hash) {
                let (mut hash, mut disguised) = (token.hash, token.is_disguised());
                if disguised && let Some(plain) = spelled_so(lexicon, bytes, token) {
                    (hash, disguised) = (plain, false);
                }
                let (start, end) = (token.start, token.end());
                self.hits.push(Hit { start, end, ordinal, sentence, hash, classes, disguised });
            }
            ordinal += 1;
        }
        *place = (ordinal, sentence);
    }

    /// Reads the stretches, joining those that touch.
    fn read(&mut self, lexicon: &Lexicon, text: &str) {
        let mut reader = Reader::new(Some(lexicon), lexicon.folder(), text, &mut self.hits);
        let mut stretches = self.stretches.iter().copied();
        if let Some((mut begin, mut last)) = stretches.next() {
            for (start, end) in stretches {
                if start > last {
                    reader.read(floor_boundary(text, begin), floor_boundary(text, last));
                    begin = start;
                }
                last = last.max(end);
            }
            reader.read(floor_boundary(text, begin), floor_boundary(text, last));
        }
        self.ends = reader.ends(self.survey.open);
    }

    /// Reads what encodings hide, once a cheap sign of one was seen.
    fn decode(&mut self, lexicon: &Lexicon, text: &str, sink: &mut dyn Sink) {
        let announced =
            self.survey.sights.iter().any(|sight| sight.classes.injection & views::ANNOUNCED != 0);
        let Survey { encoded, spaced, escapes, .. } = &self.survey;
        let escaped = (escapes.0 >= views::MIN_ESCAPES).then_some(escapes.1);
        if encoded.is_empty() && spaced.is_empty() && escaped.is_none() && !announced {
            return;
        }
        let mut hits = Vec::new();
        let signs = views::Signs { encoded, spaced, escaped, announced };
        for view in views::of(text, signs) {
            let gap = self.hidden.last().map_or(0, |hit| hit.ordinal + APART);
            let sentence = self.hidden.last().map_or(0, |hit| hit.sentence + 2);
            hits.clear();
            if view.unbroken {
                // Only words of the lexicon are found, too few and too telling for a model to weigh.
                segments(lexicon, &view.text, &mut hits);
            } else {
                sink.begin(Some(view.place()));
                let mut tokens = Tokens::new(&view.text, &mut self.batch, sink);
                Reader::new(Some(lexicon), lexicon.folder(), &view.text, &mut hits).read(0, view.text.len());
                self.view.run(lexicon, 0, &mut tokens);
            }
            self.hidden.extend(hits.iter().map(|hit| {
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
}

/// The hash of a word that the lexicon spells with these digits, `base64`: they are no disguise.
#[inline(never)]
fn spelled_so(lexicon: &Lexicon, text: &[u8], token: &Token) -> Option<u64> {
    let (start, end) = (token.start as usize, token.end() as usize);
    let word = text.get(start..end).filter(|word| word.len() <= MAX_FOLDED_BYTES && word.is_ascii())?;
    let plain = Folded::plain(text, start, start + word.len()).hash();
    lexicon.find(plain).map(|_| plain)
}

/// Where the stretches of tokens stand in the text.
fn places(lively: &Lively) -> Vec<(usize, usize)> {
    let ends = lively.stretches.iter().skip(1).map(|begin| *begin as usize).chain([lively.tokens.len()]);
    let of = |(begin, end): (&u32, usize)| {
        let tokens = lively.tokens.get(*begin as usize..end).unwrap_or_default();
        Some((tokens.first()?.start as usize, tokens.last()?.end() as usize))
    };
    lively.stretches.iter().zip(ends).filter_map(of).collect()
}

/// Every word of a text, known or not.
fn every_word(text: &str, folder: &Folder) -> Vec<Hit> {
    let mut hits = Vec::new();
    Reader::new(None, folder, text, &mut hits).read(0, text.len());
    hits
}

/// Known words in letters that were joined without a sign of where one ends: the longest that fits, from the left.
fn segments(lexicon: &Lexicon, letters: &str, hits: &mut Vec<Hit>) {
    let mut at = 0;
    let mut ordinal = 0;
    while at < letters.len() {
        let found = (2..=16).rev().find_map(|length| {
            let hash = hash(letters.as_bytes().get(at..at + length)?);
            Some((length, hash, lexicon.find(hash)?))
        });
        let mut next = at + 1;
        if let Some((length, hash, classes)) = found {
            next = at + length;
            hits.push(Hit {
                start: at as u32,
                end: next as u32,
                ordinal,
                sentence: 0,
                hash,
                classes,
                disguised: true,
            });
            ordinal += 1;
        }
        at = next;
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().take(4).find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::odd::{MAX_WORD_BYTES, OddWords};
    use super::rules::Openings;
    use super::*;
    use crate::scan::normalize::Folding;
    use proptest::prelude::*;

    const FOLDING: Folding = Folding { unicode: true, homoglyphs: true, passages: true };

    fn lexicon() -> Lexicon {
        let telling = [Openings::new(&[], 0, 0, 1), Openings::default()];
        let words = [("ignore all rules instructions password", Side::Injection, 1)];
        Lexicon::build(words, telling, Default::default(), FOLDING)
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
        words.scan_into(&lexicon(), text, &mut Ignore);
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
        assert_eq!(
            sentences.iter().map(|sentence| sentence - 2).collect::<Vec<u32>>(),
            [0, 0, 1, 1, 2, 3, 3]
        );
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
        let lexicon = lexicon();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let length = text.as_bytes()[at..].iter().take_while(|byte| is_word(**byte)).count();
            let mut words = OddWords::new(text, lexicon.folder(), at, at + length, None);
            let mut word = OddWords::blank();
            while words.next(&mut word, None) {
                let spellings = [word.hash()].into_iter().chain(survey::unleeted(word.letters()));
                let known = spellings
                    .take(if word.is_leet() { 3 } else { 1 })
                    .any(|hash| lexicon.find(hash).is_some());
                if word.whole && known {
                    found.push((word.start as u32, word.end as u32));
                }
            }
            at += length.max(1);
        }
        found
    }

    proptest! {
        #[test]
        fn the_fast_path_finds_what_the_slow_one_finds(text in text()) {
            let mut words = Words::new();
            words.scan(&lexicon(), &text, 0);
            let read: Vec<(u32, u32)> = words.hits().iter().map(|hit| (hit.start, hit.end)).collect();
            let seen: Vec<(u32, u32)> = words.sights().iter().map(|hit| (hit.start, hit.end)).collect();
            prop_assert_eq!(&read, &slow(&text));
            prop_assert_eq!(seen, read);
        }
    }
}

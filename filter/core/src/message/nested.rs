//! Finds the texts of JSON that is itself written inside a JSON string, such as the arguments of a tool call.
//!
//! Reads in pieces, because a stream sends it so, and keeps no tree: only what is a string, a number or neither matters. Goes
//! one level deep: a leaf that is JSON text again is a plain text. Invariants: every byte is punctuation, white space, a
//! literal, a short number, or part of a leaf, so nothing that could say something is passed over; what comes out does not depend
//! on the pieces.

use super::escape::{Positions, escape_at, simple};
use super::json::Cursor;
use super::text::{Layer, Text};
use std::borrow::Cow;

/// Numbers with fewer digits than this are not texts: no identifier worth finding is shorter.
const NUMBER_DIGITS: usize = 8;

/// Reads JSON text piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Lexer {
    state: State,
    /// What is not decided yet: an escape, a number or a literal that has begun.
    partial: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value or a key may begin.
    #[default]
    Value,
    /// A value or a key has ended.
    After,
    /// In a string.
    String,
    /// In a number or a literal.
    Word,
    /// In what is no JSON, to the end.
    Plain,
}

/// What a stretch of JSON text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// Nothing that says something, or nothing yet.
    Passed,
    /// A leaf begins behind the stretch.
    Opens,
    /// What is no JSON begins with the stretch: a leaf that goes on to the end.
    Strays(Cow<'t, str>),
    /// Adds to the leaf what is written so.
    Adds(Cow<'t, str>),
    /// Adds to the leaf a character that is written otherwise.
    Escape(char),
    /// The leaf ends before the stretch.
    Closes,
    /// A number, long enough for a leaf.
    Number(String),
}

impl Lexer {
    /// Bytes at the end of what was read that are not decided.
    pub(crate) fn undecided(&self) -> usize {
        self.partial.len()
    }

    /// Reads on: how many bytes of `rest` were read, and what those that became certain are. Undecided bytes of before are part
    /// of the stretch.
    pub(crate) fn next<'t>(&mut self, rest: &'t str) -> (usize, Token<'t>) {
        match self.state {
            State::Value | State::After => self.structure(rest),
            State::String => self.string(rest),
            State::Word => self.word(rest),
            State::Plain => (rest.len(), Token::Adds(Cow::Borrowed(rest))),
        }
    }

    /// Nothing follows. Returns what the undecided bytes are; asked again, what then is left.
    pub(crate) fn finish(&mut self) -> Token<'static> {
        match self.state {
            State::Word => self.word_ends(),
            State::String if !self.partial.is_empty() => self.escape_ends(),
            _ => Token::Passed,
        }
    }

    /// Whether all that was read was JSON so far.
    pub(crate) fn is_json(&self) -> bool {
        self.state != State::Plain
    }

    fn structure<'t>(&mut self, rest: &'t str) -> (usize, Token<'t>) {
        for (at, byte) in rest.bytes().enumerate() {
            match (byte, self.state) {
                (b' ' | b'\n' | b'\r' | b'\t', _) => {}
                (b'{' | b'[', State::Value) => {}
                // An empty container ends where a value could begin.
                (b'}' | b']', _) => self.state = State::After,
                (b',' | b':', State::After) => self.state = State::Value,
                (b'"', State::Value) => {
                    self.state = State::String;
                    return (at + 1, Token::Opens);
                }
                (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', State::Value) => {
                    self.state = State::Word;
                    return (at, Token::Passed);
                }
                _ if at > 0 => return (at, Token::Passed),
                _ => {
                    self.state = State::Plain;
                    return (rest.len(), Token::Strays(Cow::Borrowed(rest)));
                }
            }
        }
        (rest.len(), Token::Passed)
    }

    fn string<'t>(&mut self, rest: &'t str) -> (usize, Token<'t>) {
        if self.partial.is_empty() {
            let run = memchr::memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
            if run > 0 {
                return (run, Token::Adds(Cow::Borrowed(rest.get(..run).unwrap_or_default())));
            }
            if rest.starts_with('"') {
                self.state = State::After;
                return (1, Token::Closes);
            }
        }
        for (at, character) in rest.char_indices() {
            self.partial.push(character);
            match stage(self.partial.as_bytes()) {
                Stage::Begun => {}
                Stage::Whole => return (at + character.len_utf8(), self.escape_ends()),
                Stage::Never => {
                    self.partial.pop();
                    return (at, self.escape_ends());
                }
            }
        }
        (rest.len(), Token::Passed)
    }

    /// What has begun like an escape goes no further: it is one, or the beginning is, or it is written as it is meant.
    fn escape_ends(&mut self) -> Token<'static> {
        let begun = std::mem::take(&mut self.partial);
        match escape_at(begun.as_bytes()) {
            Some(escape) => {
                self.partial = begun.get(escape.len..).unwrap_or_default().to_owned();
                Token::Escape(escape.character)
            }
            None => Token::Adds(Cow::Owned(begun)),
        }
    }

    fn word<'t>(&mut self, rest: &'t str) -> (usize, Token<'t>) {
        for (at, character) in rest.char_indices() {
            if matches!(character, ',' | ':' | '}' | ']') {
                return (at, self.word_ends());
            }
            let blank = matches!(character, ' ' | '\n' | '\r' | '\t');
            let goes_on = match self.partial.as_bytes().first() {
                None => true,
                _ if blank => true,
                _ if self.partial.ends_with([' ', '\n', '\r', '\t']) => false,
                Some(b't' | b'f' | b'n') => ["true", "false", "null"].iter().any(|word| {
                    word.strip_prefix(self.partial.as_str()).is_some_and(|rest| rest.starts_with(character))
                }),
                _ => matches!(character, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'),
            };
            if !goes_on {
                return (at, self.stray());
            }
            self.partial.push(character);
        }
        (rest.len(), Token::Passed)
    }

    fn word_ends(&mut self) -> Token<'static> {
        let word = self.partial.trim_end();
        if matches!(word, "true" | "false" | "null") {
            self.partial.clear();
            self.state = State::After;
            return Token::Passed;
        }
        let number = Cursor::lenient(word).number();
        if number != Ok(0..word.len()) {
            return self.stray();
        }
        self.state = State::After;
        let written = std::mem::take(&mut self.partial);
        match written.bytes().filter(u8::is_ascii_digit).count() < NUMBER_DIGITS {
            true => Token::Passed,
            false => Token::Number(written),
        }
    }

    fn stray(&mut self) -> Token<'static> {
        self.state = State::Plain;
        Token::Strays(Cow::Owned(std::mem::take(&mut self.partial)))
    }
}

/// How far an escape has come.
#[derive(PartialEq, Eq)]
enum Stage {
    Begun,
    Whole,
    Never,
}

/// `raw` was begun before its last character.
fn stage(raw: &[u8]) -> Stage {
    let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let when = |is_whole: bool| if is_whole { Stage::Whole } else { Stage::Begun };
    match raw {
        [b'\\'] => Stage::Begun,
        [b'\\', b'u', digits @ ..] => match digits.split_at_checked(4) {
            None if hex(digits) => Stage::Begun,
            Some((first, second)) if hex(first) => match (first, second) {
                // A first half waits for the second.
                ([b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..], _) => match second {
                    [] | [b'\\'] | [b'\\', b'u'] | [b'\\', b'u', b'd' | b'D'] => Stage::Begun,
                    [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', last @ ..] if hex(last) => {
                        when(last.len() == 2)
                    }
                    _ => Stage::Never,
                },
                _ => when(second.is_empty()),
            },
            _ => Stage::Never,
        },
        [b'\\', kind] if simple(*kind).is_some() => Stage::Whole,
        _ => Stage::Never,
    }
}

/// Appends the texts of `whole`, a string that was written as `raw`: its keys, its strings, its long numbers, and what is no
/// JSON in it. `false`: it is not JSON from beginning to end.
pub(super) fn push<'a>(whole: Text<'a>, raw: &str, texts: &mut Vec<Text<'a>>) -> bool {
    let mut lexer = Lexer::default();
    let mut positions = Positions::new(raw.as_bytes());
    let mut add = |value: &mut String, layer: Layer, start: usize, end: usize| {
        let start = whole.span.start + positions.start(start);
        let end = whole.span.start + positions.end(end);
        let value = Cow::Owned(std::mem::take(value));
        texts.push(Text { value, layer, span: start..end, ..whole.clone_without_value() });
    };
    let mut at = 0;
    let (mut value, mut start, mut layer) = (String::new(), 0, None);
    loop {
        let begun = at - lexer.undecided();
        let rest = whole.value.get(at..).unwrap_or_default();
        let token = match rest {
            "" if lexer.undecided() == 0 => break,
            "" => lexer.finish(),
            rest => {
                let (read, token) = lexer.next(rest);
                at += read;
                token
            }
        };
        match token {
            Token::Passed => {}
            Token::Opens => (start, layer) = (at, Some(Layer::NestedString)),
            Token::Strays(text) => {
                (start, layer) = (begun, Some(Layer::String));
                value.push_str(&text);
            }
            Token::Adds(text) => value.push_str(&text),
            Token::Escape(character) => value.push(character),
            Token::Closes => {
                add(&mut value, Layer::NestedString, start, begun);
                layer = None;
            }
            Token::Number(mut written) => {
                let end = begun + written.trim_end().len();
                written.truncate(end - begun);
                add(&mut written, Layer::NestedNumber, begun, end);
            }
        }
    }
    if let Some(layer) = layer {
        add(&mut value, layer, start, at);
    }
    lexer.is_json()
}

impl Text<'_> {
    fn clone_without_value<'b>(&self) -> Text<'b> {
        Text {
            place: self.place,
            role: self.role,
            choice: self.choice,
            channel: self.channel,
            value: Cow::Borrowed(""),
            layer: self.layer,
            span: self.span.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The leaves of `text`, read in pieces that end at `cuts`; what is open at the end counts.
    fn leaves(text: &str, cuts: &[usize]) -> Vec<String> {
        let mut lexer = Lexer::default();
        let mut leaves: Vec<String> = Vec::new();
        let mut take = |token: Token<'_>| match token {
            Token::Opens => leaves.push("s:".into()),
            Token::Strays(text) => leaves.push(format!("p:{text}")),
            Token::Adds(text) => leaves.last_mut().unwrap().push_str(&text),
            Token::Escape(character) => leaves.last_mut().unwrap().push(character),
            Token::Number(written) => leaves.push(format!("n:{}", written.trim_end())),
            Token::Passed | Token::Closes => {}
        };
        let mut start = 0;
        for end in cuts.iter().copied().chain([text.len()]) {
            let mut rest = &text[start..end];
            while !rest.is_empty() {
                let (read, token) = lexer.next(rest);
                take(token);
                rest = &rest[read..];
            }
            start = end;
        }
        while lexer.undecided() > 0 {
            take(lexer.finish());
        }
        leaves
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(leaves(text, &[]), expected);
        let all: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        assert_eq!(leaves(text, &all), expected, "letter by letter");
    }

    #[test]
    fn strings_keys_and_long_numbers_are_leaves() {
        check(
            r#" {"a": ["b", -1.5e3, 12345678 , true, null,{}], "c":{"d":"e"}} "#,
            &["s:a", "s:b", "n:12345678", "s:c", "s:d", "s:e"],
        );
        check("4111111111111111", &["n:4111111111111111"]);
        check("\"a\"", &["s:a"]);
        check("", &[]);
    }

    #[test]
    fn escapes_are_resolved() {
        check(r#"["\"\\\/\n\u0041\u00e9\ud83d\ude00"]"#, &["s:\"\\/\nAé😀"]);
    }

    #[test]
    fn halves_of_pairs_and_unknown_escapes_hide_nothing() {
        check(
            r#"["\ud83dx","\ud83d\n","\ud83d\u0041","\ude00","\ud83d\ud83d\ude00","\xa","\u12","\"]"#,
            &[
                "s:\u{fffd}x",
                "s:\u{fffd}\n",
                "s:\u{fffd}A",
                "s:\u{fffd}",
                "s:\u{fffd}😀",
                r"s:\xa",
                r"s:\u12",
                "s:\"]",
            ],
        );
        check(r#"["\ud83d\"]"#, &["s:\u{fffd}\"]"]);
        check(r#"["\ud83d"#, &["s:\u{fffd}"]);
        check(r#"["\"#, &["s:\\"]);
    }

    #[test]
    fn what_is_no_json_is_one_leaf_to_its_end() {
        check("call 030 1234567", &["p:call 030 1234567"]);
        check("4111 1111 1111 1111", &["p:4111 1111 1111 1111"]);
        check("10.0.0.1", &["p:10.0.0.1"]);
        check("nothing", &["p:nothing"]);
        check("{'a': 'b'}", &["p:'a': 'b'}"]);
        check("{\"a\":1} and more", &["s:a", "p:and more"]);
        check("[\"a\" \"b\"]", &["s:a", "p:\"b\"]"]);
        check("[030-1234567]", &["p:030-1234567]"]);
        check("{\"a\":\"unterminated", &["s:a", "s:unterminated"]);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in r#"[\[{"\\u0d8ec:, 1t}\]\-.né😀]{0,40}"#, seed in any::<u64>()) {
            let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at)
                .filter(|at| seed >> (at % 64) & 1 == 1).collect();
            prop_assert_eq!(leaves(&text, &cuts), leaves(&text, &[]));
        }

        #[test]
        fn the_strings_of_any_document_are_found(strings in prop::collection::vec(any::<String>(), 0..6)) {
            let text = serde_json::to_string(&strings).unwrap();
            let expected: Vec<String> = strings.iter().map(|string| format!("s:{string}")).collect();
            prop_assert_eq!(leaves(&text, &[]), expected);
        }
    }
}

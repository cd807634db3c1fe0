//! JSON string escapes: decoding, writing, and the way from a decoded offset back to the written one.
//!
//! Knows no structure: it works between two quotes. Invariant: decoding what was written gives the value back.

use memchr::memchr;
use std::borrow::Cow;

/// One escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escape {
    /// Written bytes, backslash included; both halves of a surrogate pair.
    pub(super) len: usize,
    /// What it stands for; U+FFFD for half a surrogate pair.
    pub(super) character: char,
    /// Half a surrogate pair, which stands for no character.
    pub(super) lone: bool,
}

/// The escape sequence at the start of `raw`, or `None` where there is none.
#[inline]
pub(super) fn escape_at(raw: &[u8]) -> Option<Escape> {
    let [b'\\', kind, rest @ ..] = raw else { return None };
    let character = match kind {
        b'n' => '\n',
        b'"' => '"',
        b'\\' => '\\',
        b't' => '\t',
        b'r' => '\r',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode_escape(rest),
        _ => return None,
    };
    Some(Escape { len: 2, character, lone: false })
}

/// `rest` starts after `\u`.
fn unicode_escape(rest: &[u8]) -> Option<Escape> {
    let (first, after) = hex4(rest)?;
    if let Some(character) = char::from_u32(first) {
        return Some(Escape { len: 6, character, lone: false });
    }
    if let (0xd800..=0xdbff, [b'\\', b'u', low @ ..]) = (first, after)
        && let Some((second @ 0xdc00..=0xdfff, _)) = hex4(low)
        && let Some(character) = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    {
        return Some(Escape { len: 12, character, lone: false });
    }
    Some(Escape { len: 6, character: char::REPLACEMENT_CHARACTER, lone: true })
}

fn hex4(raw: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = raw.split_at_checked(4)?;
    let value =
        digits.iter().try_fold(0, |value, &digit| Some((value << 4) | char::from(digit).to_digit(16)?))?;
    Some((value, rest))
}

/// The value of a string whose escapes are known to be valid.
pub(super) fn decode(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut value = String::with_capacity(raw.len());
    let (mut rest, mut run) = (raw, first);
    while let Some((plain, escaped)) = rest.split_at_checked(run) {
        value.push_str(plain);
        let Some(escape) = escape_at(escaped.as_bytes()) else { break };
        value.push(escape.character);
        rest = escaped.get(escape.len..).unwrap_or_default();
        run = memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
    }
    Cow::Owned(value)
}

/// Appends `value` as it is written between the quotes of a JSON string.
pub(super) fn encode(value: &str, raw: &mut String) {
    for character in value.chars() {
        match character {
            '"' => raw.push_str("\\\""),
            '\\' => raw.push_str("\\\\"),
            '\n' => raw.push_str("\\n"),
            '\r' => raw.push_str("\\r"),
            '\t' => raw.push_str("\\t"),
            control @ '\0'..='\x1f' => {
                raw.push_str("\\u00");
                for digit in [u32::from(control) >> 4, u32::from(control) & 15] {
                    raw.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            plain => raw.push(plain),
        }
    }
}

/// `value` between the quotes of a JSON string.
pub(super) fn encoded(value: &str) -> String {
    let mut raw = String::with_capacity(value.len());
    encode(value, &mut raw);
    raw
}

/// Finds where decoded offsets were written; offsets may only rise, so that many edits of one text cost one walk.
pub(super) struct Positions<'r> {
    raw: &'r [u8],
    raw_at: usize,
    decoded_at: usize,
}

impl<'r> Positions<'r> {
    pub(super) fn new(raw: &'r [u8]) -> Self {
        Positions { raw, raw_at: 0, decoded_at: 0 }
    }

    /// Where the character at decoded offset `target` starts.
    pub(super) fn start(&mut self, target: usize) -> usize {
        self.advance(target, false)
    }

    /// Where the character before decoded offset `target` ends.
    pub(super) fn end(&mut self, target: usize) -> usize {
        self.advance(target, true)
    }

    fn advance(&mut self, target: usize, beyond: bool) -> usize {
        while self.decoded_at < target {
            let rest = self.raw.get(self.raw_at..).unwrap_or_default();
            // Never look beyond the target: the next call would look at the same bytes again.
            let near = rest.get(..target - self.decoded_at).unwrap_or(rest);
            let run = memchr(b'\\', near).unwrap_or(near.len());
            self.raw_at += run;
            self.decoded_at += run;
            if run == near.len() {
                break;
            }
            let Some(escape) = escape_at(rest.get(run..).unwrap_or_default()) else { break };
            let width = escape.character.len_utf8();
            if self.decoded_at + width > target && !beyond {
                break;
            }
            self.raw_at += escape.len;
            self.decoded_at += width;
        }
        self.raw_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(decode(raw), expected);
    }

    #[test]
    fn every_escape_is_decoded() {
        check(r#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{c}\n\r\tz");
        check(r"\u0041\u00e9\u20AC", "Aé€");
        check(r"\ud83d\ude00", "😀");
        check("plain é", "plain é");
    }

    #[test]
    fn half_a_pair_is_marked() {
        for raw in [r"\ud800", r"\udc00", r"\ud800\n", r"\ud800\ud800", r"\ud800x", r"\ud800\u0041"] {
            let escape = escape_at(raw.as_bytes()).unwrap();
            assert!(escape.lone && escape.len == 6, "{raw}");
        }
        assert!(!escape_at(br"\ud800\udc00").unwrap().lone);
    }

    #[test]
    fn what_is_no_escape_is_none() {
        for raw in ["", "a", "\\", "\\x", "\\u", "\\u12", "\\u12g4", "\\u+123", "\\N"] {
            assert_eq!(escape_at(raw.as_bytes()), None, "{raw}");
        }
    }

    #[test]
    fn positions_inside_an_escape_widen_to_it() {
        let raw = br"a\u00e9b";
        let mut positions = Positions::new(raw);
        assert_eq!((positions.start(2), positions.end(2)), (1, 7));
    }

    proptest! {
        #[test]
        fn written_values_read_back(value in any::<String>()) {
            let raw = encoded(&value);
            prop_assert_eq!(decode(&raw), value.as_str());
            let quoted = format!("\"{raw}\"");
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), value);
        }

        #[test]
        fn positions_agree_with_decoding(value in "[a\n\"é😀\\\\]{0,20}") {
            let written: Vec<String> = value.chars().enumerate()
                .map(|(n, c)| if n % 2 == 0 { encoded(&c.to_string()) } else {
                    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                }).collect();
            let raw = written.concat();
            let mut positions = Positions::new(raw.as_bytes());
            for (at, _) in value.char_indices() {
                let raw_at = positions.start(at);
                prop_assert_eq!(decode(&raw[..raw_at]), &value[..at]);
            }
            prop_assert_eq!(positions.end(value.len()), raw.len());
        }
    }
}

//! JSON string escapes: decoding, writing, and the way from a decoded offset back to the written one.
//!
//! Knows no structure: it works between two quotes. Invariant: decoding what was written gives the value back.

use super::plain::{self, BLOCK, block_run};
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

/// What a backslash and `kind` stand for, unless more has to be read.
#[inline(always)]
pub(super) fn simple(kind: u8) -> Option<u8> {
    Some(match kind {
        b'n' => b'\n',
        b'"' | b'\\' | b'/' => kind,
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x8,
        b'f' => 0xc,
        _ => return None,
    })
}

/// The escape sequence at the start of `raw`, or `None` where there is none.
pub(super) fn escape_at(raw: &[u8]) -> Option<Escape> {
    let [b'\\', kind, rest @ ..] = raw else { return None };
    match simple(*kind) {
        Some(byte) => Some(Escape { len: 2, character: char::from(byte), lone: false }),
        None if *kind == b'u' => unicode_escape(rest),
        None => None,
    }
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
    match memchr(b'\\', raw.as_bytes()) {
        Some(_) => Cow::Owned(decode_with(raw, &mut Vec::new())),
        None => Cow::Borrowed(raw),
    }
}

/// The same for a string that has escapes. `room` is kept between calls: every allocation costs more than a short text.
pub(super) fn decode_with(raw: &str, room: &mut Vec<u8>) -> String {
    let (_, written) = decode_into(raw.as_bytes(), true, room);
    text_of(room.get(..written).unwrap_or_default())
}

/// What was decoded as a text of its own.
pub(super) fn text_of(value: &[u8]) -> String {
    simdutf8::basic::from_utf8(value)
        .map_or_else(|_| String::from_utf8_lossy(value).into_owned(), str::to_owned)
}

/// Writes the value of `raw` to the start of `room`, up to the first byte that cannot stand in a string as it is: how many
/// bytes were read, and how many written. `lone`: half a surrogate pair can stand there.
#[inline(never)]
pub(super) fn decode_into(raw: &[u8], lone: bool, room: &mut Vec<u8>) -> (usize, usize) {
    // Any bytes will do, and these are in the cache.
    room.extend_from_slice(raw.get(room.len()..).unwrap_or_default());
    // A value is never longer than its written form, so `written` never passes `read`.
    let (mut read, mut written) = (0, 0);
    loop {
        let rest = raw.get(read..).unwrap_or_default();
        let to = room.get_mut(written..).unwrap_or_default();
        let run = copy_plain(rest, to);
        read += run;
        written += run;
        let (rest, to) = (rest.get(run..).unwrap_or_default(), to.get_mut(run..).unwrap_or_default());
        let (passed, added) = match rest {
            [b'\\', kind, ..] if let (Some(byte), Some(to)) = (simple(*kind), to.first_mut()) => {
                *to = byte;
                (2, 1)
            }
            _ => {
                let Some(escape) = escape_at(rest).filter(|escape| lone || !escape.lone) else {
                    return (read, written);
                };
                let mut utf8 = [0; 4];
                let utf8 = escape.character.encode_utf8(&mut utf8).as_bytes();
                copy(utf8, to);
                (escape.len, utf8.len())
            }
        };
        read += passed;
        written += added;
    }
}

/// Copies the plain stretch at the start of `from` and returns its length.
#[inline(always)]
fn copy_plain(from: &[u8], to: &mut [u8]) -> usize {
    let (from_blocks, _) = from.as_chunks::<BLOCK>();
    let (to_blocks, _) = to.as_chunks_mut::<BLOCK>();
    let mut whole = 0;
    for (from, to) in from_blocks.iter().zip(to_blocks) {
        // A whole block, even where only a part is wanted: the rest is written over.
        *to = *from;
        let run = block_run(from);
        if run < BLOCK {
            return whole + run;
        }
        whole += BLOCK;
    }
    let from = from.get(whole..).unwrap_or_default();
    let run = plain::run(from);
    copy(from.get(..run).unwrap_or_default(), to.get_mut(whole..).unwrap_or_default());
    whole + run
}

fn copy(from: &[u8], to: &mut [u8]) {
    for (to, byte) in to.iter_mut().zip(from) {
        *to = *byte;
    }
}

/// Appends `value` as it is written between the quotes of a JSON string.
pub(super) fn encode(value: &str, raw: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = value;
    loop {
        let (plain, special) = rest.split_at_checked(plain::run(rest.as_bytes())).unwrap_or((rest, ""));
        raw.push_str(plain);
        let Some(byte) = special.bytes().next() else { return };
        let short = match byte {
            b'"' | b'\\' => Some(byte),
            b'\n' => Some(b'n'),
            b'\r' => Some(b'r'),
            b'\t' => Some(b't'),
            _ => None,
        };
        let high = if byte < 16 { b'0' } else { b'1' };
        let low = DIGITS.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
        let escape = match short {
            Some(letter) => &[b'\\', letter][..],
            None => &[b'\\', b'u', b'0', b'0', high, low],
        };
        raw.extend(escape.iter().map(|byte| char::from(*byte)));
        rest = special.get(1..).unwrap_or_default();
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
            let Some(escape) = escape_at(rest.get(run..).unwrap_or_default()) else {
                // Inside JSON text that is not quite JSON, a backslash may stand for itself.
                self.raw_at += 1;
                self.decoded_at += 1;
                continue;
            };
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

//! A strict JSON cursor: the caller pulls members, items and strings; nothing is built.
//!
//! Knows no endpoint. Invariant: whatever is passed over has been checked (grammar, escapes, depth, duplicate keys), so a
//! caller that reaches the end has seen a valid document.

use super::escape::{decode_into, decode_with, escape_at, simple, text_of};
use super::keys::{Duplicate, Keys, Scope};
use super::names::{Head, Name};
use super::plain::{BLOCK, block_run};
use super::{BodyError, BodyErrorKind, MAX_DEPTH, plain};
use std::borrow::Cow;
use std::ops::Range;

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A string as it is written, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

/// An open object.
#[derive(Debug)]
pub(super) struct Members {
    keys: Scope,
    started: bool,
}

/// An open array.
#[derive(Debug)]
pub(crate) struct Items {
    started: bool,
}

/// How lone surrogates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surrogates {
    Paired,
    Any,
}

/// Reading has stopped; [`Cursor::failure`] says why. Carries nothing, so that results stay in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop;

pub(crate) type Result<T> = std::result::Result<T, Stop>;

pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    surrogates: Surrogates,
    failure: BodyError,
    keys: Keys<'a>,
    /// Where the last key was written.
    key: Range<usize>,
    /// Room to decode strings in.
    room: Vec<u8>,
}

impl<'a> Cursor<'a> {
    /// At the start of a body.
    pub(super) fn new(body: &'a [u8]) -> std::result::Result<Cursor<'a>, BodyError> {
        let text = simdutf8::basic::from_utf8(body).map_err(|_| {
            // The fast check does not say where, the slow one does.
            let offset = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
            BodyError { kind: BodyErrorKind::InvalidUtf8, offset }
        })?;
        Ok(Cursor { surrogates: Surrogates::Paired, ..Cursor::lenient(text) })
    }

    /// At the start of JSON text found inside a string. Lone surrogates are taken as U+FFFD: receivers take them too, and a
    /// refusal here would mean that the text is read with its escapes unresolved.
    pub(crate) fn lenient(text: &'a str) -> Cursor<'a> {
        let failure = BodyError { kind: BodyErrorKind::InvalidJson, offset: 0 };
        Cursor {
            text,
            at: 0,
            depth: 0,
            surrogates: Surrogates::Any,
            failure,
            keys: Keys::none(),
            key: 0..0,
            room: Vec::new(),
        }
    }

    /// Byte the cursor is at.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Stops because of what is at the cursor.
    #[cold]
    #[inline(never)]
    pub(super) fn stop(&mut self, kind: BodyErrorKind) -> Stop {
        self.stop_at(kind, self.at)
    }

    fn stop_at(&mut self, kind: BodyErrorKind, offset: usize) -> Stop {
        self.failure = BodyError { kind, offset: offset.min(self.text.len()) };
        Stop
    }

    #[cold]
    #[inline(never)]
    fn invalid(&mut self) -> Stop {
        self.stop_at(BodyErrorKind::InvalidJson, self.at)
    }

    /// Why reading has stopped.
    pub(super) fn failure(&self) -> BodyError {
        self.failure
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space; the cursor stays before it.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Result<u8> {
        self.at = past_blanks(self.text.as_bytes(), self.at);
        self.byte().ok_or_else(|| self.invalid())
    }

    /// Passes `expected` if it comes next.
    #[inline(always)]
    pub(crate) fn eat(&mut self, expected: u8) -> Result<bool> {
        let found = self.peek()? == expected;
        self.at += usize::from(found);
        Ok(found)
    }

    #[inline(always)]
    pub(crate) fn expect(&mut self, expected: u8) -> Result<()> {
        if self.eat(expected)? { Ok(()) } else { Err(self.invalid()) }
    }

    /// Kind of the next value; the cursor stays before it.
    #[inline(never)]
    pub(crate) fn kind(&mut self) -> Result<Kind> {
        Ok(match self.peek()? {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ => return Err(self.invalid()),
        })
    }

    /// Passes a string.
    #[inline(never)]
    pub(super) fn string(&mut self) -> Result<Raw> {
        self.expect(b'"')?;
        let raw = string_from(self.text.as_bytes(), self.at, self.surrogates);
        self.pass_string(raw)
    }

    #[inline(always)]
    fn pass_string(&mut self, raw: std::result::Result<Raw, usize>) -> Result<Raw> {
        match raw {
            Ok(raw) => {
                self.at = raw.end + 1;
                Ok(raw)
            }
            Err(offset) => Err(self.stop_at(BodyErrorKind::InvalidJson, offset)),
        }
    }

    /// Passes a string, and gives its value as well.
    #[inline(never)]
    pub(crate) fn value(&mut self) -> Result<(Range<usize>, Cow<'a, str>)> {
        self.expect(b'"')?;
        let start = self.at;
        let rest = self.rest();
        let plain = plain::run(rest);
        let (read, value) = match rest.get(plain) {
            Some(b'"') => (plain, Cow::Borrowed(self.written(start..start + plain))),
            // Decodes what has not been checked yet: looking at a long text twice takes longer than writing it.
            _ => {
                let (read, written) = decode_into(rest, self.surrogates == Surrogates::Any, &mut self.room);
                (read, Cow::Owned(text_of(self.room.get(..written).unwrap_or_default())))
            }
        };
        self.at += read;
        if rest.get(read) != Some(&b'"') {
            return Err(self.invalid());
        }
        self.at += 1;
        Ok((start..start + read, value))
    }

    /// The written form of a stretch of this body.
    pub(crate) fn written(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// The last key, as it was written.
    pub(super) fn key(&self) -> &'a str {
        self.written(self.key.clone())
    }

    /// Passes a number and returns where it was written.
    pub(crate) fn number(&mut self) -> Result<Range<usize>> {
        self.peek()?;
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn digits(&mut self) -> Result<()> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.invalid()) } else { Ok(()) }
    }

    /// Passes `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        let value = self.peek()? == b't';
        self.literal(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    fn literal(&mut self, word: &[u8]) -> Result<()> {
        if !self.rest().starts_with(word) {
            return Err(self.invalid());
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes a value of any kind.
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.kind()? {
            Kind::String => {
                self.string()?;
            }
            Kind::Number => {
                self.number()?;
            }
            Kind::Bool => {
                self.boolean()?;
            }
            Kind::Null => self.literal(b"null")?,
            // `MAX_DEPTH` bounds the recursion.
            Kind::Object => {
                let mut members = self.members()?;
                while self.next_key(&mut members)?.is_some() {
                    self.skip()?;
                }
            }
            Kind::Array => {
                let mut items = self.items()?;
                while self.next_item(&mut items)? {
                    self.skip()?;
                }
            }
        }
        Ok(())
    }

    /// Passes a value of any kind and returns where it was written.
    pub(super) fn span(&mut self) -> Result<Range<usize>> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(start..self.at)
    }

    /// Enters the object that every body has to be; a valid document of another kind says so.
    pub(super) fn body(&mut self) -> Result<Members> {
        if self.kind()? != Kind::Object {
            let start = self.at;
            self.skip()?;
            self.end()?;
            return Err(self.stop_at(BodyErrorKind::NotAnObject, start));
        }
        self.members()
    }

    /// Enters an object.
    #[inline(never)]
    pub(super) fn members(&mut self) -> Result<Members> {
        self.expect(b'{')?;
        self.deeper()?;
        Ok(Members { keys: self.keys.enter(), started: false })
    }

    /// The next key of an object, with the cursor before its value; `None` once the object has ended.
    #[inline(never)]
    pub(super) fn next_key(&mut self, members: &mut Members) -> Result<Option<Name>> {
        // Works on a copy of the offset: a chain of updates through memory takes longer than the work itself.
        let bytes = self.text.as_bytes();
        let mut at = past_blanks(bytes, self.at);
        let mut byte = bytes.get(at);
        if byte == Some(&b'}') {
            self.at = at + 1;
            self.depth -= 1;
            return match self.keys.leave(&members.keys) {
                Ok(()) => Ok(None),
                Err(Duplicate) => Err(self.stop(BodyErrorKind::DuplicateKey)),
            };
        }
        if members.started && byte == Some(&b',') {
            at = past_blanks(bytes, at + 1);
            byte = bytes.get(at);
        } else if members.started {
            return Err(self.stop_at(BodyErrorKind::InvalidJson, at));
        }
        members.started = true;
        if byte != Some(&b'"') {
            return Err(self.stop_at(BodyErrorKind::InvalidJson, at));
        }
        let start = at + 1;
        let block = bytes.get(start..).and_then(<[u8]>::first_chunk::<BLOCK>);
        let name = match block.map(|block| (block, block_run(block))) {
            // Nearly every key is short and without escapes.
            Some((block, length)) if block.get(length) == Some(&b'"') => {
                self.at = start + length + 1;
                self.key = start..start + length;
                let written = self.text.get(start..start + length).unwrap_or_default();
                self.keys.add(&mut members.keys, Head::new(block, length), written, Some(written))
            }
            _ => self.any_key(at, &mut members.keys)?,
        };
        let Ok(name) = name else { return Err(self.stop(BodyErrorKind::DuplicateKey)) };
        let colon = past_blanks(bytes, self.at);
        if bytes.get(colon) != Some(&b':') {
            return Err(self.stop_at(BodyErrorKind::InvalidJson, colon));
        }
        self.at = colon + 1;
        Ok(Some(name))
    }

    /// A key that begins at `start`, whatever it is.
    #[inline(never)]
    fn any_key(&mut self, start: usize, keys: &mut Scope) -> Result<std::result::Result<Name, Duplicate>> {
        self.at = start;
        let raw = self.string()?;
        self.key = raw.start..raw.end;
        let written = self.written(raw.start..raw.end);
        Ok(match raw.escaped {
            false => self.keys.add(keys, Head::of(written), written, Some(written)),
            true => {
                let value = decode_with(written, &mut self.room);
                self.keys.add(keys, Head::of(&value), &value, None)
            }
        })
    }

    /// Enters an array.
    #[inline(never)]
    pub(crate) fn items(&mut self) -> Result<Items> {
        self.expect(b'[')?;
        self.deeper()?;
        Ok(Items { started: false })
    }

    /// Whether another item comes next.
    #[inline(never)]
    pub(crate) fn next_item(&mut self, items: &mut Items) -> Result<bool> {
        if self.eat(b']')? {
            self.depth -= 1;
            return Ok(false);
        }
        if items.started {
            self.expect(b',')?;
        }
        items.started = true;
        Ok(true)
    }

    /// Makes sure that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<()> {
        let rest = self.rest();
        match rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            None => Ok(()),
            Some(blank) => {
                self.at += blank;
                Err(self.invalid())
            }
        }
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.stop(BodyErrorKind::TooDeep)) } else { Ok(()) }
    }
}

/// The first offset at or after `at` that holds no white space.
#[inline(always)]
fn past_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The string whose first byte is at `start`; fails with the offset of what cannot stand there.
#[inline(always)]
fn string_from(bytes: &[u8], start: usize, surrogates: Surrogates) -> std::result::Result<Raw, usize> {
    let mut at = start;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let run = plain::run(rest);
        at += run;
        match bytes.get(at) {
            Some(b'"') => return Ok(Raw { start, end: at, escaped }),
            Some(b'\\') => {
                escaped = true;
                at += match bytes.get(at + 1) {
                    Some(kind) if simple(*kind).is_some() => 2,
                    _ => match escape_at(bytes.get(at..).unwrap_or_default()) {
                        Some(escape) if !escape.lone || surrogates == Surrogates::Any => escape.len,
                        _ => return Err(at),
                    },
                };
            }
            _ => return Err(at),
        }
    }
}
/// The value of a number. Up to fifteen digits both parts of the quotient are exact, and so is its rounding; digits behind
/// those are dropped. The library reads every number to its last bit, with ten kilobytes of code.
pub(crate) fn decimal(number: &str) -> Option<f64> {
    let (number, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (sign, number) = number.strip_prefix('-').map_or((1.0, number), |number| (-1.0, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.get(..EXACT_DIGITS.checked_sub(whole.len())?).unwrap_or(fraction);
    let mut value = 0u64;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + u64::from(digit - b'0');
    }
    let exponent = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
    let scale = (0..exponent.unsigned_abs().min(MAX_EXPONENT)).fold(1.0, |scale, _| scale * 10.0);
    let value = value as f64;
    Some(sign * if exponent < 0 { value / scale } else { value * scale })
}

/// Decimal digits of which a float keeps every combination apart.
const EXACT_DIGITS: usize = 15;

/// The largest power of ten that a float holds exactly. No setting is near it.
const MAX_EXPONENT: u32 = 22;

//! A strict JSON cursor: the caller pulls members, items and strings; nothing is built.
//!
//! Knows no endpoint. Invariant: whatever is passed over has been checked (grammar, escapes, depth, duplicate keys), so a
//! caller that reaches the end has seen a valid document.

use super::escape::{decode, escape_at};
use super::{BodyError, BodyErrorKind, MAX_DEPTH};
use std::borrow::Cow;
use std::ops::Range;

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
    /// Where its keys start in [`Cursor::keys`].
    first: usize,
    /// One bit per hash of a key; spares most comparisons.
    seen: u64,
    started: bool,
}

/// An open array.
#[derive(Debug)]
pub(super) struct Items {
    started: bool,
}

/// Up to this many keys of an object are compared one by one; more are sorted once, when the object ends.
const COMPARED_KEYS: usize = 32;

/// How lone surrogates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surrogates {
    Paired,
    Any,
}

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    surrogates: Surrogates,
    /// Keys of every open object, outermost first.
    keys: Vec<Cow<'a, str>>,
}

type Result<T> = std::result::Result<T, BodyError>;

impl<'a> Cursor<'a> {
    /// At the start of a body.
    pub(super) fn new(body: &'a [u8]) -> Result<Cursor<'a>> {
        let text = std::str::from_utf8(body)
            .map_err(|error| BodyError { kind: BodyErrorKind::InvalidUtf8, offset: error.valid_up_to() })?;
        Ok(Cursor { text, at: 0, depth: 0, surrogates: Surrogates::Paired, keys: Vec::with_capacity(24) })
    }

    /// At the start of JSON text found inside a string. Lone surrogates are taken as U+FFFD: receivers take them too, and a
    /// refusal here would mean that the text is read with its escapes unresolved.
    pub(super) fn lenient(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0, depth: 0, surrogates: Surrogates::Any, keys: Vec::new() }
    }

    /// Byte the cursor is at.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    #[cold]
    pub(super) fn error(&self, kind: BodyErrorKind) -> BodyError {
        BodyError { kind, offset: self.at.min(self.text.len()) }
    }

    #[cold]
    fn invalid(&self) -> BodyError {
        self.error(BodyErrorKind::InvalidJson)
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
    pub(super) fn peek(&mut self) -> Result<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(byte),
                None => return Err(self.invalid()),
            }
        }
    }

    /// Passes `expected` if it comes next.
    #[inline(always)]
    pub(super) fn eat(&mut self, expected: u8) -> Result<bool> {
        let found = self.peek()? == expected;
        self.at += usize::from(found);
        Ok(found)
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, expected: u8) -> Result<()> {
        if self.eat(expected)? { Ok(()) } else { Err(self.invalid()) }
    }

    /// Kind of the next value; the cursor stays before it.
    #[inline(always)]
    pub(super) fn kind(&mut self) -> Result<Kind> {
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
    #[inline]
    pub(super) fn string(&mut self) -> Result<Raw> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_run(self.rest());
            match self.byte() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Raw { start, end, escaped });
                }
                Some(b'\\') => {
                    let escape = escape_at(self.rest()).ok_or_else(|| self.invalid())?;
                    if escape.lone && self.surrogates == Surrogates::Paired {
                        return Err(self.invalid());
                    }
                    escaped = true;
                    self.at += escape.len;
                }
                _ => return Err(self.invalid()),
            }
        }
    }

    /// The value of a string of this body.
    #[inline]
    pub(super) fn decoded(&self, raw: Raw) -> Cow<'a, str> {
        let written = self.text.get(raw.start..raw.end).unwrap_or_default();
        if raw.escaped { decode(written) } else { Cow::Borrowed(written) }
    }

    /// The written form of a stretch of this body.
    pub(super) fn written(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// Passes a number and returns where it was written.
    pub(super) fn number(&mut self) -> Result<Range<usize>> {
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
    pub(super) fn boolean(&mut self) -> Result<bool> {
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
    pub(super) fn skip(&mut self) -> Result<()> {
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

    /// Enters an object.
    #[inline]
    pub(super) fn members(&mut self) -> Result<Members> {
        self.expect(b'{')?;
        self.deeper()?;
        Ok(Members { first: self.keys.len(), seen: 0, started: false })
    }

    /// The next key of an object, with the cursor before its value; `None` once the object has ended.
    #[inline]
    pub(super) fn next_key(&mut self, members: &mut Members) -> Result<Option<Cow<'a, str>>> {
        if self.eat(b'}')? {
            self.depth -= 1;
            self.forget(members)?;
            return Ok(None);
        }
        if members.started {
            self.expect(b',')?;
        }
        members.started = true;
        let raw = self.string()?;
        let key = self.decoded(raw);
        self.remember(members, key.clone())?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Enters an array.
    #[inline]
    pub(super) fn items(&mut self) -> Result<Items> {
        self.expect(b'[')?;
        self.deeper()?;
        Ok(Items { started: false })
    }

    /// Whether another item comes next.
    #[inline]
    pub(super) fn next_item(&mut self, items: &mut Items) -> Result<bool> {
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
    pub(super) fn end(&mut self) -> Result<()> {
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
        if self.depth > MAX_DEPTH { Err(self.error(BodyErrorKind::TooDeep)) } else { Ok(()) }
    }

    #[inline]
    fn remember(&mut self, members: &mut Members, key: Cow<'a, str>) -> Result<()> {
        let own = self.keys.get(members.first..).unwrap_or_default();
        if own.len() < COMPARED_KEYS {
            let bit = 1 << (mark(key.as_bytes()) & 63);
            if members.seen & bit != 0 && own.contains(&key) {
                return Err(self.error(BodyErrorKind::DuplicateKey));
            }
            members.seen |= bit;
        }
        self.keys.push(key);
        Ok(())
    }

    #[inline]
    fn forget(&mut self, members: &Members) -> Result<()> {
        let own = self.keys.get(members.first..).unwrap_or_default();
        if own.len() > COMPARED_KEYS && has_duplicate(own) {
            return Err(self.error(BodyErrorKind::DuplicateKey));
        }
        self.keys.truncate(members.first);
        Ok(())
    }
}

/// A few bits of a key that differ between most keys of real objects.
#[inline(always)]
fn mark(key: &[u8]) -> usize {
    let (first, last) = (key.first().copied().unwrap_or(0), key.last().copied().unwrap_or(0));
    key.len().wrapping_mul(37) ^ usize::from(first).wrapping_mul(5) ^ usize::from(last).wrapping_mul(11)
}

/// Sorting keeps the bound for keys that were chosen to collide; the hash in front keeps it fast for all others.
fn has_duplicate(keys: &[Cow<'_, str>]) -> bool {
    let mut hashed: Vec<(u64, &str)> = keys.iter().map(|key| (hash(key.as_bytes()), &**key)).collect();
    hashed.sort_unstable();
    hashed.iter().zip(hashed.iter().skip(1)).any(|(one, next)| one == next)
}

fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Length of the stretch at the start of `bytes` that holds no quote, no backslash and no control character.
#[inline(always)]
fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<16>();
    for (number, block) in blocks.iter().enumerate() {
        // Written so that it compiles to three vector comparisons on every architecture with 16-byte vectors.
        let mut stops = [0u8; 16];
        for (stop, &byte) in stops.iter_mut().zip(block) {
            *stop = u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
        }
        let stops = u128::from_le_bytes(stops);
        if stops != 0 {
            return number * 16 + (stops.trailing_zeros() / 8) as usize;
        }
    }
    let stop = tail.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
    blocks.len() * 16 + stop.unwrap_or(tail.len())
}

/// Whether the value at the cursor is the object every body has to be; a valid document of another kind says so.
pub(super) fn body_members(cursor: &mut Cursor<'_>) -> Result<Members> {
    if cursor.kind()? != Kind::Object {
        let offset = cursor.offset();
        cursor.skip()?;
        cursor.end()?;
        return Err(BodyError { kind: BodyErrorKind::NotAnObject, offset });
    }
    cursor.members()
}

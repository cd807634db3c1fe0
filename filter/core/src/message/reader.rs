//! Collects texts while a body is read; the steps that every shape shares.
//!
//! Knows no endpoint. Invariant: where a text is expected, a value that could hide one (an object, an array, a number) is
//! refused; `null` and booleans hold none.

pub(super) use super::json::Result;
use super::json::{Cursor, Kind};
use super::names::Name;
use super::nested;
use super::text::{Channel, Layer, OUTSIDE, Place, Text};
use super::{BodyError, BodyErrorKind, Unscanned};
use crate::config::Role;
use crate::fnv;
use std::borrow::Cow;
use std::ops::Range;

/// Numbers that go into the brackets of a place.
pub(super) type At = [u32; 3];

/// Keys that are no [`Name`] and whose strings are no text: identifiers, and bytes in letters.
const OPAQUE: [&str; 6] =
    ["tool_call_id", "signature", "thought_signature", "b64_json", "cache_control", "format"];

/// How much of a body there is to one text, where it has many: room for all of them is made at once.
const BYTES_OF_A_TEXT: usize = 256;

/// The most that room is made for before they are seen.
const MOST_TEXTS_AT_ONCE: usize = 64;

/// Whether it is bytes in letters with their media type before them (RFC 2397). Nothing that a person wrote is.
fn is_data_url(text: &str) -> bool {
    let of_base64 = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let is_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    of_base64
        .is_some_and(|(media, bytes)| !media.contains(char::is_whitespace) && bytes.bytes().all(is_base64))
}

pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) texts: Vec<Text<'a>>,
    /// Choice and span of every value that spells out its tokens.
    pub(super) leaks: Vec<(u32, Range<usize>)>,
    pub(super) unscanned: Unscanned,
    /// Where values stand that differ from event to event and say nothing.
    pub(super) varying: Vec<Range<usize>>,
    /// Role of the texts that are found; a message that names its role sets it afterwards.
    pub(super) role: Role,
    /// A request wants its answer to be JSON.
    pub(super) json_answer: bool,
    /// Where the last `role` of a turn is written.
    pub(super) role_at: Option<Range<usize>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8], role: Role) -> std::result::Result<Reader<'a>, BodyError> {
        Ok(Reader {
            cursor: Cursor::new(body)?,
            texts: Vec::with_capacity((body.len() / BYTES_OF_A_TEXT).clamp(2, MOST_TEXTS_AT_ONCE)),
            leaks: Vec::new(),
            unscanned: Unscanned::default(),
            varying: Vec::new(),
            role,
            json_answer: false,
            role_at: None,
        })
    }

    /// Passes a value that has no text, or fails: the place cannot have this type.
    pub(super) fn nothing_at(&mut self, place: &'static str) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Null | Kind::Bool => self.cursor.skip(),
            _ => Err(self.cursor.stop(BodyErrorKind::WrongShape(place))),
        }
    }

    /// A string is a text.
    #[inline]
    pub(super) fn text(&mut self, place: &'static str, at: At, channel: Channel) -> Result<()> {
        if self.cursor.kind()? != Kind::String {
            return self.nothing_at(place);
        }
        let text = self.found(place, at, channel)?;
        self.texts.push(text);
        Ok(())
    }

    /// A string that holds JSON; its leaves are texts.
    pub(super) fn nested(&mut self, place: &'static str, at: At, channel: Channel) -> Result<()> {
        if self.cursor.kind()? != Kind::String {
            return self.nothing_at(place);
        }
        let whole = self.found(place, at, channel)?;
        let written = self.cursor.written(whole.span.clone());
        nested::push(whole, written, &mut self.texts);
        Ok(())
    }

    /// What a tool gave back: text, or JSON text, of which only the leaves show what their escapes stand for.
    pub(super) fn result(&mut self, place: &'static str, at: At, channel: Channel) -> Result<()> {
        let first = self.texts.len();
        self.text(place, at, channel)?;
        self.open_results(first);
        Ok(())
    }

    /// Puts the leaves of JSON text in the place of texts from `first` on that are such. JSON text without escapes says as a
    /// whole what its leaves say, and may say more.
    pub(super) fn open_results(&mut self, first: usize) {
        let is_json = |text: &Text| {
            text.layer == Layer::String
                && text.value.trim_ascii_start().starts_with(['{', '['])
                && text.value.contains('\\')
        };
        if !self.texts.iter().skip(first).any(is_json) {
            return;
        }
        for text in self.texts.split_off(first) {
            let before = self.texts.len();
            if is_json(&text) {
                let written = self.cursor.written(text.span.clone());
                if nested::push(text.clone(), written, &mut self.texts) {
                    continue;
                }
                self.texts.truncate(before);
            }
            self.texts.push(text);
        }
    }

    #[inline]
    fn found(&mut self, place: &'static str, at: At, channel: Channel) -> Result<Text<'a>> {
        let (span, value) = self.cursor.value()?;
        Ok(Text {
            place: Place::new(place, at),
            role: self.role,
            choice: OUTSIDE,
            channel,
            value,
            layer: Layer::String,
            span,
        })
    }

    /// Every string inside the value is a text; keys are not.
    pub(super) fn leaves(&mut self, place: &'static str, at: At, channel: Channel) -> Result<()> {
        match self.cursor.kind()? {
            Kind::String => self.text(place, at, channel),
            Kind::Object => self.each_member(|reader, _| reader.leaves(place, at, channel)),
            Kind::Array => self.each_item(place, |reader, _| reader.leaves(place, at, channel)),
            _ => self.cursor.skip(),
        }
    }

    /// A member of a message that is not known, just after its key. What a server calls its text one day is text already.
    ///
    /// Strings that the same keys lead to are one channel: in a stream they may be pieces.
    pub(super) fn member(&mut self, name: Name, place: &'static str, at: At, path: u64) -> Result<()> {
        let key = self.cursor.key();
        if name.is_opaque() || OPAQUE.contains(&key) {
            return self.cursor.skip();
        }
        self.strings(place, at, fnv::add(path, key.as_bytes()))
    }

    fn strings(&mut self, place: &'static str, at: At, path: u64) -> Result<()> {
        match self.cursor.kind()? {
            Kind::String => {
                let text = self.found(place, at, Channel::Member(path as u32))?;
                if !text.value.is_empty() && !is_data_url(&text.value) {
                    self.texts.push(text);
                }
                Ok(())
            }
            Kind::Object => self.each_member(|reader, name| reader.member(name, place, at, path)),
            Kind::Array => self.each_item(place, |reader, _| reader.strings(place, at, path)),
            _ => self.cursor.skip(),
        }
    }

    /// Calls `read` with the cursor before each value of the object that comes next.
    #[inline]
    pub(super) fn each_member(
        &mut self,
        mut read: impl FnMut(&mut Reader<'a>, Name) -> Result<()>,
    ) -> Result<()> {
        let mut members = self.cursor.members()?;
        while let Some(key) = self.cursor.next_key(&mut members)? {
            read(self, key)?;
        }
        Ok(())
    }

    /// As [`Reader::each_member`], where `place` may also hold nothing.
    #[inline]
    pub(super) fn each_member_of(
        &mut self,
        place: &'static str,
        read: impl FnMut(&mut Reader<'a>, Name) -> Result<()>,
    ) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Object => self.each_member(read),
            _ => self.nothing_at(place),
        }
    }

    /// Calls `read` with the cursor before each item of the array at `place`, and the item's number.
    #[inline]
    pub(super) fn each_item(
        &mut self,
        place: &'static str,
        mut read: impl FnMut(&mut Reader<'a>, u32) -> Result<()>,
    ) -> Result<()> {
        if self.cursor.kind()? != Kind::Array {
            return self.nothing_at(place);
        }
        let mut items = self.cursor.items()?;
        let mut number: u32 = 0;
        while self.cursor.next_item(&mut items)? {
            read(self, number)?;
            number = number.saturating_add(1);
        }
        Ok(())
    }

    /// The value of a string, or nothing where there is a value of another kind.
    pub(super) fn word(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.cursor.kind()? != Kind::String {
            self.cursor.skip()?;
            return Ok(None);
        }
        Ok(Some(self.cursor.value()?.1))
    }

    /// Notes whether the kind of format that comes next is one of JSON.
    pub(super) fn format_kind(&mut self) -> Result<()> {
        self.json_answer |= self.word()?.is_some_and(|kind| kind.starts_with("json"));
        Ok(())
    }

    /// The name that a string says, or nothing where there is a value of another kind.
    pub(super) fn name(&mut self) -> Result<Option<Name>> {
        Ok(self.word()?.map(|word| Name::of(&word)))
    }

    /// The value of a number without sign, fraction and exponent, or nothing where there is another value.
    pub(super) fn count(&mut self) -> Result<Option<u64>> {
        if self.cursor.kind()? != Kind::Number {
            self.cursor.skip()?;
            return Ok(None);
        }
        let range = self.cursor.number()?;
        Ok(self.cursor.written(range).parse().ok())
    }

    /// An index; `None` as [`Reader::count`].
    pub(super) fn index(&mut self) -> Result<Option<u32>> {
        Ok(self.count()?.and_then(|count| u32::try_from(count).ok()))
    }

    /// Passes a value that differs from event to event and says nothing.
    pub(super) fn vary(&mut self) -> Result<()> {
        let span = self.cursor.span()?;
        self.varying.push(span);
        Ok(())
    }

    /// Notes a value that repeats the answer in another form, unless it is empty.
    pub(super) fn leak(&mut self) -> Result<()> {
        let is_null = self.cursor.kind()? == Kind::Null;
        let span = self.cursor.span()?;
        if !is_null {
            self.leaks.push((OUTSIDE, span));
        }
        Ok(())
    }
}

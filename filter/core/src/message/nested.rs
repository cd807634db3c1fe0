//! Finds the texts of JSON that is itself written inside a JSON string, such as the arguments of a tool call.
//!
//! Goes one level deep: a leaf that is JSON text again is a plain text. Invariant: either every leaf is returned or the
//! whole string is, as one text.

use super::escape::{Positions, decode};
use super::json::{Cursor, Kind, Result};
use super::text::{Layer, Text};
use std::borrow::Cow;
use std::ops::Range;

/// Numbers with fewer digits than this are not texts: no identifier worth finding is shorter.
const NUMBER_DIGITS: usize = 8;

/// Appends the texts of `whole`, a string that was written as `raw`: its keys, its strings and its long numbers.
pub(super) fn push<'a>(whole: Text<'a>, raw: &str, texts: &mut Vec<Text<'a>>) {
    let before = texts.len();
    let mut positions = Positions::new(raw.as_bytes());
    let walked = walk(&whole.value, |layer, range| {
        let written = whole.value.get(range.clone()).unwrap_or_default();
        if layer == Layer::NestedNumber && written.bytes().filter(u8::is_ascii_digit).count() < NUMBER_DIGITS
        {
            return;
        }
        let start = whole.span.start + positions.start(range.start);
        let end = whole.span.start + positions.end(range.end);
        let value = Cow::Owned(decode(written).into_owned());
        texts.push(Text { value, layer, span: start..end, ..whole.clone_without_value() });
    });
    if walked.is_err() {
        texts.truncate(before);
        texts.push(whole);
    }
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

/// Calls `leaf` for every key, string and number of `json`, in order. Keeps its own stack, so no depth is too deep: this
/// JSON is the model's or the tool's business, and only its texts matter here.
fn walk(json: &str, mut leaf: impl FnMut(Layer, Range<usize>)) -> Result<()> {
    let mut cursor = Cursor::lenient(json);
    let mut open: Vec<Kind> = Vec::new();
    loop {
        let kind = cursor.kind()?;
        match kind {
            Kind::Object => {
                cursor.expect(b'{')?;
                if !cursor.eat(b'}')? {
                    open.push(kind);
                    key(&mut cursor, &mut leaf)?;
                    continue;
                }
            }
            Kind::Array => {
                cursor.expect(b'[')?;
                if !cursor.eat(b']')? {
                    open.push(kind);
                    continue;
                }
            }
            Kind::String => {
                let raw = cursor.string()?;
                leaf(Layer::NestedString, raw.start..raw.end);
            }
            Kind::Number => leaf(Layer::NestedNumber, cursor.number()?),
            Kind::Bool | Kind::Null => cursor.skip()?,
        }
        // A value has ended; so may have the containers around it.
        loop {
            match open.last() {
                None => return cursor.end(),
                Some(Kind::Object) if cursor.eat(b'}')? => {}
                Some(Kind::Array) if cursor.eat(b']')? => {}
                Some(container) => {
                    cursor.expect(b',')?;
                    if *container == Kind::Object {
                        key(&mut cursor, &mut leaf)?;
                    }
                    break;
                }
            }
            open.pop();
        }
    }
}

fn key(cursor: &mut Cursor<'_>, leaf: &mut impl FnMut(Layer, Range<usize>)) -> Result<()> {
    let raw = cursor.string()?;
    leaf(Layer::NestedString, raw.start..raw.end);
    cursor.expect(b':')
}

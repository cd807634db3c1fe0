//! Cuts a stream of bytes into events.
//!
//! Reads no payload. Invariants: the bytes of all frames, in order, are the bytes that came in, but for a line feed that a cut
//! put after its event; payloads do not depend on how the stream was cut into chunks.

use super::encode::data_lines;
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Largest event. Text stays under 100 KiB, but a picture comes in one event; a stream that exceeds this is not one that could
/// be inspected.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a line of the format may be named.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// An event is larger than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {MAX_EVENT_BYTES} bytes")]
pub struct TooLarge;

/// Collects bytes until an event is complete.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    /// Bytes of the event that is not complete.
    held: Vec<u8>,
    /// Bytes of `held` on the line that is not complete.
    line_bytes: usize,
    /// The last byte of the stream was a carriage return, so a line feed would belong to the same line end.
    after_return: bool,
    /// The last frame has got the line feed that is still to come. A frame may have to wait or be overtaken, and clients look
    /// for whole pairs.
    lent_line_feed: bool,
    /// A frame has been handed out, so what follows is not the start of the stream.
    started: bool,
}

/// One event, or a stretch of the stream that carries none, exactly as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
    /// Bytes in front that belong to no line: a byte order mark, or the second half of a line end cut by a chunk.
    lead: usize,
}

impl Decoder {
    /// At the start of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes the next bytes of the stream and appends the frames they complete.
    pub fn push(&mut self, chunk: &[u8], frames: &mut Vec<Frame>) -> Result<(), TooLarge> {
        let chunk = match chunk {
            [b'\n', rest @ ..] if std::mem::take(&mut self.lent_line_feed) => rest,
            chunk => chunk,
        };
        self.lent_line_feed &= chunk.is_empty();
        // First byte of `chunk` that is neither in `held` nor in a frame, and first byte of the line.
        let (mut kept, mut line) = (0, 0);
        while let Some(length) = memchr2(b'\n', b'\r', chunk.get(line..).unwrap_or_default()) {
            let end = line + length;
            let is_return = chunk.get(end) == Some(&b'\r');
            let is_second_half = self.after_return && length == 0 && !is_return && self.line_bytes == 0;
            let is_blank = length == 0 && self.line_bytes == 0 && !is_second_half;
            // A return at the end of the chunk ends its line now: waiting for a line feed would hold the event back.
            let crlf = is_return && chunk.get(end + 1) == Some(&b'\n');
            line = end + 1 + usize::from(crlf);
            self.line_bytes = 0;
            self.after_return = is_return && !crlf;
            if is_blank {
                self.held.extend_from_slice(chunk.get(kept..line).unwrap_or_default());
                kept = line;
                if line == chunk.len() && self.held.ends_with(b"\r\n\r") {
                    self.held.push(b'\n');
                    self.lent_line_feed = true;
                    self.after_return = false;
                }
                self.release(frames)?;
            }
        }
        let rest = chunk.get(kept..).unwrap_or_default();
        self.held.extend_from_slice(rest);
        let unfinished = chunk.len() - line;
        self.line_bytes += unfinished;
        self.after_return &= unfinished == 0;
        if self.held.len() > MAX_EVENT_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    /// Ends the stream: what is left is the last frame, even if nothing terminated it.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) {
        if !self.held.is_empty() {
            let bytes = std::mem::take(&mut self.held);
            frames.push(self.frame(bytes));
        }
        self.line_bytes = 0;
    }

    /// Bytes that wait for the end of their event.
    pub fn pending(&self) -> usize {
        self.held.len()
    }

    fn release(&mut self, frames: &mut Vec<Frame>) -> Result<(), TooLarge> {
        if self.held.len() > MAX_EVENT_BYTES {
            return Err(TooLarge);
        }
        let bytes = std::mem::take(&mut self.held);
        frames.push(self.frame(bytes));
        Ok(())
    }

    fn frame(&mut self, bytes: Vec<u8>) -> Frame {
        let lead = match bytes.as_slice() {
            [b'\n', ..] if self.started => 1,
            bytes if !self.started && bytes.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            _ => 0,
        };
        self.started = true;
        Frame { bytes, lead }
    }
}

impl Frame {
    /// The bytes as received, terminator included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload: the values of all `data` fields, one per line. `None` for a frame without any, such as a comment.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut values = self.lines().filter_map(|line| line.value(b"data"));
        let first = values.next()?;
        let mut joined = Cow::Borrowed(first);
        for value in values {
            let joined = joined.to_mut();
            joined.push(b'\n');
            joined.extend_from_slice(value);
        }
        Some(joined)
    }

    /// Where the payload `data` begins, if it stands in one piece.
    pub fn place_of(&self, data: &[u8]) -> Option<usize> {
        let at = data.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        // What was put together of several lines stands elsewhere.
        self.bytes.get(at..at.checked_add(data.len())?).map(|_| at)
    }

    /// Value of the last `event` field.
    pub fn event(&self) -> Option<&str> {
        let value = self.lines().filter_map(|line| line.value(b"event")).last()?;
        std::str::from_utf8(value).ok()
    }

    /// Whether it has a line that is neither a field of the format nor a comment. Readers of events skip it, others may not.
    pub fn has_stray_line(&self) -> bool {
        self.lines().any(|line| line.is_stray())
    }

    /// The same frame with another payload: all other lines, the order and the line ends stay.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut rewritten = Vec::with_capacity(self.bytes.len() + data.len());
        rewritten.extend_from_slice(self.bytes.get(..self.lead).unwrap_or_default());
        let usual_end = self.lines().map(|line| line.end).find(|end| !end.is_empty()).unwrap_or(b"\n");
        let mut written = false;
        for line in self.lines() {
            let is_data = line.value(b"data").is_some();
            if !written && (is_data || line.text.is_empty()) {
                written = true;
                let field: &[u8] =
                    if is_data && !line.text.starts_with(b"data: ") { b"data:" } else { b"data: " };
                data_lines(data, field, usual_end, &mut rewritten);
                if is_data && line.end.is_empty() {
                    rewritten.truncate(rewritten.len() - usual_end.len());
                }
            }
            if !is_data {
                rewritten.extend_from_slice(line.text);
                rewritten.extend_from_slice(line.end);
            }
        }
        if !written {
            data_lines(data, b"data: ", usual_end, &mut rewritten);
        }
        rewritten
    }

    /// [`Frame::with_data`] as a frame that stands in place of this one.
    pub fn replaced(&self, data: &[u8]) -> Frame {
        Frame { bytes: self.with_data(data), lead: self.lead }
    }

    fn lines(&self) -> Lines<'_> {
        Lines { rest: self.bytes.get(self.lead..).unwrap_or_default() }
    }
}

// Written by hand: what a frame says must not reach a log.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("bytes", &self.bytes.len()).finish()
    }
}

struct Lines<'f> {
    rest: &'f [u8],
}

struct Line<'f> {
    text: &'f [u8],
    end: &'f [u8],
}

impl<'f> Iterator for Lines<'f> {
    type Item = Line<'f>;

    fn next(&mut self) -> Option<Line<'f>> {
        if self.rest.is_empty() {
            return None;
        }
        let length = memchr2(b'\n', b'\r', self.rest).unwrap_or(self.rest.len());
        let (text, after) = self.rest.split_at(length);
        let end_length = match after {
            [] => 0,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        let (end, rest) = after.split_at(end_length);
        self.rest = rest;
        Some(Line { text, end })
    }
}

impl<'f> Line<'f> {
    fn is_stray(&self) -> bool {
        let name = memchr(b':', self.text).map_or(self.text, |colon| self.text.split_at(colon).0);
        let is_comment = name.is_empty();
        !is_comment && !FIELDS.contains(&name)
    }

    /// Value of the field, if the line is one of that name.
    fn value(&self, name: &[u8]) -> Option<&'f [u8]> {
        let colon = memchr(b':', self.text);
        let (field, value) = self.text.split_at(colon.unwrap_or(self.text.len()));
        if field != name {
            return None;
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        Some(value.strip_prefix(b" ").unwrap_or(value))
    }
}

//! HTTP/1.1 framing: where a head ends, where a body ends.
//!
//! Reads only what a proxy on loopback sends; is no general parser. Invariant: bytes after the end of a message stay unread.

use memchr::{memchr, memmem};

/// Beyond this a head is not one of ours.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Longest line that states a chunk's size.
const MAX_SIZE_LINE_BYTES: usize = 32;

/// A message's head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head, its empty line included.
    pub(crate) bytes: usize,
    /// Of an answer; 0 for a request.
    pub(crate) status: u16,
    pub(crate) body: Body,
}

/// The head at the start of `buffer`, once it is complete.
pub(crate) fn head(buffer: &[u8]) -> Result<Option<Head>, &'static str> {
    let Some(end) = memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEAD_BYTES { Err("the head does not end") } else { Ok(None) };
    };
    let mut head = Head { bytes: end + 4, status: 0, body: Body::Length(0) };
    let mut lines =
        buffer.get(..end).unwrap_or_default().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    if let Some(rest) = first.strip_prefix(b"HTTP/1.1 ") {
        head.status =
            number(rest.split(|byte| *byte == b' ').next().unwrap_or_default(), 10).unwrap_or(0) as u16;
    }
    for line in lines {
        let Some((name, value)) = memchr(b':', line).and_then(|at| line.split_at_checked(at)) else {
            continue;
        };
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            head.body = Body::Length(number(value, 10).ok_or("the content length is not a number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            head.body = Body::Chunked(Chunked::Size { line: Vec::new() });
        }
    }
    Ok(Some(head))
}

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(usize),
    /// Chunks.
    Chunked(Chunked),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// The line with a chunk's size.
    Size {
        line: Vec<u8>,
    },
    /// So many bytes of a chunk, its line break included.
    Data {
        left: usize,
    },
    /// Trailers: an empty line ends them.
    Trailers {
        empty: bool,
    },
    Done,
}

impl Body {
    /// Reads on in `input`, hands what belongs to the body to `sink` and says how many bytes were read.
    pub(crate) fn read(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, &'static str> {
        match self {
            Body::Length(left) => {
                let (read, _) = input.split_at_checked(*left).unwrap_or((input, &[]));
                *left -= read.len();
                if !read.is_empty() {
                    sink(read);
                }
                Ok(read.len())
            }
            Body::Chunked(state) => {
                let mut rest = input;
                while *state != Chunked::Done && !rest.is_empty() {
                    rest = state.step(rest, &mut sink)?;
                }
                Ok(input.len() - rest.len())
            }
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self, Body::Length(0) | Body::Chunked(Chunked::Done))
    }
}

impl Chunked {
    fn step<'a>(&mut self, input: &'a [u8], sink: &mut impl FnMut(&[u8])) -> Result<&'a [u8], &'static str> {
        match self {
            Chunked::Size { line } => {
                let end = memchr(b'\n', input);
                let (read, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
                line.extend_from_slice(read);
                if line.len() > MAX_SIZE_LINE_BYTES {
                    return Err("the size of a chunk does not end");
                }
                if end.is_some() {
                    *self =
                        match number(line.trim_ascii(), 16).ok_or("the size of a chunk is not a number")? {
                            0 => Chunked::Trailers { empty: true },
                            size => Chunked::Data { left: size + 2 },
                        };
                }
                Ok(rest)
            }
            Chunked::Data { left } => {
                let (read, rest) = input.split_at_checked(*left).unwrap_or((input, &[]));
                // The line break is not part of the data.
                let data = read.len().min((*left).saturating_sub(2));
                if data > 0 {
                    sink(read.get(..data).unwrap_or_default());
                }
                *left -= read.len();
                if *left == 0 {
                    *self = Chunked::Size { line: Vec::new() };
                }
                Ok(rest)
            }
            Chunked::Trailers { empty } => {
                let (first, rest) = input.split_at(1);
                match (first, &empty) {
                    (b"\n", true) => *self = Chunked::Done,
                    (b"\n", false) => *empty = true,
                    (b"\r", _) => {}
                    _ => *empty = false,
                }
                Ok(rest)
            }
            Chunked::Done => Ok(input),
        }
    }
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {

    /// Reads `message` in pieces of `size` bytes; gives its body and what was left over.
    #[track_caller]
    fn check(message: &str, body: &str, left: &str) {
        for size in 1..=message.len() {
            let mut buffer = Vec::new();
            let mut pieces = message.as_bytes().chunks(size);
            let mut head = loop {
                match super::head(&buffer).unwrap() {
                    Some(head) => break head,
                    None => buffer.extend_from_slice(pieces.next().unwrap()),
                }
            };
            let mut rest: Vec<u8> = buffer[head.bytes..].to_vec();
            let mut found = Vec::new();
            loop {
                let read = head.body.read(&rest, |bytes| found.extend_from_slice(bytes)).unwrap();
                rest.drain(..read);
                match pieces.next() {
                    None => break,
                    Some(piece) => rest.extend_from_slice(piece),
                }
            }
            assert!(head.body.is_complete());
            assert_eq!(String::from_utf8(found).unwrap(), body, "in pieces of {size}");
            assert_eq!(String::from_utf8(rest).unwrap(), left, "in pieces of {size}");
        }
    }

    #[test]
    fn a_body_with_a_length_ends_there() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "hello", "HTTP");
    }

    #[test]
    fn a_chunked_body_ends_after_its_trailers() {
        check(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n, my world\r\n0\r\n\r\nGET",
            "hello, my world",
            "GET",
        );
        check("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n", "a", "");
    }

    #[test]
    fn a_message_without_either_has_no_body() {
        check("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET", "", "GET");
    }
}

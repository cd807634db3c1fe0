//! HTTP/1.1 as bytes: heads, bodies and their framing.
//!
//! Just enough for a test client and a test server that must control every byte; it hides nothing and repairs nothing.
//! Invariant: a body piece is returned as soon as its bytes are there, never joined with the next.

pub use kt_control::scenario::Headers;
use std::io::{self, BufRead, Error, ErrorKind, Read};

/// Longest head line that is read; a longer one is a broken peer.
const LINE_BYTES: u64 = 128 * 1024;

/// The first line and the fields of a message.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Request line or status line, without its line ending.
    pub first_line: String,
    /// The fields.
    pub headers: Headers,
}

/// Reads a head; `None` when the peer closed the connection instead of beginning one.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let Some(first_line) = line(reader)? else { return Ok(None) };
    Ok(Some(Head { first_line, headers: fields(reader)? }))
}

/// Fields up to the empty line: the rest of a head, or trailers.
fn fields(reader: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::default();
    loop {
        let text = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        if text.is_empty() {
            return Ok(headers);
        }
        let (name, value) = text.split_once(':').ok_or_else(|| broken("a header field without a colon"))?;
        headers.push(name, value.trim());
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.take(LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let Some(text) = bytes.strip_suffix(b"\n") else { return Err(ErrorKind::UnexpectedEof.into()) };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are left.
    Length(usize),
    /// Chunks, then trailers.
    Chunked,
    /// The peer closes.
    UntilClose,
}

impl Framing {
    /// The framing a head announces; `absent` is what no announcement means, which differs for requests and answers.
    pub fn announced(headers: &Headers, absent: Framing) -> io::Result<Framing> {
        if headers.value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Ok(Framing::Chunked);
        }
        match headers.value("content-length") {
            Some(length) => {
                length.parse().map(Framing::Length).map_err(|_| broken("content-length is not a number"))
            }
            None => Ok(absent),
        }
    }
}

/// Reads one body piece by piece.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    ended: bool,
    /// Fields after the last chunk; empty until the body has ended.
    pub trailers: Headers,
}

impl Body {
    /// A body that has not begun.
    pub fn new(framing: Framing) -> Body {
        Body { framing, ended: framing == Framing::Length(0), trailers: Headers::default() }
    }

    /// The next piece as it came from the network; `None` at the announced end. A cut body is an error.
    pub fn piece(&mut self, reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        match self.framing {
            Framing::UntilClose => {
                let piece = reader.fill_buf()?.to_vec();
                reader.consume(piece.len());
                self.ended = piece.is_empty();
                Ok((!self.ended).then_some(piece))
            }
            Framing::Length(left) => {
                let bytes = reader.fill_buf()?;
                let piece = bytes.get(..bytes.len().min(left)).unwrap_or_default().to_vec();
                if piece.is_empty() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                reader.consume(piece.len());
                let left = left.saturating_sub(piece.len());
                self.framing = Framing::Length(left);
                self.ended = left == 0;
                Ok(Some(piece))
            }
            Framing::Chunked => self.chunk(reader),
        }
    }

    fn chunk(&mut self, reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        let size = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| broken("chunk size is not a number"))?;
        if size == 0 {
            self.trailers = fields(reader)?;
            self.ended = true;
            return Ok(None);
        }
        let mut piece = vec![0; size];
        reader.read_exact(&mut piece)?;
        line(reader)?
            .filter(String::is_empty)
            .ok_or_else(|| broken("a chunk that is longer than its size"))?;
        Ok(Some(piece))
    }

    /// Everything that is left.
    pub fn rest(&mut self, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(reader)? {
            whole.extend(piece);
        }
        Ok(whole)
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wire: &str, expected: Result<&[&str], ErrorKind>) {
        let mut reader = wire.as_bytes();
        let head = read_head(&mut reader).unwrap().unwrap();
        let mut body = Body::new(Framing::announced(&head.headers, Framing::UntilClose).unwrap());
        let mut pieces = Vec::new();
        let ended = loop {
            match body.piece(&mut reader) {
                Ok(Some(piece)) => pieces.push(String::from_utf8(piece).unwrap()),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.kind()),
            }
        };
        assert_eq!(
            ended.map(|()| pieces.iter().map(String::as_str).collect::<Vec<_>>()),
            expected.map(<[_]>::to_vec)
        );
    }

    #[test]
    fn each_chunk_is_one_piece_and_trailers_end_the_body() {
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nx: y\r\n\r\n",
            Ok(&["ab", "c"]),
        );
    }

    #[test]
    fn a_body_ends_at_its_length_or_with_the_connection() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Ok(&["ab"]));
        check("HTTP/1.1 200 OK\r\n\r\nabc", Ok(&["abc"]));
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nabc", Ok(&[]));
    }

    #[test]
    fn a_cut_body_is_an_error() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", Err(ErrorKind::UnexpectedEof));
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            Err(ErrorKind::UnexpectedEof),
        );
    }
}

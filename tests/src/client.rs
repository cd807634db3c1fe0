//! An HTTP/1.1 client that shows every piece of an answer as it arrives.
//!
//! Follows no redirect, repeats nothing, decodes no content. One connection per call.

use crate::wire::{self, Body, Framing, Headers};
pub use kt_control::scenario::Call;
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest silence from the server; beyond it the call fails, so that no test hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn head(call: &Call, address: SocketAddr) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", call.method, call.path);
    for (name, value) in &call.headers.0 {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !call.body.is_empty() || call.method != "GET" {
        head.push_str(&format!("content-length: {}\r\n", call.body.len()));
    }
    head.push_str("\r\n");
    head
}

/// An answer that is still coming.
#[derive(Debug)]
pub struct Stream {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Headers,
    body: Body,
    reader: BufReader<TcpStream>,
}

impl Stream {
    /// The next piece of the body; `None` at its end. A body that was cut is an error.
    pub fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.body.piece(&mut self.reader)
    }

    /// Fields after the body, once it has ended.
    pub fn trailers(&self) -> &Headers {
        &self.body.trailers
    }

    /// Everything that is left; says whether the body came to its announced end.
    pub fn finish(mut self) -> Reply {
        let mut body = Vec::new();
        let whole = loop {
            match self.piece() {
                Ok(Some(piece)) => body.extend(piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        Reply { status: self.status, headers: self.headers, body, trailers: self.body.trailers, whole }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
    /// Fields after the body.
    pub trailers: Headers,
    /// `false`: the connection broke before the announced end of the body.
    pub whole: bool,
}

impl Reply {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, or `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends a request and reads the head of its answer.
pub fn open(address: SocketAddr, call: &Call) -> io::Result<Stream> {
    let connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut request = head(call, address).into_bytes();
    request.extend_from_slice(&call.body);
    // A server may answer and close before it has read everything: its answer still counts.
    let sent = (&connection).write_all(&request);
    let mut reader = BufReader::new(connection);
    let head = match wire::read_head(&mut reader) {
        Ok(Some(head)) => head,
        Ok(None) => return Err(ErrorKind::UnexpectedEof.into()),
        Err(error) => return Err(sent.err().unwrap_or(error)),
    };
    let status =
        head.first_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let framing = Framing::announced(&head.headers, Framing::UntilClose)?;
    Ok(Stream { status, headers: head.headers, body: Body::new(framing), reader })
}

/// Sends a request and waits for the end of its answer.
pub fn send(address: SocketAddr, call: &Call) -> io::Result<Reply> {
    Ok(open(address, call)?.finish())
}

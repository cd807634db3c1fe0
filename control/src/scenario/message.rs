//! What is sent and what comes of it, as plain data.

use serde_json::Value;

/// Header fields in the order of the wire, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of `name`, which is given in lower case.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Adds a field.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into().to_ascii_lowercase(), value.into()));
    }

    /// Adds a field in the place of others of its name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self.push(name, value);
    }
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Call {
    /// `POST`, `GET`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Fields beside `host` and the body's framing.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A `POST` of JSON.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Call {
        let call = Call {
            method: "POST".into(),
            path: path.into(),
            headers: Headers::default(),
            body: body.as_ref().to_vec(),
        };
        call.header("content-type", "application/json")
    }

    /// A `GET`.
    pub fn get(path: &str) -> Call {
        Call { method: "GET".into(), path: path.into(), headers: Headers::default(), body: Vec::new() }
    }

    /// Sets a header field.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Call {
        self.headers.set(name, value);
        self
    }
}

/// The answer of the model, in the pieces in which it arrives.
#[derive(Debug, Clone)]
pub struct ModelAnswer {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Headers,
    /// Its body.
    pub pieces: Vec<Vec<u8>>,
}

/// How the answer of the model arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All at once.
    Whole,
    /// One event of a stream at a time.
    ByEvent,
    /// So many bytes at a time, wherever that falls.
    ByBytes(usize),
}

/// What the model was sent.
#[derive(Debug, Clone)]
pub struct SentUpstream {
    /// Path and query.
    pub path: String,
    /// Header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of an exchange.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Status the client got.
    pub status: u16,
    /// Header fields the client got.
    pub headers: Headers,
    /// Body the client got.
    pub body: Vec<u8>,
    /// The answer came to its end, trailers included.
    pub whole: bool,
    /// What the model was sent, if anything.
    pub upstream: Option<SentUpstream>,
    /// The audit event, if one was written.
    pub event: Option<Value>,
}

impl Outcome {
    /// Of an exchange that did not happen.
    pub fn nothing() -> Outcome {
        Outcome {
            status: 0,
            headers: Headers::default(),
            body: Vec::new(),
            whole: false,
            upstream: None,
            event: None,
        }
    }
}

//! What a scripted server answers: a head, then steps.
//!
//! Describes only; the server acts. Invariant: an answer without steps that wait, gate or break has a length, others are chunked.

use super::Gate;
use crate::wire::Headers;
use std::time::Duration;

/// One thing to do while answering.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send the head now; otherwise it goes out with the first bytes.
    Head,
    /// Send these bytes in one write, and in a chunk of their own if the answer is chunked.
    Bytes(Vec<u8>),
    /// Wait.
    Wait(Duration),
    /// Wait for the test.
    Gate(Gate),
    /// Wait until the client leaves.
    Hang,
    /// Close in mid-body as if the process had ended.
    Cut,
    /// Reset the connection.
    Reset,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Headers,
    trailers: Headers,
    pub(super) steps: Vec<Step>,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Answer {
        Answer { status, headers: Headers::default(), trailers: Headers::default(), steps: Vec::new() }
    }

    /// A JSON answer in one piece, with its length.
    pub fn json(status: u16, body: &str) -> Answer {
        Answer::status(status)
            .header("content-type", "application/json")
            .header("content-length", body.len().to_string())
            .bytes(body)
    }

    /// A chunked answer of server-sent events, as Together heads it; each item is a chunk of its own.
    pub fn chunks<T: AsRef<[u8]>>(chunks: impl IntoIterator<Item = T>) -> Answer {
        // Together writes no space before `charset`.
        let answer = Answer::status(200).header("content-type", "text/event-stream;charset=utf-8");
        chunks.into_iter().fold(answer, Answer::bytes)
    }

    /// No answer at all: the head never comes.
    pub fn hang() -> Answer {
        Answer::status(200).step(Step::Hang)
    }

    /// A reset before the head.
    pub fn reset() -> Answer {
        Answer::status(200).step(Step::Reset)
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push(name, value);
        self
    }

    /// Adds a field after the body.
    pub fn trailer(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.trailers.push(name, value);
        self
    }

    /// Adds a step.
    pub fn step(mut self, step: Step) -> Answer {
        self.steps.push(step);
        self
    }

    /// Adds bytes. Empty bytes add nothing: an empty chunk would end the body.
    pub fn bytes(self, bytes: impl AsRef<[u8]>) -> Answer {
        let bytes = bytes.as_ref();
        if bytes.is_empty() { self } else { self.step(Step::Bytes(bytes.to_vec())) }
    }

    /// Adds a wait.
    pub fn wait(self, time: Duration) -> Answer {
        self.step(Step::Wait(time))
    }

    /// Adds a wait for the test.
    pub fn gate(self, gate: &Gate) -> Answer {
        self.step(Step::Gate(gate.clone()))
    }

    pub(super) fn chunked(&self) -> bool {
        self.headers.value("content-length").is_none()
    }

    pub(super) fn closes(&self) -> bool {
        self.headers.value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers.0 {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.chunked() {
            head.push_str("transfer-encoding: chunked\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(super) fn last_chunk(&self) -> Vec<u8> {
        let mut chunk = String::from("0\r\n");
        for (name, value) in &self.trailers.0 {
            chunk.push_str(&format!("{name}: {value}\r\n"));
        }
        chunk.push_str("\r\n");
        chunk.into_bytes()
    }
}

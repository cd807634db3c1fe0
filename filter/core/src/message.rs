//! Turns the bytes of an LLM exchange into the texts worth inspecting, and edits of those texts back into bytes.
//!
//! Knows the wire shapes of the inspected endpoints, and nothing of policies, streams of bytes or hosts. Every edit is a
//! splice of the original bytes.
//!
//! Invariants: a body that is read without an error is strict JSON without duplicate keys, so the upstream cannot read it
//! differently; a place that holds text by contract is either returned as a [`text::Text`], counted as unscanned, or
//! refused; every byte outside an edited text stays as it was sent.

mod answer;
pub(crate) mod conform;
mod escape;
pub(crate) mod json;
mod keys;
mod names;
pub(crate) mod nested;
mod plain;
mod reader;
mod responses;
mod schema;
mod turn;

pub mod alike;
pub mod delta;
pub mod failure;
pub mod format;
pub mod request;
pub mod response;
pub mod rewrite;
pub mod text;
pub mod usage;

use std::fmt;

/// An endpoint whose bodies are inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/rerank`.
    Rerank,
    /// `POST /v1/responses`.
    Responses,
}

impl Endpoint {
    /// The endpoint of a path without its query; `None` for a path that is not inspected.
    pub fn from_path(path: &str) -> Option<Endpoint> {
        match path.strip_prefix("/v1/")? {
            "chat/completions" => Some(Endpoint::ChatCompletions),
            "completions" => Some(Endpoint::Completions),
            "embeddings" => Some(Endpoint::Embeddings),
            "rerank" => Some(Endpoint::Rerank),
            "responses" => Some(Endpoint::Responses),
            _ => None,
        }
    }

    /// Its answers are choices of a model.
    pub(crate) fn has_choices(self) -> bool {
        matches!(self, Endpoint::ChatCompletions | Endpoint::Completions)
    }

    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::ChatCompletions => "chat/completions",
            Endpoint::Completions => "completions",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Rerank => "rerank",
            Endpoint::Responses => "responses",
        }
    }
}

/// Why a body was not read. Never carries text of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyError {
    /// What is wrong.
    pub kind: BodyErrorKind,
    /// Byte of the body at which it was noticed.
    pub offset: usize,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyErrorKind {
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON as RFC 8259 has it, with nothing after it and no lone surrogates.
    InvalidJson,
    /// An object has the same key twice; two parsers would read two different bodies.
    DuplicateKey,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// JSON, but no object.
    NotAnObject,
    /// A place that holds text has a value of another type; names the place.
    WrongShape(&'static str),
}

/// Deepest nesting of objects and arrays that is read. Real bodies stay under 20; common parsers give up between 100 and 1,000.
pub const MAX_DEPTH: usize = 128;

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            BodyErrorKind::InvalidUtf8 => write!(f, "the body is not valid UTF-8")?,
            BodyErrorKind::InvalidJson => write!(f, "the body is not valid JSON")?,
            BodyErrorKind::DuplicateKey => write!(f, "an object of the body has the same key twice")?,
            BodyErrorKind::TooDeep => write!(f, "the body is nested deeper than {MAX_DEPTH} levels")?,
            BodyErrorKind::NotAnObject => write!(f, "the body must be a JSON object")?,
            BodyErrorKind::WrongShape(place) => write!(f, "`{place}` has a value of the wrong type")?,
        }
        write!(f, " (byte {})", self.offset)
    }
}

impl std::error::Error for BodyError {}

/// Parts of a message that carry no readable text, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unscanned {
    /// Pictures.
    pub image: u32,
    /// Sound.
    pub audio: u32,
    /// Documents.
    pub file: u32,
    /// Video, and every type of part that is not known.
    pub other: u32,
}

impl Unscanned {
    /// Whether everything could be read.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Adds what was met elsewhere.
    pub fn add(&mut self, other: &Unscanned) {
        self.image = self.image.saturating_add(other.image);
        self.audio = self.audio.saturating_add(other.audio);
        self.file = self.file.saturating_add(other.file);
        self.other = self.other.saturating_add(other.other);
    }

    /// Each kind with its count.
    pub fn kinds(self) -> [(&'static str, u32); 4] {
        [("image", self.image), ("audio", self.audio), ("file", self.file), ("other", self.other)]
    }

    /// All of them.
    pub fn total(self) -> u32 {
        self.image.saturating_add(self.audio).saturating_add(self.file).saturating_add(self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_endpoint_or_none() {
        for endpoint in [
            Endpoint::ChatCompletions,
            Endpoint::Completions,
            Endpoint::Embeddings,
            Endpoint::Rerank,
            Endpoint::Responses,
        ] {
            assert_eq!(Endpoint::from_path(&format!("/v1/{}", endpoint.name())), Some(endpoint));
        }
        for path in [
            "",
            "/",
            "/v1/",
            "/v1/chat/completions/",
            "/v1/Chat/Completions",
            "/chat/completions",
            "/v1/models",
        ] {
            assert_eq!(Endpoint::from_path(path), None, "{path}");
        }
    }

    #[test]
    fn an_error_says_what_and_where() {
        let error = BodyError { kind: BodyErrorKind::WrongShape("messages[].content"), offset: 12 };
        assert_eq!(error.to_string(), "`messages[].content` has a value of the wrong type (byte 12)");
    }
}

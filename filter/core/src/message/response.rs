//! Reads a whole answer: its texts, what else spells them out, and what it cost.
//!
//! Invariant: as for requests, a body that is returned was strictly valid.

use super::answer;
use super::text::Text;
use super::turn::Arguments;
use super::usage::Usage;
use super::{BodyError, Endpoint, Unscanned};
use std::borrow::Cow;
use std::ops::Range;

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Response<'a> {
    /// Its texts, in the order of the body.
    pub texts: Vec<Text<'a>>,
    /// Choice, or [`super::text::OUTSIDE`], and span of every value that spells out tokens; to be set to `null` when a
    /// text of that choice is edited.
    pub leaks: Vec<(u32, Range<usize>)>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// The model that answered.
    pub model: Option<Cow<'a, str>>,
    /// Parts that cannot be read.
    pub unscanned: Unscanned,
    /// Why each choice ended.
    pub finish_reasons: Vec<(u32, Cow<'a, str>)>,
    /// The body reports an error.
    pub is_error: bool,
}

/// Reads an answer of `endpoint`.
pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Response<'_>, BodyError> {
    read_as(endpoint, body, Arguments::Whole)
}

/// The same with the arguments of each call as one text, whether they are JSON or not.
pub(crate) fn read_as_said(endpoint: Endpoint, body: &[u8]) -> Result<Response<'_>, BodyError> {
    read_as(endpoint, body, Arguments::Piece)
}

fn read_as(endpoint: Endpoint, body: &[u8], arguments: Arguments) -> Result<Response<'_>, BodyError> {
    let answer = answer::read(endpoint, body, arguments)?;
    Ok(Response {
        texts: answer.texts,
        leaks: answer.leaks,
        usage: answer.usage,
        model: answer.model,
        unscanned: answer.unscanned,
        finish_reasons: answer.finish_reasons,
        is_error: answer.is_error,
    })
}

//! Reads one event of a stream: what it adds to which lane.
//!
//! Knows nothing of SSE and keeps nothing between events. Invariant: two places of an event that say the same are one
//! delta, so they cannot be edited differently.

use super::answer;
use super::text::{Channel, Lane, Text};
use super::turn::Arguments;
use super::usage::Usage;
use super::{BodyError, Endpoint, Unscanned};
use std::borrow::Cow;
use std::ops::Range;

/// What one event says.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// What it adds, in the order of the event; a lane may come more than once.
    pub deltas: Vec<Delta<'a>>,
    /// Choices that end with this event.
    pub finished: Vec<u32>,
    /// Choice and span of every value that spells out tokens; to be set to `null` when a delta of that choice is edited.
    pub leaks: Vec<(u32, Range<usize>)>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// The event reports an error.
    pub is_error: bool,
    /// The model that answers.
    pub model: Option<Cow<'a, str>>,
    /// Parts that cannot be read.
    pub unscanned: Unscanned,
}

/// Text that an event adds to a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta<'a> {
    /// Where it goes.
    pub lane: Lane,
    /// What is added. For a tool call, a piece of JSON text.
    pub text: Text<'a>,
    /// The same text elsewhere in the event; gets the same new value.
    pub copies: Vec<Text<'a>>,
}

/// Reads the payload of one event of `endpoint`.
pub fn read(endpoint: Endpoint, payload: &[u8]) -> Result<Event<'_>, BodyError> {
    let answer = answer::read(endpoint, payload, Arguments::Piece)?;
    Ok(Event {
        deltas: deltas(answer.texts, endpoint),
        finished: answer.finish_reasons.iter().map(|(choice, _)| *choice).collect(),
        leaks: answer.leaks,
        usage: answer.usage,
        is_error: answer.is_error,
        model: answer.model,
        unscanned: answer.unscanned,
    })
}

fn deltas<'a>(texts: Vec<Text<'a>>, endpoint: Endpoint) -> Vec<Delta<'a>> {
    let mut deltas: Vec<Delta<'a>> = Vec::with_capacity(texts.len());
    let mut repeats = Vec::new();
    for text in texts {
        match text.channel {
            Channel::Text if endpoint == Endpoint::ChatCompletions => repeats.push(text),
            Channel::ReasoningDetails => repeats.push(text),
            _ => deltas.push(Delta { lane: text.lane(), text, copies: Vec::new() }),
        }
    }
    for text in repeats {
        let original = deltas.iter_mut().find(|delta| {
            delta.lane.choice == text.choice
                && matches!(
                    delta.lane.channel,
                    Channel::Content | Channel::Reasoning | Channel::ReasoningContent
                )
                && delta.text.value == text.value
        });
        match original {
            Some(delta) => delta.copies.push(text),
            // Nothing is added, and the lane need not exist.
            None if text.value.is_empty() => {}
            None => deltas.push(Delta { lane: text.lane(), text, copies: Vec::new() }),
        }
    }
    deltas
}

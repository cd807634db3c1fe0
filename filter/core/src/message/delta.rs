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

/// The texts of a choice stand together. Only the last text of a channel can be repeated: where one comes in parts, there
/// is nothing that repeats all of it.
fn deltas<'a>(texts: Vec<Text<'a>>, endpoint: Endpoint) -> Vec<Delta<'a>> {
    let mut deltas: Vec<Delta<'a>> = Vec::with_capacity(texts.len());
    let mut repeats: Vec<Text<'a>> = Vec::new();
    let mut originals = Originals::default();
    let mut choice = None;
    for text in texts {
        if choice.replace(text.choice) != Some(text.choice) {
            settle(&mut repeats, std::mem::take(&mut originals), &mut deltas);
        }
        let original = match text.channel {
            Channel::Text if endpoint == Endpoint::ChatCompletions => {
                repeats.push(text);
                continue;
            }
            Channel::ReasoningDetails => {
                repeats.push(text);
                continue;
            }
            Channel::Content => Some(0),
            Channel::Reasoning => Some(1),
            Channel::ReasoningContent => Some(2),
            _ => None,
        };
        if let Some(last) = original.and_then(|channel: usize| originals.get_mut(channel)) {
            *last = Some(deltas.len());
        }
        deltas.push(Delta { lane: text.lane(), text, copies: Vec::new() });
    }
    settle(&mut repeats, originals, &mut deltas);
    deltas
}

/// Where the last `content`, `reasoning` and `reasoning_content` of a choice stand among the deltas.
type Originals = [Option<usize>; 3];

/// Puts each text that may be a repeat beside what it repeats, or gives it a lane of its own.
fn settle<'a>(repeats: &mut Vec<Text<'a>>, originals: Originals, deltas: &mut Vec<Delta<'a>>) {
    for text in repeats.drain(..) {
        let original = originals
            .into_iter()
            .flatten()
            .find(|original| deltas.get(*original).is_some_and(|delta| delta.text.value == text.value));
        match original.and_then(|original| deltas.get_mut(original)) {
            Some(delta) => {
                if delta.copies.is_empty() {
                    // Nearly always the only one.
                    delta.copies.reserve_exact(1);
                }
                delta.copies.push(text);
            }
            // Nothing is added, and the lane need not exist.
            None if text.value.is_empty() => {}
            None => deltas.push(Delta { lane: text.lane(), text, copies: Vec::new() }),
        }
    }
}

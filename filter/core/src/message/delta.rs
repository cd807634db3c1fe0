//! Reads one event of a stream: what it adds to which lane.
//!
//! Knows nothing of SSE and keeps nothing between events. Invariant: two places of an event that say the same are one
//! delta, so they cannot be edited differently.

use super::answer;
use super::responses;
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
    /// Texts that stand whole in it, for lanes that may have come in pieces before.
    pub whole: Vec<Text<'a>>,
    /// Texts that say again all that a choice said so far, where the choice goes on: Perplexity's `message` beside `delta`.
    pub so_far: Vec<Text<'a>>,
    /// Choices, or output items, that end with this event.
    pub finished: Vec<u32>,
    /// The one lane that ends with this event.
    pub lane_done: Option<Lane>,
    /// Why they end, in the same order.
    pub finish_reasons: Vec<(u32, Cow<'a, str>)>,
    /// Choice and span of every value that spells out tokens; to be set to `null` when a delta of that choice is edited.
    pub leaks: Vec<(u32, Range<usize>)>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// It is about a choice.
    pub has_choices: bool,
    /// Nothing is added to any lane any more: the answer is complete, or the event reports an error.
    pub ends: bool,
    /// Where it says who speaks. Clients join what comes twice.
    pub role_at: Option<Range<usize>>,
    /// The model that answers.
    pub model: Option<Cow<'a, str>>,
    /// Parts that cannot be read.
    pub unscanned: Unscanned,
    /// Where values stand that differ from event to event and say nothing.
    pub(super) varying: Vec<Range<usize>>,
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

impl Event<'_> {
    /// It only adds texts to lanes that go on.
    pub(super) fn says_nothing_else(&self) -> bool {
        self.whole.is_empty()
            && self.so_far.is_empty()
            && self.finished.is_empty()
            && self.finish_reasons.is_empty()
            && self.lane_done.is_none()
            && self.usage.is_none()
            && self.unscanned.is_empty()
            && !self.ends
    }
}

/// Reads the payload of one event of `endpoint`.
pub fn read(endpoint: Endpoint, payload: &[u8]) -> Result<Event<'_>, BodyError> {
    let mut answer = answer::read(endpoint, payload, Arguments::Piece)?;
    let mut finished: Vec<u32> = answer.finish_reasons.iter().map(|(choice, _)| *choice).collect();
    let (deltas, mut whole) = match endpoint {
        Endpoint::Responses => {
            finished.extend(answer.event.item_done);
            let delta = responses::take_delta(&mut answer.texts, &answer.event);
            let delta = delta.map(|text| Delta { lane: text.lane(), text, copies: Vec::new() });
            (delta.into_iter().collect(), answer.texts)
        }
        _ => {
            // Citations and their like stand whole in an event, and whole again in the next.
            let is_whole =
                |text: &Text| text.channel == Channel::Prompt && !text.place.pattern().starts_with("prompt");
            let (whole, texts) = match answer.texts.iter().any(is_whole) {
                true => answer.texts.into_iter().partition(is_whole),
                false => (Vec::new(), answer.texts),
            };
            (deltas(texts, endpoint), whole)
        }
    };
    let (complete, so_far): (Vec<Text>, Vec<Text>) =
        answer.so_far.into_iter().partition(|text| finished.contains(&text.choice));
    whole.extend(complete);
    Ok(Event {
        deltas,
        whole,
        so_far,
        finished,
        lane_done: answer.event.lane_done,
        finish_reasons: answer.finish_reasons,
        leaks: answer.leaks,
        usage: answer.usage,
        has_choices: answer.has_choices,
        ends: answer.is_error || answer.event.ends,
        role_at: answer.role_at,
        model: answer.model,
        unscanned: answer.unscanned,
        varying: answer.varying,
    })
}

/// The texts of a choice stand together, and those that may repeat others come last. What is repeated is the last text of
/// a channel: where one comes in parts, there is nothing that repeats all of it.
fn deltas<'a>(texts: Vec<Text<'a>>, endpoint: Endpoint) -> Vec<Delta<'a>> {
    let mut deltas: Vec<Delta<'a>> = Vec::with_capacity(texts.len());
    // Where the last `content`, `reasoning` and `reasoning_content` of the choice stand.
    let mut originals: [Option<usize>; 3] = [None; 3];
    let mut choice = None;
    for text in texts {
        if choice.replace(text.choice) != Some(text.choice) {
            originals = [None; 3];
        }
        let may_repeat = match text.channel {
            Channel::Text => endpoint == Endpoint::ChatCompletions,
            channel => channel.may_repeat(),
        };
        if may_repeat {
            let says_the_same =
                |original: &usize| deltas.get(*original).is_some_and(|delta| delta.text.value == text.value);
            let original = originals.into_iter().flatten().find(says_the_same);
            if let Some(delta) = original.and_then(|original| deltas.get_mut(original)) {
                if delta.copies.is_empty() {
                    // Nearly always the only one.
                    delta.copies.reserve_exact(1);
                }
                delta.copies.push(text);
                continue;
            }
            // Nothing is added, and the lane need not exist.
            if text.value.is_empty() {
                continue;
            }
        }
        let [content, reasoning, reasoning_content] = &mut originals;
        match text.channel {
            Channel::Content => *content = Some(deltas.len()),
            Channel::Reasoning => *reasoning = Some(deltas.len()),
            Channel::ReasoningContent => *reasoning_content = Some(deltas.len()),
            _ => {}
        }
        deltas.push(Delta { lane: text.lane(), text, copies: Vec::new() });
    }
    deltas
}

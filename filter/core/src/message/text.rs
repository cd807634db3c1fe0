//! One inspectable string of a message: where it stands, who wrote it, what it says, and how an edit of it is written.
//!
//! Does not find texts and does not judge them. Invariant: an edit changes bytes of its own text only, and leaves the
//! body valid JSON.

use super::escape::{Positions, decode, encoded};
use super::nested;
use super::rewrite::Splice;
use crate::config::Role;
use crate::order::by_place;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Where a text stands, such as `messages[2].content[0].text`. Holds no text of the exchange, so it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The path with empty brackets.
    pattern: &'static str,
    /// What goes into the brackets, in order.
    indices: [u32; 3],
}

impl Place {
    pub(super) fn new(pattern: &'static str, indices: [u32; 3]) -> Place {
        Place { pattern, indices }
    }

    /// The first number: the position of the message, where there are messages.
    pub fn item(self) -> u32 {
        let [first, ..] = self.indices;
        first
    }

    /// The path without its numbers, such as `messages[].content[].text`.
    pub fn pattern(self) -> &'static str {
        self.pattern
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.pattern.split("[]");
        f.write_str(steps.next().unwrap_or_default())?;
        for (step, index) in steps.zip(self.indices) {
            write!(f, "[{index}]{step}")?;
        }
        Ok(())
    }
}

/// Which string of a message a text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// `content`.
    Content,
    /// `reasoning`, and the thinking parts of `content`.
    Reasoning,
    /// `reasoning_content`.
    ReasoningContent,
    /// `reasoning_details`.
    ReasoningDetails,
    /// `refusal`.
    Refusal,
    /// `audio.transcript`.
    Transcript,
    /// `choices[].text`.
    Text,
    /// Name of a message's author.
    Name,
    /// Name of the function the n-th tool call calls.
    ToolName(u32),
    /// Arguments of the n-th tool call, JSON text.
    ToolCall(u32),
    /// What the n-th call of a tool without a schema is given, in any form.
    ToolInput(u32),
    /// The n-th part of an output item's content.
    Output(u32),
    /// A refusal there.
    OutputRefusal(u32),
    /// Reasoning there.
    OutputReasoning(u32),
    /// The n-th part of a summary of the reasoning.
    OutputSummary(u32),
    /// Arguments of an output item that calls a tool, JSON text.
    OutputArguments,
    /// What an output item gives a tool without a schema.
    OutputInput,
    /// A program that a tool of the provider's is to run.
    OutputCode,
    /// Name in the older `function_call`.
    FunctionName,
    /// Arguments in the older `function_call`.
    FunctionCall,
    /// A member of a message that is not known, by a hash of the keys that lead to it.
    Member(u32),
    /// Definition of a tool or of the wanted response format.
    Definition,
    /// `prompt`, `suffix`, `input`, `query`, `documents`.
    Prompt,
}

impl Channel {
    /// Prose for people, as opposed to names and to JSON text.
    pub fn is_prose(self) -> bool {
        use Channel::*;
        matches!(
            self,
            Content
                | Reasoning
                | ReasoningContent
                | Refusal
                | Text
                | Output(_)
                | OutputRefusal(_)
                | OutputReasoning(_)
                | OutputSummary(_)
        )
    }

    /// What its texts are counted as.
    pub fn kind(self) -> TextKind {
        use Channel::*;
        match self {
            Content | Text | Transcript | Output(_) | Member(_) => TextKind::Content,
            Reasoning | ReasoningContent | ReasoningDetails | OutputReasoning(_) | OutputSummary(_) => {
                TextKind::Reasoning
            }
            Refusal | OutputRefusal(_) => TextKind::Refusal,
            ToolName(_) | ToolCall(_) | ToolInput(_) | FunctionName | FunctionCall => TextKind::ToolCall,
            OutputArguments | OutputInput | OutputCode => TextKind::ToolCall,
            Definition => TextKind::Definition,
            Name => TextKind::Name,
            Prompt => TextKind::Prompt,
        }
    }

    /// JSON text in pieces: what counts is what its strings say.
    pub fn is_json(self) -> bool {
        matches!(self, Channel::ToolCall(_) | Channel::FunctionCall | Channel::OutputArguments)
    }

    /// What an answer that is to be JSON says.
    pub fn is_said(self) -> bool {
        matches!(self, Channel::Content | Channel::Text | Channel::Output(_))
    }

    /// The same channel of another part.
    pub(super) fn of_part(self, part: u32) -> Channel {
        match self {
            Channel::Output(_) => Channel::Output(part),
            Channel::OutputRefusal(_) => Channel::OutputRefusal(part),
            Channel::OutputReasoning(_) => Channel::OutputReasoning(part),
            Channel::OutputSummary(_) => Channel::OutputSummary(part),
            channel => channel,
        }
    }

    /// Whether providers use it to say again what another channel of the same event says.
    pub(super) fn may_repeat(self) -> bool {
        matches!(self, Channel::Text | Channel::ReasoningDetails)
    }

    /// Its place below a choice or an output item of a stream.
    fn path(self) -> &'static str {
        match self {
            Channel::Content => "delta.content",
            Channel::Reasoning => "delta.reasoning",
            Channel::ReasoningContent => "delta.reasoning_content",
            Channel::ReasoningDetails => "delta.reasoning_details",
            Channel::Refusal => "delta.refusal",
            Channel::Transcript => "delta.audio.transcript",
            Channel::Text => "text",
            Channel::Name => "delta.name",
            Channel::ToolName(_) => "delta.tool_calls[].function.name",
            Channel::ToolCall(_) => "delta.tool_calls[].function.arguments",
            Channel::ToolInput(_) => "delta.tool_calls[].custom.input",
            Channel::FunctionName => "delta.function_call.name",
            Channel::FunctionCall => "delta.function_call.arguments",
            Channel::OutputRefusal(_) => "refusal",
            Channel::Output(_) | Channel::OutputReasoning(_) | Channel::OutputSummary(_) => "text",
            Channel::OutputArguments => "arguments",
            Channel::OutputInput => "input",
            Channel::OutputCode => "code",
            Channel::Member(_) => "delta.*",
            Channel::Definition | Channel::Prompt => "",
        }
    }
}

/// What a text is, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// What is said in a conversation.
    Content,
    /// Thoughts of the model, and summaries of them.
    Reasoning,
    /// Why the model does not answer.
    Refusal,
    /// Names, arguments and programs of tool calls.
    ToolCall,
    /// Definitions of tools and of response formats.
    Definition,
    /// Names of authors.
    Name,
    /// Prompts, documents, queries, instructions, annotations.
    Prompt,
}

impl TextKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [TextKind; 7] = [
        TextKind::Content,
        TextKind::Reasoning,
        TextKind::Refusal,
        TextKind::ToolCall,
        TextKind::Definition,
        TextKind::Name,
        TextKind::Prompt,
    ];

    /// As in the event.
    pub fn name(self) -> &'static str {
        match self {
            TextKind::Content => "content",
            TextKind::Reasoning => "reasoning",
            TextKind::Refusal => "refusal",
            TextKind::ToolCall => "tool_call",
            TextKind::Definition => "definition",
            TextKind::Name => "name",
            TextKind::Prompt => "prompt",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (choice, path) = (self.choice, self.channel.path());
        match self.channel {
            Channel::Output(part) | Channel::OutputRefusal(part) | Channel::OutputReasoning(part) => {
                write!(f, "output[{choice}].content[{part}].{path}")
            }
            Channel::OutputSummary(part) => write!(f, "output[{choice}].summary[{part}].{path}"),
            Channel::OutputArguments | Channel::OutputInput | Channel::OutputCode => {
                write!(f, "output[{choice}].{path}")
            }
            _ => write!(f, "choices[{choice}].{path}"),
        }
    }
}

/// One stream of text: a channel of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Index of the choice, or of the output item, or [`OUTSIDE`].
    pub choice: u32,
    /// Which of its strings.
    pub channel: Channel,
}

/// In place of the index of a choice: the text belongs to none.
pub const OUTSIDE: u32 = u32::MAX;

/// One inspectable string.
#[derive(Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// Where it stands.
    pub place: Place,
    /// Who wrote it.
    pub role: Role,
    /// Choice of the answer it belongs to, or [`OUTSIDE`].
    pub choice: u32,
    /// Which string of its message it is.
    pub channel: Channel,
    /// What it says, all escapes resolved.
    pub value: Cow<'a, str>,
    pub(super) layer: Layer,
    /// Where it is written in the body, without quotes.
    pub(super) span: Range<usize>,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// A JSON string.
    String,
    /// A JSON string inside JSON text inside a JSON string.
    NestedString,
    /// A bare number inside JSON text inside a JSON string.
    NestedNumber,
}

// Written by hand: what a text says must not reach a log.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("place", &format_args!("{}", self.place))
            .field("role", &self.role)
            .field("bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}

/// Puts the leaves of what the answer in `body` says in its place: the answer is to be JSON, and has to stay it.
pub fn open_json<'a>(texts: &mut Vec<Text<'a>>, body: &'a [u8]) {
    for text in std::mem::take(texts) {
        let written = std::str::from_utf8(body.get(text.span.clone()).unwrap_or_default());
        match written {
            Ok(written) if text.layer == Layer::String && text.channel.is_said() => {
                nested::push(text, written, texts);
            }
            _ => texts.push(text),
        }
    }
}

impl Text<'_> {
    /// The stream of text it belongs to.
    pub fn lane(&self) -> Lane {
        Lane { choice: self.choice, channel: self.channel }
    }

    /// Adds the splices of `body` that put replacements in the place of byte ranges of `value`.
    ///
    /// Ranges come in any order. One that cuts a character takes all of it, and one that overlaps another is taken
    /// together with it, so that no part of what was to go can stay.
    pub fn edit(&self, body: &[u8], edits: &[(Range<usize>, &str)], splices: &mut Vec<Splice>) {
        let edits = self.settled(edits);
        if self.layer == Layer::NestedNumber {
            if !edits.is_empty() {
                self.replace(&replaced(&self.value, &edits), splices);
            }
            return;
        }
        let raw = body.get(self.span.clone()).unwrap_or_default();
        let inner = match self.layer {
            Layer::NestedString => decode(std::str::from_utf8(raw).unwrap_or_default()),
            _ => Cow::Borrowed(""),
        };
        let (mut outer, mut inner) = (Positions::new(raw), Positions::new(inner.as_bytes()));
        for (range, with) in edits {
            let range = match self.layer {
                Layer::NestedString => inner.start(range.start)..inner.end(range.end),
                _ => range,
            };
            let start = self.span.start + outer.start(range.start);
            let end = self.span.start + outer.end(range.end);
            splices.push(Splice { range: start..end, with: self.written(with) });
        }
    }

    /// Adds the splice that replaces the whole value.
    pub fn replace(&self, with: &str, splices: &mut Vec<Splice>) {
        splices.push(Splice { range: self.span.clone(), with: self.written(with) });
    }

    fn written(&self, with: &str) -> Vec<u8> {
        let once = encoded(with);
        let raw = match self.layer {
            Layer::String => once,
            Layer::NestedString => encoded(&once),
            Layer::NestedNumber => encoded(&format!("\"{once}\"")),
        };
        raw.into_bytes()
    }

    /// The edits in order, on character boundaries, without overlap.
    fn settled<'e>(&self, edits: &[(Range<usize>, &'e str)]) -> Vec<(Range<usize>, &'e str)> {
        let value = &*self.value;
        let order = by_place(edits.iter().map(|(range, _)| range.start));
        let mut settled: Vec<(Range<usize>, &str)> = order
            .filter_map(|position| edits.get(position))
            .map(|(range, with)| {
                let start = value.floor_char_boundary(range.start);
                (start..value.ceil_char_boundary(range.end).max(start), *with)
            })
            .collect();
        settled.dedup_by(|(next, _), (kept, _)| {
            let overlaps = next.start < kept.end;
            if overlaps {
                kept.end = kept.end.max(next.end);
            }
            overlaps
        });
        settled
    }
}

fn replaced(value: &str, edits: &[(Range<usize>, &str)]) -> String {
    let mut replaced = String::with_capacity(value.len());
    let mut copied = 0;
    for (range, with) in edits {
        replaced.push_str(value.get(copied..range.start).unwrap_or_default());
        replaced.push_str(with);
        copied = range.end;
    }
    replaced.push_str(value.get(copied..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_prints_its_path() {
        let place = Place::new("messages[].content[].text", [2, 0, 0]);
        assert_eq!(place.to_string(), "messages[2].content[0].text");
        assert_eq!(Place::new("query", [0; 3]).to_string(), "query");
        assert_eq!(Place::new("prompt[]", [7, 0, 0]).to_string(), "prompt[7]");
    }

    #[test]
    fn debug_output_keeps_the_value_to_itself() {
        let text = Text {
            place: Place::new("query", [0; 3]),
            role: Role::User,
            choice: OUTSIDE,
            channel: Channel::Prompt,
            value: Cow::Borrowed("secret"),
            layer: Layer::String,
            span: 0..6,
        };
        assert!(!format!("{text:?}").contains("secret"));
    }
}

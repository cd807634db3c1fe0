//! Reads one turn of a conversation: a message of a request, a message of an answer, or a delta of a stream.
//!
//! The three have one shape, so what is inspected on the way in is inspected on the way out. Invariant: a content part is
//! either a text or counted as unscanned.

use super::Unscanned;
use super::json::Kind;
use super::names::Name;
use super::reader::{At, Reader, Result};
use super::text::Channel;
use crate::config::Role;
use crate::fnv;

/// How deep content parts are read inside content parts: `thinking` parts hold text parts.
const PART_DEPTH: u32 = 2;

/// Where the texts of a turn stand.
pub(super) struct Places {
    content: &'static str,
    part: &'static str,
    part_text: &'static str,
    part_refusal: &'static str,
    part_thinking: &'static str,
    name: &'static str,
    refusal: &'static str,
    reasoning: &'static str,
    reasoning_content: &'static str,
    reasoning_details: &'static str,
    detail_text: &'static str,
    detail_summary: &'static str,
    audio: &'static str,
    transcript: &'static str,
    tool_calls: &'static str,
    tool_call: &'static str,
    tool_function: &'static str,
    tool_name: &'static str,
    tool_arguments: &'static str,
    custom: &'static str,
    custom_name: &'static str,
    custom_input: &'static str,
    function_call: &'static str,
    function_name: &'static str,
    function_arguments: &'static str,
    annotations: &'static str,
    member: &'static str,
}

macro_rules! places {
    ($base:literal) => {
        Places {
            content: concat!($base, ".content"),
            part: concat!($base, ".content[]"),
            part_text: concat!($base, ".content[].text"),
            part_refusal: concat!($base, ".content[].refusal"),
            part_thinking: concat!($base, ".content[].thinking"),
            name: concat!($base, ".name"),
            refusal: concat!($base, ".refusal"),
            reasoning: concat!($base, ".reasoning"),
            reasoning_content: concat!($base, ".reasoning_content"),
            reasoning_details: concat!($base, ".reasoning_details"),
            detail_text: concat!($base, ".reasoning_details[].text"),
            detail_summary: concat!($base, ".reasoning_details[].summary"),
            audio: concat!($base, ".audio"),
            transcript: concat!($base, ".audio.transcript"),
            tool_calls: concat!($base, ".tool_calls"),
            tool_call: concat!($base, ".tool_calls[]"),
            tool_function: concat!($base, ".tool_calls[].function"),
            tool_name: concat!($base, ".tool_calls[].function.name"),
            tool_arguments: concat!($base, ".tool_calls[].function.arguments"),
            custom: concat!($base, ".tool_calls[].custom"),
            custom_name: concat!($base, ".tool_calls[].custom.name"),
            custom_input: concat!($base, ".tool_calls[].custom.input"),
            function_call: concat!($base, ".function_call"),
            function_name: concat!($base, ".function_call.name"),
            function_arguments: concat!($base, ".function_call.arguments"),
            annotations: concat!($base, ".annotations"),
            member: concat!($base, ".*"),
        }
    };
}

pub(super) const REQUEST: Places = places!("messages[]");
pub(super) const ANSWER: Places = places!("choices[].message");
pub(super) const DELTA: Places = places!("choices[].delta");

/// Whether the arguments of tool calls are there as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// JSON text, read leaf by leaf.
    Whole,
    /// A piece of JSON text.
    Piece,
}

impl<'a> Reader<'a> {
    /// Reads the object that comes next as turn `number`. Returns the role it names.
    pub(super) fn turn(
        &mut self,
        places: &'static Places,
        number: u32,
        arguments: Arguments,
    ) -> Result<Option<Role>> {
        let at = [number, 0, 0];
        let mut role = None;
        self.each_member(|reader, key| match key {
            Name::Role => {
                reader.cursor.kind()?;
                let start = reader.cursor.offset();
                role = reader.name()?.and_then(role_of);
                reader.role_at = Some(start..reader.cursor.offset());
                Ok(())
            }
            Name::Content => reader.content(places, at),
            Name::Name => reader.text(places.name, at, Channel::Name),
            Name::Refusal => reader.text(places.refusal, at, Channel::Refusal),
            Name::Reasoning => reader.text(places.reasoning, at, Channel::Reasoning),
            Name::ReasoningContent => reader.text(places.reasoning_content, at, Channel::ReasoningContent),
            Name::ReasoningDetails => reader.reasoning_details(places, number),
            Name::Audio => reader.audio(places, at),
            Name::ToolCalls => reader.each_item(places.tool_calls, |reader, call| {
                reader.tool_call(places, [number, call, 0], arguments)
            }),
            Name::FunctionCall => reader.each_member_of(places.function_call, |reader, key| match key {
                Name::Name => reader.text(places.function_name, at, Channel::FunctionName),
                Name::Arguments => {
                    reader.arguments(places.function_arguments, at, Channel::FunctionCall, arguments)
                }
                _ => reader.cursor.skip(),
            }),
            name if name.spells_tokens() => reader.leak(),
            // They come whole, and each stream repeats them as it likes.
            _ if reader.cursor.key() == "annotations" => {
                reader.leaves(places.annotations, at, Channel::Prompt)
            }
            name => reader.member(name, places.member, at, fnv::EMPTY),
        })?;
        Ok(role)
    }

    fn content(&mut self, places: &'static Places, at: At) -> Result<()> {
        let [number, ..] = at;
        match self.cursor.kind()? {
            Kind::Array => self.each_item(places.content, |reader, part| {
                reader.part(places, [number, part, 0], Channel::Content, PART_DEPTH)
            }),
            _ => self.text(places.content, at, Channel::Content),
        }
    }

    /// One item of a content array.
    fn part(&mut self, places: &'static Places, at: At, channel: Channel, depth: u32) -> Result<()> {
        if self.cursor.kind()? != Kind::Object {
            return self.text(places.part, at, channel);
        }
        let mut kind = None;
        let mut has_text = false;
        self.each_member(|reader, key| match key {
            Name::Type => {
                kind = reader.name()?;
                Ok(())
            }
            Name::Text => {
                has_text = true;
                reader.text(places.part_text, at, channel)
            }
            Name::Refusal => {
                has_text = true;
                reader.text(places.part_refusal, at, Channel::Refusal)
            }
            Name::Thinking => {
                has_text = true;
                let [number, part, _] = at;
                match reader.cursor.kind()? {
                    Kind::Array if depth > 0 => reader.each_item(places.part_thinking, |reader, _| {
                        reader.part(places, [number, part, 0], Channel::Reasoning, depth - 1)
                    }),
                    _ => reader.text(places.part_thinking, at, Channel::Reasoning),
                }
            }
            name if count_of(name).is_some() => reader.cursor.skip(),
            name => reader.member(name, places.part, at, fnv::EMPTY),
        })?;
        self.unscanned.count_part(kind, has_text);
        Ok(())
    }

    /// OpenRouter's list of thoughts, which repeats `reasoning`.
    fn reasoning_details(&mut self, places: &'static Places, number: u32) -> Result<()> {
        self.each_item(places.reasoning_details, |reader, detail| {
            let at = [number, detail, 0];
            reader.each_member_of(places.reasoning_details, |reader, key| match key {
                Name::Text => reader.text(places.detail_text, at, Channel::ReasoningDetails),
                Name::Summary => reader.text(places.detail_summary, at, Channel::ReasoningDetails),
                _ => reader.cursor.skip(),
            })
        })
    }

    fn audio(&mut self, places: &'static Places, at: At) -> Result<()> {
        self.each_member_of(places.audio, |reader, key| match key {
            Name::Transcript => reader.text(places.transcript, at, Channel::Transcript),
            Name::Data => {
                reader.unscanned.audio = reader.unscanned.audio.saturating_add(1);
                reader.cursor.skip()
            }
            _ => reader.cursor.skip(),
        })
    }

    fn tool_call(&mut self, places: &'static Places, at: At, arguments: Arguments) -> Result<()> {
        let first = self.texts.len();
        let [_, position, _] = at;
        let mut index = position;
        self.each_member_of(places.tool_call, |reader, key| match key {
            Name::Index => {
                index = reader.index()?.unwrap_or(position);
                Ok(())
            }
            Name::Function => reader.each_member_of(places.tool_function, |reader, key| match key {
                Name::Name => reader.text(places.tool_name, at, Channel::ToolName(position)),
                Name::Arguments => {
                    reader.arguments(places.tool_arguments, at, Channel::ToolCall(position), arguments)
                }
                name => reader.member(name, places.tool_call, at, fnv::EMPTY),
            }),
            Name::Custom => reader.each_member_of(places.custom, |reader, key| match key {
                Name::Name => reader.text(places.custom_name, at, Channel::ToolName(position)),
                Name::Input => reader.text(places.custom_input, at, Channel::ToolInput(position)),
                name => reader.member(name, places.tool_call, at, fnv::EMPTY),
            }),
            name => reader.member(name, places.tool_call, at, fnv::EMPTY),
        })?;
        for text in self.texts.iter_mut().skip(first) {
            text.channel = match text.channel {
                // Calls are apart, whatever their keys are.
                Channel::Member(path) => Channel::Member(path.rotate_left(8) ^ index.wrapping_add(1)),
                Channel::ToolName(_) => Channel::ToolName(index),
                Channel::ToolInput(_) => Channel::ToolInput(index),
                _ => Channel::ToolCall(index),
            };
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        place: &'static str,
        at: At,
        channel: Channel,
        arguments: Arguments,
    ) -> Result<()> {
        match arguments {
            Arguments::Whole => self.nested(place, at, channel),
            Arguments::Piece => self.text(place, at, channel),
        }
    }
}

impl Unscanned {
    /// Counts one content part that was read, unless its text was all there is to it.
    pub(super) fn count_part(&mut self, kind: Option<Name>, has_text: bool) {
        let counter = match kind {
            Some(
                Name::Text
                | Name::InputText
                | Name::OutputText
                | Name::Refusal
                | Name::Thinking
                | Name::ReasoningText
                | Name::SummaryText
                | Name::Reference,
            ) => return,
            None if has_text => return,
            _ => match kind.and_then(count_of) {
                Some(count) => count(self),
                None => &mut self.other,
            },
        };
        *counter = counter.saturating_add(1);
    }
}

/// The count for parts of a kind that is known to be no text. What such a part is made of has the same name.
fn count_of(kind: Name) -> Option<fn(&mut Unscanned) -> &mut u32> {
    Some(match kind {
        Name::ImageUrl | Name::InputImage | Name::Image | Name::ImageFile => |unscanned| &mut unscanned.image,
        Name::InputAudio | Name::AudioUrl | Name::Audio | Name::OutputAudio => {
            |unscanned| &mut unscanned.audio
        }
        Name::File | Name::InputFile | Name::Document | Name::DocumentUrl | Name::FileUrl => {
            |unscanned| &mut unscanned.file
        }
        _ => return None,
    })
}

/// `None` for a role that is not known; its texts keep the role that is inspected most.
pub(super) fn role_of(name: Name) -> Option<Role> {
    Some(match name {
        Name::System => Role::System,
        Name::Developer => Role::Developer,
        Name::User => Role::User,
        Name::Assistant => Role::Assistant,
        Name::Tool | Name::Function => Role::Tool,
        _ => return None,
    })
}

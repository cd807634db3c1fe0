//! Reads `/v1/responses`: items of a conversation, which requests and answers share, and the events of its stream.
//!
//! An item is known by its keys, not by its type: what is not known to be opaque is text, so a new type of item has no
//! hole. Invariant: the same item is the same texts wherever it stands, so its copies in a stream are edited alike.

use super::answer::Answer;
use super::json::Kind;
use super::names::Name;
use super::reader::{Reader, Result};
use super::text::{Channel, Lane, OUTSIDE, Text};
use super::turn::role_of;
use super::{Endpoint, schema};
use crate::config::Role;

/// Where the texts of an item stand.
pub(super) struct Places {
    whole: &'static str,
    name: &'static str,
    content: &'static str,
    content_text: &'static str,
    content_refusal: &'static str,
    summary: &'static str,
    summary_text: &'static str,
    arguments: &'static str,
    input: &'static str,
    code: &'static str,
    output: &'static str,
    output_text: &'static str,
}

macro_rules! places {
    ($base:literal) => {
        Places {
            whole: $base,
            name: concat!($base, ".name"),
            content: concat!($base, ".content"),
            content_text: concat!($base, ".content[].text"),
            content_refusal: concat!($base, ".content[].refusal"),
            summary: concat!($base, ".summary"),
            summary_text: concat!($base, ".summary[].text"),
            arguments: concat!($base, ".arguments"),
            input: concat!($base, ".input"),
            code: concat!($base, ".code"),
            output: concat!($base, ".output"),
            output_text: concat!($base, ".output[].text"),
        }
    };
}

const INPUT: Places = places!("input[]");
const INSTRUCTIONS: Places = places!("instructions[]");
const OUTPUT: Places = places!("output[]");

/// Tools have no object `function` around them.
const TOOL: schema::Places = schema::Places {
    whole: "tools[]",
    name: "tools[].name",
    description: "tools[].description",
    schema: "tools[].parameters",
};
const FORMAT: schema::Places = schema::Places {
    whole: "text.format",
    name: "text.format.name",
    description: "text.format.description",
    schema: "text.format.schema",
};

/// What one event of the stream is, besides its texts.
#[derive(Debug, Default)]
pub(super) struct Kindred {
    /// Position of the text that the event adds to its lane; all other texts are whole.
    pub(super) delta: Option<usize>,
    /// The lane that is complete.
    pub(super) lane_done: Option<Lane>,
    /// The output item that is complete.
    pub(super) item_done: Option<u32>,
    /// The response is complete, one way or another.
    pub(super) ends: bool,
}

impl<'a> Reader<'a> {
    /// A member of a request that is not common to all endpoints. Says whether it refers to text that the provider keeps
    /// and nobody here has seen.
    pub(super) fn responses_request(&mut self, key: Name) -> Result<bool> {
        let outer = self.role;
        match key {
            Name::Input => return self.items("input", &INPUT),
            Name::PreviousResponseId | Name::Conversation | Name::Prompt => {
                let refers = self.cursor.kind()? != Kind::Null;
                self.cursor.skip()?;
                return Ok(refers);
            }
            Name::Instructions | Name::Tools | Name::Text => self.role = Role::System,
            _ => {}
        }
        match key {
            Name::Instructions => {
                self.items("instructions", &INSTRUCTIONS)?;
            }
            Name::Tools => {
                self.each_item("tools", |reader, number| reader.definition(&TOOL, [number, 0, 0]))?
            }
            Name::Text => self.each_member_of("text", |reader, key| match key {
                Name::Format => reader.definition(&FORMAT, [0; 3]),
                _ => reader.cursor.skip(),
            })?,
            _ => self.cursor.skip()?,
        }
        self.role = outer;
        Ok(false)
    }

    /// A member of a response that is not common to all answers.
    pub(super) fn responses_answer(&mut self, key: Name) -> Result<()> {
        match key {
            Name::Output => self.each_item("output", |reader, number| {
                let (first, first_leak) = (reader.texts.len(), reader.leaks.len());
                reader.item(&OUTPUT, number)?;
                reader.belongs_to(number, first, first_leak);
                Ok(())
            }),
            // The request's, said again.
            Name::Instructions => {
                let outer = std::mem::replace(&mut self.role, Role::System);
                self.items("instructions", &INSTRUCTIONS)?;
                self.role = outer;
                Ok(())
            }
            Name::OutputText => self.text("output_text", [0; 3], Channel::Prompt),
            _ => self.cursor.skip(),
        }
    }

    /// A string or a list of items; says whether one of them refers to what the provider keeps.
    fn items(&mut self, place: &'static str, places: &'static Places) -> Result<bool> {
        if self.cursor.kind()? != Kind::Array {
            self.text(place, [0; 3], Channel::Prompt)?;
            return Ok(false);
        }
        let mut refers = false;
        self.each_item(place, |reader, number| {
            refers |= reader.item(places, number)?;
            Ok(())
        })?;
        Ok(refers)
    }

    /// One item; says whether it refers to one that the provider keeps.
    fn item(&mut self, places: &'static Places, number: u32) -> Result<bool> {
        let at = [number, 0, 0];
        if self.cursor.kind()? != Kind::Object {
            self.text(places.whole, at, Channel::Prompt)?;
            return Ok(false);
        }
        let first = self.texts.len();
        let (mut kind, mut role) = (None, None);
        let (mut is_result, mut is_opaque, mut is_empty) = (false, false, true);
        self.each_member(|reader, key| {
            is_empty &= matches!(key, Name::Type | Name::Id);
            match key {
                Name::Type => kind = reader.name()?,
                Name::Role => role = reader.name()?.and_then(role_of),
                Name::Id | Name::CallId | Name::Status | Name::Object => reader.cursor.skip()?,
                Name::Content => {
                    reader.parts(places.content, places.content_text, places, at, Channel::Output(0))?
                }
                Name::Summary => reader.parts(
                    places.summary,
                    places.summary_text,
                    places,
                    at,
                    Channel::OutputSummary(0),
                )?,
                Name::Name => reader.leaves(places.name, at, Channel::ToolName(0))?,
                Name::Arguments => match reader.cursor.kind()? {
                    Kind::String => reader.nested(places.arguments, at, Channel::OutputArguments)?,
                    _ => reader.leaves(places.arguments, at, Channel::OutputArguments)?,
                },
                Name::Input => reader.leaves(places.input, at, Channel::OutputInput)?,
                Name::Code => reader.leaves(places.code, at, Channel::OutputCode)?,
                Name::Output => {
                    is_result = true;
                    reader.parts(places.output, places.output_text, places, at, Channel::Prompt)?;
                }
                Name::Result | Name::EncryptedContent => {
                    is_opaque |= reader.cursor.kind()? != Kind::Null;
                    reader.cursor.skip()?;
                }
                _ => reader.leaves(places.whole, at, Channel::Prompt)?,
            }
            Ok(())
        })?;
        if is_opaque {
            let unscanned = &mut self.unscanned;
            let counter = match kind {
                Some(Name::ImageGenerationCall) => &mut unscanned.image,
                _ => &mut unscanned.other,
            };
            *counter = counter.saturating_add(1);
        }
        let role = match kind {
            _ if role.is_some() => role,
            _ if is_result => Some(Role::Tool),
            Some(Name::FunctionCall | Name::Reasoning) => Some(Role::Assistant),
            _ => None,
        };
        for text in self.texts.iter_mut().skip(first) {
            text.role = role.unwrap_or(text.role);
        }
        Ok(kind == Some(Name::ItemReference) || is_empty)
    }

    /// A string, a part, or a list of parts. Strings are of `channel`; so are the texts of parts, by their number.
    fn parts(
        &mut self,
        place: &'static str,
        text: &'static str,
        places: &'static Places,
        at: [u32; 3],
        channel: Channel,
    ) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Array => self.each_item(place, |reader, part| {
                let [number, ..] = at;
                reader.output_part(text, places, [number, part, 0], channel.of_part(part))
            }),
            Kind::Object => self.output_part(text, places, at, channel),
            _ if channel == Channel::Prompt => self.result(place, at, channel),
            _ => self.text(place, at, channel),
        }
    }

    fn output_part(
        &mut self,
        place: &'static str,
        places: &'static Places,
        at: [u32; 3],
        channel: Channel,
    ) -> Result<()> {
        if self.cursor.kind()? != Kind::Object {
            return self.text(place, at, channel);
        }
        let first = self.texts.len();
        let [_, part, _] = at;
        let mut kind = None;
        let mut has_text = false;
        self.each_member(|reader, key| match key {
            Name::Type => {
                kind = reader.name()?;
                Ok(())
            }
            Name::Text => {
                has_text = true;
                reader.text(place, at, channel)
            }
            Name::Refusal => {
                has_text = true;
                reader.text(places.content_refusal, at, Channel::OutputRefusal(part))
            }
            name if name.spells_tokens() => reader.leak(),
            Name::Id | Name::Status | Name::ImageUrl | Name::FileUrl | Name::Data => reader.cursor.skip(),
            // Annotations; what programs wrote.
            _ => {
                let before = reader.texts.len();
                reader.leaves(place, at, Channel::Prompt)?;
                has_text |= reader.texts.len() > before;
                Ok(())
            }
        })?;
        let counted = self.unscanned.total();
        self.unscanned.count_part(kind, has_text);
        if self.unscanned.total() > counted && kind.is_some_and(|kind| kind != Name::Other) {
            // The bytes of a picture or a file are no text, whatever they are called.
            let mut position = 0;
            self.texts.retain(|text| {
                position += 1;
                position <= first || text.channel != Channel::Prompt
            });
        }
        for text in self.texts.iter_mut().skip(first) {
            if let (Channel::Output(part), Some(Name::ReasoningText)) = (text.channel, kind) {
                text.channel = Channel::OutputReasoning(part);
            }
        }
        Ok(())
    }

    /// What stands behind `first` belongs to output item `number`.
    fn belongs_to(&mut self, number: u32, first: usize, first_leak: usize) {
        for text in self.texts.iter_mut().skip(first) {
            text.choice = number;
        }
        for (choice, _) in self.leaks.iter_mut().skip(first_leak) {
            *choice = number;
        }
    }

    /// One event of a stream.
    pub(super) fn responses_event(&mut self, answer: &mut Answer<'a>) -> Result<Kindred> {
        let mut event = Kindred::default();
        let mut kind = None;
        let (mut item, mut part) = (0, 0);
        let mut in_response = false;
        let mut members = self.cursor.body()?;
        while let Some(key) = self.cursor.next_key(&mut members)? {
            match key {
                Name::Type => kind = self.word()?,
                Name::OutputIndex => item = self.index()?.unwrap_or(0),
                Name::ContentIndex | Name::SummaryIndex => part = self.index()?.unwrap_or(0),
                Name::Delta if self.cursor.kind()? == Kind::String => {
                    event.delta = Some(self.texts.len());
                    self.text(OUTPUT.content_text, [0; 3], Channel::Text)?;
                }
                Name::Text | Name::Refusal | Name::Input | Name::Code | Name::Transcript => {
                    self.leaves(OUTPUT.content_text, [0; 3], Channel::Text)?
                }
                Name::Arguments if self.cursor.kind()? == Kind::String => {
                    self.nested(OUTPUT.arguments, [0; 3], Channel::Text)?
                }
                Name::Part => self.output_part(OUTPUT.content_text, &OUTPUT, [0; 3], Channel::Output(0))?,
                Name::Item => {
                    self.item(&OUTPUT, 0)?;
                }
                Name::Response if self.cursor.kind()? == Kind::Object => {
                    in_response = true;
                    self.each_member(|reader, key| reader.answer_member(key, Endpoint::Responses, answer))?;
                }
                Name::Error => {
                    answer.is_error = self.cursor.kind()? != Kind::Null;
                    self.cursor.skip()?;
                }
                name if name.spells_tokens() => self.leak()?,
                Name::SequenceNumber | Name::Obfuscation
                    if matches!(self.cursor.kind()?, Kind::Number | Kind::String) =>
                {
                    self.vary()?
                }
                // Annotations, and what is not known. Strings at this level are names of things.
                _ => match self.cursor.kind()? {
                    Kind::Object | Kind::Array => self.leaves(OUTPUT.whole, [0; 3], Channel::Prompt)?,
                    _ => self.cursor.skip()?,
                },
            }
        }
        self.cursor.end()?;
        let kind = kind.as_deref().unwrap_or_default();
        let kind = kind.strip_prefix("response.").unwrap_or(kind);
        let (stem, is_done) = match kind.strip_suffix(".delta") {
            Some(stem) => (stem, false),
            None => kind.strip_suffix(".done").map_or((kind, false), |stem| (stem, true)),
        };
        answer.is_error |= kind == "error";
        event.ends = answer.is_error || matches!(kind, "completed" | "incomplete" | "failed");
        if in_response {
            return Ok(event);
        }
        let channel = match stem {
            "output_text" => Channel::Output(part),
            "refusal" => Channel::OutputRefusal(part),
            "reasoning_text" => Channel::OutputReasoning(part),
            "reasoning_summary_text" | "reasoning_summary" | "reasoning_summary_part" => {
                Channel::OutputSummary(part)
            }
            "function_call_arguments" | "mcp_call_arguments" => Channel::OutputArguments,
            "custom_tool_call_input" => Channel::OutputInput,
            "code_interpreter_call_code" => Channel::OutputCode,
            "audio.transcript" => Channel::Transcript,
            _ => Channel::Text,
        };
        self.belongs_to(item, 0, 0);
        for text in &mut self.texts {
            match text.channel {
                Channel::Text => text.channel = channel,
                // A part does not say its own number.
                _ if stem == "reasoning_summary_part" => text.channel = channel,
                _ if stem != "output_item" => text.channel = text.channel.of_part(part),
                _ => {}
            }
        }
        if stem == "audio" && event.delta.take().is_some() {
            self.texts.clear();
            self.unscanned.audio = self.unscanned.audio.saturating_add(1);
        }
        match stem {
            "output_item" if is_done => event.item_done = Some(item),
            _ if is_done => event.lane_done = Some(Lane { choice: item, channel }),
            _ => {}
        }
        Ok(event)
    }
}

/// Takes the text that an event adds out of those that stand whole in it.
pub(super) fn take_delta<'a>(texts: &mut Vec<Text<'a>>, event: &Kindred) -> Option<Text<'a>> {
    let position = event.delta.filter(|position| *position < texts.len())?;
    Some(texts.remove(position)).filter(|text| text.choice != OUTSIDE)
}

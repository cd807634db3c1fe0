//! Reads what a provider sends back: a whole answer, or one event of a stream, which have one shape.
//!
//! Decides nothing. Invariant: texts, leaks and finish reasons carry the index their choice names, wherever it stands.

use super::json::Kind;
use super::names::Name;
use super::reader::{Reader, Result};
use super::responses::Kindred;
use super::text::{Channel, Text};
use super::turn::{self, Arguments};
use super::usage::Usage;
use super::{BodyError, Endpoint, Unscanned};
use crate::config::Role;
use std::borrow::Cow;
use std::ops::Range;

/// What vLLM says of the tokens of a prompt, which left redacted.
const SPELLS_PROMPT: [&str; 2] = ["prompt_logprobs", "prompt_token_ids"];

#[derive(Default)]
pub(super) struct Answer<'a> {
    pub(super) texts: Vec<Text<'a>>,
    /// Texts of a streamed choice that say all that it said so far, beside what it adds.
    pub(super) so_far: Vec<Text<'a>>,
    pub(super) leaks: Vec<(u32, Range<usize>)>,
    pub(super) finish_reasons: Vec<(u32, Cow<'a, str>)>,
    pub(super) usage: Option<Usage>,
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) unscanned: Unscanned,
    pub(super) varying: Vec<Range<usize>>,
    pub(super) is_error: bool,
    /// It has a choice.
    pub(super) has_choices: bool,
    pub(super) role_at: Option<Range<usize>>,
    /// Of an event of `/v1/responses`.
    pub(super) event: Kindred,
}

pub(super) fn read<'a>(
    endpoint: Endpoint,
    body: &'a [u8],
    arguments: Arguments,
) -> std::result::Result<Answer<'a>, BodyError> {
    let mut reader = Reader::new(body, Role::Assistant)?;
    let mut answer = Answer::default();
    let read = match (endpoint, arguments) {
        (Endpoint::Responses, Arguments::Piece) => {
            reader.responses_event(&mut answer).map(|event| answer.event = event)
        }
        _ => reader.answer(endpoint, arguments, &mut answer),
    };
    read.map_err(|_| reader.cursor.failure())?;
    (answer.texts, answer.leaks, answer.unscanned) = (reader.texts, reader.leaks, reader.unscanned);
    answer.varying = reader.varying;
    answer.role_at = reader.role_at;
    Ok(answer)
}

impl<'a> Reader<'a> {
    /// The whole body, apart from what the reader collects.
    fn answer(&mut self, endpoint: Endpoint, arguments: Arguments, answer: &mut Answer<'a>) -> Result<()> {
        let mut members = self.cursor.body()?;
        while let Some(key) = self.cursor.next_key(&mut members)? {
            match (key, endpoint) {
                (Name::Choices, Endpoint::ChatCompletions | Endpoint::Completions) => {
                    self.each_item("choices", |reader, number| reader.choice(number, arguments, answer))?
                }
                (Name::Prompt, Endpoint::ChatCompletions | Endpoint::Completions) => self.echo()?,
                (Name::Results, Endpoint::Rerank) => self.each_item("results", Reader::ranked)?,
                // Groq sends the counts of a stream here.
                (Name::XGroq, _) if self.cursor.kind()? == Kind::Object => {
                    self.each_member(|reader, key| match key {
                        Name::Usage => reader.usage(&mut answer.usage),
                        _ => reader.cursor.skip(),
                    })?;
                }
                _ => self.answer_member(key, endpoint, answer)?,
            }
        }
        self.cursor.end()
    }

    /// A member that every answer may have, or one of a response.
    pub(super) fn answer_member(
        &mut self,
        key: Name,
        endpoint: Endpoint,
        answer: &mut Answer<'a>,
    ) -> Result<()> {
        match key {
            Name::Model => answer.model = self.word()?,
            Name::Usage => self.usage(&mut answer.usage)?,
            Name::Error => {
                answer.is_error = self.cursor.kind()? != Kind::Null;
                self.cursor.skip()?;
            }
            Name::Created | Name::Obfuscation => self.vary()?,
            _ if endpoint == Endpoint::Responses => self.responses_answer(key)?,
            // Citations, results of searches, tools that were run. Strings at this level are names of things.
            Name::Other if !SPELLS_PROMPT.contains(&self.cursor.key()) => match self.cursor.kind()? {
                Kind::Object | Kind::Array => self.leaves("*", [0; 3], Channel::Prompt)?,
                _ => self.cursor.skip()?,
            },
            _ => self.cursor.skip()?,
        }
        Ok(())
    }

    fn choice(&mut self, number: u32, arguments: Arguments, answer: &mut Answer<'a>) -> Result<()> {
        answer.has_choices = true;
        let (first_text, first_leak) = (self.texts.len(), self.leaks.len());
        let mut index = number;
        let mut finish_reason = None;
        let mut message = None;
        let mut has_delta = false;
        self.each_member_of("choices[]", |reader, key| {
            match key {
                Name::Index => index = reader.index()?.unwrap_or(number),
                Name::Text => reader.text("choices[].text", [number, 0, 0], Channel::Text)?,
                Name::Message | Name::Delta => {
                    let (place, places) = match key {
                        Name::Message => ("choices[].message", &turn::ANSWER),
                        _ => ("choices[].delta", &turn::DELTA),
                    };
                    has_delta |= key == Name::Delta;
                    let first = reader.texts.len();
                    match reader.cursor.kind()? {
                        Kind::Object => {
                            reader.turn(places, number, arguments)?;
                            if key == Name::Message {
                                message = Some((first, reader.texts.len()));
                            }
                        }
                        _ => reader.nothing_at(place)?,
                    }
                }
                // Some servers send an empty reason while the choice goes on.
                Name::FinishReason => finish_reason = reader.word()?.filter(|reason| !reason.is_empty()),
                Name::Usage => reader.usage(&mut answer.usage)?,
                name if name.spells_tokens() => reader.leak()?,
                _ => reader.cursor.skip()?,
            }
            Ok(())
        })?;
        for text in self.texts.iter_mut().skip(first_text) {
            text.choice = index;
        }
        if let Some((first, end)) = message.filter(|_| has_delta && arguments == Arguments::Piece) {
            answer.so_far.extend(self.texts.drain(first..end));
        }
        let texts = self.texts.get_mut(first_text..).unwrap_or_default();
        if arguments == Arguments::Piece {
            // Together sends the copy first. Its original has to be known when the copy is looked at.
            repeats_last(texts);
        }
        for (choice, _) in self.leaks.iter_mut().skip(first_leak) {
            *choice = index;
        }
        answer.finish_reasons.extend(finish_reason.map(|reason| (index, reason)));
        Ok(())
    }

    /// One document of a ranking, the caller's own text.
    fn ranked(&mut self, number: u32) -> Result<()> {
        self.role = Role::User;
        self.each_member_of("results[]", |reader, key| match key {
            Name::Document => reader.leaves("results[].document", [number, 0, 0], Channel::Prompt),
            _ => reader.cursor.skip(),
        })
    }

    /// The prompt as Together repeats it for `echo`.
    fn echo(&mut self) -> Result<()> {
        let outer = std::mem::replace(&mut self.role, Role::User);
        match self.cursor.kind()? {
            Kind::Array => self.each_item("prompt", |reader, number| {
                let at = [number, 0, 0];
                match reader.cursor.kind()? {
                    Kind::Object => reader.each_member(|reader, key| match key {
                        Name::Text => reader.text("prompt[].text", at, Channel::Prompt),
                        name if name.spells_tokens() => reader.leak(),
                        _ => reader.cursor.skip(),
                    }),
                    _ => reader.text("prompt[]", at, Channel::Prompt),
                }
            })?,
            _ => self.text("prompt", [0; 3], Channel::Prompt)?,
        }
        self.role = outer;
        Ok(())
    }
}

/// Puts the texts that may repeat others behind those, in their order. An event has a handful.
fn repeats_last(texts: &mut [Text]) {
    for end in 1..texts.len() {
        let sorted = texts.get(..=end).unwrap_or_default();
        let out_of_place = sorted.last().is_some_and(|text| !text.channel.may_repeat());
        let first_repeat = sorted.iter().position(|text| text.channel.may_repeat());
        if let Some(start) = first_repeat.filter(|_| out_of_place) {
            texts.get_mut(start..=end).unwrap_or_default().rotate_right(1);
        }
    }
}

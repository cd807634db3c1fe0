//! Brings what a request asked and what an answer is to the scorer, and its verdict back.
//!
//! Judges nothing. Invariant: an exchange without an active scorer does none of this.

use super::Exchange;
use crate::config::{Action, Mode};
use crate::message::conform;
use crate::message::request::Request;
use crate::message::response::Response;
use crate::message::rewrite::Splice;
use crate::message::text::{Channel, Lane, OUTSIDE, Text};
use crate::policy::quality::prose::{self, Language};
use crate::policy::quality::{Facts, Score};
use crate::policy::{Finding, PolicyKind};
use std::borrow::Cow;

/// Text of one stream that is kept for its score. A longer one is not scored.
const MOST_KEPT_BYTES: usize = 256 * 1024;

/// What a request asked of its answer.
pub(super) struct Asked {
    /// `response_format` as it was written.
    format: Option<String>,
    /// The language of the question, where nothing speaks of languages.
    language: Option<Language>,
}

/// The text of a streamed answer, lane by lane.
#[derive(Default)]
pub(super) struct Kept {
    lanes: Vec<(Lane, String)>,
    bytes: usize,
}

impl Asked {
    pub(super) fn of(request: &Request, body: &[u8]) -> Asked {
        let format = request.response_format.clone().and_then(|range| body.get(range));
        let format = format.map(|format| String::from_utf8_lossy(format).into_owned());
        let prose = |text: &&Text| matches!(text.channel, Channel::Content | Channel::Prompt);
        let mut texts = request.texts.iter().filter(prose);
        let other = texts.clone().any(|text| prose::speaks_of_languages(&text.value));
        let question = texts.rfind(|text| text.role == crate::config::Role::User);
        let language = question.filter(|_| !other).and_then(|text| prose::language(&text.value));
        Asked { format, language }
    }
}

impl Kept {
    pub(super) fn push(&mut self, lane: Lane, text: &str) {
        self.bytes += text.len();
        if self.bytes > MOST_KEPT_BYTES {
            return self.lanes.clear();
        }
        match self.lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, kept)) => kept.push_str(text),
            None => self.lanes.push((lane, text.to_owned())),
        }
    }
}

/// One choice of an answer.
#[derive(Default)]
struct Choice<'a> {
    text: String,
    finish_reason: Option<&'a str>,
    refused: bool,
    calls: bool,
    broken_calls: bool,
}

impl Choice<'_> {
    /// `broken`: arguments that are no JSON.
    fn add(&mut self, channel: Channel, text: &str, broken: bool) {
        match channel {
            Channel::Content | Channel::Text => self.text.push_str(text),
            Channel::Refusal => self.refused |= !text.trim().is_empty(),
            Channel::ToolName(_) | Channel::FunctionName => self.calls = true,
            Channel::ToolCall(_) | Channel::FunctionCall => {
                self.calls = true;
                self.broken_calls |= broken && !text.trim().is_empty();
            }
            _ => {}
        }
    }
}

impl Exchange {
    /// Scores every choice of a whole answer. An answer that fails is edited, or the finding that blocks it is returned.
    pub(super) fn score_answer(
        &mut self,
        answer: &Response,
        body: &[u8],
        splices: &mut Vec<Splice>,
    ) -> Option<Finding> {
        let mut numbers: Vec<u64> = answer.texts.iter().map(|text| text.choice.into()).collect();
        numbers.extend(answer.finish_reasons.iter().map(|(choice, _)| u64::from(*choice)));
        numbers.sort_unstable();
        numbers.dedup();
        let mut blocking = None;
        let message = match self.gateway.chain.quality(self.active) {
            Some((quality, _)) => quality.message().to_owned(),
            None => return None,
        };
        for number in numbers.into_iter().map(|number| number as u32).filter(|number| *number != OUTSIDE) {
            let texts = || answer.texts.iter().filter(|text| text.choice == number);
            let mut choice = Choice::default();
            for text in texts() {
                let arguments = text.place.pattern().ends_with("arguments");
                choice.add(text.channel, &text.value, arguments && !conform::is_json(&text.value));
            }
            choice.finish_reason =
                answer.finish_reasons.iter().find(|(of, _)| *of == number).map(|(_, reason)| &**reason);
            let Some((_, findings)) = self.judge(number, &choice, None) else { continue };
            for finding in &findings {
                let replaced = finding.redacts() && replace(texts(), &answer.leaks, body, &message, splices);
                // Where there is no text to replace, nothing stands in the answer's place.
                if finding.blocks() || finding.redacts() && !replaced {
                    blocking.get_or_insert_with(|| finding.clone());
                }
            }
        }
        blocking
    }

    /// Scores a choice of a stream that has ended; what to add to its last event, if it fails.
    pub(super) fn annotation(&mut self, number: u32, reason: &str, kept: &Kept) -> Option<Vec<u8>> {
        let mut choice = Choice { finish_reason: Some(reason), ..Choice::default() };
        if kept.bytes > MOST_KEPT_BYTES {
            return None;
        }
        for (lane, text) in kept.lanes.iter().filter(|(lane, _)| lane.choice == number) {
            let arguments = matches!(lane.channel, Channel::ToolCall(_) | Channel::FunctionCall);
            choice.add(lane.channel, text, arguments && !conform::is_json(text));
        }
        let (score, findings) = self.judge(number, &choice, Some(Action::Warn))?;
        if findings.iter().any(|finding| finding.mode == Mode::Shadow) {
            return None;
        }
        let mut json = format!("\"kt\":{{\"quality\":{},\"warnings\":[", score.written()).into_bytes();
        for (n, finding) in findings.iter().enumerate() {
            json.extend_from_slice(if n > 0 { b",\"" } else { b"\"" });
            json.extend_from_slice(finding.reason().as_bytes());
            json.push(b'"');
        }
        json.extend_from_slice(b"]},");
        Some(json)
    }

    /// The score of one choice and its findings, noted; `None` if it passes, or nobody scores.
    fn judge(
        &mut self,
        number: u32,
        choice: &Choice,
        action: Option<Action>,
    ) -> Option<(Score, Vec<Finding>)> {
        let asked = self.asked.as_ref()?;
        let gateway = self.gateway.clone();
        let (quality, mode) = gateway.chain.quality(self.active)?;
        let text = choice.text.as_str();
        let format = asked.format.as_deref().map(|format| conform::judge(format, text)).unwrap_or_default();
        let facts = Facts {
            finish_reason: choice.finish_reason,
            is_json: (format.wants_json || quality.reads_json()) && conform::is_json(text),
            wants_json: format.wants_json,
            conforms: format.conforms,
            arguments: choice.calls.then_some(!choice.broken_calls),
            refused: choice.refused,
            asked_in: asked.language,
        };
        let score = quality.score(text, &facts);
        if mode == Mode::Enforce {
            self.record.quality = Some(score.written());
        }
        if !score.fails {
            return None;
        }
        let findings: Vec<Finding> = score
            .failed
            .iter()
            .enumerate()
            .map(|(n, failed)| Finding {
                policy: PolicyKind::QualityScorer,
                kind: Cow::Borrowed(*failed),
                range: 0..0,
                // The answer is replaced once.
                action: match action.unwrap_or(quality.action()) {
                    Action::Redact if n > 0 => Action::Warn,
                    action => action,
                },
                mode,
                score: score.aggregate as f32,
            })
            .collect();
        self.record.found(&findings, &format_args!("choices[{number}]"));
        Some((score, findings))
    }
}

/// Puts `message` in the place of the prose of a choice; `false` if there is none.
fn replace<'t>(
    texts: impl Iterator<Item = &'t Text<'t>>,
    leaks: &[(u32, std::ops::Range<usize>)],
    body: &[u8],
    message: &str,
    splices: &mut Vec<Splice>,
) -> bool {
    let mut replaced = false;
    for text in texts.filter(|text| matches!(text.channel, Channel::Content | Channel::Text)) {
        let mut own = Vec::new();
        text.edit(body, &[(0..text.value.len(), message)], &mut own);
        // What was to be edited within is gone.
        for edit in &own {
            splices.retain(|known| known.range.start < edit.range.start || known.range.end > edit.range.end);
        }
        splices.append(&mut own);
        super::texts::hide_tokens(text.choice, leaks, body, splices);
        replaced = true;
    }
    replaced
}

//! The answer's headers, and answers that come whole.

use super::Exchange;
use super::stream::Stream;
use crate::attempt::{trail::Trail, wait};
use crate::config::OnError;
use crate::event::{Ended, Unread};
use crate::message::response;
use crate::message::rewrite::{self, Splice};
use crate::message::text::open_json;
use crate::policy::Direction;
use crate::reply::Reply;

/// The answer's headers, as far as they matter here.
#[derive(Debug, Clone, Default)]
pub struct AnswerHead {
    /// The upstream's status.
    pub status: u16,
    /// `content-type`.
    pub content_type: String,
    /// `retry-after` is there.
    pub has_retry_after: bool,
    /// Together's `x-ratelimit-reset`, in seconds.
    pub ratelimit_reset: Option<String>,
    /// The answer ends with its headers.
    pub ends: bool,
    /// The attempts so far, where an attempt role tells of them.
    pub trail: Trail,
    /// The upstream said this, not Envoy.
    pub from_upstream: bool,
    /// Now, in milliseconds since 1970.
    pub at_ms: u64,
    /// Attempts so far, this one included.
    pub attempts: u64,
}

/// How an answer's body is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerMode {
    /// Forward it unread.
    Pass,
    /// Hold headers and body back and hand the whole to [`Exchange::whole_answer`].
    Whole,
    /// Hand every chunk to [`Exchange::chunk`]; the headers wait for the first one.
    Stream,
    /// Forward it and show every chunk to [`Exchange::meter`].
    Meter,
}

/// What happens to an answer once its headers are there.
#[derive(Debug)]
pub struct AnswerStart {
    /// How the body is treated.
    pub mode: AnswerMode,
    /// Headers to set now.
    pub set: Vec<(&'static str, String)>,
    /// Headers to remove.
    pub remove: Vec<&'static str>,
}

/// What happens to an answer that came whole.
#[derive(Debug)]
pub struct WholeAnswer {
    /// The body, where it differs from the upstream's.
    pub body: Option<Vec<u8>>,
    /// Headers to set.
    pub set: Vec<(&'static str, String)>,
}

/// SDKs wait this long at most; some would obey any number.
const MAX_RETRY_AFTER_SECONDS: u64 = 60;

impl Exchange {
    /// Takes the answer's headers.
    pub fn answer(&mut self, head: &AnswerHead) -> AnswerStart {
        if let (Some(routing), true) = (&self.gateway.routing, head.from_upstream) {
            self.account.answered(routing, &head.trail, head.status, head.at_ms);
        }
        let target = head.trail.last().map(|tried| tried.target.clone());
        let target = target.or_else(|| self.record.only_target.clone());
        let mut set = Vec::new();
        if let Some(target) = target {
            set.push(("x-kt-target", target));
        }
        if head.attempts > 0 {
            set.push(("x-kt-attempts", head.attempts.to_string()));
        }
        let reset = head.ratelimit_reset.as_deref().filter(|_| head.status == 429 && !head.has_retry_after);
        if let Some(seconds) = reset.and_then(wait::seconds) {
            set.push(("retry-after", seconds.min(MAX_RETRY_AFTER_SECONDS).to_string()));
        }
        let mode = self.mode(head);
        if matches!(mode, AnswerMode::Pass | AnswerMode::Meter) {
            set.extend(self.record.headers());
        }
        if mode == AnswerMode::Stream {
            let inspects = self.record.scanned.response_unread.is_none();
            self.stream = self.endpoint.map(|endpoint| Stream::new(endpoint, self.json_answer, inspects));
        }
        let mut remove = Vec::new();
        if mode == AnswerMode::Stream {
            // Its body may change its length.
            remove.push("content-length");
        }
        if (300..400).contains(&head.status) && self.endpoint.is_some() {
            // A client that follows it would send the text as it wrote it, past the gateway.
            remove.push("location");
        }
        AnswerStart { mode, set, remove }
    }

    fn mode(&mut self, head: &AnswerHead) -> AnswerMode {
        let reads = self.gateway.chain.reads(self.active, Direction::Response);
        // An upstream's own error passes unchanged.
        let answers = (200..300).contains(&head.status);
        self.record.is_answered = answers;
        let unread = match () {
            _ if self.endpoint.is_none() => Some(Unread::Passthrough),
            _ if !reads => Some(Unread::NoPolicy),
            _ if !answers => Some(Unread::UpstreamError),
            _ => None,
        };
        self.record.scanned.response_unread = unread;
        let is_metered = unread == Some(Unread::NoPolicy) && answers && self.gateway.meters;
        if (unread.is_some() && !is_metered) || head.ends || self.record.ended.is_some() {
            return AnswerMode::Pass;
        }
        let kind = head.content_type.trim_start().to_ascii_lowercase();
        match kind.starts_with("text/event-stream") {
            true => AnswerMode::Stream,
            false if is_metered => {
                self.metered = Some(Vec::new());
                AnswerMode::Meter
            }
            false => AnswerMode::Whole,
        }
    }

    /// Looks at a chunk of an answer that passes, for its token counts; `ends` says that it is the last.
    pub fn meter(&mut self, chunk: &[u8], ends: bool) {
        let Some(mut body) = self.metered.take() else { return };
        self.record.said_bytes += chunk.len() as u64;
        if body.len() + chunk.len() > self.gateway.config.gateway.max_body_bytes as usize {
            return;
        }
        body.extend_from_slice(chunk);
        if !ends {
            self.metered = Some(body);
            return;
        }
        let Some(endpoint) = self.endpoint else { return };
        if let Ok(answer) = response::read(endpoint, &body) {
            self.record.count_answer(&answer);
        }
    }

    /// Takes the whole body of an answer.
    pub fn whole_answer(&mut self, body: &[u8]) -> Result<WholeAnswer, Reply> {
        let Some(endpoint) = self.endpoint else {
            return Err(self.fail());
        };
        let mut answer = match response::read(endpoint, body) {
            Ok(answer) => answer,
            Err(_) => {
                return match self.uninspectable("not the JSON it should be") {
                    Some(reply) => Err(reply),
                    None => Ok(WholeAnswer { body: None, set: self.record.headers() }),
                };
            }
        };
        self.record.count_answer(&answer);
        self.record.unscanned.add(&answer.unscanned);
        if self.json_answer {
            open_json(&mut answer.texts, body);
        }
        let mut splices: Vec<Splice> = Vec::new();
        let blocking =
            self.inspect_texts(Direction::Response, &answer.texts, &answer.leaks, body, &mut splices);
        // Read again: the texts above are leaves of JSON, and what is scored is what was said.
        let failing = match self.asked.is_some().then(|| response::read_as_said(endpoint, body)) {
            Some(Ok(answer)) => self.score_answer(&answer, body, &mut splices),
            _ => None,
        };
        let blocking = match (blocking, failing) {
            (Some(found), Some(failing)) if self.gateway.chain.comes_before(&failing, &found) => {
                Some(failing)
            }
            (found, failing) => found.or(failing),
        };
        self.capture(Direction::Response, body, &splices);
        if let Some(finding) = blocking {
            return Err(self.block(Direction::Response, &finding));
        }
        let body = (!splices.is_empty()).then(|| rewrite::apply(body, &splices));
        Ok(WholeAnswer { body, set: self.record.headers() })
    }

    /// An answer that cannot be read: withheld, unless the operator lets failures pass.
    pub(super) fn uninspectable(&mut self, why: &str) -> Option<Reply> {
        match self.gateway.config.gateway.on_error {
            OnError::Block => Some(self.refuse(Reply::uninspectable_answer(why), Ended::GatewayFailure)),
            OnError::Allow => {
                self.record.error_code = "uninspected_answer";
                self.record.scanned.response_unread = Some(Unread::Unreadable);
                None
            }
        }
    }
}

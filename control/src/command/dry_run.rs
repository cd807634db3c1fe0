//! `policy try`: what would happen to a request, and to an answer, without any traffic.
//!
//! Runs the same state machine as the filter and asks no upstream. Invariant: what `--json` shows as
//! forwarded is, byte for byte, what the upstream or the client would have got.

mod account;

use super::{Loaded, Result, Status, complain, engine, load, print, read};
use crate::cli::PolicyFile;
use crate::render::plugin;
use crate::scenario::native;
use anyhow::{Context, bail};
use clap::Args;
use kt_core::config::{Action, ChainEntry, Mode};
use kt_core::event::FindingCount;
use kt_core::exchange::{AnswerHead, AnswerMode, Dispatch, Exchange, Gateway, Located, Timing};
use kt_core::plugin::PluginConfig;
use kt_core::reply::Reply;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Options of `policy try`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    file: PolicyFile,
    /// Path the request is sent to
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions")]
    path: String,
    /// A request header, as often as needed
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The upstream's answer: JSON, or an SSE transcript
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// Bytes per chunk of an SSE transcript [default: all at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    chunk_bytes: Option<u32>,
    /// Prints an object with all of it, the event included, in place of an explanation
    #[arg(long)]
    json: bool,
}

/// What would have happened.
#[derive(Debug, Serialize)]
struct Outcome {
    request: Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Fate>,
    /// What was found, and where in its text.
    positions: Vec<Position>,
    /// What the audit log would hold, findings included.
    event: Option<Value>,
}

/// Which way the text travelled in which something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Request,
    Response,
}

/// Findings of one kind in one text.
#[derive(Debug, Serialize)]
struct Position {
    way: Way,
    policy: &'static str,
    reason: String,
    place: String,
    count: u32,
    /// What comes of it, as a verb.
    effect: &'static str,
    /// Where in the text, escapes undone; in streams a text has no bytes to count from.
    bytes: Vec<(usize, usize)>,
}

/// What becomes of a message.
#[derive(Debug, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
enum Fate {
    /// It goes on.
    Forwarded {
        /// Targets in the order they would be tried; none for an answer.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        targets: Vec<String>,
        /// Whether a byte of the body was changed.
        changed: bool,
        /// Headers that are added.
        #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
        headers: serde_json::Map<String, Value>,
        /// The body, if it was changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// The gateway answers instead.
    Answered { status: u16, headers: serde_json::Map<String, Value>, body: Value },
}

fn header(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a name, a colon and a value, such as `x-team: blue`")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        if self.file.policy_file == Path::new("-") {
            bail!("standard input holds the request; name the policy file");
        }
        let Loaded { source, mut plan } = match load(&self.file.policy_file)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        // The findings are read from the event, so there must be one.
        let chain = &mut plan.config.policies.chain;
        if !chain.iter().any(|entry| entry.name == "audit-logger") {
            chain.push(ChainEntry { name: "audit-logger".into(), options: Default::default() });
        }
        if let Some(audit) = &mut plan.config.policy.audit_logger {
            audit.log_all_access = None;
        }
        let PluginConfig::Downstream(config) = plugin::downstream(&plan, &source.text) else {
            bail!("the plan has no listener");
        };
        let gateway = engine(*config)?;
        let (_, input) = read(Path::new("-"))?;
        let (request, answer) = match (&self.answer, is_transcript(&input)) {
            (Some(path), _) => (input, Some(read(path)?.1)),
            // A transcript alone answers the plainest request there is.
            (None, true) => (r#"{"model":"any","messages":[],"stream":true}"#.to_owned(), Some(input)),
            (None, false) => (input, None),
        };
        let outcome = self.run_exchange(gateway, &request, answer.as_deref())?;
        match self.json {
            true => print(&(serde_json::to_string_pretty(&outcome)? + "\n"))?,
            false => print(&account::write(&outcome))?,
        }
        let refused = [Some(&outcome.request), outcome.answer.as_ref()]
            .into_iter()
            .flatten()
            .any(|fate| matches!(fate, Fate::Answered { status, .. } if *status >= 400));
        Ok(if refused { Status::Findings } else { Status::Fine })
    }

    fn run_exchange(&self, gateway: Rc<Gateway>, request: &str, answer: Option<&str>) -> Result<Outcome> {
        let mut exchange = Exchange::new(gateway);
        let mut timing = Timing { unix_ms: now_ms(), status: 200, ..Timing::default() };
        let mut headers = vec![
            (":method".to_owned(), "POST".to_owned()),
            (":path".to_owned(), self.path.clone()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(self.headers.iter().cloned());
        let admitted = native::admit(&mut exchange, headers, request.as_bytes());
        let dispatched = admitted.is_ok();
        let request = match admitted {
            Ok(dispatch) => forwarded(dispatch),
            Err(reply) => answered(reply, &mut timing),
        };
        let mut positions = positions(&exchange, Way::Request, 0);
        let before = positions.len();
        let answer =
            answer.filter(|_| dispatched).map(|answer| self.answer(&mut exchange, answer, &mut timing));
        positions.extend(self::positions(&exchange, Way::Response, before));
        let event = exchange.finish(&timing);
        let event =
            event.map(|line| serde_json::from_slice(&line)).transpose().context("the event is not JSON")?;
        Ok(Outcome { request, answer, positions, event })
    }

    fn answer(&self, exchange: &mut Exchange, answer: &str, timing: &mut Timing) -> Fate {
        let content_type = if is_transcript(answer) { "text/event-stream" } else { "application/json" };
        let head = AnswerHead {
            status: 200,
            content_type: content_type.into(),
            attempts: 1,
            ..AnswerHead::default()
        };
        timing.attempts = 1;
        let start = exchange.answer(&head);
        let mut set = start.set;
        let body = match start.mode {
            AnswerMode::Pass => None,
            AnswerMode::Meter => {
                exchange.meter(answer.as_bytes(), true);
                None
            }
            AnswerMode::Whole => match exchange.whole_answer(answer.as_bytes()) {
                Err(reply) => return answered(reply, timing),
                Ok(whole) => {
                    set.extend(whole.set);
                    whole.body
                }
            },
            AnswerMode::Stream => match self.stream(exchange, answer.as_bytes()) {
                Err(reply) => return answered(reply, timing),
                Ok(sent) => {
                    set.extend(exchange.stream_headers());
                    (sent != answer.as_bytes()).then_some(sent)
                }
            },
        };
        Fate::Forwarded {
            targets: Vec::new(),
            changed: body.is_some(),
            headers: header_map(set),
            body: body.map(|body| readable(&body)),
        }
    }

    fn stream(&self, exchange: &mut Exchange, transcript: &[u8]) -> std::result::Result<Vec<u8>, Reply> {
        let size = self.chunk_bytes.map_or(transcript.len().max(1), |bytes| bytes as usize);
        native::stream(exchange, transcript.chunks(size))
    }
}

/// What was found after the first `known` kinds. No place is in both a request and its answer.
fn positions(exchange: &Exchange, way: Way, known: usize) -> Vec<Position> {
    let found = exchange.found();
    let position = |count: &FindingCount| {
        let same =
            |at: &&Located| at.place == count.place && at.reason == count.reason && at.mode == count.mode;
        Position {
            way,
            policy: count.policy,
            reason: count.reason.clone(),
            place: count.place.clone(),
            count: count.count,
            effect: match (count.mode, count.action) {
                (Mode::Enforce, Action::Block) => "blocks",
                (Mode::Enforce, Action::Redact) => "redacts",
                (Mode::Enforce, Action::Warn) => "warns of",
                (Mode::Shadow, Action::Block) => "(shadow) would block",
                (Mode::Shadow, Action::Redact) => "(shadow) would redact",
                (Mode::Shadow, Action::Warn) => "(shadow) would warn of",
            },
            bytes: found.located.iter().filter(same).map(|at| (at.range.start, at.range.end)).collect(),
        }
    };
    found.counts.iter().skip(known).map(position).collect()
}

fn forwarded(dispatch: Dispatch) -> Fate {
    Fate::Forwarded {
        changed: dispatch.body.is_some(),
        targets: dispatch.plan.clusters,
        headers: serde_json::Map::new(),
        body: dispatch.body.map(|body| readable(&body)),
    }
}

fn answered(reply: Reply, timing: &mut Timing) -> Fate {
    timing.status = u64::from(reply.status);
    Fate::Answered { status: reply.status, headers: header_map(reply.headers), body: readable(&reply.body) }
}

fn header_map(headers: Vec<(&'static str, String)>) -> serde_json::Map<String, Value> {
    headers
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

/// As text, so that every byte can be compared.
fn readable(body: &[u8]) -> Value {
    String::from_utf8_lossy(body).into_owned().into()
}

/// Server-sent events start with a field or a comment, JSON with a bracket.
fn is_transcript(text: &str) -> bool {
    let text = text.trim_start_matches(['\u{feff}', '\r', '\n']);
    ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| text.starts_with(field))
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

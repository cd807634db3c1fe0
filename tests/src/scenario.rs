//! Scenarios: one request, one answer of the model, and what has to come of them.
//!
//! The files are data for every host that can run an exchange ([`Host`]); they know nothing of any of them. Expectations are
//! what a user could notice: status, headers, text, what the model was sent, the audit event. Never an order of internal steps.

#![allow(clippy::panic, reason = "a scenario that cannot be read or does not hold fails its test")]

mod expect;
mod file;
mod lanes;
#[cfg(test)]
mod tests;

pub use expect::Expect;
pub use file::{Bytes, Exchange, Scenario};
pub use lanes::lanes;

use crate::client::Call;
use crate::repository;
use crate::wire::Headers;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The answer of the model, in the pieces in which it arrives.
#[derive(Debug, Clone)]
pub struct ModelAnswer {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Headers,
    /// Its body.
    pub pieces: Vec<Vec<u8>>,
}

/// What the model was sent.
#[derive(Debug, Clone)]
pub struct SentUpstream {
    /// Path and query.
    pub path: String,
    /// Header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of an exchange.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Status the client got.
    pub status: u16,
    /// Header fields the client got.
    pub headers: Headers,
    /// Body the client got.
    pub body: Vec<u8>,
    /// The answer came to its end, trailers included.
    pub whole: bool,
    /// What the model was sent, if anything.
    pub upstream: Option<SentUpstream>,
    /// The audit event, if one was written.
    pub event: Option<Value>,
}

/// Runs exchanges: natively, in wasmtime, in Envoy.
pub trait Host {
    /// Sends `call` through a gateway configured with `config`, behind which the model answers with `answer`.
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome;
}

/// How the answer of the model arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All at once.
    Whole,
    /// One event of a stream at a time.
    ByEvent,
    /// So many bytes at a time, wherever that falls.
    ByBytes(usize),
}

/// All scenarios, by the path of their file; `only` filters by a part of it.
pub fn corpus() -> Vec<Scenario> {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut folders = vec![repository::root().join("tests/scenarios")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml")
                && path.to_string_lossy().contains(&only)
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().filter(|path| !path.ends_with(file::BASE)).map(|path| Scenario::read(path)).collect()
}

/// The configuration that scenarios start from: the quick start.
pub fn quick_start() -> Value {
    file::base()
}

/// How many targets a configuration has.
pub fn targets(config: &Value) -> usize {
    config.pointer("/providers/targets").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Runs every scenario whose configuration the host `can` serve, with every arrival, and fails with all that do not hold.
#[track_caller]
pub fn check_all(host: &mut impl Host, arrivals: &[Arrival], can: impl Fn(&Value) -> bool) {
    let mut corpus: Vec<Scenario> = corpus().into_iter().filter(|scenario| can(&scenario.config)).collect();
    // Scenarios of one configuration follow each other: a host may keep its latest gateway.
    corpus.sort_by_cached_key(|scenario| scenario.config.to_string());
    assert!(!corpus.is_empty(), "no scenario matches");
    let mut problems = Vec::new();
    for scenario in &corpus {
        for exchange in &scenario.exchanges {
            for arrival in exchange.arrivals(arrivals) {
                let (call, answer) = (exchange.call(), exchange.answer(arrival));
                let outcome = host.exchange(&scenario.config, &call, &answer);
                let name = format!("{} ({arrival:?})", scenario.name);
                problems.extend(
                    exchange
                        .expect
                        .problems(&call, &answer, &outcome)
                        .into_iter()
                        .map(|problem| format!("{name}: {problem}")),
                );
            }
        }
    }
    assert!(problems.is_empty(), "{} expectations do not hold:\n{}", problems.len(), problems.join("\n"));
}

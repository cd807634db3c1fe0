//! What an exchange remembers of itself, for the response headers and for the event.

use super::Exchange;
use super::capture::Capture;
use crate::attempt::trail::Trail;
use crate::budget::Exceeded;
use crate::chain;
use crate::config::{Action, Mode};
use crate::cost::{self, Usd};
use crate::event::{self, Ended, Event, FindingCount, Latency, PickedBy, Routed, Scanned, Tally, Verdict};
use crate::measure::{Kind, Measured, Sink, texts_read};
use crate::message::response::Response;
use crate::message::usage::Usage;
use crate::message::{Endpoint, Unscanned};
use crate::policy::{Finding, PolicyKind};
use std::fmt::Display;
#[cfg(feature = "compile")]
use std::ops::Range;

/// Distinct findings that are kept; beyond that only their counts by kind matter, which the first ones show.
const MAX_FINDINGS: usize = 256;

/// No model's name is longer; a caller may send anything for one.
const MAX_NAME_BYTES: usize = 200;

/// What only the host knows when an exchange is over.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    /// Now, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Where the time went.
    pub latency: Latency,
    /// Status the client got; 0 if none.
    pub status: u64,
    /// The attempts, where an attempt role tells of them.
    pub trail: Trail,
    /// How many there were.
    pub attempts: u64,
    /// The client went away before the end.
    pub client_gone: bool,
    /// The upstream failed, or its answer broke off.
    pub upstream_failed: bool,
    /// The upstream had no address to go to.
    pub unreachable: bool,
}

/// The memory of one exchange.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub request_id: String,
    pub endpoint: &'static str,
    pub stream: bool,
    pub audits: bool,
    pub ended: Option<Ended>,
    pub error_code: &'static str,
    pub only_target: Option<String>,
    pub routed: Option<Routed>,
    pub model_served: Option<String>,
    pub usage: Option<Usage>,
    /// An upstream began to answer.
    pub is_answered: bool,
    /// The answer came to its own end.
    pub is_said: bool,
    /// Text of the request, where tokens are counted.
    pub prompt_bytes: u64,
    /// Text of the answer so far.
    pub said_bytes: u64,
    /// Most text of a stream that was held back at once.
    pub most_held_bytes: u64,
    pub scanned: Scanned,
    pub unscanned: Unscanned,
    /// The last score of the answer, as it is written.
    pub quality: Option<String>,
    /// Texts for the event.
    pub capture: Option<Box<Capture>>,
    /// What each policy spent, of an exchange whose time is taken.
    pub policy_ns: Option<[u64; PolicyKind::ALL.len()]>,
    verdict: Verdict,
    reason: Option<String>,
    warnings: Vec<String>,
    redactions: u32,
    findings: Vec<FindingCount>,
    #[cfg(feature = "compile")]
    located: Vec<Located>,
}

/// Where in a whole text something was found. Kept only where somebody is shown it; events have counts.
#[cfg(feature = "compile")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The text's place.
    pub place: String,
    /// Reason code.
    pub reason: String,
    /// Whether it takes effect.
    pub mode: Mode,
    /// Bytes of the text as it is read, with escapes undone.
    pub range: Range<usize>,
}

/// What was found so far: each kind at each place with its count, and where it stands in texts that were read whole.
#[cfg(feature = "compile")]
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// In the order in which they were found.
    pub counts: &'a [FindingCount],
    /// The same one by one, as far as they have a place in a text.
    pub located: &'a [Located],
}

#[cfg(feature = "compile")]
impl Exchange {
    /// What the policies found so far, for those who explain it.
    pub fn found(&self) -> Found<'_> {
        Found { counts: &self.record.findings, located: &self.record.located }
    }
}

impl Record {
    /// Notes where in the text of `place` the findings stand.
    #[cfg(feature = "compile")]
    pub(super) fn locate(&mut self, findings: &[Finding], place: &impl Display) {
        let room = MAX_FINDINGS.saturating_sub(self.located.len());
        self.located.extend(findings.iter().take(room).map(|finding| Located {
            place: place.to_string(),
            reason: finding.reason(),
            mode: finding.mode,
            range: finding.range.clone(),
        }));
    }

    /// Counts what was found in one place.
    pub(super) fn found(&mut self, findings: &[Finding], place: &impl Display) {
        let place = place.to_string();
        for finding in findings {
            let verdict = Verdict::of(finding);
            let reason = finding.reason();
            self.redactions += u32::from(verdict == Verdict::Redact);
            if verdict == Verdict::Warn && !self.warnings.contains(&reason) {
                self.warnings.push(reason.clone());
            }
            if verdict > self.verdict {
                self.verdict = verdict;
                self.reason = Some(reason.clone());
            }
            let known = |known: &&mut FindingCount| {
                known.reason == reason && known.place == place && known.mode == finding.mode
            };
            if let Some(known) = self.findings.iter_mut().find(known) {
                known.count += 1;
            } else if self.findings.len() < MAX_FINDINGS {
                self.findings.push(FindingCount {
                    policy: finding.policy.name(),
                    reason,
                    place: place.clone(),
                    count: 1,
                    mode: finding.mode,
                    action: finding.action,
                });
            }
        }
    }

    /// Takes what a whole answer says of itself.
    pub(super) fn count_answer(&mut self, answer: &Response) {
        self.usage = answer.usage;
        self.model_served = answer.model.as_ref().map(|model| model.clone().into_owned());
        self.said_bytes = answer.texts.iter().map(|text| text.value.len() as u64).sum();
        self.is_said = true;
    }

    /// Counts a budget that is used up.
    pub(super) fn over_budget(&mut self, limit: &Exceeded, place: &str, action: Action, mode: Mode) {
        let finding = Finding {
            policy: PolicyKind::BudgetEnforcement,
            kind: limit.reason.into(),
            range: 0..0,
            action,
            mode,
            score: 1.0,
        };
        self.found(std::slice::from_ref(&finding), &place);
    }

    /// The block that is reported, among several.
    pub(super) fn blocked_by(&mut self, finding: &Finding) {
        self.verdict = Verdict::Block;
        self.reason = Some(finding.reason());
    }

    /// The `x-kt-` headers of the answer, as far as they are known.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("x-kt-verdict", self.verdict.name().to_owned())];
        if let Some(reason) = &self.reason {
            headers.push(("x-kt-reason", reason.clone()));
        }
        if self.redactions > 0 {
            headers.push(("x-kt-redactions", self.redactions.to_string()));
        }
        if let Some(quality) = &self.quality {
            headers.push(("x-kt-quality", quality.clone()));
        }
        if !self.warnings.is_empty() {
            headers.push(("x-kt-warnings", self.warnings.join(", ")));
        }
        if let Some(routed) = &self.routed {
            headers.push(("x-kt-route", routed.target.clone()));
            let reason = match routed.by {
                PickedBy::Classifier if !routed.reason.is_empty() => &routed.reason,
                _ => routed.outcome(),
            };
            headers.push(("x-kt-route-reason", reason.to_owned()));
        }
        headers
    }
}

/// The tokens of an exchange that is over: as the provider counted them, else from the texts that were seen.
fn tally(exchange: &Exchange, ended: Ended, timing: &Timing) -> Option<Tally> {
    let record = &exchange.record;
    let counts = record.usage.unwrap_or_default();
    // Not every endpoint says something that is counted.
    let speaks = matches!(
        exchange.endpoint,
        Some(Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses)
    );
    let is_counted = counts.prompt.is_some() && (counts.completion.is_some() || !speaks);
    let complete = is_counted && (record.is_said || ended == Ended::Completed);
    if complete || !exchange.gateway.meters {
        return record.usage.map(|usage| Tally { usage, complete });
    }
    // Who leaves before the answer has asked for one all the same.
    let is_owed = record.is_answered || (timing.client_gone && timing.attempts > 0);
    let usage = Usage {
        prompt: counts.prompt.or(Some(cost::estimate(record.prompt_bytes))),
        completion: Some(counts.completion.unwrap_or(0).max(cost::estimate(record.said_bytes))),
        ..counts
    };
    (is_owed && exchange.endpoint.is_some()).then_some(Tally { usage, complete: false })
}

/// What an exchange cost, the router's question included; `None` where nothing has a price.
fn cost(exchange: &Exchange, tally: Option<&Tally>, target: Option<&str>) -> Option<Usd> {
    let config = &exchange.gateway.config;
    let served = target.and_then(|id| config.target(id));
    let answer = tally.zip(served).and_then(|(tally, target)| Some(target.prices?.of(&tally.usage)));
    let pick = exchange.record.routed.as_ref().and_then(|routed| {
        let classifier = config.targets.get(config.router.as_ref()?.classifier as usize)?;
        Some(classifier.prices?.of(&routed.usage?))
    });
    match (answer, pick) {
        (None, None) => None,
        (answer, pick) => Some(Usd(answer.unwrap_or_default().0.saturating_add(pick.unwrap_or_default().0))),
    }
}

/// How an exchange came out.
pub(super) struct Closing {
    ended: Ended,
    pub(super) tally: Option<Tally>,
    pub(super) cost: Option<Usd>,
    /// Id of the target that answered.
    pub(super) target: Option<String>,
}

impl Closing {
    pub(super) fn of(exchange: &Exchange, timing: &Timing) -> Closing {
        let record = &exchange.record;
        let ended = match record.ended {
            Some(ended) => ended,
            None if timing.client_gone => Ended::ClientDisconnected,
            None if timing.upstream_failed => Ended::UpstreamError,
            None => Ended::Completed,
        };
        let target = timing.trail.last().map(|tried| &tried.target).or(record.only_target.as_ref());
        let tally = tally(exchange, ended, timing);
        let cost = cost(exchange, tally.as_ref(), target.map(String::as_str));
        Closing { ended, tally, cost, target: target.cloned() }
    }
}

/// Tells what is counted, and gives the event's line; `None` if the chain does not ask for it.
pub(super) fn close(
    exchange: &Exchange,
    timing: &Timing,
    closing: &Closing,
    sink: &mut Sink,
) -> Option<Vec<u8>> {
    let record = &exchange.record;
    let config = &exchange.gateway.config;
    if !record.audits {
        return None;
    }
    let Closing { ended, tally, cost, target } = closing;
    let (ended, cost, target) = (*ended, *cost, target.as_deref());
    let endpoint = if record.endpoint.is_empty() { "none" } else { record.endpoint };
    let known = target.and_then(|id| config.target(id));
    let measured = Measured {
        endpoint,
        target: known.map_or("none", |target| target.id.as_str()),
        model: known.and_then(|target| target.model.as_deref()).unwrap_or("any"),
        status: timing.status,
        verdict: record.verdict.name(),
        findings: &record.findings,
        scanned: &record.scanned,
        unscanned: &record.unscanned,
        latency: &timing.latency,
        held_bytes: exchange.stream.as_ref().map(|_| record.most_held_bytes),
        tally: tally.as_ref(),
        cost,
    };
    measured.tell(sink);
    // Both ways at once: each value that is told is a call into Envoy.
    let texts = [record.scanned.request_texts, record.scanned.response_texts];
    for (policy, texts) in exchange.gateway.chain.texts_read(exchange.active, texts) {
        texts_read(policy.name(), texts, sink);
    }
    let spent = PolicyKind::ALL.into_iter().zip(record.policy_ns.unwrap_or_default());
    for (policy, ns) in spent.filter(|(_, ns)| *ns > 0) {
        sink(Kind::Histogram, &["kt_policy_sampled_us;policy=", policy.name()], ns / 1000);
    }
    let unremarkable = ended == Ended::Completed && record.findings.is_empty() && timing.status < 400;
    if config.audit().log_all_access == Some(false) && unremarkable {
        return None;
    }
    let caller = exchange.client_key().map(|key| chain::caller(&exchange.gateway.key.get(), key));
    let event = Event {
        cost,
        time: event::rfc3339(timing.unix_ms),
        request_id: &record.request_id,
        pack: &config.pack.name,
        pack_version: &config.pack.version,
        pack_enabled: config.pack.enabled,
        config_sha256: &config.config_sha256,
        caller: caller.as_deref(),
        endpoint,
        stream: record.stream,
        model_requested: exchange.head.model_requested().map(name),
        routed: record.routed.as_ref(),
        target,
        model_served: record.model_served.as_deref().map(name),
        attempts: timing.attempts,
        tried: &timing.trail.0,
        status: timing.status,
        error_code: record.error_code,
        ended,
        verdict: record.verdict,
        findings: &record.findings,
        scanned: record.scanned,
        unscanned: record.unscanned,
        tally: *tally,
        latency: timing.latency,
        policy_us: record.policy_ns.as_ref().map(|spent| spent.map(|ns| ns / 1000)),
        captured: record.capture.as_ref().map(|capture| [&capture.request, &capture.response]),
    };
    Some(event.to_line())
}

/// Filter state from which Envoy takes the attributes of an event for a collector, and the attributes' names by OpenTelemetry's
/// conventions for generative AI.
pub const ATTRIBUTES: [(&str, &str); 8] = [
    ("kt.otel.operation", "gen_ai.operation.name"),
    ("kt.otel.provider", "gen_ai.provider.name"),
    ("kt.otel.request_model", "gen_ai.request.model"),
    ("kt.otel.response_model", "gen_ai.response.model"),
    ("kt.otel.input_tokens", "gen_ai.usage.input_tokens"),
    ("kt.otel.output_tokens", "gen_ai.usage.output_tokens"),
    ("kt.otel.error", "error.type"),
    ("kt.otel.verdict", "kt.verdict"),
];

/// What is known of [`ATTRIBUTES`].
pub(super) fn attributes(
    exchange: &Exchange,
    timing: &Timing,
    closing: &Closing,
) -> Vec<(&'static str, String)> {
    let record = &exchange.record;
    let operation = match exchange.endpoint {
        Some(Endpoint::ChatCompletions | Endpoint::Responses) => Some("chat"),
        Some(Endpoint::Completions) => Some("text_completion"),
        Some(Endpoint::Embeddings) => Some("embeddings"),
        Some(Endpoint::Rerank) => Some("rerank"),
        None => None,
    };
    let served = closing.target.as_deref().and_then(|id| exchange.gateway.config.target(id));
    let provider = served.map(|target| match target.provider.as_str() {
        "mistral" => "mistral_ai",
        provider => provider,
    });
    let usage = closing.tally.map(|tally| tally.usage).unwrap_or_default();
    let status = timing.status.to_string();
    let error = match record.error_code {
        "" => Some(status.as_str()).filter(|_| timing.status >= 400),
        code => Some(code),
    };
    let [prompt, completion] = [usage.prompt, usage.completion].map(|count| count.map(|it| it.to_string()));
    let values = [
        operation,
        provider,
        exchange.head.model_requested().map(name),
        record.model_served.as_deref().map(name),
        prompt.as_deref(),
        completion.as_deref(),
        error,
        Some(record.verdict.name()),
    ];
    let known = ATTRIBUTES.iter().zip(values);
    known.filter_map(|((state, _), value)| Some((*state, value?.to_owned()))).collect()
}

/// A name that others chose, short enough for a log line.
pub(super) fn name(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME_BYTES)).unwrap_or_default()
}

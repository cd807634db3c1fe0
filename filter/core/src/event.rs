//! The audit event: one JSON line per exchange.
//!
//! Field names are those of the specification's section 8. Holds counts, kinds and places, never text of a message and
//! never a key. Writing the line is the host's business.

use crate::attempt::trail::Tried;
use crate::config::{Action, Mode};
use crate::cost::Usd;
use crate::json::Writer;
use crate::message::Unscanned;
use crate::message::text::TextKind;
use crate::message::usage::Usage;
use crate::policy::{Direction, Finding, PolicyKind};
use serde::Serialize;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ended {
    /// The client got a whole answer.
    #[default]
    Completed,
    /// A policy refused the request or ended the answer.
    Blocked,
    /// The gateway refused the request before any policy ran.
    Refused,
    /// The client went away.
    ClientDisconnected,
    /// No upstream gave a whole answer.
    UpstreamError,
    /// The gateway failed.
    GatewayFailure,
}

impl Ended {
    /// As in the event.
    fn name(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Blocked => "blocked",
            Ended::Refused => "refused",
            Ended::ClientDisconnected => "client_disconnected",
            Ended::UpstreamError => "upstream_error",
            Ended::GatewayFailure => "gateway_failure",
        }
    }
}

/// What was decided about an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing found.
    #[default]
    Allow,
    /// Something found that is only reported.
    Warn,
    /// Something replaced.
    Redact,
    /// Refused or cut.
    Block,
}

impl Verdict {
    /// As in `x-kt-verdict`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Warn => "warn",
            Verdict::Redact => "redact",
            Verdict::Block => "block",
        }
    }

    /// What a finding means for its exchange. A shadow finding changes nothing.
    pub fn of(finding: &Finding) -> Verdict {
        match (finding.mode, finding.action) {
            (Mode::Shadow, _) => Verdict::Allow,
            (Mode::Enforce, Action::Block) => Verdict::Block,
            (Mode::Enforce, Action::Redact) => Verdict::Redact,
            (Mode::Enforce, Action::Warn) => Verdict::Warn,
        }
    }
}

/// Findings of one kind in one place.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingCount {
    /// The policy's name.
    pub policy: &'static str,
    /// `<policy>.<kind>`.
    pub reason: String,
    /// Where, such as `messages[2].content`.
    pub place: String,
    /// How many.
    pub count: u32,
    /// `enforce` or `shadow`.
    pub mode: Mode,
    /// What the policy is configured to do.
    pub action: Action,
}

/// How much was read, and why the rest was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Texts of the request.
    pub request_texts: u32,
    /// Bytes of those.
    pub request_bytes: u64,
    /// Texts of the answer; deltas of a stream.
    pub response_texts: u32,
    /// Bytes of those.
    pub response_bytes: u64,
    /// Texts both ways, by what they are.
    pub kinds: [u32; TextKind::ALL.len()],
    /// Why the request was not read.
    pub request_unread: Option<Unread>,
    /// Why the answer was not read.
    pub response_unread: Option<Unread>,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// The operator lets the path through.
    Passthrough,
    /// No active policy reads what travels this way.
    NoPolicy,
    /// It is the upstream's own error.
    UpstreamError,
    /// It could not be read, and the operator lets that through.
    Unreadable,
}

impl Unread {
    /// As in the event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unread::Passthrough => "passthrough",
            Unread::NoPolicy => "no_policy",
            Unread::UpstreamError => "upstream_error",
            Unread::Unreadable => "unreadable",
        }
    }
}

impl Scanned {
    /// Counts one text.
    pub fn count(&mut self, direction: Direction, kind: TextKind, bytes: usize) {
        if let Some(texts) = self.kinds.get_mut(kind as usize) {
            *texts += 1;
        }
        let (texts, total) = match direction {
            Direction::Request => (&mut self.request_texts, &mut self.request_bytes),
            Direction::Response => (&mut self.response_texts, &mut self.response_bytes),
        };
        *texts += 1;
        *total += bytes as u64;
    }
}

/// Where the time of an exchange went, in microseconds. The event says milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// First byte of the request to last byte of the answer.
    pub total_us: u64,
    /// Last byte of the request to the answer's headers, all attempts included.
    pub upstream_us: Option<u64>,
    /// First byte of the request to the first released byte of the answer.
    pub ttft_us: Option<u64>,
    /// Spent in policies; of a stream, up to its first byte.
    pub policy_us: u64,
}

/// Who picked the target of a request for a virtual model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PickedBy {
    /// No one: it is the router's default.
    #[default]
    Default,
    /// The classifier, for this request.
    Classifier,
    /// The classifier, for an earlier request of the conversation.
    Conversation,
}

/// How the target of a request for a virtual model was picked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    /// Id of the target.
    pub target: String,
    /// Position of the route; `None`: the default.
    pub route: Option<u32>,
    /// Who picked it.
    pub by: PickedBy,
    /// Why no one did; else empty.
    pub failure: &'static str,
    /// The classifier's words, for the client alone.
    pub reason: String,
    /// Time until the pick.
    pub us: u64,
    /// Tokens that the pick cost.
    pub usage: Option<Usage>,
}

impl Routed {
    /// One word for it.
    pub fn outcome(&self) -> &'static str {
        match self.by {
            PickedBy::Default => self.failure,
            PickedBy::Classifier => "classifier",
            PickedBy::Conversation => "conversation",
        }
    }

    fn write(&self, line: &mut Writer) {
        line.open("route", '{');
        line.text("target", &self.target);
        line.text(
            "by",
            match self.by {
                PickedBy::Default => "default",
                PickedBy::Classifier => "classifier",
                PickedBy::Conversation => "conversation",
            },
        );
        line.text_if_any("failure", Some(self.failure).filter(|failure| !failure.is_empty()));
        line.milliseconds("ms", self.us);
        if let Some(usage) = &self.usage {
            write_usage(usage, None, line);
        }
        line.close('}');
    }
}

/// The tokens of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub usage: Usage,
    /// The provider counted them all. `false`: the answer was cut or not counted, and what is missing is estimated.
    pub complete: bool,
}

fn write_usage(usage: &Usage, complete: Option<bool>, line: &mut Writer) {
    line.open("usage", '{');
    line.number_or_null("prompt", usage.prompt);
    line.number_or_null("completion", usage.completion);
    line.number_or_null("total", usage.total);
    line.number_or_null("cached", usage.cached);
    line.number_or_null("reasoning", usage.reasoning);
    if let Some(complete) = complete {
        line.flag("complete", complete);
    }
    line.close('}');
}

/// Texts that went one way, after redaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captured {
    /// Where each stands, and what it says.
    pub texts: Vec<(String, String)>,
    /// There was more.
    pub is_cut: bool,
}

impl Captured {
    fn write(&self, key: &str, line: &mut Writer) {
        line.open(key, '[');
        for (place, text) in &self.texts {
            line.item('{');
            line.text("place", place);
            line.text("text", text);
            line.close('}');
        }
        line.close(']');
    }
}

/// One exchange. Borrowed from what the exchange remembers, written once.
#[derive(Debug)]
pub struct Event<'e> {
    /// When the exchange ended, RFC 3339 in UTC.
    pub time: String,
    /// Envoy's `x-request-id`.
    pub request_id: &'e str,
    /// The pack's name.
    pub pack: &'e str,
    /// The pack's version.
    pub pack_version: &'e str,
    /// `false`: nothing was enforced.
    pub pack_enabled: bool,
    /// SHA-256 of the configuration file.
    pub config_sha256: &'e str,
    /// The caller, by a keyed hash of the credential that came with the request.
    pub caller: Option<&'e str>,
    /// Name of the endpoint, or `passthrough`, or `none`.
    pub endpoint: &'e str,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The request's `model`.
    pub model_requested: Option<&'e str>,
    /// How a virtual model was resolved.
    pub routed: Option<&'e Routed>,
    /// Id of the target that answered.
    pub target: Option<&'e str>,
    /// The answer's `model`.
    pub model_served: Option<&'e str>,
    /// Attempts on upstreams.
    pub attempts: u64,
    /// The attempts one by one, as far as they are known.
    pub tried: &'e [Tried],
    /// Status the client got; 0 if it got none.
    pub status: u64,
    /// The gateway's own error code, if the answer was its own.
    pub error_code: &'e str,
    /// How it ended.
    pub ended: Ended,
    /// What was decided.
    pub verdict: Verdict,
    /// What was found.
    pub findings: &'e [FindingCount],
    /// How much was read.
    pub scanned: Scanned,
    /// What could not be read, by kind.
    pub unscanned: Unscanned,
    /// Tokens.
    pub tally: Option<Tally>,
    /// What they cost.
    pub cost: Option<Usd>,
    /// Where the time went.
    pub latency: Latency,
    /// What each policy spent, in the order of [`PolicyKind::ALL`]; few exchanges have it.
    pub policy_us: Option<[u64; PolicyKind::ALL.len()]>,
    /// Texts of the request and of the answer, where they are kept.
    pub captured: Option<[&'e Captured; 2]>,
}

impl Event<'_> {
    /// The line, without its end.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Writer::new('{');
        line.text("time", &self.time);
        line.text("request_id", self.request_id);
        line.text("pack", self.pack);
        line.text("pack_version", self.pack_version);
        line.flag("pack_enabled", self.pack_enabled);
        line.text("config_sha256", self.config_sha256);
        line.text_if_any("caller", self.caller);
        line.text("endpoint", self.endpoint);
        line.flag("stream", self.stream);
        line.text_if_any("model_requested", self.model_requested);
        line.text_if_any("target", self.target);
        line.text_if_any("model_served", self.model_served);
        line.number("attempts", self.attempts);
        if self.tried.len() > 1 {
            line.open("tried", '[');
            for tried in self.tried {
                line.item('{');
                line.text("target", &tried.target);
                if let Some((status, fault)) = tried.fault {
                    line.number("status", status.into());
                    line.text("fault", fault.name());
                }
                line.close('}');
            }
            line.close(']');
        }
        line.number("status", self.status);
        line.text_if_any("error_code", Some(self.error_code).filter(|code| !code.is_empty()));
        line.text("ended", self.ended.name());
        line.text("verdict", self.verdict.name());
        line.open("findings", '[');
        for finding in self.findings {
            finding.write(&mut line);
        }
        line.close(']');
        line.open("scanned", '{');
        line.number("request_texts", self.scanned.request_texts.into());
        line.number("request_bytes", self.scanned.request_bytes);
        line.number("response_texts", self.scanned.response_texts.into());
        line.number("response_bytes", self.scanned.response_bytes);
        line.open("kinds", '{');
        for (kind, count) in TextKind::ALL.into_iter().zip(self.scanned.kinds).filter(|(_, count)| *count > 0)
        {
            line.number(kind.name(), count.into());
        }
        line.close('}');
        line.text_if_any("request_unread", self.scanned.request_unread.map(Unread::name));
        line.text_if_any("response_unread", self.scanned.response_unread.map(Unread::name));
        line.close('}');
        if !self.unscanned.is_empty() {
            line.open("unscanned", '{');
            for (kind, count) in self.unscanned.kinds().into_iter().filter(|(_, count)| *count > 0) {
                line.number(kind, count.into());
            }
            line.close('}');
        }
        if let Some(routed) = self.routed {
            routed.write(&mut line);
        }
        if let Some(Tally { usage, complete }) = &self.tally {
            write_usage(usage, Some(*complete), &mut line);
        }
        if let Some(Usd(cost)) = self.cost {
            line.decimal("cost_usd", cost);
        }
        line.open("latency_ms", '{');
        line.milliseconds("total", self.latency.total_us);
        for (key, us) in [("upstream", self.latency.upstream_us), ("ttft", self.latency.ttft_us)] {
            if let Some(us) = us {
                line.milliseconds(key, us);
            }
        }
        line.milliseconds("policy", self.latency.policy_us);
        line.close('}');
        if let Some(spent) = self.policy_us {
            line.open("policy_us", '{');
            for (policy, us) in PolicyKind::ALL.into_iter().zip(spent).filter(|(_, us)| *us > 0) {
                line.number(policy.name(), us);
            }
            line.close('}');
        }
        if let Some([request, response]) = self.captured {
            line.open("captured", '{');
            request.write("request", &mut line);
            response.write("response", &mut line);
            line.flag("cut", request.is_cut || response.is_cut);
            line.close('}');
        }
        line.end('}')
    }
}

impl FindingCount {
    fn write(&self, line: &mut Writer) {
        line.item('{');
        line.text("policy", self.policy);
        line.text("reason", &self.reason);
        line.text("place", &self.place);
        line.number("count", self.count.into());
        line.text(
            "mode",
            match self.mode {
                Mode::Enforce => "enforce",
                Mode::Shadow => "shadow",
            },
        );
        line.text(
            "action",
            match self.action {
                Action::Block => "block",
                Action::Redact => "redact",
                Action::Warn => "warn",
            },
        );
        line.close('}');
    }
}

/// Milliseconds since 1970 as RFC 3339 in UTC, such as `2026-11-20T10:17:00.250Z`.
pub fn rfc3339(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Year, month and day, from 1 on, of the day so many days after 1970-01-01.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01 in eras of 400 years (Howard Hinnant's `civil_from_days`).
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unix_ms: u64, expected: &str) {
        assert_eq!(rfc3339(unix_ms), expected);
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_795_169_820_250, "2026-11-20T10:17:00.250Z");
    }
}

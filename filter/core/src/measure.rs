//! What is counted of exchanges, as metrics.
//!
//! Says names, labels and values; counting is the host's business. Invariant: labels are bounded. Their values are words of this
//! program, ids and models of the configuration, and statuses; never a word of a client's or an upstream's.

use crate::config::Mode;
use crate::cost::Usd;
use crate::event::{FindingCount, Latency, Scanned, Tally};
use crate::message::Unscanned;

/// How a metric adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sums.
    Counter,
    /// The last value.
    Gauge,
    /// How values are spread.
    Histogram,
}

/// Takes a value of a metric. The parts make its name, in which each label stands as `;label=value`.
pub type Sink<'s> = dyn FnMut(Kind, &[&str], u64) + 's;

/// Of one exchange that is over.
#[derive(Debug)]
pub(crate) struct Measured<'e> {
    pub(crate) endpoint: &'e str,
    pub(crate) target: &'e str,
    /// The target's, as configured.
    pub(crate) model: &'e str,
    pub(crate) status: u64,
    pub(crate) verdict: &'e str,
    pub(crate) findings: &'e [FindingCount],
    pub(crate) scanned: &'e Scanned,
    pub(crate) unscanned: &'e Unscanned,
    pub(crate) latency: &'e Latency,
    /// Most text of a stream that was held back at once; `None`: it was none.
    pub(crate) held_bytes: Option<u64>,
    pub(crate) tally: Option<&'e Tally>,
    pub(crate) cost: Option<Usd>,
}

impl Measured<'_> {
    /// Tells everything but what policies read.
    pub(crate) fn tell(&self, sink: &mut Sink) {
        let mut digits = [0; 3];
        let code = three_digits(self.status, &mut digits);
        let labels = [
            "kt_requests_total;endpoint=",
            self.endpoint,
            ";target=",
            self.target,
            ";code=",
            code,
            ";verdict=",
            self.verdict,
        ];
        sink(Kind::Counter, &labels, 1);
        for finding in self.findings {
            let mode = match finding.mode {
                Mode::Enforce => "enforce",
                Mode::Shadow => "shadow",
            };
            let labels = [
                "kt_findings_total;policy=",
                finding.policy,
                ";reason=",
                finding.reason.as_str(),
                ";mode=",
                mode,
            ];
            sink(Kind::Counter, &labels, finding.count.into());
        }
        for (kind, count) in self.unscanned.kinds().into_iter().filter(|(_, count)| *count > 0) {
            sink(Kind::Counter, &["kt_unscanned_total;kind=", kind], count.into());
        }
        for (direction, unread) in
            [("request", self.scanned.request_unread), ("response", self.scanned.response_unread)]
        {
            if let Some(unread) = unread {
                let labels = ["kt_unread_bodies_total;direction=", direction, ";reason=", unread.name()];
                sink(Kind::Counter, &labels, 1);
            }
        }
        sink(Kind::Histogram, &["kt_policy_us"], self.latency.policy_us);
        if let (Some(ttft), Some(upstream)) = (self.latency.ttft_us, self.latency.upstream_us) {
            sink(Kind::Histogram, &["kt_added_ttft_us"], ttft.saturating_sub(upstream));
        }
        if let Some(held) = self.held_bytes {
            sink(Kind::Histogram, &["kt_held_bytes"], held);
        }
        if let Some(Tally { usage, .. }) = self.tally {
            let counts = [
                ("prompt", usage.prompt.unwrap_or(0)),
                ("cached", usage.cached.unwrap_or(0)),
                ("completion", usage.billed_completion()),
            ];
            for (kind, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                let labels = ["kt_tokens_total;target=", self.target, ";model=", self.model, ";kind=", kind];
                sink(Kind::Counter, &labels, count);
            }
        }
        if let Some(Usd(cost)) = self.cost {
            sink(Kind::Counter, &["kt_cost_picousd_total;target=", self.target, ";model=", self.model], cost);
        }
    }
}

/// Tells how many texts a policy read; 0 makes the metric known.
pub(crate) fn texts_read(policy: &str, texts: u32, sink: &mut Sink) {
    sink(Kind::Counter, &["kt_policy_texts_total;policy=", policy], texts.into());
}

/// A status in three digits, and 0 in one.
fn three_digits(number: u64, digits: &mut [u8; 3]) -> &str {
    if number == 0 {
        return "0";
    }
    *digits = [number / 100, number / 10, number].map(|digit| b'0' + (digit % 10) as u8);
    std::str::from_utf8(digits).unwrap_or_default()
}

//! The report for people and for programs.
//!
//! Decides nothing. What the probes plant is the kit's own, so it may be shown.

use super::{Cost, Line, Report, Verdict};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Verdict::Kept => "kept",
            Verdict::Refused(_) => "refused",
            Verdict::Missed(_) => "missed",
            Verdict::Leaked(_) => "leaked",
            Verdict::Lost(_) => "lost",
        }
    }

    fn detail(&self) -> String {
        match self {
            Verdict::Kept => String::new(),
            Verdict::Refused(status) => format!("with {status}"),
            Verdict::Missed(why) | Verdict::Leaked(why) | Verdict::Lost(why) => why.clone(),
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Report {
    fn count(&self, group: &str, word: &str) -> usize {
        self.lines.iter().filter(|line| line.group == group && line.verdict.word() == word).count()
    }

    /// Groups in the order in which they were run.
    fn groups(&self) -> Vec<&'static str> {
        let mut groups: Vec<&'static str> = self.lines.iter().map(|line| line.group).collect();
        groups.dedup();
        groups
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut page = format!("# Conformance of {}\n\n", self.gateway);
        let bad: Vec<&Line> = self.lines.iter().filter(|line| !line.verdict.is_good()).collect();
        // Writing into a string does not fail.
        let _ = match bad.len() {
            0 => writeln!(
                page,
                "Perfect: {} probes, no leak, no place missed, nothing lost.\n",
                self.lines.len()
            ),
            count => writeln!(page, "{count} of {} probes do not hold.\n", self.lines.len()),
        };
        page.push_str(
            "| probes | kept | refused | missed | leaked | lost |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for group in self.groups() {
            let words = ["kept", "refused", "missed", "leaked", "lost"];
            let counts = words.map(|word| self.count(group, word).to_string()).join(" | ");
            let _ = writeln!(page, "| {group} | {counts} |");
        }
        if let Some(cost) = &self.cost {
            let Cost { runs, .. } = cost;
            let _ = write!(
                page,
                "\nMedians of {runs} streams of 200 deltas, through the gateway and without it in turns:\n\n\
                 | | without | through | added |\n| --- | --- | --- | --- |\n\
                 | first delta, µs | {:.0} | {:.0} | {:.0} |\n| each delta, µs | {:.1} | {:.1} | {:.1} |\n\n\
                 {}\n",
                micros(cost.first_direct),
                micros(cost.first),
                micros(cost.to_first()),
                micros(cost.whole_direct) / 200.0,
                micros(cost.whole) / 200.0,
                micros(cost.for_each()),
                match cost.is_unheld {
                    true => "The first delta arrives before the second is sent.",
                    false => "Deltas are held until the answer has ended.",
                },
            );
        }
        if !bad.is_empty() {
            page.push_str(
                "\n## What does not hold\n\n| probe | where | what | how |\n| --- | --- | --- | --- |\n",
            );
            for Line { group, place, verdict } in bad {
                let detail = verdict.detail().replace(['|', '\n'], " ");
                let _ = writeln!(page, "| {group} | {place} | {} | {detail} |", verdict.word());
            }
        }
        page.push_str("\n## Every probe\n\n| probe | where | what |\n| --- | --- | --- |\n");
        for Line { group, place, verdict } in &self.lines {
            let _ = writeln!(page, "| {group} | {place} | {} |", verdict.word());
        }
        page
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let line = |line: &Line| json!({"group": line.group, "place": line.place, "verdict": line.verdict.word(), "detail": line.verdict.detail()});
        let cost = self.cost.as_ref().map(|cost| {
            json!({
                "runs": cost.runs,
                "first_delta_us": {"without": micros(cost.first_direct), "through": micros(cost.first), "added": micros(cost.to_first())},
                "each_delta_us": {"added": micros(cost.for_each())},
                "first_delta_before_the_last_was_sent": cost.is_unheld,
            })
        });
        json!({
            "gateway": self.gateway, "perfect": self.is_perfect(), "cost": cost,
            "probes": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

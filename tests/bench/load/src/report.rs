//! What a run of the load found, as one line of JSON.
//!
//! Only what fell into the measured window counts; warming up and running out do not.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Counts and times of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// From sending a request to its last byte.
    pub(crate) latencies: Vec<Duration>,
    /// From sending a request to the first byte of its body.
    pub(crate) first_bytes: Vec<Duration>,
    /// Server-sent events.
    pub(crate) events: u64,
    pub(crate) failures: u64,
    /// The first failure.
    pub(crate) failure: Option<String>,
    /// Length of the measured window.
    pub(crate) window: Duration,
    /// Time on a processor of the process under test, in the window.
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let per = |count: u64, total: f64| if count == 0 { 0.0 } else { total / count as f64 };
        let requests = self.latencies.len() as u64;
        let seconds = self.window.as_secs_f64();
        let cpu_us = self.cpu.as_secs_f64() * 1e6;
        let [latency_p50, latency_p90, latency_p99] = percentiles(&self.latencies);
        let [first_p50, first_p90, first_p99] = percentiles(&self.first_bytes);
        write!(out, r#"{{"requests":{requests},"failures":{},"events":{}"#, self.failures, self.events)?;
        write!(out, r#","requests_per_s":{:.1}"#, requests as f64 / seconds)?;
        write!(out, r#","events_per_s":{:.1}"#, self.events as f64 / seconds)?;
        write!(out, r#","latency_us":[{latency_p50:.1},{latency_p90:.1},{latency_p99:.1}]"#)?;
        write!(out, r#","first_byte_us":[{first_p50:.1},{first_p90:.1},{first_p99:.1}]"#)?;
        write!(out, r#","cpu_us_per_request":{:.2}"#, per(requests, cpu_us))?;
        write!(out, r#","cpu_us_per_event":{:.3}"#, per(self.events, cpu_us))?;
        write!(out, r#","cpu_share":{:.3},"rss_kib":{}"#, cpu_us / 1e6 / seconds, self.rss_kib)?;
        match &self.failure {
            // Debug output of a string without control characters is JSON.
            Some(failure) => {
                write!(out, r#","failure":{:?}}}"#, failure.replace(|c: char| !(' '..='~').contains(&c), " "))
            }
            None => out.write_str("}"),
        }
    }
}

/// The 50th, 90th and 99th in microseconds; zeros if there was nothing.
fn percentiles(times: &[Duration]) -> [f64; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    [0.5, 0.9, 0.99].map(|share| {
        let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_answers_is_reported_too() {
        let report = Report {
            failures: 1,
            failure: Some("refused: \"no\"\n".into()),
            window: Duration::from_secs(1),
            ..Report::default()
        };
        let text = report.to_string();
        assert!(text.ends_with(r#","failure":"refused: \"no\" "}"#), "{text}");
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times: Vec<Duration> = (0..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(percentiles(&times).map(f64::round), [50.0, 90.0, 99.0]);
    }
}

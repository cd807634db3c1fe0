//! Judges the answer to one attempt: does it go to the client, or is another target asked?
//!
//! Repeats nothing itself: it says that another attempt should follow, Envoy makes it. Only an answer of which nothing has
//! left can be judged, so its headers are held while [`Verdict::Hold`] stands. Invariant: the answer to the last attempt
//! passes as it is.

use super::trail::Fault;
use super::{AttemptPlan, target_of, wait};
use crate::message::failure::{Failure, failure};
use crate::plugin::Attempt;
use crate::sse::decode::Decoder;

/// Bytes of an answer that are held back to be judged. An error and a first event are shorter; what is longer passes.
pub const MAX_HELD_BYTES: usize = 64 * 1024;

/// What happens to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the client.
    Pass,
    /// More of it has to be seen.
    Hold,
    /// Another attempt follows.
    Next(Next),
}

/// The attempt that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Why.
    pub fault: Fault,
    /// Planned attempts that are left out, because they would ask this target again.
    pub skip: usize,
    /// Seconds to wait before it; `None`: as long as the back-off says.
    pub wait_s: Option<u64>,
}

/// One attempt's answer, as far as it is known.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Attempts on the same target that come next in the plan.
    again: usize,
    /// Another target comes after those.
    other: bool,
    held: Held,
    wait_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Held {
    #[default]
    Nothing,
    Error,
    FirstEvent,
}

impl Answer {
    /// The answer to the attempt at `position` of the plan.
    pub fn new(plan: &AttemptPlan, position: usize) -> Answer {
        let left = plan.clusters.get(position + 1..).unwrap_or_default();
        let here = plan.cluster(position).map(target_of);
        let again = left.iter().take_while(|cluster| Some(target_of(cluster)) == here).count();
        Answer { again, other: left.len() > again, ..Answer::default() }
    }

    /// No other attempt can follow, so nothing has to be looked at.
    pub fn is_last(&self) -> bool {
        self.again == 0 && !self.other
    }

    /// Takes the headers: the status, and any other by its name. `streams`: the client asked for a stream.
    pub fn head(
        &mut self,
        target: &Attempt,
        header: &dyn Fn(&str) -> Option<String>,
        streams: bool,
        ends: bool,
        now_s: &dyn Fn() -> u64,
    ) -> Verdict {
        if self.is_last() {
            return Verdict::Pass;
        }
        self.status = header(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        let readable = || header("content-encoding").is_none();
        match self.status {
            200..300 if !streams => Verdict::Pass,
            200..300 => match header("content-type") {
                Some(kind) if is_event_stream(&kind) && readable() => {
                    self.hold(Held::FirstEvent, target, ends)
                }
                _ => Verdict::Pass,
            },
            status if target.target_out.statuses.contains(&status) => self.out(Fault::Out),
            status if target.retryable_status_codes.contains(&status) => {
                if self.again == 0 {
                    return self.elsewhere(Fault::Status);
                }
                let asked = header("retry-after").and_then(|value| wait::retry_after(&value, now_s()));
                self.wait_s =
                    asked.or_else(|| header("x-ratelimit-reset").and_then(|value| wait::seconds(&value)));
                match status {
                    // A used-up quota looks like a limit of the rate, and would be no better on the next try.
                    400..500 if readable() => self.hold(Held::Error, target, ends),
                    _ => self.again(target),
                }
            }
            400..500 if self.other && readable() => self.hold(Held::Error, target, ends),
            _ => Verdict::Pass,
        }
    }

    fn hold(&mut self, held: Held, target: &Attempt, ends: bool) -> Verdict {
        self.held = held;
        if ends { self.body(target, &[], true) } else { Verdict::Hold }
    }

    /// Takes all that has come of the body, or its first [`MAX_HELD_BYTES`].
    pub fn body(&mut self, target: &Attempt, body: &[u8], ends: bool) -> Verdict {
        let full = body.len() >= MAX_HELD_BYTES;
        let verdict = match self.held {
            Held::Nothing => Verdict::Pass,
            Held::Error if !ends && !full => Verdict::Hold,
            Held::Error => match out(target, failure(body).unwrap_or_default()) {
                Some(fault) => self.out(fault),
                None if target.retryable_status_codes.contains(&self.status) => self.again(target),
                None => Verdict::Pass,
            },
            Held::FirstEvent => match first_event(body, ends) {
                First::Error(failure) => match out(target, failure) {
                    Some(fault) => self.out(fault),
                    None if self.again == 0 => self.elsewhere(Fault::Event),
                    None => Verdict::Next(Next { fault: Fault::Event, skip: 0, wait_s: None }),
                },
                First::Missing if !full => Verdict::Hold,
                First::Fine | First::Missing => Verdict::Pass,
            },
        };
        if verdict != Verdict::Hold {
            self.held = Held::Nothing;
        }
        verdict
    }

    /// This target is not asked again. Without another one the client gets its word.
    fn out(&self, fault: Fault) -> Verdict {
        if self.other { self.elsewhere(fault) } else { Verdict::Pass }
    }

    /// Another target is asked, at once: it has not been overloaded yet.
    fn elsewhere(&self, fault: Fault) -> Verdict {
        Verdict::Next(Next { fault, skip: self.again, wait_s: Some(0) })
    }

    /// The same target is asked again, after the time it asked for. If that is too long another one is asked; if there is
    /// none, the client is told.
    fn again(&self, target: &Attempt) -> Verdict {
        match self.wait_s {
            Some(wait_s) if wait_s.saturating_mul(1000) > u64::from(target.max_wait_ms) => {
                self.out(Fault::Status)
            }
            wait_s => Verdict::Next(Next { fault: Fault::Status, skip: 0, wait_s }),
        }
    }
}

fn is_event_stream(content_type: &str) -> bool {
    content_type.trim_start().get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

/// Whether an error says that the target cannot serve.
fn out(target: &Attempt, failure: Failure) -> Option<Fault> {
    let listed = |name: &&String| target.target_out.codes.contains(name);
    let name = failure.names.iter().find(listed)?;
    // A target without a model of its own cannot help it if the client asks for one that it does not have.
    Some(if target.model.is_none() && name.starts_with("model_") { Fault::Model } else { Fault::Out })
}

/// The first event of a stream.
enum First {
    Missing,
    Fine,
    Error(Failure),
}

fn first_event(body: &[u8], ends: bool) -> First {
    let mut frames = Vec::new();
    let mut decoder = Decoder::new();
    let complete = decoder.push(body, &mut frames).is_ok();
    if ends {
        decoder.finish(&mut frames);
    }
    // Comments keep the connection alive and say nothing.
    let Some((frame, data)) = frames.iter().find_map(|frame| Some((frame, frame.data()?))) else {
        return match (ends, complete) {
            // A stream without any event is no answer.
            (true, _) => First::Error(Failure::default()),
            (false, true) => First::Missing,
            (false, false) => First::Fine,
        };
    };
    match failure(&data) {
        Some(failure) => First::Error(failure),
        None if frame.event() == Some("error") => First::Error(Failure::default()),
        None => First::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TargetOut;

    const QUOTA: &str =
        r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    const GONE: &str =
        r#"{"error":{"message":"m","type":"invalid_request_error","code":"model_not_available"}}"#;
    const MISTAKE: &str =
        r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    const SLOW_DOWN: &str = r#"{"error":{"message":"m","type":"rate_limit","code":"rate_limit_exceeded"}}"#;

    fn target() -> Attempt {
        Attempt {
            target: "a".into(),
            model: Some("m".into()),
            authority: "host".into(),
            path_prefix: "/v1".into(),
            nests_schema: false,
            client_key: false,
            client_key_if_named: false,
            retryable_status_codes: vec![429, 503],
            max_wait_ms: 5000,
            target_out: TargetOut::default(),
        }
    }

    fn next(fault: Fault, skip: usize, wait_s: Option<u64>) -> Verdict {
        Verdict::Next(Next { fault, skip, wait_s })
    }

    /// Judges an answer with these headers, whose body comes in these pieces, to the first of the attempts on `clusters`.
    fn judge(target: &Attempt, clusters: &[&str], headers: &[(&str, &str)], pieces: &[&str]) -> Verdict {
        let clusters = clusters.iter().map(|cluster| (*cluster).to_owned()).collect();
        let plan = AttemptPlan { clusters, path: String::new(), streams: true, model: None };
        let mut answer = Answer::new(&plan, 0);
        let header = |name: &str| {
            headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut verdict = answer.head(target, &header, true, pieces.is_empty(), &|| 784_111_770);
        let mut body = String::new();
        for (position, piece) in pieces.iter().enumerate() {
            if verdict == Verdict::Hold {
                body.push_str(piece);
                verdict = answer.body(target, body.as_bytes(), position + 1 == pieces.len());
            }
        }
        verdict
    }

    #[track_caller]
    fn check(clusters: &[&str], headers: &[(&str, &str)], pieces: &[&str], expected: Verdict) {
        assert_eq!(judge(&target(), clusters, headers, pieces), expected);
    }

    #[test]
    fn a_retryable_status_leads_to_the_next_attempt() {
        check(&["a", "b"], &[(":status", "503")], &["x"], next(Fault::Status, 0, Some(0)));
        check(&["a", "a", "b"], &[(":status", "503")], &["x"], next(Fault::Status, 0, None));
        check(&["a", "a"], &[(":status", "429")], &[SLOW_DOWN], next(Fault::Status, 0, None));
        check(&["a", "b"], &[(":status", "500")], &["x"], Verdict::Pass);
    }

    #[test]
    fn the_last_answer_passes_whatever_it_is() {
        for status in ["503", "402", "400"] {
            check(&["a"], &[(":status", status)], &[GONE], Verdict::Pass);
        }
        let stream = [(":status", "200"), ("content-type", "text/event-stream")];
        check(&["a"], &stream, &["data: {\"error\":{}}\n\n"], Verdict::Pass);
    }

    #[test]
    fn a_target_that_is_out_is_not_asked_again() {
        let out = |skip| next(Fault::Out, skip, Some(0));
        check(&["a", "a", "a~s", "b"], &[(":status", "402")], &[], out(2));
        check(&["a", "b"], &[(":status", "400")], &[GONE], out(0));
        check(&["a", "a", "b"], &[(":status", "404")], &[&GONE[..20], &GONE[20..]], out(1));
        check(&["a", "a", "b"], &[(":status", "429")], &[QUOTA], out(1));
        // Nobody else is left: the client is told at once.
        check(&["a", "a"], &[(":status", "402")], &[], Verdict::Pass);
        check(&["a", "a"], &[(":status", "429")], &[QUOTA], Verdict::Pass);
    }

    #[test]
    fn a_clients_own_mistake_passes() {
        check(&["a", "b"], &[(":status", "400")], &[MISTAKE], Verdict::Pass);
        check(&["a", "b"], &[(":status", "401")], &[], Verdict::Pass);
        check(&["a", "b"], &[(":status", "404")], &["<html>"], Verdict::Pass);
        check(&["a", "b"], &[(":status", "400"), ("content-encoding", "gzip")], &["\u{1f}"], Verdict::Pass);
        check(&["a", "b"], &[(":status", "422")], &[&"x".repeat(MAX_HELD_BYTES), GONE], Verdict::Pass);
    }

    #[test]
    fn a_model_that_only_the_client_named_is_not_the_targets_fault() {
        let open = Attempt { model: None, ..target() };
        let gone = GONE.replace("model_not_available", "model_not_found");
        let verdict = judge(&open, &["a", "b"], &[(":status", "404")], &[&gone]);
        assert_eq!(verdict, next(Fault::Model, 0, Some(0)));
        assert_eq!(
            judge(&open, &["a", "b"], &[(":status", "429")], &[QUOTA]),
            next(Fault::Status, 0, Some(0))
        );
        assert_eq!(judge(&open, &["a", "b"], &[(":status", "403")], &[QUOTA]), next(Fault::Out, 0, Some(0)));
    }

    #[test]
    fn a_wait_is_honoured_where_the_same_target_is_next() {
        let limited = |after| [(":status", "429"), ("retry-after", after)];
        check(&["a", "a", "b"], &limited("2"), &[SLOW_DOWN], next(Fault::Status, 0, Some(2)));
        let date = limited("Sun, 06 Nov 1994 08:49:33 GMT");
        check(&["a", "a", "b"], &date, &[SLOW_DOWN], next(Fault::Status, 0, Some(3)));
        let reset = [(":status", "429"), ("x-ratelimit-reset", "1.5")];
        check(&["a", "a"], &reset, &[SLOW_DOWN], next(Fault::Status, 0, Some(2)));
        check(&["a", "b"], &limited("2"), &[SLOW_DOWN], next(Fault::Status, 0, Some(0)));
        // Too long to wait for.
        check(&["a", "a", "b"], &limited("6"), &[SLOW_DOWN], next(Fault::Status, 1, Some(0)));
        check(&["a", "a"], &limited("6"), &[SLOW_DOWN], Verdict::Pass);
    }

    #[test]
    fn an_error_as_first_event_leads_to_the_next_attempt() {
        let stream = [(":status", "200"), ("content-type", "Text/Event-Stream;charset=utf-8")];
        let failed = next(Fault::Event, 0, Some(0));
        let error = "data: {\"error\":{\"message\":\"m\",\"code\":\"overloaded\"}}\n\n";
        check(&["a", "b"], &stream, &[error, "x"], failed);
        check(&["a", "b"], &stream, &[&error[..9], &error[9..], "x"], failed);
        check(&["a", "b"], &stream, &[": ping\n\n", ": ping\n\n", error, "x"], failed);
        check(&["a", "b"], &stream, &["event: error\ndata: {}\n\n", "x"], failed);
        check(&["a", "b"], &stream, &[error.trim_end()], failed);
        check(&["a", "b"], &stream, &[], failed);
        check(&["a", "b"], &stream, &[": ping\n\n"], failed);
        check(&["a", "a", "b"], &stream, &[error, "x"], next(Fault::Event, 0, None));
        let quota = format!("data: {QUOTA}\n\n");
        check(&["a", "a", "b"], &stream, &[&quota, "x"], next(Fault::Out, 1, Some(0)));
    }

    #[test]
    fn a_first_event_that_is_none_passes_with_all_that_follows() {
        let stream = [(":status", "200"), ("content-type", "text/event-stream")];
        let fine = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}],\"error\":null}\n\n";
        check(&["a", "b"], &stream, &[fine, "data: {\"error\":{}}\n\n"], Verdict::Pass);
        check(&["a", "b"], &stream, &[": ping\n\n", fine, "x"], Verdict::Pass);
        check(&["a", "b"], &stream, &["data: [DONE]\n\n", "x"], Verdict::Pass);
        let json = [(":status", "200"), ("content-type", "application/json")];
        check(&["a", "b"], &json, &["{\"error\":{}}"], Verdict::Pass);
    }
}

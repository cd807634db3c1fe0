//! What has to come of an exchange.
//!
//! Lists every expectation that does not hold, in words. Never prints more of a body than its beginning.

use super::{Call, ModelAnswer, Outcome, lanes};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a body that a failed expectation shows.
const SHOWN_CHARS: usize = 600;

/// Expectations; what is left out is not looked at, except that an exchange ends with 200.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    status: u16,
    /// Header fields of the answer; `null`: absent.
    headers: BTreeMap<String, Option<String>>,
    /// `x-kt-reason`, or the policy in front of it.
    reason: Option<String>,
    /// Parts of the answer's body.
    contains: Vec<String>,
    /// Strings that the answer's body must not have.
    absent: Vec<String>,
    /// Part of the answer as JSON: every key named here, lists in full.
    json: Option<Value>,
    /// The client gets the model's bytes unchanged.
    untouched: bool,
    /// Text by lane of a stream; `null`: the lane is absent.
    lanes: BTreeMap<String, Option<String>>,
    upstream: Upstream,
    /// Part of the audit event.
    event: Option<Value>,
    /// Strings that the audit event must not have.
    event_absent: Vec<String>,
}

impl Default for Expect {
    fn default() -> Self {
        Expect {
            status: 200,
            headers: BTreeMap::new(),
            reason: None,
            contains: Vec::new(),
            absent: Vec::new(),
            json: None,
            untouched: false,
            lanes: BTreeMap::new(),
            upstream: Upstream::default(),
            event: None,
            event_absent: Vec::new(),
        }
    }
}

/// What the model was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Upstream {
    /// `false`: it was sent nothing.
    reached: Option<bool>,
    path: Option<String>,
    headers: BTreeMap<String, Option<String>>,
    contains: Vec<String>,
    absent: Vec<String>,
    json: Option<Value>,
    /// It got the client's bytes unchanged.
    untouched: bool,
}

impl Expect {
    /// Strings that the answer's body must not have.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Strings that the model must not have been sent.
    pub fn absent_upstream(&self) -> &[String] {
        &self.upstream.absent
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The client gets the model's bytes unchanged.
    pub fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// What does not hold.
    pub fn problems(&self, call: &Call, answer: &ModelAnswer, outcome: &Outcome) -> Vec<String> {
        let mut problems = Vec::new();
        let body = String::from_utf8_lossy(&outcome.body);
        if outcome.status != self.status {
            problems.push(format!("status is {}, not {}: {}", outcome.status, self.status, beginning(&body)));
        }
        for (name, expected) in &self.headers {
            compare(
                &mut problems,
                &format!("header `{name}`"),
                outcome.headers.value(name),
                expected.as_deref(),
            );
        }
        if let Some(expected) = &self.reason {
            let found = outcome.headers.value("x-kt-reason");
            let policy = found.and_then(|found| found.split('.').next());
            if policy != Some(expected) {
                compare(&mut problems, "the reason", found, Some(expected));
            }
        }
        texts(&mut problems, "the answer", &body, &self.contains, &self.absent);
        if let Some(expected) = &self.json {
            let found = serde_json::from_slice(&outcome.body).unwrap_or_default();
            differences(&mut problems, "the answer", &found, expected);
        }
        if self.untouched && outcome.body != answer.pieces.concat() {
            problems.push(format!("the answer was changed: {}", beginning(&body)));
        }
        let found = lanes(&body);
        for (lane, expected) in &self.lanes {
            compare(
                &mut problems,
                &format!("lane `{lane}`"),
                found.get(lane).map(String::as_str),
                expected.as_deref(),
            );
        }
        self.upstream.problems(&mut problems, call, outcome);
        match (&self.event, &outcome.event) {
            (Some(_), None) => problems.push("no event was written".into()),
            (Some(expected), Some(found)) => differences(&mut problems, "the event", found, expected),
            (None, _) => {}
        }
        let event = outcome.event.as_ref().map(Value::to_string).unwrap_or_default();
        texts(&mut problems, "the event", &event, &[], &self.event_absent);
        problems
    }
}

impl Upstream {
    fn problems(&self, problems: &mut Vec<String>, call: &Call, outcome: &Outcome) {
        let Some(sent) = &outcome.upstream else {
            let wanted =
                self.untouched || self.path.is_some() || self.json.is_some() || !self.contains.is_empty();
            if wanted || self.reached == Some(true) {
                problems.push("the model was sent nothing".into());
            }
            return;
        };
        if self.reached == Some(false) {
            problems.push(format!("the model was sent: {}", beginning(&String::from_utf8_lossy(&sent.body))));
        }
        if let Some(path) = &self.path {
            compare(problems, "the path upstream", Some(&sent.path), Some(path));
        }
        for (name, expected) in &self.headers {
            compare(
                problems,
                &format!("header `{name}` upstream"),
                sent.headers.value(name),
                expected.as_deref(),
            );
        }
        texts(
            problems,
            "the request upstream",
            &String::from_utf8_lossy(&sent.body),
            &self.contains,
            &self.absent,
        );
        if let Some(expected) = &self.json {
            let found = serde_json::from_slice(&sent.body).unwrap_or_default();
            differences(problems, "the request upstream", &found, expected);
        }
        if self.untouched && sent.body != call.body {
            problems.push(format!(
                "the request was changed: {}",
                beginning(&String::from_utf8_lossy(&sent.body))
            ));
        }
    }
}

fn compare(problems: &mut Vec<String>, what: &str, found: Option<&str>, expected: Option<&str>) {
    if found != expected {
        problems.push(format!("{what} is {found:?}, not {expected:?}"));
    }
}

fn texts(problems: &mut Vec<String>, what: &str, text: &str, contains: &[String], absent: &[String]) {
    for part in contains.iter().filter(|part| !text.contains(part.as_str())) {
        problems.push(format!("{what} has no `{part}`: {}", beginning(text)));
    }
    for part in absent.iter().filter(|part| text.contains(part.as_str())) {
        problems.push(format!("{what} has `{part}`: {}", beginning(text)));
    }
}

/// Every place where `found` is not as `expected` says; keys that are not named are not looked at.
fn differences(problems: &mut Vec<String>, place: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (key, expected) in expected {
                differences(
                    problems,
                    &format!("{place}.{key}"),
                    found.get(key).unwrap_or(&Value::Null),
                    expected,
                );
            }
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                differences(problems, &format!("{place}[{index}]"), found, expected);
            }
        }
        _ if found != expected => {
            problems.push(format!("{place} is {}, not {expected}", beginning(&found.to_string())))
        }
        _ => {}
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

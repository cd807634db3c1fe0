//! What `policy try` found out, told in words.
//!
//! Decides nothing and reads no policy. Invariant: what was matched is named by kind and position, never quoted; texts are shown
//! only as the upstream or the client would have got them.

use super::{Fate, Outcome, Position, Way};
use serde_json::{Map, Value};
use std::fmt::Write;

/// Width of the first column: the longest word that stands in it, and two blanks.
const COLUMN: usize = "upstream".len() + 2;

/// The whole account.
pub(super) fn write(outcome: &Outcome) -> String {
    let mut account = Account { text: String::new(), event: outcome.event.as_ref() };
    account.read(outcome, Way::Request);
    match &outcome.request {
        Fate::Forwarded { targets, changed, body, .. } => {
            let order = match targets.as_slice() {
                [] => "whatever the route says".to_owned(),
                targets => targets.join(", then "),
            };
            let gets = if *changed { "gets a changed body:" } else { "gets the body byte for byte" };
            account.line("upstream", &format!("{order}; it {gets}"));
            account.body(body.as_ref());
            if outcome.answer.is_none() {
                account.line("client", "gets the upstream's answer, after the policies that read answers");
                account.more("`--answer FILE` tries one");
            }
        }
        Fate::Answered { status, headers, body } => {
            account.line("upstream", "is not asked");
            account.answered(*status, headers, body);
        }
    }
    if let Some(answer) = &outcome.answer {
        account.read(outcome, Way::Response);
        match answer {
            Fate::Forwarded { changed, headers, body, .. } => {
                let gets = if *changed { "gets a changed answer:" } else { "gets the answer byte for byte" };
                account.line("client", gets);
                account.headers(headers);
                account.body(body.as_ref());
                if account.said("/ended") == "blocked" {
                    account.more("and the stream ends there; the upstream is told to stop");
                }
            }
            Fate::Answered { status, headers, body } => account.answered(*status, headers, body),
        }
    }
    let verdict = account.said("/verdict").to_owned();
    account.line("verdict", &verdict);
    account.text
}

struct Account<'a> {
    text: String,
    event: Option<&'a Value>,
}

impl Account<'_> {
    fn line(&mut self, of: &str, what: &str) {
        // A string takes whatever is written to it.
        let _ = writeln!(self.text, "{of:COLUMN$}{what}");
    }

    fn more(&mut self, what: &str) {
        self.line("", what);
    }

    /// A word of the event.
    fn said(&self, pointer: &str) -> &str {
        self.event.and_then(|event| event.pointer(pointer)?.as_str()).unwrap_or("unknown")
    }

    /// A number of the event.
    fn count(&self, pointer: &str) -> u64 {
        self.event.and_then(|event| event.pointer(pointer)?.as_u64()).unwrap_or(0)
    }

    /// What was read of a message, and what was found in it.
    fn read(&mut self, outcome: &Outcome, way: Way) {
        let (of, key) = match way {
            Way::Request => ("request", "request"),
            Way::Response => ("answer", "response"),
        };
        let texts = self.count(&format!("/scanned/{key}_texts"));
        let bytes = self.count(&format!("/scanned/{key}_bytes"));
        let s = if texts == 1 { "" } else { "s" };
        let unread = self.event.and_then(|event| event.pointer(&format!("/scanned/{key}_unread"))?.as_str());
        let read = match unread {
            Some(why) => format!("not read: {}", why.replace('_', " ")),
            None => format!("{texts} text{s} of {bytes} bytes read"),
        };
        self.line(of, &read);
        if way == Way::Request {
            self.parts_not_read();
        }
        let mut found = false;
        for position in outcome.positions.iter().filter(|position| position.way == way) {
            found = true;
            self.more(&finding(position));
        }
        if !found && texts > 0 {
            self.more("nothing found");
        }
    }

    /// Parts that hold no text that could be read, such as images.
    fn parts_not_read(&mut self) {
        let Some(kinds) = self.event.and_then(|event| event.get("unscanned")?.as_object()) else { return };
        let parts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        if !parts.is_empty() {
            self.more(&format!("parts that no policy can read: {}", parts.join(", ")));
        }
    }

    fn answered(&mut self, status: u16, headers: &Map<String, Value>, body: &Value) {
        self.line("client", &format!("gets {status} from the gateway:"));
        self.headers(headers);
        self.body(Some(body));
    }

    fn headers(&mut self, headers: &Map<String, Value>) {
        for (name, value) in headers {
            self.more(&format!("{name}: {}", value.as_str().unwrap_or_default()));
        }
    }

    fn body(&mut self, body: Option<&Value>) {
        for line in body.and_then(Value::as_str).unwrap_or_default().lines().filter(|line| !line.is_empty()) {
            self.more(line);
        }
    }
}

/// What one finding is, where, and what comes of it.
fn finding(position: &Position) -> String {
    let Position { policy, reason, place, count, effect, bytes, .. } = position;
    let kind = reason.strip_prefix(policy).map_or(reason.as_str(), |rest| rest.trim_start_matches('.'));
    let mut line = format!("{policy} {effect} {kind} in {place}");
    let ranges: Vec<String> = bytes.iter().map(|(start, end)| format!("{start} to {end}")).collect();
    if !ranges.is_empty() {
        line.push_str(&format!(", bytes {}", ranges.join(" and ")));
    } else if *count > 1 {
        line.push_str(&format!(", {count} times"));
    }
    line
}

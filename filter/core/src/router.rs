//! Strategy `router`: the question a classifier is asked about a conversation, and what is made of its answer.
//!
//! Calls no one and keeps nothing: the host sends the question and remembers the pick. Invariants: the question holds the
//! request's text as the policies left it; an answer that is not one of the labels is none.

use crate::config::Role;
use crate::digest::{self, Hasher, Key};
use crate::message::json::{Cursor, Kind};
use crate::message::request::Request;
use crate::message::rewrite::push_json_string;
use crate::message::text::{Channel, Text};
use crate::message::usage::Usage;
use crate::message::{Endpoint, response};
use crate::plugin::Router;
use std::cell::Cell;

/// What is shown of a request to the classifier. The first words of a turn say what it is about.
const MAX_TEXT_BYTES: usize = 4000;

/// Longest explanation that is passed on, in a header.
const MAX_REASON_BYTES: usize = 120;

/// Conversations that are remembered at once, over all workers.
const SLOTS: u16 = 4096;

/// Bytes of a conversation's digest that are kept.
const KEPT: usize = 16;

/// Failures in a row after which the classifier is left alone for a while: every request would wait for it in vain.
const MAX_FAILURES: u32 = 3;

/// How long.
const PAUSE_MS: u64 = 10_000;

/// A question for the classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    /// Cluster of the classifier's target.
    pub cluster: String,
    /// Value of `:authority`.
    pub authority: String,
    /// Value of `:path`.
    pub path: String,
    /// The request's body.
    pub body: Vec<u8>,
    /// Longest wait.
    pub timeout_ms: u32,
    /// Where the pick is remembered; `None`: nowhere.
    pub memory: Option<Memory>,
}

/// A conversation, recognised by a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    conversation: [u8; KEPT],
    /// Seconds for which a pick is remembered.
    sticky_seconds: u32,
}

/// What came of a question.
#[derive(Debug, Clone, Copy)]
pub enum Picked<'a> {
    /// The classifier answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// The answer's body.
        body: &'a [u8],
    },
    /// The conversation had its route already: its label's position.
    Remembered(u32),
    /// There was no answer, for this reason.
    Failed(&'static str),
}

/// A pick that was read from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Position of the label.
    pub(crate) route: u32,
    /// Why, in the classifier's words: printable ASCII.
    pub(crate) reason: String,
}

/// Whether the classifier is worth asking, as one VM sees it.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    failures: Cell<u32>,
    paused_until_ms: Cell<u64>,
}

impl Patience {
    /// Whether the classifier may be asked now.
    pub(crate) fn lasts(&self, now_ms: u64) -> bool {
        now_ms >= self.paused_until_ms.get()
    }

    /// Takes note of how a question ended.
    pub(crate) fn note(&self, answered: bool, now_ms: u64) {
        let failures = if answered { 0 } else { self.failures.get() + 1 };
        if failures >= MAX_FAILURES {
            self.paused_until_ms.set(now_ms + PAUSE_MS);
        }
        self.failures.set(failures % MAX_FAILURES);
    }
}

impl Memory {
    /// The conversation of a caller that begins with the texts of `request` up to the user's first turn.
    pub(crate) fn new(key: &Key, router: &Router, scope: [&str; 3], request: &Request<'_>) -> Option<Memory> {
        if router.sticky_seconds == 0 {
            return None;
        }
        let mut hasher = Hasher::keyed(key);
        scope.iter().for_each(|part| hasher.part(part.as_bytes()));
        for text in &request.texts {
            hasher.part(text.value.as_bytes());
            if is_users(text) {
                break;
            }
        }
        let mut conversation = [0; KEPT];
        conversation.iter_mut().zip(hasher.finish()).for_each(|(into, byte)| *into = byte);
        Some(Memory { conversation, sticky_seconds: router.sticky_seconds })
    }

    /// Name of its slot. Conversations share slots: the later one takes it.
    pub fn slot(&self) -> String {
        let [low, high, ..] = self.conversation;
        format!("kt.route.{}", u16::from_le_bytes([low, high]) % SLOTS)
    }

    /// The route in a slot's value, if it is this conversation's and not too old.
    pub fn recall(&self, value: &[u8], now_s: u64) -> Option<u32> {
        let (conversation, rest) = value.split_first_chunk::<KEPT>()?;
        let (until, route) = rest.split_first_chunk::<8>()?;
        let fresh = *conversation == self.conversation && now_s < u64::from_le_bytes(*until);
        fresh.then_some(u32::from_le_bytes(route.try_into().ok()?))
    }

    /// A slot's value that says so.
    pub fn record(&self, route: u32, now_s: u64) -> Vec<u8> {
        let until = now_s + u64::from(self.sticky_seconds);
        [&self.conversation[..], &until.to_le_bytes(), &route.to_le_bytes()].concat()
    }
}

/// The body of the question about a request; `None` if no user says anything in it.
pub(crate) fn question(router: &Router, request: &Request<'_>) -> Option<Vec<u8>> {
    let mut turn: Vec<&Text> = request.texts.iter().rev().skip_while(|text| !is_users(text)).collect();
    let last = turn.first()?.place.item();
    let parts = turn.iter().take_while(|text| is_users(text) && text.place.item() == last).count();
    turn.truncate(parts);
    let mut text = String::new();
    for part in turn.iter().rev() {
        if !text.is_empty() {
            text.push('\n');
        }
        let room = MAX_TEXT_BYTES.saturating_sub(text.len());
        text.push_str(part.value.get(..part.value.floor_char_boundary(room)).unwrap_or_default());
    }
    let mut quoted = String::with_capacity(text.len() + 16);
    push_json_string(&text, &mut quoted);
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    Some([router.before.as_str(), inner, router.after.as_str()].concat().into_bytes())
}

/// Words of a user, as opposed to names, tools and what the model said.
fn is_users(text: &Text) -> bool {
    text.role == Role::User && matches!(text.channel, Channel::Content | Channel::Prompt)
}

/// The pick in a classifier's answer, and the tokens it cost; else why there is none.
pub(crate) fn read(router: &Router, status: u16, body: &[u8]) -> (Result<Pick, &'static str>, Option<Usage>) {
    if status != 200 {
        return (Err("classifier_status"), None);
    }
    let Ok(answer) = response::read(Endpoint::ChatCompletions, body) else {
        return (Err("classifier_unreadable"), None);
    };
    let said = answer.texts.iter().find(|text| text.choice == 0 && text.channel == Channel::Content);
    let pick = said.and_then(|said| label(&said.value)).ok_or("classifier_unreadable");
    let pick = pick.and_then(|(label, reason)| {
        let number = label.strip_prefix('r').and_then(|number| number.parse::<u32>().ok());
        let route = number.and_then(|number| number.checked_sub(1));
        let route = route.filter(|route| (*route as usize) < router.routes.len());
        Ok(Pick { route: route.ok_or("classifier_unknown_label")?, reason: printable(&reason) })
    });
    (pick, answer.usage)
}

/// `route` and `reason` of a JSON object.
fn label(text: &str) -> Option<(String, String)> {
    let mut cursor = Cursor::lenient(text);
    let (mut route, mut reason) = (None, String::new());
    cursor.expect(b'{').ok()?;
    while !cursor.eat(b'}').ok()? {
        cursor.eat(b',').ok()?;
        let key = cursor.value().ok()?.1;
        cursor.expect(b':').ok()?;
        let value = match cursor.kind().ok()? {
            Kind::String => cursor.value().ok()?.1.into_owned(),
            _ => {
                cursor.skip().ok()?;
                continue;
            }
        };
        match &*key {
            "route" => route = Some(value),
            "reason" => reason = value,
            _ => {}
        }
    }
    Some((route?, reason))
}

/// Text that can stand in a header.
fn printable(text: &str) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        match c {
            '!'..='~' => clean.push(c),
            _ if clean.ends_with(' ') => {}
            _ => clean.push(' '),
        }
        if clean.len() == MAX_REASON_BYTES {
            break;
        }
    }
    clean.trim().to_owned()
}

/// A key nobody else knows, from words of which each is random.
pub fn key_from(words: [u64; 4]) -> Key {
    let mut key = [0; digest::BYTES];
    let (chunks, _) = key.as_chunks_mut::<8>();
    chunks.iter_mut().zip(words).for_each(|(into, word)| *into = word.to_le_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::request;
    use serde_json::{Value, json};

    fn router() -> Router {
        Router {
            models: vec!["auto".into()],
            classifier: 0,
            routes: vec![1, 2],
            default: 1,
            timeout_ms: 1500,
            sticky_seconds: 60,
            before: r#"{"content":"<request>\n"#.into(),
            after: r#"\n</request>"}"#.into(),
        }
    }

    #[track_caller]
    fn asks(messages: Value, expected: Option<&str>) {
        let body = json!({"model": "auto", "messages": messages}).to_string();
        let request = request::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
        let asked = question(&router(), &request).map(|body| {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let content = body["content"].as_str().unwrap().to_owned();
            content.trim_start_matches("<request>\n").trim_end_matches("\n</request>").to_owned()
        });
        assert_eq!(asked.as_deref(), expected);
    }

    #[test]
    fn the_question_is_the_last_turn_of_the_user() {
        asks(json!([{"role": "user", "content": "say \"hi\"\n"}]), Some("say \"hi\"\n"));
        asks(
            json!([
                {"role": "system", "content": "be brief"}, {"role": "user", "content": "first"},
                {"role": "assistant", "content": "yes"},
                {"role": "user", "name": "bob", "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "part"}]},
                {"role": "tool", "tool_call_id": "1", "content": "result"},
            ]),
            Some("second\npart"),
        );
        asks(json!([{"role": "system", "content": "alone"}]), None);
        asks(json!([{"role": "user", "content": "é".repeat(5000)}]), Some(&"é".repeat(2000)));
    }

    #[track_caller]
    fn answers(content: Value, expected: Result<(u32, &str), &str>) {
        let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}], "usage": {"prompt_tokens": 9}});
        let (pick, usage) = read(&router(), 200, body.to_string().as_bytes());
        let pick = pick.map(|pick| (pick.route, pick.reason));
        assert_eq!(
            pick.as_ref().map(|(route, reason)| (*route, reason.as_str())).map_err(|code| *code),
            expected
        );
        assert_eq!(usage.and_then(|usage| usage.prompt), Some(9));
    }

    #[test]
    fn a_label_is_a_pick_and_nothing_else_is() {
        answers(json!(r#"{"route":"r2","reason":"it is\r\ncode – really"}"#), Ok((1, "it is code really")));
        answers(json!(r#" { "x": [1], "route" : "r1" } "#), Ok((0, "")));
        for unknown in ["r0", "r3", "r", "coder", "r-1"] {
            answers(json!(json!({"route": unknown}).to_string()), Err("classifier_unknown_label"));
        }
        for unreadable in ["", "r1", "{\"route\":", r#"{"route":1}"#, "```json\n{}\n```"] {
            answers(json!(unreadable), Err("classifier_unreadable"));
        }
        answers(Value::Null, Err("classifier_unreadable"));
        assert_eq!(read(&router(), 200, b"<html>").0, Err("classifier_unreadable"));
        assert_eq!(read(&router(), 503, b"{}").0, Err("classifier_status"));
    }

    fn memory(scope: [&str; 3], messages: Value) -> Memory {
        let body = json!({"model": "auto", "messages": messages}).to_string();
        let request = request::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
        Memory::new(&[7; 32], &router(), scope, &request).unwrap()
    }

    #[test]
    fn a_conversation_is_known_by_how_it_began() {
        let first = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "hello"}]);
        let mut later = first.clone();
        later.as_array_mut().unwrap().push(json!({"role": "user", "content": "more"}));
        let known = memory(["caller", "auto", "1"], first.clone());
        assert_eq!(memory(["caller", "auto", "1"], later), known);
        for other in [["another", "auto", "1"], ["caller", "auto2", "1"], ["caller", "auto", "2"]] {
            assert_ne!(memory(other, first.clone()), known);
        }
        assert_ne!(memory(["caller", "auto", "1"], json!([{"role": "user", "content": "hello"}])), known);
    }

    #[test]
    fn a_pick_is_remembered_for_its_time_and_its_conversation() {
        let known = memory(["c", "m", "1"], json!([{"role": "user", "content": "hello"}]));
        let other = memory(["c", "m", "1"], json!([{"role": "user", "content": "good day"}]));
        let value = known.record(1, 1000);
        assert_eq!((known.recall(&value, 1059), known.recall(&value, 1060)), (Some(1), None));
        assert_eq!((other.recall(&value, 1000), known.recall(b"short", 1000)), (None, None));
        let body = json!({"messages": []}).to_string();
        let request = request::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
        let forgetful = Router { sticky_seconds: 0, ..router() };
        assert_eq!(Memory::new(&[7; 32], &forgetful, [""; 3], &request), None);
    }

    #[test]
    fn a_classifier_that_keeps_failing_is_left_alone_for_a_while() {
        let patience = Patience::default();
        for (answered, lasts) in
            [(false, true), (false, true), (true, true), (false, true), (false, true), (false, false)]
        {
            patience.note(answered, 1000);
            assert_eq!(patience.lasts(1000), lasts);
        }
        assert!(patience.lasts(11_000));
    }
}

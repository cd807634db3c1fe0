//! What arrived that should not have, and what did not that should.
//!
//! Knows no marker of any gateway: text around a planted one has to arrive, what stands in its place is the gateway's business.

use super::Verdict;
use super::exchange::Seen;
use crate::scenario::{Expect, ModelAnswer, lanes};
use serde_json::Value;

/// What is planted.
pub(super) const EMAIL: &str = "alice@example.com";
/// What is planted beside it.
pub(super) const CARD: &str = "4111 1111 1111 1111";
/// What answers must not say.
pub(super) const PHRASE: &str = "project nightfall";

/// Bytes of a planted text of which already the beginning is a leak.
const BEGINNING: usize = 7;

/// Statuses that make SDKs ask again.
const ASKED_AGAIN: [u16; 3] = [408, 409, 429];

/// The first of `planted` that stands in `text`, whole or by its beginning.
pub(super) fn leaked<'p>(text: &str, planted: &[&'p str]) -> Option<&'p str> {
    planted.iter().copied().find(|planted| {
        let beginning = planted.get(..BEGINNING).unwrap_or(planted);
        text.contains(beginning)
    })
}

/// A body with the strings of its JSON unescaped.
pub(super) fn readable(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Ok(document) = serde_json::from_slice::<Value>(body) {
        collect(&document, &mut text);
    }
    text
}

fn collect(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push('\n');
            into.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(members) => members.values().for_each(|member| collect(member, into)),
        _ => {}
    }
}

/// The text of every lane of a stream, and of the tokens beside it.
pub(super) fn streamed(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let mut said: Vec<String> = lanes(&text).into_values().collect();
    let events =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
    let mut tokens = String::new();
    for event in events {
        let content = event.pointer("/choices/0/logprobs/content").and_then(Value::as_array).cloned();
        let token = |token: &Value| token.get("token").and_then(Value::as_str).map(str::to_owned);
        tokens.extend(content.iter().flatten().filter_map(token));
    }
    said.push(tokens);
    said
}

/// A refusal after which SDKs do not ask again.
pub(super) fn refusal(status: u16) -> Verdict {
    match status {
        status if ASKED_AGAIN.contains(&status) || status >= 500 => {
            Verdict::Lost(format!("refused with {status}, after which SDKs ask again"))
        }
        status => Verdict::Refused(status),
    }
}

/// What came of a scenario of the corpus, as far as it holds of any gateway.
pub(super) fn scenario(expect: &Expect, answer: &ModelAnswer, seen: &Seen) -> Verdict {
    let body = String::from_utf8_lossy(&seen.reply.body);
    let sent: String = seen.sent.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
    if let Some(text) = expect.absent().iter().find(|text| body.contains(text.as_str())) {
        return Verdict::Leaked(format!("the client got `{text}`"));
    }
    if let Some(text) = expect.absent_upstream().iter().find(|text| sent.contains(text.as_str())) {
        return Verdict::Leaked(format!("the model got `{text}`"));
    }
    let (wanted, status) = (expect.status(), seen.reply.status);
    let blocked_later = String::from_utf8_lossy(&seen.reply.body).contains("\"error\"");
    match (wanted < 400, status < 400) {
        (true, false) => return Verdict::Lost(format!("harmless, but answered with {status}")),
        (false, true) if !blocked_later => {
            return Verdict::Leaked(format!("to be refused, but answered with {status}"));
        }
        (false, false) => return refusal(status),
        _ => {}
    }
    let said = String::from_utf8_lossy(&answer.pieces.concat()).into_owned();
    if expect.is_untouched() && !lanes(&said).is_empty() && lanes(&said) != lanes(&body) {
        return Verdict::Lost("harmless text was changed".into());
    }
    Verdict::Kept
}

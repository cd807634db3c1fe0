//! The law of streams: what a lane delivers is the redaction of the whole lane, however its bytes were cut; of what is blocked,
//! nothing.
//!
//! The judge is the way of whole answers, which knows neither chunks nor lanes: each lane of the transcript, read by a reader that is
//! not the gateway's, is put into an answer of its own. Any host can be held to it.

use super::{Arrival, Host, ModelAnswer, Outcome, corpus, lanes, targets};
use crate::client::Call;
use crate::wire::Headers;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the transcripts are cut.
#[derive(Debug, Clone, Copy)]
pub struct Cuts {
    /// Every n-th cut in two.
    pub two_every: usize,
    /// Byte by byte as well.
    pub bytewise: bool,
    /// Random ones.
    pub random: u64,
    /// Pieces of those, at most.
    pub most_pieces: usize,
}

/// Random chunkings of every transcript: `CHUNKINGS`, which is 1000 for the long run, or so many as fit among other tests.
pub fn chunkings(usual: u64) -> u64 {
    std::env::var("CHUNKINGS").ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// The same bytes in other pieces.
pub fn recut(answer: &ModelAnswer, ends: &[usize]) -> ModelAnswer {
    let bytes = answer.pieces.concat();
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in ends.iter().copied().chain([bytes.len()]).filter(|end| *end <= bytes.len()) {
        if end > start {
            pieces.push(bytes[start..end].to_vec());
            start = end;
        }
    }
    ModelAnswer { pieces, ..answer.clone() }
}

fn cuttings(length: usize, cuts: Cuts, numbers: &mut Numbers) -> Vec<Vec<usize>> {
    let offset = numbers.below(cuts.two_every);
    let mut cuttings: Vec<Vec<usize>> =
        (1 + offset..length).step_by(cuts.two_every).map(|at| vec![at]).collect();
    if cuts.bytewise {
        cuttings.push((1..length).collect());
    }
    for _ in 0..cuts.random {
        let mut ends: Vec<usize> =
            (0..1 + numbers.below(cuts.most_pieces.min(length / 4))).map(|_| numbers.below(length)).collect();
        ends.sort_unstable();
        cuttings.push(ends);
    }
    cuttings
}

/// The redaction of a whole text, or nothing where it is blocked.
pub fn judged(host: &mut impl Host, config: &Value, call: &Call, lane: &str, text: &str) -> Option<String> {
    let is_item = lane.ends_with("item") || lane.ends_with("completed");
    let is_json = lane.contains("arguments") || is_item && text.starts_with('{');
    let message = match is_json {
        true => json!({"tool_calls": [{"function": {"arguments": text}}]}),
        false => json!({"content": text}),
    };
    let mut headers = Headers::default();
    headers.push("content-type", "application/json");
    let body = json!({"choices": [{"index": 0, "message": message}]}).to_string().into_bytes();
    let answer = ModelAnswer { status: 200, headers, pieces: vec![body] };
    // A chat request reaches the same policies: the conditions of the corpus look at paths and models of requests.
    let call = match call.path.contains("responses") {
        true => {
            let mut body: Value = serde_json::from_slice(&call.body).unwrap();
            body["response_format"] = body.pointer("/text/format").cloned().unwrap_or_default();
            body["messages"] = json!([{"role": "user", "content": "Hello"}]);
            Call { path: "/v1/chat/completions".into(), body: body.to_string().into_bytes(), ..call.clone() }
        }
        false => Call { path: "/v1/chat/completions".into(), ..call.clone() },
    };
    let outcome = host.exchange(config, &call, &answer);
    let body: Value = serde_json::from_slice(&outcome.body).unwrap();
    let place = if is_json {
        "/choices/0/message/tool_calls/0/function/arguments"
    } else {
        "/choices/0/message/content"
    };
    body.pointer(place).map(|text| text.as_str().unwrap().to_owned())
}

/// Lanes that carry text of the model.
pub fn texts(lanes: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let others = ["finish_reason", "role", "done", "error", "unreadable"];
    lanes
        .iter()
        .filter(move |(lane, _)| !others.iter().any(|other| lane.ends_with(other) && !lane.contains("_text")))
}

/// What does not hold of an outcome, given what each lane should deliver.
pub fn broken(
    outcome: &Outcome,
    sent: &BTreeMap<String, String>,
    expected: &BTreeMap<String, Option<String>>,
) -> Option<String> {
    let delivered = lanes(&String::from_utf8_lossy(&outcome.body));
    if delivered.contains_key("unreadable") {
        return Some("an event cannot be read".into());
    }
    let blocks = expected.values().any(Option::is_none);
    if outcome.status == 400 && blocks {
        return None;
    }
    let ends = |lanes: &BTreeMap<String, String>| (lanes.get("done").cloned(), lanes.get("error").cloned());
    if blocks != (ends(&delivered).1.as_deref() == Some("output_blocked")) {
        return Some(format!("blocked: {blocks}, but the stream ends with {:?}", ends(&delivered)));
    }
    if !blocks && ends(&delivered) != ends(sent) {
        return Some(format!("the stream ends with {:?}", ends(&delivered)));
    }
    for (lane, expected) in expected {
        let found = delivered.get(lane).map(String::as_str).unwrap_or_default();
        let holds = match expected {
            Some(expected) if blocks => expected.starts_with(found),
            Some(expected) => found == expected,
            // Blocked: what the scenario says may not leave is looked at by its own expectations.
            None => sent[lane].starts_with(found) || found.contains("[REDACTED:"),
        };
        if !holds {
            return Some(format!("lane `{lane}` delivers {found:?}, not {expected:?}"));
        }
    }
    None
}

/// Runs every stream of the corpus in many pieces, and fails with what breaks the law.
#[track_caller]
#[allow(clippy::print_stdout, reason = "how much was run, for whoever asks with --nocapture")]
pub fn check_law(host: &mut impl Host, cuts: Cuts) {
    let mut numbers = Numbers(5);
    let (mut problems, mut runs, mut streams) = (Vec::new(), 0, 0);
    let mut corpus = corpus();
    // The scorer judges an answer as a whole and a stream not at all, so the two are not to be compared.
    let scored = |config: &Value| config.to_string().contains("quality-scorer");
    corpus.retain(|scenario| targets(&scenario.config) == 1 && !scored(&scenario.config));
    // Scenarios of one configuration follow each other: a host may keep its latest gateway.
    corpus.sort_by_cached_key(|scenario| scenario.config.to_string());
    for scenario in &corpus {
        for exchange in &scenario.exchanges {
            let (call, whole) = (exchange.call(), exchange.answer(Arrival::Whole));
            let is_stream =
                whole.headers.value("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
            let sent = lanes(&String::from_utf8_lossy(&whole.pieces.concat()));
            if !is_stream || sent.is_empty() {
                continue;
            }
            // To be withheld because it is no stream of events: it has no lanes to judge.
            if exchange.expect.status() == 502 {
                continue;
            }
            if host.exchange(&scenario.config, &call, &whole).upstream.is_none() {
                continue;
            }
            streams += 1;
            let expected: BTreeMap<String, Option<String>> = texts(&sent)
                .map(|(lane, text)| (lane.clone(), judged(host, &scenario.config, &call, lane, text)))
                .collect();
            for ends in cuttings(whole.pieces.concat().len(), cuts, &mut numbers) {
                runs += 1;
                let answer = recut(&whole, &ends);
                let outcome = host.exchange(&scenario.config, &call, &answer);
                let mut found: Vec<String> = broken(&outcome, &sent, &expected).into_iter().collect();
                if expected.values().any(Option::is_none) {
                    let absent = exchange.expect.absent();
                    let body = String::from_utf8_lossy(&outcome.body).into_owned();
                    found.extend(
                        absent
                            .iter()
                            .filter(|text| body.contains(*text))
                            .map(|text| format!("`{text}` has left")),
                    );
                }
                problems.extend(
                    found.into_iter().map(|problem| format!("{}, cut at {ends:?}: {problem}", scenario.name)),
                );
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {runs} runs:\n{}",
        problems.len(),
        problems[..problems.len().min(10)].join("\n")
    );
    assert!(runs > 0, "no scenario matches");
    println!("{streams} streams, {runs} chunkings");
}

//! The law of streams: what a lane delivers is the redaction of the whole lane, however its bytes were cut; of what is blocked,
//! nothing.
//!
//! The judge is the way of whole answers, which knows neither chunks nor lanes: each lane of the transcript, read by a reader that is
//! not the gateway's, is put into an answer of its own.

use super::Native;
use kt_tests::client::Call;
use kt_tests::scenario::{self, Arrival, Host, ModelAnswer, Outcome, lanes};
use kt_tests::wire::Headers;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Random chunkings of every transcript; `CHUNKINGS=1000` for the long run.
fn chunkings() -> u64 {
    std::env::var("CHUNKINGS").ok().and_then(|number| number.parse().ok()).unwrap_or(10)
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// The same bytes in other pieces.
fn recut(answer: &ModelAnswer, ends: &[usize]) -> ModelAnswer {
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

/// All cuts in two, byte by byte, and random ones.
fn cuttings(length: usize, numbers: &mut Numbers) -> Vec<Vec<usize>> {
    let mut cuttings: Vec<Vec<usize>> = (1..length).map(|at| vec![at]).collect();
    cuttings.push((1..length).collect());
    for _ in 0..chunkings() {
        let mut ends: Vec<usize> =
            (0..1 + numbers.below(length / 4 + 1)).map(|_| numbers.below(length)).collect();
        ends.sort_unstable();
        cuttings.push(ends);
    }
    cuttings
}

/// The redaction of a whole text, or nothing where it is blocked.
fn judged(native: &mut Native, config: &Value, call: &Call, lane: &str, text: &str) -> Option<String> {
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
            body["messages"] = json!([{"role": "user", "content": "Hello"}]);
            Call { path: "/v1/chat/completions".into(), body: body.to_string().into_bytes(), ..call.clone() }
        }
        false => Call { path: "/v1/chat/completions".into(), ..call.clone() },
    };
    let outcome = native.exchange(config, &call, &answer);
    let body: Value = serde_json::from_slice(&outcome.body).unwrap();
    let place = if is_json {
        "/choices/0/message/tool_calls/0/function/arguments"
    } else {
        "/choices/0/message/content"
    };
    body.pointer(place).map(|text| text.as_str().unwrap().to_owned())
}

/// Lanes that carry text of the model.
fn texts(lanes: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let others = ["finish_reason", "role", "done", "error", "unreadable"];
    lanes
        .iter()
        .filter(move |(lane, _)| !others.iter().any(|other| lane.ends_with(other) && !lane.contains("_text")))
}

/// What does not hold of an outcome, given what each lane should deliver.
fn broken(
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

#[test]
fn every_stream_of_the_corpus_delivers_the_redaction_of_the_whole_for_every_chunking() {
    let mut native = Native::default();
    let mut numbers = Numbers(5);
    let (mut problems, mut runs, mut streams) = (Vec::new(), 0, 0);
    for scenario in scenario::corpus().iter().filter(|scenario| scenario::targets(&scenario.config) == 1) {
        for exchange in &scenario.exchanges {
            let (call, whole) = (exchange.call(), exchange.answer(Arrival::Whole));
            let is_stream =
                whole.headers.value("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
            let sent = lanes(&String::from_utf8_lossy(&whole.pieces.concat()));
            let first = native.exchange(&scenario.config, &call, &whole);
            if !is_stream || first.upstream.is_none() || sent.is_empty() {
                continue;
            }
            streams += 1;
            let expected: BTreeMap<String, Option<String>> = texts(&sent)
                .map(|(lane, text)| (lane.clone(), judged(&mut native, &scenario.config, &call, lane, text)))
                .collect();
            for ends in cuttings(whole.pieces.concat().len(), &mut numbers) {
                runs += 1;
                let answer = recut(&whole, &ends);
                let outcome = native.exchange(&scenario.config, &call, &answer);
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
    assert!(streams > 15, "{streams}");
    println!("{streams} streams, {runs} chunkings");
}

/// Matches, what looks like one for a while, and what is next to one.
const PHRASES: &[&str] = &[
    "alice@example.com",
    "al",
    "ice@",
    "example.",
    "com ",
    "4111 1111 1111 1111",
    "4111",
    "1111-",
    "DE89 3704 0044 0532 0130 00",
    "DE89",
    " 3704",
    "+1 415 555 2671",
    "+1 ",
    "(415) ",
    "555",
    "10.0.0.1",
    "10.",
    "0.0",
    ".1",
    "536-90-4399",
    "536-",
    "Grüße ",
    "世界 ",
    "😀",
    "the ",
    "word ",
    ". ",
    "\n",
    "\"",
    "\\",
    "/",
    "sk-proj-",
    "AKIA",
    "123456789",
    " ",
    "a",
    "@",
    "x@y",
    "project ",
    "night",
    "fall ",
];

/// One lane in pieces.
struct Told {
    choice: usize,
    channel: &'static str,
    pieces: Vec<String>,
}

/// A text out of phrases, as prose or as JSON text.
fn told(numbers: &mut Numbers, choice: usize, channel: &'static str) -> Told {
    let phrase = |numbers: &mut Numbers| -> String {
        (0..1 + numbers.below(8)).map(|_| numbers.pick(PHRASES)).collect()
    };
    let text = match channel {
        "arguments" => {
            let string = |text: String, numbers: &mut Numbers| -> String {
                let mut written = String::from("\"");
                for character in text.chars() {
                    match numbers.below(6) {
                        0 => character
                            .encode_utf16(&mut [0; 2])
                            .iter()
                            .for_each(|unit| written += &format!("\\u{unit:04X}")),
                        _ => {
                            let quoted = json!(character.to_string()).to_string();
                            written += &quoted[1..quoted.len() - 1];
                        }
                    }
                }
                written + "\""
            };
            let mut written = String::from("{");
            for number in 0..1 + numbers.below(3) {
                if number > 0 {
                    written += ", ";
                }
                let (key, value) = (phrase(numbers), phrase(numbers));
                written += &string(key, numbers);
                written += numbers.pick(&[":", " : "]);
                written += &match numbers.below(4) {
                    0 => numbers
                        .pick(&["4111111111111111", "12", "-1.5e3", "true", "null", "4155552671 "])
                        .to_owned(),
                    1 => format!("[{}, 5]", string(value, numbers)),
                    _ => string(value, numbers),
                };
            }
            written + numbers.pick(&["}", "} ", "", "} and alice@example.com", "\"4111 1111 1111 1111"])
        }
        _ => phrase(numbers),
    };
    let characters: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let mut rest = characters.as_slice();
    while !rest.is_empty() {
        let (piece, left) = rest.split_at((1 + numbers.below(9)).min(rest.len()));
        pieces.push(piece.iter().collect());
        rest = left;
    }
    Told { choice, channel, pieces }
}

/// The transcript of lanes that come mixed.
fn transcript(told: &[Told], numbers: &mut Numbers) -> String {
    let mut next = vec![0; told.len()];
    let mut transcript = String::new();
    loop {
        let open: Vec<usize> =
            (0..told.len()).filter(|lane| next[*lane] < told[*lane].pieces.len()).collect();
        if open.is_empty() {
            break;
        }
        let lane = numbers.pick(&open);
        let Told { choice, channel, pieces } = &told[lane];
        let piece = &pieces[next[lane]];
        next[lane] += 1;
        let (mut delta, mut text) = (json!({"role": "assistant"}), Value::Null);
        match *channel {
            "arguments" => delta["tool_calls"] = json!([{"index": 0, "function": {"arguments": piece}}]),
            channel => delta[channel] = json!(piece),
        }
        if *channel == "content" && numbers.below(3) == 0 {
            text = json!(piece);
        }
        let event = json!({"choices": [{"index": choice, "delta": delta, "text": text, "logprobs": {"tokens": [piece]}}]});
        let written = match numbers.below(5) {
            0 => event
                .to_string()
                .chars()
                .map(|character| match character.is_ascii() {
                    true => character.to_string(),
                    false => character
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .map(|unit| format!("\\u{unit:04x}"))
                        .collect(),
                })
                .collect(),
            _ => event.to_string(),
        };
        transcript += &match numbers.below(6) {
            0 => format!(": ping\r\n\r\ndata:{written}\r\n\r\n"),
            1 => format!("event: x\nid: 7\ndata: {written}\nretry: 5\n\n"),
            _ => format!("data: {written}\n\n"),
        };
    }
    transcript
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
}

#[test]
fn random_lanes_in_random_chunks_deliver_the_redaction_of_the_whole() {
    let mut config = scenario::quick_start();
    config["policy"]["pii-detector"] = json!({"action": "redact", "detect_patterns": [{"name": "night", "regex": "project night[a-z]{0,8}"}]});
    let call =
        Call::post("/v1/chat/completions", json!({"model": "m", "stream": true, "messages": []}).to_string());
    let mut native = Native::default();
    let mut headers = Headers::default();
    headers.push("content-type", "text/event-stream");
    for seed in 0..chunkings() * 12 {
        let mut numbers = Numbers(seed);
        let mut told_lanes = Vec::new();
        for choice in 0..1 + numbers.below(2) {
            for channel in ["content", "reasoning", "arguments"] {
                if numbers.below(2) == 0 {
                    told_lanes.push(told(&mut numbers, choice, channel));
                }
            }
        }
        let bytes = transcript(&told_lanes, &mut numbers).into_bytes();
        let sent = lanes(&String::from_utf8_lossy(&bytes));
        let expected: BTreeMap<String, Option<String>> = texts(&sent)
            .filter(|(lane, _)| !lane.ends_with(".text"))
            .map(|(lane, text)| (lane.clone(), judged(&mut native, &config, &call, lane, text)))
            .collect();
        let whole = ModelAnswer { status: 200, headers: headers.clone(), pieces: vec![bytes] };
        for _ in 0..3 {
            let length = whole.pieces.concat().len();
            let mut ends: Vec<usize> = (0..numbers.below(60)).map(|_| numbers.below(length)).collect();
            ends.sort_unstable();
            let outcome = native.exchange(&config, &call, &recut(&whole, &ends));
            if let Some(problem) = broken(&outcome, &sent, &expected) {
                panic!("seed {seed}, cut at {ends:?}: {problem}");
            }
        }
    }
}

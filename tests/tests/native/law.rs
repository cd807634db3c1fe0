//! The law of streams, natively: every cut of the corpus, and lanes that nobody would write.

use super::Native;
use kt_tests::client::Call;
use kt_tests::scenario::law::{Cuts, Numbers, broken, check_law, chunkings, judged, recut, texts};
use kt_tests::scenario::{self, Host, ModelAnswer, lanes};
use kt_tests::wire::Headers;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Random chunkings among other tests; a long run makes every cut in two as well.
const USUAL: u64 = 10;

#[test]
fn every_stream_of_the_corpus_delivers_the_redaction_of_the_whole_for_every_chunking() {
    let two_every = if chunkings(USUAL) < 100 { 7 } else { 1 };
    check_law(
        &mut Native::default(),
        Cuts { two_every, bytewise: true, random: chunkings(USUAL), most_pieces: 2000 },
    );
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

/// One lane of content, whole and in deltas of so many letters, under policies that wait for different things.
#[track_caller]
fn check_deltas(text: &str) {
    let mut config = scenario::quick_start();
    config["policy"]["pii-detector"] = json!({"action": "redact", "detect_patterns": [{"name": "night", "regex": "project night[a-z]{0,2}"}]});
    config["policy"]["safety-filter"] = json!({"action": "block", "block_if": ["harvest moon", "moon of"]});
    let call =
        Call::post("/v1/chat/completions", json!({"model": "m", "stream": true, "messages": []}).to_string());
    let mut native = Native::default();
    let mut headers = Headers::default();
    headers.push("content-type", "text/event-stream");
    let characters: Vec<char> = text.chars().collect();
    for size in 1..=characters.len() {
        let pieces = characters.chunks(size).map(|piece| piece.iter().collect()).collect();
        let told = Told { choice: 0, channel: "content", pieces };
        let bytes = transcript(&[told], &mut Numbers(3)).into_bytes();
        let sent = lanes(&String::from_utf8_lossy(&bytes));
        let expected: BTreeMap<String, Option<String>> = texts(&sent)
            .filter(|(lane, _)| !lane.ends_with(".text"))
            .map(|(lane, text)| (lane.clone(), judged(&mut native, &config, &call, lane, text)))
            .collect();
        let pieces = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let outcome =
            native.exchange(&config, &call, &ModelAnswer { status: 200, headers: headers.clone(), pieces });
        if let Some(problem) = broken(&outcome, &sent, &expected) {
            panic!("deltas of {size} letters: {problem}");
        }
        let body = String::from_utf8_lossy(&outcome.body);
        assert!(!lanes(&body).values().any(|text| text.contains("harvest m")), "deltas of {size} letters");
    }
}

#[test]
fn no_match_is_parted_where_another_policy_waits() {
    check_deltas("com 536-90-4399DE89project night4111 1111 1111 1111");
    check_deltas("It is project night.ly@example.com, they say.");
    check_deltas("It is the harvest moon.light@example.com, they say.");
    check_deltas("By the harvest moon 4111 1111 1111 1111 they pay.");
    check_deltas("By the harvest moon over the river they meet.");
    // What shows a match stands before it.
    check_deltas("It is pass=2671, they say.");
    check_deltas("It is password: Xk29dkQ12 by moonlight, they say.");
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
    for seed in 0..chunkings(USUAL) * 12 {
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

//! Text that cannot begin a match is never held: each event leaves in the call it came in, byte for byte.

use super::Native;
use kt_core::exchange::{Admission, AnswerHead, AnswerMode, ChunkStep, Exchange, RequestHead};
use kt_tests::{response, scenario};
use serde_json::{Value, json};

/// Words as models send them, the space behind; none ends where a match could begin.
const WORDS: [&str; 14] = [
    "The ",
    "Golden Gate Bridge ",
    "is made of ",
    "Steel, ",
    "and it stands; ",
    "People ",
    "from New York or Berlin ",
    "walk over it. ",
    "\n\n",
    "However, ",
    "I ",
    "have never seen the house ",
    "or the place ",
    "on Mr. Strauss' Photo. ",
];

fn chat(delta: &Value) -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    )
}

#[track_caller]
fn check(path: &str, events: &[String]) {
    let mut exchange = Exchange::new(Native::default().gateway(&scenario::quick_start()));
    let headers =
        [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(matches!(exchange.admit(RequestHead::new(headers.to_vec())), Admission::Inspect));
    let mut body = json!({"model": "m", "stream": true, "messages": [], "input": "Hello"});
    if path == "/v1/completions" {
        body["prompt"] = json!("Hello");
    }
    exchange.request(body.to_string().as_bytes()).unwrap();
    let head = AnswerHead {
        status: 200,
        content_type: "text/event-stream".into(),
        attempts: 1,
        ..AnswerHead::default()
    };
    assert_eq!(exchange.answer(&head).mode, AnswerMode::Stream);
    for event in events {
        let step = exchange.chunk(event.as_bytes(), false);
        assert!(matches!(step, ChunkStep::Forward), "{event} led to {step:?}");
        assert!(!exchange.holds(), "{event} is held");
    }
}

#[test]
fn prose_is_never_held() {
    for channel in ["content", "reasoning", "reasoning_content", "refusal"] {
        check("/v1/chat/completions", &WORDS.map(|word| chat(&json!({channel: word}))));
    }
}

#[test]
fn completions_are_never_held() {
    check(
        "/v1/completions",
        &WORDS.map(|word| format!("data: {}\n\n", json!({"choices": [{"index": 0, "text": word}]}))),
    );
}

#[test]
fn responses_are_never_held() {
    check("/v1/responses", &response::events("m", &WORDS));
}

#[test]
fn arguments_of_tools_are_never_held() {
    let pieces = [
        "",
        "{\"",
        "place\": \"",
        "the ",
        "bridge ",
        "over the ",
        "river.\", ",
        "\"count\": 3, ",
        "\"deep\": {\"list\": [true, ",
        "null ]}",
        "}",
    ];
    check(
        "/v1/chat/completions",
        &pieces.map(|piece| chat(&json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))),
    );
}

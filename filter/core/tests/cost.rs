//! What exchanges cost, from the bytes of requests and answers to the last digit of `cost_usd`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use kt_core::config::{ChainEntry, ChainOptions, Policies};
use kt_core::cost::Prices;
use kt_core::exchange::{
    Admission, AnswerHead, AnswerMode, ChunkStep, Exchange, Gateway, RequestHead, Timing,
};
use kt_core::plugin::{Downstream, Target};
use serde_json::{Value, json};
use std::rc::Rc;

/// 2.50 USD for 1M input tokens, 10.00 for output, 1.25 for cached input.
const PRICES: Prices = Prices { prompt: 2_500_000, completion: 10_000_000, cached: 1_250_000 };

fn gateway(chain: &[&str], asks_for_usage: bool, prices: Option<Prices>) -> Rc<Gateway> {
    let entry = |name: &&str| ChainEntry { name: (*name).into(), options: ChainOptions::default() };
    let target = Target {
        id: "main".into(),
        provider: "openai".into(),
        path_prefix: "/v1".into(),
        prices,
        asks_for_usage,
        ..Target::default()
    };
    let config = Downstream {
        policies: Policies { chain: chain.iter().map(entry).collect() },
        targets: vec![target],
        ..Downstream::default()
    };
    Rc::new(Gateway::new(config).unwrap())
}

/// How a scripted exchange goes.
struct Script<'s> {
    path: &'s str,
    request: Value,
    content_type: &'s str,
    answer: &'s [&'s str],
    timing: Timing,
}

impl Default for Script<'_> {
    fn default() -> Self {
        Script {
            path: "/v1/chat/completions",
            request: json!({"model": "m", "messages": [{"role": "user", "content": "Hello, you."}]}),
            content_type: "application/json",
            answer: &[],
            timing: Timing { status: 200, attempts: 1, ..Timing::default() },
        }
    }
}

fn stream<'s>(answer: &'s [&'s str]) -> Script<'s> {
    Script {
        request: json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hello, you."}]}),
        content_type: "text/event-stream",
        answer,
        ..Script::default()
    }
}

fn gone(script: Script) -> Script {
    Script { timing: Timing { client_gone: true, ..script.timing.clone() }, ..script }
}

/// What the upstream was sent, what the client got, and the event.
fn run(gateway: &Rc<Gateway>, script: &Script) -> (Value, String, String) {
    let mut exchange = Exchange::new(gateway.clone());
    let headers = [(":method", "POST"), (":path", script.path)];
    let head = RequestHead::new(headers.map(|(name, value)| (name.into(), value.into())).to_vec());
    assert!(matches!(exchange.admit(head), Admission::Inspect));
    let body = script.request.to_string().into_bytes();
    let sent = exchange.request(&body).unwrap().body.unwrap_or(body);
    let mut got = Vec::new();
    if !script.answer.is_empty() || !script.timing.client_gone {
        let content_type = script.content_type.to_owned();
        let head = AnswerHead {
            status: 200,
            content_type,
            from_upstream: true,
            attempts: 1,
            ..AnswerHead::default()
        };
        let ends = |number: usize| number + 1 == script.answer.len() && !script.timing.client_gone;
        match exchange.answer(&head).mode {
            AnswerMode::Pass => got = script.answer.concat().into_bytes(),
            AnswerMode::Whole => {
                let whole = script.answer.concat().into_bytes();
                got = exchange.whole_answer(&whole).unwrap().body.unwrap_or(whole);
            }
            AnswerMode::Meter => {
                for (number, piece) in script.answer.iter().enumerate() {
                    exchange.meter(piece.as_bytes(), ends(number));
                    got.extend_from_slice(piece.as_bytes());
                }
            }
            AnswerMode::Stream => {
                for (number, piece) in script.answer.iter().enumerate() {
                    match exchange.chunk(piece.as_bytes(), ends(number)) {
                        ChunkStep::Forward => got.extend_from_slice(piece.as_bytes()),
                        ChunkStep::Replace(out) => got.extend_from_slice(&out),
                        ChunkStep::Refuse(reply) => panic!("{reply:?}"),
                    }
                }
            }
        }
    }
    let event = exchange.finish(&script.timing).unwrap();
    let sent = serde_json::from_slice(&sent).unwrap();
    (sent, String::from_utf8(got).unwrap(), String::from_utf8(event).unwrap())
}

/// The amount in an event, as it is written.
fn cost_usd(event: &str) -> &str {
    let (_, rest) = event.split_once("\"cost_usd\":").unwrap_or_default();
    rest.split(',').next().unwrap()
}

fn usage(event: &str) -> Value {
    serde_json::from_str::<Value>(event).unwrap()["usage"].clone()
}

/// The same whether a policy reads the answer or it is only metered. The amount is looked at as it is written.
#[track_caller]
fn check(script: &Script, expected: &str, complete: bool) -> u64 {
    for chain in [&["audit-logger"][..], &["pii-detector", "audit-logger"]] {
        let (_, got, event) = run(&gateway(chain, false, Some(PRICES)), script);
        // A policy may hold the last word of what was cut.
        assert!(got == script.answer.concat() || (script.timing.client_gone && chain.len() > 1), "{got}");
        assert_eq!(cost_usd(&event), expected, "{chain:?}: {event}");
        assert_eq!(usage(&event)["complete"], complete, "{chain:?}: {event}");
    }
    let (_, _, event) = run(&gateway(&["audit-logger"], false, None), script);
    assert_eq!(cost_usd(&event), "");
    (expected.parse::<f64>().unwrap() * 1e12).round() as u64
}

const WHOLE: &str = r#"{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900}}}"#;
const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n";
const CALL: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}}]},\"finish_reason\":null}]}\n\n";
const STOP_WITH_COUNTS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const COUNTS: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}\n\n";
const GROQ: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1,\"total_tokens\":8}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn a_day_of_traffic_costs_what_it_costs() {
    let response = r#"{"object":"response","model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":16},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":48},"total_tokens":70}}"#;
    let responses = |answer| Script {
        path: "/v1/responses",
        request: json!({"model": "m", "input": "Hello"}),
        answer,
        ..Script::default()
    };
    let event = format!(
        "event: response.completed\ndata: {{\"type\":\"response.completed\",\"sequence_number\":1,\"response\":{response}}}\n\n"
    );
    let streamed = [event.as_str()];
    let embeddings = Script {
        path: "/v1/embeddings",
        request: json!({"model": "m", "input": "Hello"}),
        answer: &[r#"{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#],
        ..Script::default()
    };
    fn script<'s>(answer: &'s [&'s str]) -> Script<'s> {
        Script { answer, ..Script::default() }
    }
    let uncounted = r#"{"choices":[{"index":0,"message":{"content":"12345678"}}]}"#;
    let beside = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}}"#;
    let day = [
        // 100 x 2.50 + 900 x 1.25 + 10 x 10.00 = 1475, for a million.
        check(&script(&[WHOLE]), "0.001475", true),
        // In two pieces, which a meter has to join.
        check(&script(&[&WHOLE[..70], &WHOLE[70..]]), "0.001475", true),
        // 9 x 2.50 + 3 x 10.00 = 52.5
        check(&stream(&[HELLO, STOP_WITH_COUNTS, DONE]), "0.0000525", true),
        // 9 x 2.50 + 4 x 10.00 = 62.5
        check(&stream(&[HELLO, CALL, STOP, COUNTS, DONE]), "0.0000625", true),
        // 7 x 2.50 + 10.00 = 27.5
        check(&stream(&[GROQ, DONE]), "0.0000275", true),
        // 4 x 2.50 + 16 x 1.25 + 50 x 10.00 = 530, reasoning inside.
        check(&responses(&[response]), "0.00053", true),
        check(
            &Script {
                request: json!({"model": "m", "input": "Hello", "stream": true}),
                content_type: "text/event-stream",
                ..responses(&streamed)
            },
            "0.00053",
            true,
        ),
        // 10 x 2.50 + 25 x 10.00 = 275, reasoning beside.
        check(&script(&[beside]), "0.000275", true),
        // 8 x 2.50
        check(&embeddings, "0.00002", true),
        // Cut: 11 bytes asked are 3 tokens, 10 bytes said are 3: 3 x 2.50 + 3 x 10.00 = 37.5
        check(&gone(stream(&[HELLO, HELLO])), "0.0000375", false),
        // The same with counts that came before the cut, of which the larger ones stand: 9 x 2.50 + 3 x 10.00.
        check(&gone(stream(&[HELLO, STOP_WITH_COUNTS])), "0.0000525", false),
        // All was said; that the client did not wait for the end changes nothing.
        check(&gone(stream(&[HELLO, STOP_WITH_COUNTS, DONE])), "0.0000525", true),
        // Gone before the answer: 3 x 2.50
        check(&gone(script(&[])), "0.0000075", false),
    ];
    // 8 bytes said are 2 tokens: 3 x 2.50 + 2 x 10.00. What is only metered is its whole body, for want of a better count.
    let (_, _, event) =
        run(&gateway(&["pii-detector", "audit-logger"], false, Some(PRICES)), &script(&[uncounted]));
    assert_eq!((cost_usd(&event), &usage(&event)["complete"]), ("0.0000275", &false.into()));
    // 2 x 1475 + 52.5 + 62.5 + 27.5 + 2 x 530 + 275 + 20 + 37.5 + 2 x 52.5 + 7.5 = 4597.5, for a million.
    assert_eq!(day.iter().sum::<u64>(), 4_597_500_000);
}

#[test]
fn a_stream_of_whoever_did_not_ask_looks_as_if_no_one_had() {
    let gateway = gateway(&["audit-logger"], true, Some(PRICES));
    let (sent, got, event) = run(&gateway, &stream(&[HELLO, STOP, COUNTS, DONE]));
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
    assert_eq!(got, [HELLO, STOP, DONE].concat());
    assert_eq!((&usage(&event)["completion"], &usage(&event)["complete"]), (&json!(4), &json!(true)));
    // Counts beside a choice are the provider's way and stay.
    let (_, got, _) = run(&gateway, &stream(&[HELLO, STOP_WITH_COUNTS, DONE]));
    assert_eq!(got, [HELLO, STOP_WITH_COUNTS, DONE].concat());
    // Nothing is asked for where it says nothing.
    let (sent, _, _) = run(&gateway, &Script { answer: &[WHOLE], ..Script::default() });
    assert_eq!(sent["stream_options"], Value::Null);
}

#[test]
fn a_client_that_asked_gets_what_it_asked_for() {
    let gateway = gateway(&["audit-logger"], true, Some(PRICES));
    let mut script = stream(&[HELLO, STOP, COUNTS, DONE]);
    script.request["stream_options"] = json!({"include_usage": true});
    let (sent, got, _) = run(&gateway, &script);
    assert_eq!(sent, script.request);
    assert_eq!(got, script.answer.concat());
}

#[test]
fn what_is_only_metered_passes_whatever_it_is() {
    let gateway = gateway(&["audit-logger"], false, Some(PRICES));
    let large = format!("data: {}\n\n", "x".repeat(2 << 20));
    let pieces: Vec<&str> =
        large.as_bytes().chunks(100_000).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    for answer in [&["data: {not json\n\n", DONE][..], &["no stream at all"], &pieces] {
        let (_, got, event) = run(&gateway, &stream(answer));
        assert!(got == answer.concat(), "it was changed");
        assert_eq!(usage(&event)["complete"], false);
    }
}

#[test]
fn sums_of_many_exchanges_are_exact() {
    let gateway = gateway(&["audit-logger"], false, Some(PRICES));
    let (mut sum, mut expected, mut seed) = (0u64, 0u64, 12345u64);
    for _ in 0..500 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (prompt, completion) = (seed >> 50, (seed >> 30) & 0xfff);
        let cached = prompt / 3;
        let answer = json!({"choices": [], "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": {"cached_tokens": cached},
        }});
        let (_, _, event) = run(&gateway, &Script { answer: &[&answer.to_string()], ..Script::default() });
        sum += (cost_usd(&event).parse::<f64>().unwrap() * 1e12).round() as u64;
        // In hundredths of a USD for a million.
        expected += ((prompt - cached) * 250 + cached * 125 + completion * 1000) * 10_000;
    }
    assert_eq!(sum, expected);
}

//! The real module, run through the ABI in wasmtime: the scenario corpus, and what only the order of callbacks can show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod wasm_host;

use kt_core::plan;
use kt_core::plugin::PluginConfig;
use kt_tests::client::Call;
use kt_tests::repository;
use kt_tests::scenario::law::{Cuts, check_law, chunkings};
use kt_tests::scenario::{self, Arrival, Host, ModelAnswer, Outcome, SentUpstream};
use kt_tests::wire::Headers;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::OnceLock;
use wasm_host::{Exchange, Fields, Filter, Message, Vm};

/// The module is compiled once: that takes longer than all the tests.
fn filter() -> &'static Filter {
    static FILTER: OnceLock<Filter> = OnceLock::new();
    FILTER.get_or_init(|| Filter::load(&repository::wasm().unwrap_or_else(|problem| panic!("{problem}"))))
}

/// The downstream role of a gateway with one target, as `kt-control` configures it.
fn plugin(policy_config: &Value) -> String {
    let mut policy_config = policy_config.clone();
    policy_config["providers"]["targets"][0]["base_url"] = json!("http://upstream.test/v1");
    let plan = plan::check(&policy_config).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let plugin = PluginConfig::Downstream(Box::new(plan.downstream(&"0".repeat(64))));
    serde_json::to_string(&plugin).unwrap()
}

fn quick_start() -> Vm {
    filter().start(&plugin(&scenario::quick_start())).unwrap()
}

/// Runs exchanges in wasmtime; a gateway keeps its VM.
#[derive(Default)]
struct Wasmtime {
    vms: HashMap<String, Vm>,
}

impl Host for Wasmtime {
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome {
        let plugin = plugin(config);
        let vm = self.vms.entry(plugin.clone()).or_insert_with(|| {
            filter()
                .start(&plugin)
                .unwrap_or_else(|log| panic!("the module refuses its configuration:\n{log}"))
        });
        let mut exchange = vm.stream();
        ask(&mut exchange, call);
        if exchange.is_sent_upstream() {
            reply(&mut exchange, answer);
        }
        let seen = exchange.finish();
        let client = seen.client.unwrap_or_else(|| panic!("the client got nothing"));
        let event = seen.filter_state.get("wasm.kt.event").map(|line| serde_json::from_str(line).unwrap());
        Outcome {
            status: client.header(":status").unwrap().parse().unwrap(),
            headers: Headers(client.headers.clone()),
            body: client.body(),
            whole: client.ended && !seen.closed,
            upstream: seen.upstream.map(|message| SentUpstream {
                path: message.header(":path").unwrap_or_default().to_owned(),
                headers: Headers(message.headers.clone()),
                body: message.body(),
            }),
            event,
        }
    }
}

fn ask(exchange: &mut Exchange<'_>, call: &Call) {
    let length = call.body.len().to_string();
    let mut headers = vec![
        (":method", call.method.as_str()),
        (":path", &call.path),
        (":authority", "gateway.test"),
        (":scheme", "http"),
    ];
    headers.push(("x-request-id", "11111111-2222-4333-8444-555555555555"));
    headers.extend(call.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if !call.body.is_empty() {
        headers.push(("content-length", &length));
    }
    exchange.request_headers(&headers, call.body.is_empty());
    if !call.body.is_empty() {
        exchange.request_body(&call.body, true);
    }
}

fn reply(exchange: &mut Exchange<'_>, answer: &ModelAnswer) {
    let status = answer.status.to_string();
    let mut headers = vec![(":status", status.as_str())];
    headers.extend(answer.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    exchange.response_headers(&headers, answer.pieces.is_empty());
    let last = answer.pieces.len().saturating_sub(1);
    for (index, piece) in answer.pieces.iter().enumerate() {
        exchange.response_body(piece, index == last);
    }
}

/// A chat request with one user message.
fn chat(text: &str, stream: bool) -> Call {
    Call::post(
        "/v1/chat/completions",
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}).to_string(),
    )
}

fn head(call: &Call) -> Fields {
    vec![
        (":method".into(), call.method.clone()),
        (":path".into(), call.path.clone()),
        (":authority".into(), "gateway.test".into()),
        ("content-type".into(), "application/json".into()),
    ]
}

fn borrowed(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[track_caller]
fn check_redacted(upstream: Option<Message>) {
    let body = String::from_utf8(upstream.expect("the request reached the model").body()).unwrap();
    assert!(body.contains("[REDACTED:EMAIL]") && !body.contains("alice@"), "{body}");
}

#[test]
fn every_scenario_holds_for_every_arrival() {
    let arrivals = [Arrival::Whole, Arrival::ByEvent, Arrival::ByBytes(1), Arrival::ByBytes(7)];
    scenario::check_all(&mut Wasmtime::default(), &arrivals, |config| scenario::targets(config) == 1);
}

#[test]
fn every_stream_of_the_corpus_delivers_the_redaction_of_the_whole_for_a_sample_of_chunkings() {
    // All cuts in two, where a long run is asked for.
    let random = chunkings(5);
    let two_every = if random < 100 { 61 } else { 1 };
    check_law(&mut Wasmtime::default(), Cuts { two_every, bytewise: true, random, most_pieces: 2000 });
}

#[test]
fn a_body_in_many_chunks_is_inspected_as_one() {
    let mut vm = quick_start();
    let call = chat("Write to alice@example.com", false);
    for size in [1, 2, 7, 64] {
        let mut exchange = vm.stream();
        exchange.request_headers(&borrowed(&head(&call)), false);
        let chunks: Vec<_> = call.body.chunks(size).collect();
        for (index, chunk) in chunks.iter().enumerate() {
            exchange.request_body(chunk, index + 1 == chunks.len());
        }
        check_redacted(exchange.finish().upstream);
    }
}

#[test]
fn a_body_that_ends_in_trailers_is_inspected() {
    let mut vm = quick_start();
    let call = chat("Write to alice@example.com", false);
    let mut exchange = vm.stream();
    exchange.request_headers(&borrowed(&head(&call)), false);
    exchange.request_body(&call.body, false);
    assert!(!exchange.is_sent_upstream());
    exchange.request_trailers(&[("x-checksum", "1")]);
    check_redacted(exchange.finish().upstream);
}

#[test]
fn an_answer_that_ends_in_trailers_is_inspected() {
    let mut vm = quick_start();
    let mut exchange = vm.stream();
    ask(&mut exchange, &chat("Hello", false));
    exchange.response_headers(&[(":status", "200"), ("content-type", "application/json")], false);
    let document = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Ask alice@example.com"}}]}).to_string();
    exchange.response_body(document.as_bytes(), false);
    assert!(exchange.delivered().is_empty(), "nothing leaves before it is read");
    exchange.response_trailers(&[("x-checksum", "1")]);
    let client = exchange.finish().client.unwrap();
    assert_eq!(client.trailers, Some(vec![("x-checksum".into(), "1".into())]));
    let body = String::from_utf8(client.body()).unwrap();
    assert!(body.contains("[REDACTED:EMAIL]") && !body.contains("alice@"), "{body}");
}

#[test]
fn a_delta_that_nothing_can_change_leaves_in_the_callback_it_came_in() {
    let mut vm = quick_start();
    let mut exchange = vm.stream();
    ask(&mut exchange, &chat("Hello", true));
    exchange.response_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
    for word in ["the ", "quick ", "brown "] {
        let delta = json!({"choices": [{"index": 0, "delta": {"content": word}}]});
        let event = format!("data: {delta}\n\n");
        let before = exchange.delivered().len();
        exchange.response_body(event.as_bytes(), false);
        assert_eq!(exchange.delivered().len(), before + event.len(), "`{word}` was held");
    }
    exchange.response_body(b"data: [DONE]\n\n", true);
    assert!(exchange.finish().client.unwrap().ended);
}

#[test]
fn a_client_that_leaves_in_mid_stream_leaves_an_event() {
    let mut vm = quick_start();
    let mut exchange = vm.stream();
    ask(&mut exchange, &chat("Hello", true));
    exchange.response_headers(&[(":status", "200"), ("content-type", "text/event-stream")], false);
    exchange
        .response_body(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The \"}}]}\n\n", false);
    exchange.property(["response", "code_details"], b"downstream_remote_disconnect");
    let seen = exchange.finish();
    let event: Value = serde_json::from_str(&seen.filter_state["wasm.kt.event"]).unwrap();
    assert_eq!(event["ended"], "client_disconnected");
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let misspelt = plugin(&scenario::quick_start()).replace("\"pii-detector\"", "\"pii-detectr\"");
    for config in [misspelt.as_str(), "not json", "{}"] {
        assert!(filter().start(config).is_err(), "{config}");
    }
}

#[test]
fn thousands_of_streams_do_not_grow_the_module() {
    let mut vm = quick_start();
    let run = |vm: &mut Vm, count: usize| {
        for _ in 0..count {
            let mut exchange = vm.stream();
            ask(&mut exchange, &chat("Write to alice@example.com", false));
            exchange.finish();
        }
    };
    run(&mut vm, 500);
    let before = vm.memory_bytes();
    run(&mut vm, 2_000);
    assert_eq!(vm.memory_bytes(), before);
}

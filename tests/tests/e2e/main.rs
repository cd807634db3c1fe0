//! The gateway as people run it: kt-control renders, the real Envoy serves, real clients call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod audit;
mod broken;
mod budget;
mod capture;
mod conformance;
mod corpus;
mod cost;
mod crowd;
mod dashboards;
mod doctor;
mod failure;
mod fallback;
mod grpc;
mod http2;
mod keys;
mod limits;
mod matrix;
mod metrics;
mod otlp;
mod quick_start;
mod router;
mod routing;
mod sdk;
mod shared_budget;
mod streaming;
mod wire;

use kt_tests::client::Call;
use kt_tests::demo::Demo;
use kt_tests::envoy::Setup;
use kt_tests::scenario;
use kt_tests::upstream::Upstream;
use serde_json::{Value, json};

/// The key of the quick start's only target.
const KEY: &str = "sk-together-test";

/// A model server that says back what reached it.
fn demo() -> Upstream {
    Upstream::start(|request| Demo::default().answer(request)).unwrap()
}

/// The quick start, with its target at `upstream`.
fn quick_start(upstream: &Upstream) -> Setup {
    with_config(upstream, &scenario::quick_start())
}

/// A configuration with its targets at `upstream`.
fn with_config(upstream: &Upstream, config: &Value) -> Setup {
    let mut config = config.clone();
    for target in config["providers"]["targets"].as_array_mut().unwrap() {
        target["base_url"] = json!(upstream.base_url());
    }
    Setup::new(config.to_string()).env("TOGETHER_API_KEY", KEY)
}

/// A chat request with one user message.
fn chat(text: &str) -> Call {
    ask(json!({"messages": [{"role": "user", "content": text}]}))
}

/// A chat request.
fn ask(mut body: Value) -> Call {
    let model = json!("meta-llama/Llama-3.3-70B-Instruct-Turbo");
    body.as_object_mut().unwrap().entry("model").or_insert(model);
    Call::post("/v1/chat/completions", body.to_string())
}

/// What the demo upstream answered.
#[track_caller]
fn said(reply: &kt_tests::client::Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

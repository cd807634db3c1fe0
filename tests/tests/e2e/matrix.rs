//! Every SDK in every way an answer can go: clean, redacted, refused, blocked, failed; whole and streamed.
//!
//! `tests/sdk/matrix.py` and `tests/sdk/matrix.ts` hold what each SDK's user has to see. Here are the model that behaves so, and what
//! the scripts cannot know: how often the gateway was asked.

use crate::with_config;
use kt_tests::envoy::Gateway;
use kt_tests::repository;
use kt_tests::scenario;
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Between two deltas, so that something has left before the next is there.
const PACE: Duration = Duration::from_millis(10);

/// Long enough for a call that should not be to arrive after the script: retries wait half a second at most before the first.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

const CLEAN: &str = "The quick brown fox jumps over the lazy dog.";

/// Does what the last message asks for.
fn model(request: &Request) -> Answer {
    let body = request.json();
    let is_stream = body["stream"] == true;
    let asked =
        body["messages"].as_array().and_then(|messages| messages.last()).map(text).unwrap_or_default();
    let said = match asked.as_str() {
        "Say the address" => "Write to alice@example.com or pay with 4111 1111 1111 1111, soon.",
        "Talk about the plan at once" => "project nightfall it is.",
        "Talk about the plan slowly" => {
            "Let me tell you slowly that it is project nightfall and nothing else."
        }
        "Mail the address" => return call_tool(is_stream, r#"{"to": "alice@example.com"}"#),
        "Mail the plan" => {
            return call_tool(is_stream, r#"{"to": "bob", "text": "it is project nightfall"}"#);
        }
        _ => CLEAN,
    };
    if !is_stream {
        return Answer::json(200, &whole(&json!({"role": "assistant", "content": said}), "stop").to_string());
    }
    let deltas = said.split_inclusive(' ').map(|delta| json!({"role": "assistant", "content": delta}));
    let answer = Answer::chunks::<&str>([]);
    match asked.as_str() {
        "Fail in the middle" => deltas
            .take(4)
            .fold(answer, |answer, delta| answer.bytes(event(&delta, None)).wait(PACE))
            .bytes(format!("data: {}\n\n", json!({"error": {"message": "The model is gone", "type": "server_error", "param": null, "code": "internal"}})))
            .bytes("data: [DONE]\n\n"),
        "Break off in the middle" => deltas
            .take(4)
            .fold(answer, |answer, delta| answer.bytes(event(&delta, None)).wait(PACE))
            .step(Step::Cut),
        _ => ended(deltas.fold(answer, |answer, delta| answer.bytes(event(&delta, None)).wait(PACE)), "stop"),
    }
}

fn text(message: &Value) -> String {
    match &message["content"] {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_owned(),
    }
}

fn call_tool(is_stream: bool, arguments: &str) -> Answer {
    let call = |arguments: &str| json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "mail", "arguments": arguments}});
    if !is_stream {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call(arguments)]});
        return Answer::json(200, &whole(&message, "tool_calls").to_string());
    }
    let begin = event(&json!({"role": "assistant", "content": null, "tool_calls": [call("")]}), None);
    let pieces = arguments
        .split_inclusive(' ')
        .map(|piece| event(&json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), None));
    ended(pieces.fold(Answer::chunks([begin]), |answer, piece| answer.bytes(piece).wait(PACE)), "tool_calls")
}

fn usage() -> Value {
    json!({"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29})
}

fn whole(message: &Value, reason: &str) -> Value {
    json!({
        "id": "m1", "object": "chat.completion", "created": 1_790_000_000, "model": "m",
        "choices": [{"index": 0, "finish_reason": reason, "logprobs": null, "message": message}], "usage": usage(),
    })
}

fn event(delta: &Value, reason: Option<&str>) -> String {
    let usage = reason.map_or(Value::Null, |_| usage());
    let event = json!({
        "id": "m1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": null}], "usage": usage,
    });
    format!("data: {event}\n\n")
}

fn ended(answer: Answer, reason: &str) -> Answer {
    answer.bytes(event(&json!({}), Some(reason))).bytes("data: [DONE]\n\n")
}

fn gateway() -> (Upstream, Gateway) {
    let upstream = Upstream::start(model).unwrap();
    let mut config = scenario::quick_start();
    config["policy"]["safety-filter"] =
        json!({"action": "block", "apply_to": "output", "block_if": ["project nightfall"]});
    let gateway = with_config(&upstream, &config).start();
    (upstream, gateway)
}

/// Runs a script that prints how many calls it made, and compares with what arrived.
#[track_caller]
fn check(mut command: Command, gateway: &Gateway) {
    // A proxy of the environment is not for loopback, and nothing here has to look anything up.
    command.env("GATEWAY", gateway.base_url()).env("NO_PROXY", "*").env("TOGETHER_NO_BANNER", "1");
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LANGSMITH_TRACING", "false");
    command.env("OPENAI_API_KEY", "unused").env("TOGETHER_API_KEY", "unused");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let calls: usize =
        said.lines().last().and_then(|line| line.trim().parse().ok()).expect("the number of calls");
    thread::sleep(RETRY_PAUSE);
    let events = gateway.await_events(calls);
    let blocked = |event: &&Value| event["verdict"] == "block";
    let ended: Vec<&Value> = events.iter().map(|event| &event["ended"]).collect();
    assert_eq!(events.len(), calls, "something was asked for twice: {ended:?}");
    // Twice each before the first byte of the request and of the answer, and once in mid-stream or more.
    assert!(events.iter().filter(blocked).count() >= 5, "{ended:?}");
}

#[track_caller]
fn python(sdk: &str, folder: Option<&str>) {
    let (_upstream, gateway) = gateway();
    let mut command = Command::new(repository::python().unwrap_or_else(|problem| panic!("{problem}")));
    command.arg(repository::root().join("tests/sdk/matrix.py")).arg(sdk);
    if let Some(folder) = folder {
        command.env("PYTHONPATH", repository::sdk(folder).unwrap_or_else(|problem| panic!("{problem}")));
    }
    check(command, &gateway);
}

#[test]
fn openai_newest() {
    python("openai", None);
}

#[test]
fn openai_newest_async() {
    python("openai-async", None);
}

#[test]
fn openai_newest_with_its_streaming_helper() {
    python("openai-helper", None);
}

#[test]
fn openai_2() {
    python("openai", Some("openai-2"));
}

#[test]
fn openai_1() {
    python("openai", Some("openai-1"));
}

#[test]
fn together_newest() {
    python("together", None);
}

#[test]
fn together_2() {
    python("together", Some("together-2"));
}

#[test]
fn together_1() {
    python("together-1", Some("together-1"));
}

#[test]
fn langchain() {
    python("langchain", None);
}

#[test]
fn litellm() {
    python("litellm", Some("litellm"));
}

#[track_caller]
fn node(sdk: &str) {
    let (_upstream, gateway) = gateway();
    let (node, folder) = repository::node().unwrap_or_else(|problem| panic!("{problem}"));
    // Beside what it imports, where Node looks for it.
    let script = folder.join(format!("{}-{sdk}-matrix.ts", std::process::id()));
    std::fs::copy(repository::root().join("tests/sdk/matrix.ts"), &script).unwrap();
    let mut command = Command::new(node);
    command.arg(&script).arg(sdk);
    check(command, &gateway);
    std::fs::remove_file(script).unwrap();
}

#[test]
fn openai_on_node() {
    node("openai");
}

#[test]
fn together_on_node() {
    node("together-ai");
}

#[test]
fn vercel_ai_sdk_with_its_openai_provider() {
    node("ai-sdk-openai");
}

#[test]
fn vercel_ai_sdk_with_its_provider_for_compatible_servers() {
    node("ai-sdk-compatible");
}

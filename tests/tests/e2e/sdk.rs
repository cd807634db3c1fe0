//! The SDKs people use, unchanged but for their base URL. The scripts assert; this starts what they talk to.

use crate::{demo, quick_start, with_config};
use kt_tests::client::Call;
use kt_tests::demo::Demo;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::repository;
use kt_tests::scenario;
use kt_tests::upstream::Upstream;
use serde_json::json;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// Runs `tests/sdk/<script>` against the gateway; fails with everything it said.
#[track_caller]
fn run(script: &str, gateway: &Gateway) -> String {
    let path = repository::root().join("tests/sdk").join(script);
    let source = std::fs::read_to_string(&path).unwrap();
    python(&source, gateway)
}

#[track_caller]
fn python(source: &str, gateway: &Gateway) -> String {
    let python = repository::python().unwrap_or_else(|problem| panic!("{problem}"));
    let mut command = Command::new(python);
    command.arg("-c").arg(source).env("GATEWAY", gateway.base_url());
    // A proxy of the environment is not for loopback.
    command
        .env("NO_PROXY", "*")
        .env("TOGETHER_API_KEY", "unused")
        .env("TOGETHER_BASE_URL", gateway.base_url());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Runs `tests/sdk/<script>` on Node, with the places it prints replaced.
#[track_caller]
fn node(script: &str, replaced: &[(&str, &str)], gateway: &Gateway, key: &str) -> String {
    let (node, folder) = repository::node().unwrap_or_else(|problem| panic!("{problem}"));
    let mut source = std::fs::read_to_string(repository::root().join("tests/sdk").join(script)).unwrap();
    for (printed, here) in replaced {
        assert!(source.contains(printed), "the example is as printed");
        source = source.replace(printed, here);
    }
    let place = folder.join(format!("{}-{script}", std::process::id()));
    std::fs::write(&place, source).unwrap();
    let output = Command::new(node)
        .arg(&place)
        .env("NO_PROXY", "*")
        .env("TOGETHER_API_KEY", key)
        .env("TOGETHER_BASE_URL", gateway.base_url())
        .output()
        .unwrap();
    std::fs::remove_file(place).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn gateway() -> (Upstream, Gateway) {
    let upstream = demo();
    let gateway = quick_start(&upstream).start();
    (upstream, gateway)
}

#[test]
fn the_snippets_of_the_quick_start_work_with_another_base_url() {
    let (upstream, gateway) = gateway();
    for (script, expected) in [
        ("quickstart_unary.py", "You said: Explain the CAP theorem in distributed systems.\n"),
        ("quickstart_stream.py", "You said: Write a poem about open-source AI."),
    ] {
        let source = std::fs::read_to_string(repository::root().join("tests/sdk").join(script)).unwrap();
        let printed = "http://localhost:8080/v1";
        assert!(source.contains(printed), "the snippet is as printed");
        assert_eq!(python(&source.replace(printed, &gateway.base_url()), &gateway), expected);
        let seen = upstream.take_requests().remove(0);
        assert_eq!(seen.headers.value("authorization"), Some("Bearer sk-together-test"));
    }
}

#[test]
fn the_openai_sdk_is_redacted_and_refused_unary_and_streaming() {
    run("openai_sdk.py", &gateway().1);
}

#[test]
fn the_responses_of_the_openai_sdk_are_redacted_refused_and_never_asked_for_twice() {
    // Slowly, so that something has left when the block comes.
    let demo = Demo { pace: Duration::from_millis(10) };
    let upstream = Upstream::start(move |request| demo.answer(request)).unwrap();
    let mut config = scenario::quick_start();
    config["policy"]["safety-filter"] =
        json!({"action": "block", "apply_to": "output", "block_if": ["project nightfall"]});
    let gateway = with_config(&upstream, &config).start();
    run("openai_responses.py", &gateway);
    let asked =
        upstream.take_requests().iter().filter(|request| request.text().contains("nightfall")).count();
    assert_eq!(asked, 2, "once whole, once streamed");
}

#[test]
fn the_together_sdk_is_redacted_and_refused_unary_and_streaming() {
    run("together_sdk.py", &gateway().1);
}

#[test]
fn the_router_workflow_of_the_cookbook_runs_unchanged() {
    let upstream = demo();
    let mut config = scenario::quick_start();
    // The workflow chooses among models: the target must not choose for it.
    config["providers"]["targets"][0].as_object_mut().unwrap().remove("model");
    let gateway = with_config(&upstream, &config).start();
    let said = run("router_workflow.py", &gateway);
    assert!(said.contains("Selected route:Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8"), "{said}");
    let requests = upstream.take_requests();
    assert_eq!(requests.len(), 2);
    // Key order in a schema steers what the model writes first, and Together takes `schema` beside `type`.
    let classified = requests[0].text();
    let format = classified.split_once("\"response_format\":").expect("the schema reaches the model").1;
    assert!(format.trim_start().starts_with("{\"type\":"), "{format}");
    assert!(format.find("\"route\"").unwrap() < format.find("\"reason\"").unwrap(), "{format}");
    assert_eq!(requests[1].json()["model"], "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8");
}

#[test]
fn the_node_example_with_a_provider_header_runs_as_printed() {
    let upstream = demo();
    // No key and no model in the file: both are the caller's.
    let config = json!({
        "pack": {"name": "noveum", "version": "1.0.0"},
        "policies": {"chain": ["pii-detector", "audit-logger"]},
        "providers": {"targets": [{"id": "main", "provider": "together", "base_url": upstream.base_url()}]},
    });
    let gateway = Setup::new(config.to_string()).env("TOGETHER_API_KEY", "sk-of-the-gateway").start();
    let here = gateway.base_url() + "/";
    let said =
        node("provider_header.ts", &[("http://localhost:3000/v1/", &here)], &gateway, "sk-of-the-caller");
    assert_eq!(said, "You said: What are some fun things to do in New York?\n");
    let seen = upstream.take_requests().remove(0);
    assert_eq!(seen.headers.value("authorization"), Some("Bearer sk-of-the-caller"));
    assert_eq!(seen.json()["model"], "meta-llama/Meta-Llama-3-8B-Instruct-Turbo");
    assert_eq!(seen.headers.value("x-provider"), None);
}

#[test]
fn the_curl_examples_with_a_provider_header_are_served() {
    let upstream = demo();
    let config = json!({
        "pack": {"name": "noveum", "version": "1.0.0"},
        "policies": {"chain": ["audit-logger"]},
        "providers": {"targets": [{"id": "main", "provider": "together", "base_url": upstream.base_url()}]},
    });
    let gateway = Setup::new(config.to_string()).env("TOGETHER_API_KEY", "sk-of-the-gateway").start();
    for stream in ["", r#", "stream": true"#] {
        let body = format!(
            r#"{{"model": "togethercomputer/llama-2-70b-chat", "messages": [{{"role": "user", "content": "Hello!"}}]{stream}}}"#
        );
        let call = Call::post("/v1/chat/completions", &body)
            .header("x-provider", "together")
            .header("authorization", "Bearer tok_caller");
        let reply = gateway.send(&call);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = upstream.take_requests().remove(0);
        // Nothing was found, so nothing was touched.
        assert_eq!(seen.text(), body);
        assert_eq!(seen.headers.value("authorization"), Some("Bearer tok_caller"));
    }
}

#[test]
fn the_node_router_workflow_of_the_cookbook_runs_as_printed() {
    let upstream = demo();
    let mut config = scenario::quick_start();
    config["providers"]["targets"][0].as_object_mut().unwrap().remove("model");
    let gateway = with_config(&upstream, &config).start();
    let said = node("router_workflow.ts", &[], &gateway, "unused");
    assert!(said.contains("Task 3: Write a short story about a dragon and a knight."), "{said}");
    let requests = upstream.take_requests();
    // One call to choose and one to answer for each of three prompts.
    assert_eq!(requests.len(), 6, "{said}");
    for pair in requests.chunks(2) {
        let format = &pair[0].json()["response_format"];
        assert_eq!(
            (&format["type"], format["schema"].is_object()),
            (&json!("json_object"), true),
            "{format}"
        );
        assert_eq!(pair[1].json()["model"], "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8");
    }
}

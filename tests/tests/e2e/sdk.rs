//! The SDKs people use, unchanged but for their base URL. The scripts assert; this starts what they talk to.

use crate::{demo, quick_start, with_config};
use kt_tests::demo::Demo;
use kt_tests::envoy::Gateway;
use kt_tests::repository;
use kt_tests::scenario;
use kt_tests::upstream::Upstream;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// Runs `tests/sdk/<script>` against the gateway; fails with everything it said.
#[track_caller]
pub(crate) fn run(script: &str, gateway: &Gateway) -> String {
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

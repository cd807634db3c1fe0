//! The examples of the pages that this project comes from, on Node and as printed but for the port.
//!
//! The Python ones are in `kt-tests`, beside the SDKs' other tests.

use kt_tests::client::Call;
use kt_tests::demo::Demo;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::Upstream;
use kt_tests::{repository, scenario};
use serde_json::json;
use std::process::Command;

/// A model server that says back what reached it.
fn demo() -> Upstream {
    Upstream::start(|request| Demo::default().answer(request)).unwrap()
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
    let target = &mut config["providers"]["targets"][0];
    // The workflow chooses among models: the target must not choose for it.
    target.as_object_mut().unwrap().remove("model");
    target["base_url"] = json!(upstream.base_url());
    let gateway = Setup::new(config.to_string()).env("TOGETHER_API_KEY", "sk-of-the-gateway").start();
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

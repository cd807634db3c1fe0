//! A target whose host name has no address: the next one serves, from the first request on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use kt_tests::client::Call;
use kt_tests::envoy::Setup;
use kt_tests::upstream::{Answer, Upstream};
use serde_json::json;

fn ok() -> Answer {
    Answer::json(200, r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}"#)
}

#[test]
fn the_next_target_serves_while_a_name_has_no_address() {
    let upstream = Upstream::start(|_| ok()).unwrap();
    for scheme in ["http", "https"] {
        let config = json!({
            "pack": {"name": "address", "version": "1.0.0"},
            "policies": {"chain": ["audit-logger"]},
            "providers": {"strategy": "fallback", "targets": [
                {"id": "gone", "provider": "openai-compatible", "base_url": format!("{scheme}://nowhere.invalid/v1")},
                {"id": "there", "provider": "openai-compatible", "base_url": upstream.base_url()},
            ]},
        });
        let gateway = Setup::new(config.to_string()).start();
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
        for _ in 0..5 {
            let reply = gateway.send(&Call::post("/v1/chat/completions", body.clone()));
            assert_eq!(reply.status, 200, "{scheme}: {}", reply.text());
            assert_eq!(reply.headers.value("x-kt-target"), Some("there"));
            assert_eq!(reply.headers.value("x-kt-attempts"), Some("2"));
        }
        let event = gateway.await_events(5).remove(0);
        assert_eq!(event["tried"][0]["target"], "gone", "{event}");
    }
}

#[test]
fn a_name_that_has_an_address_never_leads_nowhere() {
    let upstream = Upstream::start(|_| ok()).unwrap();
    let named = format!("http://localhost:{}/v1", upstream.address().port());
    let config = json!({
        "pack": {"name": "address", "version": "1.0.0"},
        "policies": {"chain": ["audit-logger"]},
        "providers": {"strategy": "fallback", "targets": [
            {"id": "named", "provider": "openai-compatible", "base_url": named},
            {"id": "other", "provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"},
        ]},
    });
    let gateway = Setup::new(config.to_string()).start();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    for _ in 0..300 {
        let reply = gateway.send(&Call::post("/v1/chat/completions", body.clone()));
        assert_eq!(reply.headers.value("x-kt-attempts"), Some("1"), "{}", reply.text());
    }
}

#[test]
fn a_name_without_an_address_opens_its_breaker() {
    let upstream = Upstream::start(|_| ok()).unwrap();
    let config = json!({
        "pack": {"name": "address", "version": "1.0.0"},
        "policies": {"chain": ["audit-logger"]},
        "providers": {
            "strategy": "fallback",
            "circuit_breaker": {"failure_threshold": 1, "recovery_timeout_seconds": 600, "half_open_requests": 1},
            "targets": [
                {"id": "gone", "provider": "openai-compatible", "base_url": "http://nowhere.invalid/v1"},
                {"id": "there", "provider": "openai-compatible", "base_url": upstream.base_url()},
            ],
        },
    });
    let gateway = Setup::new(config.to_string()).start();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    for attempts in ["2", "1", "1"] {
        let reply = gateway.send(&Call::post("/v1/chat/completions", body.clone()));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.headers.value("x-kt-attempts"), Some(attempts));
    }
}

//! Several targets: the client gets one answer, each upstream only what is its own.

use crate::{ask, chat};
use kt_tests::client::Reply;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::scenario::lanes;
use kt_tests::upstream::{Answer, CLOSED_PORT, Request, Upstream};
use serde_json::{Value, json};

const FIRST_KEY: &str = "sk-first-key";
const SECOND_KEY: &str = "sk-second-key";

/// How the first target fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Refuses,
    Status(u16),
    HangsPastTimeout,
    Resets,
    ModelIsOut,
}

impl Failure {
    fn answer(self) -> Answer {
        match self {
            Failure::Refuses | Failure::Resets => Answer::reset(),
            Failure::Status(status) => Answer::json(status, r#"{"error":{"message":"first"}}"#),
            Failure::HangsPastTimeout => Answer::hang(),
            Failure::ModelIsOut => Answer::json(
                400,
                r#"{"error":{"message":"gone","type":"invalid_request_error","param":null,"code":"model_not_available"}}"#,
            ),
        }
    }
}

struct Pair {
    first: Upstream,
    second: Upstream,
    gateway: Gateway,
}

impl Pair {
    fn start(failure: Failure) -> Pair {
        let first = Upstream::start(move |_| failure.answer()).unwrap();
        let second = Upstream::start(served).unwrap();
        let first_url = match failure {
            Failure::Refuses => format!("http://127.0.0.1:{CLOSED_PORT}/v1"),
            _ => first.base_url(),
        };
        // Another path prefix: the path is the target's too.
        let second_url = format!("http://{}/inference/v1", second.address());
        let config = json!({
            "pack": {"name": "fallback", "version": "1.0.0"},
            "policies": {"chain": ["pii-detector", "audit-logger"]},
            "providers": {
                "strategy": "fallback",
                "targets": [
                    {"id": "first", "provider": "together", "model": "one/a-rather-long-model-name", "base_url": first_url,
                     "secret_key_ref": {"env": "FIRST_KEY"}, "timeout_seconds": 1},
                    {"id": "second", "provider": "openai", "model": "two", "base_url": second_url,
                     "secret_key_ref": {"env": "SECOND_KEY"}, "timeout_seconds": 10},
                ],
            },
        });
        let setup = Setup::new(config.to_string()).env("FIRST_KEY", FIRST_KEY).env("SECOND_KEY", SECOND_KEY);
        Pair { gateway: setup.start(), first, second }
    }
}

fn served(request: &Request) -> Answer {
    if request.json()["stream"] == true {
        return Answer::chunks([
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"from the second\"}}]}\n\n",
            "data: [DONE]\n\n",
        ]);
    }
    let answer = json!({"model": "two", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "from the second"}}]});
    Answer::json(200, &answer.to_string())
}

/// The text of an answer, streamed or not.
fn content(reply: &Reply) -> String {
    let unary = &reply.json()["choices"][0]["message"]["content"];
    unary.as_str().map_or_else(|| lanes(&reply.text()).remove("0.content").unwrap_or_default(), str::to_owned)
}

#[track_caller]
fn check_request(request: &Request, path: &str, model: &str, key: &str) {
    assert_eq!(request.path, path);
    assert_eq!(request.json()["model"], model);
    assert_eq!(request.headers.value("authorization"), Some(format!("Bearer {key}").as_str()));
    let keys: Vec<_> = request.headers.0.iter().filter(|(name, _)| name == "authorization").collect();
    assert_eq!(keys.len(), 1, "one key each");
    assert!(
        request.text().contains("[REDACTED:EMAIL]") && !request.text().contains("alice@"),
        "{}",
        request.text()
    );
}

#[track_caller]
fn check(failure: Failure) {
    let pair = Pair::start(failure);
    for stream in [false, true] {
        let body = json!({"model": "whatever", "stream": stream, "messages": [{"role": "user", "content": "Write to alice@example.com"}]});
        let reply = pair.gateway.send(&ask(body).header("authorization", "Bearer sk-caller"));
        assert_eq!(reply.status, 200, "{failure:?}: {}", reply.text());
        assert_eq!(content(&reply), "from the second", "{}", reply.text());
        assert_eq!(reply.headers.value("x-kt-target"), Some("second"));
        assert_eq!(reply.headers.value("x-kt-attempts"), Some("2"));
        let (first, second) = (pair.first.take_requests(), pair.second.take_requests());
        assert_eq!(second.len(), 1);
        check_request(&second[0], "/inference/v1/chat/completions", "two", SECOND_KEY);
        assert_eq!(first.len(), usize::from(failure != Failure::Refuses));
        for request in first {
            check_request(&request, "/v1/chat/completions", "one/a-rather-long-model-name", FIRST_KEY);
        }
    }
    let event = pair.gateway.await_events(2).pop().unwrap();
    assert_eq!(
        (&event["target"], &event["attempts"], &event["ended"]),
        (&json!("second"), &json!(2), &json!("completed"))
    );
}

#[test]
fn a_target_that_refuses_connections_is_passed_over() {
    check(Failure::Refuses);
}

#[test]
fn a_target_that_answers_503_is_passed_over() {
    check(Failure::Status(503));
}

#[test]
fn a_target_that_is_overloaded_is_passed_over() {
    check(Failure::Status(529));
    check(Failure::Status(429));
}

#[test]
fn a_target_that_hangs_past_its_timeout_is_passed_over() {
    check(Failure::HangsPastTimeout);
}

#[test]
fn a_target_that_resets_is_passed_over() {
    check(Failure::Resets);
}

#[test]
fn a_target_whose_model_is_gone_is_passed_over() {
    check(Failure::ModelIsOut);
}

#[test]
fn a_clients_own_mistake_is_returned_at_once() {
    let pair = Pair::start(Failure::Status(422));
    let reply = pair.gateway.send(&chat("alice@example.com"));
    assert_eq!((reply.status, reply.text().as_str()), (422, r#"{"error":{"message":"first"}}"#));
    assert_eq!(reply.headers.value("x-kt-target"), Some("first"));
    assert!(pair.second.requests().is_empty());
}

#[test]
fn a_request_for_the_second_targets_model_goes_there_first() {
    let pair = Pair::start(Failure::Status(503));
    for model in ["two", "second"] {
        let reply = pair.gateway.send(&ask(
            json!({"model": model, "messages": [{"role": "user", "content": "alice@example.com"}]}),
        ));
        assert_eq!((reply.status, reply.headers.value("x-kt-attempts")), (200, Some("1")), "{model}");
        check_request(&pair.second.take_requests()[0], "/inference/v1/chat/completions", "two", SECOND_KEY);
    }
    assert!(pair.first.requests().is_empty());
}

#[test]
fn a_named_provider_is_the_only_candidate() {
    let pair = Pair::start(Failure::Status(503));
    let reply = pair.gateway.send(&chat("alice@example.com").header("x-provider", "together"));
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(pair.second.requests().is_empty());
}

#[test]
fn when_every_target_fails_the_client_gets_one_error_in_the_usual_shape() {
    let pair = Pair::start(Failure::HangsPastTimeout);
    pair.second.script(|_| Answer::reset());
    let reply = pair.gateway.send(&chat("alice@example.com"));
    assert!([502, 504].contains(&reply.status), "{}", reply.status);
    let error = &reply.json()["error"];
    assert!(
        ["upstream_unavailable", "upstream_timeout"].map(Value::from).contains(&error["code"]),
        "{}",
        reply.text()
    );
    assert!(error["message"].is_string() && error["param"].is_null());
}

#[test]
fn nothing_is_retried_once_a_byte_has_left() {
    let pair = Pair::start(Failure::Status(503));
    pair.first.script(|_| {
        Answer::chunks([
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"from the first \"}}]}\n\n",
        ])
        .step(kt_tests::upstream::Step::Cut)
    });
    let reply = pair
        .gateway
        .send(&ask(json!({"stream": true, "messages": [{"role": "user", "content": "alice@example.com"}]})));
    assert!(!reply.text().contains("from the second"));
    assert!(pair.second.requests().is_empty());
}

#[test]
fn the_callers_own_key_reaches_only_the_target_that_wants_it() {
    let first = Upstream::start(|_| Answer::json(503, "{}")).unwrap();
    let second = Upstream::start(served).unwrap();
    let config = json!({
        "pack": {"name": "own-key", "version": "1.0.0"},
        "policies": {"chain": ["audit-logger"]},
        "providers": {"strategy": "fallback", "targets": [
            {"id": "first", "provider": "together", "model": "one", "base_url": first.base_url(), "secret_key_ref": {"env": "FIRST_KEY"}},
            {"id": "second", "provider": "openai", "model": "two", "base_url": second.base_url(), "secret_key_ref": {"client": true}},
        ]},
    });
    let gateway = Setup::new(config.to_string()).env("FIRST_KEY", FIRST_KEY).start();
    assert_eq!(gateway.send(&chat("Hello").header("authorization", "Bearer sk-caller")).status, 200);
    assert_eq!(first.take_requests()[0].headers.value("authorization"), Some("Bearer sk-first-key"));
    assert_eq!(second.take_requests()[0].headers.value("authorization"), Some("Bearer sk-caller"));
    // Without a key of the caller's own, the first target's must not take its place.
    assert_eq!(gateway.send(&chat("Hello")).status, 200);
    assert_eq!(second.take_requests()[0].headers.value("authorization"), None);
}

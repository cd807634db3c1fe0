//! What the events of a scripted day say it cost, streams that were cut included, against the sum made by hand.

use crate::ask;
use kt_tests::client::Call;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::repository;
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::process::Command;

const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello, \"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const COUNTS: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// The counts of `/v1/responses`, some of its input cached and some of its output thought.
fn response() -> Value {
    let usage = json!({"input_tokens": 333, "input_tokens_details": {"cached_tokens": 128}, "output_tokens": 77,
        "output_tokens_details": {"reasoning_tokens": 64}, "total_tokens": 410});
    let text = json!({"type": "output_text", "text": "Hi", "annotations": []});
    let message =
        json!({"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [text]});
    json!({"id": "r1", "object": "response", "status": "completed", "model": "m", "output": [message], "usage": usage})
}

/// An upstream that counts a stream only for who asks, as OpenAI does.
fn served(request: &Request) -> Answer {
    let body = request.json();
    match (request.path.as_str(), body["stream"].as_bool()) {
        ("/v1/responses", Some(true)) => {
            let event = json!({"type": "response.completed", "sequence_number": 1, "response": response()});
            return Answer::chunks([format!("event: response.completed\ndata: {event}\n\n")]);
        }
        ("/v1/responses", _) => return Answer::json(200, &response().to_string()),
        ("/v1/completions", _) => {
            // Reasoning is in the total alone.
            let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 19});
            let choice = json!({"index": 0, "text": "Hi", "finish_reason": "stop"});
            return Answer::json(200, &json!({"choices": [choice], "usage": usage}).to_string());
        }
        ("/v1/embeddings", _) => {
            let usage = json!({"prompt_tokens": 11, "total_tokens": 11});
            return Answer::json(200, &json!({"object": "list", "data": [], "usage": usage}).to_string());
        }
        _ => {}
    }
    let is_asked = body["stream_options"]["include_usage"] == true;
    match (body["messages"][0]["content"].as_str(), body["stream"].as_bool()) {
        (Some("hang on"), _) => Answer::chunks([HELLO, HELLO]).step(Step::Hang),
        (Some("fail"), _) => Answer::json(400, "{\"error\":{\"message\":\"no\"}}"),
        (_, Some(true)) if is_asked => Answer::chunks([HELLO, STOP, COUNTS, DONE]),
        (_, Some(true)) => Answer::chunks([HELLO, STOP, DONE]),
        _ => Answer::json(
            200,
            &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 900}}})
            .to_string(),
        ),
    }
}

fn start(chain: &[&str], upstream: &Upstream) -> Gateway {
    let config = json!({
        "pack": {"name": "cost", "version": "1.0.0"},
        "policies": {"chain": chain},
        "providers": {"targets": [{
            "id": "priced", "provider": "openai-compatible", "base_url": upstream.base_url(),
            "secret_key_ref": {"env": "KEY"}, "pricing": {"prompt": 2.5, "completion": 10, "cached": 1.25},
        }]},
    });
    Setup::new(config.to_string()).env("KEY", "sk-cost").workers(2).start()
}

fn call(text: &str, stream: bool) -> Call {
    ask(json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}))
}

#[test]
fn the_events_of_a_day_sum_up_to_what_it_cost() {
    for chain in [&["audit-logger"][..], &["pii-detector", "audit-logger"]] {
        let upstream = Upstream::start(served).unwrap();
        let gateway = start(chain, &upstream);
        for _ in 0..20 {
            let whole = gateway.send(&call("Hello", false));
            assert_eq!(whole.status, 200);
            let streamed = gateway.send(&call("Hello", true));
            // The counts were asked for, and are not for the client.
            assert_eq!(streamed.text(), [HELLO, STOP, DONE].concat());
            assert_eq!(gateway.send(&call("fail", false)).status, 400);
            for (path, stream) in [
                ("/v1/responses", false),
                ("/v1/responses", true),
                ("/v1/completions", false),
                ("/v1/embeddings", false),
            ] {
                let said = if path == "/v1/completions" { "prompt" } else { "input" };
                let body = json!({"model": "m", said: "Hello", "stream": stream});
                assert_eq!(gateway.send(&Call::post(path, body.to_string())).status, 200, "{path}");
            }
            let mut cut = gateway.open(&call("hang on", true));
            let mut got = Vec::new();
            while got.len() < 2 * HELLO.len() {
                got.extend(cut.piece().unwrap().unwrap());
            }
        }
        let events = gateway.await_events(160);
        let of =
            |complete: Value| events.iter().filter(|event| event["usage"]["complete"] == complete).count();
        assert_eq!((of(json!(true)), of(json!(false)), of(Value::Null)), (120, 20, 20));
        let path = repository::target().join("gateways").join(format!("cost-{}.log", std::process::id()));
        std::fs::write(&path, gateway.access_log()).unwrap();
        let mut report = Command::new(repository::kt_control().unwrap());
        let report = report.args(["audit", "report", "--json"]).arg(&path).output().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        std::fs::remove_file(&path).unwrap();
        // In 10^-6 USD, with 2.50 for a million tokens in, 1.25 cached and 10.00 out:
        // Whole: 100 x 2.50 + 900 x 1.25 + 10 x 10.00 = 1475. Streamed: 9 x 2.50 + 4 x 10.00 = 62.5. Cut: "hang on" is 2 tokens
        // and twice "Hello, " is 4, so 2 x 2.50 + 4 x 10.00 = 45. Refused by the provider: nothing.
        // Responses, whole and streamed: 205 x 2.50 + 128 x 1.25 + 77 x 10.00 = 1442.5 each.
        // Completion: 7 x 2.50 + 12 x 10.00 = 137.5. Embedding: 11 x 2.50 = 27.5.
        // 20 x (1475 + 62.5 + 45 + 2 x 1442.5 + 137.5 + 27.5) = 92650.
        assert_eq!(report["total"]["cost_usd"], "0.09265", "{report}");
        assert_eq!(report["by"]["target"]["priced"]["cost_usd"], "0.09265");
        assert_eq!(report["total"]["estimated"], 20);
    }
}

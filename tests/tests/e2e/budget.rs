//! Budgets over workers and clients: what is spent, how a stream ends, what a refused client is told.

use crate::ask;
use kt_tests::client::{self, Call};
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// 9 tokens in, 10 out; or a stream that says 100 bytes at a time, without end.
fn served(request: &Request) -> Answer {
    if request.json()["stream"] == true {
        let text = "word ".repeat(20);
        let event = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        let said = (0..2000).fold(Answer::chunks([""; 0]), |answer, _| {
            answer.bytes(format!("data: {event}\n\n")).step(Step::Wait(Duration::from_millis(1)))
        });
        return said.step(Step::Hang);
    }
    let message = json!({"role": "assistant", "content": "Hi"});
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 10});
    Answer::json(200, &json!({"choices": [{"index": 0, "message": message}], "usage": usage}).to_string())
}

fn start(upstream: &Upstream, mode: &str, limits: &Value) -> Gateway {
    let config = json!({
        "pack": {"name": "budget", "version": "1.0.0"},
        "policies": {"chain": [{"budget-enforcement": {"mode": mode}}, "audit-logger"]},
        "policy": {"budget-enforcement": {"limits": limits}},
        "providers": {"targets": [{
            "id": "main", "provider": "openai-compatible", "base_url": upstream.base_url(),
            "secret_key_ref": {"env": "KEY"}, "pricing": {"prompt": 1, "completion": 2},
        }]},
    });
    Setup::new(config.to_string()).env("KEY", "sk-budget").workers(2).start()
}

fn call(stream: bool) -> Call {
    let message = json!({"role": "user", "content": "Hello, you."});
    ask(
        json!({"model": "m", "stream": stream, "max_tokens": if stream { 100_000 } else { 10 }, "messages": [message]}),
    )
}

/// Clients that ask until they are refused; how many answers they got.
fn storm(gateway: &Gateway, clients: usize, call: &Call) -> usize {
    let address = gateway.address();
    thread::scope(|scope| {
        let client = || {
            let mut answers = 0;
            loop {
                match client::send(address, call).unwrap().status {
                    200 => answers += 1,
                    402 => return answers,
                    other => panic!("status {other}"),
                }
            }
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

#[test]
fn eight_clients_and_two_workers_spend_no_more_than_there_is() {
    let upstream = Upstream::start(served).unwrap();
    let gateway =
        start(&upstream, "enforce", &json!([{"scope": "global", "tokens": 3000, "window": "month"}]));
    let answers = storm(&gateway, 8, &call(false));
    // Each reserves 3 + 10 tokens and costs 19. The bound: what each request on its way costs beyond its reservation, 8 x 6.
    let spent = answers * 19;
    assert!(spent <= 3000 + 8 * 6, "{spent} tokens");
    // And not less than what is left when all eight have reserved.
    assert!(spent >= 3000 - 8 * 13, "{spent} tokens");
    assert_eq!(upstream.requests().len(), answers);
    let refused = gateway.send(&call(false));
    let error = refused.json()["error"].clone();
    assert_eq!(
        (refused.status, &error["code"], &error["type"]),
        (402, &json!("budget_exceeded"), &json!("budget_exceeded"))
    );
    let reset = refused.headers.value("x-kt-budget-reset").unwrap().to_owned();
    assert!(
        reset.ends_with("-01T00:00:00.000Z") && error["message"].as_str().unwrap().contains(&reset),
        "{error}"
    );
    assert!(refused.headers.value("retry-after").unwrap().parse::<u64>().unwrap() <= 31 * 86_400);
    assert_eq!(refused.headers.value("x-kt-reason"), Some("budget-enforcement.global_tokens"));
    let events = gateway.await_events(answers + 9);
    let blocked = |event: &&Value| event["error_code"] == "budget_exceeded" && event["ended"] == "blocked";
    assert_eq!(events.iter().filter(blocked).count(), 9);
}

#[test]
fn a_stream_is_stopped_when_its_budget_is_gone() {
    let upstream = Upstream::start(served).unwrap();
    // 1 x 3 tokens in and 2 x 1000 out make 0.002003 USD.
    let limits = json!([{"scope": "caller", "usd": 0.002, "window": "month"}]);
    let gateway = start(&upstream, "enforce", &limits);
    let one = call(true).header("authorization", "Bearer one");
    let reply = gateway.send(&one);
    let text = reply.text();
    let said = text.matches("word ").count() * 5;
    // Reserved by 256 tokens, of four bytes each, of which three fit.
    assert!((2900..=3 * 1024).contains(&said), "{said} bytes");
    let mut events = text.trim_end().rsplit("\n\n");
    assert_eq!(events.next(), Some("data: [DONE]"));
    let error: Value = serde_json::from_str(events.next().unwrap().trim_start_matches("data: ")).unwrap();
    assert_eq!(error["error"]["code"], "budget_exceeded");
    let late = Instant::now() + Duration::from_secs(5);
    while upstream.abandoned() == 0 {
        assert!(Instant::now() < late, "the upstream goes on");
        thread::sleep(Duration::from_millis(10));
    }
    // There is something left, not enough for a step. Another caller has a budget of their own.
    assert_eq!(gateway.send(&one).status, 402);
    assert_eq!(gateway.send(&call(false).header("authorization", "Bearer two")).status, 200);
    let events = gateway.await_events(3);
    assert_eq!((&events[0]["ended"], &events[0]["usage"]["complete"]), (&json!("blocked"), &json!(false)));
    assert!(events[0]["cost_usd"].as_f64().unwrap() <= 0.002, "{}", events[0]);
}

#[test]
fn the_openai_sdk_sees_a_stream_end_with_an_error_and_a_refusal_that_it_does_not_repeat() {
    let upstream = Upstream::start(served).unwrap();
    let gateway = start(&upstream, "enforce", &json!([{"scope": "caller", "usd": 0.002, "window": "month"}]));
    crate::sdk::run("openai_budget.py", &gateway);
    // One of the three went on its way, and none a second time.
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.await_events(3).len(), 3);
}

#[test]
fn a_shadow_budget_only_says_what_it_would_do() {
    let upstream = Upstream::start(served).unwrap();
    let gateway = start(&upstream, "shadow", &json!([{"scope": "model", "tokens": 20, "window": "month"}]));
    for _ in 0..3 {
        assert_eq!(gateway.send(&call(false)).status, 200);
    }
    let events = gateway.await_events(3);
    let found = |event: &Value| event["findings"][0]["reason"] == "budget-enforcement.model_tokens";
    assert_eq!(events.iter().map(found).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(events[2]["verdict"], "allow");
}

//! Every strategy against every way a target can fail: who is tried, in which order, and what each upstream gets to see.
//!
//! One gateway per strategy and protocol serves all cases. The first target is the one that fails.

use crate::ask;
use crate::front::{Authority, Door, Front, Protocol, seen};
use kt_tests::client::Reply;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CALLERS_KEY: &str = "sk-caller";
const CALLERS_MODEL: &str = "callers/model";

/// What makes a target slower than another beyond doubt.
const LATER: Duration = Duration::from_millis(30);

/// Limit of one attempt, and of a connection, at the target that fails.
const SECONDS: u64 = 1;

/// The same for targets that do not fail.
const PATIENCE_SECONDS: u64 = 20;

/// What every target has of its own.
struct Target {
    id: &'static str,
    provider: &'static str,
    model: Option<&'static str>,
    prefix: &'static str,
    key: &'static str,
    /// Of a million tokens; the order of prices is not that of the file.
    price: f64,
}

const TARGETS: [Target; 3] = [
    Target {
        id: "first",
        provider: "together",
        model: Some("one/a-rather-long-model-name"),
        prefix: "/v1",
        key: "sk-first",
        price: 0.1,
    },
    Target {
        id: "second",
        provider: "openai",
        model: Some("two"),
        prefix: "/inference/v1",
        key: "sk-second",
        price: 0.9,
    },
    Target {
        id: "third",
        provider: "openai-compatible",
        model: None,
        prefix: "/openai/v1",
        key: CALLERS_KEY,
        price: 0.5,
    },
];

/// What the first target does.
enum Fault {
    Door(Door),
    Answers(fn() -> Answer),
}

/// What has to come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Another target serves.
    MovesOn,
    /// The client gets this answer.
    Returns(u16),
}

struct Case {
    name: &'static str,
    stream: bool,
    fault: Fault,
    outcome: Outcome,
}

const fn answers(name: &'static str, answer: fn() -> Answer, outcome: Outcome) -> Case {
    Case { name, stream: false, fault: Fault::Answers(answer), outcome }
}

fn status(status: u16) -> Answer {
    Answer::json(status, r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#)
}

fn with_code(status: u16, code: &str) -> Answer {
    Answer::json(
        status,
        &json!({"error": {"message": "no", "type": "x", "param": null, "code": code}}).to_string(),
    )
}

/// The same in chunks.
fn in_pieces(status: u16, code: &str) -> Answer {
    let body = json!({"error": {"message": "no", "type": "x", "param": null, "code": code}}).to_string();
    let (start, end) = body.split_at(body.len() / 2);
    Answer::status(status).header("content-type", "application/json").bytes(start).bytes(end)
}

const CASES: &[Case] = &[
    Case {
        name: "connect refused",
        stream: false,
        fault: Fault::Door(Door::Refuses),
        outcome: Outcome::MovesOn,
    },
    Case {
        name: "connect timeout",
        stream: false,
        fault: Fault::Door(Door::Stalls),
        outcome: Outcome::MovesOn,
    },
    Case {
        name: "TLS failure",
        stream: false,
        fault: Fault::Door(Door::WrongHost),
        outcome: Outcome::MovesOn,
    },
    answers("reset before headers", Answer::reset, Outcome::MovesOn),
    answers("429", || status(429), Outcome::MovesOn),
    answers("429 with Retry-After", || status(429).header("retry-after", "7"), Outcome::MovesOn),
    answers(
        "429 with a date to retry after",
        || status(429).header("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"),
        Outcome::MovesOn,
    ),
    answers("500", || status(500), Outcome::MovesOn),
    answers("502", || status(502), Outcome::MovesOn),
    answers("503", || status(503), Outcome::MovesOn),
    answers("504", || status(504), Outcome::MovesOn),
    answers("529", || status(529), Outcome::MovesOn),
    answers("402", || status(402), Outcome::MovesOn),
    answers("400 model_not_available", || with_code(400, "model_not_available"), Outcome::MovesOn),
    answers("404 model_not_found", || with_code(404, "model_not_found"), Outcome::MovesOn),
    answers("429 insufficient_quota", || with_code(429, "insufficient_quota"), Outcome::MovesOn),
    Case {
        name: "200 and an error in the first event",
        stream: true,
        fault: Fault::Answers(|| {
            let event = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":\"overloaded\"}}\n\n";
            Answer::chunks([event]).step(Step::Hang)
        }),
        outcome: Outcome::MovesOn,
    },
    // Over HTTP/2 these end in trailers, so that no piece of the body is the last one.
    answers("503 and trailers", || in_pieces(503, "x").trailer("x-sum", "1"), Outcome::MovesOn),
    answers(
        "400 model_not_available and trailers",
        || in_pieces(400, "model_not_available").trailer("x-sum", "1"),
        Outcome::MovesOn,
    ),
    answers(
        "400 and trailers",
        || in_pieces(400, "invalid_request").trailer("x-sum", "1"),
        Outcome::Returns(400),
    ),
    Case {
        name: "200, an error in the first event and trailers",
        stream: true,
        fault: Fault::Answers(|| {
            // Without the empty line the event ends with the body.
            let event = "data: {\"error\":{\"message\":\"overloaded\",\"code\":\"overloaded\"}}";
            Answer::chunks([event]).trailer("x-sum", "1")
        }),
        outcome: Outcome::MovesOn,
    },
    answers("hang", Answer::hang, Outcome::MovesOn),
    Case {
        name: "hang of a stream",
        stream: true,
        fault: Fault::Answers(Answer::hang),
        outcome: Outcome::MovesOn,
    },
    answers("400", || with_code(400, "invalid_request"), Outcome::Returns(400)),
    answers("401", || status(401), Outcome::Returns(401)),
    answers("422", || status(422), Outcome::Returns(422)),
];

/// The order in which a strategy tries the targets when it begins with the first.
fn order(strategy: &str) -> &'static [&'static [usize]] {
    match strategy {
        "single" => &[&[0]],
        "fallback" => &[&[0, 1]],
        // By price.
        "lowest_cost" => &[&[0, 2]],
        // Whoever's turn it is, or whoever was faster.
        _ => &[&[0, 1], &[0, 2]],
    }
}

fn served(request: &Request) -> Answer {
    if request.json()["stream"] == true {
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"served\"}}]}\n\n";
        return Answer::chunks([event, "data: [DONE]\n\n"]);
    }
    let message = json!({"role": "assistant", "content": "served"});
    Answer::json(
        200,
        &json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}).to_string(),
    )
}

/// The same a little later, so that the first target is the fastest.
fn served_later(request: &Request) -> Answer {
    std::thread::sleep(LATER);
    served(request)
}

struct Table {
    fronts: Vec<Front>,
    gateway: Gateway,
    protocol: Protocol,
    orders: &'static [&'static [usize]],
}

impl Table {
    fn start(strategy: &str, protocol: Protocol) -> Table {
        let authority = Authority::new();
        let fronts: Vec<Front> = TARGETS
            .iter()
            .map(|target| {
                let host = format!("{}.localhost", target.id);
                let script = if target.id == TARGETS[0].id { served } else { served_later };
                Front::start(Upstream::start(script).unwrap(), &authority, &host, protocol)
            })
            .collect();
        let targets: Vec<Value> = TARGETS.iter().zip(&fronts).enumerate().map(|(i, (target, front))| {
            // On a busy machine a healthy target must not run into the limit that is meant for the failing one.
            let seconds = if i == 0 { SECONDS } else { PATIENCE_SECONDS };
            let mut json = json!({
                "id": target.id, "provider": target.provider, "base_url": format!("{}{}", front.origin(), target.prefix),
                "timeout_seconds": seconds, "stream_timeout_seconds": seconds + 1, "connect_timeout_seconds": seconds,
                "secret_key_ref": match target.key { CALLERS_KEY => json!({"client": true}), _ => json!({"env": format!("KEY_{i}")}) },
                "pricing": {"prompt": target.price, "completion": target.price},
            });
            if let Some(model) = target.model {
                json["model"] = json!(model);
            }
            json
        }).collect();
        let config = json!({
            "pack": {"name": "table", "version": "1.0.0"},
            "policies": {"chain": ["pii-detector", "audit-logger"]},
            "providers": {"strategy": strategy, "retry": {"backoff": {"base_ms": 10, "max_ms": 50}}, "targets": targets},
        });
        let mut setup = Setup::new(config.to_string()).ca_file(authority.file(strategy));
        for (i, target) in TARGETS.iter().enumerate() {
            setup = setup.env(&format!("KEY_{i}"), target.key);
        }
        Table { fronts, gateway: setup.start(), protocol, orders: order(strategy) }
    }

    fn ask(&self, stream: bool) -> Reply {
        let messages = json!([{"role": "user", "content": "Write to alice@example.com"}]);
        let call = ask(&json!({"model": CALLERS_MODEL, "stream": stream, "messages": messages}));
        // What a client says of its patience, or of Envoy's, changes nothing.
        let call = call
            .header("x-stainless-read-timeout", "600")
            .header("x-envoy-upstream-rq-timeout-ms", "600000")
            .header("x-envoy-max-retries", "0");
        self.gateway.send(&call.header("authorization", format!("Bearer {CALLERS_KEY}")))
    }

    /// The requests that arrived anywhere, in order, each with the position of its target.
    fn arrived(&self) -> Vec<(usize, Request)> {
        let taken = self.fronts.iter().enumerate();
        let mut all: Vec<_> = taken
            .flat_map(|(i, front)| front.upstream.take_requests().into_iter().map(move |r| (i, r)))
            .collect();
        all.sort_by_key(|(_, request)| request.at);
        all
    }

    /// Asks until a request goes to the first target first: some strategies share requests out.
    fn reach_first(&self, case: &Case) -> (Reply, Vec<(usize, Request)>, Duration) {
        for _ in 0..200 {
            let started = Instant::now();
            let reply = self.ask(case.stream);
            let (took, arrived) = (started.elapsed(), self.arrived());
            let is_untouched = arrived.first().is_some_and(|(i, _)| *i != 0)
                && reply.headers.value("x-kt-attempts") == Some("1");
            if !is_untouched {
                return (reply, arrived, took);
            }
        }
        panic!("{}: no request went to the first target", case.name);
    }

    /// Waits until Envoy has noticed that connections ended, so that the next case does not begin on one of them.
    fn await_quiet(&self) {
        let late = Instant::now() + Duration::from_secs(5);
        let busy = |line: &&str| line.contains("upstream_rq_active") && !line.ends_with(": 0");
        while self.gateway.admin("/stats?filter=cluster.kt_first").lines().any(|line| busy(&line)) {
            assert!(Instant::now() < late, "an attempt did not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn check(&self, case: &Case) {
        let front = &self.fronts[0];
        match &case.fault {
            Fault::Door(door) => front.set(*door),
            Fault::Answers(answer) => {
                let answer = *answer;
                front.upstream.script(move |_| answer());
            }
        }
        let (reply, arrived, took) = self.reach_first(case);
        let name = format!("{} over {:?}", case.name, self.protocol);
        let has_reached = !matches!(case.fault, Fault::Door(_));
        let tried: Vec<usize> = arrived.iter().map(|(i, _)| *i).collect();
        let alone = self.orders == [&[0][..]];
        let moved = case.outcome == Outcome::MovesOn && !alone;
        let expected: Vec<Vec<usize>> = match moved {
            true => self.orders.iter().map(|order| order[usize::from(!has_reached)..].to_vec()).collect(),
            false => vec![if has_reached { vec![0] } else { vec![] }],
        };
        assert!(
            expected.contains(&tried),
            "{name}: tried {tried:?}, expected one of {expected:?}: {}",
            reply.text()
        );
        for (i, request) in &arrived {
            self.check_request(&name, *i, request);
        }
        let attempts = if moved { "2" } else { "1" };
        match case.outcome {
            Outcome::MovesOn if !alone => {
                assert_eq!(reply.status, 200, "{name}: {}", reply.text());
                assert!(reply.text().contains("served"), "{name}: {}", reply.text());
                assert_eq!(
                    reply.headers.value("x-kt-target"),
                    tried.last().map(|i| TARGETS[*i].id),
                    "{name}"
                );
                assert_eq!(reply.headers.value("x-kt-attempts"), Some(attempts), "{name}");
                // Nothing is waited for where another target is next.
                let limit = if case.stream { SECONDS + 1 } else { SECONDS };
                assert!(took < Duration::from_secs(limit + 5), "{name}: took {took:?}");
            }
            Outcome::MovesOn => assert!(reply.status >= 400 || case.stream, "{name}: {}", reply.status),
            Outcome::Returns(status) => {
                assert_eq!(reply.status, status, "{name}: {}", reply.text());
                assert_eq!(reply.headers.value("x-kt-attempts"), Some("1"), "{name}");
            }
        }
        if !has_reached {
            front.set(Door::Open);
        }
        front.upstream.script(served);
        self.await_quiet();
        self.arrived();
    }

    fn check_request(&self, name: &str, i: usize, request: &Request) {
        let (target, front) = (&TARGETS[i], &self.fronts[i]);
        let name = format!("{name}, at {}", target.id);
        assert_eq!(request.path, format!("{}/chat/completions", target.prefix), "{name}");
        assert_eq!(request.json()["model"], target.model.unwrap_or(CALLERS_MODEL), "{name}");
        let keys: Vec<_> = request.headers.0.iter().filter(|(name, _)| name == "authorization").collect();
        assert_eq!(keys, [&("authorization".to_owned(), format!("Bearer {}", target.key))], "{name}");
        let (protocol, server_name, authority) = seen(request);
        assert_eq!(protocol, Some(self.protocol.version()), "{name}");
        assert_eq!(server_name, front.server_name(), "{name}");
        assert_eq!(authority, Some(front.authority().as_str()), "{name}");
        let text = request.text();
        assert!(text.contains("[REDACTED:EMAIL]") && !text.contains("alice@"), "{name}: {text}");
    }
}

#[track_caller]
fn check(strategy: &str) {
    for protocol in [Protocol::Http1, Protocol::Http1OverTls, Protocol::Http2OverTls] {
        let table = Table::start(strategy, protocol);
        for case in CASES {
            let needs_tls = matches!(case.fault, Fault::Door(Door::WrongHost));
            if protocol.has_tls() || !needs_tls {
                table.check(case);
            }
        }
    }
}

#[test]
fn single_tries_only_the_first_target_whatever_happens() {
    check("single");
}

#[test]
fn fallback_goes_on_in_the_order_of_the_file() {
    check("fallback");
}

#[test]
fn lowest_cost_goes_on_in_the_order_of_prices() {
    check("lowest_cost");
}

#[test]
fn weighted_round_robin_goes_on_from_whoevers_turn_it_is() {
    check("weighted_round_robin");
}

#[test]
fn latency_goes_on_from_whoever_was_fastest() {
    check("latency");
}

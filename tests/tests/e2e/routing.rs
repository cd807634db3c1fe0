//! Which target serves: strategies, breakers, probes and answers that send a request on, through the real Envoy.

use crate::{ask, chat};
use kt_tests::client::{self, Call, Reply};
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::{Answer, Gate, Request, Step, Upstream};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const FIRST_KEY: &str = "sk-routing-first";

/// Upstreams `t0`, `t1`, ... and a gateway in front of them.
struct Fleet {
    upstreams: Vec<Upstream>,
    gateway: Gateway,
}

impl Fleet {
    /// `providers` without its targets, and what each target has beside its id and address.
    fn start(workers: u32, providers: &Value, targets: &[Value]) -> Fleet {
        let upstreams: Vec<Upstream> = targets.iter().map(|_| Upstream::start(served).unwrap()).collect();
        let address = |number: usize| upstreams[number].base_url();
        let mut config = json!({
            "pack": {"name": "routing", "version": "1.0.0"},
            "policies": {"chain": ["audit-logger"]},
            "providers": providers,
        });
        let target = |(number, extra): (usize, &Value)| {
            let key = if number == 0 { json!({"env": "FIRST_KEY"}) } else { Value::Null };
            let mut target = json!({
                "id": format!("t{number}"), "provider": "openai-compatible", "base_url": address(number),
                "secret_key_ref": key, "model": format!("m{number}"),
            });
            let target_map = target.as_object_mut().unwrap();
            target_map.extend(extra.as_object().unwrap().clone());
            target_map.retain(|_, value| !value.is_null());
            target
        };
        config["providers"]["targets"] = targets.iter().enumerate().map(target).collect();
        let setup = Setup::new(config.to_string()).env("FIRST_KEY", FIRST_KEY).workers(workers);
        Fleet { gateway: setup.start(), upstreams }
    }

    /// How many requests each upstream got since the last time, health probes aside.
    fn served(&self) -> Vec<usize> {
        let asked = |upstream: &Upstream| {
            upstream.take_requests().iter().filter(|request| request.method == "POST").count()
        };
        self.upstreams.iter().map(asked).collect()
    }

    #[track_caller]
    fn ok(&self, call: &Call) -> Reply {
        let reply = self.gateway.send(call);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    }

    /// Sends so many requests from so many clients; every answer has to be good.
    #[track_caller]
    fn storm(&self, clients: usize, each: usize) {
        let address = self.gateway.address();
        let bad: usize = thread::scope(|scope| {
            let client =
                || (0..each).filter(|_| client::send(address, &chat("Hi")).unwrap().status != 200).count();
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(bad, 0, "answers that are not 200");
    }

    /// A number in Envoy's Prometheus page; 0 if it is not there.
    fn metric(&self, series: &str) -> u64 {
        let page = self.gateway.admin("/stats/prometheus");
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or(0)
    }
}

fn served(request: &Request) -> Answer {
    if request.method == "GET" {
        return Answer::json(200, r#"{"object":"list","data":[]}"#);
    }
    if request.json()["stream"] == true {
        return Answer::chunks([FINE, "data: [DONE]\n\n"]);
    }
    Answer::json(200, r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}"#)
}

const FINE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"}}]}\n\n";

fn failing(status: u16) -> impl Fn(&Request) -> Answer {
    move |_| Answer::json(status, r#"{"error":{"message":"down","code":"down"}}"#)
}

fn weighted() -> [Value; 3] {
    [json!({"weight": 5}), json!({"weight": 3}), json!({"weight": 2})]
}

#[test]
fn weights_are_exact_over_workers_and_clients() {
    let fleet = Fleet::start(2, &json!({"strategy": "weighted_round_robin"}), &weighted());
    fleet.storm(8, 250);
    assert_eq!(fleet.served(), [1000, 600, 400]);
    // Without a breaker the second is asked in its turn, and what it fails goes to the others by weight.
    fleet.upstreams[1].script(failing(503));
    fleet.storm(8, 125);
    assert_eq!(fleet.served(), [500 + 214, 300, 200 + 86]);
}

#[test]
fn with_one_target_open_the_others_keep_their_proportion() {
    let providers = json!({
        "strategy": "weighted_round_robin",
        "circuit_breaker": {"failure_threshold": 3, "recovery_timeout_seconds": 600, "half_open_requests": 1},
    });
    let fleet = Fleet::start(2, &providers, &weighted());
    fleet.upstreams[1].script(failing(503));
    for _ in 0..12 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served()[1], 3);
    fleet.storm(8, 70);
    let [first, second, third] = fleet.served()[..] else { panic!() };
    assert_eq!((first + third, second), (560, 0));
    assert!(first.abs_diff(400) <= 3, "{first} of 560");
}

fn fragile() -> Value {
    json!({
        "strategy": "fallback",
        "circuit_breaker": {"failure_threshold": 3, "recovery_timeout_seconds": 2, "half_open_requests": 2},
    })
}

#[test]
fn a_breaker_opens_at_its_threshold_and_half_opens_for_exactly_its_probes() {
    let fleet = Fleet::start(2, &fragile(), &[json!({}), json!({})]);
    fleet.upstreams[0].script(failing(503));
    for _ in 0..10 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served(), [3, 10]);
    assert_eq!(fleet.metric("kt_target_breaker_state{target=\"t0\"}"), 2);
    assert_eq!(fleet.metric("kt_target_attempts_total{target=\"t0\",outcome=\"failed\"}"), 3);

    // Twenty at once: two of them probe, and the others do not wait for them.
    thread::sleep(Duration::from_millis(2100));
    let gate = Gate::new();
    let held = gate.clone();
    fleet.upstreams[0].script(move |_| {
        Answer::status(200)
            .header("content-type", "application/json")
            .step(Step::Gate(held.clone()))
            .bytes("{}")
    });
    let address = fleet.gateway.address();
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let done = done.clone();
            thread::spawn(move || {
                let reply = client::send(address, &chat("Hi")).unwrap();
                done.fetch_add(1, Ordering::SeqCst);
                reply.status
            })
        })
        .collect();
    await_that(|| done.load(Ordering::SeqCst) == 18);
    assert_eq!(fleet.metric("kt_target_breaker_state{target=\"t0\"}"), 1);
    gate.open();
    assert!(clients.into_iter().all(|client| client.join().unwrap() == 200));
    assert_eq!(fleet.served(), [2, 18]);

    // Both were good, so it is closed.
    await_that(|| fleet.metric("kt_target_breaker_state{target=\"t0\"}") == 0);
    for _ in 0..3 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served(), [3, 0]);
}

#[test]
fn a_probe_that_its_client_calls_off_gives_its_place_back() {
    let fleet = Fleet::start(1, &fragile(), &[json!({}), json!({})]);
    fleet.upstreams[0].script(failing(503));
    for _ in 0..3 {
        fleet.ok(&chat("Hi"));
    }
    thread::sleep(Duration::from_millis(2100));
    fleet.served();
    fleet.upstreams[0].script(|_| Answer::hang());
    let probes = [ask_only(&fleet), ask_only(&fleet)];
    await_that(|| fleet.upstreams[0].requests().len() == 2);
    fleet.ok(&chat("Hi"));
    assert_eq!(fleet.upstreams[1].take_requests().len(), 1, "both places were taken");
    drop(probes);
    await_that(|| fleet.upstreams[0].abandoned() == 2);
    fleet.gateway.await_events(3 + 1 + 2);
    fleet.upstreams[0].script(served);
    for _ in 0..3 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served(), [2 + 3, 0]);
}

/// The connection of a client that has asked and does not read yet.
fn ask_only(fleet: &Fleet) -> std::net::TcpStream {
    let mut connection = std::net::TcpStream::connect(fleet.gateway.address()).unwrap();
    let body = r#"{"model":"x","messages":[{"role":"user","content":"Hi"}]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::io::Write::write_all(&mut connection, head.as_bytes()).unwrap();
    connection
}

#[test]
fn a_target_without_an_address_opens_its_breaker_too() {
    let providers = json!({
        "circuit_breaker": {"failure_threshold": 1, "recovery_timeout_seconds": 600, "half_open_requests": 1},
    });
    let nowhere = json!({"base_url": "http://nowhere.invalid/v1"});
    let fleet = Fleet::start(1, &providers, &[nowhere, json!({})]);
    // The first request finds it out, and is served by the next target.
    for attempts in ["2", "1", "1"] {
        let reply = fleet.ok(&chat("Hi"));
        assert_eq!(reply.headers.value("x-kt-target"), Some("t1"));
        assert_eq!(reply.headers.value("x-kt-attempts"), Some(attempts));
    }
}

#[test]
fn a_failed_health_probe_takes_a_target_out_and_a_good_one_brings_it_back() {
    let probed = json!({"health_probe": {"interval_seconds": 1, "timeout_seconds": 1}});
    let fleet = Fleet::start(2, &json!({}), &[probed, json!({})]);
    let probes = || {
        let requests = fleet.upstreams[0].requests();
        requests.into_iter().filter(|request| request.method == "GET").collect::<Vec<_>>()
    };
    await_that(|| !probes().is_empty());
    let probe = probes().remove(0);
    assert_eq!(
        (probe.path.as_str(), probe.headers.value("authorization")),
        ("/v1/models", Some("Bearer sk-routing-first"))
    );
    fleet.ok(&chat("Hi"));
    assert_eq!(fleet.served(), [1, 0]);

    let good = |request: &Request| served(request);
    fleet.upstreams[0]
        .script(|request| if request.method == "GET" { Answer::hang() } else { served(request) });
    let started = Instant::now();
    await_that(|| fleet.metric("kt_target_healthy{target=\"t0\"}") == 0);
    // One interval, and as long as a probe may take.
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    for _ in 0..3 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served(), [0, 3]);

    fleet.upstreams[0].script(good);
    await_that(|| fleet.metric("kt_target_healthy{target=\"t0\"}") == 1);
    fleet.ok(&chat("Hi"));
    assert_eq!(fleet.served(), [1, 0]);

    // One worker probes for both.
    fleet.served();
    thread::sleep(Duration::from_secs(3));
    let count = probes().len();
    assert!((2..=5).contains(&count), "{count} probes in three seconds");
}

/// How the first target says that it is out.
fn outs() -> Vec<(&'static str, Answer)> {
    let error = |status, code: &str| {
        Answer::json(
            status,
            &json!({"error": {"message": "m", "type": "invalid_request_error", "param": null, "code": code}})
                .to_string(),
        )
    };
    let quota = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    vec![
        ("402", Answer::json(402, r#"{"error":{"message":"credit","code":"credit_limit"}}"#)),
        ("402 without a body", Answer::status(402).header("content-length", "0")),
        ("429 insufficient_quota", Answer::json(429, quota)),
        ("400 model_not_available", error(400, "model_not_available")),
        ("404 model_not_found", error(404, "model_not_found")),
        ("400 dedicated_endpoint_not_running", error(400, "dedicated_endpoint_not_running")),
        (
            "model_not_available in pieces",
            Answer::status(400)
                .header("content-type", "application/json")
                .bytes(r#"{"error":{"code":"model_not_"#)
                .wait(Duration::from_millis(30))
                .bytes(r#"available"}}"#),
        ),
        ("a quota as first event", Answer::chunks([format!("data: {quota}\n\n")])),
    ]
}

#[test]
fn a_target_that_is_out_is_asked_once_and_passed_over() {
    let fleet = Fleet::start(1, &json!({"retry": {"max_attempts": 3}}), &[json!({}), json!({})]);
    for (events, (what, answer)) in outs().into_iter().enumerate() {
        let sent = answer.clone();
        fleet.upstreams[0].script(move |_| sent.clone());
        let started = Instant::now();
        let stream = what.ends_with("event");
        let reply =
            fleet.ok(&ask(json!({"stream": stream, "messages": [{"role": "user", "content": "Hi"}]})));
        assert_eq!(reply.headers.value("x-kt-target"), Some("t1"), "{what}");
        assert_eq!(reply.headers.value("x-kt-attempts"), Some("2"), "{what}");
        assert!(reply.headers.value("x-kt-retry").is_none() && reply.headers.value("x-kt-wait").is_none());
        assert_eq!(fleet.served(), [1, 1], "{what}");
        // Nobody waits for a target that has not been asked yet.
        assert!(started.elapsed() < Duration::from_millis(900), "{what}: {:?}", started.elapsed());
        let event = fleet.gateway.await_events(events + 1).pop().unwrap();
        assert_eq!(event["tried"][0]["fault"], "target_out", "{what}: {event}");
        assert_eq!(event["tried"][1], json!({"target": "t1"}));
    }
    assert_eq!(
        fleet.metric("kt_target_attempts_total{target=\"t0\",outcome=\"out\"}"),
        u64::try_from(outs().len()).unwrap()
    );
}

#[test]
fn the_last_target_speaks_for_itself() {
    let fleet = Fleet::start(1, &json!({"retry": {"max_attempts": 2}}), &[json!({}), json!({})]);
    fleet.upstreams[0].script(failing(402));
    let credit = r#"{"error":{"message":"credit","type":"credit_limit","param":null,"code":"credit_limit"}}"#;
    fleet.upstreams[1].script(move |_| Answer::json(402, credit));
    let reply = fleet.gateway.send(&chat("Hi"));
    assert_eq!((reply.status, reply.text().as_str()), (402, credit));
    assert_eq!(fleet.served(), [1, 1]);
    // Nor is another status of a client's own mistake touched.
    fleet.upstreams[0].script(failing(403));
    assert_eq!((fleet.gateway.send(&chat("Hi")).status, fleet.served()), (403, vec![1, 0]));
}

#[test]
fn an_error_as_first_event_is_a_failure_of_its_target() {
    let fleet = Fleet::start(1, &json!({}), &[json!({}), json!({})]);
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":\"overloaded\"}}\n\n";
    let answers = [
        Answer::chunks([error]).step(Step::Hang),
        Answer::chunks([&error[..11]]).wait(Duration::from_millis(50)).bytes(&error[11..]).step(Step::Hang),
        Answer::chunks([": ping\n\n", error]).step(Step::Hang),
        Answer::chunks(["event: error\n", "data: {}\n\n"]).step(Step::Hang),
        Answer::chunks([": ping\n\n"]).step(Step::Reset),
        Answer::chunks::<&str>([]),
    ];
    let streaming = ask(json!({"stream": true, "messages": [{"role": "user", "content": "Hi"}]}));
    for (number, answer) in answers.into_iter().enumerate() {
        fleet.upstreams[0].script(move |_| answer.clone());
        let reply = fleet.ok(&streaming);
        assert_eq!(reply.text(), [FINE, "data: [DONE]\n\n"].concat(), "{number}");
        assert_eq!(
            (reply.headers.value("x-kt-target"), fleet.served()),
            (Some("t1"), vec![1, 1]),
            "{number}"
        );
    }
    // What follows a first event that is none belongs to the client.
    fleet.upstreams[0].script(move |_| Answer::chunks([": ping\n\n", FINE, error]));
    assert_eq!(fleet.ok(&streaming).text(), [": ping\n\n", FINE, error].concat());
    assert_eq!(fleet.served(), [1, 0]);
}

#[test]
fn a_wait_is_kept_where_the_same_target_is_next() {
    let fleet = Fleet::start(1, &json!({"retry": {"max_attempts": 2}}), &[json!({}), json!({})]);
    let limited = |after: &str| {
        let after = after.to_owned();
        let first = AtomicU64::new(0);
        move |request: &Request| match first.fetch_add(1, Ordering::SeqCst) {
            0 => {
                Answer::json(429, r#"{"error":{"code":"rate_limit"}}"#).header("retry-after", after.as_str())
            }
            _ => served(request),
        }
    };
    let took = |fleet: &Fleet| {
        let started = Instant::now();
        fleet.ok(&chat("Hi"));
        (started.elapsed(), fleet.served())
    };
    fleet.upstreams[0].script(limited("1"));
    let (time, asked) = took(&fleet);
    assert_eq!(asked, [2, 0]);
    assert!((1000..2500).contains(&time.as_millis()), "{time:?}");
    // A date says the same; it has whole seconds, so up to one of them is not waited for.
    fleet.upstreams[0].script(limited(&date_in(3)));
    let (time, asked) = took(&fleet);
    assert_eq!(asked, [2, 0]);
    assert!((1900..4500).contains(&time.as_millis()), "{time:?}");
    // A date that is over asks for no wait.
    fleet.upstreams[0].script(limited("Fri, 31 Dec 1999 23:59:59 GMT"));
    let (time, asked) = took(&fleet);
    assert_eq!(asked, [2, 0]);
    assert!(time.as_millis() < 900, "{time:?}");
    // Longer than the longest back-off: the other target is asked instead, at once.
    for after in ["60".to_owned(), date_in(60)] {
        fleet.upstreams[0].script(limited(&after));
        let (time, asked) = took(&fleet);
        assert_eq!(asked, [1, 1], "{after}");
        assert!(time.as_millis() < 900, "{after}: {time:?}");
    }
}

/// A date so many seconds from now, as HTTP writes it.
fn date_in(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
}

#[test]
fn attempts_by_outcome_add_up_to_what_the_upstreams_saw() {
    let providers = json!({"retry": {"max_attempts": 2, "backoff": {"base_ms": 1, "max_ms": 2}}});
    let fleet = Fleet::start(2, &providers, &[json!({}), json!({}), json!({})]);
    // What goes wrong is different with every request, and for the last target too.
    for upstream in &fleet.upstreams {
        let asked = AtomicU64::new(0);
        upstream.script(move |request| match asked.fetch_add(1, Ordering::SeqCst) % 7 {
            0 => Answer::json(503, r#"{"error":{"message":"down"}}"#),
            1 => Answer::json(402, r#"{"error":{"message":"credit"}}"#),
            2 => Answer::reset(),
            3 => Answer::json(400, r#"{"error":{"message":"m","code":"model_not_available"}}"#),
            4 => Answer::json(422, r#"{"error":{"message":"yours"}}"#),
            _ => served(request),
        });
    }
    let mut statuses = [0; 2];
    for number in 0..60 {
        let stream = number % 2 == 1;
        let call = ask(json!({"stream": stream, "messages": [{"role": "user", "content": "Hi"}]}));
        statuses[usize::from(fleet.gateway.send(&call).status == 200)] += 1;
    }
    assert!(statuses[0] > 5 && statuses[1] > 20, "{statuses:?}");
    // A client that leaves is an attempt too.
    fleet.upstreams[0].script(|_| Answer::hang());
    let before = fleet.upstreams[0].requests().len();
    let hanging = ask_only(&fleet);
    await_that(|| fleet.upstreams[0].requests().len() > before);
    drop(hanging);
    fleet.gateway.await_events(61);
    let served = fleet.served();
    for (number, seen) in served.iter().enumerate() {
        let counted = ["answered", "failed", "unanswered", "out", "cancelled"].map(|outcome| {
            fleet.metric(&format!("kt_target_attempts_total{{target=\"t{number}\",outcome=\"{outcome}\"}}"))
        });
        let sum = usize::try_from(counted.iter().sum::<u64>()).unwrap();
        assert_eq!(sum, *seen, "t{number}: {counted:?}");
        assert!(number == 2 || counted.iter().take(4).all(|count| *count > 0), "t{number}: {counted:?}");
    }
    assert!(served.iter().all(|seen| *seen > 0), "{served:?}");
}

#[test]
fn targets_without_an_address_are_a_service_that_is_not_there() {
    let nowhere = || json!({"base_url": "http://nowhere.invalid/v1"});
    check_not_there(&[nowhere()]);
    check_not_there(&[nowhere(), nowhere()]);
}

#[track_caller]
fn check_not_there(targets: &[Value]) {
    let fleet = Fleet::start(1, &json!({}), targets);
    let reply = fleet.gateway.send(&chat("Hi"));
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (503, &json!("upstream_unavailable")), "{}", reply.text());
    assert_eq!(error["type"], "upstream_error");
    assert!(error["message"].is_string() && error["param"].is_null());
    // Official clients try again, which is right for a name that may resolve in a moment.
    assert_eq!(reply.headers.value("x-should-retry"), None);
    let event = fleet.gateway.await_events(1).remove(0);
    assert_eq!((&event["status"], &event["ended"]), (&json!(503), &json!("upstream_error")), "{event}");
}

#[test]
fn the_cheapest_target_serves() {
    let priced = |price: f64| json!({"pricing": {"prompt": price, "completion": price}});
    let fleet =
        Fleet::start(1, &json!({"strategy": "lowest_cost"}), &[priced(3.0), priced(0.2), priced(1.0)]);
    fleet.ok(&ask(json!({"model": "m0", "messages": []})));
    assert_eq!(fleet.served(), [0, 1, 0]);
    fleet.upstreams[1].script(failing(500));
    fleet.ok(&chat("Hi"));
    assert_eq!(fleet.served(), [0, 1, 1]);
}

#[test]
fn the_fastest_target_serves_most() {
    let fleet = Fleet::start(2, &json!({"strategy": "latency"}), &[json!({}), json!({})]);
    fleet.upstreams[0].script(|request| {
        thread::sleep(Duration::from_millis(60));
        served(request)
    });
    for _ in 0..10 {
        fleet.ok(&chat("Hi"));
    }
    assert_eq!(fleet.served(), [5, 5]);
    for _ in 0..60 {
        fleet.ok(&chat("Hi"));
    }
    let asked = fleet.served();
    assert!(asked[1] >= 40, "{asked:?}");
    // A pinned target is asked whatever its speed.
    assert_eq!(
        fleet.ok(&ask(json!({"model": "t0", "messages": []}))).headers.value("x-kt-target"),
        Some("t0")
    );
}

#[track_caller]
fn await_that(holds: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < late, "it did not come to pass");
        thread::sleep(Duration::from_millis(10));
    }
}

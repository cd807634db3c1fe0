//! Many clients, random failures, bodies of every size: every client is served, and no upstream sees what is another's.
//!
//! `KT_SOAK_REQUESTS` says how many requests; `make soak` runs the full number.

use crate::ask;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a run of all tests can afford.
const USUAL_REQUESTS: usize = 1500;

const CLIENTS: usize = 12;
const WORKERS: u32 = 2;
const LARGEST_TEXT: u64 = 100_000;

/// Share of the requests that a target fails, in percent. The last never does, or not every client could be served.
const FAILS: [u64; 3] = [40, 30, 0];

const KEYS: [&str; 3] = ["sk-first", "sk-second", "sk-caller"];
const PREFIXES: [&str; 3] = ["/v1", "/inference/v1", "/openai/v1"];
const MODELS: [Option<&str>; 3] = [Some("one/a-rather-long-model-name"), Some("two"), None];
const IDS: [&str; 3] = ["first", "second", "third"];

/// What Envoy may grow by once it is warm. Its allocator keeps some of what it gives back.
const GROWTH_BYTES: u64 = 48 * 1024 * 1024;

/// Xorshift: the same failures in every run, as far as threads allow.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// FNV-1a, by which both ends of the gateway agree on a text.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// What a target got that was not for it.
type Wrongs = Arc<Mutex<Vec<String>>>;

fn answer(i: usize, host: &str, random: &Mutex<Random>, wrongs: &Wrongs, request: &Request) -> Answer {
    let body = request.json();
    let asked = request.headers.value("x-asked-model").unwrap_or_default();
    let keys: Vec<&str> = request
        .headers
        .0
        .iter()
        .filter(|(name, _)| name == "authorization")
        .map(|(_, key)| key.as_str())
        .collect();
    let found = (body["model"].as_str(), keys, request.headers.value("host"), request.path.as_str());
    let (key, path) = (format!("Bearer {}", KEYS[i]), format!("{}/chat/completions", PREFIXES[i]));
    let expected = (Some(MODELS[i].unwrap_or(asked)), vec![key.as_str()], Some(host), path.as_str());
    if found != expected {
        wrongs.lock().unwrap().push(format!("at {}: {found:?}", IDS[i]));
    }
    let stream = body["stream"] == true;
    let (fails, how) = {
        let mut random = random.lock().unwrap();
        (random.next(100) < FAILS[i], random.next(6))
    };
    if fails {
        let error = |status| Answer::json(status, r#"{"error":{"message":"no","code":null}}"#);
        return match how {
            0 => error(503),
            1 => error(429),
            2 => error(500).header("retry-after", "3"),
            3 => error(529),
            4 => Answer::reset(),
            _ if stream => Answer::chunks(["data: {\"error\":{\"message\":\"no\"}}\n\n"]).step(Step::Hang),
            _ => Answer::json(400, r#"{"error":{"message":"gone","code":"model_not_available"}}"#),
        };
    }
    let said = digest(body["messages"][0]["content"].as_str().unwrap_or_default());
    if stream {
        let event = json!({"choices": [{"index": 0, "delta": {"content": said}}]});
        return Answer::chunks([format!("data: {event}\n\n"), "data: [DONE]\n\n".to_owned()]);
    }
    let message = json!({"role": "assistant", "content": said});
    Answer::json(
        200,
        &json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}).to_string(),
    )
}

/// A text without anything that a policy would touch.
fn text(random: &mut Random) -> String {
    let bytes = random.next(LARGEST_TEXT) + 1;
    let words = ["river ", "window ", "slow ", "green ", "table ", "walked ", "über ", "lamp\n"];
    let mut text = String::new();
    while (text.len() as u64) < bytes {
        text.push_str(words[random.next(words.len() as u64) as usize]);
    }
    text
}

fn resident_bytes(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// One client's requests; what went wrong.
fn client(gateway: &Gateway, seed: u64, left: &AtomicUsize, wrongs: &Wrongs) {
    let mut random = Random(seed);
    while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        let text = text(&mut random);
        let stream = random.next(3) == 0;
        // Some models are nobody's, some pin a target; the length of the name differs from what takes its place.
        let model = ["two", "first", "callers/own-model", "m"][random.next(4) as usize];
        let call =
            ask(&json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}))
                .header("authorization", "Bearer sk-caller")
                .header("x-asked-model", model);
        let reply = gateway.send(&call);
        if reply.status != 200 || !reply.whole || !reply.text().contains(&digest(&text)) {
            let said: String = reply.text().chars().take(200).collect();
            wrongs.lock().unwrap().push(format!("client: {} whole={} {said}", reply.status, reply.whole));
        }
    }
}

#[test]
fn every_client_is_served_and_nothing_is_mixed_up() {
    let requests: usize =
        std::env::var("KT_SOAK_REQUESTS").map_or(USUAL_REQUESTS, |number| number.parse().unwrap());
    let wrongs = Wrongs::default();
    let attempts = Arc::new(AtomicU64::new(0));
    let upstreams: Vec<Upstream> =
        (0..IDS.len()).map(|_| Upstream::start(|_| Answer::status(500)).unwrap()).collect();
    for (i, upstream) in upstreams.iter().enumerate() {
        let (wrongs, attempts, host) = (wrongs.clone(), attempts.clone(), upstream.address().to_string());
        let random = Mutex::new(Random(0x9e37_79b9_7f4a_7c15 + i as u64));
        upstream.script(move |request| {
            attempts.fetch_add(1, Ordering::Relaxed);
            answer(i, &host, &random, &wrongs, request)
        });
    }
    let targets: Vec<Value> = (0..IDS.len())
        .map(|i| {
            let mut target = json!({
                "id": IDS[i], "provider": "openai-compatible", "base_url": format!("http://{}{}", upstreams[i].address(), PREFIXES[i]),
                "secret_key_ref": if KEYS[i] == "sk-caller" { json!({"client": true}) } else { json!({"env": format!("KEY_{i}")}) },
                "retry": {"max_attempts": i % 2 + 1, "backoff": {"base_ms": 1, "max_ms": 5}},
            });
            if let Some(model) = MODELS[i] {
                target["model"] = json!(model);
            }
            target
        })
        .collect();
    let config = json!({
        "pack": {"name": "soak", "version": "1.0.0"},
        "policies": {"chain": ["pii-detector", "audit-logger"]},
        "providers": {"strategy": "fallback", "targets": targets},
    });
    let gateway =
        Setup::new(config.to_string()).env("KEY_0", KEYS[0]).env("KEY_1", KEYS[1]).workers(WORKERS).start();
    let left = AtomicUsize::new(requests);
    let over = AtomicBool::new(false);
    let started = Instant::now();
    let mut resident = Vec::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|i| {
                let (gateway, left, wrongs) = (&gateway, &left, &wrongs);
                scope.spawn(move || client(gateway, 0x1234_5678_9abc_def1 ^ (i as u64) << 32, left, wrongs))
            })
            .collect();
        // Bodies are remembered by the upstreams, and 20,000 of them are a gigabyte.
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                upstreams.iter().for_each(|upstream| drop(upstream.take_requests()));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        for part in (0..4).rev() {
            while left.load(Ordering::SeqCst) > requests * part / 4 {
                std::thread::sleep(Duration::from_millis(20));
            }
            resident.push(resident_bytes(&gateway));
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
        over.store(true, Ordering::SeqCst);
    });
    let wrongs = wrongs.lock().unwrap();
    assert!(
        wrongs.is_empty(),
        "{} things went wrong, such as {:#?}",
        wrongs.len(),
        &wrongs[..wrongs.len().min(5)]
    );
    let attempts = attempts.load(Ordering::Relaxed);
    let megabytes: Vec<u64> = resident.iter().map(|bytes| bytes / 1024 / 1024).collect();
    println!(
        "{requests} requests, {attempts} attempts, {CLIENTS} clients in {:.1} s; resident MiB by quarter: {megabytes:?}",
        started.elapsed().as_secs_f64()
    );
    assert!(attempts as usize > requests + requests / 10, "too few attempts failed: {attempts}");
    let (warm, end) = (resident[0], resident[resident.len() - 1]);
    assert!(end < warm + GROWTH_BYTES, "memory grew: {megabytes:?} MiB");
    assert_eq!(gateway.await_events(requests).len(), requests, "one event for every exchange");
}

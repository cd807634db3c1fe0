//! Keys reach the upstream they are for and nothing else: no other target, log, metric, dump or event.

use crate::{ask, chat};
use kt_tests::client::Call;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::repository;
use kt_tests::upstream::{Answer, Request, Upstream};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One key for every way a key can come.
const FROM_ENV: &str = "canary-env-5f1c";
const FROM_FILE: &str = "canary-file-8d2e";
const USUAL: &str = "canary-usual-77ab";
const CALLERS: &str = "canary-caller-e390";

fn config(targets: &Value) -> String {
    json!({
        "pack": {"name": "keys", "version": "1.0.0"},
        "policies": {"chain": ["pii-detector", "audit-logger"]},
        "providers": {"strategy": "fallback", "targets": targets},
    })
    .to_string()
}

fn served(_: &Request) -> Answer {
    Answer::json(200, r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}"#)
}

/// The keys that reached an upstream, oldest first.
fn keys(upstream: &Upstream) -> Vec<Option<String>> {
    let key = |request: &Request| request.headers.value("authorization").map(str::to_owned);
    upstream.take_requests().iter().map(key).collect()
}

fn bearer(key: &str) -> Option<String> {
    Some(format!("Bearer {key}"))
}

/// A file in a folder of its own, as a secret is mounted.
fn key_file(name: &str, key: &str) -> PathBuf {
    let folder = repository::target().join("keys").join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    file
}

#[test]
fn a_caller_who_names_the_provider_brings_the_key() {
    let upstream = Upstream::start(served).unwrap();
    let other = Upstream::start(served).unwrap();
    let one = json!([{"id": "a", "provider": "together", "base_url": upstream.base_url()}]);
    let two = json!([
        {"id": "a", "provider": "together", "base_url": upstream.base_url()},
        {"id": "b", "provider": "openai", "base_url": other.base_url(), "secret_key_ref": {"env": "OPENAI_API_KEY"}},
    ]);
    for targets in [one, two] {
        let setup =
            Setup::new(config(&targets)).env("TOGETHER_API_KEY", USUAL).env("OPENAI_API_KEY", FROM_ENV);
        let gateway = setup.start();
        let callers = chat("Hello").header("authorization", format!("Bearer {CALLERS}"));
        for (call, expected) in [
            (callers.clone(), bearer(USUAL)),
            (callers.clone().header("x-provider", "together"), bearer(CALLERS)),
            (callers.header("x-provider", "Together-AI"), bearer(CALLERS)),
            (chat("Hello").header("x-provider", "together"), bearer(USUAL)),
            (chat("Hello"), bearer(USUAL)),
        ] {
            assert_eq!(gateway.send(&call).status, 200);
            assert_eq!(keys(&upstream), [expected]);
        }
    }
    assert!(other.requests().is_empty());
}

#[test]
fn a_key_the_file_names_is_not_replaced_by_the_callers() {
    let upstream = Upstream::start(served).unwrap();
    let targets = json!([{"id": "a", "provider": "together", "base_url": upstream.base_url(), "secret_key_ref": {"env": "OWN"}}]);
    let gateway = Setup::new(config(&targets)).env("OWN", FROM_ENV).start();
    let call = chat("Hello").header("authorization", format!("Bearer {CALLERS}")).header("x-provider", "a");
    assert_eq!(gateway.send(&call).status, 200);
    assert_eq!(keys(&upstream), [bearer(FROM_ENV)]);
}

#[test]
fn a_key_file_that_is_replaced_is_followed_without_a_restart() {
    let upstream = Upstream::start(served).unwrap();
    let file = key_file("rotation", FROM_FILE);
    let targets = json!([{"id": "a", "provider": "together", "base_url": upstream.base_url(), "secret_key_ref": {"file": file}}]);
    let gateway = Setup::new(config(&targets)).follows_keys().start();
    assert_eq!(gateway.send(&chat("Hello")).status, 200);
    assert_eq!(keys(&upstream), [bearer(FROM_FILE)]);
    let next = file.with_extension("next");
    std::fs::write(&next, "canary-second\n").unwrap();
    std::fs::rename(next, &file).unwrap();
    let late = Instant::now() + Duration::from_secs(5);
    loop {
        assert_eq!(gateway.send(&chat("Hello")).status, 200);
        let seen = keys(&upstream);
        if seen == [bearer("canary-second")] {
            break;
        }
        assert_eq!(seen, [bearer(FROM_FILE)]);
        assert!(Instant::now() < late, "the new key was not taken over");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everything Envoy shows of itself, by the name of the place.
fn exposed(gateway: &Gateway) -> Vec<(String, String)> {
    let pages = [
        "/config_dump?include_eds",
        "/stats?usedonly=false",
        "/stats/prometheus",
        "/clusters",
        "/server_info",
        "/listeners",
    ];
    let mut texts: Vec<_> = pages.iter().map(|page| ((*page).to_owned(), gateway.admin(page))).collect();
    for entry in std::fs::read_dir(gateway.folder()).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(text) = std::fs::read(&path) {
            texts.push((path.display().to_string(), String::from_utf8_lossy(&text).into_owned()));
        }
    }
    texts
}

#[test]
fn no_key_shows_anywhere_but_at_its_own_upstream() {
    let names = ["env", "file", "usual", "client", "none"];
    let upstreams = names.map(|_| Upstream::start(|_| Answer::json(503, "{}")).unwrap());
    let file = key_file("canary", FROM_FILE);
    let references = [
        ("together", json!({"env": "CANARY"})),
        ("together", json!({"file": file})),
        ("groq", Value::Null),
        ("openai", json!({"client": true})),
        ("openai-compatible", Value::Null),
    ];
    let targets: Vec<Value> = (0..names.len())
        .map(|i| {
            let (provider, reference) = &references[i];
            let mut target =
                json!({"id": names[i], "provider": provider, "base_url": upstreams[i].base_url()});
            if !reference.is_null() {
                target["secret_key_ref"] = reference.clone();
            }
            target
        })
        .collect();
    let gateway = Setup::new(config(&json!(targets)))
        .env("CANARY", FROM_ENV)
        .env("GROQ_API_KEY", USUAL)
        .log_level("trace")
        .follows_keys()
        .start();
    let expected = [bearer(FROM_ENV), bearer(FROM_FILE), bearer(USUAL), bearer(CALLERS), None];
    // Every target comes first once, so that every key has every other target after it.
    for first in names {
        for stream in [false, true] {
            let body =
                json!({"model": first, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]});
            let reply = gateway.send(&ask(body).header("authorization", format!("Bearer {CALLERS}")));
            assert_eq!(reply.status, 503);
        }
    }
    gateway.send(
        &Call::post("/v1/chat/completions", "not json").header("authorization", format!("Bearer {CALLERS}")),
    );
    for (i, upstream) in upstreams.iter().enumerate() {
        let seen = keys(upstream);
        assert_eq!(seen, vec![expected[i].clone(); 2 * names.len()], "at `{}`", names[i]);
    }
    gateway.await_events(2 * names.len() + 1);
    for (place, text) in exposed(&gateway) {
        for key in [FROM_ENV, FROM_FILE, USUAL] {
            assert!(!text.contains(key), "a key of the gateway shows in {place}: {}", around(&text, key));
        }
        // Envoy itself prints the headers of a request as they came, at this level: the README says so.
        if !place.ends_with("envoy.log") {
            assert!(!text.contains(CALLERS), "the caller's key shows in {place}: {}", around(&text, CALLERS));
        }
    }
}

/// What stands before a key, for the message of a failed test.
fn around(text: &str, key: &str) -> String {
    let at = text.find(key).unwrap_or_default();
    text.get(..at).unwrap_or_default().chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect()
}

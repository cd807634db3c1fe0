//! Rate limits, the allowlist and CORS as Envoy keeps them.

use crate::{chat, demo};
use kt_tests::client::Call;
use kt_tests::envoy::{Gateway, Setup};
use kt_tests::upstream::Upstream;
use serde_json::{Value, json};

fn start(upstream: &Upstream, limits: &Value) -> Gateway {
    let mut config = json!({
        "pack": {"name": "limits", "version": "1.0.0"},
        "policies": {"chain": ["audit-logger"]},
        "providers": {"targets": [{
            "id": "main", "provider": "openai-compatible", "base_url": upstream.base_url(), "secret_key_ref": {"env": "KEY"},
        }]},
    });
    config.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    Setup::new(config.to_string()).env("KEY", "sk-limits").workers(2).start()
}

#[track_caller]
fn check(gateway: &Gateway, call: &Call, status: u16, code: Value) {
    let reply = gateway.send(call);
    assert_eq!((reply.status, reply.json()["error"]["code"].clone()), (status, code), "{}", reply.text());
}

#[test]
fn more_requests_than_allowed_are_told_to_wait() {
    let upstream = demo();
    for key in ["global_rate_limit", "ip_rate_limit"] {
        let gateway = start(&upstream, &json!({key: {"max_requests": 3, "window_seconds": 3600}}));
        for _ in 0..3 {
            check(&gateway, &chat("Hello"), 200, Value::Null);
        }
        check(&gateway, &chat("Hello"), 429, json!("rate_limit_exceeded"));
        let refused = gateway.send(&chat("Hello"));
        assert_eq!(refused.headers.value("retry-after"), Some("1200"), "{key}");
        // Whoever looks whether it is alive is not counted.
        assert_eq!(gateway.send(&Call::get("/healthz")).status, 200);
    }
}

#[test]
fn each_user_has_a_limit_of_their_own() {
    let upstream = demo();
    let gateway = start(&upstream, &json!({"user_rate_limit": {"max_requests": 2, "window_seconds": 3600}}));
    let of = |user: &str| chat("Hello").header("authorization", format!("Bearer {user}"));
    for user in ["one", "two", "three"] {
        check(&gateway, &of(user), 200, Value::Null);
        check(&gateway, &of(user), 200, Value::Null);
        check(&gateway, &of(user), 429, json!("rate_limit_exceeded"));
    }
}

#[test]
fn only_listed_addresses_are_served() {
    let upstream = demo();
    let gateway = start(&upstream, &json!({"ip_allowlist": {"cidrs": ["10.0.0.0/8", "::1"]}}));
    let call = chat("Hello").header("x-forwarded-for", "10.1.2.3");
    check(&gateway, &call, 403, json!("address_not_allowed"));
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.send(&Call::get("/healthz")).status, 200);
    let gateway = start(&upstream, &json!({"ip_allowlist": {"cidrs": ["127.0.0.0/8"]}}));
    check(&gateway, &call, 200, Value::Null);
}

#[test]
fn pages_of_listed_origins_may_call() {
    let upstream = demo();
    let gateway =
        start(&upstream, &json!({"cors": {"enabled": true, "allow_origins": ["https://app.example"]}}));
    let preflight = |origin: &str| {
        let call = Call { method: "OPTIONS".into(), ..Call::get("/v1/chat/completions") };
        gateway.send(&call.header("origin", origin).header("access-control-request-method", "POST"))
    };
    let reply = preflight("https://app.example");
    assert_eq!(
        (reply.status, reply.headers.value("access-control-allow-origin")),
        (200, Some("https://app.example"))
    );
    assert_eq!(reply.headers.value("access-control-allow-headers"), Some("authorization, content-type"));
    assert_eq!(preflight("https://evil.example").headers.value("access-control-allow-origin"), None);
    let reply = gateway.send(&chat("Hello").header("origin", "https://app.example"));
    assert_eq!(
        (reply.status, reply.headers.value("access-control-allow-origin")),
        (200, Some("https://app.example"))
    );
}

//! What a defect in a policy costs: the build of the filter that panics on request.

use crate::{chat, demo, quick_start, said};
use kt_tests::repository;

#[test]
fn a_panic_costs_one_request_and_no_policy() {
    let upstream = demo();
    let wasm = repository::panicking_wasm().unwrap_or_else(|problem| panic!("{problem}"));
    let mut gateway = quick_start(&upstream).wasm(wasm).start();
    for _ in 0..3 {
        assert_eq!(said(&gateway.send(&chat("I am alice@example.com"))), "You said: I am [REDACTED:EMAIL]");
        upstream.take_requests();
        let failed = gateway.send(&chat("please kt-panic-route now, alice@example.com"));
        assert_eq!(failed.status, 503, "{}", failed.text());
        assert_eq!(failed.json()["error"]["code"], "gateway_failure", "{}", failed.text());
        assert!(upstream.requests().is_empty(), "the request went on uninspected");
        // Envoy waits a moment before it makes the next VM.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(said(&gateway.send(&chat("I am alice@example.com"))), "You said: I am [REDACTED:EMAIL]");
    assert!(gateway.is_alive());
    let statuses: Vec<_> =
        gateway.await_events(7).iter().map(|event| event["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 503, 200, 503, 200, 503, 200]);
}

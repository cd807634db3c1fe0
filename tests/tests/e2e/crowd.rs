//! A thousand streams at once, each holding as much text as one lane can: memory is bounded and used again, nothing is lost.

use crate::{ask, quick_start};
use kt_tests::envoy::Gateway;
use kt_tests::scenario::lanes;
use kt_tests::upstream::{Answer, Gate, Upstream};
use serde_json::json;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// Streams at the same time.
const STREAMS: usize = 1000;

/// What a stream may cost Envoy while it holds its maximum, which is 7 KB of text in a hundred events: the events themselves,
/// the text, and the buffers of two connections.
const MOST_KB_FOR_EACH: u64 = 160;

/// What the client gets at once.
const BEGINNING: &str = "Here it is: ";

/// The lines of a private key that has not ended: the most that any policy holds, in deltas of one line.
fn key() -> Vec<String> {
    let line = |number: usize| {
        let letter = char::from(b'a' + (number % 26) as u8);
        format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ{}\n", String::from(letter).repeat(14))
    };
    let mut lines = vec!["-----BEGIN PRIVATE KEY-----\n".to_owned()];
    lines.extend((0..100).map(line));
    lines
}

/// How it goes on: the key ends, or it breaks off.
fn endings() -> [Vec<String>; 2] {
    let end = ["-----END PRIVATE KEY-----", "\nKeep it."];
    [end, ["... and so", " on."]].map(|deltas| deltas.map(str::to_owned).to_vec())
}

fn event(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
    )
}

/// Kilobytes of memory that the process really has.
fn resident_kb(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process_id())).unwrap();
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("what Linux tells of a process");
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// All streams at once; the kilobytes that Envoy had when all of them held their maximum.
#[track_caller]
fn round(upstream: &Upstream, gateway: &Gateway, expected: &[String; 2]) -> u64 {
    let gate = Gate::new();
    let held = gate.clone();
    let until_held: String = key().iter().map(|line| event(line)).collect();
    let rests = endings()
        .map(|ending| ending.iter().map(|text| event(text)).collect::<String>() + "data: [DONE]\n\n");
    upstream.script(move |request| {
        let kind = usize::from(request.text().contains("some of"));
        Answer::chunks([event(BEGINNING)]).bytes(&until_held).gate(&held).bytes(&rests[kind])
    });
    let all_hold = Barrier::new(STREAMS + 1);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..STREAMS)
            .map(|number| {
                let all_hold = &all_hold;
                let client = move || {
                    let wanted = ["Show a key", "Show some of a key"][number % 2];
                    let call =
                        ask(json!({"stream": true, "messages": [{"role": "user", "content": wanted}]}));
                    let mut stream = gateway.open(&call);
                    let mut text = String::new();
                    while !text.contains(BEGINNING) {
                        let piece = stream.piece().unwrap().expect("the beginning");
                        text.push_str(&String::from_utf8(piece).unwrap());
                    }
                    all_hold.wait();
                    let rest = stream.finish();
                    assert!(rest.whole && text.find("BEGIN").is_none(), "stream {number}: {text}");
                    text.push_str(&rest.text());
                    let lanes = lanes(&text);
                    let content = lanes.get("0.content").map(String::as_str).unwrap_or_default();
                    assert_eq!(content, expected[number % 2], "stream {number}");
                    assert_eq!(lanes.get("done").map(String::as_str), Some("[DONE]"), "stream {number}");
                };
                // The system's usual two megabytes of stack are not for so little.
                thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, client).unwrap()
            })
            .collect();
        all_hold.wait();
        // The beginning was written before the rest; the rest is on its way.
        thread::sleep(Duration::from_millis(500));
        let resident = resident_kb(gateway);
        gate.open();
        clients.into_iter().for_each(|client| client.join().unwrap());
        resident
    })
}

#[test]
fn a_thousand_streams_that_hold_their_maximum_are_bounded_and_lose_nothing() {
    let upstream = Upstream::start(|_| Answer::status(500)).unwrap();
    let mut gateway = quick_start(&upstream).start();
    // What a whole answer of the same text comes to.
    let expected = endings().map(|ending| {
        let text: String = key().into_iter().chain(ending).collect();
        let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": format!("{BEGINNING}{text}")}}]});
        upstream.script(move |_| Answer::json(200, &body.to_string()));
        crate::said(&gateway.send(&crate::chat("Hello")))
    });
    assert_eq!(expected[0], format!("{BEGINNING}[REDACTED:SECRET]\nKeep it."));
    assert_eq!(expected[1], format!("{BEGINNING}[REDACTED:SECRET]... and so on."));
    let idle = resident_kb(&gateway);
    let held: Vec<u64> = (0..3).map(|_| round(&upstream, &gateway, &expected)).collect();
    let most = held[0].saturating_sub(idle);
    println!("idle {idle} KB; {STREAMS} streams that hold: {held:?} KB, {} KB each", most / STREAMS as u64);
    assert!(most < MOST_KB_FOR_EACH * STREAMS as u64, "idle {idle} KB, holding {held:?} KB");
    // What the first round needed, the others used again.
    assert!(held[2] < held[0] + held[0] / 10, "idle {idle} KB, holding {held:?} KB");
    assert!(gateway.is_alive());
}

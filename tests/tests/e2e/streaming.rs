//! Streams through the real Envoy: redaction that no cut can change, and deltas that do not wait.

use crate::{ask, quick_start};
use kt_tests::scenario::lanes;
use kt_tests::upstream::{Answer, Gate, Request, Step, Upstream};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// A transcript with an e-mail address, a card number and an IBAN, each over several events.
const TRANSCRIPT: &str = concat!(
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Write to al\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ice@example.\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"com, pay 4111 1111\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" 1111 1111 or DE89 3704 0\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"044 0532 0130 00 to\\u00e4y 世.\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);

const DELIVERED: &str = "Write to [REDACTED:EMAIL], pay [REDACTED:CARD] or [REDACTED:IBAN] toäy 世.";

/// Long enough for Envoy to read one piece before the next is there.
const BETWEEN_PIECES: Duration = Duration::from_millis(2);

/// Cuts the transcript where the request says: `x-cut: 17`, or `x-cut: bytes`.
fn cut(request: &Request) -> Answer {
    let bytes = TRANSCRIPT.as_bytes();
    match request.headers.value("x-cut").and_then(|cut| cut.parse::<usize>().ok()) {
        Some(at) => Answer::chunks([&bytes[..at]]).wait(BETWEEN_PIECES).bytes(&bytes[at..]),
        None => bytes.iter().fold(Answer::chunks::<&str>([]), |answer, byte| {
            answer.bytes([*byte]).wait(Duration::from_millis(1))
        }),
    }
}

fn streaming(content: &str) -> kt_tests::client::Call {
    ask(json!({"stream": true, "messages": [{"role": "user", "content": content}]}))
}

#[test]
fn every_cut_of_the_bytes_delivers_the_same_text() {
    let upstream = Upstream::start(cut).unwrap();
    let gateway = quick_start(&upstream).start();
    let cuts: Vec<String> = (1..TRANSCRIPT.len()).map(|at| at.to_string()).chain(["bytes".into()]).collect();
    let problems: Vec<String> = thread::scope(|scope| {
        let check = |cuts: &[String]| {
            let mut problems = Vec::new();
            for cut in cuts {
                let reply = gateway.send(&streaming("Hello").header("x-cut", cut.as_str()));
                let found = lanes(&reply.text());
                let content = found.get("0.content").map(String::as_str);
                let ends = (found.get("0.finish_reason"), found.get("done"), found.get("unreadable"));
                if !reply.whole
                    || content != Some(DELIVERED)
                    || ends != (Some(&"stop".into()), Some(&"[DONE]".into()), None)
                {
                    problems.push(format!("cut {cut}: {:?} {content:?} {ends:?}", reply.whole));
                }
            }
            problems
        };
        let workers: Vec<_> =
            cuts.chunks(cuts.len().div_ceil(4)).map(|cuts| scope.spawn(move || check(cuts))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_first_delta_arrives_before_the_second_is_sent() {
    let gate = Gate::new();
    let held = gate.clone();
    let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The first \"}}]}\n\n";
    let second =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"and the second.\"}}]}\n\ndata: [DONE]\n\n";
    let upstream = Upstream::start(move |_| Answer::chunks([first]).gate(&held).bytes(second)).unwrap();
    let gateway = quick_start(&upstream).start();
    let mut stream = gateway.open(&streaming("Hello"));
    let piece = stream.piece().unwrap().unwrap();
    assert_eq!(String::from_utf8(piece).unwrap(), first);
    // Only now may the model go on.
    gate.open();
    let rest = stream.finish();
    assert!(rest.whole);
    assert_eq!(rest.text(), second);
}

#[test]
fn a_client_that_leaves_cancels_the_upstream_and_is_in_the_log() {
    let upstream = Upstream::start(|_| {
        Answer::chunks(["data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The first \"}}]}\n\n"])
            .step(Step::Hang)
    })
    .unwrap();
    let mut gateway = quick_start(&upstream).start();
    let mut stream = gateway.open(&streaming("Hello"));
    assert!(stream.piece().unwrap().is_some());
    drop(stream);
    let late = Instant::now() + Duration::from_secs(5);
    while upstream.abandoned() == 0 {
        assert!(Instant::now() < late, "the upstream request was not cancelled");
        thread::sleep(Duration::from_millis(5));
    }
    let event = gateway.await_events(1).pop().unwrap();
    assert_eq!(event["ended"], "client_disconnected");
    assert!(gateway.is_alive());
}

#[test]
fn an_upstream_that_breaks_off_is_no_whole_answer() {
    let upstream = Upstream::start(|_| {
        Answer::chunks(["data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Write to al\"}}]}\n\n"])
            .wait(BETWEEN_PIECES)
            .step(Step::Cut)
    })
    .unwrap();
    let gateway = quick_start(&upstream).start();
    let reply = gateway.send(&streaming("Hello"));
    assert!(
        !reply.whole || reply.text().contains("\"error\""),
        "a cut stream looked complete: {}",
        reply.text()
    );
    assert!(!reply.text().contains("[DONE]"));
}

#[test]
fn a_block_in_mid_stream_cancels_the_upstream() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |_| {
        let delta = |text: &str| {
            format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
        };
        Answer::chunks([delta("The name is clear and simple. ")])
            .gate(&held)
            .bytes(delta("project nightfall, they say."))
            .step(Step::Hang)
    })
    .unwrap();
    let mut config = kt_tests::scenario::quick_start();
    config["policy"]["safety-filter"]["block_if"] = json!(["project nightfall"]);
    let mut gateway = crate::with_config(&upstream, &config).start();
    let mut stream = gateway.open(&streaming("Hello"));
    assert!(stream.piece().unwrap().is_some());
    gate.open();
    let mut rest = Vec::new();
    let late = Instant::now() + Duration::from_secs(5);
    while !String::from_utf8_lossy(&rest).contains("[DONE]") {
        assert!(Instant::now() < late);
        rest.extend(stream.piece().unwrap().expect("the end marker comes before the end"));
    }
    let text = String::from_utf8(rest).unwrap();
    assert!(
        text.contains("\"code\":\"output_blocked\"")
            && !text.contains("nightfall")
            && !text.contains("event:"),
        "{text}"
    );
    // This client does not close, and the model would go on.
    let late = Instant::now() + Duration::from_secs(3);
    while upstream.abandoned() == 0 {
        assert!(Instant::now() < late, "the upstream request was not cancelled");
        thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
    let event = gateway.await_events(1).pop().unwrap();
    assert_eq!((&event["ended"], &event["verdict"]), (&json!("blocked"), &json!("block")));
    // The model does not wait this time: the block may come before the first byte.
    let again = gateway.send(&streaming("Hello"));
    assert!(again.text().contains("output_blocked"), "{}", again.text());
    assert!(gateway.is_alive());
}

//! What has to hold of each parser, whatever it is given.

use kt_core::exchange::{Admission, AnswerHead, ChunkStep, Exchange, Gateway, RequestHead};
use kt_core::message::rewrite::{Splice, apply};
use kt_core::message::text::Text;
use kt_core::message::{Endpoint, delta, request, response};
use kt_core::plan;
use kt_core::sse::decode::{Decoder, Frame};
use serde_json::{Value, json};
use std::rc::Rc;

const ENDPOINTS: [Endpoint; 5] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Embeddings,
    Endpoint::Rerank,
    Endpoint::Responses,
];

/// What was read without an error is JSON to others as well, and stays it when every text is replaced.
fn edited(body: &[u8], texts: &[Text<'_>]) {
    // serde_json stops at numbers beyond its range and at nesting beyond its own limit, which are no faults of the body.
    let document: Result<Value, _> = serde_json::from_slice(body);
    if document.is_err() {
        return;
    }
    let mut splices = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        match number % 2 {
            0 => text.replace("\"\\\n\u{1f600}", &mut splices),
            _ => {
                let half = text.value.floor_char_boundary(text.value.len() / 2);
                text.edit(body, &[(half..text.value.len(), "[\"X\"]")], &mut splices);
            }
        }
    }
    let edited = apply(body, &splices);
    assert!(serde_json::from_slice::<Value>(&edited).is_ok(), "an edited body is no JSON");
}

/// Bodies of requests.
pub(crate) fn request(body: &[u8]) {
    for endpoint in ENDPOINTS {
        let Ok(read) = request::read(endpoint, body) else { continue };
        edited(body, &read.texts);
        let mut splices = Vec::new();
        read.ask_for_model("m\"", &mut splices);
        if matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions) {
            read.ask_for_usage(&mut splices);
        }
        let asked = apply(body, &splices);
        let again = request::read(endpoint, &asked);
        assert!(
            again.is_ok_and(|again| again.model.is_some_and(|model| model.name == "m\"")),
            "the model is not asked for"
        );
    }
}

/// Bodies of answers, and payloads of events.
pub(crate) fn response(body: &[u8]) {
    for endpoint in ENDPOINTS {
        if let Ok(read) = response::read(endpoint, body) {
            edited(body, &read.texts);
        }
        if let Ok(event) = delta::read(endpoint, body) {
            edited(body, &event.whole);
            for delta in &event.deltas {
                edited(body, std::slice::from_ref(&delta.text));
                edited(body, &delta.copies);
            }
        }
    }
}

fn frames<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        if decoder.push(chunk, &mut frames).is_err() {
            return Vec::new();
        }
    }
    decoder.finish(&mut frames);
    frames
}

fn payloads(frames: &[Frame]) -> Vec<Vec<u8>> {
    frames.iter().filter_map(|frame| Some(frame.data()?.into_owned())).collect()
}

/// Streams of events: the first byte says how the rest is cut.
pub(crate) fn sse(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    let (whole, cut) = (frames([bytes]), frames(bytes.chunks(usize::from(*size % 32) + 1)));
    assert_eq!(payloads(&whole), payloads(&cut), "payloads depend on chunks");
    let lines = |frames: &[Frame]| -> Vec<u8> {
        let mut lines = Vec::new();
        for byte in frames.iter().flat_map(|frame| frame.bytes()) {
            match (byte, lines.last()) {
                (b'\n', Some(b'\r')) => {}
                _ => lines.push(*byte),
            }
        }
        lines
    };
    assert_eq!(lines(&whole), lines(&cut), "bytes depend on chunks");
    for (number, frame) in whole.iter().enumerate().filter(|(_, frame)| frame.data().is_some()) {
        let before: &[u8] = if number == 0 { b"" } else { b"\n" };
        let again = frames([before, &frame.with_data(b"X")]);
        assert_eq!(payloads(&again), [b"X"], "another payload is not the one that is read");
    }
}

thread_local! {
    static GATEWAY: Rc<Gateway> = {
        let config = json!({
            "pack": {"name": "fuzz", "version": "1.0.0", "enabled": true},
            // Two that wait for different things; the second only warns, so every text comes to its end.
            "policies": {"chain": ["pii-detector", "safety-filter"]},
            "policy": {
                "pii-detector": {"action": "redact", "detect_patterns": [{"name": "night", "regex": "project night[a-z]{0,8}"}]},
                "safety-filter": {"action": "warn", "mode": "strict", "block_if": ["harvest moon", "moon of"]},
            },
            "providers": {"strategy": "single", "targets": [
                {"id": "t", "provider": "together", "base_url": "http://upstream.test/v1", "secret_key_ref": {"env": "K"}},
            ]},
        });
        let plan = plan::check(&config).expect("the configuration is right");
        Rc::new(Gateway::new(plan.downstream("")).expect("the policies compile"))
    };
}

/// An exchange whose answer is about to come.
fn asked(content_type: &str) -> Exchange {
    let mut exchange = Exchange::new(GATEWAY.with(Rc::clone));
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert!(matches!(exchange.admit(RequestHead::new(headers)), Admission::Inspect));
    exchange.request(br#"{"model":"m","stream":true,"messages":[]}"#).expect("the request passes");
    exchange.answer(&AnswerHead {
        status: 200,
        content_type: content_type.into(),
        attempts: 1,
        ..AnswerHead::default()
    });
    exchange
}

fn message(text: &str, is_json: bool) -> Value {
    match is_json {
        true => json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
        false => json!({"content": text}),
    }
}

fn said(message: &Value, is_json: bool) -> &str {
    let place = if is_json { "/tool_calls/0/function/arguments" } else { "/content" };
    message.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

/// Text of one lane: the first byte says whether it is JSON and how it is cut into deltas.
pub(crate) fn holdback(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let (is_json, size) = (how & 1 == 1, usize::from(how >> 1) % 24 + 1);
    let body = json!({"choices": [{"index": 0, "message": message(&text, is_json)}]}).to_string();
    let answer = asked("application/json").whole_answer(body.as_bytes()).expect("nothing blocks");
    let answer: Value =
        serde_json::from_slice(answer.body.as_deref().unwrap_or(body.as_bytes())).expect("JSON");
    let expected = said(&answer["choices"][0]["message"], is_json);
    let mut exchange = asked("text/event-stream");
    let mut delivered = Vec::new();
    let characters: Vec<char> = text.chars().collect();
    let mut chunks: Vec<Vec<u8>> = characters
        .chunks(size)
        .map(|piece| {
            let delta = message(&piece.iter().collect::<String>(), is_json);
            format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]})).into_bytes()
        })
        .collect();
    chunks.push(b"data: [DONE]\n\n".to_vec());
    let last = chunks.len() - 1;
    for (number, chunk) in chunks.iter().enumerate() {
        match exchange.chunk(chunk, number == last) {
            ChunkStep::Forward => delivered.extend_from_slice(chunk),
            ChunkStep::Replace(bytes) => delivered.extend(bytes),
            ChunkStep::Refuse(_) => panic!("nothing blocks"),
        }
    }
    let mut found = String::new();
    for payload in payloads(&frames([delivered.as_slice()])) {
        if let Ok(event) = serde_json::from_slice::<Value>(&payload) {
            assert!(event.get("error").is_none(), "the stream failed");
            found.push_str(said(&event["choices"][0]["delta"], is_json));
        }
    }
    assert_eq!(found, expected, "a stream is not redacted as a whole answer is");
}

/// Splices: the first bytes say which.
pub(crate) fn rewrite(input: &[u8]) {
    let (splices, body) = input.split_at(input.len().min(12));
    let splices: Vec<Splice> = splices
        .chunks_exact(3)
        .map(|at| {
            let start = usize::from(at[0]).min(body.len());
            let end = (start + usize::from(at[1] % 32)).min(body.len());
            Splice { range: start..end, with: vec![b'#'; usize::from(at[2] % 4)] }
        })
        .collect();
    let rewritten = apply(body, &splices);
    // No byte of any range is left, and all others are, in order.
    let mut kept: Vec<u8> = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        if !splices.iter().any(|splice| splice.range.contains(&at)) {
            kept.push(*byte);
        }
    }
    let others: Vec<u8> = rewritten.iter().copied().filter(|byte| *byte != b'#').collect();
    kept.retain(|byte| *byte != b'#');
    assert_eq!(others, kept, "a byte outside a splice is lost, or one inside is left");
}

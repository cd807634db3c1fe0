//! Prints how long bodies and events take to read. Run with `--release`.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use kt_core::message::{Endpoint, delta, request};
use kt_core::sse::decode::Decoder;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let plain = "The quick brown fox jumps over the lazy dog near the river bank. ";
    let prose = "Please read the \\\"summary\\\" of last week's meeting before you answer, and tell me which of the open points \
                 are still ours to close, who owns them, and by when they promised to be done with all of them.\\n";
    let escaped = "The \\\"quick\\\" brown fox\\njumps over the lazy dog near the river. ";
    for (name, sentence) in [
        ("plain", plain),
        ("prose with line ends", prose),
        ("escaped", escaped),
        ("German", "Die Größe überrascht: schöne grüne Äpfel für Jörg. "),
    ] {
        let body = chat(sentence, 8 * 1024);
        report(&format!("request, {name}, {} bytes", body.len()), || {
            reads_request(black_box(body.as_bytes()))
        });
    }
    let chunk = br#"{"id":"nx1AbC-2kFHot-9f00aa11bb22cc33","object":"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"text":" Paris","logprobs":null,"finish_reason":null,"seed":null,"delta":{"token_id":4711,"role":"assistant","content":" Paris"}}],"model":"m","usage":null}"#;
    report(&format!("Together event, {} bytes", chunk.len()), || {
        reads_event(Endpoint::ChatCompletions, black_box(chunk))
    });
    report(&format!("Together event, checked only, {} bytes", chunk.len()), || {
        reads_event(Endpoint::Embeddings, black_box(chunk))
    });
    let frame = [b"data: ", chunk.as_slice(), b"\n\n"].concat();
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    report("one frame of a stream", || {
        frames.clear();
        decoder.push(black_box(&frame), &mut frames).is_ok()
            && black_box(frames.first().is_some_and(|frame| frame.data().is_some()))
    });
}

// Functions of their own: V8 never optimises a function that is entered once, and `main` is.
#[inline(never)]
fn reads_request(body: &[u8]) -> bool {
    black_box(request::read(Endpoint::ChatCompletions, body)).is_ok()
}

#[inline(never)]
fn reads_event(endpoint: Endpoint, payload: &[u8]) -> bool {
    black_box(delta::read(endpoint, payload)).is_ok()
}

fn chat(sentence: &str, bytes: usize) -> String {
    let mut messages = Vec::new();
    for turn in 0..8 {
        let role = ["user", "assistant"].get(turn % 2).copied().unwrap_or("user");
        let content = sentence.repeat(bytes / 8 / sentence.len());
        messages.push(format!(r#"{{"role":"{role}","content":"{content}"}}"#));
    }
    format!(
        r#"{{"model":"meta-llama/Llama-3.3-70B-Instruct-Turbo","temperature":0.7,"stream":true,"messages":[{}]}}"#,
        messages.join(",")
    )
}

/// Fastest of several rounds: the rest is the machine's noise.
fn report(name: &str, mut run: impl FnMut() -> bool) {
    const ROUNDS: usize = 50;
    const RUNS: u32 = 500;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..RUNS {
            assert!(run());
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(RUNS));
    }
    println!("{name}: {:.3} µs", best * 1e6);
}

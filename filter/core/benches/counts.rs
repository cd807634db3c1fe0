//! Instructions that one request and one streamed event take: the gate against getting slower.
//!
//! Counts do not depend on who else uses the machine, so the limits are close: what was measured when they were set, and a
//! tenth more. They say nothing about caches or about V8; `wall.rs` and `tests/bench` do. After a change that is worth its
//! instructions, set the limit again and say why in the commit.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run must say where")]
#![allow(missing_docs, reason = "gungraun's macros make public items without any")]

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use kt_bench_fixture::{Content, FULL_CHAIN, Streaming, events, gateway, proven_request, request, requests};
use kt_core::exchange::{Dispatch, Gateway};
use std::hint::black_box;
use std::rc::Rc;

/// Instructions at most.
fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let callgrind =
        Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, instructions)]).clone();
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

/// A gateway that has served before, and a body that it has not seen.
fn served(bytes: usize, content: Content) -> (Rc<Gateway>, Vec<u8>) {
    let gateway = gateway(&FULL_CHAIN).unwrap();
    let mut bodies = requests(bytes, content).unwrap();
    let body = bodies.pop().unwrap();
    bodies.iter().for_each(|body| proven_request(&gateway, body, content).unwrap());
    (gateway, body)
}

#[library_benchmark]
#[bench::clean_1_kb(args = (1024, Content::Clean), setup = served, config = limit(57_000))]
#[bench::personal_1_kb(args = (1024, Content::Personal), setup = served, config = limit(68_000))]
#[bench::clean_8_kb(args = (8192, Content::Clean), setup = served, config = limit(362_000))]
#[bench::personal_8_kb(args = (8192, Content::Personal), setup = served, config = limit(392_000))]
#[bench::clean_64_kb(args = (65_536, Content::Clean), setup = served, config = limit(2_900_000))]
#[bench::personal_64_kb(args = (65_536, Content::Personal), setup = served, config = limit(3_160_000))]
fn request_path((gateway, body): (Rc<Gateway>, Vec<u8>)) -> (Dispatch, Rc<Gateway>, Vec<u8>) {
    let dispatch = request(&gateway, black_box(&body)).unwrap();
    // Given back, so that taking the gateway apart is not counted.
    (dispatch, gateway, body)
}

/// A stream in its middle, and the next hundred events.
fn streaming() -> (Streaming, Vec<Vec<u8>>) {
    let gateway = gateway(&FULL_CHAIN).unwrap();
    let mut streaming = Streaming::start(&gateway).unwrap();
    let mut events = events(200, 1);
    for event in events.drain(..100) {
        streaming.event(&event).unwrap();
    }
    events.truncate(100);
    (streaming, events)
}

// The limit is for a hundred events.
#[library_benchmark]
#[bench::hundred_events(setup = streaming, config = limit(1_340_000))]
fn stream((mut streaming, events): (Streaming, Vec<Vec<u8>>)) -> (Streaming, Vec<Vec<u8>>) {
    for event in &events {
        black_box(streaming.event(black_box(event)).unwrap());
    }
    (streaming, events)
}

library_benchmark_group!(name = requests_and_streams, benchmarks = [request_path, stream]);
main!(library_benchmark_groups = requests_and_streams);

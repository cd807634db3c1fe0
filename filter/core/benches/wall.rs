//! How long the work of one request and of one streamed event takes on this machine.
//!
//! Informs; the gate are the instruction counts in `counts.rs`, which do not depend on who else uses the machine. Bodies
//! rotate: one body over and over is measured too fast, because its branches are learnt.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run must say where")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kt_bench_fixture::{Content, FULL_CHAIN, Streaming, events, gateway, proven_request, request, requests};
use std::hint::black_box;
use std::time::Duration;

const SIZES: [(&str, usize); 3] = [("1 KB", 1024), ("8 KB", 8192), ("64 KB", 65_536)];
const CONTENTS: [(&str, Content); 2] = [("clean", Content::Clean), ("personal", Content::Personal)];
/// Tokens of a streamed answer.
const TOKENS: usize = 200;

/// From the request's headers to what leaves for the upstream, with the chain of the quick start.
fn request_path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let full = gateway(&FULL_CHAIN).unwrap();
    for (size, bytes) in SIZES {
        group.throughput(Throughput::Bytes(bytes as u64));
        for (name, content) in CONTENTS {
            let bodies = requests(bytes, content).unwrap();
            bodies.iter().for_each(|body| proven_request(&full, body, content).unwrap());
            let mut turn = bodies.iter().cycle();
            group.bench_function(format!("{size}, {name}"), |bencher| {
                bencher.iter(|| request(&full, black_box(turn.next().unwrap())).unwrap());
            });
        }
    }
    group.finish();
}

/// The same 8 KB with each policy alone: where the time of the chain goes.
fn policies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy alone, 8 KB");
    group.throughput(Throughput::Bytes(8192));
    let bodies = requests(8192, Content::Clean).unwrap();
    for policy in FULL_CHAIN {
        let alone = gateway(&[policy]).unwrap();
        let mut turn = bodies.iter().cycle();
        group.bench_function(policy, |bencher| {
            bencher.iter(|| request(&alone, black_box(turn.next().unwrap())).unwrap());
        });
    }
    group.finish();
}

/// A stream of two hundred events, per stream; what one event costs is a two-hundredth of it.
fn streamed_events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(TOKENS as u64));
    let full = gateway(&FULL_CHAIN).unwrap();
    let streams: Vec<Vec<Vec<u8>>> = (0..8).map(|seed| events(TOKENS, seed)).collect();
    let mut turn = streams.iter().cycle();
    group.bench_function("200 events", |bencher| {
        bencher.iter_batched(
            || (Streaming::start(&full).unwrap(), turn.next().unwrap()),
            |(mut streaming, events)| {
                events.iter().for_each(|event| {
                    black_box(streaming.event(event).unwrap());
                });
                streaming
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = request_path, policies, streamed_events
}
criterion_main!(benches);

//! How much later text arrives through the gateway than without it.
//!
//! Measures time on this machine, whatever else runs there: the upstream asked directly and through the gateway, in turns, medians of
//! many. What a gateway costs without guards is in it.

use super::exchange::Kit;
use crate::client::{self, Call};
use crate::upstream::Answer;
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Deltas of a measured stream.
const DELTAS: u32 = 200;

/// After the first delta, which is to leave before others are there to be worked on.
const AFTER_THE_FIRST: Duration = Duration::from_micros(1500);

/// Time between the deltas of a stream that is looked at as it comes.
const PACE: Duration = Duration::from_millis(40);

/// Time that the gateway added; medians.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Measured pairs of streams.
    pub runs: usize,
    /// To the first delta, without the gateway.
    pub first_direct: Duration,
    /// To the first delta, through it.
    pub first: Duration,
    /// The whole stream, without the gateway.
    pub whole_direct: Duration,
    /// The whole stream, through it.
    pub whole: Duration,
    /// The first delta arrived before the second was sent.
    pub is_unheld: bool,
}

impl Cost {
    /// Added until the first delta.
    pub fn to_first(&self) -> Duration {
        self.first.saturating_sub(self.first_direct)
    }

    /// Added for each delta.
    pub fn for_each(&self) -> Duration {
        self.whole.saturating_sub(self.whole_direct) / DELTAS
    }
}

/// One word after the other, none of which could begin anything.
fn deltas() -> impl Iterator<Item = String> {
    let words =
        ["the ", "bridge ", "is made of ", "steel ", "and it stands ", "where people ", "walk over it, "];
    (0_u32..)
        .zip(words.into_iter().cycle())
        .take(DELTAS as usize)
        .map(|(_, word)| super::probe::delta("content", word))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Time to the first event and to the end.
fn time(address: SocketAddr, call: &Call) -> io::Result<(Duration, Duration)> {
    let begun = Instant::now();
    let mut stream = client::open(address, call)?;
    let mut first = None;
    while let Some(piece) = stream.piece()? {
        if first.is_none() && !piece.is_empty() {
            first = Some(begun.elapsed());
        }
    }
    Ok((first.unwrap_or_default(), begun.elapsed()))
}

/// Nothing where the streams do not come to their end.
pub(super) fn measure(kit: &Kit, runs: usize) -> Option<Cost> {
    let body = json!({"model": kit.target.model, "stream": true, "messages": [{"role": "user", "content": "Tell me of the bridge."}]});
    let direct = Call::post("/v1/chat/completions", body.to_string());
    let through = kit.target.address_to(direct.clone());
    let mut all = deltas();
    let answer = Answer::chunks(all.next()).wait(AFTER_THE_FIRST);
    let answer = all.fold(answer, Answer::bytes);
    kit.answer_with(answer.bytes("data: [DONE]\n\n"));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        without.push(time(kit.upstream.address(), &direct).ok()?);
        with.push(time(kit.target.address, &through).ok()?);
    }
    let slow =
        deltas().take(3).fold(Answer::chunks::<&str>([]), |answer, delta| answer.bytes(delta).wait(PACE));
    kit.answer_with(slow.bytes("data: [DONE]\n\n"));
    let (first, whole) = time(kit.target.address, &through).ok()?;
    let half = |times: &[(Duration, Duration)], which: fn(&(Duration, Duration)) -> Duration| {
        median(times.iter().map(which).collect())
    };
    Some(Cost {
        runs,
        first_direct: half(&without, |times| times.0),
        first: half(&with, |times| times.0),
        whole_direct: half(&without, |times| times.1),
        whole: half(&with, |times| times.1),
        // Three deltas, a pause after each: what was held until the end comes after the third.
        is_unheld: whole.saturating_sub(first) > PACE,
    })
}

//! The scenario corpus through the real Envoy.

use crate::{http2, with_config};
use kt_tests::client::Call;
use kt_tests::envoy::Gateway;
use kt_tests::scenario::law::{Cuts, check_law, chunkings};
use kt_tests::scenario::{self, Arrival, Host, ModelAnswer, Outcome, SentUpstream};
use kt_tests::upstream::{Answer, Upstream};
use serde_json::Value;
use std::time::Duration;

/// Long enough for Envoy to read one piece before the next is there, so that it sees the pieces.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

struct Running {
    config: Value,
    upstream: Upstream,
    gateway: Gateway,
    events: usize,
}

/// Keeps the gateway of the latest configuration: scenarios of one configuration follow each other.
#[derive(Default)]
struct Envoy {
    running: Option<Running>,
    /// The client speaks HTTP/2.
    http2: bool,
}

impl Envoy {
    fn serving(&mut self, config: &Value) -> &mut Running {
        if self.running.as_ref().is_none_or(|running| running.config != *config) {
            self.running = None;
            let upstream = Upstream::start(|_| Answer::status(500)).unwrap();
            let gateway = with_config(&upstream, config).start();
            self.running = Some(Running { config: config.clone(), upstream, gateway, events: 0 });
        }
        self.running.as_mut().unwrap()
    }
}

impl Host for Envoy {
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome {
        let http2 = self.http2;
        let running = self.serving(config);
        let scripted = scripted(answer);
        running.upstream.script(move |_| scripted.clone());
        let reply = match http2 {
            false => running.gateway.send(call),
            true => http2::call(running.gateway.address(), call),
        };
        running.events += 1;
        let event = running.gateway.await_events(running.events).pop();
        let mut requests = running.upstream.take_requests();
        assert!(requests.len() <= 1, "one call led to {} attempts", requests.len());
        Outcome {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
            whole: reply.whole,
            upstream: requests.pop().map(|request| SentUpstream {
                path: request.path,
                headers: request.headers,
                body: request.body,
            }),
            event,
        }
    }
}

fn scripted(answer: &ModelAnswer) -> Answer {
    let mut scripted = Answer::status(answer.status);
    for (name, value) in &answer.headers.0 {
        scripted = scripted.header(name, value.as_str());
    }
    if let [whole] = answer.pieces.as_slice() {
        return scripted.header("content-length", whole.len().to_string()).bytes(whole);
    }
    answer.pieces.iter().fold(scripted, |scripted, piece| scripted.bytes(piece).wait(BETWEEN_PIECES))
}

#[test]
fn every_scenario_holds_for_every_arrival() {
    let arrivals = [Arrival::Whole, Arrival::ByEvent, Arrival::ByBytes(7)];
    scenario::check_all(&mut Envoy::default(), &arrivals, |config| scenario::targets(config) == 1);
}

/// Few, because each takes milliseconds for every piece; a long run has forty times as many, which is still a sample.
fn sample() -> Cuts {
    match chunkings(1) {
        ..100 => Cuts { two_every: 997, bytewise: false, random: 1, most_pieces: 40 },
        long => Cuts { two_every: 97, bytewise: false, random: long / 25, most_pieces: 40 },
    }
}

#[test]
fn a_sample_of_chunkings_delivers_the_redaction_of_the_whole_to_http1_clients() {
    check_law(&mut Envoy::default(), sample());
}

#[test]
fn a_sample_of_chunkings_delivers_the_redaction_of_the_whole_to_http2_clients() {
    check_law(&mut Envoy { http2: true, ..Envoy::default() }, sample());
}

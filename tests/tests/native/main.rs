//! The scenario corpus run natively, on the engine alone: no ABI, no Envoy, every way of arriving.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod law;

use kt_core::event::Latency;
use kt_core::exchange::{
    Admission, AnswerHead, AnswerMode, ChunkStep, Exchange, Gateway, RequestHead, Timing,
};
use kt_core::plan;
use kt_core::reply::Reply;
use kt_tests::client::Call;
use kt_tests::scenario::{self, Arrival, Host, ModelAnswer, Outcome, SentUpstream};
use kt_tests::wire::Headers;
use serde_json::{Value, json};
use std::rc::Rc;

/// Keeps the gateway of the latest configuration.
#[derive(Default)]
struct Native {
    latest: Option<(Value, Rc<Gateway>)>,
}

impl Native {
    fn gateway(&mut self, config: &Value) -> Rc<Gateway> {
        if let Some((known, gateway)) = &self.latest
            && known == config
        {
            return gateway.clone();
        }
        let mut served = config.clone();
        served["providers"]["targets"][0]["base_url"] = json!("http://upstream.test/v1");
        let plan = plan::check(&served).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let gateway = Gateway::new(plan.downstream("")).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let gateway = Rc::new(gateway);
        self.latest = Some((config.clone(), gateway.clone()));
        gateway
    }
}

impl Host for Native {
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome {
        let mut exchange = Exchange::new(self.gateway(config));
        let mut outcome = run(&mut exchange, call, answer);
        let timing = Timing {
            latency: Latency::default(),
            status: u64::from(outcome.status),
            attempts: u64::from(outcome.upstream.is_some()),
            ..Timing::default()
        };
        outcome.event = exchange.finish(&timing).map(|line| serde_json::from_slice(&line).unwrap());
        outcome
    }
}

/// Does what Envoy's filter does with what the exchange says.
fn run(exchange: &mut Exchange, call: &Call, answer: &ModelAnswer) -> Outcome {
    let mut headers =
        vec![(":method".to_owned(), call.method.clone()), (":path".to_owned(), call.path.clone())];
    headers.extend(call.headers.0.iter().cloned());
    let dispatch = match exchange.admit(RequestHead::new(headers)) {
        Admission::Reply(reply) => return replied(reply, None),
        Admission::Pass(dispatch) => dispatch,
        Admission::Inspect => match exchange.request(&call.body) {
            Err(reply) => return replied(reply, None),
            Ok(dispatch) => dispatch,
        },
    };
    let mut forwarded = call.headers.clone();
    // The filter removes these as they arrive, before the exchange sees anything.
    forwarded.0.retain(|(name, _)| !name.starts_with("x-kt-") && name != "accept-encoding");
    let sent = SentUpstream {
        path: dispatch.path.unwrap_or_else(|| call.path.clone()),
        headers: forwarded,
        body: dispatch.body.unwrap_or_else(|| call.body.clone()),
    };
    let head = AnswerHead {
        status: answer.status,
        content_type: answer.headers.value("content-type").unwrap_or_default().into(),
        has_retry_after: answer.headers.value("retry-after").is_some(),
        ratelimit_reset: answer.headers.value("x-ratelimit-reset").map(str::to_owned),
        ends: answer.pieces.is_empty(),
        attempts: 1,
        ..AnswerHead::default()
    };
    let start = exchange.answer(&head);
    let mut headers = answer.headers.clone();
    set(&mut headers, start.set);
    let mut body = Vec::new();
    match start.mode {
        AnswerMode::Pass => body = answer.pieces.concat(),
        AnswerMode::Whole => {
            let whole = answer.pieces.concat();
            match exchange.whole_answer(&whole) {
                Err(reply) => return replied(reply, Some(sent)),
                Ok(answer) => {
                    set(&mut headers, answer.set);
                    body = answer.body.unwrap_or(whole);
                }
            }
        }
        AnswerMode::Stream => {
            let last = answer.pieces.len() - 1;
            for (index, piece) in answer.pieces.iter().enumerate() {
                match exchange.chunk(piece, index == last) {
                    ChunkStep::Forward => body.extend_from_slice(piece),
                    ChunkStep::Replace(bytes) => body.extend(bytes),
                    ChunkStep::Refuse(reply) => return replied(reply, Some(sent)),
                }
            }
            set(&mut headers, exchange.stream_headers());
        }
    }
    Outcome { status: answer.status, headers, body, whole: true, upstream: Some(sent), event: None }
}

fn replied(reply: Reply, upstream: Option<SentUpstream>) -> Outcome {
    let mut headers = Headers::default();
    set(&mut headers, reply.headers);
    Outcome { status: reply.status, headers, body: reply.body, whole: true, upstream, event: None }
}

fn set(headers: &mut Headers, fields: Vec<(&'static str, String)>) {
    for (name, value) in fields {
        headers.0.retain(|(known, _)| known != name);
        headers.push(name, value);
    }
}

#[test]
fn every_scenario_holds_for_every_arrival() {
    let mut arrivals = vec![Arrival::Whole, Arrival::ByEvent];
    arrivals.extend([1, 2, 3, 5, 7, 11, 64, 100].map(Arrival::ByBytes));
    scenario::check_all(&mut Native::default(), &arrivals, |config| scenario::targets(config) == 1);
}

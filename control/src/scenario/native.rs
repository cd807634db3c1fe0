//! Exchanges on the engine alone: no Envoy, no network, no clock.
//!
//! Does what the filter does with what the exchange says. A target's own edits are those of the first attempt.

use super::{Call, Headers, ModelAnswer, Outcome, SentUpstream};
use kt_core::exchange::{
    Admission, AnswerHead, AnswerMode, ChunkStep, Dispatch, Exchange, Gateway, RequestHead, Timing,
};
use kt_core::reply::Reply;
use std::rc::Rc;

/// Sends `call` through `gateway`, behind which the model answers with `answer`.
pub fn run(gateway: &Rc<Gateway>, call: &Call, answer: &ModelAnswer) -> Outcome {
    let mut exchange = Exchange::new(gateway.clone());
    let mut outcome = pass(&mut exchange, call, answer);
    let timing = Timing {
        status: u64::from(outcome.status),
        attempts: u64::from(outcome.upstream.is_some()),
        ..Timing::default()
    };
    outcome.event = exchange.finish(&timing).and_then(|line| serde_json::from_slice(&line).ok());
    outcome
}

fn pass(exchange: &mut Exchange, call: &Call, answer: &ModelAnswer) -> Outcome {
    let mut forwarded = call.headers.clone();
    // The filter removes these as they arrive, before the exchange sees anything.
    forwarded.0.retain(|(name, _)| !name.starts_with("x-kt-") && name != "accept-encoding");
    let mut headers =
        vec![(":method".to_owned(), call.method.clone()), (":path".to_owned(), call.path.clone())];
    headers.extend(call.headers.0.iter().cloned());
    let dispatch = match admit(exchange, headers, &call.body) {
        Err(reply) => return replied(reply, None),
        Ok(dispatch) => dispatch,
    };
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
    headers.0.retain(|(name, _)| !start.remove.contains(&name.as_str()));
    let body = match start.mode {
        AnswerMode::Pass => answer.pieces.concat(),
        AnswerMode::Meter => {
            let whole = answer.pieces.concat();
            exchange.meter(&whole, true);
            whole
        }
        AnswerMode::Whole => {
            let whole = answer.pieces.concat();
            match exchange.whole_answer(&whole) {
                Err(reply) => return replied(reply, Some(sent)),
                Ok(answer) => {
                    set(&mut headers, answer.set);
                    answer.body.unwrap_or(whole)
                }
            }
        }
        AnswerMode::Stream => match stream(exchange, answer.pieces.iter().map(Vec::as_slice)) {
            Err(reply) => return replied(reply, Some(sent)),
            Ok(body) => {
                set(&mut headers, exchange.stream_headers());
                body
            }
        },
    };
    Outcome { status: answer.status, headers, body, whole: true, upstream: Some(sent), event: None }
}

/// Takes a whole request; pseudo-headers are among the headers.
pub(crate) fn admit(
    exchange: &mut Exchange,
    headers: Vec<(String, String)>,
    body: &[u8],
) -> Result<Dispatch, Reply> {
    match exchange.admit(RequestHead::new(headers)) {
        Admission::Inspect => exchange.request(body),
        Admission::Pass(dispatch) => Ok(dispatch),
        Admission::Reply(reply) => Err(reply),
    }
}

/// What leaves of a streamed answer that arrives in these pieces.
pub(crate) fn stream<'p>(
    exchange: &mut Exchange,
    pieces: impl ExactSizeIterator<Item = &'p [u8]>,
) -> Result<Vec<u8>, Reply> {
    let mut body = Vec::new();
    let last = pieces.len().saturating_sub(1);
    for (index, piece) in pieces.enumerate() {
        match exchange.chunk(piece, index == last) {
            ChunkStep::Forward => body.extend_from_slice(piece),
            ChunkStep::Replace(bytes) => body.extend(bytes),
            ChunkStep::Refuse(reply) => return Err(reply),
        }
    }
    Ok(body)
}

fn replied(reply: Reply, upstream: Option<SentUpstream>) -> Outcome {
    let mut headers = Headers::default();
    set(&mut headers, reply.headers);
    Outcome { status: reply.status, headers, body: reply.body, whole: true, upstream, event: None }
}

fn set(headers: &mut Headers, fields: Vec<(&'static str, String)>) {
    for (name, value) in fields {
        headers.set(name, value);
    }
}

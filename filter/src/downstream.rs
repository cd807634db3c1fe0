//! The listener's role: hands what arrives to the exchange and does what it says.
//!
//! A body may end in its last chunk or in trailers (every HTTP/2 client may do so, and Envoy's decompressor always does), so
//! both ends lead to the same place.

use crate::audit;
use crate::classify::{self, Question};
use crate::cut;
use crate::host::{self, state};
use crate::metrics;
use kt_core::attempt::trail::Trail;
use kt_core::event::Latency;
use kt_core::exchange::{
    Admission, AnswerHead, AnswerMode, ChunkStep, Dispatch, Exchange, Gateway, RequestHead, RequestStep,
    Timing,
};
use kt_core::reply::Reply;
use kt_core::router::{Classification, Picked};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// Where Envoy says whose word an answer is.
const DETAILS: [&str; 2] = ["response", "code_details"];

/// What it says of an upstream's own.
const VIA_UPSTREAM: &str = "via_upstream";

/// What it says where the service that counts for several gateways refused, and where it could not be asked.
const OVER_BUDGET: &str = "request_rate_limited";
const BUDGET_UNKNOWN: &str = "rate_limiter_error";

/// What it says where it knew no address of an upstream.
const NO_ADDRESS: &str = "no_healthy_upstream";

/// One request and its answer.
pub(crate) struct DownstreamFilter {
    /// Envoy's number of this stream.
    id: u32,
    exchange: Exchange,
    request: Phase,
    answer: Option<AnswerMode>,
    has_content_length: bool,
    /// What the router's classifier was asked.
    question: Option<Question>,
    /// The client has been answered by us.
    replied: bool,
    /// The stream was ended by us, and its client may not know how to.
    is_cut: bool,
    /// Headers of a streamed answer wait for its first chunk.
    stream_started: bool,
    may_retry: bool,
    /// What is known of the attempts once one answers: no other follows then.
    attempts: Option<(u64, Trail)>,
    /// The upstream's status.
    status: u16,
    /// The status of an answer that passed to its end.
    ended_with: Option<u64>,
    clock: Clock,
}

/// How far the request is.
#[derive(PartialEq, Eq)]
enum Phase {
    /// Its body is being collected.
    Collecting,
    /// Nothing more is done with it.
    Done,
}

/// Moments in nanoseconds since 1970; 0 is never.
#[derive(Default)]
struct Clock {
    arrived: u64,
    dispatched: u64,
    answered: u64,
    first_byte: u64,
    in_policies: u64,
}

impl DownstreamFilter {
    pub(crate) fn new(id: u32, gateway: Rc<Gateway>) -> DownstreamFilter {
        DownstreamFilter {
            id,
            exchange: Exchange::new(gateway),
            request: Phase::Done,
            answer: None,
            has_content_length: false,
            question: None,
            replied: false,
            is_cut: false,
            stream_started: false,
            may_retry: false,
            attempts: None,
            status: 0,
            ended_with: None,
            clock: Clock::default(),
        }
    }

    fn reply(&mut self, reply: &Reply) -> Action {
        self.replied = true;
        self.request = Phase::Done;
        host::reply(reply);
        Action::Pause
    }

    /// The request is complete.
    fn inspect(&mut self) -> Action {
        self.request = Phase::Done;
        let body = host::request_body();
        let started = host::now_ns();
        #[cfg(feature = "panic-route")]
        panic_on_request(&body);
        let outcome = self.exchange.request_step(&body);
        self.clock.dispatched = host::now_ns();
        self.clock.in_policies += self.clock.dispatched.saturating_sub(started);
        match outcome {
            Err(reply) => self.reply(&reply),
            Ok(RequestStep::Dispatch(dispatch)) => self.send(&dispatch, body.len()),
            Ok(RequestStep::Classify(question)) => self.ask(question),
        }
    }

    /// The request goes on its way; `body_bytes` is its length so far.
    fn send(&mut self, dispatch: &Dispatch, body_bytes: usize) -> Action {
        if let Some(outcome) = self.exchange.routed_by() {
            classify::count(outcome);
        }
        let length = dispatch.body.as_ref().map_or(body_bytes, Vec::len);
        if let Some(body) = &dispatch.body {
            host::set_request_body(body);
        }
        if dispatch.body.is_some() || !self.has_content_length {
            host::set_request_header("content-length", Some(&length.to_string()));
        }
        if !self.has_content_length {
            host::set_request_header("transfer-encoding", None);
        }
        self.dispatch(dispatch)
    }

    /// A model picks the target, unless the conversation has one or the model is not to be had.
    fn ask(&mut self, question: Classification) -> Action {
        let now = self.clock.dispatched;
        let remembered = question.memory.as_ref().and_then(|memory| classify::recall(memory, now));
        let picked = match remembered {
            Some(route) => Picked::Remembered(route),
            None if !self.exchange.may_ask(now / 1_000_000) => Picked::Failed("classifier_paused"),
            None => match classify::ask(question, now) {
                Some(question) => {
                    self.question = Some(question);
                    return Action::Pause;
                }
                None => Picked::Failed("classifier_unavailable"),
            },
        };
        self.picked(picked, now)
    }

    fn picked(&mut self, picked: Picked, asked_ns: u64) -> Action {
        self.clock.dispatched = host::now_ns();
        let waited_us = self.clock.dispatched.saturating_sub(asked_ns) / 1000;
        match self.exchange.picked(picked, self.clock.dispatched / 1_000_000, waited_us) {
            Err(reply) => self.reply(&reply),
            // Its body has another model now, whatever its length was.
            Ok(dispatch) => self.send(&dispatch, 0),
        }
    }

    fn dispatch(&mut self, dispatch: &Dispatch) -> Action {
        self.note();
        if let Some(key) = self.exchange.client_key() {
            if dispatch.keeps_client_key {
                host::set_state(state::CLIENT_KEY, key.as_bytes());
            }
            if dispatch.keeps_named_key {
                host::set_state(state::NAMED_KEY, key.as_bytes());
            }
            if dispatch.drops_client_key {
                host::set_request_header("authorization", None);
            }
        }
        for (name, value) in [(":path", &dispatch.path), (":authority", &dispatch.authority)] {
            if value.is_some() {
                host::set_request_header(name, value.as_deref());
            }
        }
        self.may_retry = dispatch.plan.clusters.len() > 1;
        if dispatch.chooses_cluster {
            host::set_state(state::PLAN, dispatch.plan.to_text().as_bytes());
            if let Some(first) = dispatch.plan.cluster(0) {
                host::set_state(state::NEXT, first.as_bytes());
            }
            let retries = dispatch.plan.clusters.len().saturating_sub(1);
            host::set_request_header("x-envoy-max-retries", Some(&retries.to_string()));
            host::clear_route_cache();
        }
        Action::Continue
    }

    /// Sets the filter state that the exchange wants; Envoy tells it to the service that counts for several gateways.
    fn note(&mut self) {
        for (key, value) in self.exchange.take_notes() {
            host::set_state(key, value.as_bytes());
        }
    }

    /// Whether the answer is Envoy's own, because that service refused or could not be asked.
    fn is_out_of_budget(&mut self) -> bool {
        match host::text(DETAILS).as_deref() {
            Some(OVER_BUDGET) => {
                let headers = self.exchange.over_shared_budget();
                set_response_headers(&headers);
                true
            }
            Some(BUDGET_UNKNOWN) => {
                self.exchange.fail();
                true
            }
            _ => false,
        }
    }

    /// The answer is complete and was held back.
    fn finish_whole(&mut self) -> Action {
        let body = host::response_body();
        let started = host::now_ns();
        let outcome = self.exchange.whole_answer(&body);
        self.clock.first_byte = host::now_ns();
        self.clock.in_policies += self.clock.first_byte.saturating_sub(started);
        self.answer = None;
        match outcome {
            Err(reply) => self.reply(&reply),
            Ok(answer) => {
                set_response_headers(&answer.set);
                if let Some(edited) = &answer.body {
                    host::set_response_header("content-length", Some(&edited.len().to_string()));
                    host::set_response_body(edited);
                }
                Action::Continue
            }
        }
    }

    fn chunk(&mut self, ends: bool) -> Action {
        let chunk = host::response_body();
        // Two looks at the clock are a tenth of what a chunk costs; the first chunks stand for the others.
        let started = if self.stream_started { 0 } else { host::now_ns() };
        let step = self.exchange.chunk(&chunk, ends);
        if started != 0 {
            self.clock.in_policies += host::now_ns().saturating_sub(started);
        }
        let out = match step {
            ChunkStep::Refuse(reply) => {
                self.answer = None;
                return self.reply(&reply);
            }
            ChunkStep::Forward => None,
            ChunkStep::Replace(out) => Some(out),
        };
        let leaves = out.as_ref().map_or(chunk.len(), Vec::len);
        if let Some(out) = &out {
            host::set_response_body(out);
            if !ends && !self.is_cut && self.exchange.closed() {
                self.is_cut = true;
                cut::begin(self.id);
            }
        }
        if self.stream_started {
            return Action::Continue;
        }
        // While nothing has left, a block can still be an ordinary error instead of an event in the stream.
        if leaves == 0 && !ends {
            return Action::Pause;
        }
        self.stream_started = true;
        self.clock.first_byte = host::now_ns();
        set_response_headers(&self.exchange.stream_headers());
        Action::Continue
    }

    /// Number of the attempt that answers, and all of them where the attempt role tells of them.
    fn attempts_so_far(&self) -> (u64, Trail) {
        if self.exchange.has_attempt_role() {
            let trail = Trail::from_text(&host::state(state::PLAN).unwrap_or_default());
            return (trail.0.len() as u64, trail);
        }
        let attempts = match self.may_retry {
            true => host::number(["upstream", "request_attempt_count"]).unwrap_or(1),
            false => 1,
        };
        (attempts, Trail::default())
    }

    /// The answer has passed to its end.
    fn ends(&mut self, ends: bool) {
        if ends && !self.replied {
            self.ended_with = Some(self.status.into());
        }
    }

    fn timing(&mut self) -> Timing {
        let us = |from: u64, to: u64| (from != 0 && to >= from).then(|| (to - from) / 1000);
        // What was seen to its end needs no asking, unless it may be Envoy's own word for an upstream that failed.
        let (status, details) = match self.ended_with {
            Some(status) if status < 500 => (status, VIA_UPSTREAM.to_owned()),
            _ => (host::number(["response", "code"]).unwrap_or(0), host::text(DETAILS).unwrap_or_default()),
        };
        let now = host::now_ns();
        let (attempts, trail) = match (self.clock.dispatched, self.clock.answered) {
            (0, _) => (0, Trail::default()),
            (_, 0) if self.replied => (0, Trail::default()),
            _ => self.attempts.take().unwrap_or_else(|| self.attempts_so_far()),
        };
        Timing {
            unix_ms: now / 1_000_000,
            latency: Latency {
                total_us: now.saturating_sub(self.clock.arrived) / 1000,
                upstream_us: us(self.clock.dispatched, self.clock.answered),
                ttft_us: us(self.clock.arrived, self.clock.first_byte),
                policy_us: self.clock.in_policies / 1000,
            },
            status,
            attempts,
            trail,
            unreachable: details == NO_ADDRESS,
            client_gone: details.starts_with("downstream_") || details.contains("client_disconnect"),
            upstream_failed: !self.replied && details != VIA_UPSTREAM,
        }
    }
}

impl Context for DownstreamFilter {
    fn on_http_call_response(&mut self, call: u32, headers: usize, _body: usize, _trailers: usize) {
        let Some(question) = self.question.take_if(|question| question.call == call) else { return };
        let body = host::call_body();
        let picked = match headers {
            // Asking for a header of an answer that never came is a panic.
            0 => Picked::Failed("classifier_unavailable"),
            _ => Picked::Answer { status: host::call_status().unwrap_or(0), body: &body },
        };
        let action = self.picked(picked, question.asked_ns);
        if let (Some(route), Some(memory)) = (self.exchange.route_to_remember(), &question.memory) {
            classify::remember(memory, route, self.clock.dispatched);
        }
        if action == Action::Continue {
            host::resume_request();
        }
    }
}

impl HttpContext for DownstreamFilter {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        self.clock.arrived = host::now_ns();
        let headers = host::request_headers();
        for (name, _) in &headers {
            // Ours alone to set; and an answer that comes compressed cannot be read.
            if name.starts_with("x-kt-") || name == "accept-encoding" {
                host::set_request_header(name, None);
            }
            self.has_content_length |= name == "content-length";
        }
        match self.exchange.admit(RequestHead::new(headers)) {
            Admission::Reply(reply) => self.reply(&reply),
            Admission::Pass(dispatch) => {
                self.clock.dispatched = self.clock.arrived;
                self.dispatch(&dispatch)
            }
            Admission::Inspect if ends => self.inspect(),
            Admission::Inspect => {
                self.request = Phase::Collecting;
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        match (&self.request, ends) {
            (Phase::Done, _) => Action::Continue,
            // What has come so far is buffered, so the size is that of all of it.
            (Phase::Collecting, false) => match self.exchange.growing(size) {
                Ok(()) => Action::Pause,
                Err(reply) => self.reply(&reply),
            },
            (Phase::Collecting, true) => self.inspect(),
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.request {
            Phase::Done => Action::Continue,
            Phase::Collecting => self.inspect(),
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        if self.replied {
            return Action::Continue;
        }
        let status = host::response_header(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        if status >= 400 && self.exchange.shares_budget() && self.is_out_of_budget() {
            self.replied = true;
            return Action::Continue;
        }
        self.clock.answered = host::now_ns();
        let (attempts, trail) = self.attempts.insert(self.attempts_so_far()).clone();
        self.status = status;
        let limited = status == 429;
        // A header costs two microseconds to read or write. Only what was asked to stream can be a stream that is inspected,
        // and what comes compressed all the same shows as an answer that cannot be read.
        let content_type =
            self.exchange.wants_stream().then(|| host::response_header("content-type")).flatten();
        let head = AnswerHead {
            status,
            content_type: content_type.unwrap_or_default(),
            has_retry_after: limited && host::response_header("retry-after").is_some(),
            ratelimit_reset: limited.then(|| host::response_header("x-ratelimit-reset")).flatten(),
            ends,
            from_upstream: status < 500 || host::text(DETAILS).as_deref() == Some(VIA_UPSTREAM),
            trail,
            at_ms: self.clock.answered / 1_000_000,
            attempts,
        };
        let start = self.exchange.answer(&head);
        set_response_headers(&start.set);
        for name in start.remove {
            host::set_response_header(name, None);
        }
        self.answer = Some(start.mode);
        match start.mode {
            AnswerMode::Pass | AnswerMode::Meter => {
                self.clock.first_byte = self.clock.answered;
                self.ends(ends);
                Action::Continue
            }
            AnswerMode::Whole | AnswerMode::Stream => Action::Pause,
        }
    }

    fn on_http_response_body(&mut self, _size: usize, ends: bool) -> Action {
        let action = match (self.answer, ends) {
            (None | Some(AnswerMode::Pass), _) => Action::Continue,
            (Some(AnswerMode::Meter), ends) => {
                self.exchange.meter(&host::response_body(), ends);
                Action::Continue
            }
            (Some(AnswerMode::Whole), false) => Action::Pause,
            (Some(AnswerMode::Whole), true) => self.finish_whole(),
            (Some(AnswerMode::Stream), ends) => self.chunk(ends),
        };
        self.ends(ends);
        action
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        let action = match self.answer {
            None | Some(AnswerMode::Pass) => Action::Continue,
            Some(AnswerMode::Meter) => {
                self.exchange.meter(&[], true);
                Action::Continue
            }
            Some(AnswerMode::Whole) => self.finish_whole(),
            Some(AnswerMode::Stream) if self.exchange.holds() && !self.exchange.closed() => {
                // Trailers cannot carry the text that is still held, and it must not be lost without a sign.
                let reply = self.exchange.fail();
                self.reply(&reply)
            }
            Some(AnswerMode::Stream) => Action::Continue,
        };
        self.ends(true);
        action
    }

    fn on_log(&mut self) {
        if self.is_cut {
            cut::end(self.id);
        }
        let timing = self.timing();
        // An empty value says that no event is wanted; without a value Envoy writes a line of its own.
        let mut line = self.exchange.finish_measured(&timing, &mut metrics::record).unwrap_or_default();
        if !line.is_empty() {
            if self.exchange.is_chained() {
                audit::seal(&mut line);
            }
            line.push(b'\n');
        }
        host::set_state(state::EVENT, &line);
        self.note();
    }
}

fn set_response_headers(headers: &[(&'static str, String)]) {
    for (name, value) in headers {
        host::set_response_header(name, Some(value));
    }
}

/// Stands for a defect in a policy.
#[cfg(feature = "panic-route")]
#[allow(clippy::panic, reason = "this feature exists to panic")]
fn panic_on_request(body: &[u8]) {
    if body.windows(14).any(|window| window == b"kt-panic-route") {
        panic!("asked to panic");
    }
}

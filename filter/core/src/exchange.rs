//! One request and its answer as a state machine without I/O.
//!
//! Whoever holds an [`Exchange`] (Envoy's filter, a test host, `kt-control`) feeds it what arrives and obeys what it says.
//! It reads no clock and calls no one. Invariants: a request is admitted once; no byte of an inspected body leaves before
//! the chain has seen it; after a block nothing of the answer leaves any more.

mod allowance;
mod capture;
mod models;
mod quality;
mod record;
mod request;
mod response;
mod route;
mod routed;
mod stream;
mod texts;

pub use allowance::state as budget_state;
pub use record::{ATTRIBUTES, Timing};
#[cfg(feature = "compile")]
pub use record::{Found, Located};
pub use request::{Admission, Dispatch, RequestHead, RequestStep};
pub use response::{AnswerHead, AnswerMode, AnswerStart, WholeAnswer};
pub use stream::ChunkStep;

use crate::budget::Budgets;
use crate::config::Capture;
use crate::diagnostic::Diagnostic;
use crate::digest::Key;
use crate::event::Ended;
use crate::measure::{Sink, texts_read};
use crate::message::Endpoint;
use crate::plugin::Downstream;
use crate::policy::memory::Memory;
use crate::policy::{Active, Automata, Chain, Direction, Facts, Scratch};
use crate::reply::Reply;
use crate::router::Patience;
use crate::routing::{Routing, Shared};
use allowance::Allowance;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use quality::Asked;
use record::{Closing, Record};
use route::{Account, End};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use stream::Stream;

/// What all exchanges of one gateway share.
pub struct Gateway {
    config: Downstream,
    chain: Chain,
    /// Shared, so that no exchange has to make its own: they take turns, and each is done when it returns.
    scratch: RefCell<Scratch>,
    /// Texts of requests that were read before.
    memory: RefCell<Memory>,
    /// `None`: nothing is known of the targets but their order.
    routing: Option<Routing>,
    /// For hashes that only this gateway can make.
    key: Cell<Key>,
    patience: Patience,
    /// Tokens have a price somewhere, or a limit.
    meters: bool,
    /// `None`: nothing is limited.
    budgets: Option<Budgets>,
    /// Events hold texts.
    captures: bool,
    /// Reads the clock; `None`: no time is taken.
    clock: Option<Rc<dyn Shared>>,
    /// Exchanges so far; the time of every 64th is told policy by policy.
    begun: Cell<u32>,
}

/// Looking at the clock before and after every policy costs a microsecond or two; one exchange in so many stands for the others.
const SAMPLED: u32 = 64;

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("config", &self.config)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Compiles the downstream role's configuration.
    pub fn new(config: Downstream) -> Result<Gateway, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut decoded = |automaton: &Option<String>, path: &str| {
            let decoded = automaton.as_ref().map(|text| BASE64_STANDARD.decode(text)).transpose();
            decoded.unwrap_or_else(|_| {
                let message = "the automaton of the operator's patterns is not base64";
                problems.push(Diagnostic::error("bad-automaton", path, message));
                None
            })
        };
        let patterns = decoded(&config.pattern_automaton, "policy.pii-detector.detect_patterns");
        let assertions = decoded(&config.assertion_automaton, "policy.quality-scorer.assertions");
        let automata = Automata { patterns: patterns.as_deref(), assertions: assertions.as_deref() };
        let chain = Chain::compile(&config.policies, &config.policy, automata, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let meters =
            config.targets.iter().any(|target| target.prices.is_some()) || !config.limits().is_empty();
        Ok(Gateway {
            meters,
            budgets: None,
            captures: config.audit().capture == Capture::Redacted,
            clock: None,
            begun: Cell::new(0),
            config,
            chain,
            scratch: RefCell::default(),
            memory: RefCell::default(),
            routing: None,
            key: Cell::default(),
            patience: Patience::default(),
        })
    }

    /// Lets the choice of targets, and budgets, depend on what all workers know.
    pub fn with_shared(self, shared: Rc<dyn Shared>) -> Gateway {
        let routing = Routing::new(&self.config, shared.clone());
        let limits = self.config.limits();
        let budgets = (!limits.is_empty()).then(|| Budgets::new(limits.to_vec(), shared.clone()));
        Gateway { routing, budgets, clock: Some(shared), ..self }
    }

    /// Reads no text of a request twice that a caller sends again and again, as conversations do.
    pub fn with_memory(self) -> Gateway {
        Gateway { memory: RefCell::new(Memory::new()), ..self }
    }

    /// Chooses among the targets, if there is something to choose by.
    pub fn routing(&self) -> Option<&Routing> {
        self.routing.as_ref()
    }

    /// Makes the counters of all policies known that read anything: one that reads nothing is to be seen.
    pub fn declare(&self, sink: &mut Sink) {
        for direction in [Direction::Request, Direction::Response] {
            self.chain
                .readers(self.chain.all(), direction)
                .for_each(|policy| texts_read(policy.name(), 0, sink));
        }
    }

    /// Sets the key of its hashes. Without one anybody could make them.
    pub fn set_key(&self, key: Key) {
        self.key.set(key);
    }
}

/// One request and its answer.
pub struct Exchange {
    gateway: Rc<Gateway>,
    head: RequestHead,
    /// `None`: what is forwarded is not ours to read.
    endpoint: Option<Endpoint>,
    active: Active,
    /// The client wants an answer that is JSON.
    json_answer: bool,
    record: Record,
    account: Account,
    stream: Option<Stream>,
    /// The body, as the policies left it, of a request whose target is being picked.
    waiting: Option<Vec<u8>>,
    /// What the request asked of its answer, where something scores that.
    asked: Option<Asked>,
    /// The gateway asked for token counts that the client did not ask for.
    swallows_usage: bool,
    /// The body so far of an answer that is only metered.
    metered: Option<Vec<u8>>,
    /// What was reserved, where something is limited.
    allowance: Option<Allowance>,
    /// Filter state to be set.
    notes: Vec<(&'static str, String)>,
    /// Its time is taken policy by policy.
    is_sampled: bool,
}

impl Exchange {
    /// An exchange of which nothing has arrived yet.
    pub fn new(gateway: Rc<Gateway>) -> Exchange {
        let number = gateway.begun.get();
        gateway.begun.set(number.wrapping_add(1));
        let is_sampled = number.is_multiple_of(SAMPLED) && gateway.clock.is_some();
        Exchange {
            gateway,
            head: RequestHead::default(),
            endpoint: None,
            active: Active::default(),
            json_answer: false,
            record: Record::default(),
            account: Account::default(),
            stream: None,
            waiting: None,
            asked: None,
            swallows_usage: false,
            metered: None,
            allowance: None,
            notes: Vec::new(),
            is_sampled,
        }
    }

    /// The caller's own `authorization`.
    pub fn client_key(&self) -> Option<&str> {
        self.head.header("authorization")
    }

    /// Whether the client asked for a stream.
    pub fn wants_stream(&self) -> bool {
        self.record.stream
    }

    /// Whether attempts have a role of their own, which counts them and says which target they try.
    pub fn has_attempt_role(&self) -> bool {
        self.gateway.config.attempt_role
    }

    /// Something in the host failed; the exchange cannot go on.
    pub fn fail(&mut self) -> Reply {
        self.refuse(Reply::gateway_failure(), Ended::GatewayFailure)
    }

    /// The event's line, once the exchange is over; `None` if none is wanted.
    pub fn finish(&mut self, timing: &Timing) -> Option<Vec<u8>> {
        self.finish_measured(timing, &mut |_, _, _| {})
    }

    /// The same, and tells what is counted of it.
    pub fn finish_measured(&mut self, timing: &Timing, sink: &mut Sink) -> Option<Vec<u8>> {
        if let Some(routing) = &self.gateway.routing {
            let end = match () {
                // What the gateway ended itself says nothing about the upstream, however Envoy calls it.
                () if self.record.ended.is_some() => End::Served,
                () if timing.client_gone => End::Cancelled,
                () if timing.unreachable => End::Unreachable,
                () if timing.upstream_failed => End::Failed,
                () => End::Served,
            };
            self.account.close(routing, &timing.trail, end);
        }
        let closing = Closing::of(self, timing);
        self.settle(&closing);
        let line = record::close(self, timing, &closing, sink);
        if self.gateway.config.exports && line.is_some() {
            self.notes.extend(record::attributes(self, timing, &closing));
        }
        line
    }

    /// Whether its event is to be a link of a chain.
    pub fn is_chained(&self) -> bool {
        self.gateway.config.policy.audit_logger.as_ref().is_none_or(|audit| audit.immutable)
    }

    fn refuse(&mut self, reply: Reply, ended: Ended) -> Reply {
        self.record.ended = Some(ended);
        self.record.error_code = reply.code;
        reply
    }
}

//! Asks the router's classifier, and remembers what it picked.
//!
//! The call goes through the classifier's own cluster, so its TLS, key and limits apply; the role in that cluster lives in a VM
//! of its own, which this call therefore cannot re-enter. Invariant: memory is bounded, shared by all workers, and survives a VM.

use crate::host;
use crate::metrics;
use kt_core::measure::Kind;
use kt_core::router::{Classification, Memory};

/// A question under way.
pub(crate) struct Question {
    /// Envoy's number of the call.
    pub(crate) call: u32,
    /// Where the pick is remembered.
    pub(crate) memory: Option<Memory>,
    /// When it was asked, in nanoseconds since 1970.
    pub(crate) asked_ns: u64,
}

/// Sends a question; `None` if it cannot be sent.
pub(crate) fn ask(classification: Classification, now_ns: u64) -> Option<Question> {
    let Classification { cluster, authority, path, body, timeout_ms, memory } = classification;
    let call = host::post(&cluster, &authority, &path, &body, timeout_ms)?;
    Some(Question { call, memory, asked_ns: now_ns })
}

/// The route of a conversation that has one.
pub(crate) fn recall(memory: &Memory, now_ns: u64) -> Option<u32> {
    memory.recall(&host::shared(&memory.slot())?.0, now_ns / 1_000_000_000)
}

/// Keeps the route of a conversation.
pub(crate) fn remember(memory: &Memory, route: u32, now_ns: u64) {
    host::set_shared(&memory.slot(), &memory.record(route, now_ns / 1_000_000_000), 0);
}

/// Counts how a target was picked. `outcome` is one of a few words.
pub(crate) fn count(outcome: &'static str) {
    metrics::record(Kind::Counter, &["kt_router_total;outcome=", outcome], 1);
}

//! Scenarios: one request, one answer of the model, and what has to come of them.
//!
//! The files are data for every host that can run an exchange ([`Host`]): the engine alone ([`native`]), a virtual machine,
//! Envoy. They know nothing of any of them. Expectations are what a user could notice: status, headers, text, what the model
//! was sent, the audit event. Never an order of internal steps.

mod expect;
mod file;
mod lanes;
mod message;
pub mod native;
pub mod response;
mod vendor;

pub use expect::Expect;
pub use file::{Exchange, NotAScenario, Scenario, merge};
pub use lanes::lanes;
pub use message::{Arrival, Call, Headers, ModelAnswer, Outcome, SentUpstream};

use serde_json::Value;

/// Runs exchanges: natively, in wasmtime, in Envoy.
pub trait Host {
    /// Sends `call` through a gateway configured with `config`, behind which the model answers with `answer`.
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome;
}

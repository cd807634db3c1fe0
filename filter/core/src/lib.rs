//! The policy engine of the gateway, free of any host.
//!
//! ```text
//! config    policy-config.yaml → config → plan
//! request   bytes → message::request → texts → policy → message::rewrite → bytes
//! answer    bytes → message::response → texts → policy → message::rewrite → bytes
//! stream    chunk → sse::decode → message::delta → holdback (policy inside) → sse::encode → bytes
//! refusal   a blocking finding → reply → bytes
//! evidence  everything above → event → one JSON line
//! ```
//!
//! Invariants: nothing here reads a clock, the environment, a file or a socket; `message`, `sse` and `scan` never name
//! `policy`, `plan` or `exchange`; a policy never sees JSON or SSE; only `reply` writes what a client reads.

pub mod attempt;
pub mod config;
pub mod cost;
pub mod diagnostic;
pub mod plan;
pub mod plugin;
pub mod routing;
pub mod targets;

pub mod measure;
pub mod message;
pub mod sse;

mod budget;
pub mod chain;
pub mod digest;
pub mod fnv;
pub mod holdback;
mod json;
mod order;
pub mod policy;
pub mod scan;

pub mod event;
pub mod exchange;
pub mod reply;
pub mod router;

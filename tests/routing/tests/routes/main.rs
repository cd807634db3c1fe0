//! Routing as upstreams see it: who is tried, in which order, with what, whatever goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod examples;
mod front;
mod soak;
mod table;

use kt_tests::client::Call;
use serde_json::Value;

/// A chat request.
fn ask(body: &Value) -> Call {
    Call::post("/v1/chat/completions", body.to_string())
}

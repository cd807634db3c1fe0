//! The proxy-wasm module that Envoy loads: one module, two roles.
//!
//! Translates Envoy's callbacks into calls of `kt_core` and its answers into host calls; decides nothing itself.

#![allow(missing_docs, reason = "the entry points that `proxy_wasm::main!` writes cannot have any")]

mod attempt;
mod audit;
mod classify;
mod cut;
mod downstream;
mod host;
mod metrics;
mod root;
mod shared;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}

//! Checks `policy-config.yaml`, renders Envoy's configuration from it, and runs the gateway.
//!
//! Carries no traffic and evaluates no policy by itself: that is `kt-core`'s work, here as in the filter.
//! Invariant: data goes to standard output, diagnostics go to standard error.

pub mod audit;
pub mod catalog;
pub mod cli;
pub mod command;
pub mod deployment;
pub mod envoy;
pub mod explanations;
pub mod kubernetes;
pub mod lint;
pub mod oci;
pub mod render;
pub mod report;
pub mod scenario;
pub mod schema;
pub mod source;

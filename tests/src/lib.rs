//! Hosts and counterparts for testing the gateway: a scripted model server, a client that sees every byte, the real Envoy.
//!
//! Holds no test: those are in `tests/`, the scenario corpus in `scenarios/`. Everything listens on loopback only, and
//! everything that was started ends with the value that started it.

pub mod client;
pub mod conformance;
pub mod demo;
pub mod envoy;
pub mod port;
pub mod redirect;
pub mod repository;
pub mod scenario;
pub mod upstream;
pub mod wire;

pub use kt_control::scenario::response;

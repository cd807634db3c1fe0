//! What other programs are configured with, made from a plan.
//!
//! Reads no file and no environment: the same plan, source and deployment give the same bytes.

pub mod envoy;
pub mod plugin;

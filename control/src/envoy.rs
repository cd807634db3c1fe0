//! The part of Envoy's API that is rendered, as types.
//!
//! Decides nothing. Structs and fields are named as in Envoy's API, version 3, so that Envoy's documentation is theirs.
//! Invariant: what these types can say, Envoy accepts in form; whether it accepts the whole is tested with Envoy.

#![allow(missing_docs, reason = "the names are Envoy's, and so is their documentation")]

mod access_log;
mod any;
mod bootstrap;
mod cluster;
mod common;
mod filter;
mod limits;
mod listener;
mod matching;
mod route;

pub use access_log::*;
pub use any::{Any, StringValue};
pub use bootstrap::*;
pub use cluster::*;
pub use common::*;
pub use filter::*;
pub use limits::*;
pub use listener::*;
pub use matching::*;
pub use route::*;

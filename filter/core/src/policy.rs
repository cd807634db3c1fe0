//! The policies and the chain they form.
//!
//! A policy sees texts, never JSON, SSE or another policy. Every policy inspects the text as it was written; edits are
//! merged afterwards, so the order of the chain decides only which block is reported.

pub mod pii;
pub mod prompt_injection;
pub mod safety;

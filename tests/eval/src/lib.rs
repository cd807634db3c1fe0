//! Scores the detectors on labelled texts.
//!
//! Decides nothing: it runs the chain that the filter and `kt-control policy scan` run, and counts. Invariant: every record
//! of a file is scored exactly once, and what was found is never printed, only how often.

pub mod corpus;
pub mod curve;
pub mod detector;
pub mod floors;
pub mod report;
pub mod scored;
pub mod spans;

//! The operator's own patterns.

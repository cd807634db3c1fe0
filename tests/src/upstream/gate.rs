//! Lets a test hold an answer until something else has happened.
//!
//! A gate opens once and stays open; it carries no data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A gate, closed at first; clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate::default()
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was opened.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

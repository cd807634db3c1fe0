//! Processes that tests start and that must not outlive them.

use std::process::{Child, Command};

/// A process that ends with its value.
#[derive(Debug)]
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Asked, not killed: it may have a child of its own to end.
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}

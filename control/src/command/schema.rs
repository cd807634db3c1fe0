//! `schema`: what `policy-config.yaml` may hold, for editors and for people.

use super::{Result, Status, print};
use crate::schema;
use clap::Args;

/// Options of `schema`.
#[derive(Debug, Args)]
pub struct Options {
    /// Prints the reference page instead of the JSON Schema
    #[arg(long)]
    markdown: bool,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        print(&if self.markdown { schema::page() } else { schema::text() })?;
        Ok(Status::Fine)
    }
}

//! `policy lint`: every problem of a policy file at once.

use super::{Result, Status, print, read};
use crate::cli::PolicyFile;
use crate::report::{self, Finding, Format};
use clap::Args;

/// Options of `policy lint`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    file: PolicyFile,
    /// Advice counts as a finding too
    #[arg(long)]
    strict: bool,
    /// Prints a list of objects to standard output
    #[arg(long, conflicts_with = "github")]
    json: bool,
    /// Prints workflow commands of GitHub Actions to standard output
    #[arg(long)]
    github: bool,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let (name, text) = read(&self.file.policy_file)?;
        let findings = findings(&name, text);
        match (self.json, self.github) {
            (true, _) => print(&report::write(&findings, Format::Json))?,
            (_, true) => print(&report::write(&findings, Format::Github))?,
            _ => super::complain(&findings),
        }
        let counts = |finding: &Finding| self.strict || finding.is_error();
        Ok(if findings.iter().any(counts) { Status::Findings } else { Status::Fine })
    }
}

/// Errors, or advice where there are none.
pub fn findings(name: &str, text: String) -> Vec<Finding> {
    match super::check(name, text) {
        Err(findings) => findings,
        Ok(loaded) => {
            let advice = crate::lint::warnings(&loaded.source, &loaded.plan, &crate::lint::Here);
            let mut findings: Vec<Finding> =
                advice.into_iter().map(|problem| Finding::new(&loaded.source, problem)).collect();
            findings.sort_by_key(|finding| (finding.line, finding.column));
            findings
        }
    }
}

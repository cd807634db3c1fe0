//! What the commands share: how a policy file is loaded and how a command ends.
//!
//! Invariant: standard output carries only what the command was asked for.

pub mod audit;
pub mod diff;
pub mod doctor;
pub mod dry_run;
pub mod explain;
pub mod gateway;
pub mod init;
pub mod lint;
pub mod models;
pub mod render;
pub mod scan;
pub mod schema;
pub mod test;
pub mod wasm_image;

use crate::lint::Here;
use crate::report::{self, Finding, Format};
use crate::source::Source;
use anyhow::{Context, anyhow};
use kt_core::diagnostic::{Diagnostic, Severity};
use kt_core::exchange::Gateway;
use kt_core::plan::Plan;
use kt_core::plugin::Downstream;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

/// What a command gives back; an error means it could not run.
pub type Result<T> = anyhow::Result<T>;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing to complain about.
    Fine,
    /// The input has problems, and they were printed.
    Findings,
    /// The command could not do its work.
    CouldNotRun,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(match status {
            Status::Fine => 0,
            Status::Findings => 1,
            Status::CouldNotRun => 2,
        })
    }
}

/// A policy file that can be run.
#[derive(Debug)]
pub struct Loaded {
    /// The file.
    pub source: Source,
    /// What it means.
    pub plan: Plan,
}

/// Reads and checks a policy file. The inner error is what is wrong with it.
pub fn load(path: &Path) -> Result<std::result::Result<Loaded, Vec<Finding>>> {
    let (name, text) = read(path)?;
    Ok(check(&name, text))
}

/// Checks a policy file's text.
pub fn check(name: &str, text: String) -> std::result::Result<Loaded, Vec<Finding>> {
    let source =
        Source::parse(name, text.clone()).map_err(|error| vec![Finding::not_yaml(name, &text, *error)])?;
    match kt_core::plan::check(&source.value) {
        Ok(plan) => Ok(Loaded { source, plan }),
        Err(problems) => {
            let mut findings: Vec<Finding> =
                problems.into_iter().map(|problem| Finding::new(&source, at_home(problem))).collect();
            findings.sort_by_key(|finding| (finding.line, finding.column));
            Err(findings)
        }
    }
}

/// An unknown key that is known elsewhere is misplaced rather than misspelt, so the help says where it belongs.
fn at_home(problem: Diagnostic) -> Diagnostic {
    let unexplained = problem.help.as_ref().is_some_and(|help| help.starts_with("known keys here"));
    if problem.code != "unknown-key" || !unexplained {
        return problem;
    }
    let key = problem.path.rsplit('.').next().unwrap_or_default();
    let homes = crate::schema::homes(key);
    let section = |home: &String| home.split('.').next().unwrap_or_default().to_owned();
    // A key of several sections, such as `weight`, says nothing about which was meant.
    if homes.is_empty() || homes.iter().any(|home| Some(section(home)) != homes.first().map(section)) {
        return problem;
    }
    let entry = |home: &String| match home.strip_suffix("[]") {
        Some(list) => format!("an entry of `{list}`"),
        None => format!("`{home}`"),
    };
    let homes = homes.iter().map(entry).collect::<Vec<_>>().join(" or ");
    let help = format!("`{key}` belongs in {homes}");
    problem.help(help)
}

/// The engine of a configuration that was checked.
pub fn engine(config: Downstream) -> Result<Rc<Gateway>> {
    Gateway::new(config).map(Rc::new).map_err(|problems| anyhow!(listed(&problems)))
}

/// Problems in one line.
pub fn listed(problems: &[Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Keys that are named but not there, as errors: Envoy would send `Bearer -` upstream.
pub fn missing_keys(source: &Source, plan: &Plan) -> Vec<Finding> {
    let missing = crate::lint::missing_keys(plan, &Here).into_iter();
    missing.map(|problem| Finding::new(source, Diagnostic { severity: Severity::Error, ..problem })).collect()
}

/// A file's name for people and its text; `-` is standard input.
pub fn read(path: &Path) -> Result<(String, String)> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(("standard input".into(), text));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok((path.display().to_string(), text))
}

/// Writes a file through a draft beside it. Envoy notices a rename, and would read half of a file that is written in place.
fn put(draft: &Path, place: &Path, text: &str) -> Result<()> {
    std::fs::write(draft, text)
        .and_then(|()| std::fs::rename(draft, place))
        .with_context(|| format!("cannot write `{}`", place.display()))
}

/// Prints findings for a person.
pub fn complain(findings: &[Finding]) {
    // Nothing is left to do if standard error is gone.
    let _ = anstream::stderr().write_all(report::write(findings, Format::Text).as_bytes());
}

/// Prints what the command was asked for. A reader that went away is not a failure.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the output")
        }
        _ => Ok(()),
    }
}

/// Says something beside the output.
pub fn note(text: &str) {
    // Nothing is left to do if standard error is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

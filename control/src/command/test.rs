//! `policy test`: scenario files through the chain, without Envoy and without a model.
//!
//! Runs the code that enforces. A scenario says what the model answers; no target is asked.

use super::{Loaded, Result, Status, check, complain, engine, listed, print, read};
use crate::scenario::{Arrival, Call, Host, ModelAnswer, Outcome, Scenario, merge, native};
use anyhow::{Context, bail};
use clap::Args;
use kt_core::exchange::Gateway;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Options of `policy test`.
#[derive(Debug, Args)]
pub struct Options {
    /// Scenario files (`.yaml`), cases of the vendor's format (`.json`), or folders of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// The policy file that they are run against
    #[arg(long, value_name = "FILE", default_value = "policy-config.yaml")]
    policy_config: PathBuf,
    /// Prints the results as JSON
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let (name, text) = read(&self.policy_config)?;
        let Loaded { source, .. } = match check(&name, text) {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        let mut files = Vec::new();
        for path in &self.paths {
            collect(path, &mut files)?;
        }
        if files.is_empty() {
            bail!("no scenario in {}", shown(&self.paths));
        }
        files.sort();
        let mut engine = Engine::default();
        let mut results = Vec::new();
        for file in &files {
            let (name, text) = read(file)?;
            let mut scenario = Scenario::parse(&name, &text)?;
            let mut config = source.value.clone();
            merge(&mut config, std::mem::take(&mut scenario.config));
            if let Err(problems) = engine.prepare(&config) {
                bail!("{name}: its `config` makes a configuration that cannot be used: {problems}");
            }
            scenario.config = config;
            results.push((scenario.problems(&mut engine, ARRIVALS), scenario));
        }
        let failed = results.iter().filter(|(problems, _)| !problems.is_empty()).count();
        print(&if self.json { as_json(&results) } else { as_text(&results, failed) })?;
        Ok(if failed == 0 { Status::Fine } else { Status::Findings })
    }
}

/// A stream is tried in one piece, event by event, and in pieces that fall anywhere.
const ARRIVALS: &[Arrival] =
    &[Arrival::Whole, Arrival::ByEvent, Arrival::ByBytes(1), Arrival::ByBytes(7), Arrival::ByBytes(64)];

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

/// The scenario files at a path; folders are searched.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))? {
        let path = entry?.path();
        let is_scenario =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "json");
        if path.is_dir() || is_scenario {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// Runs exchanges; a configuration is compiled once.
#[derive(Default)]
struct Engine {
    gateways: HashMap<String, Rc<Gateway>>,
}

impl Engine {
    fn prepare(&mut self, config: &Value) -> std::result::Result<(), String> {
        let key = config.to_string();
        if self.gateways.contains_key(&key) {
            return Ok(());
        }
        let mut plan = kt_core::plan::check(config).map_err(|problems| listed(&problems))?;
        // Expectations may look at any event.
        if let Some(audit) = &mut plan.config.policy.audit_logger {
            audit.log_all_access = None;
        }
        let gateway = engine(plan.downstream("")).map_err(|error| error.to_string())?;
        self.gateways.insert(key, gateway);
        Ok(())
    }
}

impl Host for Engine {
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome {
        match self.gateways.get(&config.to_string()) {
            Some(gateway) => native::run(gateway, call, answer),
            // Every configuration is prepared before its exchanges; an unusable one has ended the command.
            None => Outcome::nothing(),
        }
    }
}

fn as_text(results: &[(Vec<String>, Scenario)], failed: usize) -> String {
    let mut out = String::new();
    for (problems, scenario) in results {
        let mark = if problems.is_empty() { "ok  " } else { "FAIL" };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{mark} {}: {}", scenario.name, scenario.about.trim());
        for problem in problems {
            let _ = writeln!(out, "       {problem}");
        }
    }
    let _ = writeln!(
        out,
        "{} scenario{}, {failed} failed",
        results.len(),
        if results.len() == 1 { "" } else { "s" }
    );
    out
}

fn as_json(results: &[(Vec<String>, Scenario)]) -> String {
    let rows = results.iter().map(|(problems, scenario)| {
        json!({"name": scenario.name, "about": scenario.about, "passed": problems.is_empty(), "problems": problems})
    });
    let rows: Vec<Value> = rows.collect();
    let ok = results.iter().all(|(problems, _)| problems.is_empty());
    format!("{:#}\n", json!({"ok": ok, "results": rows}))
}

//! `init`: a policy file to start from, and a scenario that it passes.
//!
//! Overwrites nothing.

use super::{Result, Status, note};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Options of `init`.
#[derive(Debug, Args)]
pub struct Options {
    /// What to start from
    #[arg(long, value_enum, default_value_t = Template::Together)]
    template: Template,
    /// Folder of the files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

/// What a new policy file serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// One model at Together AI
    Together,
    /// One model at OpenAI
    Openai,
    /// Together AI, and OpenAI when it fails
    Fallback,
    /// A virtual model: a small model picks the one that fits the request
    Router,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Template::Together => include_str!("../templates/together.yaml"),
            Template::Openai => include_str!("../templates/openai.yaml"),
            Template::Fallback => include_str!("../templates/fallback.yaml"),
            Template::Router => include_str!("../templates/router.yaml"),
        }
    }
}

/// The scenario holds for every template: it is about policies, and all have the same.
const SCENARIO: &str = include_str!("../templates/scenario.yaml");

const POLICY_FILE: &str = "policy-config.yaml";
const SCENARIO_FILE: &str = "scenarios/attacks-and-addresses.yaml";

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let files = [(POLICY_FILE, self.template.text()), (SCENARIO_FILE, SCENARIO)];
        // Asked first, so that nothing is left half done.
        for (name, _) in files {
            let path = self.dir.join(name);
            if path.exists() {
                bail!("`{}` is there already; nothing was written", path.display());
            }
        }
        for (name, text) in files {
            write_new(&self.dir.join(name), text)?;
        }
        let policy_file = self.dir.join(POLICY_FILE);
        let (policy_file, scenarios) = (policy_file.display(), self.dir.join("scenarios"));
        note(&format!("next: kt-control policy lint {policy_file}"));
        note(&format!("      kt-control policy test {} --policy-config {policy_file}", scenarios.display()));
        note(&format!("      kt gateway run --listen 127.0.0.1:41002 --policy-config {policy_file}"));
        Ok(Status::Fine)
    }
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    note(&format!("wrote {}", path.display()));
    Ok(())
}

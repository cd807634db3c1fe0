//! Reads labelled texts: one JSON object a line.
//!
//! Knows the four files and their fields, nothing of scores. Invariant: a file that cannot be read in full is an error.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// What a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Prompt injection and jailbreaks.
    Injection,
    /// Unsafe content.
    Safety,
    /// Personal data.
    Pii,
    /// Keys and passwords.
    Secrets,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 4] = [Task::Injection, Task::Safety, Task::Pii, Task::Secrets];

    /// The name of its file, and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Task::Injection => "injection",
            Task::Safety => "safety",
            Task::Pii => "pii",
            Task::Secrets => "secrets",
        }
    }
}

/// A span of a text: first byte, byte after the last, type.
pub type Span = (usize, usize, String);

/// One labelled text.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// The text.
    pub text: String,
    /// 1 or 0 for injection; a word for safety, `none` for harmless; anything elsewhere.
    #[serde(default)]
    label: serde_json::Value,
    /// Unsafe categories.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Where it comes from.
    #[serde(default)]
    pub source: String,
    /// The technique of an attack, or the kind of harmless text.
    #[serde(default)]
    pub family: String,
    /// Language, as ISO 639-1 writes it.
    #[serde(default)]
    pub lang: String,
    /// What is to be found.
    #[serde(default)]
    pub spans: Vec<Span>,
    /// Types its source annotates completely.
    #[serde(default)]
    pub covers: Vec<String>,
}

impl Record {
    /// Whether a scored policy should fire.
    pub fn is_positive(&self) -> bool {
        match &self.label {
            serde_json::Value::Number(number) => number.as_i64() == Some(1),
            serde_json::Value::String(label) => label != "none",
            _ => false,
        }
    }

    /// The name under which results are grouped by origin: the source without what stands in brackets.
    pub fn origin(&self) -> &str {
        self.source.split(" (").next().unwrap_or_default()
    }
}

/// The records of `file`.
pub fn read(file: &Path) -> Result<Vec<Record>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("`{}`, line {}: not a labelled text", file.display(), number + 1))
        })
        .collect()
}

//! `policy diff`: which verdicts change from one policy file to another, over recorded requests.
//!
//! Runs both files' chains with the code that enforces, without a model. Invariant: nothing of a request is printed, only
//! where it stands and what became of it.

use super::{Loaded, Result, Status, complain, engine, load, print};
use crate::scenario::{Call, Headers, ModelAnswer, native};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use kt_core::exchange::Gateway;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Options of `policy diff`.
#[derive(Debug, Args)]
pub struct Options {
    /// The policy file as it is
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policy file as it would be
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Recorded requests, a JSON object a line: a body, or `{"request": BODY, "path", "headers", "answer"}`
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Prints the changes as JSON
    #[arg(long)]
    json: bool,
}

/// One recorded exchange.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    request: Value,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A JSON body; absent: the model says nothing of interest.
    #[serde(default)]
    answer: Option<Value>,
}

/// What became of a request, as far as a policy file decides it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Fate {
    status: u16,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    redactions: u32,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.verdict)?;
        if let Some(reason) = &self.reason {
            write!(f, " {reason}")?;
        }
        if self.redactions > 1 {
            write!(f, " ×{}", self.redactions)?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Change {
    file: String,
    line: usize,
    old: Fate,
    new: Fate,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let (Some(old), Some(new)) = (gateway(&self.old)?, gateway(&self.new)?) else {
            return Ok(Status::Findings);
        };
        let mut changes = Vec::new();
        let mut requests = 0;
        for path in &self.replay {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot read `{name}`"))?;
            for (number, line) in BufReader::new(file).lines().enumerate() {
                let place = || format!("{name}:{}", number + 1);
                let line = line.with_context(|| format!("cannot read {}", place()))?;
                if line.trim().is_empty() {
                    continue;
                }
                let (call, answer) = recorded(&line).with_context(place)?;
                requests += 1;
                let (old, new) = (fate(&old, &call, &answer), fate(&new, &call, &answer));
                if old != new {
                    changes.push(Change { file: name.clone(), line: number + 1, old, new });
                }
            }
        }
        let unchanged = changes.is_empty();
        print(&match self.json {
            true => format!("{:#}\n", json!({"requests": requests, "changes": changes})),
            false => as_text(requests, &changes),
        })?;
        Ok(if unchanged { Status::Fine } else { Status::Findings })
    }
}

/// The engine of a policy file; `None` if it has problems, which have been printed.
fn gateway(path: &Path) -> Result<Option<Rc<Gateway>>> {
    let Loaded { plan, .. } = match load(path)? {
        Ok(loaded) => loaded,
        Err(findings) => {
            complain(&findings);
            return Ok(None);
        }
    };
    engine(plan.downstream("")).map(Some)
}

/// Reads a line. Errors say what is wrong with its form, never what stands in it.
fn recorded(line: &str) -> Result<(Call, ModelAnswer)> {
    let value: Map<String, Value> = serde_json::from_str(line).map_err(|_| anyhow!("not a JSON object"))?;
    let recorded = match value.contains_key("request") {
        true => serde_json::from_value::<Recorded>(Value::Object(value))?,
        false => {
            Recorded { request: Value::Object(value), path: None, headers: BTreeMap::new(), answer: None }
        }
    };
    let path = match recorded.path {
        Some(path) => path,
        None => usual_path(&recorded.request)?.to_owned(),
    };
    let mut call = Call::post(&path, recorded.request.to_string());
    for (name, value) in &recorded.headers {
        call = call.header(name, value.as_str());
    }
    let answer = recorded.answer.unwrap_or_else(|| json!({"choices": []}));
    let mut headers = Headers::default();
    headers.push("content-type", "application/json");
    Ok((call, ModelAnswer { status: 200, headers, pieces: vec![answer.to_string().into_bytes()] }))
}

/// Where a body like this is sent.
fn usual_path(body: &Value) -> Result<&'static str> {
    let has = |key: &str| body.get(key).is_some();
    Ok(match () {
        () if has("messages") => "/v1/chat/completions",
        () if has("documents") => "/v1/rerank",
        () if has("prompt") => "/v1/completions",
        // Embeddings have nothing beside their input and how it is written.
        () if has("encoding_format") || has("dimensions") => "/v1/embeddings",
        () if has("input") => "/v1/responses",
        () => bail!("neither a request's body nor an object with `request`; an audit event holds no request"),
    })
}

fn fate(gateway: &Rc<Gateway>, call: &Call, answer: &ModelAnswer) -> Fate {
    let outcome = native::run(gateway, call, answer);
    let header = |name: &str| outcome.headers.value(name).map(str::to_owned);
    // A refusal before any policy has no verdict; its code says what it was.
    let code = || {
        let body: Option<Value> = serde_json::from_slice(&outcome.body).ok();
        body.as_ref()?.pointer("/error/code")?.as_str().map(str::to_owned)
    };
    let (verdict, reason) = match header("x-kt-verdict") {
        Some(verdict) => (verdict, header("x-kt-reason")),
        None => ("refused".to_owned(), code()),
    };
    let redactions = header("x-kt-redactions").and_then(|count| count.parse().ok()).unwrap_or(0);
    Fate { status: outcome.status, verdict, reason, redactions }
}

fn as_text(requests: usize, changes: &[Change]) -> String {
    let mut text = String::new();
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for Change { file, line, old, new } in changes {
        text.push_str(&format!("{file}:{line}: {old} -> {new}\n"));
        *kinds.entry((&old.verdict, &new.verdict)).or_default() += 1;
    }
    let kinds: Vec<String> =
        kinds.iter().map(|((old, new), count)| format!("{count} {old} -> {new}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    text + &format!("{requests} requests, {} changed{kinds}\n", changes.len())
}

//! `audit`: checks, shortens and sums up the log of events.
//!
//! What is wrong with a log is found by [`crate::audit`]. Invariant: a log is replaced as a whole or not at all.

mod html;

use super::{Result, Status, load, note, print, put};
use crate::audit::{Audit, pruned};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use kt_core::chain::{Head, chain_key};
use kt_core::cost::Usd;
use kt_core::event::rfc3339;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Variable with the secret of the chains, as Envoy had it.
const SECRET: &str = "KT_AUDIT_KEY";

/// Problems that are printed; a log of another key has one a line.
const MOST_PROBLEMS: usize = 50;

/// Bytes of a time up to its hour, as in `2026-11-20T10`.
const HOUR_BYTES: usize = 13;

/// What to do with a log.
#[derive(Debug, Subcommand)]
pub enum Audits {
    /// Finds every event that was changed, taken out, put in or moved; reads the secret from KT_AUDIT_KEY
    Verify(Verify),
    /// Takes out what is older than it has to be kept, and leaves an anchor that `verify` knows
    Prune(Prune),
    /// Shows the last events
    Tail(Tail),
    /// Sums events up by target, model, caller and policy
    Report(Report),
}

/// Options of `audit verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The log's files, oldest first
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How far a chain must be at least, as an earlier `verify` printed it
    #[arg(long, value_name = "CHAIN:SEQ:HASH")]
    head: Vec<String>,
    /// The files begin in the middle of the log
    #[arg(long)]
    partial: bool,
}

/// Options of `audit prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// The log's files, oldest first; Envoy must not be writing to them (rotate first)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Days to keep
    #[arg(long, required_unless_present = "policy_config")]
    days: Option<u32>,
    /// Takes the days from `audit-logger.retention_days` of this policy file
    #[arg(long, value_name = "FILE", conflicts_with = "days")]
    policy_config: Option<PathBuf>,
}

/// Which events.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only events whose member has this value, such as `verdict=block` or `target=main`; may be repeated
    #[arg(long = "where", value_name = "KEY=VALUE")]
    conditions: Vec<String>,
    /// Only events at or after this time, RFC 3339 in UTC or the beginning of it
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// Options of `audit tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// The log's files, oldest first
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// How many
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
}

/// Options of `audit report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The log's files, oldest first
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Prints an object
    #[arg(long)]
    json: bool,
    /// Prints a page with charts, which loads nothing
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

impl Audits {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        match self {
            Audits::Verify(options) => options.run(),
            Audits::Prune(options) => options.run(),
            Audits::Tail(options) => options.run(),
            Audits::Report(options) => options.run(),
        }
    }
}

fn secret() -> String {
    std::env::var(SECRET).unwrap_or_default()
}

/// Calls `take` with every line of a file that is not empty, and its number.
fn each_line(path: &Path, mut take: impl FnMut(usize, &[u8])) -> Result<()> {
    let cannot = || format!("cannot read `{}`", path.display());
    let mut reader = BufReader::new(File::open(path).with_context(cannot)?);
    let mut line = Vec::new();
    let mut number = 0;
    while reader.read_until(b'\n', &mut line).with_context(cannot)? > 0 {
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            take(number, text);
        }
        line.clear();
    }
    Ok(())
}

impl Verify {
    fn run(self) -> Result<Status> {
        let read = |text: &String| {
            Head::from_text(text)
                .with_context(|| format!("`{text}` is not `chain:seq:hash`, as `verify` prints it"))
        };
        let heads = self.head.iter().map(read).collect::<Result<Vec<_>>>()?;
        let key = chain_key(&secret());
        let mut audit = Audit::new(self.partial);
        for path in &self.files {
            let name = path.display().to_string();
            each_line(path, |number, line| audit.line(&key, &name, number, line))?;
        }
        audit.finish(heads);
        for problem in audit.problems.iter().take(MOST_PROBLEMS) {
            match &problem.place {
                Some((file, line)) => note(&format!("{file}:{line}: {}", problem.message)),
                None => note(&problem.message),
            }
        }
        let problems = audit.problems.len();
        if problems > MOST_PROBLEMS {
            note(&format!("and {} more", problems - MOST_PROBLEMS));
        }
        let heads: String = audit.heads().map(|head| head.to_text() + "\n").collect();
        print(&heads)?;
        note(&format!(
            "{} events, {} lines of Envoy's own in no chain, {problems} problems",
            audit.events, audit.unsealed
        ));
        if secret().is_empty() && audit.events > 0 {
            note(
                "KT_AUDIT_KEY is not set: whoever can write the log can make a chain; compare heads kept elsewhere",
            );
        }
        Ok(if problems == 0 { Status::Fine } else { Status::Findings })
    }
}

impl Prune {
    fn run(self) -> Result<Status> {
        let days = match (&self.policy_config, self.days) {
            (Some(file), _) => match load(file)? {
                Ok(loaded) => loaded.plan.config.policy.audit_logger.unwrap_or_default().retention_days,
                Err(findings) => {
                    super::complain(&findings);
                    return Ok(Status::CouldNotRun);
                }
            },
            (None, days) => days.unwrap_or_default(),
        };
        let key = chain_key(&secret());
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
        };
        let texts = self.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        // Heads of chains in other files are theirs to check, so `finish` is not asked.
        let mut audit = Audit::new(false);
        for (path, text) in self.files.iter().zip(&texts) {
            let name = path.display().to_string();
            let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
            lines.for_each(|(number, line)| audit.line(&key, &name, number, line.as_bytes()));
        }
        if let Some(problem) = audit.problems.first() {
            bail!("the log is not whole ({}): run `audit verify`; nothing was taken out", problem.message);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let time = |seconds: u64| rfc3339(seconds * 1000);
        let cutoff = time(now.saturating_sub(u64::from(days) * 86_400));
        let (rest, gone) = pruned(&texts, &cutoff, &time(now), &key);
        // The newest first: it has the anchors, without which older files must not lose anything.
        for ((path, text), rest) in self.files.iter().zip(&texts).zip(&rest).rev() {
            if gone > 0 && text != rest {
                let draft = PathBuf::from(format!("{}.draft", path.display()));
                put(&draft, path, rest)?;
            }
        }
        note(&format!("{gone} events older than {days} days were taken out"));
        Ok(Status::Fine)
    }
}

impl Filter {
    /// Calls `take` with every event that fits.
    fn each(&self, files: &[PathBuf], mut take: impl FnMut(&str, Map<String, Value>)) -> Result<()> {
        let split = |text: &String| match text.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => bail!("`{text}` is not `key=value`"),
        };
        let conditions = self.conditions.iter().map(split).collect::<Result<Vec<_>>>()?;
        for path in files {
            each_line(path, |_, line| {
                let text = String::from_utf8_lossy(line);
                let Ok(Value::Object(event)) = serde_json::from_str(&text) else { return };
                let fits = |(key, wanted): &(String, String)| {
                    event.get(key).is_some_and(|value| word(value) == *wanted)
                };
                let recent = |since: &String| event.get("time").is_some_and(|time| word(time) >= *since);
                if !event.contains_key("anchor")
                    && conditions.iter().all(fits)
                    && self.since.iter().all(recent)
                {
                    take(&text, event);
                }
            })?;
        }
        Ok(())
    }
}

/// A value as one writes it on the command line.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Tail {
    fn run(self) -> Result<Status> {
        let mut last = std::collections::VecDeque::new();
        self.filter.each(&self.files, |line, _| {
            last.push_back(line.to_owned() + "\n");
            if last.len() > self.lines {
                last.pop_front();
            }
        })?;
        print(&last.into_iter().collect::<String>())?;
        Ok(Status::Fine)
    }
}

/// What a group of events comes to.
#[derive(Debug, Default, Clone)]
struct Sum {
    events: u64,
    blocked: u64,
    redacted: u64,
    failed: u64,
    prompt: u64,
    completion: u64,
    /// Of events whose tokens were not all counted by the provider.
    estimated: u64,
    cost: u64,
}

impl Sum {
    fn add(&mut self, event: &Map<String, Value>) {
        let is = |key: &str, wanted: &str| event.get(key).is_some_and(|value| value == wanted);
        let tokens = |key: &str| event.get("usage").and_then(|usage| usage.get(key)?.as_u64()).unwrap_or(0);
        self.events += 1;
        self.blocked += u64::from(is("verdict", "block"));
        self.redacted += u64::from(is("verdict", "redact"));
        self.failed += u64::from(
            ["upstream_error", "gateway_failure", "not_inspected"].iter().any(|end| is("ended", end)),
        );
        self.prompt += tokens("prompt");
        self.completion += tokens("completion");
        let is_estimated =
            event.get("usage").is_some_and(|usage| usage.get("complete") == Some(&false.into()));
        self.estimated += u64::from(is_estimated);
        // Twelve decimals of an amount for one exchange are far inside the digits of the type.
        let cost = event.get("cost_usd").and_then(Value::as_f64).unwrap_or(0.0);
        self.cost += (cost * 1e12).round() as u64;
    }

    fn numbers(&self) -> [(&'static str, u64); 7] {
        [
            ("events", self.events),
            ("blocked", self.blocked),
            ("redacted", self.redacted),
            ("failed", self.failed),
            ("prompt_tokens", self.prompt),
            ("completion_tokens", self.completion),
            ("estimated", self.estimated),
        ]
    }
}

impl Report {
    fn run(self) -> Result<Status> {
        let mut total = Sum::default();
        let mut groups: BTreeMap<&'static str, BTreeMap<String, Sum>> = BTreeMap::new();
        let mut hours: BTreeMap<String, Sum> = BTreeMap::new();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        self.filter.each(&self.files, |_, event| {
            total.add(&event);
            // Only the page shows them.
            if let (true, Some(time)) = (self.html, event.get("time").map(word)) {
                let hour = time.get(..HOUR_BYTES).unwrap_or(&time);
                hours.entry(hour.to_owned()).or_default().add(&event);
            }
            for (group, key) in [("target", "target"), ("model", "model_served"), ("caller", "caller")] {
                if let Some(value) = event.get(key) {
                    groups.entry(group).or_default().entry(word(value)).or_default().add(&event);
                }
            }
            for finding in event.get("findings").and_then(Value::as_array).into_iter().flatten() {
                let count = finding.get("count").and_then(Value::as_u64).unwrap_or(1);
                *reasons.entry(finding.get("reason").map(word).unwrap_or_default()).or_default() += count;
            }
        })?;
        if self.html {
            let page = html::Page { total: &total, hours: &hours, groups: &groups, reasons: &reasons };
            print(&page.to_html())?;
            return Ok(Status::Fine);
        }
        if self.json {
            let object = |sum: &Sum| {
                let numbers = sum.numbers().map(|(key, number)| (key.to_owned(), number.into()));
                // As text: a number would lose the last digits of a large sum.
                let cost = ("cost_usd".to_owned(), Usd(sum.cost).to_string().into());
                Value::Object(numbers.into_iter().chain([cost]).collect())
            };
            let groups: BTreeMap<_, BTreeMap<_, _>> = groups
                .iter()
                .map(|(group, sums)| {
                    (*group, sums.iter().map(|(name, sum)| (name.clone(), object(sum))).collect())
                })
                .collect();
            let report = json!({"total": object(&total), "by": groups, "findings": reasons});
            print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
            return Ok(Status::Fine);
        }
        let mut text = String::new();
        let all = BTreeMap::from([("all".to_owned(), total)]);
        for (group, sums) in
            [("total", &all)].into_iter().chain(groups.iter().map(|(group, sums)| (*group, sums)))
        {
            table(group, sums, &mut text);
        }
        if !reasons.is_empty() {
            let width = reasons.keys().map(String::len).max().unwrap_or(0);
            text.push_str("\nFINDINGS\n");
            for (reason, count) in &reasons {
                text.push_str(&format!("  {reason:width$}  {count:>9}\n"));
            }
        }
        print(&text)?;
        Ok(Status::Fine)
    }
}

fn table(group: &str, sums: &BTreeMap<String, Sum>, text: &mut String) {
    let width = sums.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(8);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{:width$}", group.to_uppercase(), width = width + 2));
    for (name, _) in Sum::default().numbers() {
        text.push_str(&format!("  {name:>17}"));
    }
    text.push_str(&format!("  {:>17}\n", "cost_usd"));
    for (name, sum) in sums {
        text.push_str(&format!("  {name:width$}"));
        for (_, number) in sum.numbers() {
            text.push_str(&format!("  {number:>17}"));
        }
        text.push_str(&format!("  {:>17}\n", Usd(sum.cost).to_string()));
    }
}

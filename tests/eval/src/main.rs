//! `make eval`: the detectors on labelled texts, as Markdown.
//!
//! Reads the texts of the repository, and those of a folder of corpora where there is one.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use anyhow::{Context, Result};
use clap::Parser;
use kt_eval::corpus::{self, Record, Task};
use kt_eval::detector::Detector;
use kt_eval::report::{self, Outcome};
use kt_eval::scored::Scored;
use kt_eval::spans::Spans;
use kt_eval::{floors, report::figures};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Scores the detectors on labelled texts.
#[derive(Debug, Parser)]
struct Options {
    /// Folder with `injection.jsonl`, `safety.jsonl`, `pii.jsonl`, `secrets.jsonl`; without it the repository's own texts alone
    #[arg(long)]
    corpora: Option<PathBuf>,
    /// Only these files
    #[arg(long, value_enum)]
    task: Vec<Task>,
    /// Also write every figure to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fail when a figure is below its floor
    #[arg(long)]
    check: bool,
    /// Print the head of every report only
    #[arg(long)]
    brief: bool,
    /// Write `task<TAB>family<TAB>line<TAB>score` of every record of a scored file here, to see which texts are wrong
    #[arg(long)]
    scores: Option<PathBuf>,
}

/// Texts that are in the repository.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
/// Texts that were written before the training texts of their day, in the manner of public benchmarks; none was ever trained on.
const BLIND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/blind");
const FLOORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/floors.json");

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let mut sets = vec![("own", PathBuf::from(OWN)), ("blind", PathBuf::from(BLIND))];
    match &options.corpora {
        Some(folder) if folder.is_dir() => sets.push(("corpora", folder.clone())),
        Some(folder) => {
            eprintln!("no corpora in `{}`: only the repository's own texts are scored", folder.display())
        }
        None => eprintln!("no corpora given (CORPORA=…): only the repository's own texts are scored"),
    }
    let mut detector = Detector::new()?;
    let mut everything = serde_json::Map::new();
    let mut missed = Vec::new();
    let mut list = String::new();
    for (set, folder) in sets {
        let floors = floors::read(Path::new(FLOORS), set)?;
        println!("# {set}\n");
        for task in Task::ALL {
            let file = folder.join(task.name()).with_extension("jsonl");
            if !(options.task.is_empty() || options.task.contains(&task)) || !file.exists() {
                continue;
            }
            let records = corpus::read(&file)?;
            let outcome = run(&mut detector, &records, task, &mut list);
            let text = report::markdown(task, &outcome);
            // The title, an empty line, and the first paragraph or table row that says it all.
            let lines = if options.brief { 6 } else { usize::MAX };
            text.lines().take(lines).for_each(|line| println!("{line}"));
            missed.extend(
                floors::missed(&floors, task.name(), &figures(&outcome))
                    .into_iter()
                    .map(|what| format!("{set}: {what}")),
            );
            everything.insert(format!("{set}.{}", task.name()), report::json(&outcome));
        }
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_vec_pretty(&everything)?;
        std::fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if let Some(file) = &options.scores {
        std::fs::write(file, list).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    missed.iter().for_each(|what| eprintln!("{what}"));
    Ok(if options.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run(detector: &mut Detector, records: &[Record], task: Task, list: &mut String) -> Outcome {
    match task {
        Task::Pii | Task::Secrets => {
            let mut spans = Spans::default();
            for record in records {
                spans.add(record, &detector.spans(&record.text, task), task);
            }
            Outcome::Spans(spans)
        }
        Task::Injection | Task::Safety => {
            let scores: Vec<f32> = records
                .iter()
                .map(|record| {
                    let (injection, safety) = detector.scores(&record.text);
                    if task == Task::Injection { injection } else { safety }
                })
                .collect();
            for (line, (record, score)) in records.iter().zip(&scores).enumerate() {
                list.push_str(&format!("{}\t{}\t{}\t{score}\n", task.name(), record.family, line + 1));
            }
            Outcome::Scored(Box::new(Scored::new(records, &scores, task)))
        }
    }
}

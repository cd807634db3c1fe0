//! `make features` and `make train`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use anyhow::Result;
use clap::{Parser, Subcommand};
use kt_train::learn::{Settings, Task, learn, score};
use kt_train::matrix::{Matrix, Row};
use kt_train::validate::{Unseen, source};
use kt_train::{document, kin, model, sample::Sample, shared, texts, weights};
use std::path::{Path, PathBuf};

/// Makes the weights of the learned detectors.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Turns all texts into numbers: the repository's own and those of a folder of corpora
    Features {
        /// Folder with `injection.jsonl` and `safety.jsonl`
        #[arg(long)]
        corpora: PathBuf,
    },
    /// Fits both models and writes the file of weights
    Train {
        /// Write here instead
        #[arg(long, default_value = WEIGHTS)]
        out: PathBuf,
    },
    /// Leaves whole sources out and says how the models do on them
    Validate {
        /// Only this model
        #[arg(long)]
        only: Option<String>,
        /// Change a setting: cost, evenness, window, least, rules, disguise, known, sided, alike, forms
        #[arg(long, value_parser = setting)]
        set: Vec<(String, f64)>,
        /// Also every family
        #[arg(long)]
        families: bool,
        /// Without the groups that begin with this
        #[arg(long)]
        without: Vec<String>,
        /// Also score the texts of this folder, which must be in no training set
        #[arg(long)]
        held_out: Vec<PathBuf>,
    },
    /// Prints every training text as a line of JSON, to look at
    Texts {
        /// As above
        #[arg(long)]
        corpora: PathBuf,
    },
}

const TEXTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/texts");
const MEANINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/words/meanings.txt");
const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../filter/core/src/policy/model.bin");
const FEATURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/features.bin");

fn main() -> Result<()> {
    match Options::parse().command {
        Command::Features { corpora } => {
            let samples = samples(&corpora)?;
            let mut matrix = Matrix::observe(&samples)?;
            matrix.kin = kin::of(Path::new(MEANINGS), &samples)?;
            matrix.write(Path::new(FEATURES))?;
            eprintln!("{} texts", samples.len());
        }
        Command::Train { out } => {
            let matrix = Matrix::read(Path::new(FEATURES))?;
            let injection = model::model(&matrix, Task::Injection, model::INJECTION);
            let safety = model::model(&matrix, Task::Safety, model::SAFETY);
            let heads = model::heads(&matrix);
            for (task, model) in [(Task::Injection, &injection), (Task::Safety, &safety)] {
                eprintln!(
                    "{task:?}: rules read {:.1} % of harmless segments, rounding moves {:.2} % of the texts",
                    100.0 * model::read_by_rules(&matrix, task, model),
                    100.0 * model::moved_by_rounding(&matrix, task, model),
                );
            }
            std::fs::write(&out, weights::file(&[&injection, &safety], &heads))?;
        }
        Command::Validate { only, set, families, without, held_out } => {
            let mut matrix = Matrix::read(Path::new(FEATURES))?;
            let groups = std::mem::take(&mut matrix.groups);
            matrix.rows.retain(|row| {
                let group = groups.get(usize::from(row.group)).map_or("", String::as_str);
                !without.iter().any(|name| group.starts_with(name.as_str()))
            });
            matrix.groups = groups;
            for (name, task, mut settings) in
                [("injection", Task::Injection, model::INJECTION), ("safety", Task::Safety, model::SAFETY)]
            {
                if only.as_deref().is_none_or(|only| only == name) {
                    set.iter().for_each(|(key, value)| change(&mut settings, key, *value));
                    validate(name, &matrix, task, &settings, families);
                    for folder in &held_out {
                        score_held_out(folder, name, &matrix, task, &settings)?;
                    }
                }
            }
        }
        Command::Texts { corpora } => {
            for Sample { text, attack, safety, source, family, lang } in samples(&corpora)? {
                let safety = format!("{safety:?}");
                println!(
                    "{}",
                    serde_json::json!({"text": text, "attack": attack, "safety": safety, "source": source, "family": family, "lang": lang})
                );
            }
        }
    }
    Ok(())
}

fn setting(text: &str) -> Result<(String, f64), String> {
    let (key, value) = text.split_once('=').ok_or("not `setting=number`")?;
    Ok((key.to_owned(), value.parse().map_err(|_| "not a number")?))
}

fn change(settings: &mut Settings, key: &str, value: f64) {
    match key {
        "cost" => settings.cost = value,
        "evenness" => settings.evenness = value,
        "window" => settings.window = value,
        "least" => settings.least = value,
        "rules" => settings.rules = value,
        "disguise" => settings.disguise = value,
        "known" => settings.known = value,
        "sided" => settings.sided = value,
        "alike" => settings.alike = value,
        "forms" => settings.forms = value,
        _ => eprintln!("`{key}` is no setting"),
    }
}

fn validate(name: &str, matrix: &Matrix, task: Task, settings: &Settings, families: bool) {
    let unseen = Unseen::of(matrix, task, settings);
    let (curve, close) = unseen.curves(matrix, task);
    println!(
        "{name}: AUC {:.3}, at 1 % {:.1}, at 0.1 % {:.1}; against close texts AUC {:.3}",
        curve.area(),
        100.0 * curve.found_at(0.01),
        100.0 * curve.found_at(0.001),
        close.area()
    );
    if families {
        for ((positive, name), (texts, above)) in unseen.families(matrix, task, curve.threshold(0.01)) {
            let sign = if positive { '+' } else { '-' };
            println!("  {sign} {name}: {above} of {texts}");
        }
    }
}

fn score_held_out(folder: &Path, name: &str, matrix: &Matrix, task: Task, settings: &Settings) -> Result<()> {
    let group = |row: &Row| matrix.groups.get(usize::from(row.group)).map_or("", String::as_str);
    let rows: Vec<&Row> = matrix.rows.iter().collect();
    let weights = learn(&rows, &matrix.kin, task, settings, |row| source(group(row)));
    let mut held_out = Matrix::observe(&shared::one(&folder.join(name).with_extension("jsonl"))?)?;
    let rows = std::mem::take(&mut held_out.rows);
    let scores = rows.iter().enumerate().map(|(index, row)| (index, score(&weights, row, task, settings)));
    let unseen = Unseen { scores: scores.collect() };
    held_out.rows = rows;
    let (curve, close) = unseen.curves(&held_out, task);
    println!(
        "  texts of `{}`: AUC {:.3}, at 1 % {:.1}, at 5 % {:.1}; against close texts AUC {:.3}",
        folder.display(),
        curve.area(),
        100.0 * curve.found_at(0.01),
        100.0 * curve.found_at(0.05),
        close.area()
    );
    Ok(())
}

/// All training texts.
fn samples(corpora: &Path) -> Result<Vec<Sample>> {
    let mut samples = texts::read(Path::new(TEXTS))?;
    let shared = shared::read(corpora)?;
    let composed = document::compose(&samples, &shared);
    samples.extend(composed);
    samples.extend(shared);
    Ok(samples)
}

//! What is trained on and what is measured by stay apart.

#![allow(clippy::unwrap_used, reason = "tests")]

use kt_train::texts;
use std::collections::BTreeSet;
use std::path::Path;

/// So many words in a row are no coincidence.
const RUN: usize = 6;

fn runs(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(RUN).map(|run| run.join(" ")).collect()
}

#[test]
fn no_text_written_blind_shares_a_run_of_words_with_a_training_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut blind = BTreeSet::new();
    for task in ["injection", "safety"] {
        let lines = std::fs::read_to_string(root.join(format!("../eval/data/blind/{task}.jsonl"))).unwrap();
        for line in lines.lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            blind.extend(runs(record["text"].as_str().unwrap()));
        }
    }
    assert!(blind.len() > 2000, "{}", blind.len());
    let shared: BTreeSet<String> = texts::read(&root.join("texts"))
        .unwrap()
        .iter()
        .flat_map(|sample| runs(&sample.text))
        .filter(|run| blind.contains(run))
        .collect();
    assert!(shared.is_empty(), "{shared:#?}");
}

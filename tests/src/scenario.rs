//! The scenario corpus: the files of `tests/scenarios`, for every host that can run an exchange.
//!
//! What a scenario is, is [`kt_control::scenario`]'s business, which users have as `kt-control policy test`.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario that cannot be read or does not hold fails its test"
)]

pub mod law;
#[cfg(test)]
mod tests;

pub use kt_control::scenario::*;

use crate::repository;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The configuration that scenarios start from.
const BASE: &str = "tests/scenarios/quickstart.yaml";

/// All scenarios, by the path of their file, with whole configurations; `only` filters by a part of it.
pub fn corpus() -> Vec<Scenario> {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut folders = vec![repository::root().join("tests/scenarios")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml")
                && path.to_string_lossy().contains(&only)
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().filter(|path| !path.ends_with(BASE)).map(|path| read(path)).collect()
}

/// Reads a scenario over the quick start; a malformed one fails the test.
fn read(path: &Path) -> Scenario {
    let name = path.iter().rev().take(2).collect::<Vec<_>>();
    let name = name.iter().rev().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut scenario = Scenario::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"));
    let mut config = quick_start();
    merge(&mut config, scenario.config);
    scenario.config = config;
    scenario
}

/// The configuration that scenarios start from: the quick start.
pub fn quick_start() -> Value {
    let path = repository::root().join(BASE);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{BASE}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{BASE}: {error}"))
}

/// How many targets a configuration has.
pub fn targets(config: &Value) -> usize {
    config.pointer("/providers/targets").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Runs every scenario whose configuration the host `can` serve, with every arrival, and fails with all that do not hold.
#[track_caller]
pub fn check_all(host: &mut impl Host, arrivals: &[Arrival], can: impl Fn(&Value) -> bool) {
    let mut corpus: Vec<Scenario> = corpus().into_iter().filter(|scenario| can(&scenario.config)).collect();
    // Scenarios of one configuration follow each other: a host may keep its latest gateway.
    corpus.sort_by_cached_key(|scenario| scenario.config.to_string());
    assert!(!corpus.is_empty(), "no scenario matches");
    let problems: Vec<String> =
        corpus.iter().flat_map(|scenario| scenario.problems(host, arrivals)).collect();
    assert!(problems.is_empty(), "{} expectations do not hold:\n{}", problems.len(), problems.join("\n"));
}

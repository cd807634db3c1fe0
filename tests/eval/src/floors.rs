//! Keeps figures from falling: what a file must reach at least.
//!
//! The floors stand in `tests/eval/floors.json`, by set of files, task and figure. Invariant: a floor that names no figure
//! is a problem too, so that none is lost by a change of name.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Floors by task and figure. A figure whose name ends in `flagged` is a ceiling.
pub type Floors = BTreeMap<String, BTreeMap<String, f64>>;

/// The floors of one set of files.
pub fn read(file: &Path, set: &str) -> Result<Floors> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut all: BTreeMap<String, Floors> =
        serde_json::from_str(&text).with_context(|| format!("`{}` holds no floors", file.display()))?;
    Ok(all.remove(set).unwrap_or_default())
}

/// What is missed, one sentence each.
pub fn missed(floors: &Floors, task: &str, figures: &[(&'static str, f64)]) -> Vec<String> {
    let floors = floors.get(task).into_iter().flatten();
    let judge = |(name, floor): (&String, &f64)| {
        let Some((_, figure)) = figures.iter().find(|(known, _)| known == name) else {
            return Some(format!("{task}: there is no figure `{name}`"));
        };
        let ceiling = name.ends_with("flagged");
        let held = if ceiling { figure <= floor } else { figure >= floor };
        let word = if ceiling { "may be at most" } else { "must be at least" };
        (!held).then(|| format!("{task}: `{name}` is {figure:.4} and {word} {floor}"))
    };
    floors.filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, floor: f64, expected: usize) {
        let floors = Floors::from([("pii".to_owned(), BTreeMap::from([(name.to_owned(), floor)]))]);
        assert_eq!(missed(&floors, "pii", &[("f1", 0.9), ("clean_flagged", 0.01)]).len(), expected);
    }

    #[test]
    fn floors_hold_from_below_and_ceilings_from_above() {
        check("f1", 0.9, 0);
        check("f1", 0.91, 1);
        check("clean_flagged", 0.01, 0);
        check("clean_flagged", 0.005, 1);
        check("no_such_figure", 0.0, 1);
    }
}

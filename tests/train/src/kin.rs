//! Words that learn together: those that mean alike, and the forms of one word.
//!
//! Knows no model. `words/meanings.txt` has a meaning a line; forms are told by their endings. What the words of a group
//! share is folded into their own weights after the fit, so serving costs nothing. Invariant: a group holds features of
//! single words only.

use crate::sample::Sample;
use anyhow::{Context, Result, anyhow};
use kt_core::policy::observe::Observer;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Groups of features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kin {
    /// Words that mean alike.
    pub meanings: Vec<Vec<u16>>,
    /// Forms of one word.
    pub forms: Vec<Vec<u16>>,
}

/// Words longer than this are no words.
const MAX_WORD_BYTES: usize = 40;

/// The groups of the words of `samples` and of the file of meanings.
pub fn of(file: &Path, samples: &[Sample]) -> Result<Kin> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let lines: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut words: BTreeSet<String> = BTreeSet::new();
    for sample in samples {
        let parts = sample.text.split(|letter: char| !letter.is_alphabetic());
        words.extend(parts.filter(|word| is_word(word)).map(str::to_lowercase));
    }
    words.extend(lines.iter().flatten().filter(|word| is_word(word)).map(|word| word.to_lowercase()));
    let mut observer = Observer::new().map_err(|problems| anyhow!("{problems:?}"))?;
    let mut single = |word: &str| match observer.observe(word).readings.first()?.features.as_slice() {
        [[single, _]] => Some(*single),
        _ => None,
    };
    let features: BTreeMap<&str, u16> =
        words.iter().filter_map(|word| Some((word.as_str(), single(word)?))).collect();
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for word in features.keys() {
        families.entry(stem(word)).or_default().push(word);
    }
    let group = |members: &mut dyn Iterator<Item = &str>| {
        let features: BTreeSet<u16> = members.filter_map(|word| features.get(word).copied()).collect();
        Vec::from_iter(features)
    };
    let meanings = lines.iter().map(|line| {
        let mut members: Vec<&str> = Vec::new();
        for word in line {
            match word.strip_suffix('*') {
                Some(start) => members.extend(
                    features.range(start..).map(|(word, _)| *word).take_while(|word| word.starts_with(start)),
                ),
                None => {
                    members.push(word);
                    members.extend(families.get(stem(word)).into_iter().flatten());
                }
            }
        }
        group(&mut members.into_iter())
    });
    let meanings = meanings.filter(|group| group.len() > 1).collect();
    let forms = families.values().map(|family| group(&mut family.iter().copied()));
    let forms = forms.filter(|group| group.len() > 1).collect();
    Ok(Kin { meanings, forms })
}

fn is_word(word: &str) -> bool {
    word.len() > 1 && word.len() <= MAX_WORD_BYTES && !word.contains('*')
}

/// Endings of English words, longest first.
const ENDINGS: &[&str] = &["ings", "ing", "ies", "ied", "ers", "er", "ed", "es", "s", "e", "y"];

/// What the forms of an English word have in common. Other words have no forms.
fn stem(word: &str) -> &str {
    if !word.is_ascii() {
        return word;
    }
    let stems = ENDINGS.iter().filter_map(|ending| word.strip_suffix(ending));
    let Some(stem) = stems.into_iter().find(|stem| stem.len() > 2) else { return word };
    // `stopp` of `stopped` is `stop`.
    let mut letters = stem.bytes().rev();
    match (letters.next(), letters.next()) {
        (Some(last), Some(before))
            if last == before && stem.len() > 3 && !matches!(last, b'l' | b's' | b'z') =>
        {
            stem.get(..stem.len() - 1).unwrap_or(stem)
        }
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: &str) {
        words.iter().for_each(|word| assert_eq!(stem(word), expected, "{word}"));
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        check(&["ignore", "ignored", "ignores", "ignoring"], "ignor");
        check(&["stop", "stops", "stopped", "stopping"], "stop");
        check(&["policy", "policies"], "polic");
        check(&["was"], "was");
        check(&["правила"], "правила");
    }
}

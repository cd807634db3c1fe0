//! From rows to a model: which examples each text gives, and what a text scores.
//!
//! A text scores by the worst of its readings, a long one also by its best window; so a first fit on whole texts chooses the
//! reading and the window that a second fit then learns from. Invariant: a score here is what the filter computes from the
//! same weights.

use crate::fit::{Example, Ties, Weights, fit_scaled};
use crate::kin::Kin;
use crate::matrix::{Row, Segments};
use crate::sample::Safety;
use kt_core::scan::words::features::{BUCKETS, WINDOW_SEGMENTS};
use std::collections::BTreeMap;

/// Which of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Attacks on the instructions.
    Injection,
    /// Unsafe content.
    Safety,
}

impl Task {
    /// Whether a row is positive, where that is known.
    pub fn label(self, row: &Row) -> Option<bool> {
        match self {
            Task::Injection => row.attack,
            Task::Safety => match row.safety {
                Safety::Unknown => None,
                Safety::Safe => Some(false),
                Safety::Unsafe(_) => Some(true),
            },
        }
    }

    /// Evidence of rules, and of disguise.
    pub fn signs(self, row: &Row) -> (f64, f64) {
        let [injection, disguise, safety] = row.signs;
        match self {
            Task::Injection => (f64::from(injection), f64::from(disguise)),
            Task::Safety => (f64::from(safety), 0.0),
        }
    }
}

/// What is chosen by validation, not fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How much a mistake costs against large weights.
    pub cost: f64,
    /// Sources weigh the power of their size: 1 means by size, 0 all alike.
    pub evenness: f64,
    /// Share of the window in a score; the rest is the whole text's.
    pub window: f64,
    /// Windows of fewer features are divided by the square root of this.
    pub least: f64,
    /// Of the rules.
    pub rules: f64,
    /// Of a disguise.
    pub disguise: f64,
    /// How much of the rules is known to the fit.
    pub known: f64,
    /// Whether a feature may weigh the more the more one-sided it is (Wang and Manning 2012, "Baselines and Bigrams").
    pub sided: f64,
    /// How much of what a word learns its relatives in meaning learn too.
    pub alike: f64,
    /// The same of other forms of the word.
    pub forms: f64,
    /// Share of harmless texts of unseen sources that may reach 0.8.
    pub false_alarms: f64,
}

/// What is added to each count, so that a feature that stands on one side only is not infinitely one-sided.
const FEW: f64 = 0.3;

/// Readings of one text that teach: more would be decoys.
const MAX_READINGS: usize = 3;

/// The document and the best window of a reading.
pub fn sums(weights: &Weights, segments: &Segments, least: f64) -> (f64, f64) {
    let parts: Vec<(f64, usize)> = segments.iter().map(|part| (weights.sum(part), part.len())).collect();
    let (sum, count) = parts.iter().fold((0.0, 0), |all, part| (all.0 + part.0, all.1 + part.1));
    let document = sum / (count.max(1) as f64).sqrt();
    let window = windows(&parts, least)
        .fold(f64::NEG_INFINITY, |best, (_, value)| if value > best { value } else { best });
    (document, if window.is_finite() { window } else { document })
}

/// Each window's last segment, and what it adds up to.
fn windows(parts: &[(f64, usize)], least: f64) -> impl Iterator<Item = (usize, f64)> {
    (0..parts.len()).map(move |last| {
        let window = parts.get((last + 1).saturating_sub(WINDOW_SEGMENTS)..=last).unwrap_or_default();
        let (sum, count) = window.iter().fold((0.0, 0), |all, part| (all.0 + part.0, all.1 + part.1));
        (last, sum / (count as f64).max(least).sqrt())
    })
}

/// The features of the best window of a reading; all where there is only one.
fn best_window(weights: &Weights, segments: &Segments, least: f64) -> Vec<u16> {
    let parts: Vec<(f64, usize)> = segments.iter().map(|part| (weights.sum(part), part.len())).collect();
    let mut best = (0, f64::NEG_INFINITY);
    for (last, value) in windows(&parts, least) {
        if value > best.1 {
            best = (last, value);
        }
    }
    segments.get((best.0 + 1).saturating_sub(WINDOW_SEGMENTS)..=best.0).unwrap_or_default().concat()
}

/// What a segment alone adds up to.
pub fn segment_value(weights: &Weights, segment: &[u16], least: f64) -> f64 {
    weights.sum(segment) / (segment.len() as f64).max(least).sqrt()
}

/// What a row scores, before the intercept.
pub fn score(weights: &Weights, row: &Row, task: Task, settings: &Settings) -> f64 {
    let (rules, disguise) = task.signs(row);
    let mut worst = f64::NEG_INFINITY;
    for reading in &row.readings {
        let (document, window) = sums(weights, reading, settings.least);
        let value = (1.0 - settings.window) * document + settings.window * window;
        if value > worst {
            worst = value;
        }
    }
    let worst = if worst.is_finite() { worst } else { 0.0 };
    worst + settings.rules * rules + settings.disguise * disguise
}

/// Fits a model to `rows`, those whose label is known. `source` names what is balanced.
pub fn learn<'a>(
    rows: &[&Row],
    kin: &Kin,
    task: Task,
    settings: &Settings,
    source: impl Fn(&Row) -> &'a str,
) -> Weights {
    let labelled: Vec<(&Row, bool)> = rows.iter().filter_map(|row| Some((*row, task.label(row)?))).collect();
    let costs = costs(&labelled, settings, source);
    let offset = |row: &Row| settings.known * task.signs(row).0;
    let first: Vec<Example> = labelled
        .iter()
        .zip(&costs)
        .map(|((row, positive), cost)| Example {
            features: row.readings.first().map(|reading| reading.concat()).unwrap_or_default(),
            positive: *positive,
            cost: *cost,
            offset: offset(row),
        })
        .collect();
    let scales = if settings.sided > 0.0 { sides(&first) } else { vec![1.0; BUCKETS] };
    let ties = Ties::new(&[(&kin.meanings, settings.alike), (&kin.forms, settings.forms)]);
    let weights = fit_scaled(&first, &scales, &ties);
    let mut second = Vec::new();
    for ((row, positive), cost) in labelled.iter().zip(&costs) {
        let mut teach = |features: Vec<u16>, cost: f64| {
            second.push(Example { features, positive: *positive, cost, offset: offset(row) });
        };
        if *positive {
            let mut worst: Option<(&Segments, f64)> = None;
            for reading in &row.readings {
                let (document, _) = sums(&weights, reading, settings.least);
                if worst.is_none_or(|(_, known)| document > known) {
                    worst = Some((reading, document));
                }
            }
            let Some((reading, _)) = worst else { continue };
            let long = reading.len() > WINDOW_SEGMENTS + 1;
            teach(
                if long { best_window(&weights, reading, settings.least) } else { reading.concat() },
                *cost,
            );
        } else {
            let readings = row.readings.len().min(MAX_READINGS) as f64;
            for reading in row.readings.iter().take(MAX_READINGS) {
                teach(reading.concat(), cost / readings);
                if reading.len() > WINDOW_SEGMENTS + 1 {
                    teach(best_window(&weights, reading, settings.least), *cost);
                }
            }
        }
    }
    fit_scaled(&second, &scales, &ties)
}

/// How one-sided each feature is: the root of the logarithm of how many times more often it stands on one side than on the
/// other.
fn sides(examples: &[Example]) -> Vec<f64> {
    let mut counts = vec![(FEW, FEW); BUCKETS];
    for example in examples {
        for feature in &example.features {
            if let Some((positive, negative)) = counts.get_mut(usize::from(*feature)) {
                *if example.positive { positive } else { negative } += example.cost;
            }
        }
    }
    let (positives, negatives) = counts.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    counts
        .iter()
        .map(|(positive, negative)| libm::log(positive / positives * negatives / negative).abs().sqrt())
        .collect()
}

/// What a mistake costs: both sides weigh alike, and within a side large sources less a text than small ones.
fn costs<'a>(labelled: &[(&Row, bool)], settings: &Settings, source: impl Fn(&Row) -> &'a str) -> Vec<f64> {
    let mut sizes: BTreeMap<(&str, bool), f64> = BTreeMap::new();
    for (row, positive) in labelled {
        *sizes.entry((source(row), *positive)).or_default() += 1.0;
    }
    let raw: Vec<(bool, f64)> = labelled
        .iter()
        .map(|(row, positive)| {
            let size = sizes.get(&(source(row), *positive)).copied().unwrap_or(1.0);
            // Powers would not be the same bits everywhere; between none and full there are roots.
            (*positive, if settings.evenness > 0.0 { 1.0 / size.sqrt() } else { 1.0 })
        })
        .collect();
    let total =
        |side: bool| raw.iter().filter(|(positive, _)| *positive == side).map(|(_, cost)| cost).sum::<f64>();
    let (positives, negatives) = (total(true), total(false));
    let half = labelled.len() as f64 / 2.0;
    raw.iter()
        .map(|(positive, cost)| settings.cost * cost * half / if *positive { positives } else { negatives })
        .collect()
}

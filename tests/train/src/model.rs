//! Both models and the heads, from the matrix: what `make train` does.
//!
//! Settings were chosen by [`validate`](crate::validate): leaving out whole sources. Invariant: nothing here depends on the
//! machine, the time or the number of threads.

use crate::fit::{Example, Weights, fit};
use crate::learn::{Settings, Task, learn, score, segment_value};
use crate::matrix::{Matrix, Row};
use crate::sample::{CATEGORIES, Safety};
use crate::validate::{Unseen, source};
use crate::weights::{FEATURES_A_HEAD, Heads, Model, rounded};
use kt_core::scan::words::features::BUCKETS;

/// Chosen by leaving sources out.
pub const INJECTION: Settings = Settings {
    cost: 1.0,
    evenness: 0.5,
    window: 0.4,
    least: 40.0,
    rules: 2.0,
    disguise: 0.3,
    known: 1.0,
    sided: 0.0,
    alike: 0.7,
    forms: 0.5,
    false_alarms: 0.013,
};
/// Chosen by leaving sources out.
pub const SAFETY: Settings = Settings {
    cost: 0.5,
    evenness: 0.5,
    window: 0.2,
    least: 40.0,
    rules: 1.0,
    disguise: 0.0,
    known: 0.0,
    sided: 1.0,
    alike: 0.7,
    forms: 0.7,
    // Fewer: the texts nearest to 0.8 are those of people who ask for help.
    false_alarms: 0.005,
};
/// A tool's result needs this much less to be an attack.
pub const DATA: f64 = 0.15;
/// Share of the segments of harmless texts that the rules need not read.
const CALM: f64 = 0.97;
/// The logit of 0.8.
const LOGIT_OF_08: f64 = 1.386_294_361_119_890_6;
/// Scores of ordinary texts and of clear attacks spread from about 0.1 to about 0.99.
const SLOPE: f64 = 3.0;

/// One of the models.
pub fn model(matrix: &Matrix, task: Task, settings: Settings) -> Model {
    let group = |row: &Row| matrix.groups.get(usize::from(row.group)).map_or("", String::as_str);
    let rows: Vec<&Row> = matrix.rows.iter().collect();
    let weights = learn(&rows, &matrix.kin, task, &settings, |row| source(group(row)));
    // The constant of the fit is in the intercept: scores are compared, and 0.8 is put where the false alarms are.
    let unseen = Unseen::of(matrix, task, &settings);
    let threshold = f64::from(unseen.curves(matrix, task).0.threshold(settings.false_alarms));
    let gate = gate(&weights, &rows, task, settings.least);
    Model { weights, settings, slope: SLOPE, intercept: LOGIT_OF_08 - SLOPE * threshold, gate }
}

/// What few segments of harmless texts reach: the rules need not read a long text where it is calmer. Lower gates cost every
/// request, and short texts are read in full anyway.
fn gate(weights: &Weights, rows: &[&Row], task: Task, least: f64) -> f64 {
    let harmless = rows.iter().filter(|row| task.label(row) == Some(false));
    let segments = harmless.flat_map(|row| row.readings.iter().take(1).flatten());
    lowest(segments.map(|segment| segment_value(weights, segment, least)).collect(), CALM)
}

/// The value below which that share of `values` is.
fn lowest(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).copied().unwrap_or(f64::from(f32::MIN))
}

/// The heads that name a category.
pub fn heads(matrix: &Matrix) -> Heads {
    let mut weights = vec![[0.0; CATEGORIES.len()]; BUCKETS / FEATURES_A_HEAD];
    let mut constants = [0.0; CATEGORIES.len()];
    for (category, constant) in constants.iter_mut().enumerate() {
        let examples: Vec<Example> = matrix
            .rows
            .iter()
            .filter_map(|row| {
                let Safety::Unsafe(bits @ 1..) = row.safety else { return None };
                let shared = row.readings.first()?.concat();
                let mut features: Vec<u16> =
                    shared.into_iter().map(|feature| feature / FEATURES_A_HEAD as u16).collect();
                features.sort_unstable();
                features.dedup();
                Some(Example { features, positive: bits >> category & 1 == 1, cost: 1.0, offset: 0.0 })
            })
            .collect();
        let fitted = fit(&examples);
        *constant = fitted.constant;
        for (row, weight) in weights.iter_mut().zip(fitted.features) {
            if let Some(cell) = row.get_mut(category) {
                *cell = weight;
            }
        }
    }
    Heads { weights, constants }
}

/// Share of the segments of harmless texts that the rules read.
pub fn read_by_rules(matrix: &Matrix, task: Task, model: &Model) -> f64 {
    let benign = matrix.rows.iter().filter(|row| task.label(row) == Some(false));
    let segments: Vec<f64> = benign
        .flat_map(|row| row.readings.iter().take(1).flatten())
        .map(|segment| segment_value(&model.weights, segment, model.settings.least))
        .collect();
    segments.iter().filter(|value| **value >= model.gate).count() as f64 / segments.len() as f64
}

/// Share of the texts of the matrix that score differently after rounding the weights by more than a hundredth; for the report.
pub fn moved_by_rounding(matrix: &Matrix, task: Task, model: &Model) -> f64 {
    let (small, _) = rounded(&model.weights);
    let differs = |row: &&Row| {
        let exact = score(&model.weights, row, task, &model.settings);
        (exact - score(&small, row, task, &model.settings)).abs() > 0.01
    };
    matrix.rows.iter().filter(differs).count() as f64 / matrix.rows.len() as f64
}

//! Writes `model.bin`, as `kt_core::policy::model` describes it.
//!
//! Weights are rounded to a byte; what is too large for one becomes the largest.

use crate::fit::Weights;
use crate::learn::Settings;
use crate::sample::CATEGORIES;
use kt_core::scan::words::features::BUCKETS;

/// Features that share a row of the heads.
pub const FEATURES_A_HEAD: usize = 16;
/// One weight in so many may be too large for its byte.
const CLIPPED_ONE_IN: usize = 20_000;

/// One of the two models.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its weights.
    pub weights: Weights,
    /// Its settings.
    pub settings: Settings,
    /// What the sum is multiplied with before it is a score.
    pub slope: f64,
    /// Puts 0.8 where it belongs.
    pub intercept: f64,
    /// Rules read what stands around segments of at least this.
    pub gate: f64,
}

/// The heads that name a category: weights by row of features and category, and a constant each.
#[derive(Debug, Clone)]
pub struct Heads {
    /// `BUCKETS / FEATURES_A_HEAD` rows.
    pub weights: Vec<[f64; CATEGORIES.len()]>,
    /// One for each category.
    pub constants: [f64; CATEGORIES.len()],
}

/// The value of one unit so that hardly a weight is clipped.
fn unit(weights: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = weights.map(f64::abs).filter(|size| *size > 0.0).collect();
    sizes.sort_unstable_by(|a, b| b.total_cmp(a));
    let largest = sizes.get(sizes.len() / CLIPPED_ONE_IN).copied().unwrap_or(1.0);
    f64::from((largest / 127.0) as f32)
}

fn byte(weight: f64, unit: f64) -> u8 {
    ((weight / unit).round().clamp(-127.0, 127.0) as i8).cast_unsigned()
}

/// The weights as they are after rounding, and the value of a unit.
pub fn rounded(weights: &Weights) -> (Weights, f64) {
    let unit = unit(weights.features.iter().copied());
    let features =
        weights.features.iter().map(|weight| f64::from(byte(*weight, unit).cast_signed()) * unit).collect();
    (Weights { features, constant: weights.constant }, unit)
}

/// The bytes of the file.
pub fn file(models: &[&Model; 2], heads: &Heads) -> Vec<u8> {
    let mut out = b"ktw1\0\0\0\0".to_vec();
    let float = |out: &mut Vec<u8>, value: f64| out.extend((value as f32).to_le_bytes());
    let units = models.map(|model| unit(model.weights.features.iter().copied()));
    for (model, unit) in models.iter().zip(units) {
        let Settings { window, least, rules, disguise, .. } = model.settings;
        let slope = model.slope;
        let values = [
            unit,
            least,
            slope * (1.0 - window),
            slope * window,
            slope * rules,
            slope * disguise,
            slope * crate::model::DATA,
            model.intercept,
        ];
        values.into_iter().for_each(|value| float(&mut out, value));
    }
    let head_unit = unit(heads.weights.iter().flatten().copied());
    float(&mut out, head_unit);
    heads.constants.into_iter().for_each(|constant| float(&mut out, constant));
    models.iter().for_each(|model| float(&mut out, model.gate));
    out.extend([0; 4]);
    let [injection, safety] = models;
    for feature in 0..BUCKETS {
        for (model, unit) in [injection, safety].into_iter().zip(units) {
            out.push(byte(model.weights.features.get(feature).copied().unwrap_or_default(), unit));
        }
    }
    for row in &heads.weights {
        out.extend(row.iter().map(|weight| byte(*weight, head_unit)));
    }
    out
}

//! Fits a linear model: support vector machine with squared hinge loss, by coordinate descent in the dual.
//!
//! Chosen for its arithmetic: no exponential, no logarithm, so every machine gets the same bits. Invariant: the same rows in
//! the same order give the same weights.

use crate::chance::Chance;
use kt_core::scan::words::features::BUCKETS;

/// Passes over all rows; the weights hardly move after that.
const PASSES: usize = 24;

/// One example.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its features, each once.
    pub features: Vec<u16>,
    /// Which side it belongs to.
    pub positive: bool,
    /// What being wrong here costs.
    pub cost: f64,
    /// What is known already, from elsewhere.
    pub offset: f64,
}

/// The weights of all features, and the constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// One for each feature.
    pub features: Vec<f64>,
    /// Added to every sum.
    pub constant: f64,
}

impl Weights {
    /// The sum of the weights of `features`.
    pub fn sum(&self, features: &[u16]) -> f64 {
        features
            .iter()
            .map(|feature| self.features.get(usize::from(*feature)).copied().unwrap_or_default())
            .sum()
    }
}

/// Fits `examples`. Each is divided by the square root of the number of its features, so that all have length one.
pub fn fit(examples: &[Example]) -> Weights {
    fit_scaled(examples, &vec![1.0; BUCKETS], &Ties::default())
}

/// Features that learn together: each group has a weight of its own, which all its members share besides their own weights.
#[derive(Debug, Default)]
pub struct Ties {
    /// Groups of each feature, by number.
    of: Vec<Vec<u32>>,
    /// How much each group counts.
    strengths: Vec<f64>,
}

impl Ties {
    /// Groups, and how much those of a kind count.
    pub fn new(kinds: &[(&[Vec<u16>], f64)]) -> Ties {
        let mut ties = Ties { of: vec![Vec::new(); BUCKETS], strengths: Vec::new() };
        for (groups, strength) in kinds.iter().filter(|(_, strength)| *strength > 0.0) {
            for group in *groups {
                for feature in group {
                    if let Some(of) = ties.of.get_mut(usize::from(*feature)) {
                        of.push(ties.strengths.len() as u32);
                    }
                }
                ties.strengths.push(*strength);
            }
        }
        ties
    }

    fn groups(&self, feature: u16) -> &[u32] {
        self.of.get(usize::from(feature)).map_or(&[], Vec::as_slice)
    }

    /// What an example says to the groups: how many of its features are theirs, times what they count.
    fn values(&self, features: &[u16]) -> Vec<(u32, f64)> {
        let mut groups: Vec<u32> =
            features.iter().flat_map(|feature| self.groups(*feature)).copied().collect();
        groups.sort_unstable();
        let runs = groups.chunk_by(|a, b| a == b);
        runs.filter_map(|run| {
            let group = *run.first()?;
            Some((group, run.len() as f64 * self.strengths.get(group as usize)?))
        })
        .collect()
    }
}

/// As [`fit`], with features that may weigh more where their scale is larger.
pub fn fit_scaled(examples: &[Example], scales: &[f64], ties: &Ties) -> Weights {
    let scale = |feature: &u16| scales.get(usize::from(*feature)).copied().unwrap_or(1.0);
    let mut weights = Weights { features: vec![0.0; BUCKETS], constant: 0.0 };
    let mut alphas = vec![0.0f64; examples.len()];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut chance = Chance::of(&["fit"]);
    let mut shared = vec![0.0f64; ties.strengths.len()];
    let values: Vec<Vec<(u32, f64)>> =
        examples.iter().map(|example| ties.values(&example.features)).collect();
    let lengths: Vec<f64> = examples
        .iter()
        .zip(&values)
        .map(|(example, values)| {
            let squares: f64 = example.features.iter().map(|feature| scale(feature) * scale(feature)).sum();
            let ties: f64 = values.iter().map(|(_, value)| value * value).sum();
            (squares + ties) / example.features.len().max(1) as f64
        })
        .collect();
    for _ in 0..PASSES {
        chance.shuffle(&mut order);
        for index in &order {
            if let (Some(example), Some(values), Some(alpha), Some(length)) =
                (examples.get(*index), values.get(*index), alphas.get_mut(*index), lengths.get(*index))
            {
                step(&mut weights, &mut shared, alpha, (example, values), *length, scales);
            }
        }
    }
    for (feature, weight) in (0..=u16::MAX).zip(&mut weights.features) {
        for group in ties.groups(feature) {
            let group = *group as usize;
            *weight += ties.strengths.get(group).zip(shared.get(group)).map_or(0.0, |(a, b)| a * b);
        }
    }
    weights
}

/// The best value of one dual variable while all others stand still. The weights are kept as they multiply plain features:
/// a scaled weight times its scale. `length`: of the scaled example, squared.
fn step(
    weights: &mut Weights,
    shared: &mut [f64],
    alpha: &mut f64,
    (example, values): (&Example, &[(u32, f64)]),
    length: f64,
    scales: &[f64],
) {
    let side = if example.positive { 1.0 } else { -1.0 };
    let scale = 1.0 / (example.features.len().max(1) as f64).sqrt();
    let diagonal = 0.5 / example.cost;
    let tied: f64 = values
        .iter()
        .map(|(group, value)| value * shared.get(*group as usize).copied().unwrap_or_default())
        .sum();
    let sum = weights.sum(&example.features) + tied;
    let margin = side * (sum * scale + weights.constant + example.offset);
    let gradient = margin - 1.0 + *alpha * diagonal;
    // One more for the constant.
    let next = (*alpha - gradient / (length + 1.0 + diagonal)).max(0.0);
    let change = (next - *alpha) * side;
    if change != 0.0 {
        *alpha = next;
        weights.constant += change;
        for feature in &example.features {
            let place = usize::from(*feature);
            if let (Some(weight), Some(own)) = (weights.features.get_mut(place), scales.get(place)) {
                *weight += change * scale * own * own;
            }
        }
        for (group, value) in values {
            if let Some(weight) = shared.get_mut(*group as usize) {
                *weight += change * scale * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(features: &[u16], positive: bool) -> Example {
        Example { features: features.to_vec(), positive, cost: 1.0, offset: 0.0 }
    }

    #[test]
    fn what_only_one_side_has_tells_the_sides_apart() {
        let examples =
            [example(&[1, 2], true), example(&[1, 3], false), example(&[2], true), example(&[3], false)];
        let weights = fit(&examples);
        assert!(weights.features[2] > 0.3 && weights.features[3] < -0.3, "{:?}", &weights.features[..4]);
        assert!(weights.features[1].abs() < 0.1);
    }

    #[test]
    fn the_same_examples_give_the_same_bits() {
        let examples: Vec<Example> =
            (0..200u16).map(|n| example(&[n % 7, 10 + n % 11, 30 + n % 13], n % 3 == 0)).collect();
        assert_eq!(fit(&examples), fit(&examples));
    }
}

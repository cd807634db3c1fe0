//! Rates of true and false alarms of a score, and the thresholds between them.
//!
//! Knows nothing of texts. Invariant: a threshold "at a rate" lets at most that share of the negatives be above it.

/// Scores of what should be found and of what should not.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    positives: Vec<f32>,
    /// Highest first.
    negatives: Vec<f32>,
}

impl Curve {
    /// From both lists of scores.
    pub fn new(positives: Vec<f32>, mut negatives: Vec<f32>) -> Curve {
        negatives.sort_unstable_by(|a, b| b.total_cmp(a));
        Curve { positives, negatives }
    }

    /// The lowest threshold above which at most `rate` of the negatives are.
    pub fn threshold(&self, rate: f64) -> f32 {
        let allowed = (rate * self.negatives.len() as f64) as usize;
        self.negatives.get(allowed).copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// Share of the positives above the threshold of `rate`.
    pub fn found_at(&self, rate: f64) -> f64 {
        above(&self.positives, self.threshold(rate))
    }

    /// Area under the curve: how often a positive scores higher than a negative; a tie is half.
    pub fn area(&self) -> f64 {
        let mut all: Vec<(f32, bool)> = self.positives.iter().map(|score| (*score, true)).collect();
        all.extend(self.negatives.iter().map(|score| (*score, false)));
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut ranks, mut seen) = (0.0, 0usize);
        for ties in all.chunk_by(|a, b| a.0 == b.0) {
            let rank = (2 * seen + ties.len() + 1) as f64 / 2.0;
            ranks += rank * ties.iter().filter(|(_, positive)| *positive).count() as f64;
            seen += ties.len();
        }
        let (p, n) = (self.positives.len() as f64, self.negatives.len() as f64);
        (ranks - p * (p + 1.0) / 2.0) / (p * n)
    }

    /// Share of the positives at or above `threshold`.
    pub fn positives_at(&self, threshold: f32) -> f64 {
        at_least(&self.positives, threshold)
    }

    /// Share of the negatives at or above `threshold`.
    pub fn negatives_at(&self, threshold: f32) -> f64 {
        at_least(&self.negatives, threshold)
    }
}

/// Share of the scores above `threshold`.
pub fn above(scores: &[f32], threshold: f32) -> f64 {
    scores.iter().filter(|score| **score > threshold).count() as f64 / scores.len() as f64
}

/// Share of the scores at or above `threshold`.
pub fn at_least(scores: &[f32], threshold: f32) -> f64 {
    scores.iter().filter(|score| **score >= threshold).count() as f64 / scores.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_ties_as_half() {
        let curve = Curve::new(vec![0.9, 0.5], vec![0.5, 0.1]);
        assert_eq!(curve.area(), 0.875);
    }

    #[test]
    fn a_threshold_lets_no_more_pass_than_its_rate() {
        let curve = Curve::new(vec![0.6, 0.3], (0..100).map(|score| score as f32 / 100.0).collect());
        assert_eq!(above(&curve.negatives, curve.threshold(0.01)), 0.01);
        assert_eq!(curve.found_at(0.5), 0.5);
    }
}

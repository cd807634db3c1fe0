//! Compares found spans with labelled ones, by type.
//!
//! Strict: the same bytes. Overlap: at least half of both together in common. Invariant: a labelled span is matched by at
//! most one found span and the other way round; types a record's source does not annotate count neither for nor against.

use crate::corpus::{Record, Span, Task};
use std::collections::BTreeMap;

/// A found span counts as one that was looked for when they have this share in common.
const OVERLAP: f64 = 0.5;
/// The same for equal bytes; below 1 for the arithmetic.
const STRICT: f64 = 0.9999;
/// A labelled span with this share of its bytes under any found span is redacted.
const COVERED: f64 = 0.9;

/// Right, wrong and missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// Labelled spans.
    pub labelled: usize,
    /// Labelled spans found.
    pub right: usize,
    /// Found spans that match no labelled one.
    pub wrong: usize,
}

impl Tally {
    /// Share of what was found that is right.
    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    /// Share of what is labelled that was found.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.labelled as f64
    }

    /// Their harmonic mean.
    pub fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.labelled + self.right + self.wrong) as f64
    }

    fn add(&mut self, other: Tally) {
        self.labelled += other.labelled;
        self.right += other.right;
        self.wrong += other.wrong;
    }
}

/// One row of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Row {
    /// Equal bytes.
    pub strict: Tally,
    /// Half in common.
    pub overlap: Tally,
    /// Labelled spans under any found span.
    pub redacted: usize,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.strict.add(other.strict);
        self.overlap.add(other.overlap);
        self.redacted += other.redacted;
    }
}

/// Texts without anything to find.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Clean {
    /// How many.
    pub texts: usize,
    /// Those in which something was found.
    pub flagged: usize,
}

impl Clean {
    /// Flagged texts of a thousand.
    pub fn per_thousand(&self) -> f64 {
        1000.0 * self.flagged as f64 / self.texts as f64
    }
}

/// The comparison of a whole file.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    /// Records read.
    pub records: usize,
    /// Types that are labelled somewhere.
    pub types: BTreeMap<String, Row>,
    /// Families of records.
    pub families: BTreeMap<String, Row>,
    /// Families of records without a labelled span.
    pub clean: BTreeMap<String, Clean>,
}

impl Spans {
    /// Adds a record and what was found in it.
    pub fn add(&mut self, record: &Record, found: &[Span], task: Task) {
        self.records += 1;
        let mut in_scope: Vec<Span> =
            found.iter().filter(|(_, _, kind)| record.covers.contains(kind)).cloned().collect();
        in_scope.sort_unstable();
        in_scope.dedup();
        if task == Task::Secrets {
            merge(&mut in_scope);
        }
        let rows = compare(&record.spans, found, &in_scope);
        for (kind, row) in rows {
            self.types.entry(kind).or_default().add(row);
            self.families.entry(record.family.clone()).or_default().add(row);
        }
        if record.spans.is_empty() {
            let clean = self.clean.entry(record.family.clone()).or_default();
            clean.texts += 1;
            clean.flagged += usize::from(!in_scope.is_empty());
        }
    }

    /// All types that are labelled somewhere. What was found of other types alone is in the families and the clean texts.
    pub fn all(&self) -> Row {
        let mut all = Row::default();
        self.types.values().filter(|row| row.strict.labelled > 0).for_each(|row| all.add(*row));
        all
    }

    /// All texts without anything to find; traps, which imitate what is looked for, apart.
    pub fn clean(&self, traps: bool) -> Clean {
        let mut all = Clean::default();
        for (_, clean) in self.clean.iter().filter(|(family, _)| family.starts_with("trap") == traps) {
            all.texts += clean.texts;
            all.flagged += clean.flagged;
        }
        all
    }
}

/// Finds of one secret that overlap are one find.
fn merge(spans: &mut Vec<Span>) {
    let mut merged: Vec<Span> = Vec::new();
    for span in spans.drain(..) {
        match merged.last_mut() {
            Some(last) if span.0 < last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    *spans = merged;
}

/// One row for every labelled and every wrongly found span.
fn compare(labelled: &[Span], found: &[Span], in_scope: &[Span]) -> Vec<(String, Row)> {
    let (strict_hit, strict_used) = matched(labelled, in_scope, STRICT);
    let (overlap_hit, overlap_used) = matched(labelled, in_scope, OVERLAP);
    let of_labelled =
        labelled.iter().zip(strict_hit.iter().zip(&overlap_hit)).map(|(span, (strict, overlap))| {
            let tally = |hit: bool| Tally { labelled: 1, right: usize::from(hit), wrong: 0 };
            let redacted = usize::from(covered(span, found) >= COVERED);
            (span.2.clone(), Row { strict: tally(*strict), overlap: tally(*overlap), redacted })
        });
    let of_found =
        in_scope.iter().zip(strict_used.iter().zip(&overlap_used)).map(|(span, (strict, overlap))| {
            let tally = |used: bool| Tally { wrong: usize::from(!used), ..Tally::default() };
            (span.2.clone(), Row { strict: tally(*strict), overlap: tally(*overlap), redacted: 0 })
        });
    of_labelled.chain(of_found).collect()
}

/// Which labelled and which found spans have a partner, best pairs first.
fn matched(labelled: &[Span], found: &[Span], least: f64) -> (Vec<bool>, Vec<bool>) {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (l, label) in labelled.iter().enumerate() {
        for (f, find) in found.iter().enumerate().filter(|(_, find)| find.2 == label.2) {
            pairs.push((in_common(label, find), l, f));
        }
    }
    pairs.retain(|pair| pair.0 >= least);
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut hit, mut used) = (vec![false; labelled.len()], vec![false; found.len()]);
    for (_, l, f) in pairs {
        if let (Some(hit @ false), Some(used @ false)) = (hit.get_mut(l), used.get_mut(f)) {
            (*hit, *used) = (true, true);
        }
    }
    (hit, used)
}

/// Share of the bytes of two spans together that both have.
fn in_common(a: &Span, b: &Span) -> f64 {
    let both = a.1.min(b.1).saturating_sub(a.0.max(b.0));
    both as f64 / (a.1.max(b.1) - a.0.min(b.0)) as f64
}

/// Share of the bytes of `span` under any of `found`.
fn covered(span: &Span, found: &[Span]) -> f64 {
    let under = |at: usize| found.iter().any(|find| (find.0..find.1).contains(&at));
    (span.0..span.1).filter(|at| under(*at)).count() as f64 / (span.1 - span.0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, kind: &str) -> Span {
        (start, end, kind.to_owned())
    }

    #[track_caller]
    fn check(labelled: &[Span], found: &[Span], strict: (usize, usize), overlap: (usize, usize)) {
        let mut all = Row::default();
        compare(labelled, found, found).into_iter().for_each(|(_, row)| all.add(row));
        assert_eq!((all.strict.right, all.strict.wrong), strict, "strict");
        assert_eq!((all.overlap.right, all.overlap.wrong), overlap, "overlap");
    }

    #[test]
    fn strict_wants_the_same_bytes_and_overlap_half_of_them() {
        check(&[span(0, 10, "IP")], &[span(0, 10, "IP")], (1, 0), (1, 0));
        check(&[span(0, 10, "IP")], &[span(0, 6, "IP")], (0, 1), (1, 0));
        check(&[span(0, 10, "IP")], &[span(8, 20, "IP")], (0, 1), (0, 1));
        check(&[span(0, 10, "IP")], &[span(0, 10, "MAC")], (0, 1), (0, 1));
    }

    #[test]
    fn one_find_is_right_only_once() {
        check(&[span(0, 10, "IP")], &[span(0, 10, "IP"), span(1, 10, "IP")], (1, 1), (1, 1));
    }

    #[test]
    fn overlapping_finds_of_a_secret_are_one() {
        let mut spans = vec![span(0, 5, "SECRET"), span(3, 9, "SECRET"), span(9, 12, "SECRET")];
        merge(&mut spans);
        assert_eq!(spans, [span(0, 9, "SECRET"), span(9, 12, "SECRET")]);
    }
}

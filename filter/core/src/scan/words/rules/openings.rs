//! Which telling words could begin something, by what telling words follow.
//!
//! Says nothing of order, distance or common words: what it lets through, the rules judge. Invariant: it lets through every
//! match of every rule that has a rare word of its own, or two telling ones.

use super::Rule;

/// Up to two more classes that must follow; zero: none.
type Needs = [u64; 2];

/// What the rules of one policy need.
#[derive(Debug, Clone, Default)]
pub struct Openings {
    /// Classes whose words matter wherever they stand.
    pub(in crate::scan::words) telling: u64,
    /// Classes that can begin something.
    pub(in crate::scan::words) anchors: u64,
    /// Classes that need no company.
    sure: u64,
    /// For each class, what it needs.
    needs: Vec<Vec<Needs>>,
    /// For each class, any of what it needs first.
    first: Vec<u64>,
}

impl Openings {
    /// Of `rules`, where words of `common` classes tell nothing, and those of `frequent` classes too little unless another
    /// follows: a rule of one of these and common words counts only where something else was worth a look. Words of the
    /// classes `sure` always count.
    pub fn new(rules: &[Rule], common: u64, frequent: u64, sure: u64) -> Openings {
        let mut openings = Openings { telling: sure, anchors: sure, sure, ..Openings::default() };
        openings.needs = vec![Vec::new(); 64];
        openings.first = vec![0; 64];
        for rule in rules {
            let mut telling = rule.steps.iter().map(|step| step.0).filter(|classes| classes & common == 0);
            let Some(anchor) = telling.next() else { continue };
            let needs: Needs = [telling.next().unwrap_or(0), telling.next().unwrap_or(0)];
            openings.anchors |= anchor;
            openings.telling |= needs.iter().fold(anchor, |all, need| all | need);
            if needs == [0; 2] {
                openings.sure |= anchor & !frequent;
                continue;
            }
            for (class, list) in openings.needs.iter_mut().enumerate() {
                if anchor >> class & 1 != 0 && !list.contains(&needs) {
                    list.push(needs);
                }
            }
            for (class, first) in openings.first.iter_mut().enumerate() {
                *first |= if anchor >> class & 1 != 0 { needs[0] } else { 0 };
            }
        }
        openings
    }

    /// Adds classes whose words matter but begin nothing.
    pub fn also_telling(mut self, classes: u64) -> Openings {
        self.telling |= classes;
        self
    }

    /// Whether a word of these classes could begin something with those `ahead`.
    pub(in crate::scan::words) fn met(&self, classes: u64, ahead: u64) -> bool {
        let mut left = classes & self.anchors;
        if left & self.sure != 0 {
            return true;
        }
        let met = |need: &u64| *need == 0 || need & ahead != 0;
        while left != 0 {
            let class = left.trailing_zeros() as usize;
            left &= left - 1;
            // Nearly always nothing of it is there.
            if self.first.get(class).is_none_or(|first| first & ahead == 0) {
                continue;
            }
            if self.needs.get(class).is_some_and(|list| list.iter().any(|needs| needs.iter().all(met))) {
                return true;
            }
        }
        false
    }
}

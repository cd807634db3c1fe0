//! Lets several scanners take turns on one text.
//!
//! Scans nothing itself. The earliest match counts, the longest of those that begin together, and then all scanners go on
//! from its end. Invariant: what comes after a place does not depend on what came before it, so scanners that obey the
//! streaming law obey it together; and no scanner reads a part of the text again but where a match of another one hid its
//! own.

use super::Step;
use std::cmp::Reverse;

/// A match of any scanner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Find<Kind> {
    /// What was found.
    pub(crate) kind: Kind,
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after its last.
    pub(crate) end: usize,
}

/// One walk of all scanners over one text.
pub(crate) struct Turns<Kind> {
    scanners: usize,
    floor: usize,
    end_of_text: usize,
    /// What each scanner finds first from the floor on, as far as it is known.
    firsts: [Option<Step<Find<Kind>>>; 2],
    /// The same of any others.
    others: Vec<Option<Step<Find<Kind>>>>,
}

impl<Kind: Copy> Turns<Kind> {
    pub(crate) fn new(scanners: usize, text: &str, from: usize) -> Self {
        let others = vec![None; scanners.saturating_sub(2)];
        Turns { scanners, floor: from, end_of_text: text.len(), firsts: [None; 2], others }
    }

    /// What comes next; `first` says what the scanner with that number finds first from a place on.
    pub(crate) fn next(&mut self, first: impl Fn(usize, usize) -> Step<Find<Kind>>) -> Step<Find<Kind>> {
        let mut best: Option<Find<Kind>> = None;
        let mut open = self.end_of_text;
        for (scanner, known) in self.firsts.iter_mut().chain(&mut self.others).take(self.scanners).enumerate()
        {
            let still_ahead = known.filter(|step| match step {
                Step::Hit(find) => find.start >= self.floor,
                Step::Open(at) => *at >= self.floor,
            });
            let step = still_ahead.unwrap_or_else(|| first(scanner, self.floor));
            *known = Some(step);
            match step {
                Step::Open(at) => open = open.min(at),
                Step::Hit(find) => {
                    if best
                        .is_none_or(|best| (find.start, Reverse(find.end)) < (best.start, Reverse(best.end)))
                    {
                        best = Some(find);
                    }
                }
            }
        }
        match best {
            // What is open at the same place may turn out longer.
            Some(find) if find.start < open => {
                self.floor = find.end;
                Step::Hit(find)
            }
            // What shows a match may stand before it, as a label does, and has to be read again with it.
            Some(_) => Step::Open(self.floor),
            None => Step::Open(open),
        }
    }
}

//! Numbers that only their label makes identifiers: medical records and health plans.
//!
//! Separate from the other kinds, because only an operator who asks for it has them looked for. Invariant: the streaming
//! law of [`super`].

use super::cursor::{CONTEXT, Cursor, is_alphanumeric};
use crate::scan::Step;

/// A kind of medical identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medical {
    /// The number of a patient's record.
    Mrn,
    /// The number of a member of a health plan.
    HealthPlan,
}

impl Medical {
    /// Every kind.
    pub const ALL: &'static [Medical] = &[Medical::Mrn, Medical::HealthPlan];

    /// The name in configuration and reason codes.
    pub fn name(self) -> &'static str {
        match self {
            Medical::Mrn => "mrn",
            Medical::HealthPlan => "health_plan",
        }
    }

    fn labels(self) -> &'static [&'static str] {
        match self {
            Medical::Mrn => {
                &["mrn", "medical record", "patient id", "patient number", "patient no", "chart number"]
            }
            Medical::HealthPlan => &[
                "member id",
                "member number",
                "member no",
                "health plan",
                "subscriber id",
                "beneficiary",
                "insurance id",
                "medicare",
                "medicaid",
            ],
        }
    }
}

/// A find: `text[start..end]`, the number without its label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MedicalHit {
    /// What was found.
    pub kind: Medical,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Most bytes between a label and its number.
const LONGEST_GAP: usize = 24;
const SHORTEST_NUMBER: usize = 5;
const LONGEST_NUMBER: usize = 24;
const FEWEST_DIGITS: usize = 4;

fn is_part(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'-'
}

/// The first number after a label in `text[from..]`; `more`: the text may go on.
pub fn next(text: &str, from: usize, more: bool) -> Step<MedicalHit> {
    let cursor = Cursor::new(text, more);
    let mut at = from;
    while at < text.len() {
        let digit = match cursor.bytes().get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
            Some(digit) => at + digit,
            None => break,
        };
        let start = token_start(&cursor, digit);
        let mut end = digit + 1;
        while end < text.len() && is_part(cursor.before(end + 1, 1)) {
            end += 1;
        }
        if start >= from
            && let Some(kind) = label(&cursor, start)
        {
            if end == text.len() && more && end - start <= LONGEST_NUMBER {
                return Step::Open(start);
            }
            let number = cursor.slice(start, end);
            let trimmed = number.len() - number.iter().rev().take_while(|byte| **byte == b'-').count();
            let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
            if (SHORTEST_NUMBER..=LONGEST_NUMBER).contains(&number.len()) && digits >= FEWEST_DIGITS {
                return Step::Hit(MedicalHit { kind, start, end: start + trimmed });
            }
        }
        at = end;
    }
    // Letters at the end may turn out to begin a number.
    let start = token_start(&cursor, text.len());
    let pending =
        more && start >= from && text.len() - start <= LONGEST_NUMBER && label(&cursor, start).is_some();
    Step::Open(if pending { start } else { text.len() })
}

/// Where the token begins that the byte at `at` continues; far enough back to see that it is too long.
fn token_start(text: &Cursor, at: usize) -> usize {
    let mut start = at;
    while at - start <= LONGEST_NUMBER && is_part(text.before(start, 1)) {
        start -= 1;
    }
    // A dash belongs to what it joins.
    while start < at && text.before(start + 1, 1) == b'-' {
        start += 1;
    }
    start
}

/// The kind whose label stands nearest before `start`.
fn label(text: &Cursor, start: usize) -> Option<Medical> {
    let context = text.slice(start.saturating_sub(CONTEXT), start);
    let nearest = |kind: Medical| {
        kind.labels()
            .iter()
            .filter_map(|label| {
                context.windows(label.len()).enumerate().rev().find_map(|(at, window)| {
                    let before = at.checked_sub(1).and_then(|at| context.get(at)).copied().unwrap_or(0);
                    let gap = context.get(at + label.len()..).unwrap_or_default();
                    let near = gap.len() <= LONGEST_GAP && !gap.iter().any(u8::is_ascii_digit);
                    let own_word = !is_alphanumeric(before) && !gap.is_empty();
                    (near && own_word && window.eq_ignore_ascii_case(label.as_bytes())).then_some(at)
                })
            })
            .max()
    };
    Medical::ALL
        .iter()
        .filter_map(|kind| Some((nearest(*kind)?, *kind)))
        .max_by_key(|(at, _)| *at)
        .map(|(_, kind)| kind)
}

//! Applies splices to a body.
//!
//! Does not decide what to change. Invariant: every byte outside a splice stays, in order.

use super::escape::{self, encode};
use crate::order::by_place;
use std::ops::Range;

/// Bytes that take the place of a stretch of a body.
#[derive(Clone, PartialEq, Eq)]
pub struct Splice {
    /// What is taken out; empty inserts.
    pub range: Range<usize>,
    /// What is put in.
    pub with: Vec<u8>,
}

impl Splice {
    /// Sets the value at `range` to `null`.
    pub fn null(range: Range<usize>) -> Splice {
        Splice { range, with: b"null".to_vec() }
    }

    /// Takes everything out of the value at `range` of `body`: a list is empty afterwards, all else `null`.
    pub fn empty(range: Range<usize>, body: &[u8]) -> Splice {
        match body.get(range.start) {
            Some(b'[') => Splice { range, with: b"[]".to_vec() },
            _ => Splice::null(range),
        }
    }
}

// Written by hand: replacements may come from the model, and no text of an exchange belongs into a log.
impl std::fmt::Debug for Splice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splice").field("range", &self.range).field("with_bytes", &self.with.len()).finish()
    }
}

/// `body` with every splice applied. Splices come in any order. They do not overlap unless a caller edits the same text
/// twice; then the first one by position wins and no byte of either range survives.
pub fn apply(body: &[u8], splices: &[Splice]) -> Vec<u8> {
    // What is inserted at a place comes before what is replaced there.
    let order =
        by_place(splices.iter().map(|Splice { range, .. }| range.start * 2 + usize::from(!range.is_empty())));
    let grown: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let mut rewritten = Vec::with_capacity(body.len() + grown);
    let mut copied = 0;
    for Splice { range, with } in order.filter_map(|position| splices.get(position)) {
        if range.start >= copied {
            rewritten.extend_from_slice(body.get(copied..range.start).unwrap_or_default());
            rewritten.extend_from_slice(with);
        }
        copied = copied.max(range.end);
    }
    rewritten.extend_from_slice(body.get(copied..).unwrap_or_default());
    rewritten
}

/// `value` as a JSON string, quotes included.
pub fn json_string(value: &str) -> Vec<u8> {
    let mut raw = String::with_capacity(value.len() + 2);
    push_json_string(value, &mut raw);
    raw.into_bytes()
}

/// `value` between the quotes of a JSON string.
pub(crate) fn encoded(value: &str) -> String {
    escape::encoded(value)
}

/// Appends `value` as a JSON string, quotes included.
pub(crate) fn push_json_string(value: &str, raw: &mut String) {
    raw.push('"');
    encode(value, raw);
    raw.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(splices: &[(Range<usize>, &str)], expected: &str) {
        let splices: Vec<Splice> = splices
            .iter()
            .map(|(range, with)| Splice { range: range.clone(), with: (*with).into() })
            .collect();
        assert_eq!(String::from_utf8(apply(b"0123456789", &splices)).unwrap(), expected);
    }

    #[test]
    fn splices_come_in_any_order_and_touch() {
        check(&[], "0123456789");
        check(&[(8..10, "end"), (0..2, ""), (2..4, "abc")], "abc4567end");
        check(&[(0..0, "<"), (10..10, ">")], "<0123456789>");
    }

    #[test]
    fn several_insertions_at_one_place_keep_their_order() {
        check(&[(1..1, "a"), (1..1, "b")], "0ab123456789");
    }

    #[test]
    fn nothing_of_an_overlapped_range_survives() {
        check(&[(1..5, "X"), (3..8, "Y")], "0X89");
        check(&[(2..4, "X"), (2..4, "X")], "01X456789");
    }

    #[test]
    fn a_json_string_is_quoted_and_escaped() {
        assert_eq!(json_string("a\"\n\u{1}é"), "\"a\\\"\\n\\u0001é\"".as_bytes());
    }
}

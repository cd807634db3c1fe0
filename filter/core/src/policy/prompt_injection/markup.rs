//! Marks that separate messages inside a model, written by a person: `<|im_start|>`, `[INST]`, `</system>`, `### System:`.
//!
//! Looks only around words the lexicon gave; never searches the text itself.

use super::rules::{DELIMITER_ESCAPE, FAKE_BOUNDARY};

/// A mark around the word at `start..end`: kind, weight, whole extent.
pub(super) fn around(text: &str, start: usize, end: usize) -> Option<(&'static str, f32, usize, usize)> {
    let bytes = text.as_bytes();
    let before = bytes.get(start.saturating_sub(24)..start).unwrap_or_default();
    let after = bytes.get(end..(end + 24).min(bytes.len())).unwrap_or_default();
    let word = bytes.get(start..end).unwrap_or_default();
    // Nearly all words stand in plain text: a mark has signs on one side at least.
    let fence = matches!(word, b"BEGIN" | b"END");
    let mut near = before.iter().chain(after.get(..12).unwrap_or(after));
    if !fence && !near.any(|byte| matches!(byte, b'|' | b'<' | b'>' | b'[' | b']' | b':' | b'/')) {
        return None;
    }
    let is = |names: &[&str]| is_one_of(word, names);
    let found = |kind, weight, back: usize, on: usize| {
        let start = floor(text, start.saturating_sub(back));
        Some((kind, weight, start, floor(text, (end + on).min(text.len()))))
    };
    let close = |mark: &[u8]| end_of_mark(after, mark);
    let (opened, closed) = (|mark: &[u8]| ends_with(before, mark), |mark: &[u8]| starts_with(after, mark));

    // <|im_start|>, <|system|>, <|endoftext|>, <|begin_of_text|>, <|eot_id|>
    if opened(b"<|")
        && let Some(on) = close(b"|>")
    {
        return found(FAKE_BOUNDARY, 0.75, 2, on);
    }
    if is(&["sys"]) && (opened(b"<<") || opened(b"<</")) && closed(b">>") {
        return found(FAKE_BOUNDARY, 0.7, 3, 2);
    }
    if is(&["inst"]) && (opened(b"[") || opened(b"[/")) && closed(b"]") {
        return found(FAKE_BOUNDARY, 0.65, 2, 1);
    }
    if is(&["system", "developer", "admin", "instructions", "assistant"]) && closed(b">") {
        if opened(b"</") {
            return found(DELIMITER_ESCAPE, 0.65, 2, 1);
        }
        if opened(b"<") {
            return found(FAKE_BOUNDARY, 0.6, 1, 1);
        }
    }
    if is(&["system", "assistant", "developer", "admin"]) {
        // The role that follows `<|im_start|>` or stands between two marks.
        if opened(b"|>") {
            return found(FAKE_BOUNDARY, 0.5, 2, 0);
        }
        if opened(b"[") && closed(b"](#") {
            return found(FAKE_BOUNDARY, 0.7, 1, 2);
        }
        if opened(b"[") && closed(b"]") {
            return found(FAKE_BOUNDARY, 0.4, 1, 1);
        }
        // "### System:", "system message:" or "System:" at the start of a line.
        let labelled = closed(b":") || close(b":").is_some_and(|on| on <= 12);
        let heading =
            before.iter().rev().take_while(|byte| matches!(byte, b'#' | b' ' | b'*' | b'=' | b'-')).count();
        let line_start =
            start == heading || before.len() > heading && before.iter().rev().nth(heading) == Some(&b'\n');
        if labelled && line_start {
            let marks = before.iter().rev().take(heading).any(|byte| *byte != b' ');
            return found(FAKE_BOUNDARY, if marks { 0.62 } else { 0.4 }, heading, 1);
        }
    }
    // </user_input>, </document>: closing what holds the data.
    if opened(b"</")
        && is(&["user", "input", "document", "context", "data", "email"])
        && close(b">").is_some_and(|on| on < 12)
    {
        return found(DELIMITER_ESCAPE, 0.45, 2, close(b">").unwrap_or(0));
    }
    // BEGIN_PRIVILEGED, END SYSTEM INSTRUCTIONS and other invented fences in capitals.
    if fence {
        let name: &[u8] = after.get(1..).unwrap_or_default();
        let fences: [&[u8]; 5] = [b"PRIVILEGED", b"SYSTEM", b"ADMIN", b"INSTRUCTION", b"USER"];
        if fences.iter().any(|fence| name.starts_with(fence)) {
            return found(FAKE_BOUNDARY, 0.65, 0, 1);
        }
    }
    None
}

// Called from many places: worth a call, not a copy.

#[inline(never)]
fn is_one_of(word: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

#[inline(never)]
fn ends_with(text: &[u8], mark: &[u8]) -> bool {
    text.ends_with(mark)
}

#[inline(never)]
fn starts_with(text: &[u8], mark: &[u8]) -> bool {
    text.starts_with(mark)
}

#[inline(never)]
fn end_of_mark(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len())
}

#[inline(never)]
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

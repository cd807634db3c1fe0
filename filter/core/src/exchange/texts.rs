//! Whole texts of a body, request's or answer's: what the chain finds in them and what is edited.
//!
//! Reads no bodies and answers no one. Invariant: every text is inspected, also behind one that blocks, so that the block of
//! the chain's earliest policy is the one that is reported.

use super::{Exchange, Gateway};
use crate::holdback;
use crate::message::rewrite::Splice;
use crate::message::text::Text;
use crate::policy::{Direction, Finding};
use std::ops::Range;

impl Exchange {
    /// Inspects `texts` of `body`, counts what is found and adds the edits to `splices`; the finding that blocks, if one does.
    ///
    /// `leaks` are the values that spell out the tokens of a choice; they go where a text of theirs is edited.
    pub(super) fn inspect_texts(
        &mut self,
        direction: Direction,
        texts: &[Text],
        leaks: &[(u32, Range<usize>)],
        body: &[u8],
        splices: &mut Vec<Splice>,
    ) -> Option<Finding> {
        let gateway = self.gateway.clone();
        let chain = &gateway.chain;
        let mut scratch = gateway.scratch.borrow_mut();
        let mut findings = Vec::new();
        let mut blocking: Option<Finding> = None;
        for text in texts {
            findings.clear();
            chain.inspect(self.active, direction, text.role, &text.value, 0, &mut scratch, &mut findings);
            self.record.scanned.count(direction, text.channel.kind(), text.value.len());
            if findings.is_empty() {
                continue;
            }
            self.record.found(&findings, &text.place);
            #[cfg(feature = "compile")]
            self.record.locate(&findings, &text.place);
            let before = splices.len();
            redact(&gateway, text, body, &findings, splices);
            if splices.len() > before {
                hide_tokens(text.choice, leaks, body, splices);
            }
            for finding in findings.drain(..).filter(Finding::blocks) {
                if blocking.as_ref().is_none_or(|known| chain.comes_before(&finding, known)) {
                    blocking = Some(finding);
                }
            }
        }
        blocking
    }
}

/// Empties the values that spell out the tokens of a choice, once.
pub(super) fn hide_tokens(
    choice: u32,
    leaks: &[(u32, Range<usize>)],
    body: &[u8],
    splices: &mut Vec<Splice>,
) {
    for (_, range) in leaks.iter().filter(|(of, _)| *of == choice) {
        if !splices.iter().any(|splice| splice.range == *range) {
            splices.push(Splice::empty(range.clone(), body));
        }
    }
}

/// Turns what must be replaced in one text into splices of its body.
pub(super) fn redact(
    gateway: &Gateway,
    text: &Text,
    body: &[u8],
    findings: &[Finding],
    splices: &mut Vec<Splice>,
) {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for merged in holdback::merge(findings) {
        let matched = text.value.get(merged.start..merged.end).unwrap_or_default();
        let mut marker = String::new();
        gateway.chain.marker(merged.finding, matched, &mut marker);
        edits.push((merged.start..merged.end, marker));
    }
    if !edits.is_empty() {
        let edits: Vec<(Range<usize>, &str)> =
            edits.iter().map(|(range, marker)| (range.clone(), marker.as_str())).collect();
        text.edit(body, &edits, splices);
    }
}

//! Releases streamed text once no policy can still change it.
//!
//! Knows nothing of SSE or JSON: one lane's deltas go in, and out come the place up to which the lane is decided and the
//! edits before it. Invariants: a match is never released in part; what is released, edited, is what a one-shot inspection of
//! the whole lane would have given, whatever the deltas were; the window keeps only what is held and [`LOOKBEHIND_BYTES`].

mod json;

pub use json::JsonHoldback;

use crate::config::Role;
use crate::order::by_place;
use crate::policy::{Active, Chain, Direction, Finding, Scratch};
use crate::scan::identifiers;
use std::collections::VecDeque;

/// How far before a match a policy may look to judge it. Words look less far than identifiers.
const LOOKBEHIND_BYTES: usize = identifiers::LOOKBEHIND;

/// Released text stays in the window until there is this much of it, so that it is not moved for every delta.
const COMPACT_BYTES: usize = 1024;

/// A replacement, in bytes of the lane's original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// First byte replaced.
    pub start: u64,
    /// Byte after the last one replaced.
    pub end: u64,
    /// What stands there instead.
    pub marker: String,
}

/// The policies that decide about a stream, what they work with, and what they have found.
pub struct Judge<'a> {
    /// The policies.
    pub chain: &'a Chain,
    /// Those that apply.
    pub active: Active,
    /// Their buffers.
    pub scratch: &'a mut Scratch,
    /// Findings so far.
    pub findings: Vec<Finding>,
}

/// What one more delta made certain.
#[derive(Debug, PartialEq)]
pub enum Progress {
    /// The lane is decided up to [`Holdback::released`].
    Released,
    /// A policy blocks; nothing of the lane beyond what was released before may leave.
    Blocked(Finding),
}

/// One lane of a stream.
#[derive(Debug, Default)]
pub struct Holdback {
    /// The end of the lane's text: released look-behind, then what is held.
    window: String,
    /// Place of the window's first byte in the lane.
    base: u64,
    /// First byte of the window that is not released.
    open: usize,
    /// Edits before `open`, oldest first, until [`LaneHold::forget`] drops them.
    edits: VecDeque<Edit>,
}

impl Holdback {
    /// Bytes of the lane that came in so far.
    pub fn received(&self) -> u64 {
        self.base + self.window.len() as u64
    }

    /// Bytes of the lane that are decided.
    pub fn released(&self) -> u64 {
        self.base + self.open as u64
    }

    /// The decided text from `place` on as it came in, while it is still at hand.
    pub fn decided_since(&self, place: u64) -> Option<&str> {
        let start = usize::try_from(place.checked_sub(self.base)?).ok()?;
        self.window.get(start..self.open)
    }

    /// Edits of decided text that [`LaneHold::forget`] has not dropped, oldest first.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.edits.iter()
    }

    /// Takes one more delta.
    pub fn push(&mut self, delta: &str, judge: &mut Judge) -> Progress {
        self.take(delta);
        self.decide(judge, false)
    }

    /// Adds text that is not looked at yet.
    fn take(&mut self, text: &str) {
        self.window.push_str(text);
    }

    /// A text that has ended, with its edits; all of it has to be in the window.
    fn edited(&self) -> String {
        let mut edited = String::with_capacity(self.window.len());
        let mut at = 0;
        for edit in &self.edits {
            let (start, end) = (self.local(edit.start), self.local(edit.end));
            edited.push_str(self.window.get(at..start).unwrap_or_default());
            edited.push_str(&edit.marker);
            at = end;
        }
        edited.push_str(self.window.get(at..).unwrap_or_default());
        edited
    }

    fn local(&self, place: u64) -> usize {
        usize::try_from(place.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// The lane has ended: everything is decided.
    pub fn finish(&mut self, judge: &mut Judge) -> Progress {
        self.decide(judge, true)
    }

    fn decide(&mut self, judge: &mut Judge, ended: bool) -> Progress {
        if self.open == self.window.len() {
            return Progress::Released;
        }
        let Judge { chain, active, scratch, findings } = judge;
        let mut found = Vec::new();
        let mut open = self.window.len();
        if ended {
            let (direction, role) = (Direction::Response, Role::Assistant);
            chain.inspect(*active, direction, role, &self.window, self.open, scratch, &mut found);
        } else {
            let decided = chain.decide(*active, &self.window, self.open, scratch, &mut found);
            open = decided.by_all();
            // What one policy has decided another may still wait for. Such a match is read again, and with it what stands before
            // it from the match before: its label may be there.
            loop {
                let waiting = found.iter().filter(|found| found.range.end > open && decided.is_final(found));
                let Some(start) = waiting.map(|found| found.range.start).min() else { break };
                let before = found.iter().map(|found| found.range.end).filter(|end| *end <= start).max();
                let again = before.unwrap_or(self.open).max(self.open);
                if again >= open {
                    break;
                }
                open = again;
            }
        }
        // A match that reaches into open text may still grow or come to nothing.
        found.retain(|finding| finding.range.end <= open);
        if let Some(position) = found.iter().position(Finding::blocks) {
            let blocking = found.swap_remove(position);
            findings.push(blocking.clone());
            return Progress::Blocked(blocking);
        }
        self.edit(chain, &found);
        findings.append(&mut found);
        self.open = open;
        self.compact();
        Progress::Released
    }

    fn edit(&mut self, chain: &Chain, found: &[Finding]) {
        for merged in merge(found) {
            let matched = self.window.get(merged.start..merged.end).unwrap_or_default();
            let mut marker = String::new();
            chain.marker(merged.finding, matched, &mut marker);
            let (start, end) = (self.base + merged.start as u64, self.base + merged.end as u64);
            self.edits.push_back(Edit { start, end, marker });
        }
    }

    fn compact(&mut self) {
        let Some(mut keep) = self.open.checked_sub(LOOKBEHIND_BYTES).filter(|keep| *keep >= COMPACT_BYTES)
        else {
            return;
        };
        while !self.window.is_char_boundary(keep) {
            keep -= 1;
        }
        self.window.drain(..keep);
        self.base += keep as u64;
        self.open -= keep;
    }
}

/// One lane of any kind.
#[derive(Debug)]
pub enum LaneHold {
    /// Prose, names, and whatever else is one text.
    Text(Holdback),
    /// JSON text.
    Json(Box<JsonHoldback>),
}

impl LaneHold {
    /// A lane of which nothing has come.
    pub fn new(is_json: bool) -> LaneHold {
        match is_json {
            false => LaneHold::Text(Holdback::default()),
            true => LaneHold::Json(Box::default()),
        }
    }

    /// Bytes of the lane that came in so far.
    pub fn received(&self) -> u64 {
        match self {
            LaneHold::Text(hold) => hold.received(),
            LaneHold::Json(hold) => hold.received(),
        }
    }

    /// Bytes of the lane that are decided.
    pub fn released(&self) -> u64 {
        match self {
            LaneHold::Text(hold) => hold.released(),
            LaneHold::Json(hold) => hold.released(),
        }
    }

    /// Bytes that wait for more text.
    pub fn held_bytes(&self) -> u64 {
        self.received() - self.released()
    }

    /// Whether the decided text from `place` on is nothing but white space.
    pub fn is_blank_since(&self, place: u64) -> bool {
        match self {
            LaneHold::Text(hold) => hold.decided_since(place).is_some_and(|text| text.trim().is_empty()),
            LaneHold::Json(_) => false,
        }
    }

    /// Edits of decided text that [`LaneHold::forget`] has not dropped, oldest first.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        match self {
            LaneHold::Text(hold) => hold.edits.iter(),
            LaneHold::Json(hold) => hold.edits().iter(),
        }
    }

    /// Takes one more delta.
    pub fn push(&mut self, delta: &str, judge: &mut Judge) -> Progress {
        match self {
            LaneHold::Text(hold) => hold.push(delta, judge),
            LaneHold::Json(hold) => hold.push(delta, judge),
        }
    }

    /// The lane has ended: everything is decided.
    pub fn finish(&mut self, judge: &mut Judge) -> Progress {
        match self {
            LaneHold::Text(hold) => hold.finish(judge),
            LaneHold::Json(hold) => hold.finish(judge),
        }
    }

    /// Drops edits that end at or before `place`; text up to there has left.
    pub fn forget(&mut self, place: u64) {
        let edits = match self {
            LaneHold::Text(hold) => &mut hold.edits,
            LaneHold::Json(hold) => hold.edits_mut(),
        };
        while edits.front().is_some_and(|edit| edit.end <= place) {
            edits.pop_front();
        }
    }
}

/// Neighbouring or overlapping redactions as one.
pub struct Merged<'f> {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// The first of the findings, which names the marker.
    pub finding: &'f Finding,
}

/// The redactions among `findings`, in order of place; overlapping ones become one, marked as the first.
pub fn merge(findings: &[Finding]) -> Vec<Merged<'_>> {
    let redactions: Vec<&Finding> = findings.iter().filter(|finding| finding.redacts()).collect();
    let order = by_place(redactions.iter().map(|finding| finding.range.start));
    let mut merged: Vec<Merged> = Vec::with_capacity(redactions.len());
    for finding in order.filter_map(|position| redactions.get(position).copied()) {
        match merged.last_mut() {
            Some(last) if finding.range.start < last.end => last.end = last.end.max(finding.range.end),
            _ => merged.push(Merged { start: finding.range.start, end: finding.range.end, finding }),
        }
    }
    merged
}

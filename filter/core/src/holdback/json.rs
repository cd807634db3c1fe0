//! Releases streamed JSON text, such as the arguments of a tool call, once no policy can still change what its strings say.
//!
//! Each key, string and long number is a text of its own, as it is in a whole answer, and what is edited stays JSON. Invariant:
//! as for [`Holdback`], with places in the JSON text as it is written.

use super::{Edit, Holdback, Judge, Progress};
use crate::message::nested::{Lexer, Token};
use crate::message::rewrite::encoded;
use std::collections::VecDeque;

/// One lane of JSON text.
#[derive(Debug, Default)]
pub struct JsonHoldback {
    lexer: Lexer,
    leaf: Option<Leaf>,
    received: u64,
    released: u64,
    edits: VecDeque<Edit>,
}

/// A leaf that has begun.
#[derive(Debug)]
struct Leaf {
    hold: Holdback,
    /// Places of the leaf and where they are written, after every escape: in between both go on alike.
    marks: Vec<(u64, u64)>,
    /// Written as a JSON string.
    is_string: bool,
}

impl Leaf {
    fn at(place: u64, is_string: bool) -> Leaf {
        Leaf { hold: Holdback::default(), marks: vec![(0, place)], is_string }
    }

    /// Where `place` of the leaf is written.
    fn written(&self, place: u64) -> u64 {
        let before = self.marks.partition_point(|(known, _)| *known <= place);
        let (known, written) = self.marks.get(before.saturating_sub(1)).copied().unwrap_or_default();
        written + place.saturating_sub(known)
    }
}

impl JsonHoldback {
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn released(&self) -> u64 {
        self.released
    }

    pub(super) fn edits(&self) -> &VecDeque<Edit> {
        &self.edits
    }

    pub(super) fn edits_mut(&mut self) -> &mut VecDeque<Edit> {
        &mut self.edits
    }

    pub(super) fn push(&mut self, delta: &str, judge: &mut Judge) -> Progress {
        let mut rest = delta;
        while !rest.is_empty() {
            let begun = self.decided();
            let (read, token) = self.lexer.next(rest);
            self.received += read as u64;
            rest = rest.get(read..).unwrap_or_default();
            let progress = self.take(begun, token, judge);
            if progress != Progress::Released {
                return progress;
            }
        }
        self.decide(judge, false)
    }

    pub(super) fn finish(&mut self, judge: &mut Judge) -> Progress {
        while self.lexer.undecided() > 0 {
            let begun = self.decided();
            let token = self.lexer.finish();
            let progress = self.take(begun, token, judge);
            if progress != Progress::Released {
                return progress;
            }
        }
        self.decide(judge, true)
    }

    /// What was read and understood.
    fn decided(&self) -> u64 {
        self.received - self.lexer.undecided() as u64
    }

    /// `begun`: where the stretch begins.
    fn take(&mut self, begun: u64, token: Token, judge: &mut Judge) -> Progress {
        match token {
            Token::Passed => {}
            Token::Opens => self.leaf = Some(Leaf::at(self.received, true)),
            Token::Strays(text) => {
                let mut leaf = Leaf::at(begun, false);
                leaf.hold.take(&text);
                self.leaf = Some(leaf);
            }
            Token::Adds(text) => {
                if let Some(leaf) = &mut self.leaf {
                    leaf.hold.take(&text);
                }
            }
            Token::Escape(character) => {
                let written = self.decided();
                if let Some(leaf) = &mut self.leaf {
                    leaf.hold.take(character.encode_utf8(&mut [0; 4]));
                    leaf.marks.push((leaf.hold.received(), written));
                }
            }
            Token::Closes => {
                let progress = self.decide(judge, true);
                self.leaf = None;
                return progress;
            }
            Token::Number(written) => {
                let mut hold = Holdback::default();
                hold.take(written.trim_end());
                let progress = hold.finish(judge);
                if hold.edits().next().is_some() {
                    let marker = format!("\"{}\"", encoded(&hold.edited()));
                    self.edits.push_back(Edit { start: begun, end: begun + hold.received(), marker });
                }
                return progress;
            }
        }
        Progress::Released
    }

    fn decide(&mut self, judge: &mut Judge, ended: bool) -> Progress {
        let decided = self.decided();
        let Some(leaf) = &mut self.leaf else {
            self.released = decided;
            return Progress::Released;
        };
        let progress = leaf.hold.decide(judge, ended);
        if progress != Progress::Released {
            return progress;
        }
        while let Some(edit) = leaf.hold.edits.pop_front() {
            let marker = if leaf.is_string { encoded(&edit.marker) } else { edit.marker };
            let (start, end) = (leaf.written(edit.start), leaf.written(edit.end));
            self.edits.push_back(Edit { start, end, marker });
        }
        self.released = leaf.written(leaf.hold.released());
        let passed = leaf.marks.partition_point(|(known, _)| *known <= leaf.hold.released());
        leaf.marks.drain(..passed.saturating_sub(1));
        Progress::Released
    }
}

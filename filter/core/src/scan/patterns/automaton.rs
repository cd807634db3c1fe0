//! Runs one deterministic automaton over bytes, in either direction.
//!
//! Builds none and knows no expressions. Tables of our own and a loop over them, because the searches of a general library
//! are thirty kilobytes of the wasm module. Invariant: whatever tables are read, no run panics or fails to end.

use super::{Damaged, number16};
use std::ops::Range;

/// The state that is never left and never matches.
pub(super) const DEAD: u32 = 0;

/// What stands before the first byte of a run, as far as any expression can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// Nothing.
    Edge,
    Newline,
    CarriageReturn,
    /// `[0-9A-Za-z_]`.
    Word,
    Other,
}

impl Before {
    /// All of them, in the order of a table of starts.
    pub(super) const ALL: [Before; 5] =
        [Before::Edge, Before::Newline, Before::CarriageReturn, Before::Word, Before::Other];

    fn of(byte: Option<u8>) -> Before {
        match byte {
            None => Before::Edge,
            Some(b'\n') => Before::Newline,
            Some(b'\r') => Before::CarriageReturn,
            Some(byte) if byte == b'_' || byte.is_ascii_alphanumeric() => Before::Word,
            Some(_) => Before::Other,
        }
    }
}

/// Where each run begins, by what stands before it.
pub(super) type Starts = [u32; Before::ALL.len()];

/// The tables. A state is the place of its row in `next`; matches are noticed one byte late, as look-around needs.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Automaton {
    /// Bytes that no state tells apart share a class.
    pub(super) classes: [u8; 256],
    /// Classes with that of the end of the text, which comes last.
    pub(super) stride: u32,
    /// Matches lie from the first row to this one; row 0 is [`DEAD`].
    pub(super) last_match: u32,
    /// Where a search begins that may skip bytes.
    pub(super) searching: Starts,
    /// Where a search begins that may not.
    pub(super) anchored: Starts,
    pub(super) next: Vec<u32>,
}

impl Automaton {
    /// Reads what [`Automaton::write`] wrote.
    pub(super) fn read(bytes: &[u8]) -> Result<Automaton, Damaged> {
        let mut rest = bytes;
        let (stride, states) = (number16(&mut rest)?, number16(&mut rest)?);
        let matches = number16(&mut rest)?;
        let (classes, after) = rest.split_first_chunk::<256>().ok_or(Damaged)?;
        rest = after;
        if matches >= states || classes.iter().any(|class| u32::from(*class) + 1 >= stride) {
            return Err(Damaged);
        }
        let row = |rest: &mut &[u8]| match number16(rest)? {
            state if state < states => Ok(state * stride),
            _ => Err(Damaged),
        };
        let (mut searching, mut anchored) = (Starts::default(), Starts::default());
        for start in searching.iter_mut().chain(&mut anchored) {
            *start = row(&mut rest)?;
        }
        let transitions = (states as usize - 1) * stride as usize;
        if rest.len() != transitions * 2 {
            return Err(Damaged);
        }
        let mut next = vec![DEAD; stride as usize];
        next.reserve_exact(transitions);
        while !rest.is_empty() {
            next.push(row(&mut rest)?);
        }
        Ok(Automaton { classes: *classes, stride, last_match: matches * stride, searching, anchored, next })
    }

    /// The form that [`Automaton::read`] reads: numbers of states, sixteen bits each, without the row of [`DEAD`].
    #[cfg(feature = "compile")]
    pub(super) fn write(&self) -> Vec<u8> {
        let stride = self.stride as usize;
        let mut bytes = Vec::with_capacity(self.written_length());
        let mut push = |number: u32| bytes.extend((number as u16).to_le_bytes());
        push(self.stride);
        push((self.next.len() / stride) as u32);
        push(self.last_match / self.stride);
        bytes.extend(self.classes);
        let rows = self.searching.iter().chain(&self.anchored).chain(self.next.iter().skip(stride));
        bytes.extend(rows.flat_map(|row| ((row / self.stride) as u16).to_le_bytes()));
        bytes
    }

    /// How many bytes [`Automaton::write`] writes.
    #[cfg(feature = "compile")]
    pub(super) fn written_length(&self) -> usize {
        let numbers = 3 + self.searching.len() + self.anchored.len() + self.next.len() - self.stride as usize;
        self.classes.len() + 2 * numbers
    }

    #[inline]
    fn step(&self, state: u32, byte: u8) -> u32 {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        self.next.get(state as usize + usize::from(class)).copied().unwrap_or(DEAD)
    }

    fn at_the_edge(&self, state: u32) -> u32 {
        self.next.get((state + self.stride) as usize - 1).copied().unwrap_or(DEAD)
    }

    fn is_match(&self, state: u32) -> bool {
        state != DEAD && state <= self.last_match
    }

    fn start(&self, starts: &Starts, before: Option<u8>) -> u32 {
        starts.get(Before::of(before) as usize).copied().unwrap_or(DEAD)
    }

    /// The end of the first match that begins in `text[from..]`.
    pub(super) fn end_of_first(&self, text: &[u8], from: usize) -> Option<usize> {
        let (before, after) = text.split_at_checked(from)?;
        let mut state = self.start(&self.searching, before.last().copied());
        let mut end = None;
        for (at, byte) in after.iter().enumerate() {
            state = self.step(state, *byte);
            if state <= self.last_match {
                if state == DEAD {
                    return end;
                }
                end = Some(from + at);
            }
        }
        if self.is_match(self.at_the_edge(state)) { Some(text.len()) } else { end }
    }

    /// The beginning of the longest match that ends with `text[within]`, where this automaton reads backwards.
    pub(super) fn start_of_longest(&self, text: &[u8], within: Range<usize>) -> Option<usize> {
        let mut state = self.start(&self.anchored, text.get(within.end).copied());
        let mut start = None;
        for (at, byte) in text.get(within.clone())?.iter().enumerate().rev() {
            state = self.step(state, *byte);
            if state <= self.last_match {
                if state == DEAD {
                    return start;
                }
                start = Some(within.start + at + 1);
            }
        }
        state = match within.start.checked_sub(1).and_then(|before| text.get(before)) {
            Some(before) => self.step(state, *before),
            None => self.at_the_edge(state),
        };
        if self.is_match(state) { Some(within.start) } else { start }
    }

    /// Whether a match that begins at `start` is still possible, or may still grow, at the end of `text`.
    pub(super) fn is_open(&self, text: &[u8], start: usize) -> bool {
        let Some((before, after)) = text.split_at_checked(start) else { return false };
        let mut state = self.start(&self.anchored, before.last().copied());
        for byte in after {
            state = self.step(state, *byte);
            if state == DEAD {
                return false;
            }
        }
        true
    }
}

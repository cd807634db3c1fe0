//! Finds what the operator's own patterns match.
//!
//! Runs automata; builds them only with feature `compile`, which the wasm module does without. Invariant (the streaming
//! law): no match is longer than [`LONGEST_MATCH`], so where one may begin is decided after that much text.

mod automaton;
#[cfg(feature = "compile")]
mod compile;
#[cfg(feature = "compile")]
mod tabulate;

use super::Step;
use super::turns::{Find, Turns};
use automaton::Automaton;

/// The most bytes that an operator's pattern may match, since that much streamed text is held back for it.
pub const LONGEST_MATCH: usize = 256;

/// The most bytes of all automata together: they travel in the filter's configuration.
pub const MOST_AUTOMATON_BYTES: usize = 512 * 1024;

/// Begins every file of automata; the digit is the version of the form.
const MAGIC: &[u8; 8] = b"kt-dfa-2";

/// Patterns with a name each.
pub struct Patterns {
    names: Vec<String>,
    /// A pair for each pattern. One for all would be faster, but grows with the product of their counted repetitions.
    automata: Vec<Automata>,
}

struct Automata {
    /// To the end of a match.
    forward: Automaton,
    /// From there to its beginning.
    reverse: Automaton,
}

/// A find: `text[start..end]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PatternHit {
    /// Which pattern, as an index into [`Patterns::names`].
    pub pattern: usize,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Bytes that are no automata of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern automaton is damaged or was built by another version; render the configuration again")]
pub struct Damaged;

impl Patterns {
    /// Names in the order of the configuration.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads what [`Patterns::to_bytes`] wrote, and checks it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Patterns, Damaged> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(Damaged)?;
        let count = number(&mut rest)?;
        let (mut names, mut automata) = (Vec::new(), Vec::new());
        for _ in 0..count {
            names.push(String::from_utf8(field(&mut rest)?.to_vec()).map_err(|_| Damaged)?);
            let forward = Automaton::read(field(&mut rest)?)?;
            let reverse = Automaton::read(field(&mut rest)?)?;
            automata.push(Automata { forward, reverse });
        }
        if !rest.is_empty() {
            return Err(Damaged);
        }
        Ok(Patterns { names, automata })
    }

    /// The form that [`Patterns::from_bytes`] reads.
    #[cfg(feature = "compile")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.names.len() as u32).to_le_bytes());
        let mut push = |field: &[u8]| {
            bytes.extend((field.len() as u32).to_le_bytes());
            bytes.extend(field);
        };
        for (name, automata) in self.names.iter().zip(&self.automata) {
            push(name.as_bytes());
            push(&automata.forward.write());
            push(&automata.reverse.write());
        }
        bytes
    }

    /// Hits in `text[from..]`, in order, not overlapping. May look back at text before `from`, never matches into it.
    pub fn scan(&self, text: &str, from: usize, hits: &mut Vec<PatternHit>) {
        let mut turns = Turns::new(self.names.len(), text, from);
        while let Step::Hit(Find { kind: pattern, start, end }) =
            turns.next(|pattern, from| self.next(pattern, text, from, false))
        {
            hits.push(PatternHit { pattern, start, end });
        }
    }

    /// Earliest byte at or after `from` that may still become part of a match once more text follows; `text.len()` if none.
    pub fn open_from(&self, text: &str, from: usize) -> usize {
        let mut turns = Turns::new(self.names.len(), text, from);
        loop {
            if let Step::Open(at) = turns.next(|pattern, from| self.next(pattern, text, from, true)) {
                return at;
            }
        }
    }

    /// The pattern matches somewhere in `text`.
    pub(crate) fn matches(&self, pattern: usize, text: &str) -> bool {
        matches!(self.next(pattern, text, 0, false), Step::Hit(_))
    }

    /// What one pattern finds first in `text[from..]`; `more`: the text may go on.
    pub(crate) fn next(&self, pattern: usize, text: &str, from: usize, more: bool) -> Step<Find<usize>> {
        let Some(automata) = self.automata.get(pattern) else { return Step::Open(text.len()) };
        let hit = automata.first(text, from).map(|(start, end)| Find { kind: pattern, start, end });
        // One byte more than the longest match: the automaton reports a match one byte late.
        let undecided = text.len().saturating_sub(LONGEST_MATCH + 1).max(from);
        let open = match hit {
            // Asked only near the end, or a text full of matches would ask it for each of them.
            Some(hit) if !more || hit.start < undecided => return Step::Hit(hit),
            _ if more => automata.first_open(text, undecided),
            _ => text.len(),
        };
        match hit {
            Some(hit) if hit.start < open => Step::Hit(hit),
            _ => Step::Open(open),
        }
    }
}

impl Automata {
    /// The first match in `text[from..]`.
    fn first(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let end = self.forward.end_of_first(bytes, from)?;
        let start = self.reverse.start_of_longest(bytes, from..end)?;
        // Always so, unless the tables were tampered with: an empty match would be found again and again.
        let is_text = start < end && text.is_char_boundary(start) && text.is_char_boundary(end);
        is_text.then_some((start, end))
    }

    /// The first place from `from` on where a match may have begun whose end is not decided by `text`.
    fn first_open(&self, text: &str, from: usize) -> usize {
        // Within a character nothing begins.
        let is_open =
            |start: &usize| text.is_char_boundary(*start) && self.forward.is_open(text.as_bytes(), *start);
        (from..text.len()).find(is_open).unwrap_or(text.len())
    }
}

/// Takes a number off the front.
fn number(rest: &mut &[u8]) -> Result<usize, Damaged> {
    let (number, after) = rest.split_first_chunk::<4>().ok_or(Damaged)?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*number)).map_err(|_| Damaged)
}

/// Takes a length and that many bytes off the front.
fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let length = number(rest)?;
    let (field, after) = rest.split_at_checked(length).ok_or(Damaged)?;
    *rest = after;
    Ok(field)
}

/// Takes a short number off the front.
fn number16(rest: &mut &[u8]) -> Result<u32, Damaged> {
    let (number, after) = rest.split_first_chunk::<2>().ok_or(Damaged)?;
    *rest = after;
    Ok(u32::from(u16::from_le_bytes(*number)))
}

//! Finds what the operator's own patterns match.
//!
//! Runs automata; builds them only with feature `compile`, which the wasm module does without. Invariant (the streaming
//! law): no match is longer than [`LONGEST_MATCH`], so where one may begin is decided after that much text.

#[cfg(feature = "compile")]
mod compile;

use super::Step;
use super::turns::{Find, Turns};
use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::DFA;
use regex_automata::dfa::regex::Regex;
use regex_automata::{Anchored, Input};

/// The most bytes that an operator's pattern may match, since that much streamed text is held back for it.
pub const LONGEST_MATCH: usize = 256;

/// The most bytes of all automata together: they travel in the filter's configuration.
pub const MOST_AUTOMATON_BYTES: usize = 512 * 1024;

/// Begins every file of automata; the digit is the version of the form.
const MAGIC: &[u8; 8] = b"kt-dfa-1";

/// Patterns with a name each.
pub struct Patterns {
    names: Vec<String>,
    /// A pair for each pattern. One for all would be faster, but grows with the product of their counted repetitions.
    automata: Vec<Automata>,
}

/// Forwards to the end of a match, backwards to its beginning.
type Automata = Regex<DFA<Vec<u32>>>;

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
            let forward = automaton(field(&mut rest)?)?;
            let reverse = automaton(field(&mut rest)?)?;
            automata.push(Regex::builder().build_from_dfas(forward, reverse));
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
            for automaton in [automata.forward(), automata.reverse()] {
                let (padded, padding) = automaton.to_bytes_little_endian();
                push(padded.get(padding..).unwrap_or_default());
            }
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

    /// What one pattern finds first in `text[from..]`; `more`: the text may go on.
    pub(crate) fn next(&self, pattern: usize, text: &str, from: usize, more: bool) -> Step<Find<usize>> {
        let Some(automata) = self.automata.get(pattern) else { return Step::Open(text.len()) };
        // No automaton of ours can give up: they are built without quit bytes.
        let found = automata.try_search(&Input::new(text).range(from..)).ok().flatten();
        let hit = found.map(|found| Find { kind: pattern, start: found.start(), end: found.end() });
        // One byte more than the longest match: the automaton reports a match one byte late.
        let undecided = text.len().saturating_sub(LONGEST_MATCH + 1).max(from);
        let open = match hit {
            // Asked only near the end, or a text full of matches would ask it for each of them.
            Some(hit) if !more || hit.start < undecided => return Step::Hit(hit),
            _ if more => first_open(automata, text, undecided),
            _ => text.len(),
        };
        match hit {
            Some(hit) if hit.start < open => Step::Hit(hit),
            _ => Step::Open(open),
        }
    }
}

/// The first place from `from` on where a match may have begun whose end is not decided by `text`.
fn first_open(automata: &Automata, text: &str, from: usize) -> usize {
    (from..text.len()).find(|start| is_open(automata, text, *start)).unwrap_or(text.len())
}

/// A match that begins at `start` is still possible, or may still grow, at the end of `text`.
fn is_open(automata: &Automata, text: &str, start: usize) -> bool {
    let automaton = automata.forward();
    let input = Input::new(text).range(start..).anchored(Anchored::Yes);
    let Ok(mut state) = automaton.start_state_forward(&input) else { return false };
    for byte in text.as_bytes().get(start..).unwrap_or_default() {
        state = automaton.next_state(state, *byte);
        if automaton.is_dead_state(state) {
            return false;
        }
    }
    // Within a character nothing begins.
    text.is_char_boundary(start)
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

fn automaton(bytes: &[u8]) -> Result<DFA<Vec<u32>>, Damaged> {
    // The tables are read in place as words, so they have to be aligned as words.
    let mut padded = vec![0; bytes.len() + align_of::<u32>()];
    let offset = padded.as_ptr().align_offset(align_of::<u32>());
    let aligned = padded.get_mut(offset..offset + bytes.len()).ok_or(Damaged)?;
    aligned.copy_from_slice(bytes);
    let (automaton, read) = DFA::from_bytes(aligned).map_err(|_| Damaged)?;
    if read != bytes.len() { Err(Damaged) } else { Ok(automaton.to_owned()) }
}

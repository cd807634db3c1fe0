//! Phrases of the operator: words in order, nothing else between them.
//!
//! Knows no classes but its own two. Invariant: a phrase is held no longer than it goes on as written.

use super::{Ends, MAX_HELD_BYTES, Walk};
use crate::scan::words::Hit;

/// A word of a phrase of the operator.
pub const PHRASE: u64 = 1 << 63;

/// The first word of one.
pub const PHRASE_HEAD: u64 = 1 << 62;

/// Phrases of more words could not be held back in a stream.
pub const MAX_PHRASE_WORDS: usize = 24;

/// Phrases of the operator: words in order, nothing else between them.
#[derive(Debug, Clone, Default)]
pub struct Phrases {
    phrases: Vec<Vec<u64>>,
}

impl Phrases {
    /// Phrases by the hashes of their words; none is empty.
    pub fn new(phrases: Vec<Vec<u64>>) -> Phrases {
        Phrases { phrases }
    }

    /// The longest phrase that begins with the word at `first`.
    pub fn walk(&self, hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let mut outcome = Walk::Dead;
        for phrase in &self.phrases {
            outcome = match (outcome, Phrases::follow(phrase, hits, first, ends)) {
                (Walk::Alive, _) | (_, Walk::Alive) => Walk::Alive,
                (Walk::Complete(a), Walk::Complete(b)) => Walk::Complete(a.max(b)),
                (Walk::Complete(at), Walk::Dead) | (Walk::Dead, Walk::Complete(at)) => Walk::Complete(at),
                (Walk::Dead, Walk::Dead) => Walk::Dead,
            };
        }
        outcome
    }

    fn follow(phrase: &[u64], hits: &[Hit], first: usize, ends: Ends) -> Walk {
        let Some(opener) = hits.get(first) else { return Walk::Dead };
        let limit = opener.start as usize + MAX_HELD_BYTES;
        for (index, hash) in phrase.iter().enumerate() {
            let wanted = opener.ordinal + index as u32;
            match hits.get(first + index) {
                Some(hit) if hit.hash != *hash || hit.ordinal != wanted || hit.end as usize > limit => {
                    return Walk::Dead;
                }
                Some(_) => {}
                None if ends.ordinal == wanted && ends.offset < limit => return Walk::Alive,
                None => return Walk::Dead,
            }
        }
        Walk::Complete(first + phrase.len() - 1)
    }
}

//! Remembers the keys of open objects and notices one that comes twice.
//!
//! Compares values, not spellings: `"a"` and `"\u0061"` are one key. Invariant: an object of n keys costs no more than
//! n log n comparisons, whatever its keys are.

use super::names::{Head, Name};
use crate::fnv;
use crate::order::sorted;

/// Up to this many keys of an object are compared one by one; more are sorted once, when the object ends.
const COMPARED_KEYS: usize = 32;

/// The object has this key already.
pub(super) struct Duplicate;

/// A key that has been seen; copied and forgotten without cost.
#[derive(Debug, Clone, Copy)]
enum Key<'a> {
    AsWritten(&'a str),
    /// Index into [`Keys::decoded`].
    Decoded(usize),
}

/// Keys of every open object, outermost first.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    open: Vec<Key<'a>>,
    /// Values of the keys that were written with escapes.
    decoded: Vec<String>,
}

/// The keys of one object.
#[derive(Debug)]
pub(super) struct Scope {
    /// Where they start among the open ones.
    first: usize,
    /// One bit for each name that it has; those need no comparison.
    named: [u64; 2],
    /// One bit per hash of another key; spares most comparisons.
    seen: u64,
}

impl<'a> Keys<'a> {
    pub(super) fn none() -> Keys<'a> {
        Keys { open: Vec::new(), decoded: Vec::new() }
    }

    /// An object begins.
    #[inline]
    pub(super) fn enter(&self) -> Scope {
        Scope { first: self.open.len(), named: [0; 2], seen: 0 }
    }

    /// The object has a key `value`, whose name is returned; `written` is the same, if it was written without escapes.
    #[inline]
    pub(super) fn add(
        &mut self,
        scope: &mut Scope,
        head: Head,
        value: &str,
        written: Option<&'a str>,
    ) -> Result<Name, Duplicate> {
        let name = Name::with(head, value);
        if name != Name::Other {
            let ([low, high], [first, second]) = (&mut scope.named, name.bits());
            if *low & first | *high & second != 0 {
                return Err(Duplicate);
            }
            *low |= first;
            *high |= second;
            return Ok(name);
        }
        let own = self.open.get(scope.first..).unwrap_or_default();
        if own.len() < COMPARED_KEYS {
            let bit = 1 << (head.hash() >> 58);
            if scope.seen & bit != 0 && own.iter().any(|seen| self.value_of(*seen) == value) {
                return Err(Duplicate);
            }
            scope.seen |= bit;
        }
        self.open.push(match written {
            Some(written) => Key::AsWritten(written),
            None => {
                self.decoded.push(value.to_owned());
                Key::Decoded(self.decoded.len() - 1)
            }
        });
        Ok(name)
    }

    /// The object ends.
    #[inline]
    pub(super) fn leave(&mut self, scope: &Scope) -> Result<(), Duplicate> {
        let own = self.open.get(scope.first..).unwrap_or_default();
        if own.len() > COMPARED_KEYS && has_duplicate(own.iter().map(|key| self.value_of(*key))) {
            return Err(Duplicate);
        }
        self.open.truncate(scope.first);
        Ok(())
    }

    fn value_of<'k>(&'k self, key: Key<'k>) -> &'k str {
        match key {
            Key::AsWritten(written) => written,
            Key::Decoded(index) => self.decoded.get(index).map_or("", String::as_str),
        }
    }
}

/// Sorting keeps the bound for keys that were chosen to collide; the hash in front keeps it fast for all others.
fn has_duplicate<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    let hashed = sorted(keys.map(|key| (fnv::add(fnv::EMPTY, key.as_bytes()), key)));
    hashed.iter().zip(hashed.iter().skip(1)).any(|(one, next)| one == next)
}

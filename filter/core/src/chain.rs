//! The chain of events: every event names the hash of the one before it, so a later change shows.
//!
//! One chain per VM, because workers share nothing they could agree on without waiting. A chain's first event, and one in
//! [`HEADS_EVERY`] after it, names the heads of all other chains the process knew then: what a chain had reached when its VM ended, or
//! when a file was cut, stands in the others. Reads no file. Invariant: a sealed line is the event's own JSON with members added
//! at its end, and its hash covers every byte before the hash.

use crate::digest::{self, BYTES, Hasher, Key};

/// Events between two that name the heads of the other chains.
pub const HEADS_EVERY: u64 = 256;

/// Digits of a chain's name.
const NAME_DIGITS: usize = 16;

/// What comes before a line's hash.
const HASH: &[u8] = b",\"hash\":\"";

/// The key of a chain, from the operator's secret. Without one everybody can make a chain, and only heads that are kept elsewhere
/// tell a rewritten one.
pub fn chain_key(secret: &str) -> Key {
    match secret {
        "" => Key::default(),
        secret => digest::keyed(&Key::default(), &["kt.audit.chain ", secret].concat().into_bytes()),
    }
}

/// What an event calls the caller with this credential.
pub fn caller(key: &Key, credential: &str) -> String {
    let mut hasher = Hasher::keyed(key);
    hasher.part(b"kt.caller");
    hasher.part(credential.as_bytes());
    let digest = hasher.finish();
    digest::hex(digest.first_chunk::<8>().map_or(&[][..], |first| first))
}

/// How far a chain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub chain: String,
    /// Number of its last event; 0: none.
    pub seq: u64,
    /// Hash of that event, in hex.
    pub hash: String,
}

impl Head {
    /// As `chain:seq:hash`.
    pub fn to_text(&self) -> String {
        [self.chain.as_str(), &self.seq.to_string(), &self.hash].join(":")
    }

    /// Back from that text.
    pub fn from_text(text: &str) -> Option<Head> {
        let mut parts = text.split(':');
        let (chain, seq, hash) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(is_digit);
        let fits = is_hex(chain, NAME_DIGITS) && is_hex(hash, BYTES * 2) && parts.next().is_none();
        fits.then(|| Head { chain: chain.to_owned(), seq, hash: hash.to_owned() })
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A chain that is being written.
#[derive(Debug)]
pub struct Chain {
    key: Key,
    head: Head,
}

impl Chain {
    /// A new chain. `name` is any number that no other chain has.
    pub fn new(name: u64, key: Key) -> Chain {
        let chain = digest::hex(&name.to_be_bytes());
        Chain { key, head: Head { chain, seq: 0, hash: "0".repeat(BYTES * 2) } }
    }

    /// How far it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the next event is to name the heads of the other chains.
    pub fn wants_heads(&self) -> bool {
        self.head.seq.is_multiple_of(HEADS_EVERY)
    }

    /// Makes an event, a JSON object without its line end, the next of the chain. `heads` are those of the other chains.
    pub fn seal(&mut self, line: &mut Vec<u8>, heads: &[String]) {
        if line.pop_if(|last| *last == b'}').is_none() {
            return;
        }
        self.head.seq += 1;
        let mut tail =
            [",\"chain\":\"", &self.head.chain, "\",\"seq\":", &self.head.seq.to_string()].concat();
        if !heads.is_empty() {
            tail.push_str(",\"heads\":[\"");
            tail.push_str(&heads.join("\",\""));
            tail.push_str("\"]");
        }
        tail.push_str(",\"prev\":\"");
        tail.push_str(&self.head.hash);
        tail.push('"');
        line.extend_from_slice(tail.as_bytes());
        self.head.hash = close(&self.key, line);
    }
}

/// Ends an object without its closing brace with the hash of what it says so far, which is returned in hex.
fn close(key: &Key, line: &mut Vec<u8>) -> String {
    let hash = digest::hex(&digest::keyed(key, line));
    line.extend_from_slice(HASH);
    line.extend_from_slice(hash.as_bytes());
    line.extend_from_slice(b"\"}");
    hash
}

/// A JSON object with its hash, outside of any chain.
pub fn sealed(key: &Key, object: &str) -> Vec<u8> {
    let mut line = object.strip_suffix('}').unwrap_or(object).as_bytes().to_vec();
    close(key, &mut line);
    line
}

/// Whether the hash at the end of a line is that of what stands before it; `None` if there is none.
pub fn is_genuine(key: &Key, line: &[u8]) -> Option<bool> {
    let text = line.strip_suffix(b"\"}")?;
    let (rest, hash) = text.split_at_checked(text.len().checked_sub(BYTES * 2)?)?;
    let sealed = rest.strip_suffix(HASH)?;
    Some(digest::hex(&digest::keyed(key, sealed)).as_bytes() == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_is_its_event_and_more() {
        let key = chain_key("secret");
        let mut chain = Chain::new(0xab, key);
        assert!(chain.wants_heads());
        let other = Head { chain: "00000000000000cd".into(), seq: 7, hash: "a".repeat(64) };
        let mut first = br#"{"a":1}"#.to_vec();
        chain.seal(&mut first, &[other.to_text()]);
        let mut second = br#"{"b":{}}"#.to_vec();
        chain.seal(&mut second, &[]);
        let read = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).unwrap();
        assert_eq!((&read(&first)["a"], &read(&first)["chain"]), (&1.into(), &"00000000000000ab".into()));
        assert_eq!(Head::from_text(read(&first)["heads"][0].as_str().unwrap()), Some(other));
        assert_eq!((&read(&second)["seq"], &read(&second)["prev"]), (&2.into(), &read(&first)["hash"]));
        assert_eq!(chain.head().hash, read(&second)["hash"].as_str().unwrap());
        for line in [&first, &second] {
            assert_eq!(is_genuine(&key, line), Some(true));
            assert_eq!(is_genuine(&chain_key("guess"), line), Some(false));
        }
        assert_eq!(is_genuine(&key, br#"{"a":1}"#), None);
        assert!(!chain.wants_heads());
    }

    #[test]
    fn a_caller_is_recognised_and_not_named() {
        let key = chain_key("secret");
        assert_eq!(caller(&key, "Bearer sk-1"), caller(&key, "Bearer sk-1"));
        assert_eq!(caller(&key, "Bearer sk-1").len(), 16);
        assert_ne!(caller(&key, "Bearer sk-1"), caller(&key, "Bearer sk-2"));
        assert_ne!(caller(&key, "Bearer sk-1"), caller(&chain_key("other"), "Bearer sk-1"));
    }
}

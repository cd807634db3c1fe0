//! Checks the chains of an audit log.
//!
//! Reads lines and finds what is wrong with them; files and people are [`crate::command::audit`]'s business. Invariant: every
//! sealed line is looked at, also behind one that is wrong, and one change is told once where it was made.

use kt_core::chain::{Head, is_genuine, sealed};
use kt_core::digest::Key;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What an anchor says: everything up to this event of a chain was taken out because it was old.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Anchor {
    chain: String,
    seq: u64,
    hash: String,
}

/// The members of a line that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    chain: Option<String>,
    seq: u64,
    prev: String,
    hash: String,
    heads: Vec<String>,
    anchor: Option<Anchor>,
    ended: String,
}

/// Events that may be missing at once; a number beyond it is not one that a chain reached.
const MOST_MISSING: usize = 1 << 24;

/// One chain as far as it was read.
#[derive(Debug)]
struct Seen {
    /// Number of the event that comes before the first hash.
    before: u64,
    /// Hashes of the events, in order.
    hashes: Vec<String>,
    /// Hash of the last event, known or not.
    last: String,
}

impl Seen {
    /// Number of the last event.
    fn count(&self) -> u64 {
        self.before + self.hashes.len() as u64
    }

    /// Goes on after an event of this number and hash; what lies between is not known.
    fn skip_to(&mut self, seq: u64, hash: String) {
        let gap = usize::try_from(seq - self.count()).unwrap_or(0).min(MOST_MISSING);
        self.hashes.extend(std::iter::repeat_n(String::new(), gap));
        self.last = hash;
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File and line; `None`: no line, but what is not there.
    pub place: Option<(String, usize)>,
    /// What.
    pub message: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Sealed events.
    pub events: usize,
    /// Lines of Envoy's own, about exchanges that never reached the filter: they are in no chain.
    pub unsealed: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
    chains: BTreeMap<String, Seen>,
    named: Vec<(Head, String)>,
    is_partial: bool,
}

impl Audit {
    /// Nothing read yet. `is_partial`: the first events of a chain may be in files that are not given.
    pub fn new(is_partial: bool) -> Audit {
        Audit { is_partial, ..Audit::default() }
    }

    /// Takes the next line of a file, without its end.
    pub fn line(&mut self, key: &Key, file: &str, number: usize, line: &[u8]) {
        let place = || Some((file.to_owned(), number));
        let mut problem = |message: String| self.problems.push(Problem { place: place(), message });
        let Ok(link) = serde_json::from_slice::<Link>(line) else {
            return problem("is not the JSON of an event".into());
        };
        match is_genuine(key, line) {
            None if link.chain.is_none() && link.ended == "not_inspected" => {
                self.unsealed += 1;
                return;
            }
            None => return problem("an event that is in no chain".into()),
            Some(false) => problem("was changed, or sealed with another key".into()),
            Some(true) => {}
        }
        if let Some(Anchor { chain, seq, hash }) = link.anchor {
            match self.chains.entry(chain) {
                // Where a `prune` was interrupted, or only the newer files were given to it.
                Entry::Occupied(mut seen) if seq > seen.get().count() => seen.get_mut().skip_to(seq, hash),
                Entry::Occupied(seen) if seq == seen.get().count() && seen.get().last == hash => {}
                Entry::Occupied(seen) => {
                    problem(format!("an anchor of chain {} behind its events", seen.key()));
                }
                Entry::Vacant(place) => {
                    place.insert(Seen { before: seq, hashes: Vec::new(), last: hash });
                }
            }
            return;
        }
        let Some(chain) = link.chain else { return problem("a sealed line without a chain".into()) };
        self.events += 1;
        match self.chains.get_mut(&chain) {
            None => {
                if link.seq != 1 && !self.is_partial {
                    problem(format!(
                        "chain {chain} begins with event {}: those before it are missing",
                        link.seq
                    ));
                }
                let seen = Seen {
                    before: link.seq.saturating_sub(1),
                    hashes: vec![link.hash.clone()],
                    last: link.hash,
                };
                self.chains.insert(chain.clone(), seen);
            }
            Some(seen) => {
                let last = seen.count();
                if link.seq <= last {
                    problem(format!(
                        "event {} of chain {chain} stands here again, or out of order",
                        link.seq
                    ));
                    return;
                }
                if link.seq > last + 1 {
                    problem(format!(
                        "events {} to {} of chain {chain} are missing before it",
                        last + 1,
                        link.seq - 1
                    ));
                    seen.skip_to(link.seq - 1, String::new());
                } else if link.prev != seen.last {
                    problem(format!("event {} of chain {chain} does not follow the one before it", link.seq));
                }
                seen.last.clone_from(&link.hash);
                seen.hashes.push(link.hash);
            }
        }
        for head in &link.heads {
            match Head::from_text(head) {
                Some(head) => self.named.push((head, format!("{file}:{number}"))),
                None => self
                    .problems
                    .push(Problem { place: place(), message: "names a head that is none".into() }),
            }
        }
    }

    /// Everything was read: compares the chains with the heads that others named. `expected` are heads from elsewhere.
    pub fn finish(&mut self, expected: Vec<Head>) {
        let named = std::mem::take(&mut self.named);
        let expected = expected.into_iter().map(|head| (head, "--head".to_owned()));
        for (head, by) in named.into_iter().chain(expected).filter(|(head, _)| head.seq > 0) {
            let Head { chain, seq, hash } = head;
            let message = match self.chains.get(&chain) {
                None if self.is_partial => continue,
                None => format!("chain {chain} is missing; {by} knew its event {seq}"),
                Some(seen) => {
                    let position = seq.checked_sub(seen.before + 1).and_then(|at| usize::try_from(at).ok());
                    let Some(position) = position else { continue };
                    match seen.hashes.get(position) {
                        None => format!(
                            "chain {chain} ends with event {}; {by} knew its event {seq}",
                            seen.count()
                        ),
                        Some(known) if known.is_empty() || *known == hash => continue,
                        Some(_) => format!("event {seq} of chain {chain} is not the one that {by} knew"),
                    }
                }
            };
            self.problems.push(Problem { place: None, message });
        }
    }

    /// How far the chains are.
    pub fn heads(&self) -> impl Iterator<Item = Head> + '_ {
        self.chains.iter().map(|(chain, seen)| Head {
            chain: chain.clone(),
            seq: seen.count(),
            hash: seen.last.clone(),
        })
    }
}

/// What is to stay of a log's files, oldest first, when everything before `cutoff` (RFC 3339 in UTC) goes, and how many events
/// went. Of a chain only its first events go; its anchor stands before the first line of the log that stays.
pub fn pruned(files: &[String], cutoff: &str, now: &str, key: &Key) -> (Vec<String>, usize) {
    let mut anchors: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut stays: Vec<String> = Vec::new();
    let mut gone = 0;
    let mut kept: Vec<String> = Vec::new();
    for file in files {
        let mut rest = String::new();
        for line in file.lines().filter(|line| !line.is_empty()) {
            let value: Value = serde_json::from_str(line).unwrap_or_default();
            let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
            if let Some(anchor) = value.get("anchor").and_then(|anchor| Anchor::deserialize(anchor).ok()) {
                if stays.contains(&anchor.chain) {
                    rest.push_str(line);
                    rest.push('\n');
                } else {
                    anchors.insert(anchor.chain, (anchor.seq, anchor.hash));
                }
                continue;
            }
            let chain = word("chain");
            let has_begun = stays.iter().any(|name| name == chain);
            if word("time").is_empty() || word("time") >= cutoff || has_begun {
                if !chain.is_empty() && !has_begun {
                    stays.push(chain.to_owned());
                }
                rest.push_str(line);
                rest.push('\n');
                continue;
            }
            gone += 1;
            if let (false, Some(seq)) = (chain.is_empty(), value.get("seq").and_then(Value::as_u64)) {
                anchors.insert(chain.to_owned(), (seq, word("hash").to_owned()));
            }
        }
        kept.push(rest);
    }
    let mut head = String::new();
    for (chain, (seq, hash)) in anchors {
        let anchor = serde_json::json!({"anchor": {"chain": chain, "seq": seq, "hash": hash}, "time": now})
            .to_string();
        head.push_str(&String::from_utf8_lossy(&sealed(key, &anchor)));
        head.push('\n');
    }
    let first = kept.iter().position(|rest| !rest.is_empty()).unwrap_or(kept.len().saturating_sub(1));
    if let Some(rest) = kept.get_mut(first) {
        rest.insert_str(0, &head);
    }
    (kept, gone)
}

#[cfg(test)]
mod tests;

//! What the chain found in texts that it read before: a conversation brings its earlier turns with every request.
//!
//! Keeps no text, only a hash of it under keys that nobody knows, made anew in every VM. Callers do not share what is remembered,
//! so that nobody can time whether somebody else sent a text. Invariant: what is recalled is what [`Chain::inspect`] said of the
//! same bytes in the same role under the same links.
//!
//! [`Chain::inspect`]: super::Chain::inspect

use super::{Active, Finding};
use crate::config::Role;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// Bytes below which a text is read sooner than it is recalled.
const SHORTEST: usize = 8;

/// Texts that are remembered, a power of two. A newer one takes the place of an older one.
const TEXTS: usize = 8192;

/// Findings that are remembered, over all texts. At more the memory begins anew.
const MOST_FINDINGS: usize = 8192;

/// Texts that were read, by their hashes. The default remembers nothing.
#[derive(Default)]
pub(crate) struct Memory {
    keys: RandomState,
    /// Empty: nothing is to be remembered.
    texts: Vec<Remembered>,
    findings: usize,
}

#[derive(Default, Clone)]
struct Remembered {
    /// `None`: no text has this place yet.
    text: Option<Identity>,
    findings: Box<[Finding]>,
}

/// Tells texts apart, and who sent them in which role under which links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Memory {
    /// One that remembers.
    pub(crate) fn new() -> Memory {
        Memory { texts: vec![Remembered::default(); TEXTS], ..Memory::default() }
    }

    /// What the texts of one request have in common; `None` if nothing is remembered.
    pub(crate) fn sender(&self, caller: &str, active: Active) -> Option<Sender> {
        if self.texts.is_empty() {
            return None;
        }
        let mut hasher = self.keys.build_hasher();
        hasher.write_usize(caller.len());
        hasher.write(caller.as_bytes());
        hasher.write_u32(active.0);
        Some(Sender(hasher))
    }

    /// What was found in a text; `None` if it is not remembered.
    pub(crate) fn recall(&self, text: Identity) -> Option<&[Finding]> {
        let remembered = self.texts.get(text.place())?;
        (remembered.text == Some(text)).then_some(&*remembered.findings)
    }

    /// Remembers what was found in a text.
    pub(crate) fn keep(&mut self, text: Identity, findings: &[Finding]) {
        if self.findings + findings.len() > MOST_FINDINGS {
            self.texts.fill(Remembered::default());
            self.findings = 0;
        }
        if let Some(remembered) = self.texts.get_mut(text.place()) {
            self.findings = self.findings + findings.len() - remembered.findings.len();
            *remembered = Remembered { text: Some(text), findings: findings.into() };
        }
    }
}

/// Who sent texts, and under which links they are read.
pub(crate) struct Sender(DefaultHasher);

impl Sender {
    /// What a text is known by; `None` if it is too short to be remembered.
    pub(crate) fn identity(&self, role: Role, text: &str) -> Option<Identity> {
        if text.len() < SHORTEST {
            return None;
        }
        let mut hasher = self.0.clone();
        hasher.write_u8(role as u8);
        hasher.write(text.as_bytes());
        Some(Identity(hasher.finish()))
    }
}

impl Identity {
    fn place(self) -> usize {
        self.0 as usize % TEXTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Mode};
    use crate::policy::PolicyKind;

    const TEXT: &str =
        "Once upon a time there was a text that was longer than the shortest one that is remembered.";

    fn found(count: usize) -> Vec<Finding> {
        let finding = Finding {
            policy: PolicyKind::PiiDetector,
            kind: "email".into(),
            range: 5..9,
            action: Action::Redact,
            mode: Mode::Enforce,
            score: 1.0,
        };
        vec![finding; count]
    }

    #[track_caller]
    fn identity(memory: &Memory, caller: &str, links: u32, role: Role, text: &str) -> Identity {
        memory.sender(caller, Active(links)).unwrap().identity(role, text).unwrap()
    }

    #[test]
    fn a_text_is_recalled_for_its_caller_role_and_links_alone() {
        let mut memory = Memory::new();
        let text = identity(&memory, "key", 3, Role::User, TEXT);
        assert_eq!(memory.recall(text), None);
        memory.keep(text, &found(2));
        assert_eq!(memory.recall(text), Some(&*found(2)));
        assert_eq!(identity(&memory, "key", 3, Role::User, TEXT), text);
        let others = [
            identity(&memory, "yek", 3, Role::User, TEXT),
            identity(&memory, "key", 1, Role::User, TEXT),
            identity(&memory, "key", 3, Role::Tool, TEXT),
            identity(&memory, "key", 3, Role::User, &TEXT[1..]),
            identity(&Memory::new(), "key", 3, Role::User, TEXT),
        ];
        others.into_iter().for_each(|other| assert_eq!(memory.recall(other), None));
    }

    #[test]
    fn a_short_text_is_not_worth_it_and_a_memory_may_be_off() {
        let sender = Memory::new().sender("key", Active(3)).unwrap();
        assert_eq!(sender.identity(Role::User, &TEXT[..SHORTEST - 1]), None);
        assert!(Memory::default().sender("key", Active(3)).is_none());
    }

    #[test]
    fn memory_is_bounded_in_texts_and_in_findings() {
        let mut memory = Memory::new();
        for number in 0..3 * TEXTS {
            let text = identity(&memory, "key", 3, Role::User, &format!("{TEXT} {number}"));
            memory.keep(text, &found(number % 40));
            assert_eq!(memory.recall(text), Some(&*found(number % 40)));
            assert!(memory.findings <= MOST_FINDINGS);
        }
        assert_eq!(memory.texts.len(), TEXTS);
        assert_eq!(memory.findings, memory.texts.iter().map(|text| text.findings.len()).sum::<usize>());
    }
}

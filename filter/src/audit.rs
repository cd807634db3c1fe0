//! Makes events links of the VM's chain.
//!
//! The chain of a VM begins with its first event. What every chain has reached is kept in shared data, which outlives the VM, so
//! that the chains after it can say how far it came. Invariant: a line is sealed in the callback after which Envoy writes it,
//! so a chain's order is the file's.

use crate::host;
use crate::metrics;
use crate::shared::SharedData;
use kt_core::chain::{Chain, chain_key};
use kt_core::digest::{Key, keyed};
use kt_core::exchange::Gateway;
use kt_core::measure::Kind;
use kt_core::router::key_from;
use kt_core::routing::update;
use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

/// Variable of Envoy's environment from which the module takes the secret behind its hashes.
const SECRET: &str = "KT_AUDIT_KEY";

/// Where a key is kept that was made up because there is no secret.
const MADE_UP: &str = "kt.key";

/// Names of the chains of this process, with a space after each.
const CHAINS: &str = "kt.chains";

/// Bytes of a name with its space.
const NAME_BYTES: usize = 17;

/// Chains that are remembered; a process that has begun more of them has other troubles.
const MOST_CHAINS: usize = 64;

/// Tries to get a word in among the other workers.
const TRIES: usize = 16;

thread_local! {
    static CHAIN: RefCell<Option<Chain>> = const { RefCell::new(None) };
}

fn secret() -> String {
    std::env::var(SECRET).unwrap_or_default()
}

/// Gives the gateway the key of its hashes: from the operator's secret, else one that the first worker makes up.
pub(crate) fn share_key(gateway: &Gateway) {
    let known = || host::shared(MADE_UP).and_then(|(key, _)| Key::try_from(key).ok());
    let key = match secret().as_str() {
        "" => known().unwrap_or_else(|| {
            let key = key_from([0u8, 1, 2, 3].map(random));
            host::set_shared(MADE_UP, &key, 0);
            // Another worker may have been faster.
            known().unwrap_or(key)
        }),
        secret => keyed(&chain_key(secret), b"kt.key"),
    };
    gateway.set_key(key);
}

/// A number nobody can guess: the standard library takes its keys from the host's source of randomness.
fn random(word: u8) -> u64 {
    RandomState::new().hash_one(word)
}

/// Makes an event the next link.
pub(crate) fn seal(line: &mut Vec<u8>) {
    CHAIN.with_borrow_mut(|chain| {
        let chain = chain.get_or_insert_with(|| {
            let chain = Chain::new(random(0), chain_key(&secret()));
            register(&chain.head().chain);
            chain
        });
        let heads = if chain.wants_heads() { other_heads(&chain.head().chain) } else { Vec::new() };
        chain.seal(line, &heads);
        let head = chain.head();
        host::set_shared(&place(&head.chain), head.to_text().as_bytes(), 0);
        metrics::record(Kind::Gauge, &["kt_audit_chain_seq;chain=", &head.chain], head.seq);
    });
}

fn place(chain: &str) -> String {
    ["kt.chain.", chain].concat()
}

/// Adds a chain to the list of all.
fn register(chain: &str) {
    update(&SharedData, CHAINS, TRIES, &mut |names| {
        let mut names = names.unwrap_or_default();
        names.extend_from_slice(chain.as_bytes());
        names.push(b' ');
        let oldest = names.len().saturating_sub(MOST_CHAINS * NAME_BYTES);
        Some(names.split_off(oldest))
    });
}

/// What the other chains have reached.
fn other_heads(own: &str) -> Vec<String> {
    let names = host::shared(CHAINS).map(|(names, _)| names).unwrap_or_default();
    let names = String::from_utf8(names).unwrap_or_default();
    let others = names.split(' ').filter(|name| !name.is_empty() && *name != own);
    others.filter_map(|name| String::from_utf8(host::shared(&place(name))?.0).ok()).collect()
}

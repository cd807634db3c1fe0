//! Orders of attempts, and what is told of their ends.

use super::*;
use crate::config::{Pack, Policies, PolicyBlocks};
use crate::plugin::Behaviour;

fn target(id: &str, provider: &str, model: Option<&str>, max_attempts: u32) -> Target {
    Target {
        id: id.into(),
        provider: provider.into(),
        provider_aliases: vec![format!("{provider}-ai")],
        model: model.map(str::to_owned),
        authority: "host".into(),
        path_prefix: "/v1".into(),
        max_attempts,
        streaming_twin: id == "big",
        client_key: false,
        client_key_if_named: false,
        cluster: String::new(),
        weight: 1,
        cost_rank: 0,
        retryable_status_codes: vec![503],
        breaker: None,
        probe: None,
    }
}

fn config(strategy: Strategy) -> Downstream {
    Downstream {
        pack: Pack { name: "t".into(), version: "1.0.0".into(), enabled: true, description: String::new() },
        config_sha256: String::new(),
        policies: Policies::default(),
        policy: PolicyBlocks::default(),
        gateway: Behaviour::default(),
        targets: vec![
            target("big", "together", Some("llama-70b"), 2),
            target("small", "together", Some("llama-8b"), 1),
            target("other", "openai", None, 1),
        ],
        strategy,
        attempt_role: true,
        pattern_automaton: None,
    }
}

#[track_caller]
fn check(provider: Option<&str>, model: Option<&str>, stream: bool, expected: &[&str]) {
    let wanted = Wanted { provider, model, stream };
    let clusters = choose(&config(Strategy::Fallback), None, &wanted).map(|choice| choice.clusters);
    assert_eq!(clusters.unwrap_or_default(), expected);
}

#[test]
fn the_order_is_the_files_unless_the_request_says_otherwise() {
    check(None, None, false, &["big", "big", "small", "other"]);
    check(None, Some("unheard-of"), false, &["big", "big", "small", "other"]);
    check(None, Some("llama-8b"), false, &["small", "big", "big", "other"]);
    check(None, Some("other"), false, &["other", "big", "big", "small"]);
}

#[test]
fn x_provider_restricts_by_provider_alias_or_id() {
    check(Some("openai"), None, false, &["other"]);
    check(Some("together-ai"), None, false, &["big", "big", "small"]);
    check(Some("small"), None, false, &["small"]);
    check(Some("nobody"), None, false, &[]);
}

#[test]
fn streams_go_to_the_twin_of_a_target_that_has_one() {
    check(None, None, true, &["big~s", "big~s", "small", "other"]);
}

#[test]
fn single_tries_only_the_first() {
    let clusters = |model| {
        let wanted = Wanted { model, ..Wanted::default() };
        choose(&config(Strategy::Single), None, &wanted).map(|choice| choice.clusters)
    };
    assert_eq!(clusters(None).as_deref(), Ok(&["big".to_owned(), "big".to_owned()][..]));
    assert_eq!(clusters(Some("llama-8b")).as_deref(), Ok(&["small".to_owned()][..]));
}

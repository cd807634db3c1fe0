//! Which targets a request may go to, in which order.
//!
//! Follows the rules of the specification's section 3: `x-provider` restricts, a pinned id or the request's model comes
//! first, the strategy orders the rest, and every target may be tried as often as its retry block says.

use crate::attempt::streaming_twin;
use crate::plan::Strategy;
use crate::plugin::{Downstream, Target};

/// An order of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// Positions in the targets, one per attempt.
    pub(super) targets: Vec<usize>,
    /// The clusters of those attempts.
    pub(super) clusters: Vec<String>,
}

/// The `x-provider` header named nothing that is configured.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownProvider;

/// Envoy repeats a request at most this often; more attempts than that help no one.
const MAX_ATTEMPTS: usize = 32;

/// The order of attempts for a request with this `x-provider` and this `model`.
pub(super) fn choose(
    config: &Downstream,
    provider: Option<&str>,
    model: Option<&str>,
    stream: bool,
) -> Result<Choice, UnknownProvider> {
    let all = config.targets.iter().enumerate();
    let mut order: Vec<(usize, &Target)> =
        all.filter(|(_, target)| provider.is_none_or(|name| target.is_named(name))).collect();
    if order.is_empty() {
        return Err(UnknownProvider);
    }
    if let Some(model) = model {
        let rank = |target: &Target| match () {
            () if target.id == model => 0,
            () if target.model.as_deref() == Some(model) => 1,
            () => 2,
        };
        // Targets of the same rank keep the operator's order.
        order.sort_unstable_by_key(|(position, target)| (rank(target), *position));
    }
    if config.strategy == Strategy::Single {
        order.truncate(1);
    }
    let mut choice = Choice::default();
    for (position, target) in order {
        let cluster = match stream && target.streaming_twin {
            true => streaming_twin(&target.id),
            false => target.id.clone(),
        };
        for _ in 0..target.max_attempts {
            choice.targets.push(position);
            choice.clusters.push(cluster.clone());
        }
    }
    choice.targets.truncate(MAX_ATTEMPTS);
    choice.clusters.truncate(MAX_ATTEMPTS);
    Ok(choice)
}

#[cfg(test)]
mod tests {
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
            pack: Pack {
                name: "t".into(),
                version: "1.0.0".into(),
                enabled: true,
                description: String::new(),
            },
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
        let clusters =
            choose(&config(Strategy::Fallback), provider, model, stream).map(|choice| choice.clusters);
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
        let clusters =
            |model| choose(&config(Strategy::Single), None, model, false).map(|choice| choice.clusters);
        assert_eq!(clusters(None).as_deref(), Ok(&["big".to_owned(), "big".to_owned()][..]));
        assert_eq!(clusters(Some("llama-8b")).as_deref(), Ok(&["small".to_owned()][..]));
    }
}

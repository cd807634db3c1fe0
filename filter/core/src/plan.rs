//! What a configuration means: validated as a whole, every default and alias resolved.
//!
//! Reads no file and chooses no target at run time beyond their order. Invariant: a [`Plan`] that exists is valid; what is
//! not comes back as diagnostics, all of them at once.

mod checks;
#[cfg(feature = "compile")]
mod models;
mod router;

use crate::config::{PolicyConfig, Reading};
use crate::diagnostic::{Diagnostic, nearest};
#[cfg(feature = "compile")]
use crate::plugin;
use crate::policy::{Automata, Chain};
use crate::targets::{self, Target};
#[cfg(feature = "compile")]
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use checks::{host_and_port, network, socket_address};
#[cfg(feature = "compile")]
pub use models::Known;

/// How the order of targets is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One target serves.
    Single,
    /// The next target serves when one fails.
    #[default]
    Fallback,
    /// Requests are shared out by the targets' weights.
    WeightedRoundRobin,
    /// The target with the lowest median time to its answer comes first.
    Latency,
    /// The cheapest target comes first.
    LowestCost,
    /// A model picks the target of a request for a virtual model; for others as [`Strategy::Fallback`].
    Router,
}

/// Words of `providers.strategy` and what they mean; the first of a meaning is the preferred one.
const STRATEGIES: &[(&str, Strategy)] = &[
    ("single", Strategy::Single),
    ("fallback", Strategy::Fallback),
    ("ordered", Strategy::Fallback),
    ("weighted_round_robin", Strategy::WeightedRoundRobin),
    ("latency", Strategy::Latency),
    ("lowest_latency", Strategy::Latency),
    ("lowest_cost", Strategy::LowestCost),
    ("router", Strategy::Router),
];

/// A configuration that can be run.
#[derive(Debug)]
pub struct Plan {
    /// The operator's words.
    pub config: PolicyConfig,
    /// The policies, ready to inspect.
    pub chain: Chain,
    /// The upstreams, in order of preference; at least one.
    pub targets: Vec<Target>,
    /// How their order is decided.
    pub strategy: Strategy,
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of Envoy's admin interface.
    pub admin: SocketAddr,
}

/// Reads and compiles a document, and finds the problems of both steps in one go.
pub fn check(document: &serde_json::Value) -> Result<Plan, Vec<Diagnostic>> {
    let mut reading = Reading::of(document);
    let Some(config) = reading.config.take() else { return Err(reading.problems) };
    checks::empty_conditions(document, &mut reading.problems);
    match Plan::compile(config) {
        Ok(plan) if reading.problems.is_empty() => Ok(plan),
        Ok(_) => Err(reading.problems),
        Err(problems) => {
            for problem in problems {
                let path = reading.written(&problem.path);
                if !reading.follows_from_dropped(&path) {
                    reading.problems.push(Diagnostic { path, ..problem });
                }
            }
            Err(reading.problems)
        }
    }
}

impl Plan {
    /// Validates a configuration. Every problem comes back, not only the first.
    pub fn compile(config: PolicyConfig) -> Result<Plan, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        checks::pack(&config, &mut problems);
        checks::chain(&config, &mut problems);
        checks::budgets(&config, &mut problems);
        checks::capture(&config, &mut problems);
        checks::otlp(&config, &mut problems);
        checks::size_limits(&config, &mut problems);
        checks::request_limits(&config, &mut problems);
        let addresses = checks::gateway(&config, &mut problems);
        let strategy = strategy(&config, &mut problems);
        let targets = resolve_targets(&config, &mut problems);
        router::check(&config, strategy, &targets, &mut problems);
        let chain = Chain::compile(&config.policies, &config.policy, Automata::default(), &mut problems);
        match (problems.is_empty(), addresses) {
            (true, Some((listen, admin))) => Ok(Plan { config, chain, targets, strategy, listen, admin }),
            _ => Err(problems),
        }
    }

    /// What the filter of the listener is configured with.
    ///
    /// `config_sha256` is the hash of the operator's file.
    #[cfg(feature = "compile")]
    pub fn downstream(&self, config_sha256: &str) -> plugin::Downstream {
        let mut targets = targets::plugin(&self.targets);
        if self.meters() {
            // A member that a target refuses must not be in a body that may come to it as the second one.
            let budgets = self.config.policy.budget_enforcement.is_some();
            let may_ask = !self.targets.iter().any(Target::refuses_stream_options);
            for (target, known) in targets.iter_mut().zip(&self.targets) {
                target.prices = known.prices();
                target.asks_for_usage =
                    may_ask && (budgets || target.prices.is_some()) && known.asks_for_usage();
            }
        }
        let mut policy = self.config.policy.clone();
        let shared = policy.budget_enforcement.as_mut().and_then(|block| block.shared.take());
        let otlp = policy.audit_logger.as_mut().and_then(|block| block.otlp.take());
        plugin::Downstream {
            pack: self.config.pack.clone(),
            config_sha256: config_sha256.to_owned(),
            policies: self.config.policies.clone(),
            policy,
            gateway: plugin::Behaviour::new(&self.config.gateway, &self.config.size_limits),
            targets,
            strategy: self.strategy,
            attempt_role: self.targets.len() > 1,
            shares_budgets: shared.is_some(),
            exports: otlp.is_some(),
            models: self.models(&|_| None),
            router: self.router(),
            pattern_automaton: self.chain.pattern_automaton().map(|bytes| BASE64_STANDARD.encode(bytes)),
            assertion_automaton: self.chain.assertion_automaton().map(|bytes| BASE64_STANDARD.encode(bytes)),
        }
    }

    /// Whether something records what an exchange cost.
    #[cfg(feature = "compile")]
    fn meters(&self) -> bool {
        self.config
            .policies
            .chain
            .iter()
            .any(|entry| matches!(entry.name.as_str(), "audit-logger" | "budget-enforcement"))
    }

    /// Attempts of a request that every target fails.
    pub fn most_attempts(&self) -> usize {
        let attempts = self.targets.iter().map(|target| target.retry.max_attempts as usize);
        match self.strategy {
            Strategy::Single => attempts.max().unwrap_or(0),
            // Whatever comes first, all the others stand behind it.
            _ => attempts.sum(),
        }
    }
}

fn strategy(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) -> Strategy {
    let providers = &config.providers;
    let (word, path) = match (&providers.strategy, &providers.routing) {
        (Some(_), Some(_)) => {
            let message = "the strategy is given twice, in two spellings";
            let help = "keep `providers.strategy`";
            problems.push(Diagnostic::error("two-strategies", "providers.routing", message).help(help));
            return Strategy::Fallback;
        }
        (Some(word), None) => (word.as_str(), "providers.strategy"),
        (None, Some(routing)) => (routing.strategy.as_str(), "providers.routing.strategy"),
        (None, None) if providers.targets.len() > 1 => return Strategy::Fallback,
        (None, None) => return Strategy::Single,
    };
    if let Some((_, strategy)) = STRATEGIES.iter().find(|(known, _)| *known == word) {
        return *strategy;
    }
    let known = || STRATEGIES.iter().map(|(word, _)| *word);
    let help = match nearest(word, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known strategies: {}", known().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("unknown strategy `{}`", word.escape_debug());
    problems.push(Diagnostic::error("unknown-strategy", path, message).help(help));
    Strategy::Fallback
}

fn resolve_targets(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) -> Vec<Target> {
    let providers = &config.providers;
    if let Some(retry) = &providers.retry {
        targets::check_retry(retry, "providers.retry", problems);
    }
    if let Some(breaker) = &providers.circuit_breaker {
        targets::check_breaker(breaker, "providers.circuit_breaker", problems);
    }
    if let Some(seconds) = providers.stream_idle_timeout_seconds {
        targets::check_seconds("stream_idle_timeout_seconds", seconds, problems);
    }
    if providers.targets.is_empty() {
        let help = "add one, such as `targets: [{id: main, provider: together}]`";
        let message = "there is no target to send requests to";
        problems.push(Diagnostic::error("no-targets", "providers.targets", message).help(help));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut resolved = Vec::new();
    for (i, target) in providers.targets.iter().enumerate() {
        let path = format!("providers.targets[{i}]");
        if let Some(first) = seen.insert(&target.id, i) {
            let message = format!("target id `{}` is taken by `providers.targets[{first}]`", target.id);
            problems.push(Diagnostic::error("duplicate-target", format!("{path}.id"), message));
        }
        resolved.extend(targets::resolve(target, providers, &path, problems));
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({
            "pack": {"name": "p", "version": "1.0.0"},
            "policies": {"chain": ["pii-detector", "audit-logger"]},
            "providers": {"targets": [
                {"id": "a", "provider": "together:chat:m/1", "retry": {"max_attempts": 2}},
                {"id": "b", "provider": "openai:chat:m/2"},
                {"id": "c", "provider": "openai:chat:m/1"},
            ]},
        })
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let mut value = document();
        change(&mut value);
        let problems = super::check(&value).map(|_| ()).unwrap_err();
        let found: Vec<String> = problems.iter().map(|p| format!("{} {}", p.code, p.path)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn problems_of_keys_and_of_meaning_come_together() {
        refused(
            |value| {
                value["packs"] = json!(1);
                value["pack"]["version"] = json!("1.0");
                value["policies"]["chain"] =
                    json!([7, "pii-detecter", "audit-logger", "audit-logger", "budget-enforcement"]);
                value["gateway"] =
                    json!({"block_status": 429, "listen": "nowhere", "admin": "127.0.0.1:9901"});
                value["providers"]["strategy"] = json!("roulette");
                value["providers"]["targets"][1]["id"] = json!("a");
                value["size_limits"] = json!({"max_body_bytes": 1});
            },
            &[
                "unknown-key packs",
                "wrong-type policies.chain[0]",
                "bad-version pack.version",
                "unknown-policy policies.chain[1]",
                "duplicate-policy policies.chain[3]",
                "no-limits policies.chain[4]",
                "bad-size size_limits.max_body_bytes",
                "bad-address gateway.listen",
                "bad-block-status gateway.block_status",
                "unknown-strategy providers.strategy",
                "duplicate-target providers.targets[1].id",
            ],
        );
    }

    #[test]
    fn what_was_taken_out_causes_no_further_problem() {
        refused(|value| value["policies"]["chain"] = json!([7]), &["wrong-type policies.chain[0]"]);
        refused(|value| value["pack"]["version"] = json!(1.0), &["wrong-type pack.version"]);
    }

    #[test]
    fn strategies_are_resolved() {
        let strategy = |word: Option<&str>| {
            let mut value = document();
            if let Some(word) = word {
                value["providers"]["strategy"] = json!(word);
            }
            super::check(&value).map(|plan| plan.strategy).map_err(|p| p[0].help.clone().unwrap())
        };
        assert_eq!(strategy(None), Ok(Strategy::Fallback));
        assert_eq!(strategy(Some("single")), Ok(Strategy::Single));
        assert_eq!(strategy(Some("ordered")), Ok(Strategy::Fallback));
        assert_eq!(strategy(Some("weighted_round_robin")), Ok(Strategy::WeightedRoundRobin));
        assert_eq!(strategy(Some("lowest_latency")), Ok(Strategy::Latency));
        assert_eq!(strategy(Some("lowest_cost")), Ok(Strategy::LowestCost));
        assert_eq!(strategy(Some("fallbak")), Err("did you mean `fallback`?".into()));
    }
}

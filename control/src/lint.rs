//! Advice on a configuration that can be used.
//!
//! Errors are [`kt_core::plan`]'s business. Reads the environment only through [`Surroundings`], so that a test can be sure
//! of it.

use crate::source::Source;
use kt_core::config::{Capture, SPELLINGS};
use kt_core::diagnostic::Diagnostic;
use kt_core::plan::{Plan, Strategy};
use kt_core::targets::KeySource;
use std::path::Path;

/// What lies outside the file: whether keys are there.
pub trait Surroundings {
    /// Whether an environment variable has a value.
    fn has_variable(&self, name: &str) -> bool;
    /// Whether a file can be read and is not empty.
    fn has_file(&self, path: &Path) -> bool;
}

/// This process's environment and file system.
#[derive(Debug, Clone, Copy)]
pub struct Here;

impl Surroundings for Here {
    fn has_variable(&self, name: &str) -> bool {
        std::env::var_os(name).is_some_and(|value| !value.is_empty())
    }

    fn has_file(&self, path: &Path) -> bool {
        std::fs::File::open(path)
            .and_then(|file| file.metadata())
            .is_ok_and(|data| data.is_file() && data.len() > 0)
    }
}

/// Everything that is valid but probably not what was meant.
pub fn warnings(source: &Source, plan: &Plan, here: &dyn Surroundings) -> Vec<Diagnostic> {
    let mut advice = missing_keys(plan, here);
    chain(plan, &mut advice);
    targets(plan, &mut advice);
    not_yet(plan, &mut advice);
    inert_blocks(source, plan, &mut advice);
    spellings(&source.value, String::new(), &mut advice);
    if !plan.config.pack.enabled {
        let message = "the pack is off: traffic passes and nothing is enforced";
        advice.push(Diagnostic::warning("pack-disabled", "pack.enabled", message));
    }
    if !plan.admin.ip().is_loopback() {
        let message = "Envoy's admin interface is reachable from other machines";
        let help = "it can stop the process and shows its configuration; use 127.0.0.1";
        advice.push(Diagnostic::warning("open-admin", "gateway.admin", message).help(help));
    }
    advice
}

/// Keys that are named but not there. Advice while a file is written, fatal when the gateway starts.
pub fn missing_keys(plan: &Plan, here: &dyn Surroundings) -> Vec<Diagnostic> {
    let mut missing = Vec::new();
    for (i, target) in plan.targets.iter().enumerate() {
        let at = format!("providers.targets[{i}].secret_key_ref");
        match &target.key {
            KeySource::Env(name) | KeySource::Usual(name) if !here.has_variable(name) => {
                let message = format!("environment variable `{name}` has no value");
                let mut help = format!("export {name}=... where Envoy starts; it reads the key then");
                if matches!(target.key, KeySource::Usual(_)) {
                    help.push_str("; or say `secret_key_ref: {client: true}` if callers bring their own");
                }
                missing
                    .push(Diagnostic::warning("missing-key-value", format!("{at}.env"), message).help(help));
            }
            KeySource::File(file) if !here.has_file(Path::new(file)) => {
                let message = format!("key file `{file}` is missing, empty or unreadable");
                let help = "it holds the key and nothing else, and Envoy reads it";
                missing
                    .push(Diagnostic::warning("missing-key-value", format!("{at}.file"), message).help(help));
            }
            _ => {}
        }
    }
    missing
}

fn chain(plan: &Plan, advice: &mut Vec<Diagnostic>) {
    let chain = &plan.config.policies.chain;
    match chain.iter().position(|entry| entry.name == "audit-logger") {
        None => {
            let message = "no `audit-logger` in the chain: exchanges leave no event";
            advice.push(Diagnostic::warning("no-audit", "policies.chain", message).help("add it at the end"));
        }
        Some(position) if position + 1 < chain.len() => {
            let at = format!("policies.chain[{position}]");
            let message = "`audit-logger` is not last in the chain";
            let help =
                "it acts when the exchange is over, wherever it stands; the end is where readers expect it";
            advice.push(Diagnostic::warning("audit-not-last", at, message).help(help));
        }
        Some(_) => {}
    }
}

fn targets(plan: &Plan, advice: &mut Vec<Diagnostic>) {
    if plan.strategy == Strategy::Single && plan.targets.len() > 1 {
        let message = format!("`single` with {} targets: only the first serves requests", plan.targets.len());
        let help = "the others serve requests that name them; use `fallback` to have them step in";
        advice.push(Diagnostic::warning("single-of-many", "providers.strategy", message).help(help));
    }
    for (i, target) in plan.targets.iter().enumerate() {
        let at = format!("providers.targets[{i}]");
        if let (Strategy::Router, Some(router)) = (plan.strategy, &plan.config.providers.router) {
            let routed = router.routes.iter().map(|route| &route.target);
            if !routed.chain([&router.default, &router.classifier]).any(|id| *id == target.id) {
                let message = format!("no route leads to target `{}`", target.id);
                let help = "it serves requests that name it; add a route, or remove it";
                advice.push(Diagnostic::warning("unused-target", format!("{at}.id"), message).help(help));
            }
        }
        if plan.strategy == Strategy::LowestCost && target.pricing.is_none() {
            let message = format!("target `{}` has no price, so `lowest_cost` tries it last", target.id);
            let help = "add `pricing: {prompt: ..., completion: ...}`, in USD per 1M tokens";
            advice.push(Diagnostic::warning("no-price", at.clone(), message).help(help));
        }
        if plan.strategy != Strategy::WeightedRoundRobin && target.weight != 1.0 {
            let message = "`weight` counts only under `strategy: weighted_round_robin`";
            advice.push(Diagnostic::warning("unused-weight", format!("{at}.weight"), message));
        }
        if target.stream_timeout < target.timeout {
            let message = "streams get less time than other requests";
            let help = "a stream usually runs longer; raise it or remove the key";
            let key = format!("{at}.stream_timeout_seconds");
            advice.push(Diagnostic::warning("short-stream-timeout", key, message).help(help));
        }
        if !target.endpoint.tls && !target.endpoint.is_loopback() {
            let message = "texts and keys travel to this target unencrypted";
            let key = format!("{at}.base_url");
            advice.push(Diagnostic::warning("plain-http", key, message).help("use `https://`"));
        }
    }
}

/// Settings that are read and do nothing in this version.
fn not_yet(plan: &Plan, advice: &mut Vec<Diagnostic>) {
    let audit = plan.config.policy.audit_logger.as_ref();
    if audit.is_some_and(|audit| audit.capture == Capture::Redacted) {
        let message = "events keep no texts in this version";
        let help = "remove it; an event has the kinds and places of what was found";
        advice.push(Diagnostic::warning("no-capture", "policy.audit-logger.capture", message).help(help));
    }
    if let [only] = plan.targets.as_slice()
        && only.health_probe.is_some()
    {
        let message = format!("target `{}` is not probed: there is no other to turn to", only.id);
        let help = "a second target makes the probe useful";
        advice.push(Diagnostic::warning("no-probe", "providers.targets[0].health_probe", message).help(help));
    }
}

/// Blocks of policies that are not in the chain.
fn inert_blocks(source: &Source, plan: &Plan, advice: &mut Vec<Diagnostic>) {
    let Some(blocks) = source.value.get("policy").and_then(serde_json::Value::as_object) else { return };
    for name in blocks.keys() {
        if !plan.config.policies.chain.iter().any(|entry| entry.name == *name) {
            let message = format!("`{name}` is configured but not in the chain, so it does not run");
            let help = format!("add `- {name}` to `policies.chain`, or remove the block");
            advice.push(Diagnostic::warning("inert-policy", format!("policy.{name}"), message).help(help));
        }
    }
}

fn spellings(value: &serde_json::Value, path: String, advice: &mut Vec<Diagnostic>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if let Some((_, preferred)) = SPELLINGS.iter().find(|(spelling, _)| spelling == key)
                    && path.starts_with("providers.")
                {
                    let message = format!("`{key}` is accepted; `{preferred}` is the preferred spelling");
                    let advised = Diagnostic::warning("spelling", path.clone(), message);
                    advice.push(match key.as_str() {
                        "max_retries" => advised.help("it counts the first attempt, so 1 means no retry"),
                        _ => advised,
                    });
                }
                spellings(value, path, advice);
            }
        }
        serde_json::Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                spellings(value, format!("{path}[{i}]"), advice);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Surroundings for Nothing {
        fn has_variable(&self, _: &str) -> bool {
            false
        }
        fn has_file(&self, _: &Path) -> bool {
            false
        }
    }

    #[track_caller]
    fn check(tail: &str, expected: &[&str]) {
        let text = format!("pack: {{name: p, version: 1.0.0}}\n{tail}");
        let source = Source::parse("f", text).map_err(|e| e.problem).unwrap();
        let plan = kt_core::plan::check(&source.value).unwrap();
        let found: Vec<String> =
            warnings(&source, &plan, &Nothing).iter().map(|w| format!("{} {}", w.code, w.path)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_key_that_is_not_there_is_noticed() {
        check(
            "policies: {chain: [audit-logger]}\nproviders: {targets: [{id: a, provider: together}, {id: b, provider: openai, secret_key_ref: {file: /no}}]}",
            &[
                "missing-key-value providers.targets[0].secret_key_ref.env",
                "missing-key-value providers.targets[1].secret_key_ref.file",
            ],
        );
    }

    #[test]
    fn odd_chains_and_targets_are_noticed() {
        check(
            "policies: {chain: [audit-logger, pii-detector]}\n\
             policy: {safety-filter: {mode: strict}}\n\
             gateway: {admin: '0.0.0.0:9901'}\n\
             providers:\n  strategy: single\n  retry_policy: {max_retries: 2}\n  targets:\n  \
             - {id: a, provider: openai-compatible, base_url: 'http://vllm:8000', stream_timeout_seconds: 5}\n  \
             - {id: b, provider: openai-compatible, base_url: 'http://127.0.0.1:8000'}\n",
            &[
                "audit-not-last policies.chain[0]",
                "single-of-many providers.strategy",
                "short-stream-timeout providers.targets[0].stream_timeout_seconds",
                "plain-http providers.targets[0].base_url",
                "inert-policy policy.safety-filter",
                "spelling providers.retry_policy",
                "spelling providers.retry_policy.max_retries",
                "open-admin gateway.admin",
            ],
        );
    }
}

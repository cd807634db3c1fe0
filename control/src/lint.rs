//! Advice on a configuration that can be used.
//!
//! Errors are [`kt_core::plan`]'s business. Reads the environment only through [`Surroundings`], so that a test can be sure
//! of it.

use crate::catalog;
use crate::source::Source;
use kt_core::config::SPELLINGS;
use kt_core::diagnostic::Diagnostic;
use kt_core::plan::{Plan, Strategy};
use kt_core::targets::{KeySource, Target};
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
    for (i, target) in plan.targets.iter().enumerate() {
        provider(source, plan, i, target, &mut advice);
    }
    ports(source, plan, &mut advice);
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
        let others_priced = plan.targets.iter().any(|other| other.pricing.is_some());
        let priceless = match plan.strategy {
            Strategy::LowestCost => Some("so `lowest_cost` tries it last"),
            _ if others_priced => Some("so what it serves adds nothing to the cost in events and metrics"),
            _ => None,
        };
        if let (Some(so), None) = (priceless, &target.pricing) {
            let message = format!("target `{}` has no price, {so}", target.id);
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

/// How long the provider's own client library waits for an answer, in seconds.
const PATIENCE: &[(&str, u64)] = &[("openai", 600), ("together", 60)];

/// What is known of the target's provider and does not go with what the file says.
fn provider(source: &Source, plan: &Plan, i: usize, target: &Target, advice: &mut Vec<Diagnostic>) {
    let at = format!("providers.targets[{i}]");
    let removed = match target.provider.as_str() {
        "together" => {
            target.model.as_deref().and_then(catalog::find).and_then(|model| model.removed.as_ref())
        }
        _ => None,
    };
    if let Some(day) = removed {
        let message = format!("Together serves this model no more since {day}, by the catalog");
        let help = "choose a current one; an endpoint of your own may still have it; the answer to others is \
                    `model_not_available`, which sends a request to the next target";
        advice.push(Diagnostic::warning("removed-model", format!("{at}.model"), message).help(help));
    }
    // A short limit has a purpose where another target steps in, and a limit that is not written is not questioned.
    let next = plan.strategy != Strategy::Single && i + 1 < plan.targets.len();
    let written = source.value.pointer(&format!("/providers/targets/{i}/timeout_seconds")).is_some();
    let patience = PATIENCE.iter().find(|(provider, _)| *provider == target.provider);
    if let (false, true, Some((provider, seconds))) = (next, written, patience)
        && target.timeout.as_secs() < *seconds
    {
        let message = format!("the client library of `{provider}` waits {seconds} seconds for an answer");
        let help = "with less, answers are given up that the provider would have delivered, and no target \
                    is left to try";
        let key = format!("{at}.timeout_seconds");
        advice.push(Diagnostic::warning("short-timeout", key, message).help(help));
    }
}

/// Addresses in the file that are not where the gateway listens, or where it does and must not.
fn ports(source: &Source, plan: &Plan, advice: &mut Vec<Diagnostic>) {
    let own = plan.listen.port();
    for (i, target) in plan.targets.iter().enumerate() {
        if target.endpoint.is_loopback() && target.endpoint.port == own {
            let message = "this is the gateway's own address, so requests would go round in circles";
            let help = "name the upstream's address, or move the gateway by `gateway.listen`";
            let key = format!("providers.targets[{i}].base_url");
            advice.push(Diagnostic::warning("own-address", key, message).help(help));
        }
    }
    let upstream =
        |port: u16| plan.targets.iter().any(|t| t.endpoint.is_loopback() && t.endpoint.port == port);
    for (number, line) in source.text.lines().enumerate() {
        let Some((_, comment)) = line.split_once('#') else { continue };
        let Some(port) = port_for_callers(comment) else { continue };
        if port != own && port != plan.admin.port() && !upstream(port) {
            let message = format!(
                "line {} tells callers to use port {port}, and the gateway listens on {own}",
                number + 1
            );
            let help = format!("write {own} there, or have it listen on {port} by `gateway.listen`");
            advice.push(Diagnostic::warning("port-mismatch", "gateway.listen", message).help(help));
        }
    }
}

/// The port of an address on this machine at which a comment says that the API is.
fn port_for_callers(comment: &str) -> Option<u16> {
    let hosts = ["http://localhost:", "http://127.0.0.1:", "http://0.0.0.0:"];
    let rest = hosts.iter().find_map(|host| comment.split_once(host))?.1;
    let (port, path) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    // Other addresses are not the API's: a console, a dashboard, a collector of metrics.
    let api = path.strip_prefix("/v1")?;
    if api.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    port.parse().ok()
}

/// Settings that are read and do nothing in this version.
fn not_yet(plan: &Plan, advice: &mut Vec<Diagnostic>) {
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
    fn an_address_in_a_comment_is_the_apis_only_with_its_path() {
        let check = |comment: &str, expected| assert_eq!(port_for_callers(comment), expected, "{comment}");
        check(" clients use http://localhost:8080/v1", Some(8080));
        check(" curl http://127.0.0.1:8080/v1/chat/completions -d '{}'", Some(8080));
        check(" base_url=\"http://localhost:8080/v1\"", Some(8080));
        check(" Grafana is at http://localhost:3000", None);
        check(" the old API at http://localhost:8080/v1beta", None);
        check(" http://localhost:99999/v1", None);
        check(" https://api.together.xyz/v1", None);
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

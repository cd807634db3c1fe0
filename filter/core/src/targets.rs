//! Upstream targets, resolved: every default filled in, every URL taken apart.
//!
//! Does not choose among targets and holds no key, only where a key comes from. Invariant: a [`Target`] can be reached as
//! it stands; whatever could not is a diagnostic at the place in the file.

mod url;

pub use url::Endpoint;

use crate::attempt::{STREAM_SUFFIX, upstream_path};
use crate::config;
use crate::cost::{self, Prices};
use crate::diagnostic::{Diagnostic, nearest};
use crate::plugin;
use std::time::Duration;

/// A provider whose address and key variable are known.
struct Known {
    /// Id, then its other spellings.
    names: &'static [&'static str],
    base_url: &'static str,
    key_variable: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        names: &["together", "together-ai", "togetherai"],
        base_url: "https://api.together.xyz/v1",
        key_variable: "TOGETHER_API_KEY",
    },
    Known { names: &["openai"], base_url: "https://api.openai.com/v1", key_variable: "OPENAI_API_KEY" },
    Known { names: &["groq"], base_url: "https://api.groq.com/openai/v1", key_variable: "GROQ_API_KEY" },
    Known { names: &["mistral"], base_url: "https://api.mistral.ai/v1", key_variable: "MISTRAL_API_KEY" },
    Known {
        names: &["openrouter"],
        base_url: "https://openrouter.ai/api/v1",
        key_variable: "OPENROUTER_API_KEY",
    },
    Known {
        names: &["fireworks"],
        base_url: "https://api.fireworks.ai/inference/v1",
        key_variable: "FIREWORKS_API_KEY",
    },
    Known { names: &["deepseek"], base_url: "https://api.deepseek.com/v1", key_variable: "DEEPSEEK_API_KEY" },
];

/// The provider id of any other host that speaks OpenAI's API.
const COMPATIBLE: &str = "openai-compatible";

/// Length to which an id stays readable in a header and in the name of a metric.
const MAX_ID_BYTES: usize = 64;

/// More attempts than this on one target only delay the answer.
const MAX_ATTEMPTS: u32 = 10;

/// A probing request holds its place at most this much longer than one attempt may take.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Parts of a share. Sums over all targets stay far below 2^31.
const MAX_WEIGHT: f64 = 1e6;

/// A day. A longer limit is a slip of the unit.
const MAX_SECONDS: u64 = 86_400;

/// Where the key of a target comes from. Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable of Envoy's process.
    Env(String),
    /// The provider's usual variable, because the file says nothing. A caller who names the provider brings a key of their
    /// own, which then takes its place.
    Usual(String),
    /// A file that holds the key and nothing else.
    File(String),
    /// The caller's own key passes through.
    Client,
    /// The upstream wants none.
    None,
}

/// One upstream, ready to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Unique name.
    pub id: String,
    /// Canonical id of the provider, such as `together`.
    pub provider: String,
    /// Model asked of it; `None`: the client's.
    pub model: Option<String>,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Where its key comes from.
    pub key: KeySource,
    /// Longest time for one attempt of a request that does not stream.
    pub timeout: Duration,
    /// The same for a request that streams.
    pub stream_timeout: Duration,
    /// Longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// When an attempt is repeated.
    pub retry: config::Retry,
    /// When the target is left alone for a while; `None`: never.
    pub circuit_breaker: Option<config::CircuitBreaker>,
    /// Share under a weighted strategy.
    pub weight: f64,
    /// Prices in USD per 1M tokens.
    pub pricing: Option<config::Pricing>,
    /// Active health check, if one is wanted.
    pub health_probe: Option<config::HealthProbe>,
    /// Informational.
    pub quantizations: Vec<String>,
}

impl Target {
    /// Whether streams have a limit, and so a cluster, of their own.
    pub fn has_streaming_twin(&self) -> bool {
        self.stream_timeout != self.timeout
    }

    /// What the filter has to know of it among others.
    pub fn plugin(&self) -> plugin::Target {
        plugin::Target {
            retryable_status_codes: self.retry.retryable_status_codes.clone(),
            breaker: self.circuit_breaker.as_ref().map(|breaker| plugin::Breaker {
                failure_threshold: breaker.failure_threshold,
                recovery_ms: whole_ms(Duration::from_secs(breaker.recovery_timeout_seconds)),
                half_open_requests: breaker.half_open_requests,
                lease_ms: whole_ms(self.timeout.max(self.stream_timeout) + LEASE_MARGIN),
            }),
            probe: self.health_probe.as_ref().map(|probe| plugin::Probe {
                path: match probe.path.starts_with("/v1/") {
                    true => upstream_path(&self.endpoint.path_prefix, &probe.path),
                    false => probe.path.clone(),
                },
                interval_ms: whole_ms(Duration::from_secs(probe.interval_seconds)),
                timeout_ms: whole_ms(Duration::from_secs(probe.timeout_seconds)),
            }),
            ..self.plugin_alone()
        }
    }

    /// What the filter has to know of it if there is no other: nothing that helps to choose.
    fn plugin_alone(&self) -> plugin::Target {
        let aliases = known(&self.provider).map_or(&[][..], |known| known.names.get(1..).unwrap_or_default());
        plugin::Target {
            id: self.id.clone(),
            provider: self.provider.clone(),
            provider_aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            model: self.model.clone(),
            authority: self.endpoint.authority(),
            path_prefix: self.endpoint.path_prefix.clone(),
            max_attempts: self.retry.max_attempts,
            streaming_twin: self.has_streaming_twin(),
            client_key: self.key == KeySource::Client,
            client_key_if_named: matches!(self.key, KeySource::Usual(_)),
            nests_schema: self.provider == "openai",
            ..plugin::Target::default()
        }
    }

    /// What the role in its cluster has to know.
    pub fn attempt(&self) -> plugin::Attempt {
        plugin::Attempt {
            target: self.id.clone(),
            model: self.model.clone(),
            authority: self.endpoint.authority(),
            path_prefix: self.endpoint.path_prefix.clone(),
            client_key: self.key == KeySource::Client,
            client_key_if_named: matches!(self.key, KeySource::Usual(_)),
            retryable_status_codes: self.retry.retryable_status_codes.clone(),
            max_wait_ms: whole_ms(Duration::from_millis(self.retry.backoff.max_ms)),
            nests_schema: self.provider == "openai",
            target_out: self.retry.target_out.clone(),
        }
    }

    /// What its tokens cost, in exact units.
    pub fn prices(&self) -> Option<Prices> {
        let pricing = self.pricing.as_ref()?;
        let cached = pricing.cached.unwrap_or(pricing.prompt);
        Some(Prices {
            prompt: cost::price(pricing.prompt)?,
            completion: cost::price(pricing.completion)?,
            cached: cost::price(cached)?,
        })
    }

    /// Whether it says what a stream cost only when asked to by `stream_options`.
    pub fn asks_for_usage(&self) -> bool {
        matches!(self.provider.as_str(), "openai" | "deepseek" | COMPATIBLE)
    }

    /// Whether it refuses a request with `stream_options`.
    pub fn refuses_stream_options(&self) -> bool {
        self.provider == "mistral"
    }

    /// Price of a token that goes in and one that comes out. A target without prices comes after all that have some.
    fn price(&self) -> f64 {
        self.pricing.as_ref().map_or(f64::INFINITY, |pricing| pricing.prompt + pricing.completion)
    }
}

/// What the filter has to know of all of them.
pub fn plugin(targets: &[Target]) -> Vec<plugin::Target> {
    if let [only] = targets {
        return vec![only.plugin_alone()];
    }
    let weights = whole_weights(targets);
    let rank = |target: &Target| targets.iter().filter(|other| other.price() < target.price()).count();
    targets
        .iter()
        .zip(weights)
        .map(|(target, weight)| plugin::Target {
            weight,
            cost_rank: u32::try_from(rank(target)).unwrap_or(u32::MAX),
            ..target.plugin()
        })
        .collect()
}

/// The weights as the smallest whole numbers in their proportion: that many requests make a round of exact shares.
fn whole_weights(targets: &[Target]) -> Vec<u32> {
    let largest = targets.iter().map(|target| target.weight).fold(1.0, f64::max);
    // Three decimals, or as many parts as leave sums of many targets far from the limits of their type.
    let scale = (MAX_WEIGHT / largest).min(1000.0);
    let whole = |weight: f64| ((weight * scale).round() as u32).max(1);
    let divisor = targets.iter().map(|target| whole(target.weight)).fold(0, common_divisor);
    targets.iter().map(|target| whole(target.weight) / divisor.max(1)).collect()
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn whole_ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Resolves one entry of `providers.targets`. Pushes a diagnostic for everything that is wrong with it.
pub(crate) fn resolve(
    target: &config::Target,
    providers: &config::Providers,
    path: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Target> {
    let before = problems.len();
    check_id(&target.id, path, problems);
    check_limits(target, path, problems);
    let model = model(target, path, problems);
    let provider = provider(target, path, problems);
    let endpoint = provider.and_then(|provider| endpoint(target, provider, path, problems));
    let key = key(target, provider, path, problems);
    if let Some(retry) = &target.retry {
        check_retry(retry, &format!("{path}.retry"), problems);
    }
    if let Some(breaker) = &target.circuit_breaker {
        check_breaker(breaker, &format!("{path}.circuit_breaker"), problems);
    }
    if problems.len() > before {
        return None;
    }
    let timeout = Duration::from_secs(target.timeout_seconds);
    Some(Target {
        id: target.id.clone(),
        provider: provider?.to_owned(),
        model,
        endpoint: endpoint?,
        key,
        timeout,
        connect_timeout: Duration::from_secs(target.connect_timeout_seconds),
        stream_timeout: target.stream_timeout_seconds.map_or(timeout, Duration::from_secs),
        retry: target.retry.clone().or_else(|| providers.retry.clone()).unwrap_or_default(),
        circuit_breaker: target.circuit_breaker.clone().or_else(|| providers.circuit_breaker.clone()),
        weight: target.weight,
        pricing: target.pricing.clone(),
        health_probe: target.health_probe.clone().filter(|probe| probe.enabled),
        quantizations: match &target.quantizations {
            None => Vec::new(),
            Some(config::OneOrMany::One(one)) => vec![one.clone()],
            Some(config::OneOrMany::Many(many)) => many.clone(),
        },
    })
}

/// The part before `:chat:` of the short form, or the whole.
fn provider_name(target: &config::Target) -> &str {
    target.provider.split(':').next().unwrap_or_default()
}

/// The one spelling of a provider's name, if it is known.
fn canonical(name: &str) -> Option<&'static str> {
    if name == COMPATIBLE {
        return Some(COMPATIBLE);
    }
    known(name).and_then(|known| known.names.first().copied())
}

fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.names.contains(&name))
}

fn provider(target: &config::Target, path: &str, problems: &mut Vec<Diagnostic>) -> Option<&'static str> {
    let name = provider_name(target);
    if let Some(provider) = canonical(name) {
        return Some(provider);
    }
    let ids = KNOWN.iter().filter_map(|known| known.names.first().copied()).chain([COMPATIBLE]);
    let help =
        match nearest(name, KNOWN.iter().flat_map(|known| known.names.iter().copied()).chain([COMPATIBLE])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "known providers: {}; any other host: `provider: {COMPATIBLE}` with a `base_url`",
                ids.collect::<Vec<_>>().join(", ")
            ),
        };
    let message = format!("unknown provider `{name}`");
    problems.push(Diagnostic::error("unknown-provider", format!("{path}.provider"), message).help(help));
    None
}

/// Model ids contain slashes and may contain colons, so only the first two colons of the short form separate.
fn model(target: &config::Target, path: &str, problems: &mut Vec<Diagnostic>) -> Option<String> {
    let mut parts = target.provider.splitn(3, ':').skip(1);
    let short = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some("chat"), Some(model)) if !model.is_empty() => Some(model),
        _ => {
            let model = match target.provider.split_once(':') {
                Some((_, model)) if !model.is_empty() && !model.starts_with("chat") => model,
                _ => "<model>",
            };
            let help =
                format!("write `{}:chat:{model}`, or `provider` and `model` apart", provider_name(target));
            let at = format!("{path}.provider");
            problems.push(
                Diagnostic::error("bad-shorthand", at, "the short form of a provider has three parts")
                    .help(help),
            );
            None
        }
    };
    let at = format!("{path}.model");
    match (&target.model, short) {
        (Some(long), Some(short)) if long != short => {
            let message = format!("`model` differs from the model in `provider`, `{short}`");
            problems.push(Diagnostic::error("two-models", at, message).help("remove one of the two"));
            None
        }
        (Some(long), _) if long.is_empty() || long.chars().any(char::is_control) => {
            let help = "remove the key to let the client's model pass through";
            problems.push(Diagnostic::error("bad-model", at, "not the name of a model").help(help));
            None
        }
        (Some(long), _) => Some(long.clone()),
        (None, short) => short.map(str::to_owned),
    }
}

fn endpoint(
    target: &config::Target,
    provider: &str,
    path: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Endpoint> {
    let default = known(provider).map(|known| known.base_url);
    let Some(base_url) = target.base_url.as_deref().or(default) else {
        let message = format!("provider `{provider}` needs a `base_url`");
        let help = "such as `base_url: https://llm.example.com/v1`";
        problems.push(Diagnostic::error("missing-base-url", path, message).help(help));
        return None;
    };
    match base_url.parse() {
        Ok(endpoint) => Some(endpoint),
        Err(url::Error { problem, help }) => {
            let at = format!("{path}.base_url");
            problems.push(Diagnostic::error("bad-base-url", at, problem).help(help));
            None
        }
    }
}

fn key(
    target: &config::Target,
    provider: Option<&str>,
    path: &str,
    problems: &mut Vec<Diagnostic>,
) -> KeySource {
    let Some(reference) = &target.secret_key_ref else {
        return match provider.and_then(known) {
            Some(known) => KeySource::Usual(known.key_variable.to_owned()),
            None => KeySource::None,
        };
    };
    let path = format!("{path}.secret_key_ref");
    match (&reference.env, &reference.file, reference.client) {
        (Some(name), None, false) => {
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                // Not quoted: a key pasted in the place of its name must not be printed.
                let message = "not the name of an environment variable";
                let help = match name.starts_with('$') {
                    true => "write the variable's name alone, without `$` and braces",
                    false => {
                        "name the variable that holds the key, such as `TOGETHER_API_KEY`; never the key itself"
                    }
                };
                problems.push(Diagnostic::error("bad-env-name", format!("{path}.env"), message).help(help));
            }
            KeySource::Env(name.clone())
        }
        (None, Some(file), false) => {
            if file.is_empty() || file.chars().any(char::is_control) {
                problems.push(Diagnostic::error(
                    "bad-key-file",
                    format!("{path}.file"),
                    "not the path of a file",
                ));
            }
            KeySource::File(file.clone())
        }
        (None, None, true) => KeySource::Client,
        _ => {
            let message = "exactly one of `env`, `file` and `client: true` says where the key comes from";
            let help = "such as `secret_key_ref: {env: TOGETHER_API_KEY}`";
            problems.push(Diagnostic::error("bad-secret-key-ref", path, message).help(help));
            KeySource::None
        }
    }
}

fn check_id(id: &str, path: &str, problems: &mut Vec<Diagnostic>) {
    let at = format!("{path}.id");
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if id.ends_with(STREAM_SUFFIX) {
        let message = format!("a target id must not end in `{STREAM_SUFFIX}`");
        let help = "that ending names the cluster that serves a target's streams";
        problems.push(Diagnostic::error("bad-target-id", at, message).help(help));
    } else if id.is_empty() || id.len() > MAX_ID_BYTES || !id.chars().all(allowed) {
        let message = format!("a target id has 1 to {MAX_ID_BYTES} letters, digits, `.`, `_` or `-`");
        problems.push(
            Diagnostic::error("bad-target-id", at, message).help("it stands in headers and in metrics"),
        );
    }
}

fn check_limits(target: &config::Target, path: &str, problems: &mut Vec<Diagnostic>) {
    let mut seconds = |key: &str, value: u64| {
        if !(1..=MAX_SECONDS).contains(&value) {
            let message = format!("`{key}` must be from 1 to {MAX_SECONDS} seconds");
            problems.push(Diagnostic::error("bad-timeout", format!("{path}.{key}"), message));
        }
    };
    seconds("timeout_seconds", target.timeout_seconds);
    seconds("connect_timeout_seconds", target.connect_timeout_seconds);
    if let Some(value) = target.stream_timeout_seconds {
        seconds("stream_timeout_seconds", value);
    }
    if let Some(probe) = target.health_probe.as_ref().filter(|probe| probe.enabled) {
        seconds("health_probe.interval_seconds", probe.interval_seconds);
        seconds("health_probe.timeout_seconds", probe.timeout_seconds);
        if !probe.path.starts_with('/') || probe.path.chars().any(|c| !c.is_ascii_graphic()) {
            let message = "not a path";
            let at = format!("{path}.health_probe.path");
            problems.push(
                Diagnostic::error("bad-probe-path", at, message)
                    .help("it starts with `/`, such as `/v1/models`"),
            );
        }
    }
    if target.format != "openai" {
        let message = format!("unknown wire format `{}`", target.format);
        let at = format!("{path}.format");
        problems.push(Diagnostic::error("unknown-format", at, message).help("`openai` is the only one"));
    }
    if !(target.weight.is_finite() && target.weight > 0.0) {
        let message = "`weight` must be greater than zero";
        problems.push(Diagnostic::error("bad-weight", format!("{path}.weight"), message));
    }
    if let Some(pricing) = &target.pricing {
        let prices = [
            ("prompt", Some(pricing.prompt)),
            ("completion", Some(pricing.completion)),
            ("cached", pricing.cached),
        ];
        for (key, price) in prices {
            if price.is_some_and(|price| cost::price(price).is_none()) {
                let message = "a price is in USD per 1M tokens, from 0 to 4000, with six decimals at most";
                problems.push(Diagnostic::error("bad-price", format!("{path}.pricing.{key}"), message));
            }
        }
    }
}

/// Checks a key of `providers` that holds a time.
pub(crate) fn check_seconds(key: &str, value: u64, problems: &mut Vec<Diagnostic>) {
    if !(1..=MAX_SECONDS).contains(&value) {
        let message = format!("`{key}` must be from 1 to {MAX_SECONDS} seconds");
        problems.push(Diagnostic::error("bad-timeout", format!("providers.{key}"), message));
    }
}

/// Checks a `retry` block, the providers' or a target's own.
pub(crate) fn check_retry(retry: &config::Retry, path: &str, problems: &mut Vec<Diagnostic>) {
    if !(1..=MAX_ATTEMPTS).contains(&retry.max_attempts) {
        let message = format!("`max_attempts` must be from 1 to {MAX_ATTEMPTS}");
        let help = "it counts the first attempt, so 1 means no retry";
        problems.push(Diagnostic::error("bad-attempts", format!("{path}.max_attempts"), message).help(help));
    }
    for (i, status) in retry.retryable_status_codes.iter().enumerate() {
        if !(400..=599).contains(status) {
            let message = format!("status {status} is no failure, so it cannot lead to a retry");
            let at = format!("{path}.retryable_status_codes[{i}]");
            problems.push(Diagnostic::error("bad-status", at, message).help("list statuses from 400 to 599"));
        }
    }
    for (i, status) in retry.target_out.statuses.iter().enumerate() {
        if !(400..=599).contains(status) {
            let message = format!("status {status} is no failure, so it cannot say that a target is out");
            let at = format!("{path}.target_out.statuses[{i}]");
            problems.push(Diagnostic::error("bad-status", at, message).help("list statuses from 400 to 599"));
        }
    }
    let backoff = &retry.backoff;
    if backoff.base_ms == 0 || backoff.base_ms > backoff.max_ms || backoff.max_ms > MAX_SECONDS * 1000 {
        let message = "`base_ms` must be at least 1 and at most `max_ms`, and `max_ms` at most a day";
        problems.push(Diagnostic::error("bad-backoff", format!("{path}.backoff"), message));
    }
}

/// Checks a `circuit_breaker` block, the providers' or a target's own.
pub(crate) fn check_breaker(breaker: &config::CircuitBreaker, path: &str, problems: &mut Vec<Diagnostic>) {
    let values = [
        ("failure_threshold", u64::from(breaker.failure_threshold)),
        ("recovery_timeout_seconds", breaker.recovery_timeout_seconds),
        ("half_open_requests", u64::from(breaker.half_open_requests)),
    ];
    for (key, value) in values {
        if !(1..=MAX_SECONDS).contains(&value) {
            let message = format!("`{key}` must be from 1 to {MAX_SECONDS}");
            let help = "remove `circuit_breaker` to do without one";
            problems.push(Diagnostic::error("bad-breaker", format!("{path}.{key}"), message).help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolved(target: serde_json::Value) -> Result<Target, Vec<&'static str>> {
        let target: config::Target = serde_json::from_value(target).unwrap();
        let mut problems = Vec::new();
        resolve(&target, &config::Providers::default(), "t", &mut problems)
            .ok_or_else(|| problems.iter().map(|problem| problem.code).collect())
    }

    #[track_caller]
    fn check(target: serde_json::Value, expected: Result<(&str, Option<&str>, &str), &str>) {
        let found = resolved(target);
        let found = found
            .as_ref()
            .map(|t| (t.provider.as_str(), t.model.as_deref(), t.endpoint.host.as_str()))
            .map_err(|codes| codes.join(","));
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn the_short_form_means_the_same_as_the_long_one() {
        let long = Ok(("together", Some("meta/Llama-3"), "api.together.xyz"));
        check(json!({"id": "a", "provider": "together", "model": "meta/Llama-3"}), long);
        check(json!({"id": "a", "provider": "together:chat:meta/Llama-3"}), long);
        check(json!({"id": "a", "provider": "together-ai:chat:meta/Llama-3"}), long);
        check(json!({"id": "a", "provider": "togetherai:chat:meta/Llama-3", "model": "meta/Llama-3"}), long);
    }

    #[test]
    fn a_model_id_may_contain_colons() {
        check(
            json!({"id": "a", "provider": "openrouter:chat:meta/llama-3:free"}),
            Ok(("openrouter", Some("meta/llama-3:free"), "openrouter.ai")),
        );
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        check(json!({"id": "a", "provider": "togeter"}), Err("unknown-provider"));
        check(json!({"id": "a", "provider": "openai-compatible"}), Err("missing-base-url"));
        check(json!({"id": "a", "provider": "together:meta/Llama-3"}), Err("bad-shorthand"));
        check(json!({"id": "a", "provider": "together:chat:x", "model": "y"}), Err("two-models"));
        check(json!({"id": "a~s", "provider": "openai"}), Err("bad-target-id"));
        check(json!({"id": "a b", "provider": "openai"}), Err("bad-target-id"));
        check(json!({"id": "a", "provider": "openai", "timeout_seconds": 0}), Err("bad-timeout"));
        check(json!({"id": "a", "provider": "openai", "weight": 0}), Err("bad-weight"));
        check(json!({"id": "a", "provider": "openai", "format": "anthropic"}), Err("unknown-format"));
        check(
            json!({"id": "a", "provider": "openai", "secret_key_ref": {"env": "A", "client": true}}),
            Err("bad-secret-key-ref"),
        );
    }

    #[test]
    fn a_key_in_the_place_of_its_name_is_refused_and_not_repeated() {
        let target = json!({"id": "a", "provider": "openai", "secret_key_ref": {"env": "sk-live-0123"}});
        let target: config::Target = serde_json::from_value(target).unwrap();
        let mut problems = Vec::new();
        resolve(&target, &config::Providers::default(), "t", &mut problems);
        assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["bad-env-name"]);
        assert!(!format!("{problems:?}").contains("0123"));
    }

    #[test]
    fn a_provider_has_its_usual_key_and_an_unknown_host_none() {
        let key = |target| resolved(target).unwrap().key;
        assert_eq!(key(json!({"id": "a", "provider": "groq"})), KeySource::Usual("GROQ_API_KEY".into()));
        let own = json!({"id": "a", "provider": "openai-compatible", "base_url": "http://127.0.0.1:8000"});
        assert_eq!(key(own), KeySource::None);
    }

    #[test]
    fn weights_become_the_smallest_whole_numbers_of_their_proportion() {
        let weights = |weights: &[f64]| {
            let target =
                |weight| resolved(json!({"id": "a", "provider": "openai", "weight": weight})).unwrap();
            whole_weights(&weights.iter().map(|weight| target(*weight)).collect::<Vec<_>>())
        };
        assert_eq!(weights(&[5.0, 3.0, 2.0]), [5, 3, 2]);
        assert_eq!(weights(&[0.5, 0.3, 0.2]), [5, 3, 2]);
        assert_eq!(weights(&[1.0, 1.0]), [1, 1]);
        assert_eq!(weights(&[0.7, 0.25]), [14, 5]);
        assert_eq!(weights(&[1e12, 5e11]), [2, 1]);
        assert_eq!(weights(&[1.0, 1e-9]), [1000, 1]);
    }

    #[test]
    fn the_cheapest_comes_first_and_what_has_no_price_last() {
        let target = |pricing: serde_json::Value| {
            resolved(json!({"id": "a", "provider": "openai", "pricing": pricing})).unwrap()
        };
        let all = [
            target(serde_json::Value::Null),
            target(json!({"prompt": 2.0, "completion": 1.0})),
            target(json!({"prompt": 0.5, "completion": 1.5})),
            target(json!({"prompt": 1.0, "completion": 1.0})),
        ];
        assert_eq!(plugin(&all).iter().map(|target| target.cost_rank).collect::<Vec<_>>(), [3, 2, 0, 0]);
    }

    #[test]
    fn a_probe_asks_below_the_targets_own_base() {
        let probe = |path: &str| {
            let target = json!({"id": "a", "provider": "groq", "health_probe": {"path": path}});
            resolved(target).map(|target| target.plugin().probe.unwrap().path)
        };
        assert_eq!(probe("/v1/models"), Ok("/openai/v1/models".into()));
        assert_eq!(probe("/healthz"), Ok("/healthz".into()));
        assert_eq!(probe("models"), Err(vec!["bad-probe-path"]));
    }

    #[test]
    fn streams_get_the_general_timeout_unless_they_have_their_own() {
        let target = resolved(json!({"id": "a", "provider": "openai", "timeout_seconds": 7})).unwrap();
        assert_eq!(target.stream_timeout, Duration::from_secs(7));
    }
}

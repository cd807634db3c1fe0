//! Checks of the sections that are not about targets.
//!
//! Each pushes what it finds and goes on. Knows no policy's own settings: those are checked where the policy is compiled.

use crate::config::{Action, ApplyTo, Capture, Mode, PolicyConfig, RateLimit};
use crate::diagnostic::{Diagnostic, nearest};
use crate::policy::PolicyKind;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// Paths whose bodies are always read, so they cannot be let through unread.
const INSPECTED_PATHS: &[&str] =
    &["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/responses"];

/// A name that still fits a log line and a header.
const MAX_NAME_CHARS: usize = 200;

/// A day. A longer window is a slip of the unit.
const MAX_WINDOW_SECONDS: u32 = 86_400;

/// Smaller would refuse ordinary requests; larger would let a few requests use up the memory of Envoy's process.
const BODY_BYTES: std::ops::RangeInclusive<u32> = 1024..=256 * 1024 * 1024;

pub(super) fn pack(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    let pack = &config.pack;
    let length = pack.name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&length) || pack.name.chars().any(char::is_control) {
        let message = format!("the name has 1 to {MAX_NAME_CHARS} printable characters");
        problems.push(Diagnostic::error("bad-name", "pack.name", message));
    }
    if !is_semantic_version(&pack.version) {
        let message = format!("`{}` is not a semantic version", pack.version.escape_debug());
        let help = "write three numbers, such as `1.0.0` or `2.1.0-rc.1`";
        problems.push(Diagnostic::error("bad-version", "pack.version", message).help(help));
    }
}

/// <https://semver.org>, version 2.0.0.
fn is_semantic_version(version: &str) -> bool {
    let (rest, build) = match version.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (version, None),
    };
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str| digits(part) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!digits(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(word))
}

pub(super) fn chain(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    let chain = &config.policies.chain;
    let known = PolicyKind::ALL.map(PolicyKind::name);
    if chain.is_empty() {
        let help =
            "name at least one policy, such as `audit-logger`; `pack.enabled: false` turns everything off";
        problems.push(Diagnostic::error("empty-chain", "policies.chain", "the chain is empty").help(help));
    }
    for (i, entry) in chain.iter().enumerate() {
        let path = format!("policies.chain[{i}]");
        let name = entry.name.as_str();
        if PolicyKind::from_name(name).is_none() {
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known policies: {}", known.join(", ")),
            };
            let message = format!("unknown policy `{}`", name.escape_debug());
            problems.push(Diagnostic::error("unknown-policy", &path, message).help(help));
        } else if chain.iter().take(i).any(|e| PolicyKind::from_name(&e.name) == PolicyKind::from_name(name))
        {
            let message = format!("policy `{name}` stands in the chain twice");
            problems
                .push(Diagnostic::error("duplicate-policy", &path, message).help("remove one of the two"));
        }
        conditions(entry, &path, problems);
    }
}

/// Where events are sent.
pub(super) fn otlp(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    let otlp = config.policy.audit_logger.as_ref().and_then(|audit| audit.otlp.as_ref());
    if otlp.is_some_and(|otlp| host_and_port(&otlp.address).is_none()) {
        let message = "`address` is a host and a port";
        let help = "such as `collector.internal:4317`";
        let at = "policy.audit-logger.otlp.address";
        problems.push(Diagnostic::error("bad-address", at, message).help(help));
    }
}

/// Texts are kept only without what `pii-detector` finds.
pub(super) fn capture(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    let wants = config.policy.audit_logger.as_ref().is_some_and(|audit| audit.capture == Capture::Redacted);
    let pii = config.policy.pii_detector.clone().unwrap_or_default();
    let redacts = pii.action == Action::Redact && pii.apply_to == ApplyTo::Both;
    let mut chain = config.policies.chain.iter();
    let is_enforced = chain.any(|entry| entry.name == "pii-detector" && entry.options.mode == Mode::Enforce);
    if wants && !(redacts && is_enforced) {
        let message = "texts are only kept where `pii-detector` redacts them, both ways and not in shadow";
        let help = "put `pii-detector` with `action: redact` in the chain, or take `metadata_only`";
        let at = "policy.audit-logger.capture";
        problems.push(Diagnostic::error("capture-unredacted", at, message).help(help));
    }
}

/// Budgets that can be kept.
pub(super) fn budgets(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    const AT: &str = "policy.budget-enforcement";
    let wanted = config.policies.chain.iter().position(|entry| entry.name == "budget-enforcement");
    let block = config.policy.budget_enforcement.clone().unwrap_or_default();
    if let (Some(wanted), true) = (wanted, block.limits.is_empty()) {
        let at = match &config.policy.budget_enforcement {
            Some(_) => format!("{AT}.limits"),
            None => format!("policies.chain[{wanted}]"),
        };
        let help = "add one, such as `limits: [{scope: caller, tokens: 100000, window: day}]`";
        let message = "`budget-enforcement` has no limit";
        problems.push(Diagnostic::error("no-limits", at, message).help(help));
    }
    if block.action == Action::Redact {
        let message = "a budget can `block` or `warn`";
        problems.push(Diagnostic::error("unsupported-action", format!("{AT}.action"), message));
    }
    for (i, limit) in block.limits.iter().enumerate() {
        let at = format!("{AT}.limits[{i}]");
        let mut refuse = |message: &str| problems.push(Diagnostic::error("bad-limit", at.clone(), message));
        match (limit.tokens, limit.usd) {
            (Some(0), None) => refuse("a limit must be greater than zero"),
            (Some(_), None) => {}
            (None, Some(usd)) if !(usd > 0.0 && usd <= 1e6 && (usd * 1e6).round() / 1e6 == usd) => {
                refuse("a limit in USD is greater than zero, at most 1000000, with six decimals at most");
            }
            (None, Some(_)) => {
                if let Some(target) = config.providers.targets.iter().find(|target| target.pricing.is_none())
                {
                    refuse(&format!(
                        "a limit in USD needs `pricing` on every target; `{}` has none",
                        target.id
                    ));
                }
            }
            _ => refuse("a limit is either in `tokens` or in `usd`"),
        }
        if block.shared.is_some() && limit.shared_units().is_none() {
            refuse(
                "with `shared`, a limit is at most 4294967295 tokens or 4294.967295 USD; take a shorter window",
            );
        }
    }
    let Some(shared) = &block.shared else { return };
    if host_and_port(&shared.address).is_none() {
        let message = "`address` is a host and a port";
        let help = "such as `ratelimit.internal:8081`";
        problems.push(Diagnostic::error("bad-address", format!("{AT}.shared.address"), message).help(help));
    }
    if shared.domain.is_empty() {
        problems.push(Diagnostic::error("bad-address", format!("{AT}.shared.domain"), "a domain has a name"));
    }
}

/// Host and port of a service; an IPv6 address stands in brackets.
pub fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().ok().map(|_| (bare, port)),
        None => is_host(host).then_some((host, port)),
    }
}

fn conditions(entry: &crate::config::ChainEntry, path: &str, problems: &mut Vec<Diagnostic>) {
    let at = format!("{path}.{}.when", entry.name);
    let when = &entry.options.when;
    let mut refuse = |key: String, message: &str| {
        problems.push(Diagnostic::error("bad-condition", format!("{at}.{key}"), message));
    };
    if when.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        refuse("path".into(), "a path starts with `/`");
    }
    for (name, value) in &when.header {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            refuse(format!("header.{name}"), "not the name of a header");
        } else if value.trim() != value || value.chars().any(char::is_control) {
            refuse(format!("header.{name}"), "no header has such a value");
        }
    }
    for (i, model) in when.model.iter().enumerate() {
        if model.is_empty() {
            refuse(format!("model[{i}]"), "no model has an empty name");
        }
    }
}

/// Conditions that list nothing: read as absent they would say the opposite of what they seem to.
pub(super) fn empty_conditions(document: &Value, problems: &mut Vec<Diagnostic>) {
    let entries = document.pointer("/policies/chain").and_then(Value::as_array);
    for (i, entry) in entries.into_iter().flatten().enumerate() {
        for (name, options) in entry.as_object().into_iter().flatten() {
            let mut refuse = |key: &str, message: &str, help: &str| {
                let at = format!("policies.chain[{i}].{name}.when.{key}");
                problems.push(Diagnostic::error("bad-condition", at, message).help(help));
            };
            let when = |key: &str| options.get("when").and_then(|when| when.get(key));
            if when("model").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                refuse(
                    "model",
                    "the list names no model",
                    "name one, or remove the key: then every model counts",
                );
            }
            if when("header").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
                refuse("header", "no header is named", "name one, or remove the key");
            }
        }
    }
}

pub(super) fn size_limits(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    if !BODY_BYTES.contains(&config.size_limits.max_body_bytes) {
        let message = "`max_body_bytes` must be from 1024 (1 KiB) to 268435456 (256 MiB)";
        problems.push(Diagnostic::error("bad-size", "size_limits.max_body_bytes", message));
    }
}

/// Limits that Envoy keeps before the filter sees a request.
pub(super) fn request_limits(config: &PolicyConfig, problems: &mut Vec<Diagnostic>) {
    let mut refuse = |path: String, message: &str| {
        problems.push(Diagnostic::error("bad-request-limit", path, message));
    };
    let rate = |limit: &RateLimit| (limit.max_requests, limit.window_seconds);
    let rates = [
        ("global_rate_limit", config.global_rate_limit.as_ref().map(rate)),
        ("ip_rate_limit", config.ip_rate_limit.as_ref().map(rate)),
        (
            "user_rate_limit",
            config.user_rate_limit.as_ref().map(|limit| (limit.max_requests, limit.window_seconds)),
        ),
    ];
    for (key, rate) in rates {
        match rate {
            Some((0, _)) => refuse(format!("{key}.max_requests"), "a limit is at least 1"),
            Some((_, seconds)) if !(1..=MAX_WINDOW_SECONDS).contains(&seconds) => {
                refuse(format!("{key}.window_seconds"), "a window is from 1 to 86400 seconds");
            }
            _ => {}
        }
    }
    for (i, name) in config.user_rate_limit.iter().flat_map(|limit| &limit.header_names).enumerate() {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            refuse(format!("user_rate_limit.header_names[{i}]"), "not the name of a header");
        }
    }
    if config.user_rate_limit.as_ref().is_some_and(|limit| limit.header_names.is_empty()) {
        refuse("user_rate_limit.header_names".into(), "name the header that says who asks");
    }
    if config.ip_allowlist.as_ref().is_some_and(|list| list.cidrs.is_empty()) {
        refuse("ip_allowlist.cidrs".into(), "an empty list would serve nobody");
    }
    for (i, cidr) in config.ip_allowlist.iter().flat_map(|list| &list.cidrs).enumerate() {
        if network(cidr).is_none() {
            refuse(format!("ip_allowlist.cidrs[{i}]"), "not an address or a network such as `10.0.0.0/8`");
        }
    }
    let Some(cors) = config.cors.as_ref().filter(|cors| cors.enabled) else { return };
    if cors.allow_origins.is_empty() {
        refuse("cors.allow_origins".into(), "name the origins whose pages may call, or `*`");
    }
    if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
        refuse("cors.allow_credentials".into(), "with `*` every page could act for whoever looks at it");
    }
}

/// Address and length of a network; an address alone is a network of one.
pub fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) =
        text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(most), |length| length.parse().ok())?;
    (length <= most).then_some((address, length))
}

pub(super) fn gateway(
    config: &PolicyConfig,
    problems: &mut Vec<Diagnostic>,
) -> Option<(SocketAddr, SocketAddr)> {
    let gateway = &config.gateway;
    let mut address = |key: &str, text: &str| {
        let address = socket_address(text);
        if address.is_none() {
            let message = format!("`{key}` is an IP address and a port");
            let help = "such as `0.0.0.0:41002` or `127.0.0.1:9901`";
            problems.push(Diagnostic::error("bad-address", format!("gateway.{key}"), message).help(help));
        }
        address
    };
    let (listen, admin) = (address("listen", &gateway.listen), address("admin", &gateway.admin));
    if let (Some(listen), Some(admin)) = (listen, admin)
        && listen.port() == admin.port()
        && (listen.ip() == admin.ip() || listen.ip().is_unspecified() || admin.ip().is_unspecified())
    {
        let message = format!("`listen` and `admin` both want port {}", listen.port());
        problems
            .push(Diagnostic::error("same-port", "gateway.admin", message).help("give them different ports"));
    }
    let status = gateway.block_status;
    if matches!(status, 408 | 409 | 429) {
        let message = format!("`block_status` must not be {status}");
        let help = "SDKs retry it, and a refused request stays refused; use 400, 403 or 422";
        problems.push(Diagnostic::error("bad-block-status", "gateway.block_status", message).help(help));
    } else if !(400..=499).contains(&status) {
        let message = "`block_status` must be from 400 to 499";
        let help = "a refusal is about the request; SDKs retry a 5xx and take anything lower for an answer";
        problems.push(Diagnostic::error("bad-block-status", "gateway.block_status", message).help(help));
    }
    for (i, path) in gateway.passthrough_paths.iter().enumerate() {
        let at = format!("gateway.passthrough_paths[{i}]");
        if !path.starts_with('/') || path.contains(['?', '#']) || path.chars().any(char::is_whitespace) {
            let message = "a path starts with `/` and has no query";
            problems.push(Diagnostic::error("bad-path", at, message));
        } else if INSPECTED_PATHS.contains(&path.as_str()) {
            let message = format!("`{path}` is always inspected");
            let help = "to let it pass, use `when` or `mode: shadow` in the chain";
            problems.push(Diagnostic::error("bad-path", at, message).help(help));
        }
    }
    listen.zip(admin)
}

/// `host:port` with an IP address or `localhost`.
pub fn socket_address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().ok()?,
        None => text.parse().ok()?,
    };
    (address.port() > 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, expected: bool) {
        assert_eq!(is_semantic_version(version), expected, "{version}");
    }

    #[test]
    fn versions_follow_semver() {
        check("1.0.0", true);
        check("0.10.3-rc.1+build.007", true);
        check("1.0.0-x-y", true);
        check("1.0", false);
        check("01.0.0", false);
        check("1.0.0-", false);
        check("1.0.0-01", false);
        check("v1.0.0", false);
        check("", false);
    }

    #[test]
    fn addresses_are_numbers_or_localhost() {
        let accepted = |text| socket_address(text).map(|address| address.to_string());
        assert_eq!(accepted("localhost:80"), Some("127.0.0.1:80".into()));
        assert_eq!(accepted("[::]:80"), Some("[::]:80".into()));
        assert_eq!(accepted("gateway.local:80"), None);
        assert_eq!(accepted("0.0.0.0:0"), None);
        assert_eq!(accepted("41002"), None);
    }
}

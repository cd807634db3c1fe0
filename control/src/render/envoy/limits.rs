//! What Envoy keeps to before the filter sees a request: who may ask, how often, and from which pages.
//!
//! Invariant: nothing here reads a body, and nothing is rendered of what the file does not ask for.

use super::Rendering;
use crate::envoy::*;
use kt_core::config::RateLimit;
use kt_core::plan::network;
use std::collections::BTreeMap;

const CORS: &str = "envoy.filters.http.cors";
const RBAC: &str = "envoy.filters.http.rbac";
const LOCAL_RATE_LIMIT: &str = "envoy.filters.http.local_ratelimit";

/// Addresses, or users, whose counts are kept at once; the one that was not seen for longest makes room for another.
const MOST_COUNTED: u32 = 10_000;

/// A bucket that is never empty, for the filters that count by descriptor alone.
const ENDLESS: u32 = u32::MAX;

impl Rendering<'_> {
    /// The filters, in the order in which they see a request.
    pub(super) fn limit_filters(&self) -> Vec<Extension> {
        let config = &self.plan.config;
        let mut filters = Vec::new();
        if config.cors.as_ref().is_some_and(|cors| cors.enabled) {
            filters.push(Extension::new(CORS, Any::Cors {}));
        }
        if let Some(list) = &config.ip_allowlist {
            let networks = list.cidrs.iter().filter_map(|cidr| network(cidr));
            let principal = |(address, prefix_len): (std::net::IpAddr, u8)| Principal {
                direct_remote_ip: CidrRange { address_prefix: address.to_string(), prefix_len },
            };
            let policy = RbacPolicy {
                permissions: vec![Permission { any: true }],
                principals: networks.map(principal).collect(),
            };
            let policies = BTreeMap::from([("ip_allowlist".to_owned(), policy)]);
            let rules = RbacRules { action: RbacAction::Allow, policies };
            filters.push(Extension::new(RBAC, Any::HttpRbac(HttpRbac { rules })));
        }
        if let Some(limit) = &config.global_rate_limit {
            filters.push(rate_limit("global", limit, Vec::new()));
        }
        if let Some(limit) = &config.ip_rate_limit {
            filters.push(rate_limit(
                "ip",
                limit,
                vec![("remote_address".into(), RateLimitAction::RemoteAddress {})],
            ));
        }
        if let Some(limit) = &config.user_rate_limit {
            let by_header = |name: &String| {
                let header = RequestHeadersAction {
                    header_name: name.to_ascii_lowercase(),
                    descriptor_key: name.clone(),
                };
                (name.clone(), RateLimitAction::RequestHeaders(header))
            };
            let rate = RateLimit { max_requests: limit.max_requests, window_seconds: limit.window_seconds };
            filters.push(rate_limit("user", &rate, limit.header_names.iter().map(by_header).collect()));
        }
        filters
    }

    /// A key of the file that asks for one of them.
    pub(super) fn first_limit(&self) -> Option<&'static str> {
        let config = &self.plan.config;
        let keys = [
            ("global_rate_limit", config.global_rate_limit.is_some()),
            ("ip_rate_limit", config.ip_rate_limit.is_some()),
            ("user_rate_limit", config.user_rate_limit.is_some()),
            ("ip_allowlist", config.ip_allowlist.is_some()),
            ("cors", config.cors.as_ref().is_some_and(|cors| cors.enabled)),
            ("policy.budget-enforcement.shared", self.shared_budget().is_some()),
            ("policy.audit-logger.otlp", self.otlp().is_some()),
        ];
        keys.into_iter().find_map(|(key, is_set)| is_set.then_some(key))
    }

    /// Names of those that are to leave health checks alone.
    pub(super) fn limits_off_for_health(&self) -> Vec<String> {
        let names = self.limit_filters().into_iter().map(|filter| filter.name);
        names.filter(|name| name != CORS).collect()
    }

    /// What a browser is told.
    pub(super) fn cors_policy(&self) -> BTreeMap<String, Any> {
        let Some(cors) = self.plan.config.cors.as_ref().filter(|cors| cors.enabled) else {
            return BTreeMap::new();
        };
        let origin = |origin: &String| match origin.as_str() {
            "*" => StringMatcher::SafeRegex(SafeRegex { regex: ".*".into() }),
            origin => StringMatcher::Exact(origin.to_owned()),
        };
        let or = |list: &[String], usual: &str| match list {
            [] => usual.to_owned(),
            list => list.join(", "),
        };
        let policy = CorsPolicy {
            allow_origin_string_match: cors.allow_origins.iter().map(origin).collect(),
            allow_methods: or(&cors.allow_methods, "GET, POST"),
            allow_headers: or(&cors.allow_headers, "authorization, content-type"),
            expose_headers: cors.expose_headers.join(", "),
            max_age: cors.max_age_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
            allow_credentials: cors.allow_credentials,
        };
        BTreeMap::from([(CORS.to_owned(), Any::CorsPolicy(policy))])
    }
}

/// One filter, which counts all requests together, or each value of `by`.
fn rate_limit(name: &str, limit: &RateLimit, by: Vec<(String, RateLimitAction)>) -> Extension {
    let bucket = |tokens| TokenBucket {
        max_tokens: tokens,
        tokens_per_fill: tokens,
        fill_interval: Seconds::from_secs(limit.window_seconds.into()),
    };
    let always = |what: &str| RuntimeFractionalPercent {
        default_value: FractionalPercent { numerator: 100, denominator: Denominator::Hundred },
        runtime_key: format!("kt.{name}_rate_limit.{what}"),
    };
    // When the next request of a steady client would fit.
    let retry_after = limit.window_seconds.div_ceil(limit.max_requests).max(1).to_string();
    let is_counted_by = !by.is_empty();
    let descriptor = |(key, _): &(String, RateLimitAction)| LocalRateLimitDescriptor {
        entries: vec![DescriptorEntry { key: key.clone() }],
        token_bucket: bucket(limit.max_requests),
    };
    let filter = LocalRateLimit {
        stat_prefix: format!("kt_{name}_rate_limit"),
        token_bucket: bucket(if is_counted_by { ENDLESS } else { limit.max_requests }),
        filter_enabled: always("enabled"),
        filter_enforced: always("enforced"),
        response_headers_to_add: vec![HeaderValueOption::overwrite("retry-after", retry_after)],
        descriptors: by.iter().map(descriptor).collect(),
        rate_limits: by.into_iter().map(|(_, action)| RateLimitActions::every(vec![action])).collect(),
        always_consume_default_token_bucket: is_counted_by.then_some(false),
        max_dynamic_descriptors: is_counted_by.then_some(MOST_COUNTED),
    };
    Extension::new(format!("{LOCAL_RATE_LIMIT}.{name}"), Any::LocalRateLimit(filter))
}

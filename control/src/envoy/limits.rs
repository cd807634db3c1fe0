//! `envoy.extensions.filters.http.{cors,rbac,local_ratelimit}` and `envoy.config.rbac`.

use super::{CidrRange, HeaderValueOption, Seconds, StringMatcher};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct CorsPolicy {
    pub allow_origin_string_match: Vec<StringMatcher>,
    pub allow_methods: String,
    pub allow_headers: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expose_headers: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub max_age: String,
    pub allow_credentials: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpRbac {
    pub rules: RbacRules,
}

#[derive(Debug, Clone, Serialize)]
pub struct RbacRules {
    pub action: RbacAction,
    pub policies: BTreeMap<String, RbacPolicy>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RbacAction {
    Allow,
}

#[derive(Debug, Clone, Serialize)]
pub struct RbacPolicy {
    pub permissions: Vec<Permission>,
    pub principals: Vec<Principal>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Permission {
    pub any: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Principal {
    pub direct_remote_ip: CidrRange,
}

#[derive(Debug, Clone, Serialize)]
pub struct LocalRateLimit {
    pub stat_prefix: String,
    pub token_bucket: TokenBucket,
    pub filter_enabled: RuntimeFractionalPercent,
    pub filter_enforced: RuntimeFractionalPercent,
    pub response_headers_to_add: Vec<HeaderValueOption>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub descriptors: Vec<LocalRateLimitDescriptor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimitActions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always_consume_default_token_bucket: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dynamic_descriptors: Option<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct TokenBucket {
    pub max_tokens: u32,
    pub tokens_per_fill: u32,
    pub fill_interval: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct LocalRateLimitDescriptor {
    pub entries: Vec<DescriptorEntry>,
    pub token_bucket: TokenBucket,
}

/// Without a value it stands for each value.
#[derive(Debug, Clone, Serialize)]
pub struct DescriptorEntry {
    pub key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RateLimitActions {
    pub actions: Vec<RateLimitAction>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitAction {
    RemoteAddress {},
    RequestHeaders(RequestHeadersAction),
}

#[derive(Debug, Clone, Serialize)]
pub struct RequestHeadersAction {
    pub header_name: String,
    pub descriptor_key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RuntimeFractionalPercent {
    pub default_value: FractionalPercent,
    pub runtime_key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct FractionalPercent {
    pub numerator: u32,
    pub denominator: Denominator,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Denominator {
    Hundred,
}

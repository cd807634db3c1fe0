//! `envoy.extensions.filters.http.{cors,rbac,local_ratelimit,ratelimit}` and `envoy.config.rbac`.

use super::{ApiVersion, CidrRange, Extension, GrpcService, HeaderValueOption, Seconds, StringMatcher};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits_addend: Option<HitsAddend>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub apply_on_stream_done: bool,
}

impl RateLimitActions {
    /// Every request counts once.
    pub fn every(actions: Vec<RateLimitAction>) -> RateLimitActions {
        RateLimitActions { actions, hits_addend: None, apply_on_stream_done: false }
    }
}

/// How much a request counts; zero asks and counts nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HitsAddend {
    Number(u64),
    /// One operator of an access log's format.
    Format(String),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitAction {
    RemoteAddress {},
    RequestHeaders(RequestHeadersAction),
    GenericKey(GenericKeyAction),
    /// An input of Envoy's matching; its name is the key. Where it has no value there is no descriptor.
    Extension(Extension),
}

/// A value that is given.
#[derive(Debug, Clone, Serialize)]
pub struct GenericKeyAction {
    pub descriptor_key: String,
    pub descriptor_value: String,
}

/// `envoy.extensions.filters.http.ratelimit.v3.RateLimit`.
#[derive(Debug, Clone, Serialize)]
pub struct GlobalRateLimit {
    pub domain: String,
    pub timeout: Seconds,
    pub failure_mode_deny: bool,
    pub disable_x_envoy_ratelimited_header: bool,
    pub rate_limited_status: HttpStatus,
    pub status_on_error: HttpStatus,
    pub rate_limits: Vec<RateLimitActions>,
    pub rate_limit_service: RateLimitService,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpStatus {
    pub code: u16,
}

#[derive(Debug, Clone, Serialize)]
pub struct RateLimitService {
    pub transport_api_version: ApiVersion,
    pub grpc_service: GrpcService,
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

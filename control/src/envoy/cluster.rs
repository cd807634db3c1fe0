//! `envoy.config.cluster.v3`, its endpoints and its transport.

use super::{
    Address, DataSource, Extension, Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolCommonOptions,
    Seconds, TcpKeepalive,
};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct Cluster {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_stat_name: Option<String>,
    pub r#type: DiscoveryType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_lookup_family: Option<DnsLookupFamily>,
    pub connect_timeout: Seconds,
    pub upstream_connection_options: UpstreamConnectionOptions,
    pub circuit_breakers: CircuitBreakers,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_lb_config: Option<CommonLbConfig>,
    pub load_assignment: ClusterLoadAssignment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_socket: Option<Extension>,
    pub typed_extension_protocol_options: BTreeMap<String, super::Any>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiscoveryType {
    Static,
    StrictDns,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DnsLookupFamily {
    V4Preferred,
}

#[derive(Debug, Clone, Serialize)]
pub struct UpstreamConnectionOptions {
    pub tcp_keepalive: TcpKeepalive,
}

#[derive(Debug, Clone, Serialize)]
pub struct CircuitBreakers {
    pub thresholds: Vec<Thresholds>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Thresholds {
    pub max_connections: u32,
    pub max_pending_requests: u32,
    pub max_requests: u32,
    pub max_retries: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct OutlierDetection {
    pub consecutive_5xx: u32,
    pub interval: Seconds,
    pub base_ejection_time: Seconds,
    pub max_ejection_time: Seconds,
    pub max_ejection_percent: u32,
    pub enforcing_success_rate: u32,
    pub enforcing_failure_percentage: u32,
    pub enforcing_consecutive_gateway_failure: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct CommonLbConfig {
    pub healthy_panic_threshold: Percent,
    pub update_merge_window: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct Percent {
    pub value: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterLoadAssignment {
    pub cluster_name: String,
    pub endpoints: Vec<LocalityLbEndpoints>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LocalityLbEndpoints {
    pub lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LbEndpoint {
    pub endpoint: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_status: Option<HealthStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancing_weight: Option<u32>,
}

impl LbEndpoint {
    /// As healthy and as likely as any other.
    pub fn at(hostname: impl Into<String>, address: Address) -> LbEndpoint {
        let endpoint = Endpoint { hostname: hostname.into(), address };
        LbEndpoint { endpoint, health_status: None, load_balancing_weight: None }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthStatus {
    Unhealthy,
}

#[derive(Debug, Clone, Serialize)]
pub struct Endpoint {
    pub hostname: String,
    pub address: Address,
}

#[derive(Debug, Clone, Serialize)]
pub struct UpstreamTlsContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    pub common_tls_context: CommonTlsContext,
}

#[derive(Debug, Clone, Serialize)]
pub struct CommonTlsContext {
    pub validation_context: CertificateValidationContext,
}

#[derive(Debug, Clone, Serialize)]
pub struct CertificateValidationContext {
    pub trusted_ca: DataSource,
    pub match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SubjectAltNameMatcher {
    pub san_type: SanType,
    pub matcher: StringMatcher,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SanType {
    Dns,
    IpAddress,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StringMatcher {
    Exact(String),
    SafeRegex(SafeRegex),
}

#[derive(Debug, Clone, Serialize)]
pub struct SafeRegex {
    pub regex: String,
}

/// `HttpProtocolOptions.OutlierDetection`: which answers count against an endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct HttpOutlierDetection {
    pub error_matcher: ErrorMatcher,
}

#[derive(Debug, Clone, Serialize)]
pub struct ErrorMatcher {
    pub http_response_headers_match: HttpHeadersMatch,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpHeadersMatch {
    pub headers: Vec<StringHeaderMatcher>,
}

/// `envoy.config.route.v3.HeaderMatcher` with a text to compare.
#[derive(Debug, Clone, Serialize)]
pub struct StringHeaderMatcher {
    pub name: String,
    pub string_match: StringMatcher,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpProtocolOptions {
    pub common_http_protocol_options: HttpProtocolCommonOptions,
    #[serde(flatten)]
    pub upstream_protocol_options: UpstreamProtocolOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<HttpOutlierDetection>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http_filters: Vec<Extension>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocolOptions {
    ExplicitHttpConfig(ExplicitHttpConfig),
    AutoConfig(AutoHttpConfig),
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ExplicitHttpConfig {
    Http1 { http_protocol_options: Http1ProtocolOptions },
    Http2 { http2_protocol_options: Http2ProtocolOptions },
}

#[derive(Debug, Clone, Serialize)]
pub struct AutoHttpConfig {
    pub http2_protocol_options: Http2ProtocolOptions,
}

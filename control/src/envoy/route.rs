//! `envoy.config.route.v3`.

use super::{Any, BackoffStrategy, DataSource, Extension, HeaderValueOption, Seconds};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct RouteConfiguration {
    pub name: String,
    pub virtual_hosts: Vec<VirtualHost>,
}

#[derive(Debug, Clone, Serialize)]
pub struct VirtualHost {
    pub name: String,
    pub domains: Vec<String>,
    pub request_body_buffer_limit: u64,
    pub routes: Vec<Route>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub typed_per_filter_config: BTreeMap<String, Any>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Route {
    pub r#match: RouteMatch,
    #[serde(flatten)]
    pub action: Action,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers_to_remove: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_add: Vec<HeaderValueOption>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_remove: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub typed_per_filter_config: BTreeMap<String, Any>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteMatch {
    Prefix(String),
    Path(String),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Route(Box<RouteAction>),
    DirectResponse(DirectResponseAction),
}

#[derive(Debug, Clone, Serialize)]
pub struct RouteAction {
    #[serde(flatten)]
    pub cluster_specifier: ClusterSpecifier,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_rewrite_literal: Option<String>,
    pub timeout: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterSpecifier {
    Cluster(String),
    InlineClusterSpecifierPlugin(ClusterSpecifierPlugin),
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterSpecifierPlugin {
    pub extension: Extension,
}

#[derive(Debug, Clone, Serialize)]
pub struct RetryPolicy {
    pub retry_on: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retriable_status_codes: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retriable_headers: Vec<PresentHeader>,
    pub num_retries: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry_host_predicate: Vec<Extension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_selection_retry_max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refresh_cluster_on_retry: bool,
    pub per_try_idle_timeout: Seconds,
    pub retry_back_off: BackoffStrategy,
    pub rate_limited_retry_back_off: RateLimitedRetryBackOff,
}

#[derive(Debug, Clone, Serialize)]
pub struct PresentHeader {
    pub name: String,
    pub present_match: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct RateLimitedRetryBackOff {
    pub reset_headers: Vec<ResetHeader>,
    pub max_interval: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct ResetHeader {
    pub name: String,
    pub format: ResetHeaderFormat,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResetHeaderFormat {
    Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct DirectResponseAction {
    pub status: u16,
    pub body: DataSource,
}

#[derive(Debug, Clone, Serialize)]
pub struct FilterConfig {
    pub disabled: bool,
}

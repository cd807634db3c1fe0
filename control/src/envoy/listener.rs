//! `envoy.config.listener.v3` and the HTTP connection manager.

use super::{
    AccessLog, Address, Extension, HeaderValueOption, Http1ProtocolOptions, Http2ProtocolOptions,
    HttpProtocolCommonOptions, RouteConfiguration, Seconds,
};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Listener {
    pub name: String,
    pub address: Address,
    pub filter_chains: Vec<FilterChain>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FilterChain {
    pub filters: Vec<Extension>,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpConnectionManager {
    pub stat_prefix: String,
    pub server_name: String,
    pub generate_request_id: bool,
    pub always_set_request_id_in_response: bool,
    pub use_remote_address: bool,
    pub skip_xff_append: bool,
    pub internal_address_config: InternalAddressConfig,
    pub normalize_path: bool,
    pub merge_slashes: bool,
    pub path_with_escaped_slashes_action: PathWithEscapedSlashesAction,
    pub stream_idle_timeout: Seconds,
    pub request_headers_timeout: Seconds,
    pub delayed_close_timeout: Seconds,
    pub max_request_headers_kb: u32,
    pub common_http_protocol_options: HttpProtocolCommonOptions,
    pub http_protocol_options: Http1ProtocolOptions,
    pub http2_protocol_options: Http2ProtocolOptions,
    pub access_log: Vec<AccessLog>,
    pub local_reply_config: LocalReplyConfig,
    #[serde(flatten)]
    pub route_specifier: RouteSpecifier,
    pub http_filters: Vec<Extension>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteSpecifier {
    RouteConfig(RouteConfiguration),
    Rds(Rds),
}

#[derive(Debug, Clone, Serialize)]
pub struct Rds {
    pub config_source: super::ConfigSource,
    pub route_config_name: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PathWithEscapedSlashesAction {
    UnescapeAndForward,
}

#[derive(Debug, Clone, Serialize)]
pub struct InternalAddressConfig {
    pub cidr_ranges: Vec<CidrRange>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CidrRange {
    pub address_prefix: String,
    pub prefix_len: u8,
}

#[derive(Debug, Clone, Serialize)]
pub struct LocalReplyConfig {
    pub mappers: Vec<ResponseMapper>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ResponseMapper {
    pub filter: super::AccessLogFilter,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers_to_add: Vec<HeaderValueOption>,
    pub body_format_override: SubstitutionFormatString,
}

#[derive(Debug, Clone, Serialize)]
pub struct SubstitutionFormatString {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub omit_empty_values: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(flatten)]
    pub format: Format,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    JsonFormat(serde_json::Value),
    TextFormatSource(super::DataSource),
}

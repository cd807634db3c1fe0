//! Messages that many parts of the API share.

use super::Any;
use serde::{Serialize, Serializer};
use std::net::SocketAddr;
use std::time::Duration;

/// `google.protobuf.Duration`, printed as `0.2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Seconds {
    pub const fn from_secs(seconds: u64) -> Seconds {
        Seconds(Duration::from_secs(seconds))
    }

    pub const fn from_millis(milliseconds: u64) -> Seconds {
        Seconds(Duration::from_millis(milliseconds))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, nanoseconds) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanoseconds == 0 {
            return serializer.collect_str(&format_args!("{seconds}s"));
        }
        let fraction = format!("{nanoseconds:09}");
        serializer.collect_str(&format_args!("{seconds}.{}s", fraction.trim_end_matches('0')))
    }
}

/// An extension's name and configuration, wherever the API takes one.
#[derive(Debug, Clone, Serialize)]
pub struct Extension {
    pub name: String,
    #[serde(flatten)]
    pub config: ExtensionConfig,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionConfig {
    TypedConfig(Box<Any>),
    ConfigDiscovery(ConfigDiscovery),
}

/// A configuration that is looked up by the extension's name. Without it requests are answered with 500.
#[derive(Debug, Clone, Serialize)]
pub struct ConfigDiscovery {
    pub config_source: AggregatedSource,
    pub type_urls: Vec<String>,
}

/// `ConfigSource` of the control plane that sends everything else too.
#[derive(Debug, Clone, Serialize)]
pub struct AggregatedSource {
    pub ads: Empty,
    pub resource_api_version: ApiVersion,
    pub initial_fetch_timeout: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct Empty {}

impl Extension {
    pub fn new(name: impl Into<String>, typed_config: Any) -> Extension {
        Extension { name: name.into(), config: ExtensionConfig::TypedConfig(Box::new(typed_config)) }
    }

    /// An extension of one type whose configuration the control plane sends by the same name.
    pub fn discovered(name: impl Into<String>, type_url: &str) -> Extension {
        let config_source = AggregatedSource {
            ads: Empty {},
            resource_api_version: ApiVersion::V3,
            // Requests wait for the configuration for as long as it takes.
            initial_fetch_timeout: Seconds::from_secs(0),
        };
        let type_urls = vec![type_url.trim_start_matches("type.googleapis.com/").to_owned()];
        Extension {
            name: name.into(),
            config: ExtensionConfig::ConfigDiscovery(ConfigDiscovery { config_source, type_urls }),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Address {
    pub socket_address: SocketAddress,
}

#[derive(Debug, Clone, Serialize)]
pub struct SocketAddress {
    pub address: String,
    pub port_value: u16,
}

impl Address {
    pub fn new(address: impl Into<String>, port_value: u16) -> Address {
        Address { socket_address: SocketAddress { address: address.into(), port_value } }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::new(address.ip().to_string(), address.port())
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    Filename(String),
    InlineString(String),
}

#[derive(Debug, Clone, Serialize)]
pub struct ConfigSource {
    pub resource_api_version: ApiVersion,
    pub path_config_source: PathConfigSource,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub enum ApiVersion {
    V3,
}

/// A service that speaks gRPC, in a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct GrpcService {
    pub envoy_grpc: EnvoyGrpc,
    pub timeout: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct EnvoyGrpc {
    pub cluster_name: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct PathConfigSource {
    pub path: String,
    pub watched_directory: WatchedDirectory,
}

#[derive(Debug, Clone, Serialize)]
pub struct WatchedDirectory {
    pub path: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct HeaderValue {
    pub key: String,
    pub value: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct HeaderValueOption {
    pub header: HeaderValue,
    pub append_action: AppendAction,
}

impl HeaderValueOption {
    /// Sets the header where there is none yet.
    pub fn unless_present(key: &str, value: impl Into<String>) -> HeaderValueOption {
        let header = HeaderValue { key: key.into(), value: value.into() };
        HeaderValueOption { header, append_action: AppendAction::AddIfAbsent }
    }

    pub fn overwrite(key: &str, value: impl Into<String>) -> HeaderValueOption {
        let header = HeaderValue { key: key.into(), value: value.into() };
        HeaderValueOption { header, append_action: AppendAction::OverwriteIfExistsOrAdd }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppendAction {
    AddIfAbsent,
    OverwriteIfExistsOrAdd,
}

#[derive(Debug, Clone, Serialize)]
pub struct BackoffStrategy {
    pub base_interval: Seconds,
    pub max_interval: Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct RuntimeFeatureFlag {
    pub default_value: bool,
    pub runtime_key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct TcpKeepalive {
    pub keepalive_probes: u32,
    pub keepalive_time: u32,
    pub keepalive_interval: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct Http1ProtocolOptions {
    /// Requests with both `transfer-encoding` and `content-length` are how requests are smuggled.
    pub allow_chunked_length: bool,
    /// Proxies in front, and measuring tools, still speak HTTP/1.0.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_http_10: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Http2ProtocolOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_streams: Option<u32>,
    pub initial_stream_window_size: u32,
    pub initial_connection_window_size: u32,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct HttpProtocolCommonOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_headers_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stream_duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_with_underscores_action: Option<HeadersWithUnderscoresAction>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HeadersWithUnderscoresAction {
    DropHeader,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(milliseconds: u64, expected: &str) {
        let printed = serde_json::to_value(Seconds::from_millis(milliseconds)).unwrap();
        assert_eq!(printed, expected);
    }

    #[test]
    fn durations_are_printed_as_protobuf_reads_them() {
        check(0, "0s");
        check(60_000, "60s");
        check(100, "0.1s");
        check(1_050, "1.05s");
    }
}

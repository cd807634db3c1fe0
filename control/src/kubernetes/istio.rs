//! `networking.istio.io`.

use crate::envoy::{Any, Extension, Route, Seconds};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct Gateway {
    pub selector: BTreeMap<String, String>,
    pub servers: Vec<Server>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Server {
    pub port: Port,
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    pub number: u16,
    pub name: String,
    pub protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    Http,
    Https,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEntry {
    pub hosts: Vec<String>,
    pub export_to: Vec<String>,
    pub location: Location,
    pub ports: Vec<Port>,
    pub resolution: Resolution,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<WorkloadEntry>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Location {
    MeshExternal,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Resolution {
    Static,
    Dns,
}

#[derive(Debug, Clone, Serialize)]
pub struct WorkloadEntry {
    pub address: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationRule {
    pub host: String,
    pub export_to: Vec<String>,
    pub subsets: Vec<Subset>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subset {
    pub name: String,
    pub traffic_policy: TrafficPolicy,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPolicy {
    pub connection_pool: ConnectionPool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    pub tls: ClientTls,
}

#[derive(Debug, Clone, Serialize)]
pub struct ConnectionPool {
    pub tcp: TcpSettings,
    pub http: HttpSettings,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpSettings {
    pub connect_timeout: Seconds,
    pub max_connections: u32,
    pub tcp_keepalive: TcpKeepalive,
}

#[derive(Debug, Clone, Serialize)]
pub struct TcpKeepalive {
    pub probes: u32,
    pub time: Seconds,
    pub interval: Seconds,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpSettings {
    #[serde(rename = "http1MaxPendingRequests")]
    pub http1_max_pending_requests: u32,
    #[serde(rename = "http2MaxRequests")]
    pub http2_max_requests: u32,
    pub max_retries: u32,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutlierDetection {
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: u32,
    pub interval: Seconds,
    pub base_ejection_time: Seconds,
    pub max_ejection_percent: u32,
    pub min_health_percent: u32,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientTls {
    pub mode: TlsMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TlsMode {
    Disable,
    Simple,
}

#[derive(Debug, Clone, Serialize)]
pub struct VirtualService {
    pub hosts: Vec<String>,
    pub gateways: Vec<String>,
    pub http: Vec<HttpRoute>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_response: Option<DirectResponse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteDestination>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DirectResponse {
    pub status: u16,
    pub body: DirectResponseBody,
}

#[derive(Debug, Clone, Serialize)]
pub struct DirectResponseBody {
    pub string: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RouteDestination {
    pub destination: Destination,
}

#[derive(Debug, Clone, Serialize)]
pub struct Destination {
    pub host: String,
    pub subset: String,
    pub port: PortSelector,
}

#[derive(Debug, Clone, Serialize)]
pub struct PortSelector {
    pub number: u16,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyFilter {
    pub workload_selector: WorkloadSelector,
    pub config_patches: Vec<ConfigPatch>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WorkloadSelector {
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigPatch {
    pub apply_to: ApplyTo,
    pub r#match: Match,
    pub patch: Patch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplyTo {
    Bootstrap,
    ExtensionConfig,
    NetworkFilter,
    HttpFilter,
    VirtualHost,
    HttpRoute,
    Cluster,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    pub context: Context,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_configuration: Option<RouteConfigurationMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterMatch>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Context {
    /// The only one that a bootstrap can be patched in.
    Any,
    #[default]
    Gateway,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerMatch {
    pub port_number: u16,
    pub filter_chain: FilterChainMatch,
}

#[derive(Debug, Clone, Serialize)]
pub struct FilterChainMatch {
    pub filter: FilterMatch,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterMatch {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_filter: Option<SubFilterMatch>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SubFilterMatch {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteConfigurationMatch {
    pub vhost: VirtualHostMatch,
}

#[derive(Debug, Clone, Serialize)]
pub struct VirtualHostMatch {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterMatch {
    pub service: String,
    pub subset: String,
    pub port_number: u16,
}

#[derive(Debug, Clone, Serialize)]
pub struct Patch {
    pub operation: Operation,
    pub value: PatchValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    Add,
    Merge,
    InsertBefore,
    InsertFirst,
}

/// A piece of Envoy's configuration.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum PatchValue {
    Extension(Extension),
    Cluster(Box<ClusterPatch>),
    Route(Box<Route>),
    VirtualHost(VirtualHostPatch),
    /// Part of a message whose other fields are Istio's.
    Part(serde_json::Value),
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterPatch {
    pub alt_stat_name: String,
    pub typed_extension_protocol_options: BTreeMap<String, Any>,
}

#[derive(Debug, Clone, Serialize)]
pub struct VirtualHostPatch {
    pub request_body_buffer_limit: u64,
}

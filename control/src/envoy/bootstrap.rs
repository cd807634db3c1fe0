//! `envoy.config.bootstrap.v3` and `envoy.config.overload.v3`.

use super::{Address, Any, Cluster, ConfigSource, Extension, Listener, Seconds};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Bootstrap {
    pub node: Node,
    pub admin: Admin,
    pub stats_config: StatsConfig,
    pub overload_manager: OverloadManager,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_resources: Option<StaticResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_resources: Option<DynamicResources>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Node {
    pub id: String,
    pub cluster: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Admin {
    pub address: Address,
}

#[derive(Debug, Clone, Serialize)]
pub struct StatsConfig {
    pub stats_tags: Vec<TagSpecifier>,
}

#[derive(Debug, Clone, Serialize)]
pub struct TagSpecifier {
    pub tag_name: String,
    pub regex: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct OverloadManager {
    pub refresh_interval: Seconds,
    pub resource_monitors: Vec<Extension>,
    pub actions: Vec<OverloadAction>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FixedHeapConfig {
    pub max_heap_size_bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct DownstreamConnectionsConfig {
    pub max_active_downstream_connections: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct OverloadAction {
    pub name: String,
    pub triggers: Vec<Trigger>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Trigger {
    pub name: String,
    pub threshold: ThresholdTrigger,
}

#[derive(Debug, Clone, Serialize)]
pub struct ThresholdTrigger {
    pub value: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct StaticResources {
    pub listeners: Vec<Listener>,
    pub clusters: Vec<Cluster>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DynamicResources {
    pub lds_config: ConfigSource,
    pub cds_config: ConfigSource,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`, as a file.
#[derive(Debug, Clone, Serialize)]
pub struct DiscoveryResponse {
    pub version_info: String,
    pub resources: Vec<Any>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Secret {
    pub name: String,
    pub generic_secret: GenericSecret,
}

#[derive(Debug, Clone, Serialize)]
pub struct GenericSecret {
    pub secret: SecretSource,
}

/// A `DataSource` that is a file. Envoy watches the folder for renames where the secret is not static.
#[derive(Debug, Clone, Serialize)]
pub struct SecretSource {
    pub filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_directory: Option<super::WatchedDirectory>,
}

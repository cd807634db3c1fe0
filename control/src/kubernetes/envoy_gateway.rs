//! `gateway.networking.k8s.io` and `gateway.envoyproxy.io`.

use super::EnvVar;
use crate::envoy::{Any, CircuitBreakers, Extension, OutlierDetection, ReloadConfig, RouteAction, Seconds};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    pub gateway_class_name: String,
    pub infrastructure: Infrastructure,
    pub listeners: Vec<Listener>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Infrastructure {
    pub parameters_ref: Reference,
}

/// A resource of the same namespace.
#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    pub group: &'static str,
    pub kind: &'static str,
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Listener {
    pub name: String,
    pub port: u16,
    pub protocol: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyProxy {
    pub preserve_route_order: bool,
    pub provider: Provider,
    pub bootstrap: Bootstrap,
}

#[derive(Debug, Clone, Serialize)]
pub struct Provider {
    pub r#type: &'static str,
    pub kubernetes: KubernetesProvider,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesProvider {
    pub envoy_deployment: Deployment,
}

#[derive(Debug, Clone, Serialize)]
pub struct Deployment {
    pub container: Container,
    pub pod: Pod,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    pub image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
    pub read_only: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Pod {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
}

/// A volume that holds the files of an image.
#[derive(Debug, Clone, Serialize)]
pub struct Volume {
    pub name: String,
    pub image: ImageVolume,
}

#[derive(Debug, Clone, Serialize)]
pub struct ImageVolume {
    pub reference: String,
}

/// Merged into the bootstrap, as text.
#[derive(Debug, Clone, Serialize)]
pub struct Bootstrap {
    pub r#type: &'static str,
    pub value: serde_saphyr::LitString,
}

#[derive(Debug, Clone, Serialize)]
pub struct Backend {
    pub endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    Fqdn { hostname: String, port: u16 },
    Ip { address: String, port: u16 },
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicy {
    pub target_refs: Vec<Reference>,
    pub validation: Validation,
}

#[derive(Debug, Clone, Serialize)]
pub struct Validation {
    #[serde(rename = "wellKnownCACertificates")]
    pub well_known_ca_certificates: &'static str,
    pub hostname: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    pub parent_refs: Vec<ParentReference>,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ParentReference {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub matches: Vec<RouteMatch>,
    pub backend_refs: Vec<Reference>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RouteMatch {
    pub path: PathMatch,
}

#[derive(Debug, Clone, Serialize)]
pub struct PathMatch {
    pub r#type: &'static str,
    pub value: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyExtensionPolicy {
    pub target_refs: Vec<Reference>,
    pub wasm: Vec<Wasm>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wasm {
    pub name: String,
    #[serde(rename = "rootID")]
    pub root_id: String,
    pub fail_open: bool,
    pub code: WasmCode,
    pub env: WasmEnv,
    pub config: kt_core::plugin::PluginConfig,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmEnv {
    pub host_keys: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WasmCode {
    pub r#type: &'static str,
    pub image: ImageCode,
}

#[derive(Debug, Clone, Serialize)]
pub struct ImageCode {
    pub url: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyPatchPolicy {
    pub target_ref: Reference,
    pub r#type: &'static str,
    pub json_patches: Vec<JsonPatch>,
}

#[derive(Debug, Clone, Serialize)]
pub struct JsonPatch {
    pub r#type: &'static str,
    pub name: String,
    pub operation: Operation,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub value: PatchValue,
}

/// A piece of Envoy's configuration.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum PatchValue {
    Text(String),
    Reload(ReloadConfig),
    Extension(Extension),
    RouteAction(Box<RouteAction>),
    ProtocolOptions(BTreeMap<String, Any>),
    CircuitBreakers(CircuitBreakers),
    OutlierDetection(OutlierDetection),
    Seconds(Seconds),
    Value(serde_json::Value),
}

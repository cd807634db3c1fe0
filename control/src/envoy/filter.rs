//! `envoy.extensions.filters.http`.

use super::{Any, BackoffStrategy, DataSource, Extension, HeaderValueOption, RuntimeFeatureFlag};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Wasm {
    pub config: PluginConfig,
}

#[derive(Debug, Clone, Serialize)]
pub struct PluginConfig {
    pub name: String,
    pub root_id: String,
    pub allow_on_headers_stop_iteration: bool,
    pub failure_policy: FailurePolicy,
    pub reload_config: ReloadConfig,
    pub vm_config: VmConfig,
    pub configuration: Box<Any>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailurePolicy {
    FailReload,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReloadConfig {
    pub backoff: BackoffStrategy,
}

#[derive(Debug, Clone, Serialize)]
pub struct VmConfig {
    pub vm_id: String,
    pub runtime: String,
    pub code: AsyncDataSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_variables: Option<EnvironmentVariables>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentVariables {
    pub host_env_keys: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AsyncDataSource {
    Local(DataSource),
    Remote(RemoteDataSource),
}

#[derive(Debug, Clone, Serialize)]
pub struct RemoteDataSource {
    pub http_uri: HttpUri,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct HttpUri {
    pub uri: String,
    pub cluster: String,
    pub timeout: super::Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct Router {
    pub suppress_envoy_headers: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Decompressor {
    pub decompressor_library: Extension,
    pub request_direction_config: RequestDirectionConfig,
    pub response_direction_config: ResponseDirectionConfig,
}

#[derive(Debug, Clone, Serialize)]
pub struct RequestDirectionConfig {
    pub common_config: CommonDirectionConfig,
    pub advertise_accept_encoding: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct ResponseDirectionConfig {
    pub common_config: CommonDirectionConfig,
}

#[derive(Debug, Clone, Serialize)]
pub struct CommonDirectionConfig {
    pub enabled: RuntimeFeatureFlag,
}

#[derive(Debug, Clone, Serialize)]
pub struct HeaderMutation {
    pub mutations: Mutations,
}

#[derive(Debug, Clone, Serialize)]
pub struct Mutations {
    pub request_mutations: Vec<Mutation>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mutation {
    Remove(String),
    Append(HeaderValueOption),
}

#[derive(Debug, Clone, Serialize)]
pub struct CredentialInjector {
    pub overwrite: bool,
    pub credential: Extension,
}

#[derive(Debug, Clone, Serialize)]
pub struct GenericCredential {
    pub credential: SdsSecretConfig,
    pub header: String,
    pub header_value_prefix: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct SdsSecretConfig {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds_config: Option<super::ConfigSource>,
}

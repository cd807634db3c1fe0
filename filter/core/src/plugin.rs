//! What the filter is configured with inside Envoy: the JSON text of a `StringValue`.
//!
//! The join between `kt-control render`, which writes it, and the filter, which reads it. Holds names of keys, never keys.

use crate::config::PolicyConfig;
use serde::{Deserialize, Serialize};

/// Configuration of one wasm plugin instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase", deny_unknown_fields)]
pub enum PluginConfig {
    /// The HTTP filter of the listener: runs the chain, decides the targets.
    Downstream(Box<Downstream>),
    /// The upstream HTTP filter of a target's cluster: makes one attempt look as that target wants it.
    Attempt(Attempt),
}

/// The listener's role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downstream {
    /// The operator's file.
    pub policy_config: PolicyConfig,
    /// SHA-256 of the operator's file, in hex; stands in every event.
    #[serde(default)]
    pub config_sha256: String,
    /// Automaton of the operator's own patterns, built by `kt-control` and encoded as base64. Building it here would put
    /// the regular-expression compiler into the module, which costs Envoy a quarter of a second at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern_automaton: Option<String>,
    /// Every target has a cluster of its own and an attempt role in it. `false`: there is one target, and the downstream
    /// role does what the attempt role would do.
    #[serde(default)]
    pub attempt_role: bool,
}

/// The role of a target's cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Id of the target.
    pub target: String,
    /// Model asked of it; `None`: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Value of `:authority`.
    pub authority: String,
    /// Path of the API's root, such as `/v1` or `/openai/v1`; takes the place of the client's `/v1`.
    pub path_prefix: String,
    /// The caller's own `authorization` passes through.
    #[serde(default)]
    pub client_key: bool,
}

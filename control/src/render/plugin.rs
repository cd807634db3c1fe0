//! The filter's own configuration.
//!
//! Knows nothing of Envoy. Invariant: holds no key and not the name of one.

use crate::catalog;
use kt_core::plan::{Known, Plan};
use kt_core::plugin::PluginConfig;
use kt_core::targets::Target;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Configuration of the listener's role. `source` is the operator's file as it came.
pub fn downstream(plan: &Plan, source: &str) -> PluginConfig {
    let mut plugin = plan.downstream(&sha256_hex(source.as_bytes()));
    plugin.models = plan.models(&known);
    PluginConfig::Downstream(Box::new(plugin))
}

/// What the catalog says of a target's model. It is Together's: others serve a model of that name in another form.
fn known(target: &Target) -> Option<Known> {
    let model = target.model.as_deref().filter(|_| target.provider == "together")?;
    let model = catalog::find(model)?;
    Some(Known {
        display_name: Some(model.name.clone()),
        organization: Some(model.vendor.clone()),
        context_length: Some(model.context_length),
        quantizations: model.quantization.iter().cloned().collect(),
    })
}

/// Configuration of the role in a target's cluster.
pub fn attempt(target: &Target) -> PluginConfig {
    PluginConfig::Attempt(target.attempt())
}

/// Whether targets have a role of their own. With one target there is nothing to switch between.
pub fn has_attempt_role(plan: &Plan) -> bool {
    plan.targets.len() > 1
}

/// As readable JSON text.
pub fn to_json(config: &PluginConfig) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(config)? + "\n")
}

/// SHA-256 in hexadecimal: names the operator's file in every event, and the pieces of an image.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

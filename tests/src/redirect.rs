//! Points a `policy-config.yaml` at another upstream.
//!
//! Changes nothing but where targets are and which variable holds their key; checks nothing else. The copy is JSON, which
//! every reader of YAML reads.

use serde_json::{Value, json};

/// A copy of `policy_config` whose targets are all at `base_url`, with the key from the environment variable `key`.
pub fn redirect(policy_config: &str, base_url: &str, key: &str) -> Result<String, String> {
    let mut config: Value = serde_saphyr::from_str(policy_config).map_err(|error| error.to_string())?;
    let targets = config.pointer_mut("/providers/targets").and_then(Value::as_array_mut);
    for target in targets.ok_or("the configuration has no `providers.targets`")? {
        let fields = target.as_object_mut().ok_or("a target is not a mapping")?;
        fields.insert("base_url".into(), json!(base_url));
        fields.insert("secret_key_ref".into(), json!({"env": key}));
    }
    Ok(format!("{config:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_moves_and_the_rest_stays() {
        let config = "pack: {name: a, version: 1.0.0}\nproviders:\n  targets:\n  - id: one\n    base_url: https://one.test/v1\n  - id: two\n";
        let copy: Value = serde_json::from_str(&redirect(config, "http://demo/v1", "KEY").unwrap()).unwrap();
        assert_eq!(
            copy,
            json!({
                "pack": {"name": "a", "version": "1.0.0"},
                "providers": {"targets": [
                    {"id": "one", "base_url": "http://demo/v1", "secret_key_ref": {"env": "KEY"}},
                    {"id": "two", "base_url": "http://demo/v1", "secret_key_ref": {"env": "KEY"}},
                ]},
            })
        );
    }

    #[test]
    fn a_configuration_without_targets_is_refused() {
        assert!(redirect("pack: {}", "http://demo/v1", "KEY").is_err());
    }
}

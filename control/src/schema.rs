//! The JSON Schema of `policy-config.yaml`, for editors, and the reference page made from it.
//!
//! Both come from the types that read the file, so neither can say something else.

#![allow(clippy::indexing_slicing, reason = "a member that a JSON value does not have is null")]

mod page;

pub use page::page;

use kt_core::config::{PolicyConfig, SPELLINGS};
use serde_json::Value;

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(PolicyConfig).to_value();
    spellings(&mut schema);
    schema["title"] = "policy-config.yaml".into();
    schema["description"] = "Which policies govern LLM traffic, and which targets serve it.".into();
    schema
}

/// Where else a key of this name may stand, as paths such as `providers.targets[]`.
pub fn homes(key: &str) -> Vec<String> {
    let schema = schema();
    let mut homes = Vec::new();
    walk(&schema, &schema, "", key, &mut homes);
    homes
}

/// Notes the paths of the objects in and below `part` that have the key.
fn walk(root: &Value, part: &Value, path: &str, key: &str, homes: &mut Vec<String>) {
    // Objects that hold each other would be walked for ever; none is nested this deep.
    const MAX_DEPTH: usize = 6;
    if path.split('.').count() > MAX_DEPTH {
        return;
    }
    let part = match part["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap_or(part),
        None => part,
    };
    for form in part["anyOf"].as_array().into_iter().flatten() {
        walk(root, form, path, key, homes);
    }
    if part["items"].is_object() {
        walk(root, &part["items"], &format!("{path}[]"), key, homes);
    }
    let Some(properties) = part["properties"].as_object() else { return };
    if properties.contains_key(key) && !path.is_empty() && !homes.iter().any(|home| home == path) {
        homes.push(path.to_owned());
    }
    for (name, property) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(root, property, &path, key, homes);
    }
}

/// Gives every key that has other spellings those spellings too; editors strike a deprecated key through.
fn spellings(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let mut respelt = Vec::new();
            if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
                for (other, preferred) in SPELLINGS.iter().filter(|(other, _)| *other != "routing") {
                    let Some(mut value) = properties.get(*preferred).cloned() else { continue };
                    value["deprecated"] = true.into();
                    value["description"] = format!("Another spelling of `{preferred}`.").into();
                    properties.insert((*other).to_owned(), value);
                    respelt.push(*preferred);
                }
            }
            // One of its spellings has to be there, which is for the reader of the file to say.
            if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|key| !respelt.iter().any(|respelt| key == respelt));
            }
            object.values_mut().for_each(spellings);
        }
        Value::Array(list) => list.iter_mut().for_each(spellings),
        _ => {}
    }
}

/// The schema as text.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

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

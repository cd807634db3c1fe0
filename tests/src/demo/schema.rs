//! The smallest document of a JSON schema.
//!
//! Follows what clients of structured answers send: objects, enums, lists, references into the same schema. Checks nothing.

use serde_json::{Map, Value, json};

/// Deepest nesting that is filled in; a schema that refers to itself ends there.
const DEPTH: usize = 16;

/// The schema in a request's `response_format`, in OpenAI's or in Together's place.
pub(super) fn requested(request: &Map<String, Value>) -> Option<&Value> {
    let format = request.get("response_format")?;
    format.pointer("/json_schema/schema").or_else(|| format.get("schema"))
}

/// The smallest document of `schema`; `root` resolves its references.
pub(super) fn smallest(schema: &Value, root: &Value) -> Value {
    document(schema, root, DEPTH)
}

fn document(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(target) =
        schema.get("$ref").and_then(Value::as_str).and_then(|path| root.pointer(path.trim_start_matches('#')))
    {
        return document(target, root, depth);
    }
    if let Some(value) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return value.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(key)?.get(0)) {
        return document(first, root, depth);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("demo"),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("array") => match schema.get("items") {
            Some(item) if schema.get("minItems").and_then(Value::as_u64) > Some(0) => {
                json!([document(item, root, depth)])
            }
            _ => json!([]),
        },
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            properties
                .map(|(name, property)| (name.clone(), document(property, root, depth)))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => Value::Null,
    }
}

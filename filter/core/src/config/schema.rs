//! JSON Schema of the types that are read by hand; the others derive theirs.

use super::{ChainEntry, ChainOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl JsonSchema for ChainEntry {
    fn schema_name() -> Cow<'static, str> {
        "ChainEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let options = generator.subschema_for::<Option<ChainOptions>>();
        json_schema!({
            "description": "One entry of the chain: a policy's name, or `{name: {when, mode}}`.",
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": options, "minProperties": 1, "maxProperties": 1},
            ],
        })
    }
}

/// `true` and `false` are short forms of the block.
pub(super) fn or_flag(schema: &mut Schema) {
    let block = std::mem::take(schema);
    *schema = json_schema!({"anyOf": [{"type": "boolean"}, block]});
}

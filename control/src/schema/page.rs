//! The reference page: every object of the schema as a table of its keys.

use serde_json::Value;
use std::fmt::Write;

/// The reference page, in Markdown.
pub fn page() -> String {
    let schema = super::schema();
    let mut page = String::from(
        "# policy-config.yaml\n\n\
         Made by `kt-control schema --markdown` from the types that read the file. Objects are closed: a key that is not\n\
         listed here is an error. Keys without a default have to be there.\n",
    );
    table(&mut page, "The file", &schema);
    let definitions = schema["$defs"].as_object().into_iter().flatten();
    for (name, definition) in definitions {
        // `true` for the defaults, or the block.
        let block =
            definition["anyOf"].as_array().and_then(|forms| forms.iter().find(|form| is_object(form)));
        match block {
            Some(block) if !is_object(definition) => table(&mut page, name, block),
            _ if is_object(definition) => table(&mut page, name, definition),
            _ => words(&mut page, name, definition),
        }
    }
    page
}

fn is_object(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// Writing to a string cannot fail.
fn table(page: &mut String, name: &str, schema: &Value) {
    heading(page, name, schema);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let default = match property.get("default") {
            _ if required.contains(&key.as_str()) => "**required**".to_owned(),
            None | Some(Value::Null) => "–".to_owned(),
            Some(Value::Object(_)) => "see there".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let meaning = one_line(property["description"].as_str().unwrap_or_default());
        let _ = writeln!(page, "| `{key}` | {} | {default} | {meaning} |", kind(property));
    }
}

/// A value that is one of a few words.
fn words(page: &mut String, name: &str, schema: &Value) {
    heading(page, name, schema);
    let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    for choice in choices.into_iter().flatten() {
        let meaning = one_line(choice["description"].as_str().unwrap_or_default());
        let word = choice.get("const").map_or_else(|| kind(choice), |word| format!("`{word}`"));
        let _ = match meaning.as_str() {
            "" => writeln!(page, "- {word}"),
            meaning => writeln!(page, "- {word}: {meaning}"),
        };
    }
}

fn heading(page: &mut String, name: &str, schema: &Value) {
    let about = one_line(schema["description"].as_str().unwrap_or_default());
    let _ = write!(page, "\n## {name}\n\n{about}\n\n");
}

/// A pipe would end the cell.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The type of a value, with a link where it has a table of its own.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        let forms = forms.iter().filter(|form| form["type"] != "null");
        return forms.map(kind).collect::<Vec<_>>().join(" or ");
    }
    let plain = match &schema["type"] {
        Value::String(plain) => plain.as_str(),
        // What may be absent may also be null.
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or("any"),
        _ => "any",
    };
    match plain {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" => "mapping".to_owned(),
        other => other.to_owned(),
    }
}

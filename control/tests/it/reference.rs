//! The schema and the reference page are what the types say, and the full example has every key.

use crate::{compare, files};
use kt_control::command::lint;
use kt_control::{schema, source::Source};
use serde_json::Value;
use std::path::{Path, PathBuf};

const FULL: &str = include_str!("../../reference/policy-config.full.yaml");

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(name)
}

#[test]
fn the_reference_is_fresh() {
    compare(&reference("policy-config.schema.json"), &schema::text());
    compare(&reference("policy-config.md"), &schema::page());
}

/// Walks a value and its schema; notes every key that the schema knows, and fails at one that it does not.
struct Walk {
    root: Value,
    met: Vec<String>,
}

impl Walk {
    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.root.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }

    /// The schemas that may describe a value.
    fn forms(&self, schema: &Value) -> Vec<Value> {
        let schema = self.resolve(schema);
        match schema["anyOf"].as_array() {
            Some(forms) => forms.iter().flat_map(|form| self.forms(form)).collect(),
            None => vec![schema.clone()],
        }
    }

    fn value(&mut self, value: &Value, schema: &Value, place: &str) {
        let forms = self.forms(schema);
        match value {
            Value::Object(object) => {
                let form = forms.iter().find(|form| form["type"] == "object" || form["type"][0] == "object");
                let form = form.unwrap_or_else(|| panic!("{place} is no object: {schema}"));
                for (key, value) in object {
                    let place = format!("{place}.{key}");
                    match form["properties"].get(key) {
                        Some(property) => {
                            self.met.push(format!("{}.{key}", form["description"]));
                            self.value(value, property, &place);
                        }
                        None if form["additionalProperties"].is_object() => {
                            self.value(value, &form["additionalProperties"].clone(), &place);
                        }
                        // Whatever the operator likes.
                        None if form["additionalProperties"] == true => {}
                        None => panic!("the schema does not know {place}"),
                    }
                }
            }
            Value::Array(list) => {
                let form = forms.iter().find(|form| form["items"] != Value::Null);
                let items = form.unwrap_or_else(|| panic!("{place} is no list: {schema}"))["items"].clone();
                list.iter().for_each(|item| self.value(item, &items, place));
            }
            _ => {}
        }
    }
}

fn walk(text: &str) -> Walk {
    let source = Source::parse("f", text).map_err(|error| error.problem).unwrap();
    let mut walk = Walk { root: schema::schema(), met: Vec::new() };
    let root = walk.root.clone();
    walk.value(&source.value, &root, "");
    walk
}

#[test]
fn every_example_is_what_the_schema_says() {
    for path in files("golden", "yaml") {
        walk(&std::fs::read_to_string(path).unwrap());
    }
    walk(include_str!("../../../envoy/policy-config.yaml"));
    for template in ["together", "openai", "fallback", "router"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/templates/{template}.yaml"));
        walk(&std::fs::read_to_string(path).unwrap());
    }
}

#[test]
fn the_full_example_has_every_key() {
    let walk = walk(FULL);
    let mut missing = Vec::new();
    let mut look = |object: &Value| {
        for (key, property) in object["properties"].as_object().into_iter().flatten() {
            let known = format!("{}.{key}", object["description"]);
            // The vendor's later place of the strategy excludes the usual one.
            let other = property["deprecated"] == true || key == "routing" || known.contains("later place");
            if !other && !walk.met.contains(&known) {
                missing.push(known);
            }
        }
    };
    look(&walk.root);
    walk.root["$defs"].as_object().unwrap().values().for_each(|definition| {
        look(definition);
        definition["anyOf"].as_array().into_iter().flatten().for_each(&mut look);
    });
    assert!(missing.is_empty(), "reference/policy-config.full.yaml has no {missing:#?}");
}

/// Keys that the operator makes up.
const FREE: &[&str] = &["x-team"];

/// A misspelling that a finger would make: two letters swapped, or one doubled.
fn misspelt(key: &str) -> String {
    let mut letters: Vec<char> = key.chars().collect();
    let swap = (1..letters.len().saturating_sub(1)).find(|i| letters[*i] != letters[i + 1] && key.len() > 4);
    match swap {
        Some(i) => letters.swap(i, i + 1),
        None => letters.push(letters[letters.len() - 1]),
    }
    letters.into_iter().collect()
}

#[test]
fn every_misspelt_key_is_caught_with_its_place_and_the_right_word() {
    let lines: Vec<&str> = FULL.lines().collect();
    let mut tried = 0;
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let start = line.len() - line.trim_start_matches([' ', '-']).len();
        let Some((key, _)) = line[start..].split_once(':') else { continue };
        let is_key = key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if !is_key || FREE.contains(&key) {
            continue;
        }
        let wrong = misspelt(key);
        let damaged: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(i, other)| match i == number {
                true => format!("{}{wrong}{}", &line[..start], &line[start + key.len()..]),
                false => (*other).to_owned(),
            })
            .collect();
        let findings = lint::findings("f", damaged.join("\n"));
        let said = |finding: &kt_control::report::Finding| {
            let text =
                format!("{} {}", finding.problem.message, finding.problem.help.as_deref().unwrap_or(""));
            (finding.line, finding.column) == (Some(number + 1), Some(start + 1))
                && text.contains(&format!("`{wrong}`"))
                && text.contains(&format!("`{key}`"))
        };
        assert!(findings.iter().any(said), "line {}: `{key}` as `{wrong}`: {findings:#?}", number + 1);
        tried += 1;
    }
    assert!(tried > 100, "only {tried} keys were tried");
}

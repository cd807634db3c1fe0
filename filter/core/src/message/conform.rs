//! Whether a text is JSON, and whether it is what a JSON Schema asks for.
//!
//! Knows the keywords that structured outputs use: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`,
//! `items`, `prefixItems`, the bounds of numbers, strings, lists and objects, `anyOf`, `oneOf`, `allOf`, `not` and local
//! `$ref`s. Every other keyword holds always. Invariant: depth and work are bounded; what goes beyond counts as
//! conforming, because it was not looked at.

use super::json::{Cursor, Kind, Result, Stop, decimal};
use std::borrow::Cow;

/// Values and schemas are read to this depth.
const MOST_DEPTH: u32 = 64;
/// Checks of one value by one schema, all together.
const MOST_CHECKS: u32 = 20_000;

/// A value.
#[derive(PartialEq)]
enum Node<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// `text` is JSON and nothing else.
pub(crate) fn is_json(text: &str) -> bool {
    read(text).is_some()
}

/// What a `response_format` says of an answer.
#[derive(Default)]
pub(crate) struct Judged {
    /// It asks for JSON.
    pub(crate) wants_json: bool,
    /// The answer is what its schema asks for, if it has one.
    pub(crate) conforms: Option<bool>,
}

/// Holds `answer` against `format`, the value of `response_format` in OpenAI's form or with `schema` beside `type` as
/// Together has it.
pub(crate) fn judge(format: &str, answer: &str) -> Judged {
    let Some(format) = read(format) else { return Judged::default() };
    let wants_json = matches!(format.member("type"), Some(Node::String(name)) if name.starts_with("json"));
    let schema =
        format.member("json_schema").and_then(|inner| inner.member("schema")).or(format.member("schema"));
    let conforms = schema.filter(|_| wants_json).map(|schema| holds(schema, answer));
    Judged { wants_json, conforms }
}

fn holds(schema: &Node, text: &str) -> bool {
    let Some(value) = read(text) else { return false };
    Check { root: schema, left: MOST_CHECKS }.holds(schema, &value, MOST_DEPTH)
}

fn read(text: &str) -> Option<Node<'_>> {
    let mut cursor = Cursor::lenient(text);
    let node = node(&mut cursor, MOST_DEPTH).ok()?;
    cursor.end().ok()?;
    Some(node)
}

fn node<'a>(cursor: &mut Cursor<'a>, depth: u32) -> Result<Node<'a>> {
    let depth = depth.checked_sub(1).ok_or(Stop)?;
    Ok(match cursor.kind()? {
        Kind::Null => {
            cursor.skip()?;
            Node::Null
        }
        Kind::Bool => Node::Bool(cursor.boolean()?),
        Kind::String => Node::String(cursor.value()?.1),
        Kind::Number => {
            let range = cursor.number()?;
            Node::Number(decimal(cursor.written(range)).unwrap_or_default())
        }
        Kind::Array => {
            let mut list = Vec::new();
            let mut items = cursor.items()?;
            while cursor.next_item(&mut items)? {
                list.push(node(cursor, depth)?);
            }
            Node::Array(list)
        }
        Kind::Object => {
            let mut members = Vec::new();
            cursor.expect(b'{')?;
            while !cursor.eat(b'}')? {
                if !members.is_empty() {
                    cursor.expect(b',')?;
                }
                let (_, name) = cursor.value()?;
                cursor.expect(b':')?;
                members.push((name, node(cursor, depth)?));
            }
            Node::Object(members)
        }
    })
}

impl Node<'_> {
    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Node::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    fn has_type(&self, name: &Node) -> bool {
        let Node::String(name) = name else { return true };
        match (&**name, self) {
            ("null", Node::Null) | ("boolean", Node::Bool(_)) | ("number", Node::Number(_)) => true,
            ("string", Node::String(_)) | ("array", Node::Array(_)) | ("object", Node::Object(_)) => true,
            ("integer", Node::Number(number)) => number.trunc() == *number,
            _ => false,
        }
    }
}

struct Check<'s> {
    root: &'s Node<'s>,
    left: u32,
}

impl<'s> Check<'s> {
    fn holds(&mut self, schema: &'s Node<'s>, value: &Node, depth: u32) -> bool {
        let (Some(left), Some(depth)) = (self.left.checked_sub(1), depth.checked_sub(1)) else { return true };
        self.left = left;
        match schema {
            Node::Bool(any) => *any,
            Node::Object(rules) => {
                rules.iter().all(|(name, rule)| self.rule(schema, name, rule, value, depth))
            }
            _ => true,
        }
    }

    fn rule(
        &mut self,
        schema: &'s Node<'s>,
        name: &str,
        rule: &'s Node<'s>,
        value: &Node,
        depth: u32,
    ) -> bool {
        let all =
            |check: &mut Self, values: &[Node]| values.iter().all(|value| check.holds(rule, value, depth));
        match (name, rule, value) {
            ("type", Node::Array(types), _) => types.iter().any(|name| value.has_type(name)),
            ("type", _, _) => value.has_type(rule),
            ("enum", Node::Array(values), _) => values.contains(value),
            ("const", _, _) => rule == value,
            ("$ref", Node::String(path), _) => match self.definition(path) {
                Some(schema) => self.holds(schema, value, depth),
                None => true,
            },
            ("allOf", Node::Array(schemas), _) => schemas.iter().all(|rule| self.holds(rule, value, depth)),
            ("anyOf", Node::Array(schemas), _) => schemas.iter().any(|rule| self.holds(rule, value, depth)),
            ("oneOf", Node::Array(schemas), _) => {
                schemas.iter().filter(|rule| self.holds(rule, value, depth)).count() == 1
            }
            ("not", _, _) => !self.holds(rule, value, depth),
            ("required", Node::Array(names), Node::Object(_)) => names.iter().all(|name| match name {
                Node::String(name) => value.member(name).is_some(),
                _ => true,
            }),
            ("properties", Node::Object(schemas), Node::Object(_)) => {
                schemas.iter().all(|(name, rule)| match value.member(name) {
                    Some(value) => self.holds(rule, value, depth),
                    None => true,
                })
            }
            ("additionalProperties", _, Node::Object(members))
                if schema.member("patternProperties").is_none() =>
            {
                let known = schema.member("properties");
                let more = |name: &str| known.is_none_or(|known| known.member(name).is_none());
                members.iter().all(|(name, value)| !more(name) || self.holds(rule, value, depth))
            }
            ("items", Node::Object(_) | Node::Bool(_), Node::Array(values)) => {
                let first = match schema.member("prefixItems") {
                    Some(Node::Array(first)) => first.len(),
                    _ => 0,
                };
                all(self, values.get(first..).unwrap_or_default())
            }
            ("prefixItems", Node::Array(rules), Node::Array(values)) => {
                rules.iter().zip(values).all(|(rule, value)| self.holds(rule, value, depth))
            }
            (_, Node::Number(bound), _) => is_within(name, *bound, value),
            _ => true,
        }
    }

    /// What a reference into this document names.
    fn definition(&self, path: &str) -> Option<&'s Node<'s>> {
        path.strip_prefix('#')?.split('/').skip(1).try_fold(self.root, |node, step| node.member(step))
    }
}

/// A keyword whose value is a number.
fn is_within(name: &str, bound: f64, value: &Node) -> bool {
    let (keyword, size) = match value {
        Node::Number(number) => (name, *number),
        Node::String(text) => (name.strip_suffix("Length").unwrap_or_default(), text.chars().count() as f64),
        Node::Array(list) => (name.strip_suffix("Items").unwrap_or_default(), list.len() as f64),
        Node::Object(members) => (name.strip_suffix("Properties").unwrap_or_default(), members.len() as f64),
        _ => return true,
    };
    match keyword {
        "minimum" | "min" => size >= bound,
        "maximum" | "max" => size <= bound,
        "exclusiveMinimum" => size > bound,
        "exclusiveMaximum" => size < bound,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &str, text: &str, expected: bool) {
        let format = format!("{{\"type\":\"json_schema\",\"json_schema\":{{\"schema\":{schema}}}}}");
        assert_eq!(judge(&format, text).conforms, Some(expected), "{schema} {text}");
        let together = format!("{{\"type\":\"json_object\",\"schema\":{schema}}}");
        assert_eq!(judge(&together, text).conforms, Some(expected), "{schema} {text}");
    }

    const PERSON: &str = r##"{"type":"object","properties":{"name":{"type":"string","minLength":1},
        "age":{"type":["integer","null"],"minimum":0},"tags":{"type":"array","items":{"$ref":"#/$defs/tag"},"maxItems":2}},
        "required":["name","age"],"additionalProperties":false,"$defs":{"tag":{"enum":["a","b"]}}}"##;

    #[test]
    fn an_object_has_its_properties_and_no_others() {
        check(PERSON, r#"{"name":"Ann","age":3}"#, true);
        check(PERSON, r#"{"name":"Ann","age":null,"tags":["a","b"]}"#, true);
        check(PERSON, r#"{"name":"Ann"}"#, false);
        check(PERSON, r#"{"name":"","age":3}"#, false);
        check(PERSON, r#"{"name":"Ann","age":3.5}"#, false);
        check(PERSON, r#"{"name":"Ann","age":-1}"#, false);
        check(PERSON, r#"{"name":"Ann","age":3,"more":1}"#, false);
        check(PERSON, r#"{"name":"Ann","age":3,"tags":["c"]}"#, false);
        check(PERSON, r#"{"name":"Ann","age":3,"tags":["a","a","a"]}"#, false);
        check(PERSON, r#"[]"#, false);
        check(PERSON, r#"{"name":"Ann","age":3"#, false);
    }

    #[test]
    fn schemas_combine() {
        let either = r#"{"anyOf":[{"type":"string"},{"type":"number","exclusiveMaximum":10}]}"#;
        check(either, "\"x\"", true);
        check(either, "9", true);
        check(either, "10", false);
        check(r#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, "1", false);
        check(r#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, "1.5", true);
        check(r#"{"not":{"const":{"a":[1]}}}"#, r#"{"a":[1.0]}"#, false);
        check(r#"{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}"#, r#"["a",1,2]"#, true);
        check(r#"{"prefixItems":[{"type":"string"}],"items":false}"#, r#"["a",1]"#, false);
        check(r#"{"additionalProperties":{"type":"number"}}"#, r#"{"a":"x"}"#, false);
        check(r#"{"format":"email","pattern":"^a"}"#, "\"anything\"", true);
        check("true", "1", true);
        check("false", "1", false);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let list = r##"{"type":"object","properties":{"next":{"$ref":"#"}},"required":["value"]}"##;
        check(list, r#"{"value":1,"next":{"value":2}}"#, true);
        check(list, r#"{"value":1,"next":{"next":{"value":2}}}"#, false);
        check(r##"{"$ref":"#"}"##, "1", true);
        check(r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1", true);
        assert!(!judge("{", "1").wants_json);
    }

    #[test]
    fn depth_is_bounded() {
        assert!(is_json(&format!("{}{}", "[".repeat(60), "]".repeat(60))));
        assert!(!is_json(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))));
        assert!(!is_json("{} {}"));
        assert!(!is_json("```json\n{}\n```"));
    }
}

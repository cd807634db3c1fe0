//! The text of `policy-config.yaml`: its value, and where each part of it stands.
//!
//! Knows YAML and no keys. Aliases and merges are expanded within limits; a second document, a duplicate key and a value
//! that JSON cannot hold are refused. Invariant: every path of [`Source::value`] has a place in the text.

use kt_core::diagnostic::Diagnostic;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::fmt;

/// Far beyond any policy file; YAML that is larger was not meant for us.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Nodes that aliases may add. Generous for a file that shares a few blocks, far below what a bomb needs.
const MAX_REPLAYED_EVENTS: usize = 20_000;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counted from one.
    pub line: usize,
    /// In characters, counted from one.
    pub column: usize,
    /// In characters; at least one.
    pub length: usize,
}

impl Place {
    fn of(location: Location) -> Place {
        let at_least_one = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Place {
            line: at_least_one(location.line()),
            column: at_least_one(location.column()),
            length: at_least_one(location.span().len()),
        }
    }
}

/// Where a node and its key stand.
#[derive(Debug, Clone, Copy)]
struct Places {
    key: Option<Place>,
    value: Place,
    /// A list or an object, whose own place is the first of its parts.
    is_collection: bool,
}

/// A file that could be parsed.
#[derive(Debug)]
pub struct Source {
    /// Name for people, `-` for standard input.
    pub name: String,
    /// The text as it came.
    pub text: String,
    /// What it says.
    pub value: Value,
    places: BTreeMap<String, Places>,
}

/// A text that is not one YAML document.
#[derive(Debug)]
pub struct NotYaml {
    /// What is wrong.
    pub problem: Diagnostic,
    /// Where, if the parser knows.
    pub place: Option<Place>,
}

impl Source {
    /// Parses a file's text.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Source, Box<NotYaml>> {
        let (name, text) = (name.into(), text.into());
        if text.len() > MAX_FILE_BYTES {
            let message = format!("the file is larger than {MAX_FILE_BYTES} bytes");
            return Err(Box::new(NotYaml {
                problem: Diagnostic::error("not-yaml", "", message),
                place: None,
            }));
        }
        let options = serde_saphyr::options! {
            with_snippet: false,
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
        };
        let root: Spanned<Node> = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
            let place =
                error.location().map(Place::of).filter(|place| place.line <= text.lines().count() + 1);
            Box::new(NotYaml { problem: not_yaml(&error), place })
        })?;
        let mut places = BTreeMap::new();
        let value = index(root, None, String::new(), &mut places);
        Ok(Source { name, text, value, places })
    }

    /// Where a problem stands: its value, or the key where the value is not what is wrong or spans lines.
    ///
    /// A path that does not exist, such as that of a missing key, stands where the nearest part around it does.
    pub fn place(&self, problem: &Diagnostic) -> Option<Place> {
        // A marker's kind is a key that the operator chose among known ones.
        let about_key = matches!(problem.code, "unknown-key" | "duplicate-key")
            || problem.path.contains(".custom_markers.");
        let mut path = problem.path.as_str();
        loop {
            if let Some(places) = self.places.get(path) {
                return match places.key {
                    Some(key) if about_key || places.is_collection => Some(key),
                    _ => Some(places.value),
                };
            }
            path = match path.rfind(['.', '[']) {
                Some(end) => path.get(..end)?,
                None if path.is_empty() => return None,
                None => "",
            };
        }
    }

    /// Places of the values on a line that may be keys: what stands under a name that speaks of keys and does not refer to one.
    pub(crate) fn secrets(&self, line: usize) -> impl Iterator<Item = Place> {
        self.places
            .iter()
            .filter(move |(path, places)| {
                !places.is_collection && places.value.line == line && speaks_of_keys(path)
            })
            .filter(|(_, places)| !self.at(places.value).is_some_and(is_reference))
            .map(|(_, places)| places.value)
    }

    /// The text at a place.
    fn at(&self, place: Place) -> Option<&str> {
        let line = self.line(place.line)?;
        let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
        line.get(byte(place.column - 1)..byte(place.column - 1 + place.length))
    }

    /// One line of the text, counted from one.
    pub fn line(&self, number: usize) -> Option<&str> {
        self.text.lines().nth(number.checked_sub(1)?)
    }
}

/// Whether a path, or a line that no path leads to, has a name after which a key may stand.
pub(crate) fn speaks_of_keys(path: &str) -> bool {
    /// Long enough to stand in few other words: `max_tokens` and `key_notes` are no keys.
    const WORDS: &[&str] =
        &["secret", "api_key", "api-key", "apikey", "password", "authorization", "bearer", "credential"];
    const NAMES: &[&str] = &["key", "token", "auth", "access_token", "auth_token"];
    let path = path.to_ascii_lowercase();
    let mut names = path.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    WORDS.iter().any(|word| path.contains(word)) || names.any(|name| NAMES.contains(&name))
}

/// Names of variables and paths of files may be shown; they are what should stand there.
fn is_reference(text: &str) -> bool {
    let name = text.trim_matches(['"', '\'']);
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let variable = name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
        && (name.contains('_') || name.bytes().all(letter));
    variable || name.starts_with(['/', '.']) || matches!(name, "true" | "false")
}

fn not_yaml(error: &serde_saphyr::Error) -> Diagnostic {
    // The parser ends its sentences with the place, which is shown apart.
    let text = error.without_snippet().to_string();
    let message = text.lines().next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or(message).trim_end_matches([':', ',', '.']);
    if message.contains("multiple YAML documents") {
        let message = "the file holds more than one document";
        return Diagnostic::error("not-yaml", "", message).help("remove what follows `---`");
    }
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(", set ").next().unwrap_or(rest);
        let message = format!("key `{key}` is given twice");
        return Diagnostic::error("duplicate-key", "", message).help("remove one of the two");
    }
    let problem = Diagnostic::error("not-yaml", "", message.to_owned());
    match WAYS_OUT.iter().find(|(words, _)| message.contains(words)) {
        Some((_, help)) => problem.help(*help),
        None => problem,
    }
}

/// Words of the parser's complaints, and what usually causes them.
const WAYS_OUT: &[(&str, &str)] = &[
    ("tabs", "indent with spaces"),
    (
        "mapping values are not allowed",
        "put a value that contains `: ` in quotes; here or one line above, a key may lack its `:` or the blank after it",
    ),
    ("multiline quoted", "a quote is opened and not closed; look at the lines before"),
    ("did not find expected key", "indent it like its neighbours"),
    ("did not find expected ','", "a bracket or a brace is opened and not closed; look here and before"),
    ("unknown anchor", "define it above with `&`, or write the value itself"),
];

/// A YAML node with the places of its parts.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Object(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// Notes the place of a node and of everything in it, and gives back its value.
fn index(
    node: Spanned<Node>,
    key: Option<Place>,
    path: String,
    places: &mut BTreeMap<String, Places>,
) -> Value {
    let is_collection = !matches!(node.value, Node::Scalar(_));
    places.insert(path.clone(), Places { key, value: Place::of(node.referenced), is_collection });
    match node.value {
        Node::Scalar(value) => value,
        Node::List(entries) => entries
            .into_iter()
            .enumerate()
            .map(|(i, entry)| index(entry, None, format!("{path}[{i}]"), places))
            .collect(),
        Node::Object(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let path = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
                let value = index(value, Some(Place::of(key.referenced)), path, places);
                object.insert(key.value, value);
            }
            Value::Object(object)
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string, a number, a boolean, a list or an object")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Bool(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
                match Number::from_f64(value) {
                    Some(number) => Ok(Node::Scalar(Value::Number(number))),
                    None => Err(E::custom("a number must be finite")),
                }
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
                Node::deserialize(deserializer)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    entries.push(entry);
                }
                Ok(Node::List(entries))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Object(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &'static str, path: &str, expected: (usize, usize, usize)) {
        let source = Source::parse("f", text).map_err(|e| e.problem.message).unwrap();
        let place = source.place(&Diagnostic::error(code, path, "")).unwrap();
        assert_eq!((place.line, place.column, place.length), expected, "{path} in {text:?}");
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let text = "a: 1\nb:\n  - x: häß\n    y: \"two words\"\n  - {z: 0.5}\n";
        check(text, "wrong-type", "a", (1, 4, 1));
        check(text, "wrong-type", "b[0].x", (3, 8, 3));
        check(text, "wrong-type", "b[0].y", (4, 8, 11));
        check(text, "wrong-type", "b[1].z", (5, 9, 3));
    }

    #[test]
    fn an_unknown_key_and_an_object_are_shown_at_the_key() {
        let text = "pack:\n  nam: x\n";
        check(text, "unknown-key", "pack.nam", (2, 3, 3));
        check(text, "missing-key", "pack", (1, 1, 4));
    }

    #[test]
    fn a_path_that_is_missing_stands_where_its_parent_does() {
        check("a:\n  b: 1\n", "x", "a.c.d", (1, 1, 1));
        check("a:\n- b: 1\n", "x", "a[7]", (1, 1, 1));
    }

    #[test]
    fn numbers_keep_their_value() {
        let source = Source::parse("f", "a: 18446744073709551615\nb: 0.8\nc: -3\nd: '007'\n").unwrap();
        assert_eq!(source.value.to_string(), r#"{"a":18446744073709551615,"b":0.8,"c":-3,"d":"007"}"#);
    }

    #[track_caller]
    fn refused(text: &str, line: Option<usize>) {
        let error = Source::parse("f", text).map(|source| source.value).unwrap_err();
        assert_eq!(error.place.map(|place| place.line), line, "{}", error.problem);
    }

    #[test]
    fn what_is_not_one_plain_document_is_refused() {
        refused("a: 1\nb: [\n", Some(2));
        refused("a: 1\na: 2\n", Some(2));
        refused("a: 1\n---\nb: 2\n", Some(3));
        refused("a: .inf\n", Some(1));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        assert!(Source::parse("f", text).is_err());
    }
}

//! From a document's value to [`PolicyConfig`], with every problem at once.
//!
//! serde stops at its first error, so the offending node is noted, taken out, and the rest is read again. Knows no meaning
//! beyond types and keys. Invariant: a diagnostic's path is the path in the document as written, whatever was taken out.

use super::PolicyConfig;
use crate::diagnostic::{Diagnostic, nearest};
use serde_json::{Value, json};
use serde_path_to_error::Segment;
use std::collections::BTreeMap;

/// Past this many problems a file is of another kind, and a longer list helps nobody.
const MAX_PROBLEMS: usize = 50;

/// Other spellings of keys under `providers`, and the ones they stand for.
pub const SPELLINGS: &[(&str, &str)] = &[
    ("retry_policy", "retry"),
    ("max_retries", "max_attempts"),
    ("consecutive_failure_threshold", "failure_threshold"),
    ("cooldown_seconds", "recovery_timeout_seconds"),
    ("half_open_successes", "half_open_requests"),
    ("input_price_per_million", "prompt"),
    ("output_price_per_million", "completion"),
    ("cached_input_price_per_million", "cached"),
    ("routing", "strategy"),
];

/// Reads a configuration. There is one only if nothing is wrong with its keys and types.
pub fn read(value: &Value) -> (Option<PolicyConfig>, Vec<Diagnostic>) {
    let Reading { config, problems, .. } = Reading::of(value);
    (config.filter(|_| problems.is_empty()), problems)
}

/// What could be read of a document.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The configuration without what was wrong: fit for finding further problems, never for use when there are any.
    pub(crate) config: Option<PolicyConfig>,
    /// Everything that was wrong.
    pub(crate) problems: Vec<Diagnostic>,
    /// Paths, as written, of what was taken out or made up.
    dropped: Vec<String>,
    /// For each list that lost entries: the position in the document of each entry that is left.
    positions: BTreeMap<String, Vec<usize>>,
}

impl Reading {
    /// Reads as much as can be read.
    pub(crate) fn of(value: &Value) -> Reading {
        let mut reading = Reading::default();
        if value.get("policies").is_some_and(Value::is_array) {
            let message = "this is another format: `policies` is a list here";
            let help = "write the names under `policies: {chain: [...]}`, their settings under `policy:`, \
                        and start with `pack: {name: ..., version: ...}`";
            reading.problems.push(Diagnostic::error("other-format", "policies", message).help(help));
            return reading;
        }
        if value.get("static_resources").is_some() {
            let message = "this is Envoy's configuration, not a policy file";
            let help = "`kt-control render` makes Envoy's from a policy file; `kt-control init` writes one to start from";
            reading.problems.push(Diagnostic::error("other-format", "static_resources", message).help(help));
            return reading;
        }
        if !value.is_object() {
            let message = "the file holds no object at its root";
            let help = "start with `pack: {name: ..., version: ...}`";
            reading.problems.push(Diagnostic::error("wrong-type", "", message).help(help));
            return reading;
        }
        let mut value = value.clone();
        reading.remove_misplaced_lists(&mut value);
        while reading.problems.len() < MAX_PROBLEMS {
            match serde_path_to_error::deserialize::<_, PolicyConfig>(&value) {
                Ok(config) => {
                    reading.config = Some(config);
                    break;
                }
                Err(error) => {
                    let steps: Vec<Step> = error.path().iter().filter_map(Step::of).collect();
                    if !reading.note(&mut value, steps, &error.inner().to_string()) {
                        break;
                    }
                }
            }
        }
        reading
    }

    /// The path in the document as written of a path in what is left of it.
    pub(crate) fn written(&self, path: &str) -> String {
        let mut written = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('[') {
            written.push_str(before);
            let Some((index, after)) = after.split_once(']') else { break };
            let moved =
                index.parse::<usize>().ok().and_then(|i| self.positions.get(&written)?.get(i).copied());
            written.push('[');
            match moved {
                Some(position) => written.push_str(&position.to_string()),
                None => written.push_str(index),
            }
            written.push(']');
            rest = after;
        }
        written + rest
    }

    /// Whether a problem at this path, as written, only follows from something that was taken out.
    pub(crate) fn follows_from_dropped(&self, path: &str) -> bool {
        self.dropped.iter().any(|dropped| is_within(dropped, path) || is_within(path, dropped))
    }

    /// Notes one error of serde's and takes its cause out of `value`. `false`: nothing is left to go on with.
    fn note(&mut self, value: &mut Value, mut steps: Vec<Step>, error: &str) -> bool {
        if let Some(field) = quoted(error, "missing field ") {
            let parent = self.written(&render(&steps));
            steps.push(Step::Key(field.to_owned()));
            let path = self.written(&render(&steps));
            steps.pop();
            if self.dropped.contains(&path) {
                // What was taken out is one of a few words, so nothing that is made up can stand for it.
                return match MADE_UP_WORDS.contains(&field) {
                    true => self.remove(value, &steps),
                    false => insert(value, &steps, field),
                };
            }
            let message = format!("`{field}` is missing");
            self.problems.push(Diagnostic::error("missing-key", parent, message));
            self.dropped.push(path);
            if MADE_UP_WORDS.contains(&field) {
                return self.remove(value, &steps);
            }
            return insert(value, &steps, field);
        }
        if let Some(field) = quoted(error, "unknown field ")
            && !matches!(steps.last(), Some(Step::Key(key)) if key == field)
        {
            steps.push(Step::Key(field.to_owned()));
        }
        if let Some(field) = quoted(error, "duplicate field ")
            && let Some(Value::Object(map)) = node(value, &steps)
            && let Some((other, _)) =
                SPELLINGS.iter().find(|(s, meant)| *meant == field && map.contains_key(*s))
        {
            steps.push(Step::Key((*other).to_owned()));
        }
        let path = self.written(&render(&steps));
        let found = node(value, &steps).cloned().unwrap_or(Value::Null);
        self.problems.push(explain(error, &path, &found));
        self.dropped.push(path);
        self.remove(value, &steps)
    }

    /// serde reads a list as an object whose keys are in order, so `pack: [a, 1.0.0]` would pass.
    fn remove_misplaced_lists(&mut self, value: &mut Value) {
        while self.problems.len() < MAX_PROBLEMS {
            let mut steps = Vec::new();
            if !find_misplaced_list(value, &mut steps) {
                return;
            }
            let path = self.written(&render(&steps));
            let message = "expected an object, found a list";
            let problem = Diagnostic::error("wrong-type", &path, message);
            self.problems.push(match object_help(&path) {
                Some(help) => problem.help(help),
                None => problem,
            });
            self.dropped.push(path);
            if !self.remove(value, &steps) {
                return;
            }
        }
    }

    fn remove(&mut self, value: &mut Value, steps: &[Step]) -> bool {
        let Some((last, parents)) = steps.split_last() else { return false };
        let list = self.written(&render(parents));
        match (node_mut(value, parents), last) {
            (Some(Value::Object(map)), Step::Key(key)) => map.remove(key).is_some(),
            (Some(Value::Array(entries)), Step::Index(index)) if *index < entries.len() => {
                let positions = self.positions.entry(list).or_insert_with(|| (0..entries.len()).collect());
                if *index < positions.len() {
                    positions.remove(*index);
                }
                entries.remove(*index);
                true
            }
            _ => false,
        }
    }
}

/// Keys whose value is an object.
const OBJECTS: &[&str] = &[
    "pack",
    "policies",
    "policy",
    "providers",
    "gateway",
    "size_limits",
    "global_rate_limit",
    "ip_rate_limit",
    "user_rate_limit",
    "ip_allowlist",
    "cors",
    "budget-enforcement",
    "prompt-injection",
    "pii-detector",
    "safety-filter",
    "quality-scorer",
    "content-quality",
    "thresholds",
    "failure_action",
    "audit-logger",
    "encoding",
    "response",
    "redaction",
    "routing",
    "retry",
    "retry_policy",
    "backoff",
    "target_out",
    "router",
    "circuit_breaker",
    "secret_key_ref",
    "pricing",
    "when",
];

fn find_misplaced_list(value: &Value, steps: &mut Vec<Step>) -> bool {
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (Step::Key(key.clone()), child)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, child)| (Step::Index(i), child)).collect(),
        _ => return false,
    };
    for (step, child) in children {
        let misplaced = match &step {
            Step::Key(key) => OBJECTS.contains(&key.as_str()),
            Step::Index(_) => true,
        };
        steps.push(step);
        if (misplaced && child.is_array()) || find_misplaced_list(child, steps) {
            return true;
        }
        steps.pop();
    }
    false
}

/// One step of a path.
#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn of(segment: &Segment) -> Option<Step> {
        match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        }
    }
}

fn render(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

fn is_within(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn node<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

fn node_mut<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

/// Required keys whose value is one of a few words: what lacks one is taken out as a whole.
const MADE_UP_WORDS: &[&str] = &["type"];

/// Makes up a required value, only so that the rest of the document can be read.
fn insert(value: &mut Value, steps: &[Step], field: &str) -> bool {
    let made_up = match field {
        "pack" => json!({"name": "", "version": ""}),
        "policies" => json!({"chain": []}),
        "chain" => json!([]),
        "prompt" | "completion" => json!(0),
        _ => json!(""),
    };
    match node_mut(value, steps) {
        Some(Value::Object(map)) => map.insert(field.to_owned(), made_up).is_none(),
        _ => false,
    }
}

/// The text in backticks after `prefix`, if the error starts with it.
fn quoted<'a>(error: &'a str, prefix: &str) -> Option<&'a str> {
    error.strip_prefix(prefix)?.strip_prefix('`')?.split('`').next()
}

/// The alternatives that serde lists after `expected`.
fn alternatives(error: &str) -> Vec<&str> {
    match error.split_once(", expected ") {
        Some((_, list)) => list.split('`').skip(1).step_by(2).collect(),
        None => Vec::new(),
    }
}

/// How a policy is put into shadow mode.
const SHADOW: &str = "shadow mode is set in the chain, `- <policy>: {mode: shadow}`";

/// How a key is named.
const KEY_REFERENCE: &str = "name the place of the key, such as `secret_key_ref: {env: TOGETHER_API_KEY}`";

/// How a list is written where something else was found.
fn list_help(path: &str, found: &Value) -> Option<String> {
    match (path, found) {
        ("policies.chain", Value::Object(_)) => {
            Some("write one line per policy, `- <policy>`; its settings stand under `policy:`".into())
        }
        ("providers.targets", Value::Object(_)) => Some("write one entry per target, `- id: <name>`".into()),
        (_, Value::String(_) | Value::Number(_)) => Some("put it in brackets, `[...]`".into()),
        _ => None,
    }
}

/// What an object is for, where people expect a plain value.
fn object_help(path: &str) -> Option<&'static str> {
    let key = path.rsplit('.').next().unwrap_or(path);
    match key.split('[').next().unwrap_or(key) {
        "detect_patterns" => Some("name each pattern, such as `{name: ticket, regex: \"TICKET-[0-9]{4}\"}`"),
        "pricing" => Some(
            "give both prices, such as `pricing: {prompt: 0.88, completion: 0.88}`, in USD per 1M tokens",
        ),
        "retry" | "retry_policy" => {
            Some("such as `retry: {max_attempts: 2}`, which counts the first attempt")
        }
        "target_out" => Some("such as `target_out: {codes: [model_not_found]}`"),
        "targets" => Some("give it an id and a provider, such as `{id: main, provider: together}`"),
        _ => None,
    }
}

/// Numbers are written without a unit; the unit is part of the key's name.
fn number_help(path: &str, text: &str) -> Option<String> {
    let key = path.rsplit('.').next().unwrap_or(path);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    if key.starts_with("retryable_status_codes") {
        return Some("list each status, such as `[429, 500, 502, 503]`".into());
    }
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "minutes" => 60.0,
        "h" | "hours" => 3600.0,
        "d" | "days" => 86_400.0,
        _ => 0.0,
    };
    let bytes = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1_048_576.0,
        "g" | "gb" | "gib" => 1_073_741_824.0,
        _ => 0.0,
    };
    let plain = match key {
        _ if unit.trim() == "%" => number / 100.0,
        key if key.ends_with("_seconds") => number * seconds,
        key if key.ends_with("_ms") => number * seconds * 1000.0,
        key if key.ends_with("_days") => number * seconds / 86_400.0,
        key if key.ends_with("_bytes") => number * bytes,
        _ => 0.0,
    };
    (plain > 0.0).then(|| format!("write the number alone: `{plain}`"))
}

fn explain(error: &str, path: &str, found: &Value) -> Diagnostic {
    if let Some(key) = quoted(error, "unknown field ") {
        // What stands where `env` should may be the key itself.
        if path.contains("secret_key_ref.")
            && !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            let reference = path.split(".secret_key_ref.").next().unwrap_or_default();
            let message = "`secret_key_ref` names the place of a key and does not hold one";
            let at = format!("{reference}.secret_key_ref");
            return Diagnostic::error("bad-secret-key-ref", at, message).help(KEY_REFERENCE);
        }
        let known = alternatives(error);
        let help = match nearest(key, known.iter().copied()) {
            _ if key == "mode" && path.starts_with("policy.") => SHADOW.to_owned(),
            _ if matches!(key, "when" | "mode") && path.starts_with("policies.chain[") => {
                format!("write it into the entry: `- <policy>: {{{key}: ...}}`")
            }
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys here: {}", known.join(", ")),
        };
        return Diagnostic::error("unknown-key", path, format!("unknown key `{key}`")).help(help);
    }
    if let Some(word) = quoted(error, "unknown variant ") {
        let known = alternatives(error);
        let help = match nearest(word, known.iter().copied()) {
            _ if word == "shadow" && path.starts_with("policy.") => SHADOW.to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known values: {}", known.join(", ")),
        };
        return Diagnostic::error("unknown-value", path, format!("unknown value `{word}`")).help(help);
    }
    if let Some(key) = quoted(error, "duplicate field ") {
        let message = format!("`{key}` is given twice, in two spellings");
        return Diagnostic::error("duplicate-key", path, message).help("remove one of the two");
    }
    // serde repeats the value it found; the value may be a key that stands in the wrong place, so its kind is named instead.
    let wanted = if error.contains("untagged enum") {
        "a string or a list of strings"
    } else {
        match error.rsplit_once(", expected ").map(|(_, wanted)| wanted) {
            Some("u16" | "u32" | "u64" | "usize") => "a whole number, zero or more",
            Some("f64") => "a number",
            Some("a boolean") => "`true` or `false`",
            Some("a sequence") => "a list",
            Some("a map") => "an object",
            Some(wanted) if wanted.starts_with("struct ") => "an object",
            Some(wanted) if wanted.contains("enum ") || wanted == "string or map" => "a word",
            Some(wanted) => wanted,
            None if error.starts_with("one policy per entry") => {
                let options =
                    found.as_object().is_some_and(|o| o.contains_key("when") || o.contains_key("mode"));
                let help = match options {
                    true => "write `when` and `mode` into the entry, `- <policy>: {when: ...}`",
                    false => "give each policy a line of its own, `- name`",
                };
                return Diagnostic::error("bad-value", path, error).help(help);
            }
            None => return Diagnostic::error("bad-value", path, error),
        }
    };
    let kind = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let kind = if wanted.starts_with("a whole number") && found.is_i64() { "one out of range" } else { kind };
    let problem = Diagnostic::error("wrong-type", path, format!("expected {wanted}, found {kind}"));
    match (found, wanted) {
        (Value::Null, _) => problem.help("give it a value, or remove the key"),
        (Value::Number(_), "a string") if path == "pack.version" => {
            problem.help("a version has three numbers and stands in quotes, such as `\"1.0.0\"`")
        }
        (Value::Number(_) | Value::Bool(_), "a string") => problem.help("put it in quotes"),
        (Value::String(text), _)
            if text.parse::<f64>().is_ok() || matches!(text.as_str(), "true" | "false") =>
        {
            problem.help("remove the quotes")
        }
        _ if path.ends_with("secret_key_ref") => problem.help(KEY_REFERENCE),
        (_, "a list") => match list_help(path, found) {
            Some(help) => problem.help(help),
            None => problem,
        },
        (Value::String(text), "a number" | "a whole number, zero or more") => match number_help(path, text) {
            Some(help) => problem.help(help),
            None => problem,
        },
        (_, "an object") => match object_help(path) {
            Some(help) => problem.help(help),
            None => problem,
        },
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({
            "pack": {"name": "p", "version": "1.0.0"},
            "policies": {"chain": ["pii-detector"]},
            "providers": {"targets": [{"id": "a", "provider": "openai"}]},
        })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let mut value = document();
        change(&mut value);
        let (config, problems) = read(&value);
        let found: Vec<String> =
            problems.iter().map(|p| format!("{} {}: {}", p.code, p.path, p.message)).collect();
        assert_eq!(found, expected);
        assert_eq!(config.is_some(), expected.is_empty());
    }

    #[test]
    fn a_plain_document_is_read() {
        check(|_| {}, &[]);
    }

    #[test]
    fn every_unknown_key_and_wrong_type_is_found_in_one_go() {
        check(
            |value| {
                value["policy"] = json!({"prompt-injection": {"treshold": 0.8, "action": "blok"}});
                value["providers"]["targets"][0]["timeout_seconds"] = json!("60");
                value["gatway"] = json!({});
                value["pack"]["enabled"] = json!("yes");
            },
            &[
                "unknown-key gatway: unknown key `gatway`",
                "wrong-type pack.enabled: expected `true` or `false`, found a string",
                "unknown-value policy.prompt-injection.action: unknown value `blok`",
                "unknown-key policy.prompt-injection.treshold: unknown key `treshold`",
                "wrong-type providers.targets[0].timeout_seconds: expected a whole number, zero or more, found a string",
            ],
        );
    }

    #[test]
    fn positions_in_lists_are_those_of_the_document() {
        check(
            |value| {
                value["policies"]["chain"] = json!([1, "pii-detector", 2, {"audit-logger": {"mod": "x"}}])
            },
            &[
                "wrong-type policies.chain[0]: expected a policy name, or one policy name with `when` and `mode`, found a number",
                "wrong-type policies.chain[2]: expected a policy name, or one policy name with `when` and `mode`, found a number",
                "unknown-key policies.chain[3].audit-logger.mod: unknown key `mod`",
            ],
        );
    }

    #[test]
    fn a_missing_key_is_named_once_and_not_when_it_was_there_but_wrong() {
        check(
            |value| value["pack"] = json!({"version": 1.0}),
            &[
                "wrong-type pack.version: expected a string, found a number with a fraction",
                "missing-key pack: `name` is missing",
            ],
        );
        check(
            |value| {
                value.as_object_mut().unwrap().remove("policies");
            },
            &["missing-key : `policies` is missing"],
        );
    }

    #[test]
    fn a_key_in_the_wrong_place_is_not_repeated() {
        check(
            |value| value["providers"]["targets"][0]["secret_key_ref"] = json!("sk-live-0123"),
            &["wrong-type providers.targets[0].secret_key_ref: expected an object, found a string"],
        );
    }

    #[test]
    fn another_format_gets_one_problem() {
        check(
            |value| value["policies"] = json!([{"name": "pii", "type": "pii"}]),
            &["other-format policies: this is another format: `policies` is a list here"],
        );
    }

    #[test]
    fn a_list_does_not_pass_for_an_object() {
        check(
            |value| {
                value["pack"] = json!(["p", "1.0.0", true]);
                value["providers"]["targets"] =
                    json!([["a", "openai"], {"id": "a", "provider": "openai", "x": 1}]);
            },
            &[
                "wrong-type pack: expected an object, found a list",
                "wrong-type providers.targets[0]: expected an object, found a list",
                "unknown-key providers.targets[1].x: unknown key `x`",
            ],
        );
    }

    #[test]
    fn a_document_that_is_no_object_is_one_problem() {
        let (config, problems) = read(&json!([1, 2]));
        assert!(config.is_none());
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let keys: serde_json::Map<String, Value> = (0..200).map(|i| (format!("key{i}"), json!(1))).collect();
        assert_eq!(read(&Value::Object(keys)).1.len(), MAX_PROBLEMS);
    }
}

//! Test cases in the JSON form of the vendor whose dialect the policy file is in.
//!
//! One case a file: `{"name", "input": {"messages", "headers", "request", "upstream_response"}, "expected": {"verdict",
//! "reason_code"}}`. What it says of that vendor's control plane (gateway names, teams) is taken and means nothing here.

use super::{Scenario, file};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    input: Input,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default)]
    messages: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Further fields of the request's body.
    #[serde(default)]
    request: Map<String, Value>,
    /// The answer of the model: a chat completion, or its text.
    #[serde(default)]
    upstream_response: Option<Value>,
    #[serde(default, rename = "gateway_name", alias = "proxy_name")]
    _gateway_name: Option<String>,
    #[serde(default, rename = "team_slugs")]
    _team_slugs: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: Verdict,
    #[serde(default)]
    reason_code: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    Warn,
    Redact,
    Block,
    /// Asks a person. Nobody is asked here, so what that vendor escalates is refused.
    Escalate,
}

/// Reads a case as the scenario that says the same.
pub(super) fn parse(name: &str, text: &str) -> Result<Scenario, String> {
    let case: Case = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let refused = matches!(case.expected.verdict, Verdict::Block | Verdict::Escalate);
    let verdict = match case.expected.verdict {
        Verdict::Allow => "allow",
        Verdict::Warn => "warn",
        Verdict::Redact => "redact",
        Verdict::Block | Verdict::Escalate => "block",
    };
    let mut body = case.input.request;
    if let Some(messages) = case.input.messages {
        body.insert("messages".into(), messages);
    }
    body.entry("model").or_insert_with(|| "any".into());
    let answer = match case.input.upstream_response {
        None | Some(Value::Null) => json!({}),
        Some(Value::String(content)) => json!({"content": content}),
        Some(answer) => json!({"json": answer}),
    };
    let reason = case.expected.reason_code.as_deref().and_then(reason);
    let exchange = json!({
        "request": {"json": body, "headers": case.input.headers},
        "answer": answer,
        "expect": {
            "status": if refused { 400 } else { 200 },
            "headers": {"x-kt-verdict": verdict},
            "reason": reason,
        },
    });
    let exchange: file::Exchange = serde_json::from_value(exchange).map_err(|error| error.to_string())?;
    Ok(Scenario { name: name.to_owned(), about: case.name, config: Value::Null, exchanges: vec![exchange] })
}

/// Policies by what that vendor's reason codes call them.
const POLICIES: &[(&str, &str)] = &[
    ("prompt_injection", "prompt-injection"),
    ("pii", "pii-detector"),
    ("pci", "pii-detector"),
    ("dlp", "pii-detector"),
    ("safety", "safety-filter"),
    ("quality", "quality-scorer"),
    ("budget", "budget-enforcement"),
];

/// The reason code that is meant: ours as it stands; of the vendor's `pii.email_detected` the policy and the kind, of
/// `prompt_injection.detected` the policy. Codes that say that nothing was found name no reason.
fn reason(code: &str) -> Option<String> {
    let (policy, kind) = code.split_once('.').unwrap_or((code, ""));
    let Some((_, ours)) = POLICIES.iter().find(|(theirs, _)| *theirs == policy) else {
        return Some(code.to_owned()).filter(|_| policy.contains('-'));
    };
    match kind.strip_suffix("_detected") {
        _ if kind == "clean" => None,
        Some(kind) if policy == "pii" => Some(format!("{ours}.{kind}")),
        _ => Some((*ours).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: Option<&str>) {
        assert_eq!(reason(code).as_deref(), expected);
    }

    #[test]
    fn reason_codes_of_the_vendor_mean_ours() {
        check("prompt_injection.detected", Some("prompt-injection"));
        check("pii.email_detected", Some("pii-detector.email"));
        check("safety.clean", None);
        check("pii-detector.iban", Some("pii-detector.iban"));
        check("audit_logger.logged", None);
    }

    #[test]
    fn a_case_with_an_unknown_key_is_refused() {
        let text = r#"{"name": "n", "input": {"message": []}, "expected": {"verdict": "allow"}}"#;
        assert!(parse("n.json", text).unwrap_err().contains("unknown field `message`"));
    }
}

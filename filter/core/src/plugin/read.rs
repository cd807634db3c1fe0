//! Reads the filter's configuration back from its JSON text.
//!
//! Does the work of serde's derived code in a tenth of its size: derived readers of these types are a hundred kilobytes of
//! code in the module, and Envoy needs a millisecond for each at start. Only for text that `kt-control` wrote: what is absent
//! keeps its default. Invariant: reading what was written gives the same value, which a test checks, and a key that is not
//! read is an error.

use super::{Attempt, Behaviour, Downstream, PluginConfig, Target};
use crate::config::{
    Action, ApplyTo, AuditLogger, Capture, ChainEntry, ChainOptions, DetectPattern, Encoding,
    InjectionResponse, MarkerFormat, Mode, OnError, Pack, PiiDetector, Policies, PolicyBlocks,
    PromptInjection, Redaction, Role, SafetyFilter, SafetyMode, Unscannable, When,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The place that could not be read, such as `downstream.targets.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("not a JSON object with one role"),
            place => write!(f, "`{place}` is not what this version of the filter reads"),
        }
    }
}

impl PluginConfig {
    /// Reads a configuration that `kt-control` wrote.
    pub fn read(json: &[u8]) -> Result<PluginConfig, Unreadable> {
        let value: Value = serde_json::from_slice(json).map_err(|_| Unreadable(String::new()))?;
        let Value::Object(object) = value else { return Err(Unreadable(String::new())) };
        let mut roles = object.into_iter();
        match (roles.next(), roles.next()) {
            (Some((role, value)), None) if role == "downstream" => {
                read(value, &role).map(|role| PluginConfig::Downstream(Box::new(role)))
            }
            (Some((role, value)), None) if role == "attempt" => read(value, &role).map(PluginConfig::Attempt),
            _ => Err(Unreadable(String::new())),
        }
    }
}

/// A value that can be read from JSON over a default.
trait Read: Sized {
    /// What it is before anything is read.
    fn initial() -> Self;
    /// Takes the value; `false` if it is of another type. Adds the place below to `place`.
    fn take(&mut self, value: Value, place: &mut String) -> bool;
}

fn read<T: Read>(value: Value, role: &str) -> Result<T, Unreadable> {
    let mut place = role.to_owned();
    let mut read = T::initial();
    if read.take(value, &mut place) { Ok(read) } else { Err(Unreadable(place)) }
}

/// The members of an object, each to be asked for once.
struct Members(serde_json::Map<String, Value>);

impl Members {
    fn of(value: Value) -> Option<Members> {
        match value {
            Value::Object(members) => Some(Members(members)),
            _ => None,
        }
    }

    fn member<T: Read>(&mut self, key: &str, into: &mut T, place: &mut String) -> bool {
        let Some(value) = self.0.remove(key) else { return true };
        let before = place.len();
        place.push('.');
        place.push_str(key);
        let taken = into.take(value, place);
        if taken {
            place.truncate(before);
        }
        taken
    }

    /// Whether every member was asked for.
    fn are_read(self, place: &mut String) -> bool {
        match self.0.keys().next() {
            None => true,
            Some(key) => {
                place.push('.');
                place.push_str(key);
                false
            }
        }
    }
}

macro_rules! object {
    ($type:ty = $initial:expr; $($key:literal $field:ident),+ $(,)?) => {
        impl Read for $type {
            fn initial() -> Self {
                $initial
            }
            fn take(&mut self, value: Value, place: &mut String) -> bool {
                let Some(mut members) = Members::of(value) else { return false };
                $(members.member($key, &mut self.$field, place) &&)+ members.are_read(place)
            }
        }
    };
}

macro_rules! words {
    ($type:ty = $initial:expr; $($word:literal $variant:expr),+ $(,)?) => {
        impl Read for $type {
            fn initial() -> Self {
                $initial
            }
            fn take(&mut self, value: Value, _place: &mut String) -> bool {
                match value.as_str() {
                    $(Some($word) => *self = $variant,)+
                    _ => return false,
                }
                true
            }
        }
    };
}

impl Read for String {
    fn initial() -> Self {
        String::new()
    }
    fn take(&mut self, value: Value, _place: &mut String) -> bool {
        let Value::String(text) = value else { return false };
        *self = text;
        true
    }
}

impl Read for bool {
    fn initial() -> Self {
        false
    }
    fn take(&mut self, value: Value, _place: &mut String) -> bool {
        value.as_bool().map(|value| *self = value).is_some()
    }
}

impl Read for u32 {
    fn initial() -> Self {
        0
    }
    fn take(&mut self, value: Value, _place: &mut String) -> bool {
        value.as_u64().and_then(|value| value.try_into().ok()).map(|value| *self = value).is_some()
    }
}

impl Read for u16 {
    fn initial() -> Self {
        0
    }
    fn take(&mut self, value: Value, place: &mut String) -> bool {
        let mut wide = 0u32;
        wide.take(value, place) && wide.try_into().map(|value| *self = value).is_ok()
    }
}

impl Read for f64 {
    fn initial() -> Self {
        0.0
    }
    fn take(&mut self, value: Value, _place: &mut String) -> bool {
        value.as_f64().map(|value| *self = value).is_some()
    }
}

impl<T: Read> Read for Option<T> {
    fn initial() -> Self {
        None
    }
    fn take(&mut self, value: Value, place: &mut String) -> bool {
        if value.is_null() {
            *self = None;
            return true;
        }
        self.insert(T::initial()).take(value, place)
    }
}

impl<T: Read> Read for Vec<T> {
    fn initial() -> Self {
        Vec::new()
    }
    fn take(&mut self, value: Value, place: &mut String) -> bool {
        let Value::Array(items) = value else { return false };
        // A list that is given replaces the default.
        self.clear();
        items.into_iter().all(|item| {
            let mut read = T::initial();
            let taken = read.take(item, place);
            self.push(read);
            taken
        })
    }
}

impl Read for BTreeMap<String, String> {
    fn initial() -> Self {
        BTreeMap::new()
    }
    fn take(&mut self, value: Value, _place: &mut String) -> bool {
        let Value::Object(members) = value else { return false };
        members.into_iter().all(|(key, value)| match value {
            Value::String(text) => {
                self.insert(key, text);
                true
            }
            _ => false,
        })
    }
}

impl Read for ChainEntry {
    fn initial() -> Self {
        ChainEntry { name: String::new(), options: ChainOptions::default() }
    }
    fn take(&mut self, value: Value, place: &mut String) -> bool {
        match value {
            Value::String(name) => self.name = name,
            Value::Object(members) => {
                let Some((name, options)) = members.into_iter().next() else { return false };
                self.name = name;
                return self.options.take(options, place);
            }
            _ => return false,
        }
        true
    }
}

object!(Downstream = Downstream {
        pack: Pack::initial(),
        config_sha256: String::new(),
        policies: Policies::default(),
        policy: PolicyBlocks::default(),
        gateway: Behaviour::default(),
        targets: Vec::new(),
        single: false,
        attempt_role: false,
        pattern_automaton: None,
    };
    "pack" pack, "config_sha256" config_sha256, "policies" policies, "policy" policy, "gateway" gateway,
    "targets" targets, "single" single, "attempt_role" attempt_role, "pattern_automaton" pattern_automaton);
object!(Pack = Pack { name: String::new(), version: String::new(), enabled: true, description: String::new() };
    "name" name, "version" version, "enabled" enabled, "description" description);
object!(Policies = Policies::default(); "chain" chain);
object!(ChainOptions = ChainOptions::default(); "when" when, "mode" mode);
object!(When = When::default(); "path" path, "header" header, "model" model);
object!(PolicyBlocks = PolicyBlocks::default();
    "prompt-injection" prompt_injection, "pii-detector" pii_detector, "safety-filter" safety_filter,
    "audit-logger" audit_logger);
object!(PromptInjection = PromptInjection::default();
    "threshold" threshold, "action" action, "attack_patterns" attack_patterns, "encoding" encoding, "roles" roles,
    "response" response);
object!(Encoding = Encoding::default();
    "decode_base64" decode_base64, "normalize_unicode" normalize_unicode, "detect_homoglyphs" detect_homoglyphs);
object!(InjectionResponse = InjectionResponse::default(); "message" message);
object!(PiiDetector = PiiDetector::default();
    "action" action, "entities" entities, "pci_mode" pci_mode, "healthcare_mode" healthcare_mode,
    "detect_patterns" detect_patterns, "redaction" redaction, "apply_to" apply_to);
object!(DetectPattern = DetectPattern { name: String::new(), regex: String::new() }; "name" name, "regex" regex);
object!(Redaction = Redaction::default();
    "marker_format" marker_format, "custom_markers" custom_markers, "preserve_length" preserve_length);
object!(SafetyFilter = SafetyFilter::default();
    "mode" mode, "action" action, "categories" categories, "block_if" block_if, "apply_to" apply_to);
object!(AuditLogger = AuditLogger::default();
    "retention_days" retention_days, "immutable" immutable, "log_all_access" log_all_access, "capture" capture);
object!(Behaviour = Behaviour::default();
    "on_error" on_error, "unscannable" unscannable, "max_body_bytes" max_body_bytes, "block_status" block_status,
    "passthrough_paths" passthrough_paths);
object!(Target = Target {
        id: String::new(),
        provider: String::new(),
        provider_aliases: Vec::new(),
        model: None,
        authority: String::new(),
        path_prefix: String::new(),
        max_attempts: 1,
        streaming_twin: false,
        client_key: false,
    };
    "id" id, "provider" provider, "provider_aliases" provider_aliases, "model" model, "authority" authority,
    "path_prefix" path_prefix, "max_attempts" max_attempts, "streaming_twin" streaming_twin,
    "client_key" client_key);
object!(Attempt = Attempt {
        target: String::new(),
        model: None,
        authority: String::new(),
        path_prefix: String::new(),
        client_key: false,
    };
    "target" target, "model" model, "authority" authority, "path_prefix" path_prefix, "client_key" client_key);

words!(Action = Action::Block; "block" Action::Block, "redact" Action::Redact, "warn" Action::Warn);
words!(Mode = Mode::Enforce; "enforce" Mode::Enforce, "shadow" Mode::Shadow);
words!(ApplyTo = ApplyTo::Both; "input" ApplyTo::Input, "output" ApplyTo::Output, "both" ApplyTo::Both);
words!(SafetyMode = SafetyMode::Standard; "standard" SafetyMode::Standard, "strict" SafetyMode::Strict);
words!(MarkerFormat = MarkerFormat::Label;
    "label" MarkerFormat::Label, "asterisk" MarkerFormat::Asterisk, "partial" MarkerFormat::Partial);
words!(OnError = OnError::Block; "block" OnError::Block, "allow" OnError::Allow);
words!(Unscannable = Unscannable::Allow; "allow" Unscannable::Allow, "block" Unscannable::Block);
words!(Capture = Capture::MetadataOnly;
    "metadata_only" Capture::MetadataOnly, "redacted" Capture::Redacted);
words!(Role = Role::User;
    "system" Role::System, "developer" Role::Developer, "user" Role::User, "assistant" Role::Assistant,
    "tool" Role::Tool);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target() -> Target {
        Target {
            id: "one".into(),
            provider: "together".into(),
            provider_aliases: vec!["together-ai".into()],
            model: Some("org/model".into()),
            authority: "api.example".into(),
            path_prefix: "/v1".into(),
            max_attempts: 3,
            streaming_twin: true,
            client_key: true,
        }
    }

    /// Every key with a value that is not its default.
    fn full() -> PluginConfig {
        let policies = Policies {
            chain: vec![
                ChainEntry { name: "audit-logger".into(), options: ChainOptions::default() },
                ChainEntry {
                    name: "pii-detector".into(),
                    options: ChainOptions {
                        when: When {
                            path: Some("/v1/chat".into()),
                            header: BTreeMap::from([("x-team".into(), "blue".into())]),
                            model: vec!["m".into()],
                        },
                        mode: Mode::Shadow,
                    },
                },
            ],
        };
        let policy = PolicyBlocks {
            prompt_injection: Some(PromptInjection {
                threshold: 0.25,
                action: Action::Warn,
                attack_patterns: vec!["open sesame".into()],
                encoding: Encoding {
                    decode_base64: false,
                    normalize_unicode: false,
                    detect_homoglyphs: false,
                },
                roles: vec![Role::System, Role::Developer, Role::Assistant],
                response: InjectionResponse { message: Some("no".into()) },
            }),
            pii_detector: Some(PiiDetector {
                action: Action::Block,
                entities: Some(vec!["email".into()]),
                pci_mode: false,
                healthcare_mode: true,
                detect_patterns: vec![DetectPattern { name: "ticket".into(), regex: "T-[0-9]{4}".into() }],
                redaction: Redaction {
                    marker_format: MarkerFormat::Partial,
                    custom_markers: BTreeMap::from([("email".into(), "<mail>".into())]),
                    preserve_length: true,
                },
                apply_to: ApplyTo::Output,
            }),
            safety_filter: Some(SafetyFilter {
                mode: SafetyMode::Strict,
                action: Action::Redact,
                categories: Some(vec!["hate".into()]),
                block_if: vec!["a phrase".into()],
                apply_to: ApplyTo::Input,
            }),
            audit_logger: Some(AuditLogger {
                retention_days: 7,
                immutable: false,
                log_all_access: Some(false),
                capture: Capture::Redacted,
            }),
        };
        PluginConfig::Downstream(Box::new(Downstream {
            pack: Pack { name: "p".into(), version: "2.0.0".into(), enabled: false, description: "d".into() },
            config_sha256: "00".into(),
            policies,
            policy,
            gateway: Behaviour {
                on_error: OnError::Allow,
                unscannable: Unscannable::Block,
                max_body_bytes: 4096,
                block_status: 403,
                passthrough_paths: vec!["/v1/files".into()],
            },
            targets: vec![target()],
            single: true,
            attempt_role: true,
            pattern_automaton: Some("AA==".into()),
        }))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let attempt = PluginConfig::Attempt(Attempt::from(&target()));
        for config in [full(), attempt] {
            let json = serde_json::to_vec(&config).unwrap();
            assert_eq!(PluginConfig::read(&json), Ok(config.clone()));
            // The derived reader and this one are of one mind.
            assert_eq!(serde_json::from_slice::<PluginConfig>(&json).unwrap(), config);
        }
    }

    #[track_caller]
    fn check(path: &str, value: serde_json::Value, expected: &str) {
        let mut json = serde_json::to_value(full()).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        let unreadable = PluginConfig::read(json.to_string().as_bytes()).unwrap_err();
        assert_eq!(unreadable.0, expected);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        check(
            "/downstream/policy/pii-detector/action",
            json!("explode"),
            "downstream.policy.pii-detector.action",
        );
        check("/downstream/targets/0", json!({"ident": "x"}), "downstream.targets.ident");
        check("/downstream/gateway/block_status", json!(70000), "downstream.gateway.block_status");
        check("/downstream", json!([]), "downstream");
    }
}

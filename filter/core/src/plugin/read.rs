//! Reads the filter's configuration back from its JSON text.
//!
//! Does the work of serde's derived code in a tenth of its size: derived readers of these types are a hundred kilobytes of
//! code in the module, and Envoy needs a millisecond for each at start. Only for text that `kt-control` wrote: what is absent
//! keeps its default. Invariant: reading what was written gives the same value, which a test checks, and a key that is not
//! read is an error.

use super::{Attempt, Behaviour, Breaker, Downstream, Model, PluginConfig, Probe, Router, Target};
use crate::config::{
    Action, ApplyTo, Assertion, AssertionKind, AuditLogger, BudgetEnforcement, BudgetLimit, BudgetScope,
    BudgetWindow, Capture, ChainEntry, ChainOptions, DetectPattern, Encoding, FailureAction, FailureWord,
    InjectionResponse, MarkerFormat, Mode, OnError, Pack, PiiDetector, Policies, PolicyBlocks,
    PromptInjection, QualityScorer, QualityThresholds, Redaction, Role, SafetyFilter, SafetyMode, TargetOut,
    Unscannable, When,
};
use crate::cost::Prices;
use crate::message::json::{Cursor, Kind, decimal};
use crate::plan::Strategy;
use std::borrow::Cow;
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
        let unreadable = || Unreadable(String::new());
        let mut json = Json::new(std::str::from_utf8(json).map_err(|_| unreadable())?);
        let mut role = None;
        let read = json.object(&mut |json, key| match (key, &role) {
            ("downstream", None) => match json.read::<Downstream>() {
                Some(downstream) => {
                    role = Some(PluginConfig::Downstream(Box::new(downstream)));
                    true
                }
                None => false,
            },
            ("attempt", None) => {
                role = json.read().map(PluginConfig::Attempt);
                role.is_some()
            }
            _ => false,
        });
        let place = json.place.strip_prefix('.').unwrap_or_default();
        match role {
            Some(role) if read && json.cursor.end().is_ok() => Ok(role),
            _ => Err(Unreadable(place.to_owned())),
        }
    }
}

/// JSON text that is being read.
struct Json<'a> {
    cursor: Cursor<'a>,
    /// The keys on the way to what is read now, each after a point.
    place: String,
}

impl<'a> Json<'a> {
    fn new(text: &'a str) -> Json<'a> {
        Json { cursor: Cursor::lenient(text), place: String::new() }
    }

    /// Passes an object, member by member; `false` as soon as `member` does not take one, with the place left where it was.
    fn object(&mut self, member: &mut dyn FnMut(&mut Json<'a>, &str) -> bool) -> bool {
        self.members(member).unwrap_or(false)
    }

    fn members(&mut self, member: &mut dyn FnMut(&mut Json<'a>, &str) -> bool) -> Option<bool> {
        self.cursor.expect(b'{').ok()?;
        let before = self.place.len();
        let mut started = false;
        while !self.cursor.eat(b'}').ok()? {
            if started {
                self.cursor.expect(b',').ok()?;
            }
            started = true;
            let (_, key) = self.cursor.value().ok()?;
            self.cursor.expect(b':').ok()?;
            self.place.push('.');
            self.place.push_str(&key);
            if !member(self, &key) {
                return Some(false);
            }
            self.place.truncate(before);
        }
        Some(true)
    }

    /// A value of this type; `None` if there is another.
    fn read<T: Read>(&mut self) -> Option<T> {
        let mut value = T::initial();
        value.take(self).then_some(value)
    }

    fn is(&mut self, kind: Kind) -> bool {
        self.cursor.kind() == Ok(kind)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.cursor.value().ok().map(|(_, text)| text)
    }

    /// A number as it is written.
    fn number(&mut self) -> Option<&'a str> {
        let range = self.cursor.number().ok()?;
        Some(self.cursor.written(range))
    }
}

/// A value that can be read from JSON over a default.
trait Read: Sized {
    /// What it is before anything is read.
    fn initial() -> Self;
    /// Takes the value; `false` if it is of another type.
    fn take(&mut self, json: &mut Json) -> bool;
}

macro_rules! object {
    ($type:ty = $initial:expr; $($key:literal $field:ident),+ $(,)?) => {
        impl Read for $type {
            fn initial() -> Self {
                $initial
            }
            fn take(&mut self, json: &mut Json) -> bool {
                json.object(&mut |json, key| match key {
                    $($key => Read::take(&mut self.$field, json),)+
                    _ => false,
                })
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
            fn take(&mut self, json: &mut Json) -> bool {
                match json.text().as_deref() {
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
    fn take(&mut self, json: &mut Json) -> bool {
        json.text().map(|text| *self = text.into_owned()).is_some()
    }
}

impl Read for bool {
    fn initial() -> Self {
        false
    }
    fn take(&mut self, json: &mut Json) -> bool {
        json.cursor.boolean().map(|value| *self = value).is_ok()
    }
}

impl Read for u32 {
    fn initial() -> Self {
        0
    }
    fn take(&mut self, json: &mut Json) -> bool {
        json.number().and_then(|number| number.parse().ok()).map(|value| *self = value).is_some()
    }
}

impl Read for u64 {
    fn initial() -> Self {
        0
    }
    fn take(&mut self, json: &mut Json) -> bool {
        json.number().and_then(|number| number.parse().ok()).map(|value| *self = value).is_some()
    }
}

impl Read for u16 {
    fn initial() -> Self {
        0
    }
    fn take(&mut self, json: &mut Json) -> bool {
        let mut wide = 0u32;
        wide.take(json) && wide.try_into().map(|value| *self = value).is_ok()
    }
}

impl Read for f64 {
    fn initial() -> Self {
        0.0
    }
    fn take(&mut self, json: &mut Json) -> bool {
        json.number().and_then(decimal).map(|value| *self = value).is_some()
    }
}

impl<T: Read> Read for Option<T> {
    fn initial() -> Self {
        None
    }
    fn take(&mut self, json: &mut Json) -> bool {
        if json.is(Kind::Null) {
            *self = None;
            return json.cursor.skip().is_ok();
        }
        self.insert(T::initial()).take(json)
    }
}

impl<T: Read> Read for Vec<T> {
    fn initial() -> Self {
        Vec::new()
    }
    fn take(&mut self, json: &mut Json) -> bool {
        // A list that is given replaces the default.
        self.clear();
        let Ok(mut items) = json.cursor.items() else { return false };
        loop {
            match json.cursor.next_item(&mut items) {
                Ok(false) => return true,
                Err(_) => return false,
                Ok(true) => match json.read() {
                    Some(item) => self.push(item),
                    None => return false,
                },
            }
        }
    }
}

impl Read for BTreeMap<String, String> {
    fn initial() -> Self {
        BTreeMap::new()
    }
    fn take(&mut self, json: &mut Json) -> bool {
        json.object(&mut |json, key| match json.text() {
            Some(text) => {
                self.insert(key.to_owned(), text.into_owned());
                true
            }
            None => false,
        })
    }
}

impl Read for ChainEntry {
    fn initial() -> Self {
        ChainEntry { name: String::new(), options: ChainOptions::default() }
    }
    fn take(&mut self, json: &mut Json) -> bool {
        if json.is(Kind::String) {
            return self.name.take(json);
        }
        let named = json.object(&mut |json, name| {
            let first = self.name.is_empty();
            self.name = name.to_owned();
            first && self.options.take(json)
        });
        named && !self.name.is_empty()
    }
}

object!(Downstream = Downstream::default();
    "pack" pack, "config_sha256" config_sha256, "policies" policies, "policy" policy, "gateway" gateway,
    "targets" targets, "strategy" strategy, "attempt_role" attempt_role, "shares_budgets" shares_budgets, "exports" exports, "models" models,
    "router" router, "pattern_automaton" pattern_automaton,
    "assertion_automaton" assertion_automaton);
object!(Router = Router {
        models: Vec::new(),
        classifier: 0,
        routes: Vec::new(),
        default: 0,
        timeout_ms: 0,
        sticky_seconds: 0,
        before: String::new(),
        after: String::new(),
    };
    "models" models, "classifier" classifier, "routes" routes, "default" default, "timeout_ms" timeout_ms,
    "sticky_seconds" sticky_seconds, "before" before, "after" after);
object!(Model = Model { id: String::new(), targets: Vec::new(), document: String::new() };
    "id" id, "targets" targets, "document" document);
object!(Pack = Pack::default();
    "name" name, "version" version, "enabled" enabled, "description" description);
object!(Policies = Policies::default(); "chain" chain);
object!(ChainOptions = ChainOptions::default(); "when" when, "mode" mode);
object!(When = When::default(); "path" path, "header" header, "model" model);
object!(PolicyBlocks = PolicyBlocks::default();
    "prompt-injection" prompt_injection, "pii-detector" pii_detector, "safety-filter" safety_filter,
    "quality-scorer" quality_scorer, "audit-logger" audit_logger, "budget-enforcement" budget_enforcement);
object!(BudgetEnforcement = BudgetEnforcement::default(); "limits" limits, "action" action);
object!(BudgetLimit = BudgetLimit {
        scope: BudgetScope::Global,
        tokens: None,
        usd: None,
        window: BudgetWindow::Month,
    };
    "scope" scope, "tokens" tokens, "usd" usd, "window" window);
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
object!(QualityScorer = QualityScorer::default();
    "min_output_chars" min_output_chars, "max_output_chars" max_output_chars, "min_sentences" min_sentences,
    "thresholds" thresholds, "assertions" assertions, "failure_action" failure_action);
object!(QualityThresholds = QualityThresholds::default(); "min_aggregate" min_aggregate);
object!(Assertion = Assertion {
        kind: AssertionKind::initial(),
        value: String::new(),
        weight: 1.0,
        negate: false,
        case_sensitive: true,
    };
    "type" kind, "value" value, "weight" weight, "negate" negate, "case_sensitive" case_sensitive);
object!(FailureAction = FailureAction::default(); "action" action, "fallback_message" fallback_message);
object!(AuditLogger = AuditLogger::default();
    "retention_days" retention_days, "immutable" immutable, "log_all_access" log_all_access, "capture" capture);
object!(Behaviour = Behaviour::default();
    "on_error" on_error, "unscannable" unscannable, "max_body_bytes" max_body_bytes, "block_status" block_status,
    "passthrough_paths" passthrough_paths);
object!(Target = Target::default();
    "id" id, "provider" provider, "provider_aliases" provider_aliases, "model" model, "authority" authority,
    "path_prefix" path_prefix, "max_attempts" max_attempts, "streaming_twin" streaming_twin,
    "client_key" client_key, "client_key_if_named" client_key_if_named, "nests_schema" nests_schema, "cluster" cluster, "weight" weight, "cost_rank" cost_rank,
    "retryable_status_codes" retryable_status_codes,
    "breaker" breaker, "probe" probe, "prices" prices, "asks_for_usage" asks_for_usage);
object!(Prices = Prices::default(); "prompt" prompt, "completion" completion, "cached" cached);
object!(TargetOut = TargetOut { statuses: Vec::new(), codes: Vec::new() }; "statuses" statuses, "codes" codes);
object!(Breaker = Breaker { failure_threshold: 1, recovery_ms: 0, half_open_requests: 1, lease_ms: 0 };
    "failure_threshold" failure_threshold, "recovery_ms" recovery_ms, "half_open_requests" half_open_requests,
    "lease_ms" lease_ms);
object!(Probe = Probe { path: String::new(), interval_ms: 0, timeout_ms: 0 };
    "path" path, "interval_ms" interval_ms, "timeout_ms" timeout_ms);
object!(Attempt = Attempt {
        target: String::new(),
        model: None,
        authority: String::new(),
        path_prefix: String::new(),
        client_key: false,
        client_key_if_named: false,
        retryable_status_codes: Vec::new(),
        max_wait_ms: 0,
        target_out: TargetOut::initial(),
        nests_schema: false,
    };
    "target" target, "model" model, "authority" authority, "path_prefix" path_prefix, "client_key" client_key, "client_key_if_named" client_key_if_named,
    "retryable_status_codes" retryable_status_codes, "max_wait_ms" max_wait_ms, "target_out" target_out,
    "nests_schema" nests_schema);

words!(Action = Action::Block; "block" Action::Block, "redact" Action::Redact, "warn" Action::Warn);
words!(AssertionKind = AssertionKind::Contains;
    "contains" AssertionKind::Contains, "starts-with" AssertionKind::StartsWith, "ends-with" AssertionKind::EndsWith,
    "equals" AssertionKind::Equals, "regex" AssertionKind::Regex, "is-json" AssertionKind::IsJson,
    "is-refusal" AssertionKind::IsRefusal, "finish-reason" AssertionKind::FinishReason,
    "language" AssertionKind::Language);
words!(FailureWord = FailureWord::Warn;
    "warn" FailureWord::Warn, "block" FailureWord::Block, "fallback" FailureWord::Fallback);
words!(BudgetScope = BudgetScope::Global;
    "global" BudgetScope::Global, "caller" BudgetScope::Caller, "model" BudgetScope::Model,
    "target" BudgetScope::Target);
words!(BudgetWindow = BudgetWindow::Month;
    "minute" BudgetWindow::Minute, "hour" BudgetWindow::Hour, "day" BudgetWindow::Day,
    "month" BudgetWindow::Month);
words!(Strategy = Strategy::default();
    "single" Strategy::Single, "fallback" Strategy::Fallback, "weighted_round_robin" Strategy::WeightedRoundRobin,
    "latency" Strategy::Latency, "lowest_cost" Strategy::LowestCost, "router" Strategy::Router);
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
            client_key_if_named: true,
            cluster: "kt_one@7".into(),
            weight: 5,
            cost_rank: 2,
            retryable_status_codes: vec![429, 503],
            breaker: Some(Breaker {
                failure_threshold: 3,
                recovery_ms: 2000,
                half_open_requests: 2,
                lease_ms: 9,
            }),
            probe: Some(Probe { path: "/v1/models".into(), interval_ms: 1000, timeout_ms: 500 }),
            nests_schema: true,
            prices: Some(Prices { prompt: 880_000, completion: 4_000_000_000, cached: 1 }),
            asks_for_usage: true,
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
            quality_scorer: Some(QualityScorer {
                min_output_chars: 20,
                max_output_chars: Some(4000),
                min_sentences: 2,
                thresholds: QualityThresholds { min_aggregate: 0.5 },
                assertions: vec![Assertion {
                    kind: AssertionKind::StartsWith,
                    value: "Dear".into(),
                    weight: 2.5,
                    negate: true,
                    case_sensitive: false,
                }],
                failure_action: FailureAction {
                    action: FailureWord::Fallback,
                    fallback_message: "Sorry.".into(),
                },
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
                otlp: None,
            }),
            budget_enforcement: Some(BudgetEnforcement {
                limits: vec![
                    BudgetLimit {
                        scope: BudgetScope::Caller,
                        tokens: Some(u64::MAX),
                        usd: None,
                        window: BudgetWindow::Minute,
                    },
                    BudgetLimit {
                        scope: BudgetScope::Target,
                        tokens: None,
                        usd: Some(0.5),
                        window: BudgetWindow::Day,
                    },
                ],
                action: Action::Warn,
                shared: None,
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
            strategy: Strategy::LowestCost,
            attempt_role: true,
            shares_budgets: true,
            exports: true,
            models: vec![Model { id: "m".into(), targets: vec!["one".into()], document: "{}".into() }],
            router: Some(Router {
                models: vec!["auto".into()],
                classifier: 1,
                routes: vec![2, 3],
                default: 4,
                timeout_ms: 5,
                sticky_seconds: 6,
                before: "{".into(),
                after: "}".into(),
            }),
            pattern_automaton: Some("AA==".into()),
            assertion_automaton: Some("eA==".into()),
        }))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let attempt = PluginConfig::Attempt(Attempt {
            target: "one".into(),
            model: Some("org/model".into()),
            authority: "api.example".into(),
            path_prefix: "/v1".into(),
            nests_schema: true,
            client_key: true,
            client_key_if_named: true,
            retryable_status_codes: vec![429],
            max_wait_ms: 5000,
            target_out: TargetOut { statuses: vec![402], codes: vec!["gone".into()] },
        });
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
    fn numbers_have_the_value_that_the_library_reads() {
        for text in ["0", "0.8", "-12.5", "0.88", "1e-7", "123456.789", "2.5E+3", "7.0"] {
            assert_eq!(decimal(text), text.parse().ok(), "{text}");
        }
        assert_eq!(decimal("0.30000000000000004"), Some(0.3));
        assert_eq!(decimal("1234567890123456789"), None);
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

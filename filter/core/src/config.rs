//! `policy-config.yaml`, as written by the operator.
//!
//! The one place that knows keys, defaults and their meaning: the parser, the reference page and the filter's own
//! configuration all come from these types. Knows no YAML; what the words mean together is [`crate::plan`]'s business.
//! Objects are closed: an unknown key is an error.

mod read;
#[cfg(feature = "schema")]
mod schema;

pub(crate) use read::Reading;
pub use read::{SPELLINGS, read};

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The root of `policy-config.yaml`.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Names the file in events and headers.
    pub pack: Pack,
    /// Which policies run, in which order.
    pub policies: Policies,
    /// One block per policy; a policy in the chain without a block gets its defaults.
    #[serde(default)]
    pub policy: PolicyBlocks,
    /// Which upstream targets serve the traffic, and how one is chosen.
    #[serde(default)]
    pub providers: Providers,
    /// Where the gateway listens and how it fails.
    #[serde(default)]
    pub gateway: Gateway,
    /// Largest messages that are accepted.
    #[serde(default)]
    pub size_limits: SizeLimits,
    /// Requests of everybody together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_rate_limit: Option<RateLimit>,
    /// Requests of each address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_rate_limit: Option<RateLimit>,
    /// Requests of each value of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_rate_limit: Option<UserRateLimit>,
    /// Addresses that are served; others get a 403.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allowlist: Option<IpAllowlist>,
    /// Pages of which origins may call the gateway from a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// So many requests at once, and as many again in every window. Envoy counts, over all its workers.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in a window.
    pub max_requests: u32,
    /// Length of the window.
    pub window_seconds: u32,
}

/// The same for each value of a header.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRateLimit {
    /// Requests in a window.
    pub max_requests: u32,
    /// Length of the window.
    pub window_seconds: u32,
    /// Headers that say who asks. Each that a request has is counted by itself.
    #[serde(default = "authorization")]
    pub header_names: Vec<String>,
}

/// Addresses that are served.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpAllowlist {
    /// Addresses and networks, such as `10.0.0.0/8`. The address is that of the connection, never of a header.
    pub cidrs: Vec<String>,
}

/// Which pages may call the gateway from a browser.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// `true` turns it on.
    pub enabled: bool,
    /// Origins such as `https://app.example`, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods; absent: `GET` and `POST`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    /// Request headers; absent: `authorization` and `content-type`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    /// Response headers that the page may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// Whether the page may send what the browser keeps.
    pub allow_credentials: bool,
    /// Seconds for which a browser may remember the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
}

/// Identity of a policy file.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Shown in every audit event.
    pub name: String,
    /// Semantic version of the file, shown in every audit event.
    pub version: String,
    /// `false`: traffic passes, nothing is enforced, and every event says so.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Free text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Default for Pack {
    fn default() -> Self {
        Pack { name: String::new(), version: String::new(), enabled: true, description: String::new() }
    }
}

/// The chain of policies.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Order is evaluation order; the first block ends it.
    pub chain: Vec<ChainEntry>,
}

/// One entry of the chain: a policy's name, or `{name: {when, mode}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainEntry {
    /// The policy's name as written; [`crate::plan`] resolves it.
    pub name: String,
    /// Conditions and mode.
    pub options: ChainOptions,
}

impl ChainEntry {
    /// Whether the policy acts on every request.
    pub fn is_plain(&self) -> bool {
        self.options == ChainOptions::default()
    }
}

/// What may follow a policy's name in the chain.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainOptions {
    /// The policy runs only for requests that meet every condition.
    pub when: When,
    /// `shadow`: evaluate and record what would have happened, change nothing.
    pub mode: Mode,
}

/// Conditions on the request; all that are given must hold.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Prefix of the request path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Header names and the values they must have; values are compared without regard to case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// The request's `model` must be one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<String>,
}

/// Whether a policy acts or only records.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Findings take effect.
    #[default]
    Enforce,
    /// Findings are recorded only.
    Shadow,
}

/// Settings of each policy. `None` means the block is absent, which is the same as its defaults.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PolicyBlocks {
    /// Instructions that try to override the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_injection: Option<PromptInjection>,
    /// Personal data and secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii_detector: Option<PiiDetector>,
    /// Unsafe content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_filter: Option<SafetyFilter>,
    /// Answers that are not what was asked for.
    #[serde(alias = "content-quality", skip_serializing_if = "Option::is_none")]
    pub quality_scorer: Option<QualityScorer>,
    /// One event per exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_logger: Option<AuditLogger>,
    /// What may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_enforcement: Option<BudgetEnforcement>,
}

/// What a policy does about a finding.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Refuse the request, or stop the answer before the matched text.
    Block,
    /// Replace the matched text by a marker.
    Redact,
    /// Let it through; say so in a header and in the event.
    Warn,
}

/// Which direction of traffic a policy reads.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyTo {
    /// Requests only.
    Input,
    /// Answers only.
    Output,
    /// Requests and answers.
    #[default]
    Both,
}

/// `prompt-injection`: finds instructions that try to override the operator's. Reads requests only.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptInjection {
    /// Score from 0 to 1 at which a text counts as an attack. Lower finds more and refuses more harmless text.
    pub threshold: f64,
    /// `block` or `warn`.
    pub action: Action,
    /// Phrases that count as an attack wherever they stand, added to the built-in rules. Case and spacing do not matter.
    pub attack_patterns: Vec<String>,
    /// Which disguises are undone before reading.
    pub encoding: Encoding,
    /// Roles whose texts are read: `system`, `developer`, `user`, `assistant`, `tool`.
    pub roles: Vec<Role>,
    /// What a refused client is told.
    pub response: InjectionResponse,
}

impl Default for PromptInjection {
    fn default() -> Self {
        PromptInjection {
            threshold: 0.8,
            action: Action::Block,
            attack_patterns: Vec::new(),
            encoding: Encoding::default(),
            roles: vec![Role::User, Role::Tool],
            response: InjectionResponse::default(),
        }
    }
}

/// Disguises that are undone before a text is read.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoding {
    /// Read what long base64 runs decode to.
    pub decode_base64: bool,
    /// Fold full-width and other compatibility forms, drop invisible characters.
    pub normalize_unicode: bool,
    /// Read letters of other scripts as the Latin ones they look like.
    pub detect_homoglyphs: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Encoding { decode_base64: true, normalize_unicode: true, detect_homoglyphs: true }
    }
}

/// What a refused client is told.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InjectionResponse {
    /// Replaces the standard message. Never contains matched text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Who wrote a text. The names are OpenAI's.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The application's own instructions.
    System,
    /// The newer name of the same.
    Developer,
    /// The person, or whatever the application puts in their mouth.
    User,
    /// The model.
    Assistant,
    /// What a tool (or legacy `function`) returned.
    Tool,
}

/// `pii-detector`: personal data and secrets, in requests and answers.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PiiDetector {
    /// `redact`, `block` or `warn`.
    pub action: Action,
    /// Kinds to look for, by the name in their reason code; absent means every built-in kind but those of `healthcare_mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<String>>,
    /// Payment-card data. `false` leaves card numbers alone.
    pub pci_mode: bool,
    /// Also look for medical records, health plans and telefax numbers.
    pub healthcare_mode: bool,
    /// The operator's own kinds.
    pub detect_patterns: Vec<DetectPattern>,
    /// What replaces a match.
    pub redaction: Redaction,
    /// Which direction is read.
    pub apply_to: ApplyTo,
}

impl Default for PiiDetector {
    fn default() -> Self {
        PiiDetector {
            action: Action::Redact,
            entities: None,
            pci_mode: true,
            healthcare_mode: false,
            detect_patterns: Vec::new(),
            redaction: Redaction::default(),
            apply_to: ApplyTo::Both,
        }
    }
}

/// A kind of the operator's own.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectPattern {
    /// Becomes the kind in reason codes and markers: lower case letters, digits and `_`.
    pub name: String,
    /// A regular expression whose longest match is bounded, because streamed text is held back for that long.
    pub regex: String,
}

/// What replaces a match.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redaction {
    /// `label` writes `[REDACTED:EMAIL]`, `asterisk` covers every character, `partial` leaves the last four.
    pub marker_format: MarkerFormat,
    /// Marker by kind, instead of the one made from the kind's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_markers: BTreeMap<String, String>,
    /// Cut or pad the marker with `*` to the length of the match.
    pub preserve_length: bool,
}

/// Shape of a marker.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkerFormat {
    /// `[REDACTED:EMAIL]`
    #[default]
    Label,
    /// One `*` for every character.
    Asterisk,
    /// `*` for every character but the last four.
    Partial,
}

/// `safety-filter`: unsafe content, in requests and answers.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyFilter {
    /// `strict` also counts weaker signs.
    pub mode: SafetyMode,
    /// `block`, `redact` or `warn`.
    pub action: Action,
    /// Categories to look for; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// Phrases that count as unsafe wherever they stand, added to the built-in rules. Case and spacing do not matter.
    pub block_if: Vec<String>,
    /// Which direction is read.
    pub apply_to: ApplyTo,
}

impl Default for SafetyFilter {
    fn default() -> Self {
        SafetyFilter {
            mode: SafetyMode::Standard,
            action: Action::Block,
            categories: None,
            block_if: Vec::new(),
            apply_to: ApplyTo::Both,
        }
    }
}

/// How much is needed before a text counts as unsafe.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SafetyMode {
    /// Clear cases.
    #[default]
    Standard,
    /// Clear cases and likely ones.
    Strict,
}

/// `quality-scorer`: scores complete answers by checks that give the same result every time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct QualityScorer {
    /// Fewest characters of an answer.
    pub min_output_chars: u32,
    /// Most characters of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_chars: Option<u32>,
    /// Fewest sentences of an answer.
    pub min_sentences: u32,
    /// When the score is too low.
    pub thresholds: QualityThresholds,
    /// What else an answer must be. Their weights count in the score.
    pub assertions: Vec<Assertion>,
    /// What is done about an answer whose score is too low. A stream is only annotated: its text has left.
    pub failure_action: FailureAction,
}

/// When a score is too low.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct QualityThresholds {
    /// Share, from 0 to 1 and by weight, of what was asked for that an answer must have.
    pub min_aggregate: f64,
}

impl Default for QualityThresholds {
    fn default() -> Self {
        QualityThresholds { min_aggregate: 0.7 }
    }
}

/// Something that an answer must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// What is looked at.
    #[serde(rename = "type")]
    pub kind: AssertionKind,
    /// What it is compared with, where the type asks for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// How much it counts in the score.
    #[serde(default = "one")]
    pub weight: f64,
    /// The answer must not be so.
    #[serde(default)]
    pub negate: bool,
    /// `false`: capital and small letters are the same.
    #[serde(default = "yes")]
    pub case_sensitive: bool,
}

/// What an assertion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AssertionKind {
    /// The answer contains `value`.
    Contains,
    /// It starts with `value`.
    StartsWith,
    /// It ends with `value`.
    EndsWith,
    /// It is `value`, white space around it aside.
    Equals,
    /// The regular expression `value` matches somewhere in it. Its longest match is bounded, as for `detect_patterns`.
    Regex,
    /// It is JSON.
    IsJson,
    /// It refuses.
    IsRefusal,
    /// It ended for the reason `value`, such as `stop`.
    FinishReason,
    /// It is in the language `value`, such as `en`.
    Language,
}

impl AssertionKind {
    /// It compares with something.
    pub(crate) fn needs_value(self) -> bool {
        !matches!(self, AssertionKind::IsJson | AssertionKind::IsRefusal)
    }

    /// Second half of the reason code.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            AssertionKind::Contains => "contains",
            AssertionKind::StartsWith => "starts_with",
            AssertionKind::EndsWith => "ends_with",
            AssertionKind::Equals => "equals",
            AssertionKind::Regex => "regex",
            AssertionKind::IsJson => "json",
            AssertionKind::IsRefusal => "refusal",
            AssertionKind::FinishReason => "finish_reason",
            AssertionKind::Language => "language",
        }
    }
}

/// What is done about an answer whose score is too low.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FailureAction {
    /// `warn`, `block`, or `fallback`: `fallback_message` takes the place of the answer.
    pub action: FailureWord,
    /// What the client reads instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fallback_message: String,
}

/// The ways to act on a low score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FailureWord {
    /// Let it through; say so in a header and in the event.
    #[default]
    Warn,
    /// Withhold the answer.
    Block,
    /// Put a message in its place.
    Fallback,
}

/// `audit-logger`: one event per exchange.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditLogger {
    /// Days an event is kept before `kt-control audit prune` may drop it.
    pub retention_days: u32,
    /// Events form a chain in which a later change shows.
    pub immutable: bool,
    /// `false` records only exchanges in which something was found, refused or failed. Absent or `true` records every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_all_access: Option<bool>,
    /// Whether redacted texts are kept in the event, up to 8 KiB each way. `redacted` needs `pii-detector` with `action: redact`.
    pub capture: Capture,
    /// Sends every event to a collector of OpenTelemetry too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
}

/// A collector of OpenTelemetry.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Its host and port for OTLP over gRPC, without TLS: keep it in a network of your own.
    pub address: String,
}

impl Default for AuditLogger {
    fn default() -> Self {
        AuditLogger {
            retention_days: 365,
            immutable: true,
            log_all_access: None,
            capture: Capture::MetadataOnly,
            otlp: None,
        }
    }
}

/// `budget-enforcement`: limits of what is spent in a window of time, over all workers of one Envoy.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetEnforcement {
    /// The limits; a request must fit all of them.
    pub limits: Vec<BudgetLimit>,
    /// `block` or `warn`.
    pub action: Action,
    /// Counts what several gateways spend together, beside what each counts for itself. Absent: each Envoy has the whole budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedBudget>,
}

impl Default for BudgetEnforcement {
    fn default() -> Self {
        BudgetEnforcement { limits: Vec::new(), action: Action::Block, shared: None }
    }
}

/// A service of Envoy's rate limit protocol that keeps the counts of several gateways.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedBudget {
    /// Host and port of the service, which speaks gRPC without TLS: keep it in a network of your own.
    pub address: String,
    /// Domain of the limits in the service's configuration, which `kt-control render --format ratelimit` prints.
    #[serde(default = "kt")]
    pub domain: String,
}

/// One limit, in tokens or in USD.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetLimit {
    /// What has a budget of its own: everything together (`global`), each `caller`, `model` or `target`.
    pub scope: BudgetScope,
    /// Tokens in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// USD, with six decimals at most. Every target needs `pricing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// When the budget is full again: with the next `minute`, `hour`, `day` or `month` in UTC.
    pub window: BudgetWindow,
}

impl BudgetLimit {
    /// The limit as a shared count has it, in tokens or in millionths of a USD; `None`: it is too large for one.
    pub fn shared_units(&self) -> Option<u32> {
        match (self.tokens, self.usd) {
            (Some(tokens), _) => u32::try_from(tokens).ok(),
            (None, usd) => {
                let units = (usd? * 1e6).round();
                (units <= f64::from(u32::MAX)).then_some(units as u32)
            }
        }
    }
}

/// What has a budget of its own.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetScope {
    /// Everything together.
    Global,
    /// Each credential that comes with requests.
    Caller,
    /// Each model that is asked for.
    Model,
    /// Each target.
    Target,
}

/// When a budget is full again.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetWindow {
    /// With the next minute.
    Minute,
    /// With the next hour.
    Hour,
    /// With the next day.
    Day,
    /// With the next month.
    Month,
}

/// What an audit event keeps of the texts.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// No text at all.
    #[default]
    MetadataOnly,
    /// The texts after redaction.
    Redacted,
}

/// Upstream targets and how one is chosen.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Providers {
    /// How the order of targets is decided. Absent: `single` for one target, `fallback` for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The vendor's later spelling of `strategy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// When an attempt is repeated. A target's own block wins.
    #[serde(alias = "retry_policy", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// When a target is left alone for a while. A target's own block wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Longest silence of an upstream within an attempt, before its first event or between two. Absent: only the limit of the
    /// whole attempt counts. One value for all targets, because Envoy keeps it on the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_timeout_seconds: Option<u64>,
    /// Settings of strategy `router`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<Router>,
    /// The upstreams, in order of preference.
    pub targets: Vec<Target>,
}

/// Strategy `router`: a model picks the target of every conversation that asks for a virtual model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// The virtual models. A request for any other model goes to its target, and to the others if that one fails.
    #[serde(default = "auto")]
    pub models: Vec<String>,
    /// Id of the target whose model picks.
    pub classifier: String,
    /// What it picks from.
    pub routes: Vec<Route>,
    /// Id of the target that serves when nothing was picked in time.
    pub default: String,
    /// Longest wait for the pick, in milliseconds.
    #[serde(default = "pick_timeout_ms")]
    pub timeout_ms: u32,
    /// Seconds for which a conversation keeps its target; 0: every request is classified.
    #[serde(default = "hour")]
    pub sticky_seconds: u32,
    /// Members of the classification request, such as `reasoning_effort: low`. They win over the gateway's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// A target and what it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Id of the target.
    pub target: String,
    /// Which requests it is for, in words for the model that picks.
    pub when: String,
}

/// The vendor's later place of the strategy.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// As `providers.strategy`.
    pub strategy: String,
}

/// When an attempt is repeated.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts per target, the first included.
    #[serde(alias = "max_retries")]
    pub max_attempts: u32,
    /// Upstream statuses that lead to another attempt. Other 4xx are returned at once.
    pub retryable_status_codes: Vec<u16>,
    /// Wait between attempts.
    pub backoff: Backoff,
    /// Answers after which the next target is tried, and not this one again.
    pub target_out: TargetOut,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            max_attempts: 1,
            // 529 is the overload status of the model providers' edge.
            retryable_status_codes: vec![429, 500, 502, 503, 504, 529],
            backoff: Backoff::default(),
            target_out: TargetOut::default(),
        }
    }
}

/// Answers by which a target says that it cannot serve the request, nor would on a second try: the account is empty, the
/// model is gone. Needs a second target.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetOut {
    /// By their status.
    pub statuses: Vec<u16>,
    /// By `error.code` or `error.type` of an answer with a status from 400 to 499.
    pub codes: Vec<String>,
}

impl Default for TargetOut {
    fn default() -> Self {
        let codes = [
            "insufficient_quota",
            "model_not_available",
            "model_not_found",
            "dedicated_endpoint_not_running",
        ];
        TargetOut { statuses: vec![402], codes: codes.map(str::to_owned).to_vec() }
    }
}

/// Exponential wait with full jitter, as Envoy does it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// First wait, in milliseconds; doubles with every attempt.
    pub base_ms: u64,
    /// Longest wait, in milliseconds.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { base_ms: 200, max_ms: 5000 }
    }
}

/// When a target is left alone for a while.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreaker {
    /// Consecutive failures that open the breaker.
    #[serde(alias = "consecutive_failure_threshold")]
    pub failure_threshold: u32,
    /// Seconds an open breaker stays open.
    #[serde(alias = "cooldown_seconds")]
    pub recovery_timeout_seconds: u64,
    /// Probes allowed at once when it half-opens.
    #[serde(alias = "half_open_successes")]
    pub half_open_requests: u32,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        CircuitBreaker { failure_threshold: 5, recovery_timeout_seconds: 30, half_open_requests: 1 }
    }
}

/// One upstream: provider, model and key.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Unique name, used in headers, events and `x-provider`.
    pub id: String,
    /// Provider id (`together`, `openai`, …), or `provider:chat:<model>`.
    pub provider: String,
    /// Model asked of this upstream. Absent: the client's model passes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Base of the API, with or without `/v1`. Known providers have a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where the key comes from. Known providers have a default variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// Longest time for one attempt of a request that does not stream.
    #[serde(default = "sixty")]
    pub timeout_seconds: u64,
    /// The same for a request that streams. Absent: `timeout_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_timeout_seconds: Option<u64>,
    /// Longest time to a connection, TLS included.
    #[serde(default = "five")]
    pub connect_timeout_seconds: u64,
    /// Share under `weighted_round_robin`.
    #[serde(default = "one")]
    pub weight: f64,
    /// Prices in USD per 1M tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
    /// Active health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_probe: Option<HealthProbe>,
    /// Informational.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantizations: Option<OneOrMany>,
    /// Informational, shown in events and dashboards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Wire format; `openai` is the only one.
    #[serde(default = "openai")]
    pub format: String,
    /// Overrides `providers.retry`.
    #[serde(default, alias = "retry_policy", skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Overrides `providers.circuit_breaker`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// Where a key comes from. Exactly one of the three.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretKeyRef {
    /// Name of an environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Path of a file that holds the key and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `true`: the caller's own key passes through.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client: bool,
}

/// Prices in USD per 1M tokens.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pricing {
    /// Input tokens.
    #[serde(alias = "input_price_per_million")]
    pub prompt: f64,
    /// Output tokens.
    #[serde(alias = "output_price_per_million")]
    pub completion: f64,
    /// Input tokens served from the provider's cache. Absent: the price of input tokens.
    #[serde(default, alias = "cached_input_price_per_million", skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
}

/// Active health check of a target; `true` is the short form of its defaults.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = schema::or_flag))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthProbe {
    /// `false` turns it off.
    pub enabled: bool,
    /// Seconds between two probes.
    pub interval_seconds: u64,
    /// Seconds after which a probe has failed.
    pub timeout_seconds: u64,
    /// What is asked for with `GET`; a status from 200 to 299 is health. Under `/v1` it means the target's own base, any
    /// other path stands as it is.
    pub path: String,
}

impl Default for HealthProbe {
    fn default() -> Self {
        HealthProbe { enabled: true, interval_seconds: 30, timeout_seconds: 5, path: "/v1/models".into() }
    }
}

/// A string or a list of strings.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Where the gateway listens and how it fails.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Address of the API, `host:port`.
    pub listen: String,
    /// Address of Envoy's admin interface, `host:port`. It can stop the process: keep it on loopback.
    pub admin: String,
    /// What an internal failure of a policy means for the request at hand.
    pub on_error: OnError,
    /// What a part that cannot be inspected (image, audio, file) means for the request.
    pub unscannable: Unscannable,
    /// Status of a refusal. Never 409 or 429, which SDKs retry.
    pub block_status: u16,
    /// Paths that are forwarded without inspection, with all that lies below them, and audited as such.
    pub passthrough_paths: Vec<String>,
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            listen: "0.0.0.0:41002".into(),
            admin: "127.0.0.1:9901".into(),
            on_error: OnError::Block,
            unscannable: Unscannable::Allow,
            block_status: 400,
            passthrough_paths: Vec::new(),
        }
    }
}

/// What an internal failure of a policy means.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The request is refused.
    #[default]
    Block,
    /// The request goes on without that policy, and the event says so.
    Allow,
}

/// What a part that cannot be inspected means.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unscannable {
    /// It passes and is counted.
    #[default]
    Allow,
    /// The request is refused.
    Block,
}

/// Largest messages that are accepted.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SizeLimits {
    /// Bytes of a request body; a larger one gets 413. Also the bound of a buffered answer.
    pub max_body_bytes: u32,
}

impl Default for SizeLimits {
    fn default() -> Self {
        SizeLimits { max_body_bytes: 10 * 1024 * 1024 }
    }
}

fn yes() -> bool {
    true
}

fn kt() -> String {
    "kt".into()
}

fn authorization() -> Vec<String> {
    vec!["authorization".into()]
}

fn sixty() -> u64 {
    60
}

fn five() -> u64 {
    5
}

fn one() -> f64 {
    1.0
}

fn auto() -> Vec<String> {
    vec!["auto".into()]
}

fn pick_timeout_ms() -> u32 {
    1500
}

fn hour() -> u32 {
    3600
}

fn openai() -> String {
    "openai".into()
}

impl Serialize for ChainEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.options == ChainOptions::default() {
            return serializer.serialize_str(&self.name);
        }
        serializer.collect_map([(&self.name, &self.options)])
    }
}

impl<'de> Deserialize<'de> for ChainEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Written by hand because serde's untagged enums buffer the value and so lose its place in the file.
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = ChainEntry;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a policy name, or one policy name with `when` and `mode`")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<ChainEntry, E> {
                Ok(ChainEntry { name: name.into(), options: ChainOptions::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChainEntry, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let options = map.next_value::<Option<ChainOptions>>()?.unwrap_or_default();
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom("one policy per entry of the chain"));
                }
                Ok(ChainEntry { name, options })
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

impl<'de> Deserialize<'de> for HealthProbe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Block {
            enabled: bool,
            interval_seconds: u64,
            timeout_seconds: u64,
            path: String,
        }
        impl Default for Block {
            fn default() -> Self {
                let HealthProbe { enabled, interval_seconds, timeout_seconds, path } = HealthProbe::default();
                Block { enabled, interval_seconds, timeout_seconds, path }
            }
        }
        struct Probe;
        impl<'de> Visitor<'de> for Probe {
            type Value = HealthProbe;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("`true`, `false` or an object")
            }
            fn visit_bool<E: de::Error>(self, enabled: bool) -> Result<HealthProbe, E> {
                Ok(HealthProbe { enabled, ..HealthProbe::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HealthProbe, A::Error> {
                let Block { enabled, interval_seconds, timeout_seconds, path } =
                    Block::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(HealthProbe { enabled, interval_seconds, timeout_seconds, path })
            }
        }
        deserializer.deserialize_any(Probe)
    }
}

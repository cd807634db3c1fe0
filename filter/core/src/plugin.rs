//! What the filter is configured with inside Envoy: the JSON text of a `StringValue`.
//!
//! The join between `kt-control render`, which writes it, and the filter, which reads it. It carries the plan, not the
//! operator's file: everything is resolved and validated, so the module needs no code for that, and every kilobyte of code
//! costs Envoy about a millisecond at start. Holds no key and not even the name of one.

mod read;

pub use read::Unreadable;

use crate::config::{AuditLogger, BudgetLimit, Gateway, Pack, Policies, PolicyBlocks, SizeLimits, TargetOut};
use crate::cost::Prices;
use crate::plan::Strategy;
use serde::{Deserialize, Serialize};

/// Configuration of one wasm plugin instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginConfig {
    /// The HTTP filter of the listener: runs the chain, decides the targets.
    Downstream(Box<Downstream>),
    /// The upstream HTTP filter of a target's cluster: makes one attempt look as that target wants it.
    Attempt(Attempt),
}

/// The listener's role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downstream {
    /// Names the configuration in events.
    pub pack: Pack,
    /// SHA-256 of the operator's file, in hex; stands in every event.
    #[serde(default)]
    pub config_sha256: String,
    /// The chain of policies.
    pub policies: Policies,
    /// Their settings.
    #[serde(default)]
    pub policy: PolicyBlocks,
    /// How failures and refusals look.
    #[serde(default)]
    pub gateway: Behaviour,
    /// The upstreams, in order of preference.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// How the order of the targets is decided.
    #[serde(default)]
    pub strategy: Strategy,
    /// Every target has a cluster of its own and an attempt role in it. `false`: there is one target, and the downstream
    /// role does what the attempt role would do.
    #[serde(default)]
    pub attempt_role: bool,
    /// Budgets are also counted by a service for several gateways, to which Envoy tells what filter state says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shares_budgets: bool,
    /// Envoy sends events to a collector, with attributes from filter state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exports: bool,
    /// What `GET /v1/models` lists.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Settings of strategy `router`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Router>,
    /// Automaton of the operator's own patterns, built by `kt-control` and encoded as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern_automaton: Option<String>,
    /// The same for the regular expressions of assertions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_automaton: Option<String>,
}

/// A plan that says nothing.
impl Default for Downstream {
    fn default() -> Self {
        Downstream {
            pack: Pack::default(),
            config_sha256: String::new(),
            policies: Policies::default(),
            policy: PolicyBlocks::default(),
            gateway: Behaviour::default(),
            targets: Vec::new(),
            strategy: Strategy::default(),
            attempt_role: false,
            shares_budgets: false,
            exports: false,
            models: Vec::new(),
            router: None,
            pattern_automaton: None,
            assertion_automaton: None,
        }
    }
}

impl Downstream {
    /// What may be spent.
    pub(crate) fn limits(&self) -> &[BudgetLimit] {
        self.policy.budget_enforcement.as_ref().map_or(&[], |block| &block.limits)
    }

    /// The target of this id.
    pub(crate) fn target(&self, id: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == id)
    }

    /// The audit logger's settings.
    pub(crate) fn audit(&self) -> AuditLogger {
        self.policy.audit_logger.clone().unwrap_or_default()
    }
}

/// The part of `gateway` that the filter acts on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// What an internal failure means for the request at hand.
    pub on_error: crate::config::OnError,
    /// What a part that cannot be inspected means for the request.
    pub unscannable: crate::config::Unscannable,
    /// Largest request body.
    pub max_body_bytes: u32,
    /// Status of a refusal.
    pub block_status: u16,
    /// Paths that are forwarded without inspection.
    pub passthrough_paths: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour::new(&Gateway::default(), &SizeLimits::default())
    }
}

impl Behaviour {
    /// What the filter needs of the operator's sections.
    pub fn new(gateway: &Gateway, size_limits: &SizeLimits) -> Behaviour {
        Behaviour {
            max_body_bytes: size_limits.max_body_bytes,
            on_error: gateway.on_error,
            unscannable: gateway.unscannable,
            block_status: gateway.block_status,
            passthrough_paths: gateway.passthrough_paths.clone(),
        }
    }
}

/// One upstream, as far as the filter has to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// Canonical id of its provider.
    pub provider: String,
    /// Other spellings of the provider that `x-provider` may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provider_aliases: Vec<String>,
    /// Model asked of it; `None`: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Value of `:authority`.
    pub authority: String,
    /// Path of the API's root, such as `/v1` or `/openai/v1`; takes the place of the client's `/v1`.
    pub path_prefix: String,
    /// Attempts in a row, the first included.
    pub max_attempts: u32,
    /// Streams have a cluster of their own.
    #[serde(default)]
    pub streaming_twin: bool,
    /// The caller's own `authorization` passes through.
    #[serde(default)]
    pub client_key: bool,
    /// It takes the place of the gateway's key where the request names the provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_key_if_named: bool,
    /// Takes a JSON Schema for its answers only inside `json_schema`, as OpenAI does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nests_schema: bool,
    /// Name of its cluster, for calls of the filter's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Share under a weighted strategy, in whole parts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: u32,
    /// Place among the targets by price, the cheapest first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost_rank: u32,
    /// Statuses after which another attempt follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retryable_status_codes: Vec<u16>,
    /// When the target is left alone for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// How its health is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// What its tokens cost, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// Says what a stream cost only when asked to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_for_usage: bool,
}

/// An upstream of which nothing is said: tried once, with nothing beside it.
impl Default for Target {
    fn default() -> Self {
        Target {
            id: String::new(),
            provider: String::new(),
            provider_aliases: Vec::new(),
            model: None,
            authority: String::new(),
            path_prefix: String::new(),
            max_attempts: 1,
            streaming_twin: false,
            client_key: false,
            client_key_if_named: false,
            cluster: String::new(),
            weight: 0,
            cost_rank: 0,
            retryable_status_codes: Vec::new(),
            breaker: None,
            probe: None,
            nests_schema: false,
            prices: None,
            asks_for_usage: false,
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// When a target is left alone for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Consecutive failures that open it.
    pub failure_threshold: u32,
    /// Time for which it stays open.
    pub recovery_ms: u32,
    /// Probing requests at once when it half-opens, and successes that close it.
    pub half_open_requests: u32,
    /// Time after which a probing request that was never heard of again no longer counts.
    pub lease_ms: u32,
}

/// How a target's health is probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Path at the upstream.
    pub path: String,
    /// Time between two probes.
    pub interval_ms: u32,
    /// Time after which a probe has failed.
    pub timeout_ms: u32,
}

impl Target {
    /// Whether `name` is this target's id or its provider's, in any known spelling.
    pub fn is_named(&self, name: &str) -> bool {
        let provider = |known: &str| known.eq_ignore_ascii_case(name);
        self.id == name
            || provider(&self.provider)
            || self.provider_aliases.iter().any(|alias| provider(alias))
    }
}

/// Strategy `router`: what a model picks from, and how it is asked. Targets are given by their positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// The virtual models.
    pub models: Vec<String>,
    /// Target whose model picks.
    pub classifier: u32,
    /// Target of each label, in order.
    pub routes: Vec<u32>,
    /// Target that serves when nothing was picked.
    pub default: u32,
    /// Longest wait for the pick.
    pub timeout_ms: u32,
    /// Time for which a conversation keeps its target.
    pub sticky_seconds: u32,
    /// The classification request up to the text that is classified, in the middle of a JSON string.
    pub before: String,
    /// The rest of it.
    pub after: String,
}

/// A model that the gateway offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name by which requests ask for it.
    pub id: String,
    /// Ids of the targets that serve it; a virtual model has none.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Its entry in the list, as JSON text.
    pub document: String,
}

/// The role of a target's cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Id of the target.
    pub target: String,
    /// Model asked of it; `None`: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Value of `:authority`.
    pub authority: String,
    /// Path of the API's root; takes the place of the client's `/v1`.
    pub path_prefix: String,
    /// The caller's own `authorization` passes through.
    #[serde(default)]
    pub client_key: bool,
    /// It takes the place of the gateway's key where the request names the provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_key_if_named: bool,
    /// Statuses after which another attempt follows.
    #[serde(default)]
    pub retryable_status_codes: Vec<u16>,
    /// Longest wait that the target may ask for before it is tried again.
    #[serde(default)]
    pub max_wait_ms: u32,
    /// Answers after which this target is not tried again.
    #[serde(default)]
    pub target_out: TargetOut,
    /// Takes a JSON Schema for its answers only inside `json_schema`, as OpenAI does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nests_schema: bool,
}

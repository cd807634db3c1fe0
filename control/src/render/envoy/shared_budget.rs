//! Budgets of several gateways together: Envoy's global rate limit, behind the filter, and what its service is configured with.
//!
//! The filter says by filter state whose budget a request is on and, once it is over, what it cost; Envoy asks the service before
//! and tells it after. Counts nothing itself. Invariant: asking costs nothing, so that a refused request takes nothing from others.

use super::cluster::plain;
use super::{Error, Rendering, print};
use crate::envoy::*;
use kt_core::config::{Action, BudgetLimit, BudgetScope, BudgetWindow, Mode, OnError, SharedBudget};
use kt_core::exchange::budget_state;
use kt_core::plan::{Plan, host_and_port};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for the service; it is asked while the client waits.
const TIMEOUT: Duration = Duration::from_millis(500);

/// First key of a descriptor, with the name of a limit.
const LIMIT: &str = "budget";

/// Second key, with whose budget it is.
const OF: &str = "of";

/// Name of a limit for the service: two that differ in the amount alone are one, the smaller.
fn name(limit: &BudgetLimit) -> String {
    let scope = match limit.scope {
        BudgetScope::Global => "global",
        BudgetScope::Caller => "caller",
        BudgetScope::Model => "model",
        BudgetScope::Target => "target",
    };
    let unit = if limit.tokens.is_some() { "tokens" } else { "usd" };
    [scope, unit, unit_of(limit.window)].join("_")
}

fn unit_of(window: BudgetWindow) -> &'static str {
    match window {
        BudgetWindow::Minute => "minute",
        BudgetWindow::Hour => "hour",
        BudgetWindow::Day => "day",
        BudgetWindow::Month => "month",
    }
}

/// The limits by their names, each with the smallest amount.
fn limits(plan: &Plan) -> BTreeMap<String, (&BudgetLimit, u32)> {
    let mut limits = BTreeMap::new();
    for limit in plan.config.policy.budget_enforcement.iter().flat_map(|block| &block.limits) {
        let units = limit.shared_units().unwrap_or(u32::MAX);
        let known = limits.entry(name(limit)).or_insert((limit, units));
        known.1 = known.1.min(units);
    }
    limits
}

impl Rendering<'_> {
    /// The service, where there is one and the chain has budgets.
    pub(super) fn shared_budget(&self) -> Option<&SharedBudget> {
        let config = &self.plan.config;
        let is_wanted = config.policies.chain.iter().any(|entry| entry.name == "budget-enforcement");
        config.policy.budget_enforcement.as_ref()?.shared.as_ref().filter(|_| is_wanted)
    }

    /// A budget that only warns is counted and not asked for.
    fn is_enforced(&self) -> bool {
        let config = &self.plan.config;
        let blocks =
            config.policy.budget_enforcement.as_ref().is_some_and(|block| block.action == Action::Block);
        let mut entries = config.policies.chain.iter().filter(|entry| entry.name == "budget-enforcement");
        blocks && entries.any(|entry| entry.options.mode == Mode::Enforce)
    }

    fn shared_budget_name(&self) -> String {
        self.service_name("kt_shared_budget")
    }

    /// Name of the cluster of a service; those of two generations differ.
    pub(super) fn service_name(&self, name: &str) -> String {
        let generation = self.generation.map(|generation| format!("@{}", generation.number));
        format!("{name}{}", generation.unwrap_or_default())
    }

    pub(super) fn shared_budget_filter(&self) -> Option<Extension> {
        let shared = self.shared_budget()?;
        let limits = limits(self.plan);
        let known = |key: &str| {
            let input = Any::FilterStateInput(FilterStateInput { key: format!("wasm.{key}") });
            RateLimitAction::Extension(Extension::new(OF, input))
        };
        let entry = |name: &String, limit: &BudgetLimit, hits, is_last| RateLimitActions {
            actions: vec![
                RateLimitAction::GenericKey(GenericKeyAction {
                    descriptor_key: LIMIT.into(),
                    descriptor_value: name.clone(),
                }),
                // An exchange without a budget has none of these, and is neither asked about nor told.
                known(match limit.scope {
                    BudgetScope::Global => budget_state::EVERYBODY,
                    BudgetScope::Caller => budget_state::CALLER,
                    BudgetScope::Model => budget_state::MODEL,
                    BudgetScope::Target => budget_state::TARGET,
                }),
            ],
            hits_addend: Some(hits),
            apply_on_stream_done: is_last,
        };
        let asked = limits
            .iter()
            .filter(|_| self.is_enforced())
            .map(|(name, (limit, _))| entry(name, limit, HitsAddend::Number(0), false));
        let told = limits.iter().map(|(name, (limit, _))| {
            let spent = match limit.tokens {
                Some(_) => budget_state::TOKENS,
                None => budget_state::MICRO_USD,
            };
            entry(name, limit, HitsAddend::Format(format!("%FILTER_STATE(wasm.{spent}:PLAIN)%")), true)
        });
        let filter = Any::GlobalRateLimit(GlobalRateLimit {
            domain: shared.domain.clone(),
            timeout: Seconds(TIMEOUT),
            failure_mode_deny: self.plan.config.gateway.on_error == OnError::Block,
            disable_x_envoy_ratelimited_header: true,
            rate_limited_status: HttpStatus { code: 402 },
            status_on_error: HttpStatus { code: 503 },
            rate_limits: asked.chain(told).collect(),
            rate_limit_service: RateLimitService {
                transport_api_version: ApiVersion::V3,
                grpc_service: GrpcService {
                    envoy_grpc: EnvoyGrpc { cluster_name: self.shared_budget_name() },
                    timeout: Seconds(TIMEOUT),
                },
            },
        });
        Some(Extension::new("envoy.filters.http.ratelimit", filter))
    }

    pub(super) fn shared_budget_cluster(&self) -> Option<Cluster> {
        let (host, port) = host_and_port(&self.shared_budget()?.address)?;
        Some(service_cluster(self.shared_budget_name(), "kt_shared_budget", host, port))
    }
}

/// Cluster of a service beside the gateway that speaks gRPC without TLS. `stat_name` is its name in metrics.
pub(super) fn service_cluster(name: String, stat_name: &str, host: &str, port: u16) -> Cluster {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let protocol = Any::HttpProtocolOptions(HttpProtocolOptions {
        common_http_protocol_options: HttpProtocolCommonOptions::default(),
        upstream_protocol_options: UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig::Http2 {
            http2_protocol_options: Http2ProtocolOptions {
                max_concurrent_streams: None,
                initial_stream_window_size: 64 * 1024,
                initial_connection_window_size: 1024 * 1024,
            },
        }),
        outlier_detection: None,
        http_filters: Vec::new(),
    });
    let lb_endpoints = vec![LbEndpoint::at(host, Address::new(host, port))];
    Cluster {
        alt_stat_name: (name != stat_name).then(|| stat_name.to_owned()),
        connect_timeout: Seconds(TIMEOUT),
        typed_extension_protocol_options: BTreeMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            protocol,
        )]),
        ..plain(name, is_address, lb_endpoints)
    }
}

/// Configuration of `envoyproxy/ratelimit`.
#[derive(Debug, Serialize)]
struct ServiceConfig {
    domain: String,
    descriptors: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
struct Descriptor {
    key: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<ServiceLimit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    descriptors: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
struct ServiceLimit {
    unit: &'static str,
    requests_per_unit: u32,
}

/// The limits as the service wants them; `None`: the file names no service.
pub fn service_config(plan: &Plan) -> Result<Option<String>, Error> {
    let shared = plan.config.policy.budget_enforcement.as_ref().and_then(|block| block.shared.as_ref());
    let Some(shared) = shared else { return Ok(None) };
    let descriptor = |(name, (limit, units)): (String, (&BudgetLimit, u32))| Descriptor {
        key: LIMIT,
        value: Some(name),
        rate_limit: None,
        descriptors: vec![Descriptor {
            key: OF,
            // Without a value, each has a count of their own.
            value: None,
            rate_limit: Some(ServiceLimit { unit: unit_of(limit.window), requests_per_unit: units }),
            descriptors: Vec::new(),
        }],
    };
    let config = ServiceConfig {
        domain: shared.domain.clone(),
        descriptors: limits(plan).into_iter().map(descriptor).collect(),
    };
    print(&config).map(Some)
}

//! Resources for Istio.
//!
//! A `WasmPlugin` is not among them: it cannot set `allow_on_headers_stop_iteration`, without which bodies are never seen, nor
//! put the filter into a cluster, nor choose its virtual machine. The filter goes in as `EXTENSION_CONFIG` of an `EnvoyFilter`.
//! Invariant: the routes of the `VirtualService` answer 503; only the route that comes with the filter leads to a target.

use super::super::cluster::{ATTEMPT, UNBOUNDED, endpoint_breaker, stat_name};
use super::super::{AUDIT_KEY, Error, HEALTH_PATHS, Rendering, WASM_FILTER, decompressor, instance};
use super::{Documents, Mesh, NAME, WASM_TYPE, key_files, key_variables, labels};
use crate::envoy::{Extension, Route, Seconds};
use crate::kubernetes::istio::*;
use crate::render::plugin;
use kt_core::plan::Plan;
use kt_core::targets::Target;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NETWORKING: &str = "networking.istio.io/v1";
/// The one version that `EnvoyFilter` has.
const ENVOY_FILTER: &str = "networking.istio.io/v1alpha3";

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";

/// Resources are seen in their own namespace only.
const HERE: &str = ".";

/// What callers read while the filter is not there.
const NOT_THERE: &str = r#"{"error":{"message":"The gateway's policy engine is not in force, so nothing is let through.","type":"gateway_error","param":null,"code":"gateway_failure"}}"#;

/// A target's host in the mesh. An address gets a name, because `ServiceEntry` has none without.
pub(super) fn host(plan: &Plan, target: &Target) -> String {
    if target.endpoint.ip().is_none() {
        return target.endpoint.host.clone();
    }
    let labels = labels(plan);
    let label = labels.iter().find(|(name, _)| *name == target.id).map(|(_, label)| label.as_str());
    format!("{}.kt.internal", label.unwrap_or(NAME))
}

pub(super) fn documents(
    rendering: &Rendering,
    mesh: &Mesh,
    selector: &BTreeMap<String, String>,
    name: &str,
) -> Result<Documents, Error> {
    let plan = rendering.plan;
    let mut documents = Documents::new(name, &about(rendering, mesh, selector));
    let gateway = Gateway {
        selector: selector.clone(),
        servers: vec![Server {
            port: Port { number: port(rendering), name: "http-kt".into(), protocol: Protocol::Http },
            hosts: vec!["*".into()],
        }],
    };
    documents.add("The listener.", NETWORKING, "Gateway", mesh.metadata(NAME), gateway)?;
    let mut hosts: Vec<String> = Vec::new();
    for target in &plan.targets {
        let host = host(plan, target);
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    for (position, host) in hosts.iter().enumerate() {
        let targets: Vec<&Target> =
            plan.targets.iter().filter(|target| self::host(plan, target) == *host).collect();
        let metadata = || mesh.metadata(format!("{NAME}-{position}"));
        let about = format!("Where {} {}.", named(&targets), if targets.len() == 1 { "is" } else { "are" });
        documents.add(&about, NETWORKING, "ServiceEntry", metadata(), service_entry(host, &targets))?;
        let about =
            "A cluster for each target of this host, because each has limits, a model and a key of its own.";
        let rule = destination_rule(rendering, host, &targets);
        documents.add(about, NETWORKING, "DestinationRule", metadata(), rule)?;
    }
    let about = "Answers 503 until the route below is there, which leads to targets and is matched first. The second and\n\
                 later routes are never reached: they tell Istio which clusters this gateway needs.";
    documents.add(about, NETWORKING, "VirtualService", mesh.metadata(NAME), virtual_service(rendering))?;
    let filter = EnvoyFilter {
        workload_selector: WorkloadSelector { labels: selector.clone() },
        config_patches: patches(rendering)?,
    };
    let about = "The filter, and what Istio has no words for. In EnvoyFilter because WasmPlugin lacks\n\
                 `allow_on_headers_stop_iteration`, without which the filter never sees a body.";
    documents.add(about, ENVOY_FILTER, "EnvoyFilter", mesh.metadata(NAME), filter)?;
    Ok(documents)
}

fn about(rendering: &Rendering, mesh: &Mesh, selector: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut about = format!(
        "For pods with {} in namespace {}, a gateway of Istio whose Envoy is 1.40 or later.\n",
        labels.join(","),
        mesh.namespace
    );
    let variables = key_variables(rendering.plan);
    if !variables.is_empty() {
        about.push_str(&format!(
            "Their container needs the keys in its environment, by `secretKeyRef`: {}.\n",
            variables.join(", ")
        ));
    }
    about.push_str(&format!("{AUDIT_KEY}, with which events are hashed, may stand beside them.\n"));
    let files = key_files(rendering.plan);
    if !files.is_empty() {
        about.push_str(&format!(
            "Their container needs the keys as files, from a `Secret`: {}.\n",
            files.join(", ")
        ));
    }
    if mesh.wasm_url.is_none() {
        let file = rendering.deployment.wasm.display();
        about.push_str(&format!(
            "Their container needs the filter as the file {file}, or render with --wasm-url.\n"
        ));
    }
    about
}

fn named(targets: &[&Target]) -> String {
    let ids: Vec<String> = targets.iter().map(|target| format!("`{}`", target.id)).collect();
    format!("target{} {}", if ids.len() == 1 { "" } else { "s" }, ids.join(", "))
}

fn port(rendering: &Rendering) -> u16 {
    rendering.deployment.listen.unwrap_or(rendering.plan.listen).port()
}

fn service_entry(host: &str, targets: &[&Target]) -> ServiceEntry {
    let mut ports: Vec<Port> = Vec::new();
    for target in targets {
        let endpoint = &target.endpoint;
        let (scheme, protocol) =
            if endpoint.tls { ("https", Protocol::Https) } else { ("http", Protocol::Http) };
        let port = Port { number: endpoint.port, name: format!("{scheme}-{}", endpoint.port), protocol };
        if !ports.iter().any(|known| known.number == port.number) {
            ports.push(port);
        }
    }
    let address = targets.first().and_then(|target| target.endpoint.ip());
    ServiceEntry {
        hosts: vec![host.to_owned()],
        export_to: vec![HERE.into()],
        location: Location::MeshExternal,
        ports,
        resolution: if address.is_some() { Resolution::Static } else { Resolution::Dns },
        endpoints: address
            .map(|address| WorkloadEntry { address: address.to_string() })
            .into_iter()
            .collect(),
    }
}

/// The clusters of a target: the filter's name, the subset's, and the time of one attempt.
fn subsets<'t>(
    plan: &'t Plan,
    target: &'t Target,
) -> impl Iterator<Item = (String, std::time::Duration)> + use<'t> {
    let labels = labels(plan);
    let twin = target.has_streaming_twin().then(|| kt_core::attempt::streaming_twin(&target.id));
    let names = [target.id.clone()].into_iter().chain(twin).zip([target.timeout, target.stream_timeout]);
    names.filter_map(move |(name, limit)| {
        let label = labels.iter().find(|(known, _)| *known == name).map(|(_, label)| label.clone());
        label.map(|label| (label, limit))
    })
}

fn destination_rule(rendering: &Rendering, host: &str, targets: &[&Target]) -> DestinationRule {
    let subsets = targets.iter().flat_map(|target| {
        subsets(rendering.plan, target)
            .map(|(name, _)| Subset { name, traffic_policy: traffic_policy(rendering, target) })
    });
    DestinationRule { host: host.to_owned(), export_to: vec![HERE.into()], subsets: subsets.collect() }
}

fn traffic_policy(rendering: &Rendering, target: &Target) -> TrafficPolicy {
    let endpoint = &target.endpoint;
    let is_address = endpoint.ip().is_some();
    TrafficPolicy {
        connection_pool: ConnectionPool {
            tcp: TcpSettings {
                connect_timeout: Seconds(target.connect_timeout),
                max_connections: UNBOUNDED,
                tcp_keepalive: TcpKeepalive {
                    probes: 3,
                    time: Seconds::from_secs(60),
                    interval: Seconds::from_secs(10),
                },
            },
            http: HttpSettings {
                http1_max_pending_requests: UNBOUNDED,
                http2_max_requests: UNBOUNDED,
                max_retries: UNBOUNDED,
            },
        },
        outlier_detection: endpoint_breaker(target).map(|breaker| OutlierDetection {
            consecutive_5xx_errors: breaker.failure_threshold,
            interval: Seconds::from_millis(500),
            base_ejection_time: Seconds::from_secs(breaker.recovery_timeout_seconds),
            max_ejection_percent: 100,
            // Below it Envoy uses ejected endpoints too. Zero would answer 503 instead of going on to the next target.
            min_health_percent: 1,
        }),
        tls: match endpoint.tls {
            false => ClientTls {
                mode: TlsMode::Disable,
                sni: None,
                subject_alt_names: Vec::new(),
                ca_certificates: None,
            },
            true => ClientTls {
                mode: TlsMode::Simple,
                sni: (!is_address).then(|| endpoint.host.clone()),
                subject_alt_names: vec![endpoint.host.clone()],
                // Without it Istio does not check the certificate at all.
                ca_certificates: Some(rendering.deployment.ca_file.display().to_string()),
            },
        },
    }
}

fn virtual_service(rendering: &Rendering) -> VirtualService {
    let plan = rendering.plan;
    let not_there = HttpRoute {
        name: "kt-filter-is-not-there".into(),
        direct_response: Some(DirectResponse {
            status: 503,
            body: DirectResponseBody { string: NOT_THERE.into() },
        }),
        route: Vec::new(),
    };
    let clusters = plan.targets.iter().flat_map(|target| {
        subsets(plan, target).map(|(subset, _)| HttpRoute {
            name: format!("kt-needs-{subset}"),
            direct_response: None,
            route: vec![RouteDestination {
                destination: Destination {
                    host: host(plan, target),
                    subset,
                    port: PortSelector { number: target.endpoint.port },
                },
            }],
        })
    });
    VirtualService {
        hosts: vec!["*".into()],
        gateways: vec![NAME.into()],
        http: [not_there].into_iter().chain(clusters).collect(),
    }
}

fn patches(rendering: &Rendering) -> Result<Vec<ConfigPatch>, Error> {
    let plan = rendering.plan;
    let mut patches = Vec::new();
    let mut patch = |apply_to, r#match, operation, value| {
        patches.push(ConfigPatch { apply_to, r#match, patch: Patch { operation, value } });
    };
    let bootstrap = PatchValue::Part(rendering.bootstrap_part()?);
    let anywhere = Match { context: Context::Any, ..Match::default() };
    patch(ApplyTo::Bootstrap, anywhere, Operation::Merge, bootstrap);

    // Sent by name, so that Istio's agent can fetch the filter from a registry and a change drains no connection.
    let downstream = rendering.wasm("kt_downstream", None, &rendering.downstream_plugin())?;
    let mut filters = vec![Extension::new(instance("kt_downstream", None), downstream)];
    if plugin::has_attempt_role(plan) {
        for target in &plan.targets {
            filters
                .push(Extension::new(instance(ATTEMPT, Some(&target.id)), rendering.attempt_wasm(target)?));
        }
    }
    for filter in filters {
        patch(ApplyTo::ExtensionConfig, Match::default(), Operation::Add, PatchValue::Extension(filter));
    }

    let manager: Value = rendering.connection_manager_part()?.into();
    let mut typed_config = json!({"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"});
    if let (Some(typed_config), Value::Object(manager)) = (typed_config.as_object_mut(), manager) {
        typed_config.extend(manager);
    }
    let value = PatchValue::Part(json!({"name": MANAGER, "typed_config": typed_config}));
    patch(ApplyTo::NetworkFilter, on_listener(rendering, None), Operation::Merge, value);

    let discovered = Extension::discovered(instance("kt_downstream", None), WASM_TYPE);
    for filter in [decompressor(), discovered] {
        let before_router = on_listener(rendering, Some(ROUTER));
        patch(ApplyTo::HttpFilter, before_router, Operation::InsertBefore, PatchValue::Extension(filter));
    }

    let on_host = || Match {
        route_configuration: Some(RouteConfigurationMatch {
            vhost: VirtualHostMatch { name: format!("*:{}", port(rendering)) },
        }),
        ..Match::default()
    };
    let limit = VirtualHostPatch { request_body_buffer_limit: rendering.buffer_bytes() };
    patch(ApplyTo::VirtualHost, on_host(), Operation::Merge, PatchValue::VirtualHost(limit));
    // Each goes in front of those before it.
    let routes = [rendering.api_route()]
        .into_iter()
        .chain(HEALTH_PATHS.iter().map(|path| without_filters(rendering, path)));
    for route in routes {
        patch(ApplyTo::HttpRoute, on_host(), Operation::InsertFirst, PatchValue::Route(Box::new(route)));
    }

    for target in &plan.targets {
        for (subset, limit) in subsets(plan, target) {
            let on_cluster = Match {
                cluster: Some(ClusterMatch {
                    service: host(plan, target),
                    subset,
                    port_number: target.endpoint.port,
                }),
                ..Match::default()
            };
            let cluster = ClusterPatch {
                alt_stat_name: stat_name(target),
                typed_extension_protocol_options: rendering.protocol_options(target, limit)?,
            };
            patch(ApplyTo::Cluster, on_cluster, Operation::Merge, PatchValue::Cluster(Box::new(cluster)));
        }
    }
    Ok(patches)
}

/// A route that Envoy answers. The filters are switched off by the names they have here.
fn without_filters(rendering: &Rendering, path: &str) -> Route {
    let mut route = rendering.health_route(path);
    if let Some(disabled) = route.typed_per_filter_config.remove(WASM_FILTER) {
        route.typed_per_filter_config.insert(instance("kt_downstream", None), disabled);
    }
    route
}

fn on_listener(rendering: &Rendering, before: Option<&str>) -> Match {
    let sub_filter = before.map(|name| SubFilterMatch { name: name.to_owned() });
    let filter = FilterMatch { name: MANAGER.into(), sub_filter };
    let filter_chain = FilterChainMatch { filter };
    Match { listener: Some(ListenerMatch { port_number: port(rendering), filter_chain }), ..Match::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::ExtensionConfig;

    #[test]
    fn what_is_sent_by_name_is_waited_for() {
        let filter = Extension::discovered("kt_downstream", WASM_TYPE);
        let ExtensionConfig::ConfigDiscovery(discovery) = &filter.config else { panic!("{filter:?}") };
        assert_eq!(discovery.type_urls, ["envoy.extensions.filters.http.wasm.v3.Wasm"]);
        assert_eq!(discovery.config_source.initial_fetch_timeout, Seconds::from_secs(0));
    }
}

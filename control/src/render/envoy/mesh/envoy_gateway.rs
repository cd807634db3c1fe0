//! Resources for Envoy Gateway.
//!
//! An `EnvoyExtensionPolicy` puts the filter into the listener; what its API has no fields for is patched into the configuration
//! that it makes. Not safe by itself: the `HTTPRoute` leads to a target, and only the policy puts the filter before it.
//! Invariant: the policy fails closed.

use super::super::cluster::{endpoint_breaker, outlier_detection, stat_name, unbounded};
use super::super::{AUDIT_KEY, Error, Rendering, decompressor, print};
use super::{Documents, Mesh, NAME, key_files, key_variables, label};
use crate::envoy::{Action, BackoffStrategy, ReloadConfig, Seconds};
use crate::kubernetes::envoy_gateway::*;
use crate::kubernetes::{EnvVar, EnvVarSource, SecretKeySelector};
use crate::render::plugin;
use kt_core::plan::Plan;
use kt_core::targets::Target;
use serde_json::{Value, json};
use std::net::IpAddr;

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const ENVOY_API: &str = "gateway.envoyproxy.io";
const GATEWAY_V1: &str = "gateway.networking.k8s.io/v1";
const ENVOY_V1ALPHA1: &str = "gateway.envoyproxy.io/v1alpha1";

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

/// Name of the gateway's only listener.
const SECTION: &str = "http";

/// `Secret` with the keys, one entry per variable.
const KEYS: &str = "kt-keys";

const ABOUT: &str = "For Envoy Gateway with the Gateway API 1.4 or later, `extensionApis.enableBackend` and `extensionApis.enableEnvoyPatchPolicy`.
Apply all of it at once: without the EnvoyExtensionPolicy the HTTPRoute leads to a target past the filter.
The names of listeners and routes in the patches are those of its usual scheme; under `XDSNameSchemeV2` the listener's is
`tcp-PORT`.
";

pub(super) fn documents(
    rendering: &Rendering,
    mesh: &Mesh,
    class: &str,
    envoy_image: &str,
    name: &str,
) -> Result<Documents, Error> {
    let plan = rendering.plan;
    let mut documents = Documents::new(name, &about(plan));
    let gateway = Gateway {
        gateway_class_name: class.to_owned(),
        infrastructure: Infrastructure { parameters_ref: reference(ENVOY_API, "EnvoyProxy", NAME) },
        listeners: vec![Listener { name: SECTION.into(), port: port(rendering), protocol: "HTTP" }],
    };
    documents.add("The listener.", GATEWAY_V1, "Gateway", mesh.metadata(NAME), gateway)?;
    let about = "Envoy itself: its version, the keys in its environment, the order of routes as written.";
    let proxy = envoy_proxy(rendering, mesh, envoy_image)?;
    documents.add(about, ENVOY_V1ALPHA1, "EnvoyProxy", mesh.metadata(NAME), proxy)?;
    for (position, target) in plan.targets.iter().enumerate() {
        let name = backend(position, target);
        let backend = Backend { endpoints: vec![endpoint(target)] };
        let about = format!("Target `{}`.", target.id);
        documents.add(&about, ENVOY_V1ALPHA1, "Backend", mesh.metadata(&name), backend)?;
        if target.endpoint.tls {
            if target.endpoint.ip().is_some() {
                return Err(Error::AddressWithTls(target.id.clone()));
            }
            let policy = BackendTlsPolicy {
                target_refs: vec![reference(ENVOY_API, "Backend", &name)],
                validation: Validation {
                    well_known_ca_certificates: "System",
                    hostname: target.endpoint.host.clone(),
                },
            };
            documents.add("", GATEWAY_V1, "BackendTLSPolicy", mesh.metadata(&name), policy)?;
        }
    }
    let about = "The first rule serves everything, wherever the filter sends it. The others are never reached: each makes the\n\
                 cluster of a target, or of a target's streams.";
    documents.add(about, GATEWAY_V1, "HTTPRoute", mesh.metadata(NAME), http_route(plan))?;
    let extension = EnvoyExtensionPolicy {
        target_refs: vec![reference(GATEWAY_API, "HTTPRoute", NAME)],
        wasm: vec![Wasm {
            name: NAME.into(),
            root_id: "kt_downstream".into(),
            fail_open: false,
            code: WasmCode { r#type: "Image", image: ImageCode { url: image(mesh) } },
            env: WasmEnv { host_keys: vec![AUDIT_KEY.into()] },
            config: rendering.downstream_plugin(),
        }],
    };
    let about = "The filter in the listener.";
    documents.add(about, ENVOY_V1ALPHA1, "EnvoyExtensionPolicy", mesh.metadata(NAME), extension)?;
    let patches = EnvoyPatchPolicy {
        target_ref: reference(GATEWAY_API, "Gateway", NAME),
        r#type: "JSONPatch",
        json_patches: patches(rendering, mesh)?,
    };
    let about = "What Envoy Gateway has no fields for.";
    documents.add(about, ENVOY_V1ALPHA1, "EnvoyPatchPolicy", mesh.metadata(NAME), patches)?;
    Ok(documents)
}

fn about(plan: &Plan) -> String {
    let mut about = ABOUT.to_owned();
    about.push_str(&format!("{AUDIT_KEY}, with which events are hashed, may stand beside the keys.\n"));
    let variables = key_variables(plan);
    if !variables.is_empty() {
        about.push_str(&format!(
            "The keys are in the `Secret` {KEYS}, which is yours to make: {}.\n",
            variables.join(", ")
        ));
    }
    let files = key_files(plan);
    if !files.is_empty() {
        about.push_str(&format!(
            "Envoy's container needs the keys as files, from a `Secret`: {}.\n",
            files.join(", ")
        ));
    }
    if plugin::has_attempt_role(plan) {
        about.push_str("The filter also runs in the clusters, from a file: the pod mounts its image, which Kubernetes can from 1.33 on.\n");
    }
    about
}

fn reference(group: &'static str, kind: &'static str, name: &str) -> Reference {
    Reference { group, kind, name: name.to_owned() }
}

fn port(rendering: &Rendering) -> u16 {
    rendering.deployment.listen.unwrap_or(rendering.plan.listen).port()
}

/// Where the filter's image is, as `EnvoyExtensionPolicy` writes it: without a scheme.
fn image(mesh: &Mesh) -> String {
    mesh.wasm_url.as_deref().unwrap_or_default().trim_start_matches("oci://").to_owned()
}

fn backend(position: usize, target: &Target) -> String {
    format!("{NAME}-{position}-{}", label(&target.id))
}

fn endpoint(target: &Target) -> Endpoint {
    let port = target.endpoint.port;
    match target.endpoint.ip() {
        Some(IpAddr::V4(address)) => Endpoint::Ip { address: address.to_string(), port },
        // The schema takes few of the short forms.
        Some(IpAddr::V6(address)) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            Endpoint::Ip { address: groups.join(":"), port }
        }
        None => Endpoint::Fqdn { hostname: target.endpoint.host.clone(), port },
    }
}

fn envoy_proxy(rendering: &Rendering, mesh: &Mesh, envoy_image: &str) -> Result<EnvoyProxy, Error> {
    let from_secret = |name: &str, optional| EnvVar {
        name: name.to_owned(),
        value_from: EnvVarSource {
            secret_key_ref: SecretKeySelector { name: KEYS.into(), key: name.to_owned(), optional },
        },
    };
    let keys = key_variables(rendering.plan).into_iter().map(|name| from_secret(name, false));
    let folder = rendering.deployment.wasm.parent().map(|folder| folder.display().to_string());
    let mounted = plugin::has_attempt_role(rendering.plan);
    let mount = VolumeMount { name: NAME.into(), mount_path: folder.unwrap_or_default(), read_only: true };
    let volume = Volume { name: NAME.into(), image: ImageVolume { reference: image(mesh) } };
    Ok(EnvoyProxy {
        preserve_route_order: true,
        provider: Provider {
            r#type: "Kubernetes",
            kubernetes: KubernetesProvider {
                envoy_deployment: Deployment {
                    container: Container {
                        image: envoy_image.to_owned(),
                        env: keys.chain([from_secret(AUDIT_KEY, true)]).collect(),
                        volume_mounts: mounted.then_some(mount).into_iter().collect(),
                    },
                    pod: Pod { volumes: mounted.then_some(volume).into_iter().collect() },
                },
            },
        },
        bootstrap: Bootstrap {
            r#type: "Merge",
            value: serde_saphyr::LitString(print(&rendering.bootstrap_part()?)?),
        },
    })
}

/// Written out, because it is part of the names of what is made from it.
fn everything() -> RouteMatch {
    RouteMatch { path: PathMatch { r#type: "PathPrefix", value: "/" } }
}

fn http_route(plan: &Plan) -> HttpRoute {
    let rules = plan.targets.iter().enumerate().flat_map(|(position, target)| {
        let rule = Rule {
            matches: vec![everything()],
            backend_refs: vec![reference(ENVOY_API, "Backend", &backend(position, target))],
        };
        std::iter::repeat_n(rule, if target.has_streaming_twin() { 2 } else { 1 })
    });
    HttpRoute { parent_refs: vec![ParentReference { name: NAME.into() }], rules: rules.collect() }
}

/// Where Envoy Gateway's names of routes end in the host that they serve, this one ends in `*`: neither the listener nor the route
/// names a host. Before it stand kind, namespace and name of the route, and the numbers of rule and match.
fn first_route(mesh: &Mesh) -> String {
    format!("httproute/{}/{NAME}/rule/0/match/0/*", mesh.namespace)
}

/// The name that Envoy Gateway gives the filter of an `EnvoyExtensionPolicy`.
fn filter(mesh: &Mesh) -> String {
    format!("envoy.filters.http.wasm/envoyextensionpolicy/{}/{NAME}/wasm/0", mesh.namespace)
}

fn patches(rendering: &Rendering, mesh: &Mesh) -> Result<Vec<JsonPatch>, Error> {
    let plan = rendering.plan;
    let mut patches = Vec::new();
    let mut patch = |r#type, name: &str, json_path: Option<&str>, path: Option<&str>, value| {
        patches.push(JsonPatch {
            r#type,
            name: name.to_owned(),
            operation: Operation {
                // Takes the place of what is there.
                op: "add",
                json_path: json_path.map(str::to_owned),
                path: path.map(str::to_owned),
                value,
            },
        });
    };
    let listener = format!("{}/{NAME}/{SECTION}", mesh.namespace);
    let filter = format!("$..http_filters[?(@.name=='{}')]", filter(mesh));
    let mut of_filter = |field: &str, value| {
        patch(LISTENER, &listener, Some(&filter), Some(&format!("/typed_config/config/{field}")), value);
    };
    of_filter("allow_on_headers_stop_iteration", PatchValue::Value(Value::Bool(true)));
    of_filter("failure_policy", PatchValue::Text("FAIL_RELOAD".into()));
    let backoff =
        BackoffStrategy { base_interval: Seconds::from_millis(20), max_interval: Seconds::from_secs(1) };
    of_filter("reload_config", PatchValue::Reload(ReloadConfig { backoff }));
    of_filter("vm_config/vm_id", PatchValue::Text("kt_downstream".into()));
    // A place in a list: what is added there goes in front.
    patch(LISTENER, &listener, Some(&filter), None, PatchValue::Extension(decompressor()));
    let manager = "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')]";
    for (field, value) in rendering.connection_manager_part()? {
        let path = format!("/typed_config/{field}");
        patch(LISTENER, &listener, Some(manager), Some(&path), PatchValue::Value(value));
    }

    let host = "$.virtual_hosts[*]";
    let limit = PatchValue::Value(json!(rendering.buffer_bytes()));
    patch(ROUTES, &listener, Some(host), Some("/request_body_buffer_limit"), limit);
    let route = rendering.api_route();
    let first = format!("$..routes[?(@.name=='{}')]", first_route(mesh));
    if let Action::Route(action) = route.action {
        patch(ROUTES, &listener, Some(&first), Some("/route"), PatchValue::RouteAction(action));
    }
    for (field, names) in [
        ("request_headers_to_remove", route.request_headers_to_remove),
        ("response_headers_to_remove", route.response_headers_to_remove),
    ] {
        if !names.is_empty() {
            let value = PatchValue::Value(json!(names));
            patch(ROUTES, &listener, Some(&first), Some(&format!("/{field}")), value);
        }
    }

    for target in &plan.targets {
        for ((_, cluster), limit) in
            rendering.cluster_names(target).zip([target.timeout, target.stream_timeout])
        {
            let mut of_cluster = |field: &str, value| {
                patch(CLUSTER, &cluster, None, Some(&format!("/{field}")), value);
            };
            let options = rendering.protocol_options(target, limit)?;
            of_cluster("typed_extension_protocol_options", PatchValue::ProtocolOptions(options));
            of_cluster("alt_stat_name", PatchValue::Text(stat_name(target)));
            of_cluster("connect_timeout", PatchValue::Seconds(Seconds(target.connect_timeout)));
            of_cluster("circuit_breakers", PatchValue::CircuitBreakers(unbounded()));
            if let Some(breaker) = endpoint_breaker(target) {
                of_cluster("outlier_detection", PatchValue::OutlierDetection(outlier_detection(breaker)));
                let panic = json!({"healthy_panic_threshold": {"value": 1}, "update_merge_window": "0s"});
                of_cluster("common_lb_config", PatchValue::Value(panic));
            }
        }
    }
    Ok(patches)
}

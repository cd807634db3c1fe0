//! Every file in `golden/`, rendered, compared, and accepted by Envoy.

use crate::envoy::{Folder, accepts};
use crate::{compare, files};
use kt_control::command;
use kt_control::deployment::Deployment;
use kt_control::render::envoy::mesh::{self, Kind, Mesh};
use kt_control::render::envoy::{service_config, to_yaml};
use std::path::Path;

/// The same on every machine.
fn deployment() -> Deployment {
    Deployment {
        wasm: "kt_filter.wasm".into(),
        ca_file: "ca-certificates.crt".into(),
        access_log: "/dev/stdout".into(),
        key_notes: None,
        listen: None,
    }
}

fn render(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let loaded = command::check(name, std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
    to_yaml(&loaded.plan, name, &loaded.source.text, &deployment()).unwrap()
}

#[test]
fn policy_files_render_as_before() {
    for path in files("golden", "yaml") {
        compare(&path.with_extension("envoy.yaml"), &render(&path));
    }
}

#[test]
fn the_limits_of_a_shared_budget_are_rendered_for_their_service() {
    let path = crate::folder("golden").join("shared-budget.yaml");
    let loaded = command::check("f", std::fs::read_to_string(&path).unwrap()).unwrap();
    compare(&path.with_extension("ratelimit.yaml"), &service_config(&loaded.plan).unwrap().unwrap());
}

/// A mesh in which everything is as usual.
fn mesh(kind: Kind) -> Mesh {
    let namespace = if matches!(kind, Kind::Istio { .. }) { "istio-system" } else { "default" };
    let wasm_url = Some("oci://registry.example.com/kt-filter:0.1.0".to_owned());
    Mesh { namespace: namespace.into(), wasm_url, wasm_sha256: None, kind }
}

#[test]
fn policy_files_render_for_meshes_as_before() {
    let istio = mesh(Kind::Istio {
        selector: [("istio".to_owned(), "ingressgateway".to_owned())].into_iter().collect(),
    });
    let envoy_gateway =
        mesh(Kind::EnvoyGateway { class: "eg".into(), envoy_image: "envoyproxy/envoy:v1.40.0".into() });
    let mut deployment = deployment();
    deployment.wasm = "/etc/kt/plugin.wasm".into();
    deployment.ca_file = "/etc/ssl/certs/ca-certificates.crt".into();
    for path in files("golden", "yaml") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let loaded = command::check(name, std::fs::read_to_string(&path).unwrap()).unwrap();
        for (ending, mesh) in [("istio.yaml", &istio), ("envoy-gateway.yaml", &envoy_gateway)] {
            let yaml = match mesh::to_yaml(&loaded.plan, name, &loaded.source.text, &deployment, mesh) {
                Ok(yaml) => yaml,
                Err(error) => {
                    // One has a target with TLS at an address, one what only a listener of our own can keep.
                    let is_expected = (name, ending) == ("every-option.yaml", "envoy-gateway.yaml")
                        || ["request-limits.yaml", "shared-budget.yaml"].contains(&name);
                    assert!(is_expected, "{name}: {error}");
                    continue;
                }
            };
            compare(&path.with_extension(ending), &yaml);
        }
    }
}

#[test]
fn envoy_accepts_what_is_rendered() {
    let folder = Folder::new();
    for path in files("golden", "yaml") {
        accepts(&folder, &render(&path), &path.display().to_string());
    }
}

#[test]
fn the_short_form_of_a_provider_renders_as_the_long_one() {
    let short = std::fs::read_to_string(crate::folder("golden").join("shorthand.yaml")).unwrap();
    let long = short.replace(
        r#"provider: "together:chat:meta-llama/Llama-3.3-70B-Instruct-Turbo""#,
        "provider: \"together\"\n    model: \"meta-llama/Llama-3.3-70B-Instruct-Turbo\"",
    );
    assert_ne!(short, long);
    let target = |text: String| command::check("f", text).unwrap().plan.targets;
    assert_eq!(target(short), target(long));
}

#[test]
fn no_chain_lets_a_key_of_another_target_pass() {
    for path in files("golden", "envoy.yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let rendered: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let clusters = rendered["static_resources"]["clusters"].as_array().unwrap();
        // No request goes to the service that counts budgets, or to the collector of events.
        for cluster in clusters.iter().filter(|cluster| {
            !["kt_shared_budget", "kt_collector"].contains(&cluster["name"].as_str().unwrap())
        }) {
            let options = &cluster["typed_extension_protocol_options"];
            let filters = &options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["http_filters"];
            let first = filters[0].to_string();
            let single_client_key = text.contains("\"client_key\": true");
            let handled = first.contains("authorization");
            assert!(
                handled || (single_client_key && !text.contains("\"attempt_role\": true")),
                "{}: {}",
                path.display(),
                cluster["name"]
            );
        }
    }
}

#[test]
fn no_key_is_rendered() {
    let name = "PATH";
    let value = std::env::var(name).unwrap();
    let text = format!(
        "pack: {{name: p, version: 1.0.0}}\npolicies: {{chain: [audit-logger]}}\n\
         providers: {{targets: [{{id: a, provider: openai, secret_key_ref: {{env: {name}}}}}]}}\n"
    );
    let loaded = command::check("f", text).unwrap();
    let yaml = to_yaml(&loaded.plan, "f", &loaded.source.text, &deployment()).unwrap();
    assert!(yaml.contains("%ENVIRONMENT(PATH)%"));
    assert!(!yaml.contains(&value));
}

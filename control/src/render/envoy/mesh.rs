//! The same gateway as resources for a control plane that configures Envoy itself: Istio, or Envoy Gateway.
//!
//! What the control plane has words for is said in its words; the rest goes in as patches of the configuration that it makes.
//! Knows nothing of clusters that run. Invariant: no resource holds a key, only the name of its variable or file.

mod envoy_gateway;
mod istio;

use super::{Error, Rendering, print};
use crate::deployment::Deployment;
use crate::envoy::{HttpUri, RemoteDataSource, Seconds};
use crate::kubernetes::{Metadata, Resource};
use kt_core::plan::Plan;
use kt_core::targets::{KeySource, Target};
use serde::Serialize;
use std::collections::BTreeMap;

/// Type of the filter's configuration.
pub(super) const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// Name of every resource of which there is one.
const NAME: &str = "kt";

/// Longest label that leaves room for what is put after it; Kubernetes allows 63 characters.
const MAX_LABEL_CHARS: usize = 48;

/// What a mesh has to be told beside the policy file.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Namespace of the gateway's workload, and of all resources.
    pub namespace: String,
    /// Where the filter's image or file is, such as `oci://registry.example.com/kt-filter:0.1.0`; `None`: a file in the proxy.
    pub wasm_url: Option<String>,
    /// Digest of the filter's file.
    pub wasm_sha256: Option<String>,
    /// The control plane.
    pub kind: Kind,
}

/// Whose resources are rendered.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Istio.
    Istio {
        /// Labels of the gateway's pods.
        selector: BTreeMap<String, String>,
    },
    /// Envoy Gateway.
    EnvoyGateway {
        /// The `GatewayClass`.
        class: String,
        /// Image of Envoy. The filter needs a newer one than a release of Envoy Gateway may bring.
        envoy_image: String,
    },
}

impl Mesh {
    /// Where the filter comes from if not from a file. The cluster is not used: Istio's agent fetches the filter and puts a
    /// file in its place.
    pub(super) fn remote_wasm(&self) -> Option<RemoteDataSource> {
        let (Some(uri), Kind::Istio { .. }) = (&self.wasm_url, &self.kind) else { return None };
        let http_uri = HttpUri { uri: uri.clone(), cluster: "_".into(), timeout: Seconds::from_secs(30) };
        Some(RemoteDataSource { http_uri, sha256: self.wasm_sha256.clone().unwrap_or_default() })
    }

    /// The control plane's name for a cluster. `name` is the filter's, which tells streams apart.
    pub(super) fn cluster(&self, plan: &Plan, target: &Target, name: &str) -> String {
        let labels = labels(plan);
        let position = labels.iter().position(|(known, _)| known == name).unwrap_or_default();
        let label = labels.get(position).map(|(_, label)| label.as_str()).unwrap_or_default();
        match &self.kind {
            Kind::Istio { .. } => {
                format!("outbound|{}|{label}|{}", target.endpoint.port, istio::host(plan, target))
            }
            Kind::EnvoyGateway { .. } => {
                format!("httproute/{}/{NAME}/rule/{position}", self.namespace)
            }
        }
    }

    fn metadata(&self, name: impl Into<String>) -> Metadata {
        Metadata { name: name.into(), namespace: self.namespace.clone() }
    }
}

/// The filter's names of all clusters, in order, and labels that Kubernetes takes.
fn labels(plan: &Plan) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for target in &plan.targets {
        let twin = target.has_streaming_twin().then(|| kt_core::attempt::streaming_twin(&target.id));
        for (name, suffix) in [(target.id.clone(), "")].into_iter().chain(twin.map(|twin| (twin, "-streams")))
        {
            let mut label = label(&target.id) + suffix;
            if labels.iter().any(|(_, taken)| *taken == label) {
                label = format!("{label}-{}", labels.len());
            }
            labels.push((name, label));
        }
    }
    labels
}

/// A target's id as Kubernetes writes names: lower case letters, digits and `-`.
fn label(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = id.chars().map(plain).take(MAX_LABEL_CHARS).collect();
    match label.trim_matches('-') {
        "" => "target".to_owned(),
        label => label.to_owned(),
    }
}

/// Environment variables that hold keys, each once.
fn key_variables(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for target in &plan.targets {
        if let KeySource::Env(name) | KeySource::Usual(name) = &target.key
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names
}

/// Files that hold keys, each once.
fn key_files(plan: &Plan) -> Vec<&str> {
    let mut files: Vec<&str> = Vec::new();
    for target in &plan.targets {
        if let KeySource::File(file) = &target.key
            && !files.contains(&file.as_str())
        {
            files.push(file);
        }
    }
    files
}

/// Resources as one stream of YAML documents.
struct Documents {
    text: String,
}

impl Documents {
    fn new(name: &str, about: &str) -> Documents {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let mut text = format!("# Generated by kt-control from {name}. Change that file, not this one.\n");
        text.push_str(&comment(about));
        Documents { text }
    }

    /// Adds a resource under a comment that says what it is for.
    fn add<Spec: Serialize>(
        &mut self,
        about: &str,
        api_version: &'static str,
        kind: &'static str,
        metadata: Metadata,
        spec: Spec,
    ) -> Result<(), Error> {
        let resource = Resource { api_version, kind, metadata, spec };
        self.text.push_str("---\n");
        self.text.push_str(&comment(about));
        self.text.push_str(&print(&resource)?);
        Ok(())
    }
}

fn comment(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}

/// Prints the resources. `name` and `source` are the operator's file.
pub fn to_yaml(
    plan: &Plan,
    name: &str,
    source: &str,
    deployment: &Deployment,
    mesh: &Mesh,
) -> Result<String, Error> {
    let rendering = Rendering { plan, source, deployment, generation: None, mesh: Some(mesh) };
    if let Some(key) = rendering.first_limit() {
        return Err(Error::LimitInMesh(key));
    }
    let documents = match &mesh.kind {
        Kind::Istio { selector } => istio::documents(&rendering, mesh, selector, name),
        Kind::EnvoyGateway { class, envoy_image } => {
            envoy_gateway::documents(&rendering, mesh, class, envoy_image, name)
        }
    }?;
    Ok(documents.text)
}

impl Rendering<'_> {
    /// What only the bootstrap can hold: labels of metrics, and where key files are.
    fn bootstrap_part(&self) -> Result<serde_json::Value, Error> {
        let mut part = serde_json::json!({"stats_config": self.process().stats_config});
        let secrets = self.static_secrets();
        if !secrets.is_empty()
            && let Some(part) = part.as_object_mut()
        {
            part.insert("static_resources".into(), serde_json::json!({"secrets": secrets}));
        }
        Ok(part)
    }

    /// Fields of the connection manager that the gateway depends on. The others stay the control plane's.
    fn connection_manager_part(&self) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        /// They name resources of the control plane.
        const THEIRS: &[&str] = &["route_config", "http_filters", "stat_prefix"];
        let whole = serde_json::to_value(self.http_connection_manager()?)?;
        let serde_json::Value::Object(mut part) = whole else { return Ok(serde_json::Map::new()) };
        for name in THEIRS {
            part.remove(*name);
        }
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, expected: &str) {
        assert_eq!(label(id), expected);
    }

    #[test]
    fn ids_become_names_that_kubernetes_takes() {
        check("together-llama-70b", "together-llama-70b");
        check("Local.v6", "local-v6");
        check("_._", "target");
        check(&"a".repeat(64), &"a".repeat(MAX_LABEL_CHARS));
    }
}

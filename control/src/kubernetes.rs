//! The part of the Kubernetes resources of Istio and of Envoy Gateway that is rendered, as types.
//!
//! Decides nothing. Structs and fields are named as in the projects' own APIs. Invariant: what these types can say is valid by
//! the projects' published schemas, which a test checks.

#![allow(missing_docs, reason = "the names are the projects', and so is their documentation")]

pub mod envoy_gateway;
pub mod istio;

use serde::Serialize;

/// One resource.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<Spec> {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub metadata: Metadata,
    pub spec: Spec,
}

#[derive(Debug, Clone, Serialize)]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
}

/// An environment variable whose value is in a `Secret`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    pub name: String,
    pub value_from: EnvVarSource,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVarSource {
    pub secret_key_ref: SecretKeySelector,
}

#[derive(Debug, Clone, Serialize)]
pub struct SecretKeySelector {
    pub name: String,
    pub key: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

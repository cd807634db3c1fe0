//! Runs the chain of the filter over one text after the other.
//!
//! Adds no rule of its own: what a text scores here is what `kt-control policy scan` prints for it.

use crate::corpus::{Span, Task};
use anyhow::{Result, anyhow};
use kt_core::config::Role;
use kt_core::plan;
use kt_core::policy::{Chain, Direction, Finding, PolicyKind, Scratch};
use serde_json::json;

/// Other names of the types in labelled texts, by the kind in our reason codes.
const TYPES: &[(&str, &str)] = &[
    ("date_of_birth", "DOB"),
    ("driving_licence", "DRIVER_LICENSE"),
    ("postal_address", "ADDRESS"),
    ("de_social_security", "DE_SSN"),
    ("us_driver_license", "DRIVER_LICENSE"),
    ("url_credentials", "URL"),
];

/// A chain, ready to look at texts.
pub struct Detector {
    chain: Chain,
    scratch: Scratch,
}

impl Detector {
    /// The chain of the quick start with every built-in kind, which only warns.
    pub fn new() -> Result<Detector> {
        let document = json!({
            "pack": {"name": "eval", "version": "1.0.0"},
            "policies": {"chain": ["prompt-injection", "pii-detector", "safety-filter"]},
            "providers": {"targets": [{
                "id": "model-server",
                "provider": "openai-compatible",
                "base_url": "http://127.0.0.1:1/v1",
                "secret_key_ref": {"env": "MODEL_SERVER_KEY"},
            }]},
        });
        let plan = plan::check(&document).map_err(|problems| {
            anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        Ok(Detector { chain: plan.chain, scratch: Scratch::default() })
    }

    /// The scores of the two scored policies: prompt injection, safety.
    pub fn scores(&mut self, text: &str) -> (f32, f32) {
        let (injection, safety) = self.chain.scores(text, &mut self.scratch);
        (injection.unwrap_or_default(), safety.unwrap_or_default())
    }

    /// What the PII detector finds, as the types of labelled texts, in order. For secrets only keys and passwords.
    pub fn spans(&mut self, text: &str, task: Task) -> Vec<Span> {
        let mut findings: Vec<Finding> = Vec::new();
        let (active, way) = (self.chain.all(), Direction::Request);
        self.chain.inspect(active, way, Role::User, text, 0, &mut self.scratch, &mut findings);
        let found = findings.into_iter().filter(|finding| finding.policy == PolicyKind::PiiDetector);
        found
            .filter_map(|finding| Some((finding.range.start, finding.range.end, kind(&finding.kind, task)?)))
            .collect()
    }
}

fn kind(kind: &str, task: Task) -> Option<String> {
    let secret = kind.starts_with("secret");
    if task == Task::Secrets {
        return secret.then(|| "SECRET".to_owned());
    }
    let other = TYPES.iter().find(|(ours, _)| *ours == kind).map(|(_, theirs)| (*theirs).to_owned());
    Some(other.unwrap_or_else(|| kind.to_ascii_uppercase()))
}

//! What is known of models by their id: name, vendor, context length, quantization.
//!
//! Together's list as its documentation prints it, shipped as data in `catalog/together.json`. It informs only: a model that is
//! not in it is served like any other. Days of removal are those of LiteLLM's table of models. Invariant: ids are unique, which a test checks.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What a request calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// Format of its weights, such as `fp8`; `None` where the provider does not say.
    pub quantization: Option<String>,
    /// Ways to be served.
    pub deployments: Vec<Deployment>,
    /// The day from which the provider serves it to all no more, as `2026-03-06`; `None` where none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
}

/// A way in which a provider serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deployment {
    /// Shared by all customers, paid by the token.
    Serverless,
    /// On machines of the customer's own, paid by the hour.
    Dedicated,
}

impl Deployment {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Deployment::Serverless => "serverless",
            Deployment::Dedicated => "dedicated",
        }
    }
}

/// Every model of the catalog, in the provider's order.
pub fn models() -> &'static [Model] {
    static MODELS: OnceLock<Vec<Model>> = OnceLock::new();
    // The text is part of the program, and a test reads it.
    MODELS.get_or_init(|| serde_json::from_str(include_str!("catalog/together.json")).unwrap_or_default())
}

/// The model of this id.
pub fn find(id: &str) -> Option<&'static Model> {
    models().iter().find(|model| model.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_stands_once_and_has_a_context_length() {
        let mut ids: Vec<&str> = models().iter().map(|model| model.id.as_str()).collect();
        assert!(ids.len() > 50, "{}", ids.len());
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(models().iter().all(|model| model.context_length >= 2048 && !model.deployments.is_empty()));
    }

    #[test]
    fn a_day_of_removal_is_a_day() {
        let days: Vec<&str> = models().iter().filter_map(|model| model.removed.as_deref()).collect();
        assert_eq!(days.len(), 8);
        for day in days {
            let shape: String = day.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "0000-00-00");
        }
    }

    #[track_caller]
    fn check(id: &str, expected: Option<(u32, Option<&str>, &[Deployment])>) {
        let found = find(id).map(|m| (m.context_length, m.quantization.as_deref(), &m.deployments[..]));
        assert_eq!(found, expected, "{id}");
    }

    #[test]
    fn models_are_found_by_their_whole_id() {
        use Deployment::{Dedicated, Serverless};
        check("meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", Some((130_815, Some("fp8"), &[Serverless])));
        check("meta-llama/Llama-3.3-70B-Instruct-Turbo", Some((131_072, None, &[Serverless])));
        check("Gryphe/MythoMax-L2-13b", Some((4096, Some("fp16"), &[Serverless, Dedicated])));
        check(
            "gradientai/Llama-3-70B-Instruct-Gradient-1048k",
            Some((1_048_576, Some("fp16"), &[Dedicated])),
        );
        check("Gryphe/MythoMax-L2", None);
    }
}

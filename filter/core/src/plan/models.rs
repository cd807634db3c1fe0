//! What `GET /v1/models` lists: every model that a target serves under its name.
//!
//! Written ahead of time as JSON text, so that the module in Envoy only puts entries together. Invariant: an entry is one that
//! the SDKs of OpenAI and of Together both read, and one model has one entry however many targets serve it.

use super::Plan;
use crate::plugin::Model;
use crate::targets::Target;
use serde::Serialize;

/// What is known of a model apart from the configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// Name for people.
    pub display_name: Option<String>,
    /// Who made it.
    pub organization: Option<String>,
    /// Longest input and answer together, in tokens.
    pub context_length: Option<u32>,
    /// Number formats of its weights; the target's own word wins.
    pub quantizations: Vec<String>,
}

/// One entry. The union of OpenAI's members and Together's: neither SDK minds the other's.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    quantizations: &'a [String],
    /// Together's older SDK fails without it.
    pricing: Prices,
}

/// USD per 1M tokens. All or none: Together's SDK declares them together.
#[derive(Serialize, Default)]
struct Prices {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    known: Option<KnownPrices>,
}

#[derive(Serialize)]
struct KnownPrices {
    input: f64,
    output: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input: Option<f64>,
    hourly: u32,
    base: u32,
    finetune: u32,
}

impl Plan {
    /// The models in the order of the targets; `known` adds what the catalog says of a target's model.
    pub fn models(&self, known: &dyn Fn(&Target) -> Option<Known>) -> Vec<Model> {
        let router = self.config.providers.router.iter();
        let names = router.flat_map(|router| &router.models);
        let mut models: Vec<Model> = names.map(|name| virtual_model(name)).collect();
        for target in &self.targets {
            // A target that passes the client's model on is there under its id.
            let name = target.model.as_deref().unwrap_or(&target.id);
            if let Some(model) = models.iter_mut().find(|model| model.id == name) {
                model.targets.push(target.id.clone());
                continue;
            }
            let document = entry(name, target, &known(target).unwrap_or_default());
            models.push(Model { id: name.to_owned(), targets: vec![target.id.clone()], document });
        }
        models
    }
}

/// A name that stands for several models.
fn virtual_model(name: &str) -> Model {
    let document = json(&Entry { owned_by: "gateway", ..Entry::named(name) });
    Model { id: name.to_owned(), targets: Vec::new(), document }
}

fn json(entry: &Entry) -> String {
    // Strings and finite numbers: nothing that JSON cannot say.
    serde_json::to_string(entry).unwrap_or_default()
}

fn entry(name: &str, target: &Target, known: &Known) -> String {
    let prices = target.pricing.as_ref().map(|prices| KnownPrices {
        input: prices.prompt,
        output: prices.completion,
        cached_input: prices.cached,
        hourly: 0,
        base: 0,
        finetune: 0,
    });
    json(&Entry {
        owned_by: &target.provider,
        display_name: known.display_name.as_deref(),
        organization: known.organization.as_deref(),
        context_length: known.context_length,
        quantizations: match target.quantizations.as_slice() {
            [] => &known.quantizations,
            own => own,
        },
        pricing: Prices { known: prices },
        ..Entry::named(name)
    })
}

impl<'a> Entry<'a> {
    fn named(id: &'a str) -> Entry<'a> {
        Entry {
            id,
            object: "model",
            created: 0,
            owned_by: "",
            r#type: "chat",
            display_name: None,
            organization: None,
            context_length: None,
            quantizations: &[],
            pricing: Prices::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn models(targets: Value) -> Vec<Model> {
        let document = json!({
            "pack": {"name": "p", "version": "1.0.0"},
            "policies": {"chain": ["audit-logger"]},
            "providers": {"targets": targets},
        });
        let known = |target: &Target| {
            (target.id == "a" && target.model.as_deref() == Some("org/m")).then(|| Known {
                context_length: Some(131_072),
                quantizations: vec!["FP8".into()],
                ..Known::default()
            })
        };
        super::super::check(&document).unwrap().models(&known)
    }

    #[test]
    fn one_model_has_one_entry_however_many_targets_serve_it() {
        let models = models(json!([
            {"id": "a", "provider": "together", "model": "org/m"},
            {"id": "b", "provider": "openai", "model": "org/m"},
            {"id": "c", "provider": "openai"},
        ]));
        let listed: Vec<_> =
            models.iter().map(|model| (model.id.as_str(), model.targets.join("+"))).collect();
        assert_eq!(listed, [("org/m", "a+b".to_owned()), ("c", "c".to_owned())]);
    }

    #[test]
    fn an_entry_says_what_the_catalog_and_the_target_know() {
        let models = models(json!([
            {"id": "a", "provider": "together", "model": "org/m"},
            {"id": "b", "provider": "together", "model": "x", "quantizations": "int4", "pricing": {"prompt": 0.5, "completion": 1}},
        ]));
        let entry = |position: usize| serde_json::from_str::<Value>(&models[position].document).unwrap();
        let known = json!({
            "id": "org/m", "object": "model", "created": 0, "owned_by": "together", "type": "chat",
            "context_length": 131_072, "quantizations": ["FP8"], "pricing": {},
        });
        assert_eq!(entry(0), known);
        assert_eq!(entry(1)["quantizations"], json!(["int4"]));
        let prices = json!({"input": 0.5, "output": 1.0, "hourly": 0, "base": 0, "finetune": 0});
        assert_eq!((&entry(1)["pricing"], &entry(1)["context_length"]), (&prices, &Value::Null));
    }
}

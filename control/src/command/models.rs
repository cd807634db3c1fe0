//! `models`: what is known of models by their id.

use super::{Result, Status, note, print};
use crate::catalog::{Deployment, Model, models};
use clap::Args;

/// Options of `models`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only models whose id, name or vendor contains this, whatever its case
    #[arg(value_name = "TEXT")]
    filter: Option<String>,
    /// Prints a list of objects
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let wanted = self.filter.as_deref().unwrap_or_default().to_lowercase();
        let fits = |text: &str| text.to_lowercase().contains(&wanted);
        let found: Vec<&Model> = models()
            .iter()
            .filter(|model| fits(&model.id) || fits(&model.name) || fits(&model.vendor))
            .collect();
        if self.json {
            print(&(serde_json::to_string_pretty(&found)? + "\n"))?;
        } else {
            print(&table(&found))?;
        }
        if found.is_empty() {
            note("no model of the catalog fits; one that is not in it is served like any other");
            return Ok(Status::Findings);
        }
        Ok(Status::Fine)
    }
}

fn table(models: &[&Model]) -> String {
    let width = |of: fn(&Model) -> &str| models.iter().map(|m| of(m).chars().count()).max().unwrap_or(0);
    let (id, vendor) = (width(|m| &m.id).max(2), width(|m| &m.vendor).max(6));
    let mut text =
        format!("{:id$}  {:vendor$}  {:>9}  {:8}  DEPLOYMENT\n", "ID", "VENDOR", "CONTEXT", "WEIGHTS");
    for model in models {
        let mut deployments: Vec<&str> = model.deployments.iter().map(|d| Deployment::as_str(*d)).collect();
        let removed = model.removed.as_ref().map(|day| format!("removed {day}"));
        deployments.extend(removed.as_deref());
        text.push_str(&format!(
            "{:id$}  {:vendor$}  {:>9}  {:8}  {}\n",
            model.id,
            model.vendor,
            model.context_length,
            model.quantization.as_deref().unwrap_or("-"),
            deployments.join(", "),
        ));
    }
    text
}

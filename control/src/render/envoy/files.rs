//! The same configuration as files that Envoy watches, so that it can change without a restart.
//!
//! Writes nothing itself. Invariant: clusters of two generations have different names, so that a request that began under
//! the old listener meets the old clusters.

use super::{Error, Rendering, print};
use crate::deployment::Deployment;
use crate::envoy::*;
use kt_core::plan::Plan;
use std::path::{Path, PathBuf};

/// One state of the configuration in a folder of its own.
#[derive(Debug, Clone, Copy)]
pub struct Generation<'a> {
    /// The folder Envoy watches; nothing else is in it.
    pub folder: &'a Path,
    /// Counts up with every change.
    pub number: u64,
}

/// What stands in the folder, as text.
#[derive(Debug, Clone)]
pub struct Files {
    /// What Envoy is started with.
    pub bootstrap: String,
    /// Envoy's listener. Takes effect the moment it is renamed into place.
    pub listeners: String,
    /// Places and contents of the notes on where keys are.
    pub secrets: Vec<(PathBuf, String)>,
    clusters: Vec<Cluster>,
    number: u64,
}

impl Generation<'_> {
    /// Place of the listener.
    pub fn listeners(&self) -> PathBuf {
        self.folder.join("listeners.yaml")
    }

    /// Place of the clusters.
    pub fn clusters(&self) -> PathBuf {
        self.folder.join("clusters.yaml")
    }
}

/// A file that Envoy reads again when something is renamed into its folder.
pub(super) fn config_source(file: &Path) -> ConfigSource {
    let folder = file.parent().unwrap_or(Path::new("/")).display().to_string();
    ConfigSource {
        resource_api_version: ApiVersion::V3,
        path_config_source: PathConfigSource {
            path: file.display().to_string(),
            watched_directory: WatchedDirectory { path: folder },
        },
    }
}

impl Rendering<'_> {
    /// Where Envoy looks for notes on key files; `None`: it reads the keys once, at its start.
    pub(super) fn notes_folder(&self) -> Option<&Path> {
        match self.generation {
            Some(generation) => Some(generation.folder),
            None => self.deployment.key_notes.as_deref(),
        }
    }

    /// Place of the note on a key.
    pub(super) fn note(&self, name: &str) -> Option<PathBuf> {
        let generation = self.generation.map(|generation| format!("@{}", generation.number));
        Some(self.notes_folder()?.join(format!("{name}{}.yaml", generation.unwrap_or_default())))
    }

    /// Places and contents of the notes on where keys are.
    pub(super) fn notes(&self) -> Result<Vec<(PathBuf, String)>, Error> {
        let number = self.generation.map_or(0, |generation| generation.number);
        let mut notes = Vec::new();
        for (name, secret) in self.plan.targets.iter().filter_map(|target| self.secret(target)) {
            if let Some(place) = self.note(&name) {
                notes.push((place, response(number, vec![Any::Secret(secret)])?));
            }
        }
        Ok(notes)
    }
}

impl Files {
    /// Renders one generation. `source` is the operator's file.
    pub fn render(
        plan: &Plan,
        source: &str,
        deployment: &Deployment,
        generation: &Generation<'_>,
    ) -> Result<Files, Error> {
        let rendering = Rendering { plan, source, deployment, generation: Some(generation), mesh: None };
        let mut bootstrap = rendering.process();
        bootstrap.dynamic_resources = Some(DynamicResources {
            lds_config: config_source(&generation.listeners()),
            cds_config: config_source(&generation.clusters()),
        });
        let listener = Any::Listener(Box::new(rendering.listener()?));
        Ok(Files {
            bootstrap: print(&bootstrap)?,
            listeners: response(generation.number, vec![listener])?,
            secrets: rendering.notes()?,
            clusters: rendering.all_clusters()?,
            number: generation.number,
        })
    }

    /// The clusters of this generation and of older ones under which requests are still under way.
    pub fn clusters<'f>(&'f self, older: impl IntoIterator<Item = &'f Files>) -> Result<String, Error> {
        let clusters = older.into_iter().flat_map(|files| &files.clusters).chain(&self.clusters);
        response(self.number, clusters.map(|cluster| Any::Cluster(Box::new(cluster.clone()))).collect())
    }
}

fn response(number: u64, resources: Vec<Any>) -> Result<String, Error> {
    print(&DiscoveryResponse { version_info: number.to_string(), resources })
}

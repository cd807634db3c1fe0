//! The same configuration as files that Envoy watches, so that it can change without a restart.
//!
//! Writes nothing itself. Invariant: clusters of two generations have different names, so that a request that began under
//! the old listener meets the old clusters.

use super::cluster::plain;
use super::{CONFIG_HEADER, Error, Rendering, print};
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
    routes: RouteConfiguration,
    clusters: Vec<Cluster>,
    number: u64,
}

/// Cluster that serves nothing and counts: its members are 1 while a changed file was not taken over. Envoy has no other way for
/// its surroundings to set one of its metrics.
const REFUSED: &str = "kt_config_refused";

impl Generation<'_> {
    /// Place of the listener.
    pub fn listeners(&self) -> PathBuf {
        self.folder.join("listeners.yaml")
    }

    /// Place of the routes. Listeners of older generations keep theirs.
    pub fn routes(&self) -> PathBuf {
        self.folder.join(format!("routes@{}.yaml", self.number))
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
    /// Which change this is.
    pub fn number(&self) -> u64 {
        self.number
    }

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
            routes: rendering.route_configuration(),
            clusters: rendering.all_clusters()?,
            number: generation.number,
        })
    }

    /// The routes. `refused` is the digest of a later file that was not taken over.
    pub fn routes(&self, refused: Option<&str>) -> Result<String, Error> {
        let mut routes = self.routes.clone();
        let all = routes.virtual_hosts.iter_mut().flat_map(|host| &mut host.routes);
        let headers =
            all.flat_map(|route| &mut route.response_headers_to_add).map(|option| &mut option.header);
        if let Some(refused) = refused {
            for header in headers.filter(|header| header.key == CONFIG_HEADER) {
                header.value.push_str(&format!(" refused={refused}"));
            }
        }
        response(self.number, vec![Any::RouteConfiguration(Box::new(routes))])
    }

    /// The clusters of this generation and of older ones under which requests are still under way.
    pub fn clusters<'f>(
        &'f self,
        older: impl IntoIterator<Item = &'f Files>,
        refused: bool,
    ) -> Result<String, Error> {
        let gauge = refused_gauge(refused);
        let older = older.into_iter().flat_map(|files| &files.clusters);
        let clusters = older.chain(&self.clusters).chain([&gauge]);
        response(self.number, clusters.map(|cluster| Any::Cluster(Box::new(cluster.clone()))).collect())
    }
}

fn refused_gauge(refused: bool) -> Cluster {
    let nowhere = refused.then(|| LbEndpoint::at(REFUSED, Address::new("127.0.0.1", 0)));
    plain(REFUSED.into(), true, nowhere.into_iter().collect())
}

fn response(number: u64, resources: Vec<Any>) -> Result<String, Error> {
    print(&DiscoveryResponse { version_info: number.to_string(), resources })
}

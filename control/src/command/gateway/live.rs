//! The configuration in force, and how it changes under traffic.
//!
//! Envoy takes over a file the moment it is renamed into the folder it watches. Invariant: at every moment each listener
//! that still carries requests finds its clusters: new clusters come first, then the listener, and old clusters go when
//! the requests under them had their time.

use super::process::Envoy;
use crate::command::{Loaded, Result, put};
use crate::deployment::Deployment;
use crate::render::envoy::{self, Files, Generation};
use anyhow::{Context, anyhow, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// New clusters resolve names first.
const CLUSTERS_LIMIT: Duration = Duration::from_secs(20);

/// A new listener starts the filter on every worker.
const LISTENER_LIMIT: Duration = Duration::from_secs(20);

/// What Envoy was last told, and the folder through which it is told.
pub(super) struct Live {
    /// Everything of this run; gone when the run is over.
    run: tempfile::TempDir,
    deployment: Deployment,
    program: PathBuf,
    number: u64,
    files: Files,
    /// Digest of a changed file that was not taken over; the one before is in force.
    refused: Option<String>,
    /// Older configurations and when nobody needs them any more.
    older: Vec<(Instant, Files)>,
}

impl Live {
    /// Writes the first configuration.
    pub(super) fn prepare(loaded: &Loaded, deployment: Deployment, program: PathBuf) -> Result<Live> {
        let run =
            tempfile::Builder::new().prefix("kt-").tempdir().context("cannot make a folder for the run")?;
        std::fs::create_dir(run.path().join("watched")).context("cannot make a folder for the run")?;
        let files = render(loaded, &deployment, &watched(run.path()), 1)?;
        let live = Live { run, deployment, program, number: 1, files, refused: None, older: Vec::new() };
        live.write_secrets(&live.files)?;
        live.write_routes(1, &live.files)?;
        live.write_clusters()?;
        let folder = live.folder();
        live.put(&generation(&folder, 1).listeners(), &live.files.listeners)?;
        std::fs::write(live.bootstrap(), &live.files.bootstrap).context("cannot write Envoy's bootstrap")?;
        Ok(live)
    }

    /// What Envoy is started with.
    pub(super) fn bootstrap(&self) -> PathBuf {
        self.run.path().join("envoy.yaml")
    }

    /// Puts a changed policy file into force; gives the number of the change.
    pub(super) fn apply(&mut self, loaded: &Loaded, envoy: &Envoy) -> Result<u64> {
        self.validate(loaded, envoy)?;
        let number = self.number + 1;
        let files = render(loaded, &self.deployment, &self.folder(), number)?;
        self.write_secrets(&files)?;
        let refused = self.refused.take();
        self.write_routes(number, &files)?;
        let retired_at = Instant::now() + envoy.drain;
        let replaced = std::mem::replace(&mut self.files, files);
        self.older.push((retired_at, replaced));
        self.number = number;
        let outcome = self.bring_in(number, envoy);
        if outcome.is_err()
            && let Some((_, replaced)) = self.older.pop()
        {
            // The listener of before is still there, so its clusters must be.
            self.files = replaced;
            self.refused = refused;
            self.write_clusters()?;
        }
        outcome.map(|()| number)
    }

    /// Says on `/readyz` and in a metric that a changed file is not in force.
    pub(super) fn refuse(&mut self, digest: String) -> Result<()> {
        self.refused = Some(digest);
        self.write_routes(self.files.number(), &self.files)?;
        self.write_clusters()
    }

    fn bring_in(&self, number: u64, envoy: &Envoy) -> Result<()> {
        let folder = self.folder();
        let taken = |what: &str, before: (u64, u64)| {
            let what = what.to_owned();
            move |envoy: &Envoy| {
                if envoy.stat(&format!("{what}.update_rejected"))? > before.1 {
                    bail!("Envoy refused it; its log says why");
                }
                Ok(envoy.stat(&format!("{what}.update_success"))? > before.0)
            }
        };
        let counts = |what: &str| -> Result<(u64, u64)> {
            Ok((
                envoy.stat(&format!("{what}.update_success"))?,
                envoy.stat(&format!("{what}.update_rejected"))?,
            ))
        };
        let before = counts("cluster_manager.cds")?;
        self.write_clusters()?;
        envoy.wait_until(CLUSTERS_LIMIT, taken("cluster_manager.cds", before))?;
        envoy.wait_until(CLUSTERS_LIMIT, |envoy| Ok(envoy.stat("cluster_manager.warming_clusters")? == 0))?;
        let before = counts("listener_manager.lds")?;
        self.put(&generation(&folder, number).listeners(), &self.files.listeners)?;
        envoy.wait_until(LISTENER_LIMIT, taken("listener_manager.lds", before))?;
        envoy.wait_until(LISTENER_LIMIT, |envoy| {
            Ok(envoy.stat("listener_manager.total_listeners_warming")? == 0)
        })
    }

    /// Lets go of clusters that nobody needs any more.
    pub(super) fn retire(&mut self, now: Instant) -> Result<()> {
        let before = self.older.len();
        let folder = self.folder();
        self.older.retain(|(retired_at, files)| {
            let stays = *retired_at > now;
            if !stays {
                // Nobody reads it any more; if it stays, it goes with the folder.
                let _ = std::fs::remove_file(generation(&folder, files.number()).routes());
            }
            stays
        });
        if self.older.len() < before {
            self.write_clusters()?;
        }
        Ok(())
    }

    /// Lets a second Envoy read everything, the filter included, so that a mistake never reaches the first.
    fn validate(&self, loaded: &Loaded, envoy: &Envoy) -> Result<()> {
        let file = self.run.path().join("candidate.yaml");
        let yaml = envoy::to_yaml(&loaded.plan, "a candidate", &loaded.source.text, &self.deployment);
        std::fs::write(&file, yaml.map_err(|error| anyhow!(error))?).context("cannot write the candidate")?;
        let mut child = Command::new(&self.program)
            .args(["--mode", "validate", "--log-level", "error", "-c"])
            .arg(&file)
            .stdout(std::process::Stdio::null())
            .spawn()
            .context("cannot start Envoy to check the change")?;
        let waited = envoy.wait_until(Duration::from_secs(60), |_| Ok(child.try_wait()?.is_some()));
        if waited.is_err() {
            // It has ended already, or it is of no use any more.
            let _ = child.kill();
        }
        let ended = child.wait().context("cannot wait for Envoy to check the change")?;
        waited?;
        if !ended.success() {
            bail!("Envoy refused it: {ended}");
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        watched(self.run.path())
    }

    fn write_clusters(&self) -> Result<()> {
        let clusters = self.files.clusters(self.older.iter().map(|(_, files)| files), self.refused.is_some());
        let folder = self.folder();
        self.put(&generation(&folder, self.number).clusters(), &clusters.map_err(|error| anyhow!(error))?)
    }

    fn write_routes(&self, number: u64, files: &Files) -> Result<()> {
        let routes = files.routes(self.refused.as_deref()).map_err(|error| anyhow!(error))?;
        self.put(&generation(&self.folder(), number).routes(), &routes)
    }

    fn write_secrets(&self, files: &Files) -> Result<()> {
        files.secrets.iter().try_for_each(|(place, text)| self.put(place, text))
    }

    fn put(&self, place: &Path, text: &str) -> Result<()> {
        put(&self.run.path().join("draft.yaml"), place, text)
    }
}

/// The folder that Envoy watches.
fn watched(run: &Path) -> PathBuf {
    run.join("watched")
}

fn generation(folder: &Path, number: u64) -> Generation<'_> {
    Generation { folder, number }
}

fn render(loaded: &Loaded, deployment: &Deployment, folder: &Path, number: u64) -> Result<Files> {
    let generation = generation(folder, number);
    Files::render(&loaded.plan, &loaded.source.text, deployment, &generation).map_err(|error| anyhow!(error))
}

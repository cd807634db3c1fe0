//! `gateway run`: checks, renders, and runs Envoy as a child until it is told to stop.
//!
//! Carries no traffic. A changed policy file takes effect without dropping a request; one with problems is reported and the
//! old one stays in force. Invariant: Envoy does not outlive this process's wait for it, and no key is written to disk.

mod live;
pub(crate) mod process;

use super::render::address;
use super::{Loaded, Result, Status, check, complain, missing_keys, note, read};
use crate::deployment::{Deployment, usual_wasm};
use crate::render::envoy::short_digest;
use crate::report::Finding;
use anyhow::Context;
use clap::{Args, ValueEnum};
use kt_core::config::OnError;
use live::Live;
use process::{Envoy, find_envoy};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    /// Address of Envoy's admin interface, instead of `gateway.admin`
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    admin: Option<SocketAddr>,
    /// How Envoy and the gateway log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
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

/// A form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

impl LogFormat {
    /// Envoy's words for it; its own are for people.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            LogFormat::Text => &[],
            LogFormat::Json => {
                &["--log-format", r#"{"time":"%Y-%m-%dT%T.%e%z","level":"%l","logger":"%n","message":"%j"}"#]
            }
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailMode {
    /// The request is refused
    Block,
    /// The request goes on without that policy
    Allow,
}

/// How often the policy file is looked at. Reading it is cheaper than explaining why a watch missed a rename.
const LOOK_AT_FILE: Duration = Duration::from_secs(1);

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let (name, mut text) = read(&self.policy_config)?;
        let loaded = match self.ready(&name, &text) {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        let program = find_envoy(self.envoy.clone())?;
        let deployment = self.deployment()?;
        let mut live = Live::prepare(&loaded, deployment, program.clone())?;
        let mut envoy = Envoy::start(
            &program,
            &live.bootstrap(),
            self.concurrency,
            self.log_format.arguments(),
            &loaded.plan,
        )?;
        let listen = self.listen.unwrap_or(loaded.plan.listen);
        self.say(&format!(
            "`{}` on http://{listen}, admin on http://{}",
            loaded.plan.config.pack.name, envoy.admin
        ));
        let mut looked_at = Instant::now();
        loop {
            if let Some(status) = envoy.tick()? {
                return Ok(status);
            }
            live.retire(Instant::now())?;
            if looked_at.elapsed() < LOOK_AT_FILE || self.policy_config == Path::new("-") {
                continue;
            }
            looked_at = Instant::now();
            // A file that is gone for a moment is being replaced.
            let Ok(now) = std::fs::read_to_string(&self.policy_config) else { continue };
            if now != text {
                text = now;
                self.change(&name, &text, &mut live, &mut envoy);
            }
        }
    }

    /// Puts a changed file into force, or says why not.
    fn change(&self, name: &str, text: &str, live: &mut Live, envoy: &mut Envoy) {
        let outcome = match self.ready(name, text) {
            Ok(loaded) => {
                if loaded.plan.admin != envoy.admin {
                    self.say("a new `gateway.admin` needs a restart");
                }
                live.apply(&loaded, envoy)
            }
            Err(findings) => {
                complain(&findings);
                Err(anyhow::anyhow!("the file has problems"))
            }
        };
        match outcome {
            Ok(number) => self.say(&format!("change {number} of `{name}` is in force")),
            Err(error) => {
                self.say(&format!("`{name}` changed and was not taken over: {error:#}"));
                if let Err(error) = live.refuse(short_digest(text)) {
                    self.say(&format!("Envoy cannot be told: {error:#}"));
                }
            }
        }
    }

    /// Says what the gateway does, in the form in which Envoy logs.
    fn say(&self, message: &str) {
        match self.log_format {
            LogFormat::Text => note(&format!("kt: {message}")),
            LogFormat::Json => {
                note(&json!({"level": "info", "logger": "kt", "message": message}).to_string())
            }
        }
    }

    /// A policy file that can be run here and now.
    fn ready(&self, name: &str, text: &str) -> std::result::Result<Loaded, Vec<Finding>> {
        let mut loaded = check(name, text.to_owned())?;
        let missing = missing_keys(&loaded.source, &loaded.plan);
        if !missing.is_empty() {
            return Err(missing);
        }
        if let Some(admin) = self.admin {
            loaded.plan.admin = admin;
        }
        match self.fail_mode {
            None => {}
            Some(FailMode::Block) => loaded.plan.config.gateway.on_error = OnError::Block,
            Some(FailMode::Allow) => loaded.plan.config.gateway.on_error = OnError::Allow,
        }
        Ok(loaded)
    }

    fn deployment(&self) -> Result<Deployment> {
        let wasm = self.wasm.clone().unwrap_or_else(usual_wasm);
        let absolute = wasm.canonicalize();
        let absolute = absolute
            .with_context(|| format!("there is no filter at `{}`; name it with --wasm", wasm.display()))?;
        let mut deployment = Deployment::new(absolute);
        deployment.listen = self.listen;
        deployment.access_log = self.access_log.clone();
        if let Some(ca_file) = &self.ca_file {
            deployment.ca_file = ca_file.clone();
        }
        Ok(deployment)
    }
}

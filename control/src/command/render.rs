//! `render`: the configuration of another program, on standard output.

use super::{Loaded, Result, Status, complain, load, missing_keys, note, print, put};
use crate::cli::PolicyFile;
use crate::deployment::{Deployment, usual_wasm};
use crate::render::{envoy, plugin};
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use kt_core::plan::socket_address;
use kt_core::targets::KeySource;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Options of `render`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    file: PolicyFile,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Envoy)]
    format: Format,
    /// The filter, as Envoy finds it
    #[arg(long, value_name = "PATH")]
    wasm: Option<PathBuf>,
    /// Address of the API, instead of `gateway.listen`
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Where Envoy writes one line per exchange
    #[arg(long, value_name = "PATH", default_value = "/dev/stdout")]
    access_log: PathBuf,
    /// Does not ask that the keys are here, for an Envoy that starts elsewhere
    #[arg(long)]
    keys_later: bool,
    /// Folder for notes that let Envoy follow key files which are replaced (`secret_key_ref: {file}`); without it a key is read
    /// once, when Envoy starts. Envoy must find the folder under this path
    #[arg(long, value_name = "DIR")]
    key_notes: Option<PathBuf>,
    /// Certificates of the authorities that targets are checked against
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// What `render` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A complete static bootstrap of Envoy
    Envoy,
    /// The filter's own configuration
    Plugin,
}

/// An address on the command line.
pub(crate) fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    socket_address(text).ok_or_else(|| "an IP address and a port, such as 0.0.0.0:41002".to_owned())
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let Loaded { source, plan } = match load(&self.file.policy_file)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        if self.format == Format::Plugin {
            print(&plugin::to_json(&plugin::downstream(&plan, &source.text))?)?;
            return Ok(Status::Fine);
        }
        let mut deployment = Deployment::new(self.wasm.unwrap_or_else(usual_wasm));
        deployment.access_log = self.access_log;
        deployment.listen = self.listen;
        deployment.key_notes = self.key_notes.map(std::path::absolute).transpose()?;
        if let Some(ca_file) = self.ca_file {
            deployment.ca_file = ca_file;
        }
        if !deployment.wasm.is_file() {
            note(&format!(
                "warning: there is no filter at `{}` on this machine; name it with --wasm if Envoy finds it elsewhere",
                deployment.wasm.display()
            ));
        }
        if deployment.key_notes.is_none() && plan.targets.iter().any(|t| matches!(t.key, KeySource::File(_)))
        {
            note("note: Envoy reads the key files once, at its start; with --key-notes DIR it follows them");
        }
        if !self.keys_later {
            let missing = missing_keys(&source, &plan);
            if !missing.is_empty() {
                complain(&missing);
                note("help: --keys-later renders without them, for an Envoy that starts elsewhere");
                return Ok(Status::Findings);
            }
        }
        let name = source.name.clone();
        let yaml = envoy::to_yaml(&plan, &name, &source.text, &deployment).map_err(|error| anyhow!(error))?;
        for (place, text) in envoy::key_notes(&plan, &deployment)? {
            put(&place.with_extension("draft"), &place, &text)?;
        }
        print(&yaml)?;
        Ok(Status::Fine)
    }
}

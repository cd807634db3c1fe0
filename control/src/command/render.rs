//! `render`: the configuration of another program, on standard output.

use super::{Loaded, Result, Status, complain, load, missing_keys, note, print, put};
use crate::cli::PolicyFile;
use crate::deployment::{Deployment, usual_wasm};
use crate::render::envoy::mesh::{self, Kind, Mesh};
use crate::render::envoy::{self, Files, Generation};
use crate::render::plugin;
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use kt_core::plan::{Plan, socket_address};
use kt_core::targets::KeySource;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

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
    /// Folder that `xds` writes: `envoy.yaml` to start Envoy with, and the files that it watches
    #[arg(long, value_name = "DIR", required_if_eq("format", "xds"))]
    out: Option<PathBuf>,
    #[command(flatten)]
    mesh: MeshOptions,
}

/// Options of `render` for meshes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Istio and Envoy Gateway")]
struct MeshOptions {
    /// Namespace of the gateway's pods [default: istio-system, or default for Envoy Gateway]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Image of the filter, such as `oci://registry.example.com/kt-filter:0.1.0`, which `make wasm-image` makes; Istio also takes
    /// `https://`
    #[arg(long, value_name = "URL", required_if_eq("format", "envoy-gateway"))]
    wasm_url: Option<String>,
    /// SHA-256 of the filter's file, for Istio
    #[arg(long, value_name = "HEX")]
    wasm_sha256: Option<String>,
    /// Labels of the gateway's pods, for Istio
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, default_values = ["istio=ingressgateway"])]
    selector: Vec<(String, String)>,
    /// The GatewayClass, for Envoy Gateway
    #[arg(long, value_name = "NAME", default_value = "eg")]
    gateway_class: String,
    /// Image of Envoy, for Envoy Gateway
    #[arg(long, value_name = "IMAGE", default_value = "envoyproxy/envoy:v1.40.0")]
    envoy_image: String,
}

/// A label on the command line.
fn label(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a key, `=` and a value, such as `istio=ingressgateway`".into()),
    }
}

impl MeshOptions {
    fn istio(self) -> Mesh {
        Mesh {
            namespace: self.namespace.unwrap_or_else(|| "istio-system".into()),
            wasm_url: self.wasm_url,
            wasm_sha256: self.wasm_sha256,
            kind: Kind::Istio { selector: self.selector.into_iter().collect() },
        }
    }

    fn envoy_gateway(self) -> Mesh {
        Mesh {
            namespace: self.namespace.unwrap_or_else(|| "default".into()),
            wasm_url: self.wasm_url,
            wasm_sha256: self.wasm_sha256,
            kind: Kind::EnvoyGateway { class: self.gateway_class, envoy_image: self.envoy_image },
        }
    }
}

/// Where the filter is in the proxy's container, if nothing else is said. `make wasm-image` puts it there.
const WASM_IN_POD: &str = "/etc/kt/plugin.wasm";

/// Where Envoy's images have the certificates of the usual authorities.
const CA_FILE_IN_POD: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What `render` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A complete static bootstrap of Envoy
    Envoy,
    /// A bootstrap, and the listener and clusters as files that Envoy watches; into the folder --out
    Xds,
    /// The filter's own configuration: the policies, without routing
    Plugin,
    /// The limits of `budget-enforcement.shared`, for the service that counts them (envoyproxy/ratelimit)
    Ratelimit,
    /// Resources for a gateway of Istio
    Istio,
    /// Resources for Envoy Gateway
    EnvoyGateway,
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
        if self.format == Format::Ratelimit {
            let Some(config) = envoy::service_config(&plan).map_err(|error| anyhow!(error))? else {
                note("`policy.budget-enforcement.shared` names no service; there is nothing to print");
                return Ok(Status::Findings);
            };
            print(&config)?;
            return Ok(Status::Fine);
        }
        let mesh = match self.format {
            Format::Istio => Some(self.mesh.istio()),
            Format::EnvoyGateway => Some(self.mesh.envoy_gateway()),
            _ => None,
        };
        if let Some(mesh) = mesh {
            let mut deployment = Deployment::new(self.wasm.unwrap_or_else(|| WASM_IN_POD.into()));
            deployment.access_log = self.access_log;
            deployment.listen = self.listen;
            deployment.ca_file = self.ca_file.unwrap_or_else(|| CA_FILE_IN_POD.into());
            let yaml = mesh::to_yaml(&plan, &source.name, &source.text, &deployment, &mesh);
            print(&yaml.map_err(|error| anyhow!(error))?)?;
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
        if deployment.key_notes.is_none()
            && self.format == Format::Envoy
            && plan.targets.iter().any(|t| matches!(t.key, KeySource::File(_)))
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
        if let (Format::Xds, Some(folder)) = (self.format, &self.out) {
            return write_files(&plan, &source.text, &deployment, folder);
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

/// Writes what Envoy is started with, and what it watches. The bootstrap comes last: whoever waits for it finds the rest.
fn write_files(plan: &Plan, source: &str, deployment: &Deployment, folder: &Path) -> Result<Status> {
    let folder = std::path::absolute(folder)?;
    let watched = folder.join("watched");
    std::fs::create_dir_all(&watched).with_context(|| format!("cannot make `{}`", watched.display()))?;
    let generation = Generation { folder: &watched, number: 1 };
    let files = Files::render(plan, source, deployment, &generation).map_err(|error| anyhow!(error))?;
    let draft = folder.join("draft");
    for (place, text) in &files.secrets {
        put(&draft, place, text)?;
    }
    put(&draft, &generation.routes(), &files.routes(None).map_err(|error| anyhow!(error))?)?;
    put(&draft, &generation.clusters(), &files.clusters([], false).map_err(|error| anyhow!(error))?)?;
    put(&draft, &generation.listeners(), &files.listeners)?;
    let bootstrap = folder.join("envoy.yaml");
    put(&draft, &bootstrap, &files.bootstrap)?;
    note(&format!("next: envoy -c {}", bootstrap.display()));
    Ok(Status::Fine)
}

//! Where a gateway runs: what the policy file does not say and the command line may.
//!
//! Knows nothing of policies or targets. Invariant: a test that changes a port or a path changes a field here, never text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Surroundings of one Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The filter, as Envoy finds it.
    pub wasm: PathBuf,
    /// Certificates of the authorities that targets are checked against.
    pub ca_file: PathBuf,
    /// Where the access log goes.
    pub access_log: PathBuf,
    /// Folder for the notes by which Envoy follows key files that change; `None`: it reads them once, at its start.
    pub key_notes: Option<PathBuf>,
    /// Instead of `gateway.listen`.
    pub listen: Option<SocketAddr>,
}

/// Where distributions keep the certificates of the usual authorities; Debian's comes first, as in Envoy's own image.
const CA_FILES: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Name of the filter's file.
const WASM: &str = "kt_filter.wasm";

impl Deployment {
    /// A deployment with a filter and the usual places for everything else.
    pub fn new(wasm: impl Into<PathBuf>) -> Deployment {
        Deployment {
            wasm: wasm.into(),
            ca_file: usual_ca_file(),
            access_log: "/dev/stdout".into(),
            key_notes: None,
            listen: None,
        }
    }
}

fn usual_ca_file() -> PathBuf {
    let present = CA_FILES.iter().find(|file| Path::new(file).is_file());
    present.or(CA_FILES.first()).map(PathBuf::from).unwrap_or_default()
}

/// The filter's usual places: `KT_WASM`, beside the program, in the build folder, in the system. The first that exists, or
/// the place of an installation.
pub fn usual_wasm() -> PathBuf {
    let mut places: Vec<PathBuf> = Vec::new();
    places.extend(std::env::var_os("KT_WASM").map(PathBuf::from));
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.push(folder.join(WASM));
        if let Some(build) = folder.parent() {
            places.push(build.join("wasm32-wasip1/release").join(WASM));
        }
    }
    let installed = Path::new("/usr/local/share/kt").join(WASM);
    places.push(installed.clone());
    places.push(Path::new("/etc/kt").join(WASM));
    places.into_iter().find(|place| place.is_file()).unwrap_or(installed)
}

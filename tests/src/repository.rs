//! Where the repository keeps what tests start.
//!
//! Finds, never builds: what is missing is reported with the command that makes it.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The kt-control to test: `KT_CONTROL`, else the release build, else the debug build.
pub fn kt_control() -> Result<PathBuf, String> {
    let builds = ["release/kt-control", "debug/kt-control"].map(|path| target().join(path));
    first(std::env::var_os("KT_CONTROL").map(PathBuf::from).into_iter().chain(builds))
        .ok_or_else(|| "kt-control is not built; run `make build`".into())
}

/// The filter to test: `KT_WASM`, else the release build.
pub fn wasm() -> Result<PathBuf, String> {
    let build = target().join("wasm32-wasip1/release/kt_filter.wasm");
    first(std::env::var_os("KT_WASM").map(PathBuf::from).into_iter().chain([build]))
        .ok_or_else(|| "kt_filter.wasm is not built; run `make build`".into())
}

/// The filter with the route that panics: `KT_WASM_PANIC`, else its build beside the others.
pub fn panicking_wasm() -> Result<PathBuf, String> {
    let build = target().join("panic-route/wasm32-wasip1/release/kt_filter.wasm");
    first(std::env::var_os("KT_WASM_PANIC").map(PathBuf::from).into_iter().chain([build]))
        .ok_or_else(|| "the panicking kt_filter.wasm is not built; run `make panic-wasm`".into())
}

/// The real Envoy: `ENVOY_BIN`, else on `PATH`, else in the repository's virtual environment.
pub fn envoy() -> Result<PathBuf, String> {
    let named = std::env::var_os("ENVOY_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("envoy")).collect::<Vec<_>>();
    first(named.into_iter().chain(on_path).chain(in_environment()))
        .ok_or_else(|| "Envoy is not installed; run `make .venv`, or name one in ENVOY_BIN".into())
}

/// A program of Prometheus, `promtool` or `prometheus`: on `PATH`.
pub fn prometheus(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    first(std::env::split_paths(&path).map(|folder| folder.join(name)))
        .ok_or_else(|| format!("{name} is not installed; Debian's package `prometheus` has it"))
}

/// The Python of the repository's virtual environment, which has the SDKs.
pub fn python() -> Result<PathBuf, String> {
    first([root().join(".venv/bin/python")])
        .ok_or_else(|| "the Python SDKs are not installed; run `make .venv`".into())
}

/// The folder with another version of an SDK, by the name of its list in `tests/sdk/python`.
pub fn sdk(name: &str) -> Result<PathBuf, String> {
    let folder = root().join(".venv/sdk").join(name);
    folder
        .is_dir()
        .then_some(folder)
        .ok_or_else(|| format!("the SDK `{name}` is not installed; run `make .venv`"))
}

/// The Node of the repository's virtual environment, and the folder in which scripts find the SDKs.
pub fn node() -> Result<(PathBuf, PathBuf), String> {
    let folder = root().join(".venv/node");
    let installed = folder.join("node_modules").is_dir();
    first([root().join(".venv/bin/node")])
        .filter(|_| installed)
        .map(|node| (node, folder))
        .ok_or_else(|| "the Node SDKs are not installed; run `make .venv`".into())
}

/// Envoy in the virtual environment, whichever Python made it.
fn in_environment() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(root().join(".venv/lib")).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy")).collect()
}

fn first(candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    candidates.into_iter().find(|path| path.is_file())
}

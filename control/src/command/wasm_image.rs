//! `wasm-image`: the filter as OCI images for a registry, without a container engine.
//!
//! Pushes nothing: any tool that reads an image layout does.

use super::{Result, Status, note, print};
use crate::deployment::usual_wasm;
use crate::oci;
use anyhow::Context;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Options of `wasm-image`.
#[derive(Debug, Args)]
pub struct Options {
    /// The filter
    #[arg(long, value_name = "PATH")]
    wasm: Option<PathBuf>,
    /// Folder of the image layout, or an archive of it if the name ends in `.tar`
    #[arg(long, value_name = "PATH", default_value = "kt-filter-image")]
    out: PathBuf,
    /// Name of the image in the layout; the second is called NAME-artifact
    #[arg(long, value_name = "NAME", default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let wasm = self.wasm.unwrap_or_else(usual_wasm);
        let bytes = fs::read(&wasm)
            .with_context(|| format!("there is no filter at `{}`; name it with --wasm", wasm.display()))?;
        let layout = oci::layout(&bytes, &self.tag)?;
        if self.out.extension().is_some_and(|extension| extension == "tar") {
            write(&self.out, &oci::tar(&layout.files))?;
        } else {
            for (name, bytes) in &layout.files {
                write(&self.out.join(name), bytes)?;
            }
        }
        for image in &layout.images {
            print(&format!("{} {}\n", image.tag, image.digest))?;
        }
        let (out, tag) = (self.out.display(), &self.tag);
        note(&format!("next: skopeo copy oci:{out}:{tag} docker://registry.example.com/kt-filter:{tag}"));
        note(&format!(
            "  or: oras cp --from-oci-layout {out}:{tag}-artifact registry.example.com/kt-filter:{tag}"
        ));
        Ok(Status::Fine)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, bytes).with_context(failed)
}

//! The filter as OCI images, in the two layouts that Istio and Envoy Gateway fetch.
//!
//! Writes an image layout and pushes nothing. Invariant: the same filter gives the same digests, so no time and no name of a
//! machine stands in it.

use crate::render::plugin::sha256_hex;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use std::io::Write;

/// The file that holds the filter, by the convention of both layouts.
const FILE: &str = "plugin.wasm";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A file of a layout: its path below the layout's root, and its bytes.
pub type File = (String, Vec<u8>);

/// The digest of a manifest, under its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Name of the image in the layout.
    pub tag: String,
    /// Digest of its manifest.
    pub digest: String,
}

/// An image layout.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Everything in it.
    pub files: Vec<File>,
    /// Its images.
    pub images: Vec<Tagged>,
}

/// Both images of a filter: `tag`, an image with one file as any container tool makes it, and `tag-artifact`, the filter itself.
pub fn layout(wasm: &[u8], tag: &str) -> std::io::Result<Layout> {
    let mut files = vec![("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())];
    let mut blob = |media_type: &str, bytes: Vec<u8>| {
        let digest = sha256_hex(&bytes);
        let descriptor =
            json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()});
        let file = (format!("blobs/sha256/{digest}"), bytes);
        if !files.contains(&file) {
            files.push(file);
        }
        descriptor
    };
    let mut manifests = Vec::new();
    let mut manifest =
        |tag: String, config: Value, layer: Value, blob: &mut dyn FnMut(&str, Vec<u8>) -> Value| {
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config,
                "layers": [layer],
                "annotations": {"org.opencontainers.image.title": "kt filter"},
            });
            let mut descriptor = blob(MANIFEST, manifest.to_string().into_bytes());
            if let Some(descriptor) = descriptor.as_object_mut() {
                descriptor.insert("annotations".into(), json!({"org.opencontainers.image.ref.name": tag}));
            }
            manifests.push(descriptor);
        };

    let unpacked = tar(&[(FILE.to_owned(), wasm.to_vec())]);
    let diff_id = format!("sha256:{}", sha256_hex(&unpacked));
    let layer = blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip(&unpacked)?);
    // The filter runs on any processor; an image has to name one, and this is what builds of it name.
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    let config = blob("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
    manifest(tag.to_owned(), config, layer, &mut blob);

    let mut layer = blob("application/vnd.module.wasm.content.layer.v1+wasm", wasm.to_vec());
    if let Some(layer) = layer.as_object_mut() {
        layer.insert("annotations".into(), json!({"org.opencontainers.image.title": FILE}));
    }
    let config = blob("application/vnd.module.wasm.config.v1+json", b"{}".to_vec());
    manifest(format!("{tag}-artifact"), config, layer, &mut blob);

    let images = manifests.iter().map(|descriptor| Tagged {
        tag: text(descriptor, "/annotations/org.opencontainers.image.ref.name"),
        digest: text(descriptor, "/digest"),
    });
    let images = images.collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    Ok(Layout { files, images })
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Without a file name and a time in its head.
fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// An archive of plain files that belong to root and are as old as Unix.
pub fn tar(files: &[File]) -> Vec<u8> {
    /// Everything in an archive is a multiple of it.
    const BLOCK: usize = 512;
    let mut archive = Vec::new();
    let fill = |archive: &mut Vec<u8>| archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    for (name, bytes) in files {
        let mut head = Vec::with_capacity(BLOCK);
        let mut field = |text: &str, width: usize| {
            let end = head.len() + width;
            head.extend(text.bytes().take(width));
            head.resize(end, 0);
        };
        field(name, 100);
        field("0000644", 8);
        field("0000000", 8);
        field("0000000", 8);
        field(&format!("{:011o}", bytes.len()), 12);
        field("00000000000", 12);
        // The sum is taken with blanks in its own place.
        field("        ", 8);
        field("0", 1);
        field("", 100);
        field("ustar\x0000", 8);
        head.resize(BLOCK, 0);
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        let sum = format!("{sum:06o}\0 ");
        head.splice(148..156, sum.bytes());
        archive.extend(head);
        archive.extend(bytes);
        fill(&mut archive);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_filter_gives_the_same_images() {
        let first = layout(b"\0asm", "1").unwrap();
        let second = layout(b"\0asm", "1").unwrap();
        assert_eq!(first.images, second.images);
        assert_eq!(first.files, second.files);
        assert_ne!(first.images, layout(b"\0asn", "1").unwrap().images);
        let tags: Vec<&str> = first.images.iter().map(|image| image.tag.as_str()).collect();
        assert_eq!(tags, ["1", "1-artifact"]);
    }

    #[test]
    fn every_blob_is_named_by_its_digest() {
        for (name, bytes) in layout(b"\0asm", "1").unwrap().files {
            if let Some(digest) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(digest, sha256_hex(&bytes));
            }
        }
    }
}

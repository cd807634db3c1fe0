//! What a user of `kt-control` sees: rendered files, diagnostics, the command line, and Envoy accepting all of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod cli;
mod envoy;
mod golden;
mod invalid;
mod reference;
mod running;
mod upstream;

#[path = "../../../tests/src/port.rs"]
#[allow(unreachable_pub, reason = "a module of another crate")]
mod port;

use std::path::{Path, PathBuf};

/// A folder beside this one.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Files of a folder with an ending, by name, without those that have a longer one.
fn files(name: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| n.split_once('.'))
                .is_some_and(|(_, e)| e == ending)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no *.{ending} in {name}");
    files
}

/// Compares with a file, or writes it where `UPDATE_GOLDEN` is set.
#[track_caller]
fn compare(golden: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(golden).unwrap_or_default();
    if expected == found {
        return;
    }
    let line = expected.lines().zip(found.lines()).position(|(e, f)| e != f);
    let line = line.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    panic!(
        "{} differs at line {}:\n  expected: {:?}\n  found:    {:?}\nUPDATE_GOLDEN=1 rewrites it",
        golden.display(),
        line + 1,
        expected.lines().nth(line),
        found.lines().nth(line),
    );
}

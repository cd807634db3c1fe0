//! Inputs that nobody would write, for the parsers that must take anything.
//!
//! A mutation engine without coverage: it starts from a corpus of real shapes and splices, repeats, cuts and flips them. What
//! it cannot know it is told by a dictionary. Invariant: the same target and seed see the same inputs.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a finding is a panic")]

mod check;
mod mutate;

use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

/// Inputs are kept below this, so that there are many.
const MAX_BYTES: usize = 4096;

/// Tries to make a finding smaller.
const SHRINKS: usize = 2000;

/// One parser and what has to hold of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folders.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
    /// Folder of the inputs to start from.
    corpus: &'static str,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "request", check: check::request, corpus: "request" },
    Target { name: "response", check: check::response, corpus: "response" },
    Target { name: "sse", check: check::sse, corpus: "sse" },
    Target { name: "holdback", check: check::holdback, corpus: "text" },
    Target { name: "rewrite", check: check::rewrite, corpus: "request" },
];

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Inputs that others are made of.
    pub corpus: usize,
    /// Where the smallest input that broke something is, and how.
    pub finding: Option<(PathBuf, String)>,
}

fn folder(kind: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(name)
}

/// Files of a folder in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(fs::read).collect()
}

/// Inputs to start from.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    files(&folder("corpus", target.corpus)).unwrap_or_default()
}

/// Inputs that broke something once.
pub fn regressions(target: &Target) -> Vec<Vec<u8>> {
    files(&folder("regressions", target.name)).unwrap_or_default()
}

/// Why `input` breaks the target, if it does.
pub fn broken(target: &Target, input: &[u8]) -> Option<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    let panic = outcome.err()?;
    let why = panic.downcast_ref::<String>().cloned();
    Some(why.or_else(|| panic.downcast_ref::<&str>().map(|why| (*why).to_owned())).unwrap_or_default())
}

/// Feeds `target` until the time is over or something breaks.
pub fn fuzz(target: &Target, time: Duration, seed: u64) -> Report {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "no corpus for `{}`", target.name);
    let mut mutator = Mutator::new(seed, &corpus);
    let started = Instant::now();
    // Findings are reported once, at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = Report { inputs: 0, corpus: corpus.len(), finding: None };
    while started.elapsed() < time {
        for _ in 0..64 {
            let input = mutator.next(MAX_BYTES);
            report.inputs += 1;
            if broken(target, &input).is_some() {
                report.finding = Some(keep(target, &input, &mut mutator));
                return report;
            }
        }
    }
    report
}

/// Shrinks what broke and writes it down.
fn keep(target: &Target, input: &[u8], mutator: &mut Mutator) -> (PathBuf, String) {
    let mut smallest = input.to_vec();
    for _ in 0..SHRINKS {
        let smaller = mutator.cut(&smallest);
        if smaller.len() < smallest.len() && broken(target, &smaller).is_some() {
            smallest = smaller;
        }
    }
    let folder = folder("regressions", target.name);
    let path = folder.join(format!("{:016x}", mutate::hash(&smallest)));
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, &smallest)).expect("the finding can be kept");
    (path, broken(target, &smallest).unwrap_or_default())
}

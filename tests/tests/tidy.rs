//! Checks what the compiler does not: the directions of the design and the house rules that are easy to forget.
//!
//! Reads the repository's files, builds nothing. Every problem is listed, not the first.

#![allow(clippy::unwrap_used, reason = "tests")]

use kt_tests::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no source of ours.
const SKIPPED: [&str; 7] = [".git", ".venv", "target", "run", "node_modules", "fuzz", ".hypothesis"];

/// Files below `folder`, as paths from the repository's root, with their text.
fn files(folder: &str, extension: Option<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![repository::root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if extension
                .is_none_or(|extension| path.extension().is_some_and(|found| found == extension))
            {
                // What is not UTF-8 is not text.
                let Ok(text) = fs::read_to_string(&path) else { continue };
                found.push((relative(&path), text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing below `{folder}`");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository::root()).unwrap().to_string_lossy().into_owned()
}

/// Lists every line of `files` that `problem` objects to.
#[track_caller]
fn check(files: &[(String, String)], problem: impl Fn(&str, &str) -> Option<String>) {
    let mut problems = Vec::new();
    for (path, text) in files {
        for (number, line) in (1..).zip(text.lines()) {
            problems.extend(problem(path, line).map(|problem| format!("{path}:{number}: {problem}")));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The code of a line: what stands before a comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether `word` stands in `line` as a path segment or name of its own.
fn names(line: &str, word: &str) -> bool {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|found| found == word)
}

#[test]
fn every_module_says_what_it_is_responsible_for() {
    let mut problems = Vec::new();
    for (path, text) in files(".", Some("rs")) {
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.contains("To be written") {
            problems.push(format!(
                "{path}: begins with its module documentation, a sentence on its responsibility"
            ));
        }
        if path.ends_with("/mod.rs") {
            problems.push(format!("{path}: modules are `name.rs` and `name/`"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn reading_never_names_deciding() {
    let readers = ["message", "sse", "scan"].map(|module| format!("filter/core/src/{module}"));
    let core = files("filter/core/src", Some("rs"));
    let readers: Vec<_> =
        core.into_iter().filter(|(path, _)| readers.iter().any(|reader| path.starts_with(reader))).collect();
    check(&readers, |_, line| {
        let used = ["policy", "plan", "exchange"].into_iter().find(|module| {
            let path = code(line);
            path.contains(&format!("crate::{module}")) || path.contains(&format!("super::{module}::"))
        })?;
        Some(format!("`message`, `sse` and `scan` never name `{used}`"))
    });
}

#[test]
fn a_policy_never_sees_json_or_sse() {
    let policies = files("filter/core/src/policy", Some("rs"));
    check(&policies, |_, line| {
        let used = ["serde_json", "message", "sse", "exchange"].into_iter().find(|module| {
            code(line).contains(&format!("{module}::")) && !code(line).contains(&format!("self::{module}"))
        })?;
        Some(format!("a policy never names `{used}`"))
    });
}

#[test]
fn the_core_has_no_host_no_clock_no_environment_and_no_output() {
    let core = files("filter/core/src", Some("rs"));
    check(&core, |_, line| {
        let calls = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
        let types = ["proxy_wasm", "tokio", "Instant", "SystemTime", "TcpStream", "TcpListener", "UdpSocket"];
        let call = calls.into_iter().find(|call| code(line).contains(call));
        let named = call.or(types.into_iter().find(|word| names(code(line), word)))?;
        Some(format!("`{named}` has no place in kt-core"))
    });
    check(&core, |_, line| {
        let used = ["std::env", "std::fs", "std::io"].into_iter().find(|path| code(line).contains(path))?;
        Some(format!("`{used}` has no place in kt-core"))
    });
}

#[test]
fn only_the_simd_loads_are_unsafe() {
    check(&files("filter/core/src", Some("rs")), |path, line| {
        let allowed = path == "filter/core/src/scan/simd.rs";
        (names(code(line), "unsafe") && !allowed).then(|| "only scan/simd.rs may be unsafe".into())
    });
}

#[test]
fn only_host_calls_the_host() {
    check(&files("filter/src", Some("rs")), |path, line| {
        (names(code(line), "hostcalls") && path != "filter/src/host.rs")
            .then(|| "only `host` calls the host".into())
    });
}

#[test]
fn nothing_names_a_place_of_one_machine() {
    // Written apart, so that this file does not name them.
    let places = ["home", "root", "work", "Users"].map(|folder| format!("/{folder}/"));
    check(&files(".", None), |path, line| {
        if path.ends_with("Cargo.lock") {
            return None;
        }
        // A path begins after a space, a quote or an equals sign; inside a URL or a longer path it is something else.
        let place = places.iter().find(|place| {
            line.match_indices(place.as_str()).any(|(at, _)| {
                let before = line.get(..at).and_then(|text| text.chars().next_back());
                before.is_none_or(|letter| " \"'`=:(".contains(letter))
            })
        })?;
        Some(format!("`{place}` exists on one machine only"))
    });
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not contain them.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    check(&files(".", Some("rs")), |_, line| {
        let mark = marks.into_iter().find(|mark| names(line, mark.trim_end_matches(':')))?;
        Some(format!("`{mark}` belongs into an issue"))
    });
}

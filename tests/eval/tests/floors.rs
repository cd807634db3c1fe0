//! The figures on the repository's own texts hold; those on the corpora are `make eval`'s to check, where there are any.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn figures_on_our_own_texts_do_not_fall() {
    let output = Command::new(env!("CARGO_BIN_EXE_kt-eval")).args(["--check", "--brief"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("only the repository's own texts are scored"), "{said}");
}

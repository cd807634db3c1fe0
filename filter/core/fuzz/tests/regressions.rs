//! What broke once does not break again, and the corpus itself is sound.
#![allow(clippy::panic, missing_docs, reason = "tests")]

use kt_fuzz::{TARGETS, broken, corpus, fuzz, regressions};
use std::time::Duration;

#[test]
fn every_kept_input_holds() {
    for target in &TARGETS {
        for input in corpus(target).into_iter().chain(regressions(target)) {
            if let Some(why) = broken(target, &input) {
                panic!("{}: {why}", target.name);
            }
        }
    }
}

#[test]
fn a_second_of_every_target_finds_nothing() {
    for target in &TARGETS {
        let report = fuzz(target, Duration::from_secs(1), 7);
        assert!(report.finding.is_none() && report.inputs > 0, "{}: {:?}", target.name, report.finding);
    }
}

//! `kt-fuzz TARGET [SECONDS] [SEED]`: feeds a parser with mutated inputs and checks what has to hold.
//!
//! Needs no nightly toolchain and no instrumentation; the same seed gives the same inputs. What breaks is written to
//! `regressions/TARGET`, shrunk, and from then on belongs to `cargo test -p kt-fuzz`.

#![allow(clippy::print_stdout, reason = "a command line")]

use kt_fuzz::{TARGETS, Target, fuzz};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let mut number =
        |default: u64| arguments.next().and_then(|number| number.parse().ok()).unwrap_or(default);
    let (seconds, seed) = (number(60), number(1));
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        let names: Vec<&str> = TARGETS.iter().map(|Target { name, .. }| *name).collect();
        println!("kt-fuzz TARGET [SECONDS] [SEED]; targets: {}", names.join(", "));
        return ExitCode::from(2);
    };
    let report = fuzz(target, Duration::from_secs(seconds), seed);
    println!("{name}: {} inputs in {seconds} s, seed {seed}, corpus of {}", report.inputs, report.corpus);
    match report.finding {
        None => ExitCode::SUCCESS,
        Some((path, why)) => {
            println!("{name}: {why}\nkept as {}", path.display());
            ExitCode::FAILURE
        }
    }
}

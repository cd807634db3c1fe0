//! The program `kt-control`, also installed as `kt`.

use clap::Parser;
use kt_control::cli::Cli;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(status) => status.into(),
        Err(error) => {
            // Nothing is left to do if standard error is gone.
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            kt_control::command::Status::CouldNotRun.into()
        }
    }
}

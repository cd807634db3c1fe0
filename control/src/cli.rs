//! The command line.
//!
//! Parses words and hands over; the work is in [`crate::command`].

use crate::command::{
    self, Status, audit, diff, doctor, dry_run, explain, gateway, init, lint, models, render, scan, schema,
    test, wasm_image,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Checks policy-config.yaml, renders Envoy's configuration from it, and runs the gateway.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes a policy file to start from, and a scenario
    Init(init::Options),
    /// Prints the configuration of another program
    Render(render::Options),
    /// Runs the gateway
    Gateway(Gateway),
    /// Checks keys, Envoy, the filter and the running gateway
    Doctor(doctor::Options),
    /// Works on a policy file without traffic
    Policy(Policy),
    /// Checks, shortens and sums up the log of events
    #[command(subcommand)]
    Audit(audit::Audits),
    /// Lists what is known of Together's models; others are served all the same
    Models(models::Options),
    /// Prints the JSON Schema of policy-config.yaml
    Schema(schema::Options),
    /// Writes the filter as OCI images, for meshes that fetch it from a registry
    WasmImage(wasm_image::Options),
}

#[derive(Debug, Args)]
struct Gateway {
    #[command(subcommand)]
    command: GatewayCommand,
}

#[derive(Debug, Subcommand)]
enum GatewayCommand {
    /// Checks the policy file, renders it and runs Envoy until it is told to stop
    Run(gateway::Options),
}

#[derive(Debug, Args)]
struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Shows every problem of a policy file at once
    Lint(lint::Options),
    /// Explains a diagnostic, or what a policy file becomes in Envoy
    Explain(explain::Options),
    /// Shows what would happen to the request (or SSE transcript) on standard input
    Try(dry_run::Options),
    /// Shows which verdicts change from one policy file to another
    Diff(diff::Options),
    /// Runs scenario files through the chain
    Test(test::Options),
    /// Answers every `{"id", "text"}` line on standard input with what the chain finds
    Scan(scan::Options),
}

/// The policy file, wherever a command takes one.
#[derive(Debug, Args)]
pub struct PolicyFile {
    /// The policy file; `-` reads standard input, unless the command reads something else from there
    #[arg(value_name = "FILE")]
    pub policy_file: PathBuf,
}

impl Cli {
    /// Runs the command that was asked for.
    pub fn run(self) -> command::Result<Status> {
        match self.command {
            Command::Init(options) => options.run(),
            Command::Doctor(options) => options.run(),
            Command::Render(options) => options.run(),
            Command::Schema(options) => options.run(),
            Command::WasmImage(options) => options.run(),
            Command::Gateway(Gateway { command: GatewayCommand::Run(options) }) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Lint(options) }) => options.run(),
            Command::Audit(command) => command.run(),
            Command::Models(options) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Explain(options) }) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Diff(options) }) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Try(options) }) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Scan(options) }) => options.run(),
            Command::Policy(Policy { command: PolicyCommand::Test(options) }) => options.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

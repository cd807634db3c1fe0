//! The demo upstream of `make envoy-up`: an OpenAI-compatible server that says back what reached it.
//!
//! Reads its arguments and starts [`kt_tests::demo`], or prints a configuration that points there; decides nothing.

use kt_tests::demo::Demo;
use kt_tests::redirect::redirect;
use kt_tests::upstream::Upstream;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: kt-upstream --demo --listen HOST:PORT [--pace-ms N]
       kt-upstream --redirect POLICY_CONFIG --to BASE_URL --key-from VARIABLE";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            drop(writeln!(io::stderr(), "kt-upstream: {problem}"));
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let mut given = Given::default();
    while let Some(name) = arguments.next() {
        if name == "--demo" {
            given.demo = true;
            continue;
        }
        let place = match name.as_str() {
            "--listen" => &mut given.listen,
            "--pace-ms" => &mut given.pace_ms,
            "--redirect" => &mut given.redirect,
            "--to" => &mut given.to,
            "--key-from" => &mut given.key_from,
            _ => return Err(format!("unknown argument `{name}`\n{USAGE}")),
        };
        *place = Some(arguments.next().ok_or_else(|| format!("`{name}` needs a value\n{USAGE}"))?);
    }
    match given {
        Given { demo: true, listen: Some(listen), pace_ms, .. } => {
            serve(&listen, pace_ms.as_deref().unwrap_or("0"))
        }
        Given { redirect: Some(path), to: Some(to), key_from: Some(key), .. } => {
            print_redirected(&path, &to, &key)
        }
        _ => Err(USAGE.into()),
    }
}

#[derive(Default)]
struct Given {
    demo: bool,
    listen: Option<String>,
    pace_ms: Option<String>,
    redirect: Option<String>,
    to: Option<String>,
    key_from: Option<String>,
}

fn serve(listen: &str, pace_ms: &str) -> Result<(), String> {
    let address =
        listen.parse().map_err(|_| format!("`--listen` wants an address and a port, not `{listen}`"))?;
    let pace = pace_ms
        .parse()
        .map(Duration::from_millis)
        .map_err(|_| format!("`--pace-ms` wants a number, not `{pace_ms}`"))?;
    let demo = Demo { pace };
    let upstream = Upstream::listen(address, move |request| demo.answer(request))
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    // Nobody reading the line is no reason to stop.
    drop(writeln!(io::stdout(), "demo upstream on {}", upstream.base_url()));
    upstream.serve_forever()
}

fn print_redirected(path: &str, to: &str, key: &str) -> Result<(), String> {
    let config = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let copy = redirect(&config, to, key).map_err(|problem| format!("{path}: {problem}"))?;
    io::stdout().write_all(copy.as_bytes()).map_err(|error| format!("cannot write: {error}"))
}

//! `kt-conformance`: runs the conformance kit against a gateway and writes its report.
//!
//! Reads its arguments and starts [`kt_tests::conformance`]; judges nothing.

use kt_tests::conformance::{self, TASK, Target};
use kt_tests::upstream::Upstream;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: kt-conformance --url URL [--key KEY] [--model MODEL] [--upstream HOST:PORT] [--runs N] [--report DIR]

Sends requests to the OpenAI-compatible gateway at URL (http://host:port, with or without /v1), answers them as its upstream, and
reports what it lets through, what it loses, and how much time it adds. The gateway has to be pointed at the kit's upstream.

  --url URL             the gateway
  --key KEY             sent as `Authorization: Bearer KEY`; default: the variable KEY
  --model MODEL         a model that the gateway serves  [default: meta-llama/Llama-3.3-70B-Instruct-Turbo]
  --upstream HOST:PORT  where the kit's upstream listens  [default: 127.0.0.1:41990]
  --runs N              pairs of streams of which the added time is the median  [default: 30]
  --report DIR          where conformance.md and conformance.json are written  [default: .]
  --help                prints this

Exit status: 0 perfect, 1 findings, 2 could not run.

What the gateway has to be configured for:
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(problem) => {
            drop(writeln!(io::stderr(), "kt-conformance: {problem}"));
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let (mut url, mut key, mut model) = (None, std::env::var("KEY").ok(), None);
    let (mut upstream, mut runs, mut report) = (None, None, None);
    while let Some(name) = arguments.next() {
        if name == "--help" {
            drop(writeln!(io::stdout(), "{USAGE}{TASK}"));
            return Ok(ExitCode::SUCCESS);
        }
        let place = match name.as_str() {
            "--url" => &mut url,
            "--key" => &mut key,
            "--model" => &mut model,
            "--upstream" => &mut upstream,
            "--runs" => &mut runs,
            "--report" => &mut report,
            _ => return Err(format!("unknown argument `{name}`; --help lists them")),
        };
        *place = Some(arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?);
    }
    let url = url.ok_or("`--url` is missing; --help lists the arguments")?;
    let model = model.unwrap_or_else(|| "meta-llama/Llama-3.3-70B-Instruct-Turbo".into());
    let runs = runs.map_or(Ok(30), |runs: String| {
        runs.parse().map_err(|_| format!("`--runs` wants a number, not `{runs}`"))
    })?;
    let folder = PathBuf::from(report.unwrap_or_else(|| ".".into()));
    let listen = upstream.unwrap_or_else(|| "127.0.0.1:41990".into());
    let address =
        listen.parse().map_err(|_| format!("`--upstream` wants an address and a port, not `{listen}`"))?;
    let target = Target::parse(&url, key.filter(|key| !key.is_empty()), &model)?;
    let upstream = Upstream::listen(address, |_| kt_tests::upstream::Answer::status(503))
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    drop(writeln!(io::stderr(), "the kit's upstream is {}", upstream.base_url()));
    let report = conformance::run(&target, &upstream, runs)?;
    report.write(&folder).map_err(|error| format!("cannot write into {}: {error}", folder.display()))?;
    let page = report.markdown();
    let summary = page.split("\n## Every probe").next().unwrap_or_default();
    drop(writeln!(io::stdout(), "{summary}"));
    Ok(if report.is_perfect() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

//! A model server and its clients for the benches.
//!
//! Measures and prints, judges nothing: `gateway.py` beside this package does. Talks to loopback only, and every run is
//! bounded in time.

mod arguments;
mod client;
mod http1;
mod mock;
mod process;
mod report;

use arguments::Arguments;
use kt_bench_corpus::{Content, chat_request};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: kt-load mock --listen HOST:PORT [--delay-us N] [--seconds N]
       kt-load load --to HOST:PORT --bytes N [--content clean|personal] [--stream-tokens N] [--bodies N] [--texts new|known]
                    [--connections N] [--seconds N] [--warm-seconds N] [--pid N]
       kt-load bodies --bytes N --out FOLDER [--content clean|personal] [--stream-tokens N] [--bodies N]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            drop(writeln!(io::stderr(), "kt-load: {problem}"));
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments =
        Arguments::parse(std::env::args().skip(1)).map_err(|problem| format!("{problem}\n{USAGE}"))?;
    match arguments.command.as_str() {
        "mock" => {
            let mock = mock::Mock {
                listen: arguments.address("listen")?,
                delay: Duration::from_micros(arguments.number("delay-us", 0)?),
                // Nobody stops it if its script is killed.
                lifetime: Duration::from_secs(arguments.number("seconds", 3600)?),
            };
            arguments.finish()?;
            block_on(mock.serve())?
        }
        "load" => {
            let load = client::Load {
                to: arguments.address("to")?,
                bodies: bodies(&mut arguments)?,
                known: arguments.choice("texts", &["new", "known"])? == "known",
                connections: arguments.number("connections", 16)?,
                measured: arguments.seconds("seconds", 3.0)?,
                warm: arguments.seconds("warm-seconds", 0.3)?,
                process: arguments.optional("pid")?.map(process::Process::new),
            };
            arguments.finish()?;
            let report = block_on(load.run())??;
            writeln!(io::stdout(), "{report}").map_err(|error| format!("cannot write: {error}"))
        }
        "bodies" => {
            let folder = arguments.text("out")?;
            let bodies = bodies(&mut arguments)?;
            arguments.finish()?;
            bodies.iter().enumerate().try_for_each(|(number, body)| {
                let path = format!("{folder}/{number}.json");
                std::fs::write(&path, body).map_err(|error| format!("cannot write `{path}`: {error}"))
            })
        }
        other => Err(format!("unknown command `{other}`\n{USAGE}")),
    }
}

/// Several bodies in rotation, so that no branch predictor learns one by heart.
fn bodies(arguments: &mut Arguments) -> Result<Vec<Vec<u8>>, String> {
    let bytes = arguments.number("bytes", 8192)?;
    let count: u64 = arguments.number("bodies", 16)?;
    let stream = arguments.optional("stream-tokens")?;
    let content = match arguments.choice("content", &["clean", "personal"])? {
        "clean" => Content::Clean,
        _ => Content::Personal,
    };
    (0..count.max(1))
        .map(|seed| chat_request(bytes, content, seed, stream).map(String::into_bytes).map_err(str::to_owned))
        .collect()
}

fn block_on<T>(task: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    // One thread for everything: a core of its own is all that the load gets.
    Ok(tokio::task::LocalSet::new().block_on(&runtime, task))
}

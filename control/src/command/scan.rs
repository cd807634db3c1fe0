//! `policy scan`: what the chain finds in texts, one line in and one line out.
//!
//! Conditions (`when`) do not count here: a text has no path, header or model. Invariant: every line of input is answered
//! by one line, in order, and no text is repeated in the output. A line that cannot be read costs nothing but its own answer.

use super::{Loaded, Result, Status, complain, load, note};
use crate::cli::PolicyFile;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use kt_core::config::{Mode, Role};
use kt_core::event::Verdict;
use kt_core::policy::{Chain, Direction, Finding, Scratch};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{BufRead, Write};
use std::path::Path;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Options of `policy scan`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    file: PolicyFile,
    /// Which way the texts travel
    #[arg(long, value_enum, default_value_t = Way::Request)]
    direction: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// From a user to the model
    Request,
    /// From the model to a user
    Response,
}

/// One line of input; other keys are of no concern.
#[derive(Debug, Deserialize)]
struct Input {
    /// Whatever the caller knows the text by, as it is written.
    id: Box<RawValue>,
    text: String,
}

/// What may be readable of a line whose text is not.
#[derive(Debug, Deserialize)]
struct Known {
    id: Box<RawValue>,
}

/// The answer to a line that cannot be read.
#[derive(Debug, Serialize)]
struct Unread<'a> {
    id: Option<&'a RawValue>,
    error: String,
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Output<'a> {
    id: &'a RawValue,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    injection_score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_score: Option<f32>,
    findings: Vec<Found>,
}

/// A finding, in bytes of the text.
#[derive(Debug, Serialize)]
struct Found {
    policy: &'static str,
    reason: String,
    start: usize,
    end: usize,
    score: f32,
    #[serde(skip_serializing_if = "is_enforced")]
    mode: Mode,
}

fn is_enforced(mode: &Mode) -> bool {
    *mode == Mode::Enforce
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        if self.file.policy_file == Path::new("-") {
            bail!("standard input holds the texts; name the policy file");
        }
        let Loaded { plan, .. } = match load(&self.file.policy_file)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        let (direction, role) = match self.direction {
            Way::Request => (Direction::Request, Role::User),
            Way::Response => (Direction::Response, Role::Assistant),
        };
        let mut scanner = Scanner { chain: &plan.chain, direction, role, scratch: Scratch::default() };
        let mut out = std::io::stdout().lock();
        let mut status = Status::Fine;
        for (number, line) in std::io::stdin().lock().split(b'\n').enumerate() {
            let line = line.context("cannot read standard input")?;
            let line = line.trim_ascii();
            let line = if number == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
            if line.is_empty() {
                continue;
            }
            let mut answer = match read(line) {
                Ok(input) => serde_json::to_vec(&scanner.scan(&input))?,
                Err(problem) => {
                    note(&format!(
                        "error: line {} is not `{{\"id\": ..., \"text\": ...}}`: {problem}",
                        number + 1
                    ));
                    status = Status::Findings;
                    let known: Option<Known> = serde_json::from_str(&String::from_utf8_lossy(line)).ok();
                    let id = known.as_ref().map(|known| &*known.id);
                    serde_json::to_vec(&Unread { id, error: problem })?
                }
            };
            answer.push(b'\n');
            // Written at once: the caller may wait for this answer before asking again.
            match out.write_all(&answer).and_then(|()| out.flush()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                result => result.context("cannot write the output")?,
            }
        }
        Ok(status)
    }
}

/// Says what is wrong in words of our own: the parser's would repeat what stands there.
fn read(line: &[u8]) -> std::result::Result<Input, String> {
    let line = std::str::from_utf8(line)
        .map_err(|error| format!("byte {} is not valid UTF-8", error.valid_up_to() + 1))?;
    serde_json::from_str(line).map_err(|error| match error.is_data() {
        true => "no object with an `id` and a string `text`".to_owned(),
        false => format!("no valid JSON at byte {}", error.column()),
    })
}

struct Scanner<'a> {
    chain: &'a Chain,
    direction: Direction,
    role: Role,
    scratch: Scratch,
}

impl Scanner<'_> {
    fn scan<'i>(&mut self, input: &'i Input) -> Output<'i> {
        let mut findings: Vec<Finding> = Vec::new();
        let (chain, text) = (self.chain, input.text.as_str());
        chain.inspect(chain.all(), self.direction, self.role, text, 0, &mut self.scratch, &mut findings);
        let (injection_score, safety_score) = chain.scores(text, &mut self.scratch);
        Output {
            id: &input.id,
            verdict: findings.iter().map(Verdict::of).max().unwrap_or_default(),
            injection_score,
            safety_score,
            findings: findings.iter().map(found).collect(),
        }
    }
}

fn found(finding: &Finding) -> Found {
    Found {
        policy: finding.policy.name(),
        reason: finding.reason(),
        start: finding.range.start,
        end: finding.range.end,
        score: finding.score,
        mode: finding.mode,
    }
}

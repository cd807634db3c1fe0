//! Diagnostics as people and programs read them.
//!
//! Finds no problems. Invariant: the value of a key reference is never printed, because a key may stand in its place.

use crate::source::{NotYaml, Place, Source, speaks_of_keys};
use anstyle::{AnsiColor, Style};
use kt_core::diagnostic::{Diagnostic, Severity};
use serde::Serialize;
use std::fmt::Write;

/// How diagnostics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// A list of objects.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// A problem and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The problem.
    #[serde(flatten)]
    pub problem: Diagnostic,
    /// Name of the file.
    pub file: String,
    /// Counted from one; absent where the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// In characters, counted from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    #[serde(skip)]
    snippet: Option<Snippet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    line: String,
    underline: std::ops::Range<usize>,
}

impl Finding {
    /// Whether the configuration cannot be used.
    pub fn is_error(&self) -> bool {
        self.problem.severity == Severity::Error
    }

    /// A problem with a file that could be parsed.
    pub fn new(source: &Source, problem: Diagnostic) -> Finding {
        let place = source.place(&problem);
        let line = place.and_then(|place| source.line(place.line));
        // A key that is only missing is named by its variable, which may be shown.
        let in_reference = problem.path.contains("secret_key_ref") && problem.code != "missing-key-value";
        let in_url = problem.code == "bad-base-url" && line.is_some_and(|line| line.contains(['@', '?']));
        let secret = in_reference || in_url;
        let others = place.map(|place| source.secrets(place.line).collect()).unwrap_or_default();
        Finding::at(source.name.clone(), problem, place, line, Cover { rest: secret, others })
    }

    /// A problem with a file that could not.
    pub fn not_yaml(file: &str, text: &str, error: NotYaml) -> Finding {
        let line = error.place.and_then(|place| text.lines().nth(place.line.saturating_sub(1)));
        // Nothing tells the values of this line apart.
        let value =
            line.filter(|line| speaks_of_keys(line)).and_then(|line| line.chars().position(|c| c == ':'));
        let others = value.zip(error.place).map(|(colon, place)| Place {
            column: colon + 2,
            length: usize::MAX / 2,
            ..place
        });
        let cover = Cover { rest: false, others: others.into_iter().collect() };
        Finding::at(file.to_owned(), error.problem, error.place, line, cover)
    }

    fn at(
        file: String,
        problem: Diagnostic,
        place: Option<Place>,
        line: Option<&str>,
        cover: Cover,
    ) -> Finding {
        let snippet = place.zip(line).map(|(place, line)| snippet(line, place, &cover));
        Finding { problem, file, line: place.map(|p| p.line), column: place.map(|p| p.column), snippet }
    }
}

/// What of a line is not shown, because it may be a key.
struct Cover {
    /// Everything from the problem on.
    rest: bool,
    /// Values beside it.
    others: Vec<Place>,
}

/// A line wider than this is cut, so that the underline stays under its word.
const MAX_LINE_CHARS: usize = 160;

fn snippet(line: &str, place: Place, cover: &Cover) -> Snippet {
    let end_of_line = line.chars().count();
    let start = (place.column - 1).min(end_of_line);
    let end = (start + place.length).clamp(start + 1, end_of_line.max(start + 1));
    // A key of the file may be shown; what follows it may not.
    let cover_from = if line.chars().nth(end) == Some(':') { end } else { start };
    let covered = |i: usize| {
        (cover.rest && i >= cover_from)
            || cover
                .others
                .iter()
                .any(|other| (other.column - 1..other.column - 1 + other.length).contains(&i))
    };
    // A tab has no width of its own, and any other control character has no business on a terminal.
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let masked = |i: usize, c: char| if covered(i) && !c.is_whitespace() { '*' } else { printable(c) };
    let line = line.chars().enumerate().map(|(i, c)| masked(i, c)).take(MAX_LINE_CHARS).collect();
    Snippet { line, underline: start.min(MAX_LINE_CHARS - 1)..end.min(MAX_LINE_CHARS) }
}

/// Writes findings in a format. In `Text`, colours are always on: the stream decides whether they are shown.
pub fn write(findings: &[Finding], format: Format) -> String {
    match format {
        Format::Text => findings.iter().map(text).collect(),
        Format::Json => match serde_json::to_string_pretty(findings) {
            Ok(json) => json + "\n",
            Err(error) => format!("{error}\n"),
        },
        Format::Github => findings.iter().map(github).collect(),
    }
}

fn text(finding: &Finding) -> String {
    let Finding { problem, file, line, column, snippet } = finding;
    let bold = Style::new().bold();
    let frame = AnsiColor::Blue.on_default().bold();
    let loud = match problem.severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
    };
    let number = line.map(|line| line.to_string()).unwrap_or_default();
    let margin = " ".repeat(number.len());
    let mut out =
        format!("{loud}{}[{}]{loud:#}{bold}: {}{bold:#}\n", problem.severity, problem.code, problem.message);
    // Writing to a string cannot fail.
    let _ = write!(out, "{margin}{frame}-->{frame:#} {file}");
    if let (Some(line), Some(column)) = (line, column) {
        let _ = write!(out, ":{line}:{column}");
    }
    out.push('\n');
    if let Some(Snippet { line, underline }) = snippet {
        let _ = writeln!(out, "{margin} {frame}|{frame:#}");
        let _ = writeln!(out, "{frame}{number} |{frame:#} {line}");
        let indent = " ".repeat(underline.start);
        let carets = "^".repeat(underline.len().max(1));
        let _ = writeln!(out, "{margin} {frame}|{frame:#} {indent}{loud}{carets}{loud:#}");
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(out, "{margin} {frame}={frame:#} {bold}help{bold:#}: {help}");
    }
    out.push('\n');
    out
}

fn github(finding: &Finding) -> String {
    let Finding { problem, file, line, column, .. } = finding;
    let message = match &problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message.clone(),
    };
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut place = format!("file={}", property(file));
    if let (Some(line), Some(column)) = (line, column) {
        let _ = write!(place, ",line={line},col={column}");
    }
    format!("::{} {place},title={}::{}\n", problem.severity, property(problem.code), data(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str, code: &'static str, path: &str) -> Vec<Finding> {
        let source = Source::parse("policy-config.yaml", text).map_err(|e| e.problem).unwrap();
        vec![Finding::new(&source, Diagnostic::error(code, path, "no good").help("do better"))]
    }

    #[track_caller]
    fn check(text: &str, code: &'static str, path: &str, expected: &str) {
        let coloured = write(&findings(text, code, path), Format::Text);
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), expected);
    }

    #[test]
    fn the_offending_value_is_underlined() {
        check(
            "a:\n  b: [1, ten, 3]\n",
            "wrong-type",
            "a.b[1]",
            "error[wrong-type]: no good\n --> policy-config.yaml:2:10\n  |\n2 |   b: [1, ten, 3]\n  |          ^^^\n  = help: do better\n\n",
        );
    }

    #[test]
    fn a_key_in_the_place_of_its_name_is_covered() {
        check(
            "secret_key_ref: sk-live-0123\n",
            "wrong-type",
            "secret_key_ref",
            "error[wrong-type]: no good\n --> policy-config.yaml:1:17\n  |\n1 | secret_key_ref: ************\n  |                 ^^^^^^^^^^^^\n  = help: do better\n\n",
        );
    }

    #[test]
    fn a_key_is_covered_whatever_is_wrong_beside_it() {
        let text = "- {id: a b, api_key: 'sk-live-0123', secret_key_ref: {env: TOGETHER_API_KEY, file: k}}\n";
        let found = write(&findings(text, "bad-target-id", "[0].id"), Format::Text);
        let found = anstream::adapter::strip_str(&found).to_string();
        assert!(
            found.contains("api_key: **************, secret_key_ref: {env: TOGETHER_API_KEY, file: *}"),
            "{found}"
        );
        let text = "a:\n  api_key: sk-live-0123: x\n";
        let error = Source::parse("f", text).map(|source| source.value).unwrap_err();
        let found = write(&[Finding::not_yaml("f", text, *error)], Format::Text);
        assert!(!found.contains("0123"), "{found}");
    }

    #[test]
    fn programs_get_json_and_github_gets_commands() {
        let findings = findings("a: 1\n", "x", "a");
        let json: serde_json::Value = serde_json::from_str(&write(&findings, Format::Json)).unwrap();
        assert_eq!(json[0]["line"], 1);
        assert_eq!(json[0]["severity"], "error");
        assert_eq!(
            write(&findings, Format::Github),
            "::error file=policy-config.yaml,line=1,col=4,title=x::no good; do better\n"
        );
    }
}

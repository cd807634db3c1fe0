//! Every file in `invalid/`, and what is said about it.

use crate::{compare, files};
use kt_control::command::lint;
use kt_control::explanations::EXPLANATIONS;
use kt_control::report::{Format, write};
use std::collections::BTreeSet;

#[test]
fn every_problem_is_reported_as_before() {
    for path in files("invalid", "yaml") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let findings = lint::findings(name, std::fs::read_to_string(&path).unwrap());
        assert!(!findings.is_empty(), "{name} is fine");
        let text = anstream::adapter::strip_str(&write(&findings, Format::Text)).to_string();
        compare(&path.with_extension("stderr"), &text);
    }
}

/// Codes that no policy file can bring about: they are about what `kt-control` makes of it for the filter.
const ABOUT_RENDERED: &[&str] = &["bad-automaton", "pattern-automaton"];

#[test]
fn every_code_is_shown_by_a_file_and_explained() {
    let shown: BTreeSet<String> = files("invalid", "stderr")
        .iter()
        .flat_map(|path| codes(&std::fs::read_to_string(path).unwrap()))
        .collect();
    let known: BTreeSet<String> = EXPLANATIONS.iter().map(|(code, _)| (*code).to_owned()).collect();
    let expected: BTreeSet<String> =
        known.into_iter().filter(|code| !ABOUT_RENDERED.contains(&code.as_str())).collect();
    assert_eq!(expected.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "not shown");
    assert_eq!(shown.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "not explained");
    assert!(files("invalid", "yaml").len() >= 60);
}

/// The codes of a printed list of diagnostics.
fn codes(printed: &str) -> Vec<String> {
    let code = |line: &str| {
        let rest = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["))?;
        Some(rest.split_once("]:")?.0.to_owned())
    };
    printed.lines().filter_map(code).collect()
}

#[test]
fn no_key_is_printed_from_any_file() {
    for path in files("invalid", "stderr") {
        let printed = std::fs::read_to_string(&path).unwrap();
        assert!(!printed.contains("sk-live"), "{}", path.display());
    }
}

#[test]
fn no_damage_to_a_file_breaks_the_reader() {
    let text = include_str!("../golden/every-option.yaml");
    let lint = |damaged: String| {
        let findings = lint::findings("f", damaged);
        for format in [Format::Text, Format::Json, Format::Github] {
            write(&findings, format);
        }
    };
    // Every fifth place: all of them take a quarter of a minute and have shown no more.
    for end in (0..text.len()).step_by(5) {
        lint(text[..end].to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    for position in 0..lines.len() {
        for instead in [None, Some("- ä: [1, {"), Some("\t\u{7}x: y"), Some("? !!binary |"), Some("<<: *a")]
        {
            let damaged = lines
                .iter()
                .enumerate()
                .filter_map(|(i, line)| if i == position { instead } else { Some(line) });
            lint(damaged.collect::<Vec<_>>().join("\r\n"));
        }
    }
}

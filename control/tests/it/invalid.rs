//! Every file in `invalid/`, and what is said about it.

use crate::{compare, files};
use kt_control::command::lint;
use kt_control::report::{Format, write};

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

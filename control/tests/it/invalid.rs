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

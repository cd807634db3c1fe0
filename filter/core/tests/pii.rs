//! The `pii-detector` policy from its configuration to its markers, whole and in pieces.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong here fails, which is all it has to do"
)]

use kt_core::config::{DetectPattern, MarkerFormat, PiiDetector};
use kt_core::policy::pii::{MAX_HELD_BYTES, Pii};
use kt_core::scan::Match;
use kt_core::scan::identifiers::LOOKBEHIND;
use kt_core::scan::patterns::Patterns;
use proptest::prelude::*;
use std::sync::LazyLock;

fn pattern(name: &str, regex: &str) -> DetectPattern {
    DetectPattern { name: name.into(), regex: regex.into() }
}

fn with_patterns(patterns: &[(&str, &str)]) -> PiiDetector {
    PiiDetector {
        detect_patterns: patterns.iter().map(|(name, regex)| pattern(name, regex)).collect(),
        ..PiiDetector::default()
    }
}

#[track_caller]
fn compile(config: &PiiDetector) -> Pii {
    match Pii::compile(config, None) {
        Ok(pii) => pii,
        Err(problems) => panic!("{problems:?}"),
    }
}

fn matches(pii: &Pii, text: &str) -> Vec<Match> {
    let mut matches = Vec::new();
    pii.inspect(text, 0, &mut matches);
    matches
}

/// The text with markers in the place of matches; the same when it comes character by character.
#[track_caller]
fn check(config: &PiiDetector, text: &str, expected: &str) {
    let pii = compile(config);
    let found = matches(&pii, text);
    assert_eq!(streamed(&pii, text, text.chars().map(char::len_utf8)), found);
    let (mut out, mut at) = (String::new(), 0);
    for find in found {
        out.push_str(&text[at..find.start]);
        pii.marker(&find.kind, &text[find.start..find.end], &mut out);
        at = find.end;
    }
    out.push_str(&text[at..]);
    assert_eq!(out, expected);
}

/// Every problem as `path: message`.
#[track_caller]
fn check_refused(config: &PiiDetector, expected: &[&str]) {
    let problems = match Pii::compile(config, None) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        }
    };
    assert_eq!(problems, expected);
}

fn streamed(pii: &Pii, text: &str, pieces: impl IntoIterator<Item = usize>) -> Vec<Match> {
    let mut window = String::new();
    let (mut window_start, mut open, mut received) = (0, 0, 0);
    let mut all = Vec::new();
    let collect = |window: &str, window_start: usize, from: usize, until: usize, all: &mut Vec<Match>| {
        let mut found = Vec::new();
        pii.inspect(window, from - window_start, &mut found);
        all.extend(
            found
                .into_iter()
                .map(|find| Match { start: find.start + window_start, end: find.end + window_start, ..find })
                .filter(|find| find.end <= until),
        );
    };
    for piece in pieces {
        window.push_str(&text[received..received + piece]);
        received += piece;
        let before = open;
        let mut decided = Vec::new();
        open = window_start + pii.decide(&window, open - window_start, &mut decided);
        assert!(open >= before && open <= received && text.is_char_boundary(open));
        assert!(received - open <= MAX_HELD_BYTES);
        let known = all.len();
        collect(&window, window_start, before, open, &mut all);
        let as_if_it_were_all: Vec<_> = all[known..].iter().map(|find| (find.start, find.end)).collect();
        let decided = decided.iter().map(|find| (find.start + window_start, find.end + window_start));
        assert!(decided.eq(as_if_it_were_all), "the two ways to read a stream agree");
        let mut keep = open.saturating_sub(LOOKBEHIND).max(window_start);
        while !text.is_char_boundary(keep) {
            keep += 1;
        }
        window.drain(..keep - window_start);
        window_start = keep;
    }
    collect(&window, window_start, open, usize::MAX, &mut all);
    all
}

#[test]
fn what_is_found_is_replaced_by_its_kind() {
    let text = "mail ann@example.com, card 4111 1111 1111 1111, ssn 123-45-6789.";
    check(&PiiDetector::default(), text, "mail [REDACTED:EMAIL], card [REDACTED:CARD], ssn [REDACTED:SSN].");
}

#[test]
fn markers_follow_the_configuration() {
    let mut config = PiiDetector::default();
    config.redaction.marker_format = MarkerFormat::Asterisk;
    check(&config, "to müller@münchen.de", "to *****************");
    config.redaction.marker_format = MarkerFormat::Partial;
    check(&config, "card 4111111111111111", "card ************1111");
    config.redaction.custom_markers.insert("ssn".into(), "<ssn>".into());
    check(&config, "ssn 123-45-6789", "ssn <ssn>");
    config.redaction.preserve_length = true;
    check(&config, "ssn 123-45-6789", "ssn <ssn>******");
    config.redaction.custom_markers.insert("us_ssn".into(), "a number of the US".into());
    check(&config, "ssn 123-45-6789", "ssn a number of");
    config.redaction.marker_format = MarkerFormat::Label;
    check(&config, "card 4111111111111111", "card [REDACTED:CARD]*");
}

#[test]
fn only_the_configured_kinds_are_looked_for() {
    let text = "ann@example.com 4111111111111111 123-45-6789";
    let entities = Some(vec!["email".into(), "credit_card".into()]);
    check(
        &PiiDetector { entities, ..PiiDetector::default() },
        text,
        "[REDACTED:EMAIL] [REDACTED:CARD] 123-45-6789",
    );
    let config = PiiDetector { pci_mode: false, ..PiiDetector::default() };
    check(&config, text, "[REDACTED:EMAIL] 4111111111111111 [REDACTED:SSN]");
}

#[test]
fn medical_numbers_need_their_label_and_the_mode() {
    let text = "MRN: 00482913, member id is A12-345678, ref 00482913 of patient Smith";
    check(&PiiDetector::default(), text, text);
    check(
        &PiiDetector { healthcare_mode: true, ..PiiDetector::default() },
        text,
        "MRN: [REDACTED:MRN], member id is [REDACTED:HEALTH_PLAN], ref 00482913 of patient Smith",
    );
    check(
        &PiiDetector { healthcare_mode: true, ..PiiDetector::default() },
        "Fax (030) 1234567, tel (030) 1234568",
        "Fax [REDACTED:FAX], tel [REDACTED:PHONE]",
    );
}

#[test]
fn unknown_entities_are_refused() {
    let config = PiiDetector { entities: Some(vec!["emial".into(), "x".into()]), ..PiiDetector::default() };
    check_refused(
        &config,
        &[
            "policy.pii-detector.entities[0]: unknown entity `emial`",
            "policy.pii-detector.entities[1]: unknown entity `x`",
        ],
    );
    let mut config = PiiDetector::default();
    config.redaction.custom_markers.insert("phon".into(), String::new());
    check_refused(&config, &["policy.pii-detector.redaction.custom_markers.phon: unknown entity `phon`"]);
}

#[test]
fn the_operators_patterns_are_found() {
    let config = with_patterns(&[("employee_id", r"\bEMP-\d{6}\b"), ("project", r"(?i)project [a-z]{3,20}")]);
    check(
        &config,
        "EMP-123456 of Project Apollo, not EMP-1234567, ann@example.com",
        "[REDACTED:EMPLOYEE_ID] of [REDACTED:PROJECT], not EMP-1234567, [REDACTED:EMAIL]",
    );
    check(&config, "EMP-123456@example.com", "[REDACTED:EMAIL]");
    check(
        &with_patterns(&[("long", r"card 4111 1111 1111 1111 of .{3}")]),
        "card 4111 1111 1111 1111 of Ann",
        "[REDACTED:LONG]",
    );
    check(
        &with_patterns(&[("first", r"^[a-z]{3}"), ("last", r"[a-z]{3}$")]),
        "abc def ghi",
        "[REDACTED:FIRST] def [REDACTED:LAST]",
    );
    check(&with_patterns(&[("name", r"[\w-]{3,9}!")]), "héllo-x!", "hé[REDACTED:NAME]");
}

#[test]
fn patterns_that_cannot_be_held_back_are_refused() {
    #[track_caller]
    fn check(name: &str, regex: &str, expected: &str) {
        check_refused(&with_patterns(&[(name, regex)]), &[expected]);
    }
    let path = "policy.pii-detector.detect_patterns[0]";
    let unbounded = format!(
        "{path}.regex: the regex has no longest match, and streamed text cannot be held back without end"
    );
    check("a", r"EMP-\d+", &unbounded);
    check("a", r"x.*y", &unbounded);
    check("a", r"a{300}", &format!("{path}.regex: the regex may match 300 bytes; the most is 256"));
    check("a", r"a{0,9}", &format!("{path}.regex: the regex matches the empty text"));
    check("a", r"[a&&b]", &format!("{path}.regex: the regex can never match"));
    check("a", r"(", &format!("{path}.regex: the regex is not valid: unclosed group"));
    check(
        "a",
        r"a(?=b)",
        &format!(
            "{path}.regex: the regex is not valid: look-around, including look-ahead and look-behind, is not supported"
        ),
    );
    check(
        "a",
        r"(?i)\pL{1,60}x.{1,60}y",
        &format!("{path}.regex: the regex may match 482 bytes; the most is 256"),
    );
    check("a", r"\pL{1,40}x\pL{1,9}", &format!("{path}.regex: the automaton would be larger than 512 KB"));
    check("Bad-Name", "a", &format!("{path}.name: `Bad-Name` cannot be the name of a pattern"));
    check("email", "a", &format!("{path}.name: `email` is a built-in entity"));
    check_refused(
        &with_patterns(&[("a", "a"), ("a", "b")]),
        &["policy.pii-detector.detect_patterns[1].name: `a` is already the name of detect_patterns[0]"],
    );
}

#[test]
fn an_automaton_survives_its_journey() {
    let config = with_patterns(&[("employee_id", r"EMP-\d{6}"), ("b", "bb")]);
    let bytes = Patterns::compile(&config.detect_patterns).map(|patterns| patterns.to_bytes()).unwrap();
    let pii = Pii::compile(&config, Some(&bytes)).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(matches(&pii, "an EMP-123456 bb"), matches(&compile(&config), "an EMP-123456 bb"));
    assert_eq!(matches(&pii, "an EMP-123456 bb").len(), 2);
    for damage in 0..bytes.len().min(64) {
        assert!(Patterns::from_bytes(&bytes[..damage]).is_err());
    }
    let other = with_patterns(&[("other", r"EMP-\d{6}"), ("b", "bb")]);
    assert!(Pii::compile(&other, Some(&bytes)).is_err());
}

static EVERYTHING: LazyLock<Pii> = LazyLock::new(|| {
    let mut config = with_patterns(&[
        ("employee_id", r"\bEMP-\d{2,6}\b"),
        ("ab", r"(?i)ab{1,9}c?|b@"),
        ("mail_like", r"[a-z]{2,5}@[a-z]{2,9}\.c"),
        ("line", r"(?m)^x{1,3}$"),
        ("late", r"zz[a-y ]{0,40}q"),
        ("ends", r"[0-9]{3}$"),
    ]);
    config.healthcare_mode = true;
    compile(&config)
});

const FRAGMENTS: &[&str] = &[
    "EMP-",
    "EMP-123456",
    "12",
    "ab",
    "abbbc",
    "b@",
    "ann@example.com",
    "@",
    ".c",
    "x",
    "xx\n",
    "\n",
    "zz",
    "q",
    " ",
    "-",
    ".",
    "MRN",
    "mrn: ",
    "member id ",
    "A12-345678",
    "00482913",
    "4111 1111 1111 1111",
    "123-45-6789",
    "+1 415 555 0132",
    "é",
    "中",
    "call ",
    "555-0132",
    "203.0.113.7",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "123",
    "passport ",
    "Passport number:\n",
    "passeport n° ",
    "AB 1234567",
    "AB",
    "K77R6TFWH",
    "952132640",
    "licence ",
    "Führerschein Nr. ",
    "MORGA 657054 SM9IJ",
    "MORGA657054SM9IJ",
    "D123-4567-8901",
    "born ",
    "née le ",
    "geb. am ",
    "DOB: ",
    "12/03/1980",
    "1980-03-12",
    "3",
    "3 November 1988",
    "22. Februar 1983",
    "12 de mayo de 1980",
    "February ",
    "Feb. ",
    "22, 1983",
    "of ",
    "1988",
    "1980年5月12日",
    "NINO ",
    "OB 82 10 78 D",
    "JL105286A",
    "NHS number ",
    "966 284 5208",
    "Steuer-ID ",
    "37 816 029 990",
    "Ausweis ",
    "V4F12MY018",
    "SV-Nummer ",
    "63 270249 J 920",
    "NIR ",
    "1 69 08 29 316 155 53",
    "169082931615553",
    "DNI ",
    "12345678Z",
    "X1234567L",
    "RSSMRA85M01H501Q",
    "bsn ",
    "111222333",
    "Aadhaar ",
    "3123 4567 8909",
    "ABCPD1234Z",
    "756.9217.0769.85",
    "529.982.247-25",
    "960121-1021413",
    "order ",
    "version ",
    "; ",
    ", ",
    "\n",
    "fax ",
    "(030) 1234567",
    "Address: ",
    "Patient: ",
    "Dr. ",
    "Jane Doe",
    "J. ",
    "van ",
    "wohne in ",
    "j'habite au ",
    "12 ",
    "5765",
    "Main ",
    "Street",
    "St. ",
    "Apt. 4B",
    "Suite 368",
    "Springfield",
    "NH 01671",
    "N0E 7WQ",
    "Hauptstraße ",
    "Lange Straße ",
    "Lange Str",
    "Hauptstr. ",
    "10117 Berlin",
    "12345",
    "rue de ",
    "63, rue de Chauvin",
    "Calle Mayor ",
    "Via Roma ",
    "Saint Pierre",
    "(RM)",
    "USA",
    "Germany",
    "Thank you",
    "Phone",
    "\r\n",
    "de la ",
];

proptest! {
    #[test]
    fn pieces_give_what_the_whole_gives(
        parts in proptest::collection::vec(
            prop_oneof![4 => proptest::sample::select(FRAGMENTS).prop_map(String::from), 1 => "[a-z0-9@. -]{1,6}", 1 => any::<char>().prop_map(String::from)],
            0..16,
        ),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let text = parts.concat();
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&boundaries)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let whole = matches(&EVERYTHING, &text);
        prop_assert!(whole.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert_eq!(&streamed(&EVERYTHING, &text, cuts.windows(2).map(|pair| pair[1] - pair[0])), &whole);
        prop_assert_eq!(&streamed(&EVERYTHING, &text, text.chars().map(char::len_utf8)), &whole);
    }
}

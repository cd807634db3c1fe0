//! What is refused, and that nothing else is.

use kt_core::message::{BodyErrorKind, Endpoint, MAX_DEPTH, delta, request, response};
use proptest::prelude::*;
use serde_json::Value;

/// Both readers use one grammar; every case goes through both.
fn outcome(body: &[u8]) -> Result<(), BodyErrorKind> {
    let read = request::read(Endpoint::ChatCompletions, body).map(|_| ()).map_err(|error| error.kind);
    let answered = response::read(Endpoint::ChatCompletions, body).map(|_| ()).map_err(|error| error.kind);
    let streamed = delta::read(Endpoint::ChatCompletions, body).map(|_| ()).map_err(|error| error.kind);
    assert_eq!(read, answered);
    assert_eq!(read, streamed);
    read
}

#[track_caller]
fn check(body: impl AsRef<[u8]>, expected: Result<(), BodyErrorKind>) {
    let body = body.as_ref();
    assert_eq!(outcome(body), expected, "{:.80}", String::from_utf8_lossy(body));
}

#[test]
fn valid_documents_pass() {
    for body in [
        "{}",
        " \t\r\n{ } \n",
        r#"{"a":null,"b":true,"c":false,"d":[],"e":{},"f":[1,[2]],"":""}"#,
        r#"{"a":0,"b":-0,"c":0.5,"d":-1.25e+10,"e":1E9,"f":18446744073709551616000,"g":1e999}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00","é":"😀"}"#,
        "{\"a\":\"\u{7f}\u{80}\u{2028}\"}",
    ] {
        check(body, Ok(()));
    }
}

#[test]
fn invalid_json_is_refused() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "{]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":0x1}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":tru}"#,
        r#"{"a":nul}"#,
        r#"{"a":True}"#,
        r#"{"a":truee}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,]}"#,
        r#"{"a":[1}"#,
        r#"{"a":"\x41"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\"#,
        r#"{"a":"b"#,
        r#"{"a":1}/*c*/"#,
        "{\"a\":1}\u{0}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{0}\"}",
        "{\"a\":\"0123456789abcdef\t\"}",
        "{\u{b}}",
        "{\u{a0}}",
        "\u{feff}{}",
    ] {
        check(body, Err(BodyErrorKind::InvalidJson));
    }
}

#[test]
fn trailing_data_is_refused() {
    for body in ["{}{}", "{} x", "{}]", "{}\u{0}"] {
        check(body, Err(BodyErrorKind::InvalidJson));
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands() {
    check(b"{\"a\":\"\xff\"}", Err(BodyErrorKind::InvalidUtf8));
    check(b"{\"a\":\"\xc0\xaf\"}", Err(BodyErrorKind::InvalidUtf8));
    check(b"{\"\xed\xa0\x80\":1}", Err(BodyErrorKind::InvalidUtf8));
    check(b"{}\xf0\x9f\x98", Err(BodyErrorKind::InvalidUtf8));
}

#[test]
fn lone_surrogates_are_refused() {
    for body in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00\ud800"}"#, r#"{"\uDBFFx":1}"#, r#"{"a":"\ud83d\n"}"#] {
        check(body, Err(BodyErrorKind::InvalidJson));
    }
}

#[test]
fn other_documents_are_not_objects() {
    for body in ["[]", "null", "\"a\"", "1", " [ {} ] "] {
        check(body, Err(BodyErrorKind::NotAnObject));
    }
    check("[", Err(BodyErrorKind::InvalidJson));
}

#[test]
fn duplicate_keys_are_refused_at_every_depth() {
    for body in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":[{"y":{"":1,"b":2,"":3}}]}"#,
        r#"{"messages":[],"messages":[]}"#,
        r#"{"messages":[{"role":"user","role":"user"}]}"#,
        r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#,
    ] {
        check(body, Err(BodyErrorKind::DuplicateKey));
    }
    check(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#, Ok(()));
    check(r#"{"a":1,"A":2,"a ":3}"#, Ok(()));
}

#[test]
fn large_objects_are_checked_as_well() {
    for count in [31, 32, 33, 34, 1000] {
        let mut members: Vec<String> = (0..count).map(|number| format!("\"key{number}\":0")).collect();
        check(format!("{{{}}}", members.join(",")), Ok(()));
        for duplicate in [0, count / 2, count - 1] {
            members.push(format!("\"\\u006bey{duplicate}\":1"));
            check(format!("{{{}}}", members.join(",")), Err(BodyErrorKind::DuplicateKey));
            members.pop();
        }
    }
}

#[test]
fn an_object_with_many_keys_takes_linear_time() {
    let members: Vec<String> = (0..100_000).map(|number| format!("\"{number}aaaaaaaa\":0")).collect();
    let body = format!("{{{}}}", members.join(","));
    let started = std::time::Instant::now();
    check(&body, Ok(()));
    // A quadratic check takes minutes in a debug build.
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn nesting_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    check(nested(MAX_DEPTH), Ok(()));
    for depth in [MAX_DEPTH + 1, 4096, 10_000_000] {
        check(nested(depth), Err(BodyErrorKind::TooDeep));
    }
    check("[".repeat(10_000_000), Err(BodyErrorKind::TooDeep));
    check("{\"a\":".repeat(4096), Err(BodyErrorKind::TooDeep));
    let schema = format!("{{\"tools\":[{{\"function\":{{\"parameters\":{}", "{\"items\":".repeat(4096));
    assert_eq!(
        request::read(Endpoint::ChatCompletions, schema.as_bytes()).unwrap_err().kind,
        BodyErrorKind::TooDeep
    );
}

#[test]
fn an_error_names_the_byte() {
    for (body, offset) in [(r#"{"a":1,"a":2}"#, 10), ("{} x", 3), ("{\"a\":tru}", 5), ("", 0)] {
        assert_eq!(
            request::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap_err().offset,
            offset,
            "{body}"
        );
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What serde_json thinks of the grammar; `None` where it stops at a number too large for it and says nothing of the rest.
fn is_json(body: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<Value>(body) {
        Ok(_) => Some(true),
        Err(error) if error.to_string().contains("number out of range") => None,
        Err(_) => Some(false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn whatever_serde_writes_is_accepted(value in value(), pretty in any::<bool>()) {
        let body = serde_json::json!({ "x": value });
        let body = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.unwrap();
        prop_assert_eq!(outcome(&body), Ok(()));
    }

    #[test]
    fn damaged_bodies_are_judged_as_serde_judges_them(
        value in value(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u8>(), prop::sample::select(br#"{}[]",:\u0.-e 1tfn"#.to_vec())
        ], 0..3u8), 1..4),
    ) {
        let mut body = serde_json::to_vec(&serde_json::json!({ "x": value, "y": "\\ud83d\u{1f600}" })).unwrap();
        for (at, byte, how) in damage {
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
            if body.is_empty() { body.push(b' '); }
        }
        match outcome(&body) {
            Ok(()) => prop_assert_ne!(is_json(&body), Some(false)),
            Err(BodyErrorKind::InvalidJson | BodyErrorKind::InvalidUtf8) => prop_assert_ne!(is_json(&body), Some(true)),
            Err(BodyErrorKind::NotAnObject) => prop_assert_ne!(is_json(&body), Some(false)),
            Err(BodyErrorKind::DuplicateKey | BodyErrorKind::TooDeep | BodyErrorKind::WrongShape(_)) => {}
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = outcome(&body);
    }
}

//! Streams of events in any chunking.

use kt_core::sse::decode::{Decoder, Frame, MAX_EVENT_BYTES};
use kt_core::sse::encode;
use proptest::prelude::*;

fn frames<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut frames).unwrap();
    }
    decoder.finish(&mut frames);
    assert_eq!(decoder.pending(), 0);
    frames
}

fn payloads(frames: &[Frame]) -> Vec<String> {
    frames.iter().filter_map(|frame| Some(String::from_utf8(frame.data()?.into_owned()).unwrap())).collect()
}

fn joined(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect()
}

/// The same lines, all ended alike: a cut inside the end of an event may have it written in another way.
fn lines(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", "\n").replace('\r', "\n")
}

#[track_caller]
fn check(stream: &str, expected: &[&str]) {
    let whole = frames([stream.as_bytes()]);
    assert_eq!(payloads(&whole), expected);
    let bytewise = frames(stream.as_bytes().chunks(1));
    assert_eq!(payloads(&bytewise), expected, "byte by byte");
    assert_eq!(joined(&whole), stream.as_bytes());
    assert_eq!(joined(&bytewise), stream.as_bytes());
}

#[test]
fn every_line_end_ends_a_line() {
    check("data: a\n\ndata: b\n\n", &["a", "b"]);
    check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    check("data: a\r\rdata: b\r\r", &["a", "b"]);
    check("data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r", &["a", "b", "c", "d"]);
}

#[test]
fn fields_follow_the_grammar() {
    check("data:a\n\n", &["a"]);
    check("data:  a \n\n", &[" a "]);
    check("data\n\n", &[""]);
    check("data: a\ndata:b\ndata\n\n", &["a\nb\n"]);
    check("datax: a\nDATA: b\n data: c\n\n", &[]);
    check(": ping\n\n", &[]);
    check("id: 1\nevent: e\nretry: 5\ndata: a\n: c\n\n", &["a"]);
    check("\n\n\ndata: a\n\n\n\n", &["a"]);
    check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"]);
    check("\u{feff}\ndata: a\n\n", &["a"]);
}

#[test]
fn an_unterminated_event_is_a_frame_at_the_end() {
    check("data: a\n\ndata: b", &["a", "b"]);
    check("data: a\n\ndata: b\n", &["a", "b"]);
    check("data: a\r", &["a"]);
    check("", &[]);
}

#[test]
fn a_comment_is_a_frame_of_its_own() {
    let found = frames([b": ping\n\ndata: a\n\n".as_slice()]);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].bytes(), found[0].data()), (b": ping\n\n".as_slice(), None));
}

#[test]
fn an_event_leaves_with_its_last_byte() {
    for end in ["\n\n", "\r\r", "\r\n\r"] {
        let mut decoder = Decoder::new();
        let mut found = Vec::new();
        decoder.push(format!("data: a{end}").as_bytes(), &mut found).unwrap();
        assert_eq!((found.len(), decoder.pending()), (1, 0), "{end:?}");
    }
}

#[test]
fn an_event_that_is_cut_in_its_last_line_end_is_whole_at_once() {
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    decoder.push(b"data: a\r\n\r", &mut found).unwrap();
    assert_eq!(joined(&found), b"data: a\r\n\r\n");
    decoder.push(b"", &mut found).unwrap();
    decoder.push(b"\ndata: b\n\n", &mut found).unwrap();
    assert_eq!(joined(&found), b"data: a\r\n\r\ndata: b\n\n");
}

#[test]
fn the_last_name_counts() {
    let found = frames([b"event: x\nevent: error\ndata: a\n\ndata:b\n\n".as_slice()]);
    assert_eq!(found[0].event(), Some("error"));
    assert_eq!(found[1].event(), None);
}

#[test]
fn an_event_beyond_the_bound_is_an_error() {
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    let largest = format!("data: {}\n\n", "x".repeat(MAX_EVENT_BYTES - 8));
    decoder.push(largest.as_bytes(), &mut found).unwrap();
    assert_eq!(found.len(), 1);
    assert!(decoder.clone().push(format!("data: {largest}").as_bytes(), &mut found).is_err());
    let mut pushed = Ok(());
    for _ in 0..=MAX_EVENT_BYTES / 1024 {
        pushed = decoder.push(&[b'x'; 1024], &mut found);
    }
    assert!(pushed.is_err());
}

#[track_caller]
fn check_rewritten(stream: &str, payload: &str, expected: &str) {
    let found = frames([stream.as_bytes()]);
    assert_eq!(String::from_utf8(found[0].with_data(payload.as_bytes())).unwrap(), expected);
}

#[test]
fn another_payload_keeps_the_rest_of_the_frame() {
    check_rewritten("id: 1\r\ndata: a\r\n: c\r\n\r\n", "X", "id: 1\r\ndata: X\r\n: c\r\n\r\n");
    check_rewritten("data:a\ndata:b\nid: 1\n\n", "X", "data:X\nid: 1\n\n");
    check_rewritten("data:a\n\n", " X", "data:  X\n\n");
    check_rewritten("data: a\n\n", "X\nY", "data: X\ndata: Y\n\n");
    check_rewritten("data: a\r\r", "X\nY", "data: X\rdata: Y\r\r");
    check_rewritten("data: a", "X", "data: X");
    check_rewritten("\u{feff}data: a\n\n", "X", "\u{feff}data: X\n\n");
    check_rewritten(": c\n\n", "X", ": c\ndata: X\n\n");
}

fn stream() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("\r\n\r\n"),
        Just("data: "),
        Just("data:"),
        Just("data"),
        Just("event: e"),
        Just(": ping"),
        Just("id: 7"),
        Just("{\"a\":\"é😀\"}"),
        Just("x"),
        Just(" "),
        Just("\u{feff}"),
        Just("[DONE]"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn chunks_change_neither_bytes_nor_payloads(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let chunked = frames(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]));
        let whole = frames([bytes]);
        prop_assert_eq!(lines(&joined(&chunked)), lines(bytes));
        prop_assert_eq!(lines(&joined(&whole)), lines(bytes));
        prop_assert_eq!(payloads(&chunked), payloads(&whole));
    }

    #[test]
    fn a_rewritten_frame_reads_back(stream in stream(), payload in "[a-z \n]{0,20}") {
        for (number, frame) in frames([stream.as_bytes()]).into_iter().enumerate() {
            let Some(_) = frame.data() else { continue };
            // A byte order mark is one at the start of a stream only, so a later frame is read as a later frame.
            let before: &[u8] = if number == 0 { b"" } else { b"
" };
            let reread = frames([before, &frame.with_data(payload.as_bytes())]);
            prop_assert_eq!(payloads(&reread), vec![payload.clone()]);
            prop_assert_eq!(reread.iter().filter_map(Frame::event).collect::<Vec<_>>(), frame.event().into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_encoded_payload_reads_back(payload in "[a-z \n:]{0,40}") {
        prop_assert_eq!(payloads(&frames([encode::data(payload.as_bytes()).as_slice()])), vec![payload]);
    }
}

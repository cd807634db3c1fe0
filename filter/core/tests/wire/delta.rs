//! Events of a stream.

use kt_core::message::Endpoint;
use kt_core::message::delta::{self, Event};
use kt_core::message::rewrite::{Splice, apply};
use kt_core::message::text::Channel;

fn read(endpoint: Endpoint, payload: &str) -> Event<'_> {
    delta::read(endpoint, payload.as_bytes()).unwrap()
}

#[track_caller]
fn check(endpoint: Endpoint, payload: &str, expected: &[(u32, Channel, &str, usize)]) {
    let event = read(endpoint, payload);
    let found: Vec<(u32, Channel, &str, usize)> = event
        .deltas
        .iter()
        .map(|delta| {
            assert_eq!(delta.lane, delta.text.lane());
            (delta.lane.choice, delta.lane.channel, &*delta.text.value, delta.copies.len())
        })
        .collect();
    assert_eq!(found, expected);
}

const TOGETHER: &str = r#"{"id":"nx1","object":"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"text":"Pa","logprobs":null,"finish_reason":null,"seed":null,"delta":{"token_id":4711,"role":"assistant","content":"Pa"}}],"model":"m","usage":null}"#;

#[test]
fn togethers_second_copy_is_one_delta_with_the_first() {
    check(Endpoint::ChatCompletions, TOGETHER, &[(0, Channel::Content, "Pa", 1)]);
    let event = read(Endpoint::ChatCompletions, TOGETHER);
    let mut splices = Vec::new();
    for delta in &event.deltas {
        for text in std::iter::once(&delta.text).chain(&delta.copies) {
            text.replace("X", &mut splices);
        }
    }
    splices.extend(event.leaks.iter().map(|(_, span)| Splice::null(span.clone())));
    let expected = TOGETHER.replace("\"Pa\"", "\"X\"").replace("4711", "null");
    assert_eq!(String::from_utf8(apply(TOGETHER.as_bytes(), &splices)).unwrap(), expected);
}

#[test]
fn a_text_that_is_no_copy_has_a_lane_of_its_own() {
    check(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"text":"b","delta":{"content":"a"}},{"text":"","delta":{"content":"a"}},{"text":"c","delta":{"reasoning":"c","content":""}}]}"#,
        &[
            (0, Channel::Content, "a", 0),
            (0, Channel::Text, "b", 0),
            (1, Channel::Content, "a", 0),
            (2, Channel::Reasoning, "c", 1),
            (2, Channel::Content, "", 0),
        ],
    );
}

#[test]
fn completions_stream_text() {
    check(
        Endpoint::Completions,
        r#"{"choices":[{"index":1,"text":"a"},{"index":0,"text":""}]}"#,
        &[(1, Channel::Text, "a", 0), (0, Channel::Text, "", 0)],
    );
}

#[test]
fn every_channel_is_a_lane() {
    check(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"index":2,"delta":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"thinking","thinking":[{"type":"text","text":"c"}]}],
            "reasoning":"d","reasoning_content":"e","refusal":"f","audio":{"transcript":"g"},
            "tool_calls":[{"index":4,"id":"x","function":{"name":"h","arguments":"{\"a"}},{"function":{"arguments":"i"},"index":3},{"function":{"name":null,"arguments":"j"}}],
            "function_call":{"name":"k","arguments":"l"},"reasoning_details":[{"type":"reasoning.text","text":"d"},{"text":"m"}]}}]}"#,
        &[
            (2, Channel::Content, "a", 0),
            (2, Channel::Content, "b", 0),
            (2, Channel::Reasoning, "c", 0),
            (2, Channel::Reasoning, "d", 1),
            (2, Channel::ReasoningContent, "e", 0),
            (2, Channel::Refusal, "f", 0),
            (2, Channel::Transcript, "g", 0),
            (2, Channel::ToolName(4), "h", 0),
            (2, Channel::ToolCall(4), "{\"a", 0),
            (2, Channel::ToolCall(3), "i", 0),
            (2, Channel::ToolCall(2), "j", 0),
            (2, Channel::FunctionName, "k", 0),
            (2, Channel::FunctionCall, "l", 0),
            (2, Channel::ReasoningDetails, "m", 0),
        ],
    );
}

#[test]
fn a_member_that_is_not_known_is_a_lane_by_the_keys_that_lead_to_it() {
    let lanes = |payload: &str| -> Vec<(Channel, String)> {
        let event = read(Endpoint::ChatCompletions, payload);
        event.deltas.iter().map(|delta| (delta.lane.channel, delta.text.value.to_string())).collect()
    };
    let first = lanes(
        r#"{"choices":[{"delta":{"id":"no","thinking":"a","thinking_blocks":[{"type":"no","thinking":"b","signature":"no","data":"no"}],"n":1,"image":"data:image/png;base64,bm8="}}]}"#,
    );
    let second = lanes(
        r#"{"choices":[{"delta":{"thinking_blocks":[{"x":[]},{"thinking":"c"}],"thinking":"d","tool_call_id":"no"}}]}"#,
    );
    let [(plain, a), (block, b)] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
    assert_ne!(plain, block);
    assert_eq!(second, [(*block, "c".to_owned()), (*plain, "d".to_owned())]);
    // A word in front makes nobody's text a picture, and each call has lanes of its own.
    let words = lanes(
        r#"{"choices":[{"delta":{"note":"data: e;base64, f","tool_calls":[{"index":1,"x":"g"},{"index":2,"x":"h"}]}}]}"#,
    );
    let [(_, e), (one, _), (two, _)] = words.as_slice() else { panic!("{words:?}") };
    assert_eq!(e, "data: e;base64, f");
    assert_ne!(one, two);
}

#[test]
fn what_a_choice_said_so_far_adds_nothing_to_its_lanes() {
    let choice = |reason: &str| {
        format!(
            r#"{{"choices":[{{"index":3,"message":{{"content":"ab"}},"delta":{{"content":"b"}},"finish_reason":{reason}}}]}}"#
        )
    };
    let (goes_on, ends) = (choice("null"), choice(r#""stop""#));
    let event = read(Endpoint::ChatCompletions, &goes_on);
    assert_eq!((event.deltas.len(), event.whole.len(), event.so_far.len()), (1, 0, 1));
    let event = read(Endpoint::ChatCompletions, &ends);
    assert_eq!((event.deltas.len(), event.whole.len(), event.so_far.len()), (1, 1, 0));
    assert_eq!((event.whole[0].choice, &*event.whole[0].value), (3, "ab"));
    // Some servers stream messages in place of deltas.
    let event = read(Endpoint::ChatCompletions, r#"{"choices":[{"message":{"content":"a"}}]}"#);
    assert_eq!((event.deltas.len(), event.so_far.len()), (1, 0));
}

#[test]
fn what_a_stream_cites_stands_whole_in_its_event() {
    let event = read(
        Endpoint::ChatCompletions,
        r#"{"id":"no","citations":["a"],"choices":[{"delta":{"content":"b","annotations":[{"type":"url_citation","url_citation":{"title":"c"}}]}}],"prompt_logprobs":[{"1":{"decoded_token":"no"}}]}"#,
    );
    let said: Vec<&str> = event.whole.iter().map(|text| &*text.value).collect();
    assert_eq!(said, ["a", "url_citation", "c"]);
    assert_eq!(event.deltas.len(), 1);
}

#[test]
fn ends_errors_and_usage_are_seen() {
    let event = read(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"delta":{},"finish_reason":"stop","index":1},{"finish_reason":null},{"finish_reason":""}],"usage":{"prompt_tokens":1,"completion_tokens":2},"model":"m"}"#,
    );
    assert_eq!(event.finished, [1]);
    assert_eq!(event.usage.unwrap().completion, Some(2));
    assert_eq!(event.model.as_deref(), Some("m"));
    assert!(!event.ends);
    let error = read(Endpoint::ChatCompletions, r#"{"error":{"message":"x","code":500}}"#);
    assert!(error.ends && error.deltas.is_empty());
    assert!(read(Endpoint::ChatCompletions, r#"{"choices":[],"usage":{"total_tokens":3}}"#).usage.is_some());
}

#[test]
fn an_event_of_many_pieces_takes_linear_time() {
    let pieces = vec![r#"{"text":"a"}"#; 20_000].join(",");
    let payload =
        format!(r#"{{"choices":[{{"delta":{{"reasoning":"a","reasoning_details":[{pieces}]}}}}]}}"#);
    let started = std::time::Instant::now();
    check(Endpoint::ChatCompletions, &payload, &[(0, Channel::Reasoning, "a", 20_000)]);
    assert!(started.elapsed().as_secs() < 10);
}

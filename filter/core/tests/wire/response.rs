//! Whole answers.

use kt_core::message::response::{self, Response};
use kt_core::message::text::OUTSIDE;
use kt_core::message::usage::Usage;
use kt_core::message::{BodyErrorKind, Endpoint};

fn read(endpoint: Endpoint, body: &str) -> Response<'_> {
    response::read(endpoint, body.as_bytes()).unwrap()
}

#[track_caller]
fn check(endpoint: Endpoint, body: &str, expected: &[(u32, &str, &str)]) {
    let response = read(endpoint, body);
    let found: Vec<(u32, String, &str)> =
        response.texts.iter().map(|text| (text.choice, text.place.to_string(), &*text.value)).collect();
    let found: Vec<(u32, &str, &str)> =
        found.iter().map(|(choice, place, value)| (*choice, &**place, *value)).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_choice_is_read_under_its_own_index() {
    check(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"message":{"role":"assistant","content":"a"},"index":1,"text":"t"},{"index":0,"message":{"content":[{"type":"text","text":"b"}]}},{"message":{"refusal":"c"}}]}"#,
        &[
            (1, "choices[0].message.content", "a"),
            (1, "choices[0].text", "t"),
            (0, "choices[1].message.content[0].text", "b"),
            (2, "choices[2].message.refusal", "c"),
        ],
    );
}

#[test]
fn everything_a_model_can_say_is_read() {
    check(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"message":{"content":null,"reasoning":"a","reasoning_content":"b","audio":{"data":"x","transcript":"c"},
            "tool_calls":[{"id":"1","function":{"name":"d","arguments":"{\"e\":12345678}"}}],"function_call":{"name":"f","arguments":"g"}}}]}"#,
        &[
            (0, "choices[0].message.reasoning", "a"),
            (0, "choices[0].message.reasoning_content", "b"),
            (0, "choices[0].message.audio.transcript", "c"),
            (0, "choices[0].message.tool_calls[0].function.name", "d"),
            (0, "choices[0].message.tool_calls[0].function.arguments", "e"),
            (0, "choices[0].message.tool_calls[0].function.arguments", "12345678"),
            (0, "choices[0].message.function_call.name", "f"),
            (0, "choices[0].message.function_call.arguments", "g"),
        ],
    );
}

#[test]
fn completions_and_rerank_answers_are_read() {
    check(Endpoint::Completions, r#"{"choices":[{"text":"a","index":0}]}"#, &[(0, "choices[0].text", "a")]);
    check(
        Endpoint::Rerank,
        r#"{"results":[{"index":0,"document":{"text":"a"}},{"document":"b"},{"index":2,"document":null}]}"#,
        &[(OUTSIDE, "results[0].document", "a"), (OUTSIDE, "results[1].document", "b")],
    );
    check(Endpoint::Embeddings, r#"{"data":[{"embedding":[0.1,-2e-3],"index":0}],"model":"m"}"#, &[]);
    check(
        Endpoint::ChatCompletions,
        r#"{"prompt":[{"text":"a","logprobs":{}},"b"],"choices":[]}"#,
        &[(OUTSIDE, "prompt[0].text", "a"), (OUTSIDE, "prompt[1]", "b")],
    );
}

#[test]
fn values_that_spell_out_tokens_are_noted_with_their_choice() {
    let body = r#"{"choices":[{"logprobs":{"tokens":["a"]},"message":{"content":"a","token_ids":[1]},"index":3,"top_logprobs":null}]}"#;
    let spans: Vec<(u32, &str)> = read(Endpoint::ChatCompletions, body)
        .leaks
        .into_iter()
        .map(|(choice, span)| (choice, &body[span]))
        .collect();
    assert_eq!(spans, [(3, r#"{"tokens":["a"]}"#), (3, "[1]")]);
}

#[test]
fn the_rest_of_an_answer_is_read() {
    let response = read(
        Endpoint::ChatCompletions,
        r#"{"model":"m","choices":[{"finish_reason":"stop"},{"finish_reason":null},{"finish_reason":"length","index":5}]}"#,
    );
    assert_eq!(response.model.as_deref(), Some("m"));
    let reasons: Vec<(u32, &str)> =
        response.finish_reasons.iter().map(|(choice, reason)| (*choice, &**reason)).collect();
    assert_eq!(reasons, [(0, "stop"), (5, "length")]);
    assert!(!response.is_error);
    assert!(read(Endpoint::ChatCompletions, r#"{"error":{"message":"x"}}"#).is_error);
    assert!(read(Endpoint::ChatCompletions, r#"{"error":"x"}"#).is_error);
    assert!(!read(Endpoint::ChatCompletions, r#"{"error":null}"#).is_error);
}

#[track_caller]
fn check_usage(body: &str, expected: Option<[Option<u64>; 5]>) {
    let expected = expected.map(|[prompt, completion, total, cached, reasoning]| Usage {
        prompt,
        completion,
        total,
        cached,
        reasoning,
    });
    assert_eq!(read(Endpoint::ChatCompletions, body).usage, expected, "{body}");
}

#[test]
fn usage_is_read_in_every_spelling() {
    check_usage("{}", None);
    check_usage(r#"{"usage":null}"#, None);
    check_usage(r#"{"usage":{}}"#, None);
    check_usage(r#"{"usage":{"prompt_tokens":-1,"completion_tokens":2.5,"total_tokens":"3"}}"#, None);
    let plain = [Some(20), Some(3), Some(23)];
    let with = |cached, reasoning| Some([plain[0], plain[1], plain[2], cached, reasoning]);
    check_usage(
        r#"{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}"#,
        with(None, None),
    );
    check_usage(
        r#"{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"cached_tokens":0}}"#,
        with(Some(0), None),
    );
    check_usage(
        r#"{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
        with(Some(5), Some(2)),
    );
    check_usage(
        r#"{"usage":{"input_tokens":20,"output_tokens":3,"total_tokens":23,"input_tokens_details":{"cached_tokens":5},"output_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":null}}"#,
        with(Some(5), Some(2)),
    );
    check_usage(
        r#"{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"prompt_cache_hit_tokens":4}}"#,
        with(Some(4), None),
    );
    check_usage(
        r#"{"x_groq":{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}},"usage":null}"#,
        with(None, None),
    );
    check_usage(
        r#"{"choices":[{"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}]}"#,
        with(None, None),
    );
}

#[test]
fn an_answer_of_the_wrong_shape_is_refused() {
    for (body, place) in [
        (r#"{"choices":{}}"#, "choices"),
        (r#"{"choices":["a"]}"#, "choices[]"),
        (r#"{"choices":[{"message":"a"}]}"#, "choices[].message"),
        (r#"{"choices":[{"text":["a"]}]}"#, "choices[].text"),
        (r#"{"choices":[{"message":{"content":{"a":"b"}}}]}"#, "choices[].message.content"),
    ] {
        let error = response::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, BodyErrorKind::WrongShape(place), "{body}");
    }
}

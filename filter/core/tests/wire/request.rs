//! Requests: what is found, and how it is edited.

use kt_core::message::request::{self, Request};
use kt_core::message::rewrite::apply;
use kt_core::message::text::Text;
use kt_core::message::{BodyErrorKind, Endpoint, Unscanned};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(endpoint: Endpoint, body: &str) -> Request<'_> {
    request::read(endpoint, body.as_bytes()).unwrap()
}

fn listed(texts: &[Text<'_>]) -> Vec<String> {
    texts.iter().map(|text| format!("{} {:?} {}", text.place, text.role, text.value)).collect()
}

#[track_caller]
fn check(endpoint: Endpoint, body: Value, expected: &[&str]) {
    assert_eq!(listed(&read(endpoint, &body.to_string()).texts), expected);
}

#[track_caller]
fn check_chat(body: Value, expected: &[&str]) {
    check(Endpoint::ChatCompletions, body, expected);
}

#[track_caller]
fn check_wrong_shape(endpoint: Endpoint, body: &str, place: &'static str) {
    let error = request::read(endpoint, body.as_bytes()).unwrap_err();
    assert_eq!(error.kind, BodyErrorKind::WrongShape(place), "{body}");
}

/// Replaces every occurrence of `what` in every text and returns the new body.
fn redacted(endpoint: Endpoint, body: &str, what: &str, with: &str) -> String {
    let request = read(endpoint, body);
    let mut splices = Vec::new();
    for text in &request.texts {
        let edits: Vec<_> =
            text.value.match_indices(what).map(|(at, _)| (at..at + what.len(), with)).collect();
        text.edit(body.as_bytes(), &edits, &mut splices);
    }
    String::from_utf8(apply(body.as_bytes(), &splices)).unwrap()
}

#[test]
fn every_role_is_read_wherever_its_key_stands() {
    let body = r#"{"messages":[{"content":"a","role":"system"},{"role":"developer","content":"b"},{"content":"c","role":"user"},
        {"role":"assistant","content":"d"},{"role":"tool","content":"e","tool_call_id":"x"},{"content":"f","role":"function","name":"g"},
        {"content":"h"},{"role":"critic","content":"i"}]}"#;
    let request = read(Endpoint::ChatCompletions, body);
    assert_eq!(
        listed(&request.texts),
        [
            "messages[0].content System a",
            "messages[1].content Developer b",
            "messages[2].content User c",
            "messages[3].content Assistant d",
            "messages[4].content Tool e",
            "messages[5].content Tool f",
            "messages[5].name Tool g",
            "messages[6].content User h",
            "messages[7].content User i",
        ]
    );
}

#[test]
fn parts_are_texts_or_counted() {
    let body = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, {"type": "refusal", "refusal": "c"}, "d",
        {"type": "image_url", "image_url": {"url": "https://x"}}, {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}}, {"type": "video_url", "video_url": {}}, {"type": "hologram", "x": 1}, {"y": 2},
        {"type": "thinking", "thinking": [{"type": "text", "text": "e"}]}, {"type": "hologram", "text": "f"},
    ]}]})
    .to_string();
    let request = read(Endpoint::ChatCompletions, &body);
    assert_eq!(
        listed(&request.texts),
        [
            "messages[0].content[0].text User a",
            "messages[0].content[1].text User b",
            "messages[0].content[2].refusal User c",
            "messages[0].content[3] User d",
            "messages[0].content[10].text User e",
            "messages[0].content[11].text User f",
        ]
    );
    assert_eq!(request.unscanned, Unscanned { image: 1, audio: 1, file: 1, other: 4 });
    assert_eq!(request.unscanned.total(), 7);
}

#[test]
fn an_assistants_turn_is_read_as_a_whole() {
    check_chat(
        json!({"messages": [{"role": "assistant", "content": null, "refusal": "a", "reasoning": "b", "reasoning_content": "c",
            "reasoning_details": [{"type": "reasoning.text", "text": "d"}, {"type": "reasoning.summary", "summary": "e"}],
            "audio": {"id": "x"},
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "h"}}],
            "function_call": {"name": "i", "arguments": "j"}}]}),
        &[
            // serde_json orders keys by name.
            "messages[0].function_call.arguments Assistant j",
            "messages[0].function_call.name Assistant i",
            "messages[0].reasoning Assistant b",
            "messages[0].reasoning_content Assistant c",
            "messages[0].reasoning_details[0].text Assistant d",
            "messages[0].reasoning_details[1].summary Assistant e",
            "messages[0].refusal Assistant a",
            "messages[0].tool_calls[0].function.name Assistant f",
            "messages[0].tool_calls[1].custom.input Assistant h",
            "messages[0].tool_calls[1].custom.name Assistant g",
        ],
    );
}

#[test]
fn definitions_of_tools_are_texts_and_their_types_are_not() {
    check_chat(
        json!({"tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": true, "parameters": {
            "type": "object", "title": "t", "required": ["description"],
            "properties": {
                "description": {"type": "string", "description": "p", "default": "q", "pattern": "^x$"},
                "title": {"anyOf": [{"const": "c"}, {"type": "array", "items": {"enum": ["e1", 2, "e2"]}}]},
                "default": {"type": "string"},
            },
        }}}]}),
        &[
            "tools[0].function.description System d",
            "tools[0].function.name System f",
            "tools[0].function.parameters System q",
            "tools[0].function.parameters System p",
            "tools[0].function.parameters System c",
            "tools[0].function.parameters System e1",
            "tools[0].function.parameters System e2",
            "tools[0].function.parameters System t",
        ],
    );
    check_chat(
        json!({"functions": [{"name": "f", "description": "d", "parameters": null}], "function_call": "auto"}),
        &["functions[0].description System d", "functions[0].name System f"],
    );
}

#[test]
fn descriptions_of_response_formats_are_texts() {
    check_chat(
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"description": "a"}, "strict": true}}}),
        &["response_format.json_schema.name System n", "response_format.json_schema.schema System a"],
    );
    check_chat(
        json!({"response_format": {"type": "json_object", "schema": {"properties": {"route": {"description": "b"}}}}}),
        &["response_format.schema System b"],
    );
}

#[test]
fn fields_without_text_are_left_alone() {
    check_chat(
        json!({"user": "a", "metadata": {"b": "c"}, "stop": ["d"], "reasoning": {"enabled": false}, "chat_template_kwargs": {"e": "f"},
            "function_call": {"name": "g"}, "unknown": [["h"]], "messages": null, "tools": null, "response_format": null}),
        &[],
    );
}

#[test]
fn completions_have_a_prompt() {
    let endpoint = Endpoint::Completions;
    check(endpoint, json!({"prompt": "a", "suffix": "b"}), &["prompt User a", "suffix User b"]);
    check(endpoint, json!({"prompt": ["a", "b"]}), &["prompt[0] User a", "prompt[1] User b"]);
    check(endpoint, json!({"prompt": null}), &[]);
    for (body, tokens) in [
        (r#"{"prompt":[1,2]}"#, true),
        (r#"{"prompt":[[1,2],[3]]}"#, true),
        (r#"{"prompt":["a",[3]]}"#, true),
        (r#"{"prompt":["a"]}"#, false),
        (r#"{"prompt":[]}"#, false),
        (r#"{"prompt":[[]]}"#, false),
    ] {
        assert_eq!(read(endpoint, body).token_prompt, tokens, "{body}");
    }
}

#[test]
fn embeddings_and_rerank_have_inputs() {
    check(Endpoint::Embeddings, json!({"input": "a"}), &["input User a"]);
    check(Endpoint::Embeddings, json!({"input": ["a", "b"]}), &["input[0] User a", "input[1] User b"]);
    assert!(read(Endpoint::Embeddings, r#"{"input":[[1]]}"#).token_prompt);
    check(
        Endpoint::Rerank,
        json!({"query": "q", "documents": ["a", {"title": "b", "body": ["c", {"d": "e"}, 5]}], "rank_fields": ["title"]}),
        &[
            "documents[0] User a",
            "documents[1] User c",
            "documents[1] User e",
            "documents[1] User b",
            "query User q",
        ],
    );
}

#[test]
fn a_value_that_could_hide_text_is_refused() {
    for (body, place) in [
        (r#"{"messages":1}"#, "messages"),
        (r#"{"messages":{}}"#, "messages"),
        (r#"{"messages":"hi"}"#, "messages"),
        (r#"{"messages":["hi"]}"#, "messages[]"),
        (r#"{"messages":[{"content":{"text":"hi"}}]}"#, "messages[].content"),
        (r#"{"messages":[{"content":4111111111111111}]}"#, "messages[].content"),
        (r#"{"messages":[{"content":[["hi"]]}]}"#, "messages[].content[]"),
        (
            r#"{"messages":[{"content":[{"type":"text","text":{"value":"hi"}}]}]}"#,
            "messages[].content[].text",
        ),
        (r#"{"messages":[{"tool_calls":{}}]}"#, "messages[].tool_calls"),
        (r#"{"messages":[{"tool_calls":["hi"]}]}"#, "messages[].tool_calls[]"),
        (
            r#"{"messages":[{"tool_calls":[{"function":{"arguments":{"a":"hi"}}}]}]}"#,
            "messages[].tool_calls[].function.arguments",
        ),
        (r#"{"messages":[{"reasoning":["hi"]}]}"#, "messages[].reasoning"),
        (r#"{"tools":[{"function":{"description":["hi"]}}]}"#, "tools[].function.description"),
        (r#"{"tools":[{"function":{"parameters":"hi"}}]}"#, "tools[].function.parameters"),
        (r#"{"stream":"true"}"#, "stream"),
        (r#"{"stream_options":1}"#, "stream_options"),
        (r#"{"model":["a"]}"#, "model"),
    ] {
        check_wrong_shape(Endpoint::ChatCompletions, body, place);
    }
    check_wrong_shape(Endpoint::Completions, r#"{"prompt":{"a":"hi"}}"#, "prompt");
    check_wrong_shape(Endpoint::Completions, r#"{"prompt":[{"a":"hi"}]}"#, "prompt[]");
    check_wrong_shape(Endpoint::Completions, r#"{"prompt":[["hi"]]}"#, "prompt[]");
    check_wrong_shape(Endpoint::Completions, r#"{"suffix":5}"#, "suffix");
    check_wrong_shape(Endpoint::Embeddings, r#"{"input":5}"#, "input");
    check_wrong_shape(Endpoint::Rerank, r#"{"documents":"a"}"#, "documents");
    check_wrong_shape(Endpoint::Rerank, r#"{"query":["a"]}"#, "query");
}

#[test]
fn the_fields_the_gateway_acts_on_are_read() {
    let body = r#" {"model":"\u0061/b","stream":true,"max_tokens":5,"max_completion_tokens":7,"n":3,"stream_options":{"include_usage":true}}"#;
    let request = read(Endpoint::ChatCompletions, body);
    let model = request.model.as_ref().unwrap();
    assert_eq!((&*model.name, &body[model.span.clone()]), ("a/b", r#""\u0061/b""#));
    assert!(request.stream);
    assert_eq!((request.max_tokens, request.choices), (Some(7), Some(3)));
    assert_eq!(request.body_open, 2);
    assert!(!request.ask_for_usage(&mut Vec::new()));
    assert_eq!(read(Endpoint::Embeddings, r#"{"model":"m"}"#).model.unwrap().name, "m");
}

#[track_caller]
fn check_prepared(body: &str, expected: &str) {
    let request = read(Endpoint::ChatCompletions, body);
    let mut splices = Vec::new();
    request.ask_for_model("m\"", &mut splices);
    if request.stream {
        request.ask_for_usage(&mut splices);
    }
    let prepared = String::from_utf8(apply(body.as_bytes(), &splices)).unwrap();
    assert_eq!(prepared, expected);
    read(Endpoint::ChatCompletions, &prepared);
}

#[test]
fn a_model_and_usage_are_put_in() {
    check_prepared("{}", r#"{"model":"m\""}"#);
    check_prepared(r#"{ "model" : "x" , "seed":1}"#, r#"{ "model" : "m\"" , "seed":1}"#);
    check_prepared(
        r#"{"stream":true}"#,
        r#"{"model":"m\"","stream_options":{"include_usage":true},"stream":true}"#,
    );
    for (before, after) in [
        ("null", r#"{"include_usage":true}"#),
        ("{}", r#"{"include_usage":true}"#),
        (r#"{"a":1}"#, r#"{"include_usage":true,"a":1}"#),
        (r#"{"include_usage": false}"#, r#"{"include_usage": true}"#),
        (r#"{"include_usage": true}"#, r#"{"include_usage": true}"#),
    ] {
        check_prepared(
            &format!(r#"{{"model":"m","stream":true,"stream_options":{before}}}"#),
            &format!(r#"{{"model":"m\"","stream":true,"stream_options":{after}}}"#),
        );
    }
}

#[test]
fn an_edit_leaves_every_other_byte() {
    let body = "{ \"seed\" : 11300000000000000001,\n\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0020\\\"BAD\\\"\\ud83d\\ude00 B\\u0041D é\"}],\"x\":1.50}";
    assert_eq!(
        redacted(Endpoint::ChatCompletions, body, "BAD", "[\"R\"]"),
        "{ \"seed\" : 11300000000000000001,\n\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0020\\\"[\\\"R\\\"]\\\"\\ud83d\\ude00 [\\\"R\\\"] é\"}],\"x\":1.50}"
    );
}

fn call(arguments: &str) -> String {
    json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": arguments}}]}]})
        .to_string()
}

#[track_caller]
fn check_arguments(arguments: &str, expected: &[&str]) {
    let body = call(arguments);
    let request = read(Endpoint::ChatCompletions, &body);
    let values: Vec<&str> = request.texts.iter().map(|text| &*text.value).collect();
    assert_eq!(values, expected);
}

#[test]
fn arguments_are_read_leaf_by_leaf() {
    check_arguments(
        r#"{"to":"a\u0040b.c","n":[4111111111111111,1234567,true,null,{"k\n":-12345678.5}]}"#,
        &["to", "a@b.c", "n", "4111111111111111", "k\n", "-12345678.5"],
    );
    check_arguments(r#"{"a":"1","a":"2"}"#, &["a", "1", "a", "2"]);
    check_arguments(r#"{"a":"\ud800\u0041"}"#, &["a", "\u{fffd}A"]);
    check_arguments(r#""plain""#, &["plain"]);
    check_arguments("[]", &[]);
    check_arguments(" {} ", &[]);
    check_arguments("12345678", &["12345678"]);
}

#[test]
fn what_is_no_json_in_arguments_is_a_text_from_there_on() {
    check_arguments("", &[]);
    check_arguments("not json", &["not json"]);
    check_arguments(r#"{"a":"b"#, &["a", "b"]);
    check_arguments(r#"{"a":"b"} x\u0041"#, &["a", "b", r#"x\u0041"#]);
    check_arguments("{'a':1}", &["'a':1}"]);
    check_arguments("4111 1111 1111 1111", &["4111 1111 1111 1111"]);
}

#[test]
fn results_of_tools_are_read_leaf_by_leaf_where_escapes_could_hide_something() {
    let texts = |role: &str, content: &str| -> Vec<String> {
        let body = json!({"messages": [{"content": content, "role": role}]}).to_string();
        let request = read(Endpoint::ChatCompletions, &body);
        request.texts.iter().map(|text| text.value.clone().into_owned()).collect()
    };
    let hidden = r#"{"to":"alice\u0040example.com"}"#;
    assert_eq!(texts("tool", hidden), ["to", "alice@example.com"]);
    assert_eq!(texts("user", hidden), [hidden]);
    let plain = r#"{"to":"alice@example.com"}"#;
    assert_eq!(texts("tool", plain), [plain]);
    let broken = r#"{"to":"alice\u0040example.com"} and more"#;
    assert_eq!(texts("tool", broken), [broken]);
}

#[test]
fn deep_arguments_are_read_to_the_bottom() {
    let depth = 100_000;
    check_arguments(&format!("{}\"x\"{}", "[".repeat(depth), "]".repeat(depth)), &["x"]);
}

#[track_caller]
fn check_edited_arguments(arguments: &str, what: &str, with: &str, expected: Value) {
    let body: Value =
        serde_json::from_str(&redacted(Endpoint::ChatCompletions, &call(arguments), what, with)).unwrap();
    let edited = body["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(edited).unwrap(), expected);
}

#[test]
fn arguments_stay_json_inside_json() {
    check_edited_arguments(
        r#"{"a":"x \"BAD\" \u0042AD é","b":1}"#,
        "BAD",
        "\"\\\n",
        json!({"a": "x \"\"\\\n\" \"\\\n é", "b": 1}),
    );
    check_edited_arguments(r#"{"BAD":"\\BAD\\"}"#, "BAD", "R", json!({"R": "\\R\\"}));
    check_edited_arguments(
        "{\"card\" : 4111111111111111}",
        "4111111111111111",
        "[\"CARD\"]",
        json!({"card": "[\"CARD\"]"}),
    );
    check_edited_arguments("[-12345678]", "123", "X", json!(["-X45678"]));
}

#[test]
fn a_whole_value_is_replaced() {
    let body = call(r#"{"a":"b\n"}"#);
    let request = read(Endpoint::ChatCompletions, &body);
    let mut splices = Vec::new();
    request.texts[1].replace("\"", &mut splices);
    let edited: Value = serde_json::from_slice(&apply(body.as_bytes(), &splices)).unwrap();
    assert_eq!(edited["messages"][0]["tool_calls"][0]["function"]["arguments"], "{\"a\":\"\\\"\"}");
}

#[test]
fn edits_that_overlap_or_cut_characters_take_more_not_less() {
    let body = r#"{"prompt":"ab\u00e9cd\ud83d\ude00e"}"#;
    let request = read(Endpoint::Completions, body);
    let mut splices = Vec::new();
    // "abécd😀e": é is bytes 2..4, the emoji 6..10.
    request.texts[0].edit(body.as_bytes(), &[(7..8, "Z"), (0..1, "X"), (0..3, "Y")], &mut splices);
    assert_eq!(String::from_utf8(apply(body.as_bytes(), &splices)).unwrap(), r#"{"prompt":"XcdZe"}"#);
    let mut splices = Vec::new();
    request.texts[0].edit(body.as_bytes(), &[(9..400, "Z"), (500..600, "")], &mut splices);
    assert_eq!(String::from_utf8(apply(body.as_bytes(), &splices)).unwrap(), r#"{"prompt":"ab\u00e9cdZ"}"#);
}

#[test]
fn many_edits_of_one_text_take_linear_time() {
    let body = format!(r#"{{"prompt":"{}"}}"#, "BAD ".repeat(100_000));
    let started = std::time::Instant::now();
    assert_eq!(redacted(Endpoint::Completions, &body, "BAD", "R").len(), body.len() - 200_000);
    assert!(started.elapsed().as_secs() < 20);
}

/// JSON text of `value` with characters escaped as `style` has it.
fn written(value: &str, style: &[u8]) -> String {
    value
        .chars()
        .enumerate()
        .map(|(at, character)| match style.get(at % style.len().max(1)) {
            Some(1) => {
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
            }
            _ => {
                let quoted = serde_json::to_string(&character).unwrap();
                quoted[1..quoted.len() - 1].to_string()
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_read_back_as_edits_of_the_value(
        value in "[a-c\"\\\\\n\t\u{1}/é€😀]{0,40}",
        style in prop::collection::vec(0..2u8, 1..5),
        with in any::<String>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 2),
        nested in any::<bool>(),
    ) {
        let bounds: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| bounds[cut.index(bounds.len())]).collect();
        cuts.sort_unstable();
        let range = cuts[0]..cuts[1];
        let mut expected = value.clone();
        expected.replace_range(range.clone(), &with);

        let raw = written(&value, &style);
        let (before, after, at) = if nested {
            (r#"{"messages":[{"function_call":{"arguments":"[ \""#, r#"\" ]"}}],"seed":1.0}"#, 0)
        } else {
            (r#"{"messages":[{"content":""#, r#""}],"seed":1.0}"#, 0)
        };
        let raw = if nested { written(&raw, &style) } else { raw };
        let body = format!("{before}{raw}{after}");
        let request = read(Endpoint::ChatCompletions, &body);
        prop_assert_eq!(&*request.texts[at].value, value.as_str());
        let mut splices = Vec::new();
        request.texts[at].edit(body.as_bytes(), &[(range, &with)], &mut splices);
        let edited = String::from_utf8(apply(body.as_bytes(), &splices)).unwrap();
        prop_assert!(edited.starts_with(before) && edited.ends_with(after));
        let reread = read(Endpoint::ChatCompletions, &edited);
        prop_assert_eq!(&*reread.texts[at].value, expected.as_str());
    }
}

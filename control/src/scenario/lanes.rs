//! Reads a stream as a client does: the text of every lane, joined.
//!
//! Independent of the gateway's own reader, which it judges. A lane is a choice and where its text stands.

use serde_json::Value;
use std::collections::BTreeMap;

/// The text of every lane of a transcript of server-sent events, by names such as `0.content` and `0.tool_calls.1.arguments`.
/// An error frame is the lane `error`, the closing frame the lane `done`. A stream of `/v1/responses` has lanes such as
/// `0.output_text` for the deltas of output item 0, and one for every copy: `0.output_text.done`, `0.part`, `0.item`, `0.completed`.
pub fn lanes(transcript: &str) -> BTreeMap<String, String> {
    let mut lanes = BTreeMap::new();
    for line in transcript.lines() {
        // An event without data keeps a stream alive.
        let Some(data) = line.strip_prefix("data:").map(str::trim).filter(|data| !data.is_empty()) else {
            continue;
        };
        if data == "[DONE]" {
            add(&mut lanes, "done".into(), "[DONE]");
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            add(&mut lanes, "unreadable".into(), data);
            continue;
        };
        if let Some(error) = event.get("error") {
            add(&mut lanes, "error".into(), error.get("code").and_then(Value::as_str).unwrap_or_default());
        }
        if let Some(kind) = event.get("type").and_then(Value::as_str) {
            response_event(kind, &event, &mut lanes);
        }
        for choice in event.get("choices").and_then(Value::as_array).into_iter().flatten() {
            read(choice, &mut lanes);
        }
    }
    lanes
}

fn read(choice: &Value, lanes: &mut BTreeMap<String, String>) {
    let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
    if let Some(text) = choice.get("text").and_then(Value::as_str) {
        add(lanes, format!("{index}.text"), text);
    }
    if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
        add(lanes, format!("{index}.finish_reason"), reason);
    }
    let Some(delta) = choice.get("delta") else { return };
    for key in ["role", "content", "reasoning", "reasoning_content", "thinking", "refusal"] {
        if let Some(text) = delta.get(key).and_then(Value::as_str) {
            add(lanes, format!("{index}.{key}"), text);
        }
    }
    for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let number = call.get("index").and_then(Value::as_u64).unwrap_or(0);
        if let Some(text) = call.pointer("/function/arguments").and_then(Value::as_str) {
            add(lanes, format!("{index}.tool_calls.{number}.arguments"), text);
        }
    }
}

fn response_event(kind: &str, event: &Value, lanes: &mut BTreeMap<String, String>) {
    let item = event.get("output_index").and_then(Value::as_u64).unwrap_or(0);
    let kind = kind.strip_prefix("response.").unwrap_or(kind);
    if let (Some(stem), Some(delta)) = (kind.strip_suffix(".delta"), event.get("delta")) {
        return add(lanes, format!("{item}.{stem}"), delta.as_str().unwrap_or_default());
    }
    match kind {
        "content_part.done" | "reasoning_summary_part.done" => {
            add(lanes, format!("{item}.part"), &texts(event.get("part")))
        }
        "output_item.done" => add(lanes, format!("{item}.item"), &texts(event.get("item"))),
        "completed" | "incomplete" => {
            let items = event.pointer("/response/output").and_then(Value::as_array);
            for (number, item) in items.into_iter().flatten().enumerate() {
                add(lanes, format!("{number}.completed"), &texts(Some(item)));
            }
        }
        _ if kind.ends_with(".done") => add(lanes, format!("{item}.{kind}"), &texts(Some(event))),
        _ => {}
    }
}

/// What an item, a part, or an event that repeats one of their strings says.
fn texts(value: Option<&Value>) -> String {
    let mut said = String::new();
    for key in ["text", "refusal", "arguments", "input", "code"] {
        said.push_str(value.and_then(|value| value.get(key)).and_then(Value::as_str).unwrap_or_default());
    }
    for key in ["content", "summary"] {
        let parts = value.and_then(|value| value.get(key)).and_then(Value::as_array);
        said.extend(parts.into_iter().flatten().map(|part| texts(Some(part))));
    }
    said
}

fn add(lanes: &mut BTreeMap<String, String>, lane: String, text: &str) {
    lanes.entry(lane).or_default().push_str(text);
}

#[test]
fn the_deltas_of_each_lane_are_joined() {
    let transcript = concat!(
        "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"index\":2,\"function\":{\"arguments\":\"{\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"delta\":{\"content\":\"b\"}}]}\n\n",
        ": comment\n\ndata: [DONE]\n\n",
    );
    let expected = [
        ("0.content", "ab"),
        ("0.text", "ab"),
        ("1.content", "x"),
        ("1.tool_calls.2.arguments", "{"),
        ("done", "[DONE]"),
    ];
    assert_eq!(lanes(transcript), expected.map(|(lane, text)| (lane.to_owned(), text.to_owned())).into());
}

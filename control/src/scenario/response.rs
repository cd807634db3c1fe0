//! Answers in the shape of `/v1/responses`: one message, whole or as the events of a stream.
//!
//! Written as OpenAI writes them. Invariant: the text of the message stands in the deltas once and whole in four events after them.

use serde_json::{Value, json};

/// The response object; without a text, one that has only begun.
pub fn document(model: &str, text: Option<&str>) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "model": model,
        "status": if text.is_some() { "completed" } else { "in_progress" },
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "output": text.map(|text| vec![item(text)]).unwrap_or_default(),
        "usage": text.map(|text| {
            let output = text.len().div_ceil(4);
            json!({"input_tokens": 20, "output_tokens": output, "total_tokens": 20 + output,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}})
        }),
    })
}

fn item(text: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part(text)]})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// The stream of one message that comes in `deltas`.
pub fn message(deltas: &[impl AsRef<str>]) -> String {
    events("demo", deltas).concat()
}

/// The same event by event.
pub fn events(model: &str, deltas: &[impl AsRef<str>]) -> Vec<String> {
    let text: String = deltas.iter().map(AsRef::as_ref).collect();
    let at = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let with = |more: Value| {
        let mut event = at.clone();
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        event
    };
    let begun = json!({"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []});
    let mut events = vec![
        ("created", json!({"response": document(model, None)})),
        ("in_progress", json!({"response": document(model, None)})),
        ("output_item.added", json!({"output_index": 0, "item": begun})),
        ("content_part.added", with(json!({"part": part("")}))),
    ];
    events.extend(deltas.iter().map(|delta| {
        ("output_text.delta", with(json!({"delta": delta.as_ref(), "logprobs": [], "obfuscation": "x7"})))
    }));
    events.extend([
        ("output_text.done", with(json!({"text": text, "logprobs": []}))),
        ("content_part.done", with(json!({"part": part(&text)}))),
        ("output_item.done", json!({"output_index": 0, "item": item(&text)})),
        ("completed", json!({"response": document(model, Some(&text))})),
    ]);
    let written = events.into_iter().enumerate().map(|(number, (name, mut event))| {
        if let Some(event) = event.as_object_mut() {
            event.insert("type".into(), format!("response.{name}").into());
            event.insert("sequence_number".into(), number.into());
        }
        format!("event: response.{name}\ndata: {event}\n\n")
    });
    written.collect()
}

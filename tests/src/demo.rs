//! A stand-in for a model: says back what reached it, in the shapes of Together and OpenAI.
//!
//! Shows what the gateway sent on, nothing more: no key is checked and nothing is remembered. A request that asks for JSON by
//! a schema gets the smallest document of that schema, so that clients which classify have something to parse.
//! Invariant: the deltas of a stream, joined, are the text of the unary answer.

mod schema;

use crate::response;
use crate::upstream::{Answer, Request};
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Letters of one streamed delta, about what a token carries.
const DELTA_CHARS: usize = 4;

/// Answers requests as a model server would.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demo {
    /// Time between two deltas of a stream.
    pub pace: Duration,
}

impl Demo {
    /// The answer to `request`.
    pub fn answer(&self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap_or_default();
        match (request.method.as_str(), path) {
            ("GET", "/v1/models") => models(),
            ("POST", "/v1/chat/completions") => self.complete(&request.body, Surface::Chat),
            ("POST", "/v1/completions") => self.complete(&request.body, Surface::Text),
            ("POST", "/v1/responses") => self.respond(&request.body),
            _ => refuse(
                404,
                "unknown_path",
                "the demo upstream knows /v1/chat/completions, /v1/completions, /v1/responses and /v1/models",
            ),
        }
    }

    fn respond(&self, body: &[u8]) -> Answer {
        let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
            return refuse(400, "invalid_json", "the body is not a JSON object");
        };
        let model = request.get("model").and_then(Value::as_str).unwrap_or("demo");
        let said = match request.get("input") {
            Some(Value::Array(items)) => {
                items.iter().rev().find_map(|item| item.get("content").or(item.get("output"))).map(text)
            }
            input => input.map(text),
        };
        let text = format!("You said: {}", said.unwrap_or_default());
        if request.get("stream") != Some(&Value::Bool(true)) {
            return Answer::json(200, &response::document(model, Some(&text)).to_string());
        }
        response::events(model, &pieces(&text))
            .into_iter()
            .fold(Answer::chunks::<&str>([]), |answer, event| answer.bytes(event).wait(self.pace))
    }

    fn complete(&self, body: &[u8], surface: Surface) -> Answer {
        let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
            return refuse(400, "invalid_json", "the body is not a JSON object");
        };
        let text = surface.reply(&request);
        let completion = Completion {
            surface,
            model: request.get("model").and_then(Value::as_str).unwrap_or("demo").to_owned(),
            choices: request.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, 128),
            // Four bytes a token is the usual rule of thumb.
            usage: usage(body.len() / 4, text.len().div_ceil(4)),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            text,
        };
        if request.get("stream") == Some(&Value::Bool(true)) {
            completion
                .events()
                .into_iter()
                .fold(Answer::chunks::<&str>([]), |answer, event| answer.bytes(event).wait(self.pace))
        } else {
            Answer::json(200, &completion.document().to_string())
        }
    }
}

/// Which API was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surface {
    Chat,
    Text,
}

impl Surface {
    fn reply(self, request: &Map<String, Value>) -> String {
        if let Some(schema) = schema::requested(request) {
            return schema::smallest(schema, schema).to_string();
        }
        let said = match self {
            Surface::Chat => last_user_message(request),
            Surface::Text => request.get("prompt").map(text).unwrap_or_default(),
        };
        format!("You said: {said}")
    }
}

fn last_user_message(request: &Map<String, Value>) -> String {
    let messages = request.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    messages.iter().rev().find(user).and_then(|message| message.get("content")).map(text).unwrap_or_default()
}

/// A string, or the strings and text parts of a list.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let part = |part: &Value| part.get("text").unwrap_or(part).as_str().map(str::to_owned);
            parts.iter().filter_map(part).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

struct Completion {
    surface: Surface,
    model: String,
    choices: u64,
    usage: Value,
    created: u64,
    text: String,
}

impl Completion {
    fn document(&self) -> Value {
        let choice = |index| match self.surface {
            Surface::Chat => json!({
                "index": index, "finish_reason": "stop", "logprobs": null, "seed": SEED,
                "message": {"role": "assistant", "content": self.text, "tool_calls": []},
            }),
            Surface::Text => {
                json!({"index": index, "finish_reason": "stop", "logprobs": null, "seed": SEED, "text": self.text})
            }
        };
        let mut document = self.envelope(match self.surface {
            Surface::Chat => "chat.completion",
            Surface::Text => "text_completion",
        });
        document.insert("prompt".into(), json!([]));
        document.insert("choices".into(), (0..self.choices).map(choice).collect());
        document.insert("usage".into(), self.usage.clone());
        document.into()
    }

    /// The same as server-sent events, the way Together writes them: the role in every delta, the text twice, `usage` on the
    /// event that ends the last choice.
    fn events(&self) -> Vec<String> {
        let mut events = Vec::new();
        for index in 0..self.choices {
            for piece in pieces(&self.text) {
                events.push(self.event(index, piece, None, Value::Null));
            }
        }
        for index in 0..self.choices {
            let usage = if index + 1 == self.choices { self.usage.clone() } else { Value::Null };
            events.push(self.event(index, "", Some("stop"), usage));
        }
        events.push("data: [DONE]\n\n".into());
        events
    }

    fn event(&self, index: u64, piece: &str, finish_reason: Option<&str>, usage: Value) -> String {
        let mut choice = json!({
            "index": index, "text": piece, "logprobs": null, "finish_reason": finish_reason,
            "seed": finish_reason.map(|_| SEED),
        });
        if let (Surface::Chat, Some(choice)) = (self.surface, choice.as_object_mut()) {
            choice.insert("delta".into(), json!({"token_id": 0, "role": "assistant", "content": piece}));
        }
        let mut event = self.envelope(match self.surface {
            Surface::Chat => "chat.completion.chunk",
            Surface::Text => "completion.chunk",
        });
        event.insert("choices".into(), json!([choice]));
        event.insert("usage".into(), usage);
        format!("data: {}\n\n", Value::from(event))
    }

    fn envelope(&self, object: &str) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("id".into(), "demo-1".into());
        fields.insert("object".into(), object.into());
        fields.insert("created".into(), self.created.into());
        fields.insert("model".into(), self.model.clone().into());
        fields
    }
}

/// Together's seeds often do not fit in 63 bits; clients and gateways that read them as floats break.
const SEED: u64 = 11_300_000_000_000_000_001;

fn usage(prompt: usize, completion: usize) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, "cached_tokens": 0})
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(DELTA_CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, left) = rest.split_at(end);
        pieces.push(piece);
        rest = left;
    }
    pieces
}

fn models() -> Answer {
    Answer::json(200, &json!({"object": "list", "data": [{"id": "demo", "object": "model", "created": 0, "owned_by": "kt"}]}).to_string())
}

fn refuse(status: u16, code: &str, message: &str) -> Answer {
    let error =
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
    Answer::json(status, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{self, Call};
    use crate::upstream::Upstream;

    fn ask(path: &str, body: &Value) -> client::Reply {
        let upstream = Upstream::start(|request| Demo::default().answer(request)).unwrap();
        client::send(upstream.address(), &Call::post(path, body.to_string())).unwrap()
    }

    #[track_caller]
    fn check(body: &Value, expected: &str) {
        let reply = ask("/v1/chat/completions", body);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], expected);
    }

    #[test]
    fn the_last_user_message_is_said_back() {
        check(
            &json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "tool", "content": "c"}]}),
            "You said: b",
        );
        check(
            &json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]}]}),
            "You said: a b",
        );
    }

    #[test]
    fn a_schema_is_answered_with_a_document_of_it() {
        let schema = json!({"type": "object", "properties": {"route": {"enum": ["a", "b"]}, "reason": {"type": "string"}}});
        check(
            &json!({"messages": [], "response_format": {"type": "json_object", "schema": schema}}),
            r#"{"reason":"demo","route":"a"}"#,
        );
        check(
            &json!({"messages": [], "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}),
            r#"{"reason":"demo","route":"a"}"#,
        );
    }

    #[test]
    fn the_deltas_of_a_stream_are_the_text_of_the_answer() {
        let body = json!({"stream": true, "n": 2, "messages": [{"role": "user", "content": "Grüße, 世界!"}]});
        let transcript = ask("/v1/chat/completions", &body).text();
        let mut lanes = [String::new(), String::new()];
        let events: Vec<&str> =
            transcript.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
        let (done, events) = events.split_last().unwrap();
        for event in events {
            let event: Value = serde_json::from_str(event).unwrap();
            let choice = &event["choices"][0];
            assert_eq!(choice["text"], choice["delta"]["content"]);
            lanes[choice["index"].as_u64().unwrap() as usize] += choice["text"].as_str().unwrap();
        }
        assert_eq!(lanes, ["You said: Grüße, 世界!", "You said: Grüße, 世界!"]);
        assert_eq!(*done, "[DONE]");
        assert!(events.last().unwrap().contains("total_tokens"));
    }

    #[test]
    fn completions_say_back_the_prompt() {
        assert_eq!(
            ask("/v1/completions", &json!({"prompt": ["a", "b"]})).json()["choices"][0]["text"],
            "You said: a b"
        );
    }

    #[test]
    fn an_unknown_path_is_404() {
        assert_eq!(ask("/v1/embeddings", &json!({})).status, 404);
    }
}

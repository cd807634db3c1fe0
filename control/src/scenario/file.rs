//! The form of a scenario file.
//!
//! Closed objects: a misspelt expectation would otherwise hold forever. What a scenario leaves out is usual: its
//! configuration is the policy file, its request a chat completion, its answer a friendly one.

use super::{Arrival, Call, Expect, Headers, Host, ModelAnswer, response, vendor};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// One sentence: why it matters.
    about: String,
    /// Merged into the policy file: mappings by key, everything else replaced.
    #[serde(default)]
    config: Value,
    /// Exchanges on one gateway, in order.
    exchanges: Vec<Exchange>,
}

/// A text that is no scenario, with the place where it stops being one.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct NotAScenario {
    name: String,
    problem: String,
}

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Of its file.
    pub name: String,
    /// One sentence: why it matters.
    pub about: String,
    /// Merged into the policy file by [`merge`].
    pub config: Value,
    /// What is sent and expected.
    pub exchanges: Vec<Exchange>,
}

impl Scenario {
    /// Reads a scenario. A name that ends in `.json` is a case of the other vendor's format.
    pub fn parse(name: &str, text: &str) -> Result<Scenario, NotAScenario> {
        let not = |problem: String| NotAScenario { name: name.to_owned(), problem };
        if name.ends_with(".json") {
            return vendor::parse(name, text).map_err(not);
        }
        let options = serde_saphyr::options! { with_snippet: false };
        let file: File =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| not(error.to_string()))?;
        let name = name.trim_end_matches(".yaml").to_owned();
        Ok(Scenario { name, about: file.about, config: file.config, exchanges: file.exchanges })
    }
}

impl Scenario {
    /// Runs the exchanges in order, with every arrival, and says what does not hold.
    pub fn problems(&self, host: &mut impl Host, arrivals: &[Arrival]) -> Vec<String> {
        let mut problems = Vec::new();
        for (number, exchange) in self.exchanges.iter().enumerate() {
            for arrival in exchange.arrivals(arrivals) {
                let (call, answer) = (exchange.call(), exchange.answer(arrival));
                let outcome = host.exchange(&self.config, &call, &answer);
                let place = format!("{}, exchange {} ({arrival:?})", self.name, number + 1);
                let found = exchange.expect.problems(&call, &answer, &outcome);
                problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
            }
        }
        problems
    }
}

/// Puts `from` over `into`: mappings by key, everything else replaced; `null` leaves what is there.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A request, an answer, expectations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    #[serde(default)]
    request: Request,
    #[serde(default)]
    answer: Answer,
    /// The answer is not tried in one piece.
    #[serde(default)]
    arrives_in_pieces: bool,
    /// What has to come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// A body that YAML text alone could not hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Bytes {
    /// As it stands.
    Text(String),
    /// Pieces, joined.
    Pieces(Vec<Piece>),
}

/// One part of a body.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    #[serde(default)]
    text: String,
    /// Bytes by their hexadecimal digits.
    #[serde(default, deserialize_with = "hexadecimal")]
    hex: Vec<u8>,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Bytes::Text(text) => text.clone().into_bytes(),
            Bytes::Pieces(pieces) => pieces.iter().flat_map(Piece::bytes).collect(),
        }
    }
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        [self.text.as_bytes(), &self.hex].concat().repeat(self.times)
    }
}

fn hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(pair, 16)
            .map_err(|_| de::Error::custom(format!("`{pair}` is no hexadecimal byte")))
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    method: Option<String>,
    path: Option<String>,
    headers: BTreeMap<String, String>,
    /// Content of the one user message.
    user: Option<Value>,
    /// All messages.
    messages: Option<Value>,
    /// Further fields beside the messages, such as `stream`.
    with: BTreeMap<String, Value>,
    /// The whole body instead.
    json: Option<Value>,
    /// The whole body instead, byte for byte.
    body: Option<Bytes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Answer {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    /// Content of the one message.
    content: Option<String>,
    /// Deltas of one streamed message, in events as Together writes them.
    deltas: Option<Vec<String>>,
    /// The same as `/v1/responses` streams it: the text five times, every event with its name and number, no `[DONE]`.
    response_deltas: Option<Vec<String>>,
    /// Data of the events of a stream; `[DONE]` is added.
    events: Option<Vec<Value>>,
    /// A stream byte for byte.
    stream: Option<Bytes>,
    json: Option<Value>,
    body: Option<Bytes>,
}

impl Exchange {
    /// The arrivals that make a difference for this answer.
    pub fn arrivals(&self, wanted: &[Arrival]) -> Vec<Arrival> {
        if !self.answer.is_stream() {
            return vec![Arrival::Whole];
        }
        wanted
            .iter()
            .copied()
            .filter(|arrival| !self.arrives_in_pieces || *arrival != Arrival::Whole)
            .collect()
    }

    /// The request to send.
    pub fn call(&self) -> Call {
        let request = &self.request;
        let body = match (&request.body, &request.json) {
            (Some(bytes), _) => bytes.bytes(),
            (None, Some(json)) => json.to_string().into_bytes(),
            (None, None) => {
                let user = request.user.clone().unwrap_or_else(|| json!("Hello!"));
                let messages =
                    request.messages.clone().unwrap_or_else(|| json!([{"role": "user", "content": user}]));
                let mut body =
                    json!({"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "messages": messages});
                merge(&mut body, json!(request.with));
                body.to_string().into_bytes()
            }
        };
        let path = request.path.as_deref().unwrap_or("/v1/chat/completions");
        let method = request.method.as_deref().unwrap_or("POST");
        let call = if method == "GET" {
            Call::get(path)
        } else {
            Call { method: method.into(), ..Call::post(path, body) }
        };
        request.headers.iter().fold(call, |call, (name, value)| call.header(name, value.as_str()))
    }

    /// The answer of the model, arriving so.
    pub fn answer(&self, arrival: Arrival) -> ModelAnswer {
        let body = self.answer.body();
        let mut headers = Headers::default();
        let kind =
            if self.answer.is_stream() { "text/event-stream;charset=utf-8" } else { "application/json" };
        headers.push("content-type", kind);
        for (name, value) in &self.answer.headers {
            headers.set(name, value.as_str());
        }
        let pieces = match arrival {
            Arrival::Whole => vec![body],
            Arrival::ByBytes(bytes) => body.chunks(bytes.max(1)).map(<[u8]>::to_vec).collect(),
            Arrival::ByEvent => by_event(&body),
        };
        ModelAnswer { status: self.answer.status.unwrap_or(200), headers, pieces }
    }
}

/// The body in pieces that end with an empty line.
fn by_event(body: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = vec![Vec::new()];
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if let Some(piece) = pieces.last_mut() {
            piece.extend_from_slice(line);
        }
        if line == b"\n" || line == b"\r\n" {
            pieces.push(Vec::new());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

impl Answer {
    fn is_stream(&self) -> bool {
        self.deltas.is_some()
            || self.response_deltas.is_some()
            || self.events.is_some()
            || self.stream.is_some()
    }

    fn body(&self) -> Vec<u8> {
        if let Some(bytes) = self.body.as_ref().or(self.stream.as_ref()) {
            return bytes.bytes();
        }
        if let Some(events) = &self.events {
            return stream_of(events);
        }
        if let Some(deltas) = &self.deltas {
            return stream_of(&chat_events(deltas));
        }
        if let Some(deltas) = &self.response_deltas {
            return response::message(deltas).into_bytes();
        }
        let document = self.json.clone().unwrap_or_else(|| {
            json!({
                "id": "nx1", "object": "chat.completion", "created": 1_790_000_000, "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "prompt": [],
                "choices": [{
                    "index": 0, "finish_reason": "stop", "seed": 11_300_000_000_000_000_001_u64, "logprobs": null,
                    "message": {"role": "assistant", "content": self.content.as_deref().unwrap_or("Hello to you!"), "tool_calls": []},
                }],
                "usage": {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23, "cached_tokens": 0},
            })
        });
        document.to_string().into_bytes()
    }
}

/// Events of one streamed message as Together writes them: role in every delta, the text twice, usage on the last.
fn chat_events(deltas: &[String]) -> Vec<Value> {
    let event = |text: &str, finish: Value, usage: Value| {
        json!({
            "id": "nx1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "choices": [{
                "index": 0, "text": text, "logprobs": null, "finish_reason": finish, "seed": null,
                "delta": {"token_id": 4711, "role": "assistant", "content": text},
            }],
            "usage": usage,
        })
    };
    let mut events: Vec<Value> = deltas.iter().map(|text| event(text, Value::Null, Value::Null)).collect();
    events.push(event(
        "",
        json!("stop"),
        json!({"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23, "cached_tokens": 0}),
    ));
    events
}

fn stream_of(events: &[Value]) -> Vec<u8> {
    let mut stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream.into_bytes()
}

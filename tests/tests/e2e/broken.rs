//! Streams whose upstream fails in the middle, on every surface: nothing looks complete, and nothing held leaks.
//!
//! What every surface's SDK makes of it is in `matrix.rs`; here are the bytes.

use crate::quick_start;
use kt_tests::client::{Call, Reply};
use kt_tests::scenario::lanes;
use kt_tests::upstream::{Answer, Request, Step, Upstream};
use serde_json::{Value, json};
use std::time::Duration;

/// Long enough for Envoy to read one piece before the next is there.
const BETWEEN_PIECES: Duration = Duration::from_millis(5);

/// An address that is whole, and one of which the second half never comes.
const WHOLE: &str = "Write to alice@example.com or ";
const HALF: &str = "bob@exam";

/// One surface: what is asked, how its stream begins, and how it says a piece of text.
struct Surface {
    name: &'static str,
    path: &'static str,
    asked: fn() -> Value,
    begins: fn() -> Vec<Value>,
    says: fn(&str) -> Value,
    /// What a stream holds only if it ended as it should.
    completion: &'static [&'static str],
    /// Whether nothing leaves before the text is decided: a value in a tool call's arguments is whole before it is read, and what
    /// begins the call waits for it.
    holds_all: bool,
}

fn chat() -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hello"}]})
}

fn choice(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

const SURFACES: &[Surface] = &[
    Surface {
        name: "chat",
        path: "/v1/chat/completions",
        asked: chat,
        begins: Vec::new,
        says: |text| choice(&json!({"content": text})),
        completion: &["[DONE]", "\"stop\""],
        holds_all: false,
    },
    Surface {
        name: "reasoning",
        path: "/v1/chat/completions",
        asked: chat,
        begins: Vec::new,
        says: |text| choice(&json!({"reasoning_content": text})),
        completion: &["[DONE]", "\"stop\""],
        holds_all: false,
    },
    Surface {
        name: "tool call",
        path: "/v1/chat/completions",
        asked: chat,
        begins: || {
            let function = json!({"name": "mail", "arguments": "{\"text\": \""});
            vec![choice(
                &json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}),
            )]
        },
        says: |text| choice(&json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})),
        completion: &["[DONE]", "\"tool_calls\",", "\\\"}"],
        holds_all: true,
    },
    Surface {
        name: "completions",
        path: "/v1/completions",
        asked: || json!({"model": "m", "stream": true, "prompt": "Hello"}),
        begins: Vec::new,
        says: |text| json!({"choices": [{"index": 0, "text": text, "finish_reason": null}]}),
        completion: &["[DONE]", "\"stop\""],
        holds_all: false,
    },
    Surface {
        name: "responses, text",
        path: "/v1/responses",
        asked: || json!({"model": "m", "stream": true, "input": "Hello"}),
        begins: || {
            let item = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []});
            vec![
                json!({"type": "response.created", "response": {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}}),
                json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
                json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
            ]
        },
        says: |text| json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text}),
        completion: &["response.completed", "output_text.done", "output_item.done"],
        holds_all: false,
    },
    Surface {
        name: "responses, function call",
        path: "/v1/responses",
        asked: || json!({"model": "m", "stream": true, "input": "Hello"}),
        begins: || {
            let item = json!({"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "mail", "arguments": ""});
            vec![
                json!({"type": "response.created", "response": {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}}),
                json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
                json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": "{\"text\": \""}),
            ]
        },
        says: |text| json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": text}),
        completion: &["response.completed", "arguments.done", "output_item.done"],
        holds_all: false,
    },
];

/// How an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The connection ends before the body does.
    Cut,
    /// The connection is reset.
    Reset,
    /// An error takes the place of the next event, and the body ends as it should.
    Event,
}

const FAILURES: [Failure; 3] = [Failure::Cut, Failure::Reset, Failure::Event];

/// One event, named where its grammar names events.
fn event(data: &Value) -> String {
    match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

fn broken(surface: &Surface, failure: Failure) -> Answer {
    let said = [WHOLE, HALF].map(surface.says);
    let events = (surface.begins)().into_iter().chain(said);
    let answer = events
        .fold(Answer::chunks::<&str>([]), |answer, data| answer.bytes(event(&data)).wait(BETWEEN_PIECES));
    match failure {
        Failure::Cut => answer.step(Step::Cut),
        Failure::Reset => answer.step(Step::Reset),
        Failure::Event => {
            let error = json!({"message": "The model is gone", "type": "server_error", "param": null, "code": "internal"});
            answer.bytes(event(&match surface.path {
                "/v1/responses" => {
                    json!({"type": "error", "code": "internal", "message": "The model is gone"})
                }
                _ => json!({"error": error}),
            }))
        }
    }
}

/// What the request asks for: `x-surface` and `x-failure`, each the number of one.
fn model(request: &Request) -> Answer {
    let number = |name: &str| request.headers.value(name).and_then(|number| number.parse::<usize>().ok());
    let surface = number("x-surface").and_then(|number| SURFACES.get(number)).unwrap();
    broken(surface, *number("x-failure").and_then(|number| FAILURES.get(number)).unwrap())
}

/// What is wrong with how one failure reached the client, and the log.
fn faults(surface: &Surface, failure: Failure, reply: &Reply, event: &Value) -> Vec<String> {
    let text = reply.text();
    let mut faults = Vec::new();
    let mut wrong = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    wrong(!text.contains("alice") && !text.contains("example.com"), "the address that was whole is there");
    wrong(!surface.completion.iter().any(|mark| text.contains(mark)), "it looks complete");
    wrong(!lanes(&text).contains_key("unreadable"), "an event is cut in two");
    wrong(event["findings"][0]["reason"] == "pii-detector.email", "the event has no finding");
    if failure == Failure::Event {
        wrong(text.contains("The model is gone"), "the upstream's error is lost");
        wrong(text.contains("[REDACTED:EMAIL]"), "the marker is not there");
    } else {
        wrong(event["ended"] == "upstream_error", "the event does not say that the upstream failed");
    }
    if surface.holds_all && failure != Failure::Event {
        // Nothing had left, so it can still be an answer of its own.
        let code = &reply.json()["error"]["code"];
        wrong(reply.status == 502 && code == "upstream_unavailable", "it is no error before the first byte");
        return faults;
    }
    wrong(reply.status == 200 && text.contains("Write to "), "what came before the failure did not arrive");
    // A connection that breaks is one for the client too, unless an error was said.
    wrong(!reply.whole || text.contains("\"error\""), "it ended as if it were whole");
    faults
}

#[test]
fn a_stream_that_fails_in_its_middle_is_no_whole_answer_and_leaks_nothing() {
    let upstream = Upstream::start(model).unwrap();
    let gateway = quick_start(&upstream).start();
    let mut problems = Vec::new();
    let mut asked = 0;
    for (number, surface) in SURFACES.iter().enumerate() {
        for (position, failure) in FAILURES.into_iter().enumerate() {
            let call = Call::post(surface.path, (surface.asked)().to_string());
            let call = call.header("x-surface", number.to_string()).header("x-failure", position.to_string());
            let reply = gateway.send(&call);
            asked += 1;
            let event = gateway.await_events(asked).pop().unwrap();
            for fault in faults(surface, failure, &reply, &event) {
                problems.push(format!("{}, {failure:?}: {fault}\n{}\n{event}", surface.name, reply.text()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

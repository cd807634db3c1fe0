//! Everything the gateway itself says to a client.
//!
//! Errors have OpenAI's shape, so that every SDK raises its usual exception. A reply names the policy and the kind of a
//! finding, never the matched text. Statuses that SDKs retry (409, 429) are not used.

use crate::json::Writer;
use crate::message::BodyError;
use crate::message::BodyErrorKind;
use crate::plugin::Target;
use crate::policy::{Direction, Finding};
use crate::sse::encode;
use std::borrow::Cow;

/// A complete answer without an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The error's `code`, for the event; empty for answers that are not errors.
    pub code: &'static str,
    /// Response headers.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl Reply {
    fn json(status: u16, code: &'static str, body: Vec<u8>) -> Reply {
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply { status, code, headers, body }
    }

    /// An error that asking again will not cure.
    fn error(status: u16, kind: &str, code: &'static str, message: &str) -> Reply {
        Reply::json(status, code, error_body(message, kind, code, None)).with("x-should-retry", "false")
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// No endpoint of that name.
    pub fn unknown_path() -> Reply {
        let message = "This path is not served, or not by this method. Inspected are POST requests to /v1/chat/completions, \
                       /v1/completions, /v1/responses, /v1/embeddings and /v1/rerank; others must be listed in `gateway.passthrough_paths`.";
        Reply::error(404, "invalid_request_error", "unknown_path", message)
    }

    /// The body is larger than the operator allows.
    pub fn request_too_large(limit_bytes: u32) -> Reply {
        let message = format!("The request body is larger than {limit_bytes} bytes.");
        Reply::error(413, "invalid_request_error", "request_too_large", &message)
    }

    /// The body has an encoding that cannot be undone.
    pub fn unsupported_encoding() -> Reply {
        let message = "The request body has a content encoding that is not supported; send gzip or none.";
        Reply::error(415, "invalid_request_error", "unsupported_encoding", message)
    }

    /// The body is not what the endpoint takes.
    pub fn bad_body(error: &BodyError) -> Reply {
        let code = match error.kind {
            BodyErrorKind::DuplicateKey => "duplicate_key",
            BodyErrorKind::WrongShape(_) => "invalid_request",
            _ => "invalid_json",
        };
        Reply::error(400, "invalid_request_error", code, &format!("The request body was refused: {error}."))
    }

    /// Token ids cannot be inspected.
    pub fn token_prompt() -> Reply {
        let message = "Prompts of token ids cannot be inspected and are refused while a content policy is on; send text.";
        Reply::error(400, "invalid_request_error", "uninspectable_prompt", message)
    }

    /// The request goes on from text that only the provider has.
    pub fn unseen_text() -> Reply {
        let message = "`previous_response_id`, `conversation`, `prompt` and item references stand for text that the provider \
                       keeps and that cannot be inspected; they are refused while a content policy is on. Send the items themselves.";
        Reply::error(400, "invalid_request_error", "uninspectable_input", message)
    }

    /// A part that cannot be inspected, where the operator refuses those.
    pub fn unscannable(kind: &str) -> Reply {
        let message = format!(
            "The request holds a part that cannot be inspected ({kind}), which this gateway refuses."
        );
        Reply::error(400, "policy_violation", "unscannable_content", &message)
    }

    /// `x-provider` names nothing that is configured.
    pub fn unknown_provider(targets: &[Target]) -> Reply {
        let mut known: Vec<&str> = Vec::new();
        for name in targets.iter().flat_map(|target| [target.provider.as_str(), target.id.as_str()]) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let known = known.join(", ");
        let message =
            format!("The header `x-provider` names no configured provider or target; known: {known}.");
        Reply::error(400, "invalid_request_error", "unknown_provider", &message)
    }

    /// A budget is used up. `reset` says when it is full again, in RFC 3339, and `wait_s` in how many seconds.
    #[inline(never)]
    pub fn budget_exceeded(reset: &str, wait_s: u64) -> Reply {
        Reply::error(402, "budget_exceeded", "budget_exceeded", &budget_message(reset))
            .with("x-kt-budget-reset", reset)
            .with("retry-after", wait_s.to_string())
    }

    /// Something inside the gateway failed; the request is refused rather than let through uninspected.
    pub fn gateway_failure() -> Reply {
        Reply::error(
            503,
            "gateway_error",
            "gateway_failure",
            "The policy engine failed; the request was not served.",
        )
    }

    /// The upstream's answer could not be inspected and is therefore withheld.
    pub fn uninspectable_answer(why: &str) -> Reply {
        let message = format!("The upstream's answer could not be inspected ({why}) and was withheld.");
        Reply::error(502, "gateway_error", "gateway_failure", &message)
    }

    /// A policy refuses.
    pub fn blocked(status: u16, direction: Direction, finding: &Finding, message: Option<&str>) -> Reply {
        let code = block_code(direction);
        Reply::json(status, code, block_body(direction, finding, message)).with("x-should-retry", "false")
    }

    /// The method does not go with the path.
    pub fn method_not_allowed(allowed: &str) -> Reply {
        let message = format!("This path answers {allowed}.");
        Reply::error(405, "invalid_request_error", "method_not_allowed", &message).with("allow", allowed)
    }

    /// `GET /v1/models`. Together's SDKs want a bare array, all others an object.
    pub fn models<'m>(documents: impl Iterator<Item = &'m str>, user_agent: &str) -> Reply {
        let (open, close) = match user_agent.starts_with("Together/") {
            true => ("[", "]"),
            false => ("{\"object\":\"list\",\"data\":[", "]}"),
        };
        let mut body = open.to_owned();
        for (number, document) in documents.enumerate() {
            if number > 0 {
                body.push(',');
            }
            body.push_str(document);
        }
        body.push_str(close);
        Reply::json(200, "", body.into_bytes())
    }

    /// `GET /v1/models/{id}`, with the model's entry if there is such a model.
    pub fn model(id: &str, document: Option<&str>) -> Reply {
        match document {
            Some(document) => Reply::json(200, "", document.into()),
            None => {
                let message = format!("The model `{id}` does not exist.");
                Reply::error(404, "invalid_request_error", "model_not_found", &message)
            }
        }
    }
}

/// The last frames of a stream that a policy ends: an error event without an `event:` line, which some SDKs would drop,
/// then the end marker. `number`: of the event, in a stream of `/v1/responses`.
pub fn stream_blocked(number: Option<u64>, finding: &Finding, message: Option<&str>) -> Vec<u8> {
    let direction = Direction::Response;
    let message = block_message(direction, finding, message);
    stream_end(number, &message, "policy_violation", block_code(direction), Some(finding))
}

/// The last frames of a stream whose budget is used up.
pub fn stream_over_budget(number: Option<u64>, reset: &str) -> Vec<u8> {
    stream_end(number, &budget_message(reset), "budget_exceeded", "budget_exceeded", None)
}

fn budget_message(reset: &str) -> String {
    ["The budget of this gateway for this request is used up until ", reset, "."].concat()
}

/// The last frames of a stream that cannot be inspected any further.
pub fn stream_failed(number: Option<u64>, why: &str) -> Vec<u8> {
    let message = format!("The upstream's answer could not be inspected ({why}) and was cut.");
    stream_end(number, &message, "gateway_error", "gateway_failure", None)
}

/// `/v1/responses` has an event of its own for errors, which SDKs hand on as one among others; the member `error` makes
/// them raise.
fn stream_end(
    number: Option<u64>,
    message: &str,
    kind: &str,
    code: &str,
    finding: Option<&Finding>,
) -> Vec<u8> {
    let mut json = Writer::new('{');
    if let Some(number) = number {
        json.text("type", "error");
        json.number("sequence_number", number);
        json.text("code", code);
        json.text("message", message);
        json.null("param");
    }
    write_error(&mut json, message, kind, code, finding);
    let mut frames = encode::data(&json.end('}'));
    frames.extend(encode::data(b"[DONE]"));
    frames
}

fn block_code(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "input_blocked",
        Direction::Response => "output_blocked",
    }
}

fn block_message<'m>(direction: Direction, finding: &Finding, message: Option<&'m str>) -> Cow<'m, str> {
    let what = match direction {
        Direction::Request => "request",
        Direction::Response => "answer",
    };
    message.map_or_else(
        || format!("The {what} was blocked by the policy `{}`.", finding.policy.name()).into(),
        Cow::Borrowed,
    )
}

fn block_body(direction: Direction, finding: &Finding, message: Option<&str>) -> Vec<u8> {
    let message = block_message(direction, finding, message);
    error_body(&message, "policy_violation", block_code(direction), Some(finding))
}

/// An error in OpenAI's shape, with the policy and the reason where a finding is behind it.
fn error_body(message: &str, kind: &str, code: &str, finding: Option<&Finding>) -> Vec<u8> {
    let mut json = Writer::new('{');
    write_error(&mut json, message, kind, code, finding);
    json.end('}')
}

fn write_error(json: &mut Writer, message: &str, kind: &str, code: &str, finding: Option<&Finding>) {
    json.open("error", '{');
    json.text("message", message);
    json.text("type", kind);
    json.null("param");
    json.text("code", code);
    if let Some(finding) = finding {
        json.text("policy", finding.policy.name());
        json.text("reason", &finding.reason());
    }
    json.close('}');
}

//! `GET /v1/models` and `/v1/models/{id}`, answered from the configuration.
//!
//! Asks no upstream: what a provider lists and what this gateway serves are two things. Invariant: a model that is listed can
//! be asked for by its id.

use super::Exchange;
use crate::event::Ended;
use crate::plugin::Model;
use crate::policy::Facts;
use crate::reply::Reply;

const LIST: &str = "/v1/models";

impl Exchange {
    /// The answer, if the request is about models and not let through by the operator.
    pub(super) fn models(&mut self) -> Option<Reply> {
        let path = Facts::path(&self.head);
        let id = path.strip_prefix(LIST)?;
        if !id.is_empty() && !id.starts_with('/') {
            return None;
        }
        let id = unescaped(id.strip_prefix('/').unwrap_or_default());
        let gateway = self.gateway.clone();
        let config = &gateway.config;
        if !matches!(self.head.header(":method"), Some("GET" | "HEAD")) {
            if self.is_passed_through() {
                return None;
            }
            self.record.endpoint = "models";
            return Some(self.refuse(Reply::method_not_allowed("GET, HEAD"), Ended::Refused));
        }
        self.record.endpoint = "models";
        let provider = self.head.header("x-provider");
        let is_named = |name: &str| config.targets.iter().any(|target| target.is_named(name));
        if !provider.is_none_or(is_named) {
            return Some(self.refuse(Reply::unknown_provider(&config.targets), Ended::Refused));
        }
        let offered = |model: &&Model| {
            let serves = |name: &str| {
                let mut targets = config.targets.iter().filter(|target| model.targets.contains(&target.id));
                targets.any(|target| target.is_named(name))
            };
            provider.is_none_or(serves)
        };
        let mut models = config.models.iter().filter(offered);
        if id.is_empty() {
            let agent = self.head.header("user-agent").unwrap_or_default();
            return Some(Reply::models(models.map(|model| model.document.as_str()), agent));
        }
        // Asking for a target by its id serves its model, so it is found by that name too.
        let found = models
            .clone()
            .find(|model| model.id == id)
            .or_else(|| models.find(|model| model.targets.contains(&id)));
        let reply = Reply::model(&id, found.map(|model| model.document.as_str()));
        self.record.error_code = reply.code;
        Some(reply)
    }
}

/// Undoes percent encoding. Ids contain slashes and colons, which some SDKs encode. What is no encoding stays.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |place: usize| after.get(place).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{Admission, Exchange, Gateway, RequestHead};
    use super::*;
    use serde_json::{Value, json};
    use std::rc::Rc;

    fn ask(method: &str, path: &str, header: (&str, &str)) -> Reply {
        let document = json!({
            "pack": {"name": "p", "version": "1.0.0"},
            "policies": {"chain": ["audit-logger"]},
            "providers": {"targets": [
                {"id": "a", "provider": "together", "model": "org/m:free"},
                {"id": "b", "provider": "openai", "model": "gpt"},
            ]},
        });
        let plan = crate::plan::check(&document).unwrap();
        let gateway = Gateway::new(plan.downstream("")).unwrap();
        let headers = [(":method", method), (":path", path), header];
        let head = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        match Exchange::new(Rc::new(gateway)).admit(RequestHead::new(head.to_vec())) {
            Admission::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    const NONE: (&str, &str) = ("accept", "*/*");

    #[track_caller]
    fn check(path: &str, header: (&str, &str), expected: Value) {
        let reply = ask("GET", path, header);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let ids = |list: &Value| list.as_array().map(|list| list.iter().map(|m| m["id"].clone()).collect());
        let seen = ids(&body).or_else(|| ids(&body["data"])).unwrap_or_else(|| body["id"].clone());
        assert_eq!((reply.status, seen), (200, expected));
        assert_eq!(body.is_array(), header.1.starts_with("Together/"));
    }

    #[test]
    fn each_sdk_gets_the_list_it_can_read() {
        check("/v1/models", NONE, json!(["org/m:free", "gpt"]));
        check("/v1/models/", ("user-agent", "OpenAI/Python 3.51.0"), json!(["org/m:free", "gpt"]));
        check(
            "/v1/v1/models?dedicated=true",
            ("user-agent", "Together/Python 2.42.0"),
            json!(["org/m:free", "gpt"]),
        );
    }

    #[test]
    fn x_provider_restricts_the_list() {
        check("/v1/models", ("x-provider", "together-ai"), json!(["org/m:free"]));
        check("/v1/models", ("x-provider", "b"), json!(["gpt"]));
        let reply = ask("GET", "/v1/models", ("x-provider", "nobody"));
        assert_eq!((reply.status, reply.code), (400, "unknown_provider"));
        let reply = ask("GET", "/v1/models/gpt", ("x-provider", "together"));
        assert_eq!((reply.status, reply.code), (404, "model_not_found"));
    }

    #[test]
    fn one_model_is_found_by_its_name_in_any_encoding_or_by_its_target() {
        check("/v1/models/org/m:free", NONE, json!("org/m:free"));
        check("/v1/models/org%2Fm%3afree", NONE, json!("org/m:free"));
        check("/v1/models/b", NONE, json!("gpt"));
        let reply = ask("GET", "/v1/models/gone%zz", NONE);
        assert_eq!((reply.status, reply.code), (404, "model_not_found"));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["error"]["message"], "The model `gone%zz` does not exist.");
    }

    #[test]
    fn models_are_read_and_nothing_else() {
        assert_eq!(ask("HEAD", "/v1/models", NONE).status, 200);
        for (method, path) in [("POST", "/v1/models"), ("DELETE", "/v1/models/gpt")] {
            let reply = ask(method, path, NONE);
            assert_eq!((reply.status, reply.code), (405, "method_not_allowed"));
            assert!(reply.headers.contains(&("allow", "GET, HEAD".to_owned())));
        }
        assert_eq!(ask("GET", "/v1/modelsx", NONE).code, "unknown_path");
    }
}

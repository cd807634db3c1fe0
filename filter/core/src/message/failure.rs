//! Recognises an error in what a provider sent.
//!
//! Providers differ in where they put it: `{"error": {...}}`, `{"error": "text"}`, `{"object": "error", ...}`,
//! `{"type": "error", ...}`. Reads no message, only whether there is an error and what it is called.

use super::json::{Cursor, Kind, Result};

/// An error, by the values of its `code` and `type`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// They, as far as they are strings.
    pub names: Vec<String>,
}

/// The error that JSON text consists of; `None` if it is something else.
pub fn failure(text: &[u8]) -> Option<Failure> {
    let text = std::str::from_utf8(text).ok()?;
    let mut found = Found::default();
    // Only a whole document counts: half an error may be half an answer.
    found.object(&mut Cursor::lenient(text), true).ok()?;
    found.is_error.then_some(found.failure)
}

#[derive(Default)]
struct Found {
    is_error: bool,
    failure: Failure,
}

impl Found {
    /// Passes an object: the document, or the error in it.
    fn object(&mut self, json: &mut Cursor, outer: bool) -> Result<()> {
        json.expect(b'{')?;
        let mut started = false;
        while !json.eat(b'}')? {
            if started {
                json.expect(b',')?;
            }
            started = true;
            let (_, key) = json.value()?;
            json.expect(b':')?;
            let kind = json.kind()?;
            match (&*key, kind) {
                ("error", Kind::Object) if outer => {
                    self.is_error = true;
                    self.object(json, false)?;
                }
                ("code" | "type" | "object", Kind::String) => {
                    let (_, name) = json.value()?;
                    self.is_error |= outer && &*key != "code" && name == "error";
                    if &*key != "object" {
                        self.failure.names.push(name.into_owned());
                    }
                }
                _ => {
                    self.is_error |= outer && &*key == "error" && kind == Kind::String;
                    json.skip()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[&str]>) {
        let names = failure(text.as_bytes()).map(|failure| failure.names);
        assert_eq!(
            names.as_deref(),
            expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn errors_of_every_shape_are_recognised() {
        check(
            r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"model_not_available"}}"#,
            Some(&["invalid_request_error", "model_not_available"]),
        );
        check(r#" {"id":"x","error":{"code":402,"message":"{\"error\""}} "#, Some(&[]));
        check(r#"{"error":"overloaded"}"#, Some(&[]));
        check(
            r#"{"object":"error","message":"m","type":"invalid_model","code":"1500"}"#,
            Some(&["invalid_model", "1500"]),
        );
        check(
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            Some(&["error", "overloaded_error"]),
        );
    }

    #[test]
    fn what_is_no_error_is_none() {
        check(r#"{"id":"x","choices":[{"delta":{"content":"error"}}],"error":null}"#, None);
        check(r#"{"type":"response.created","response":{"error":{"code":"x"}}}"#, None);
        check(r#"{"error":{"code":"#, None);
        check("[DONE]", None);
        check("error", None);
        check("", None);
    }
}

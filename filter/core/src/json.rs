//! Writes JSON text, member by member.
//!
//! For what the gateway itself says: replies and events. serde would do the same with more code, and code is start-up time.
//! Invariant: what is written is valid JSON if every opened bracket is closed.

use crate::message::rewrite::push_json_string;

/// JSON text under construction.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// Opens the outermost value, `{` or `[`.
    pub(crate) fn new(bracket: char) -> Writer {
        let mut text = String::with_capacity(512);
        text.push(bracket);
        Writer { text }
    }

    /// Closes the outermost value and gives the text.
    pub(crate) fn end(mut self, bracket: char) -> Vec<u8> {
        self.text.push(bracket);
        self.text.into_bytes()
    }

    /// Opens an item of a list.
    pub(crate) fn item(&mut self, bracket: char) {
        self.comma();
        self.text.push(bracket);
    }

    /// Opens a member that is an object or a list.
    pub(crate) fn open(&mut self, key: &str, bracket: char) {
        self.key(key);
        self.text.push(bracket);
    }

    /// Closes what was opened last.
    pub(crate) fn close(&mut self, bracket: char) {
        self.text.push(bracket);
    }

    /// A member that is a string.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        push_json_string(value, &mut self.text);
    }

    /// The same, if there is a value.
    pub(crate) fn text_if_any(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A member that is a whole number.
    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.digits(value);
    }

    /// A member that is a whole number or unknown.
    pub(crate) fn number_or_null(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    /// A member in milliseconds, with microseconds behind the point.
    pub(crate) fn milliseconds(&mut self, key: &str, us: u64) {
        self.number(key, us / 1000);
        let thousandths = us % 1000;
        self.text.push('.');
        for unit in [100, 10, 1] {
            self.text.push(digit(thousandths / unit));
        }
    }

    /// A member that is a decimal: `value` in units of 10^-12, without zeros at its end.
    pub(crate) fn decimal(&mut self, key: &str, value: u64) {
        const WHOLE: u64 = 1_000_000_000_000;
        self.number(key, value / WHOLE);
        let (mut rest, mut unit) = (value % WHOLE, WHOLE / 10);
        if rest > 0 {
            self.text.push('.');
        }
        while rest > 0 {
            self.text.push(digit(rest / unit));
            rest %= unit;
            unit = (unit / 10).max(1);
        }
    }

    /// A member that is true or false.
    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A member without a value.
    pub(crate) fn null(&mut self, key: &str) {
        self.key(key);
        self.text.push_str("null");
    }

    fn key(&mut self, key: &str) {
        self.comma();
        // Our own keys need no escapes.
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn comma(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }

    fn digits(&mut self, value: u64) {
        if value >= 10 {
            self.digits(value / 10);
        }
        self.text.push(digit(value));
    }
}

/// The last decimal digit of a number.
fn digit(value: u64) -> char {
    char::from(b'0' + (value % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut json = Writer::new('{');
        json.text("a", "say \"hi\"\n{");
        json.number("b", 1_234_567_890_123);
        json.milliseconds("c", 12_034);
        json.flag("d", true);
        json.null("e");
        json.open("f", '[');
        for number in 0..2 {
            json.item('{');
            json.number_or_null("n", Some(number));
            json.close('}');
        }
        json.close(']');
        json.text_if_any("g", None);
        let text = json.end('}');
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let expected = serde_json::json!({
            "a": "say \"hi\"\n{", "b": 1_234_567_890_123u64, "c": 12.034, "d": true, "e": null,
            "f": [{"n": 0}, {"n": 1}],
        });
        assert_eq!(value, expected);
    }
}

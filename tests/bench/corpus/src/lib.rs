//! Ordinary chat traffic for the benches: the same bytes for the same seed, on every machine.
//!
//! Measures nothing and knows no policy. Invariant: [`Content::Clean`] holds nothing that a detector should find, and
//! [`Content::Personal`] holds identifiers whose check digits are right, so that verification is paid for too.

mod fresh;
mod identifier;
mod language;
mod rng;

pub use fresh::{Fresh, STAMP};
pub use rng::Rng;

use language::{PROGRAMS, sentence};

/// What a body holds besides ordinary language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Prose, code and records; no identifier of a person.
    Clean,
    /// The same, with about one identifier per 1,500 bytes, the first one early.
    Personal,
}

/// Bytes of ordinary language between two identifiers, at least and at most; real support traffic is sparser.
const GAP: (usize, usize) = (700, 1600);

/// A chat completion request of exactly `bytes` bytes: a conversation, and from 4 KB on tools for an eighth of it.
/// `stream_tokens` asks for a stream of so many tokens. Each message begins with [`STAMP`].
///
/// # Errors
/// With fewer than 512 bytes there is no room for a conversation.
pub fn chat_request(
    bytes: usize,
    content: Content,
    seed: u64,
    stream_tokens: Option<usize>,
) -> Result<String, &'static str> {
    if bytes < 512 {
        return Err("a conversation needs at least 512 bytes");
    }
    let mut rng = Rng::new(seed);
    let mut body = String::with_capacity(bytes);
    body.push_str(&format!(
        r#"{{"model":"bench-model","temperature":0.7,"max_tokens":{},"messages":[{{"role":"system","content":"{STAMP} You are a helpful assistant. Answer concisely and cite sources where possible."}}"#,
        stream_tokens.unwrap_or(1024)
    ));
    let tools = if bytes >= 4096 { tools(bytes / 8, &mut rng) } else { String::new() };
    let tail =
        format!(r#"]{tools},"user":"u-{:05}","stream":{}}}"#, rng.below(100_000), stream_tokens.is_some());
    let mut prose = Prose { content, until_identifier: 0 };
    for turn in 0_usize.. {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        let (open, close) = match turn % 5 {
            // Array content is rarer than plain content, and takes another path through a reader.
            4 => (format!(r#",{{"role":"{role}","content":[{{"type":"text","text":"{STAMP} "#), r#""}]}"#),
            _ => (format!(r#",{{"role":"{role}","content":"{STAMP} "#), r#""}"#),
        };
        let room = bytes - body.len() - tail.len();
        let wanted = 300 + rng.below(2200);
        // The last message takes what is left; one of less than 300 bytes would be odd.
        let (length, last) = if room < wanted + 400 { (room, true) } else { (wanted, false) };
        let Some(text_bytes) = length.checked_sub(open.len() + close.len()) else {
            return Err("no room for another message");
        };
        body.push_str(&open);
        prose.write_escaped(text_bytes, &mut rng, &mut body);
        body.push_str(close);
        if last {
            break;
        }
    }
    body.push_str(&tail);
    Ok(body)
}

/// Ordinary prose of `words` words without identifiers, as a model would answer.
pub fn answer(words: usize, seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::new();
    while text.matches(' ').count() < words {
        sentence(&mut rng, &mut text);
    }
    let end = text.match_indices(' ').nth(words - 1).map_or(text.len(), |(at, _)| at);
    text.truncate(end);
    text
}

/// `text` cut as a model streams it: a word at a time, its space in front.
pub fn deltas(text: &str) -> impl Iterator<Item = &str> {
    let starts = std::iter::once(0).chain(text.match_indices(' ').map(|(at, _)| at).filter(|at| *at > 0));
    let ends = text.match_indices(' ').map(|(at, _)| at).filter(|at| *at > 0).chain([text.len()]);
    starts.zip(ends).filter_map(|(start, end)| text.get(start..end))
}

/// `text` as the inside of a JSON string.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn tools(bytes: usize, rng: &mut Rng) -> String {
    let mut tools = String::from(r#","tools":["#);
    for number in 0.. {
        if tools.len() >= bytes {
            break;
        }
        if number > 0 {
            tools.push(',');
        }
        tools.push_str(&format!(
            r#"{{"type":"function","function":{{"name":"lookup_{number}","description":"Look up a record by key and return the matching rows.","parameters":{{"type":"object","properties":{{"key":{{"type":"string","description":"the key to find"}},"limit":{{"type":"integer","minimum":1,"maximum":{}}}}},"required":["key"],"additionalProperties":false}}}}}}"#,
            rng.below(1000)
        ));
    }
    tools.push(']');
    tools
}

/// Text under way: identifiers come at distances, whatever message they fall into.
struct Prose {
    content: Content,
    until_identifier: usize,
}

impl Prose {
    /// Appends exactly `bytes` bytes of escaped text.
    fn write_escaped(&mut self, bytes: usize, rng: &mut Rng, out: &mut String) {
        let end = out.len() + bytes;
        loop {
            let piece = escaped(&self.piece(rng));
            if out.len() + piece.len() > end {
                break;
            }
            out.push_str(&piece);
        }
        // Words fill what no sentence fits into, and dots what no word fits into.
        while out.len() < end {
            let left = end - out.len();
            match language::filler(rng) {
                word if word.len() < left => {
                    out.push(' ');
                    out.push_str(word);
                }
                _ if left < 8 => out.extend(std::iter::repeat_n('.', left)),
                _ => {}
            }
        }
    }

    fn piece(&mut self, rng: &mut Rng) -> String {
        let mut piece = String::new();
        match rng.below(20) {
            0 => {
                piece.push_str("\n```\n");
                piece.push_str(rng.pick(PROGRAMS));
                piece.push_str("```\n");
            }
            1 => piece.push_str(&format!(
                "{{\"id\": {}, \"name\": \"{} {}\", \"ok\": true, \"ratio\": 0.{}}}\n",
                rng.below(100_000),
                rng.pick(&["alpha", "beta", "gamma"]),
                rng.below(99),
                rng.below(1000)
            )),
            2 => {
                piece.push_str("- ");
                sentence(rng, &mut piece);
            }
            _ => sentence(rng, &mut piece),
        }
        if self.content == Content::Personal {
            match self.until_identifier.checked_sub(piece.len()) {
                Some(left) => self.until_identifier = left,
                None => {
                    self.until_identifier = GAP.0 + rng.below(GAP.1);
                    piece.push_str(&identifier::any(rng));
                    piece.push_str(". ");
                }
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_exactly_the_size_that_was_asked_for() {
        for bytes in [512, 1024, 8192, 65_536] {
            for seed in 0..10 {
                for content in [Content::Clean, Content::Personal] {
                    assert_eq!(chat_request(bytes, content, seed, None).unwrap().len(), bytes);
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_one_gives_others() {
        let body = |seed| chat_request(1024, Content::Personal, seed, None).unwrap();
        assert_eq!(body(7), body(7));
        assert_ne!(body(7), body(8));
    }

    #[test]
    fn a_personal_request_of_1_kb_has_an_identifier() {
        for seed in 0..50 {
            let marks = ["@example.org", "(415)", "card is", "Pay to", "SSN is", "AKIA", "ghp_"];
            let body = chat_request(1024, Content::Personal, seed, None).unwrap();
            assert!(marks.iter().any(|mark| body.contains(mark)), "{body}");
            let clean = chat_request(1024, Content::Clean, seed, None).unwrap();
            assert!(!marks.iter().any(|mark| clean.contains(mark)), "{clean}");
        }
    }

    #[test]
    fn deltas_joined_are_the_text() {
        let text = answer(60, 1);
        assert_eq!(deltas(&text).collect::<String>(), text);
        assert_eq!(deltas(&text).count(), 60);
    }
}

//! Reads an event of a stream by its likeness to one that was read before: models send hundreds that differ in one string.
//!
//! Knows nothing of what an event means, and reads no event first. Invariant: what is read here [`delta::read`] would read the
//! same, because what JSON says around a value does not depend on what stands in its place.
//!
//! [`delta::read`]: super::delta::read

use super::delta::{Delta, Event};
use super::escape::{decode_into, text_of};
use super::plain::{self, BLOCK};
use super::text::{Lane, Layer};
use std::borrow::Cow;
use std::ops::Range;

/// A larger event is not remembered.
const MAX_BYTES: usize = 4096;
/// Values besides the text that may differ: when, the number of the event, padding.
const MAX_OTHERS: usize = 3;

/// An event that added one text and said nothing else.
#[derive(Debug, Default)]
pub struct Likeness {
    /// As it was sent.
    bytes: Vec<u8>,
    /// What may differ, in order; of strings what stands between the quotes.
    values: Vec<Range<usize>>,
    /// Which of them is the text.
    text: usize,
    /// Where the text goes.
    lane: Option<Lane>,
    /// Room to decode texts in.
    room: Vec<u8>,
}

impl Likeness {
    /// Remembers `event`, which was read from the payload at `payload` of `bytes`, if others can be read by it.
    pub fn learn(&mut self, event: &Event, bytes: &[u8], payload: usize) {
        let [Delta { lane, text, copies }] = event.deltas.as_slice() else { return };
        let simple = copies.is_empty()
            && text.layer == Layer::String
            && event.says_nothing_else()
            && bytes.len() <= MAX_BYTES
            && event.varying.len() <= MAX_OTHERS;
        if !simple {
            return;
        }
        self.lane = None;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.values.clear();
        self.text = 0;
        for value in std::iter::once(&text.span).chain(&event.varying) {
            let mut value = value.start + payload..value.end + payload;
            if bytes.get(value.start) == Some(&b'"') && value.start + 1 < value.end {
                value = value.start + 1..value.end - 1;
            }
            let place = self.values.partition_point(|known| known.start < value.start);
            self.text += usize::from(place <= self.text && !self.values.is_empty());
            self.values.insert(place, value);
        }
        self.lane = Some(*lane);
        // A likeness that does not see itself is none.
        if self.read(bytes).is_none_or(|(_, known)| known != text.value) {
            self.lane = None;
        }
    }

    /// The text of an event that differs from the one that was learned in nothing else that matters, and where it goes.
    pub fn read<'e>(&mut self, event: &'e [u8]) -> Option<(Lane, Cow<'e, str>)> {
        let lane = self.lane?;
        let (mut rest, mut known) = (event, 0);
        let mut said = None;
        for (number, value) in self.values.iter().enumerate() {
            let literal = self.bytes.get(known..value.start)?;
            rest = after(rest, literal)?;
            known = value.end;
            let length = match literal.last()? {
                b'"' => plain::run(rest),
                _ => digits(rest)?,
            };
            let (value, behind) = rest.split_at_checked(length)?;
            rest = behind;
            if number != self.text {
                if !value.is_ascii() {
                    return None;
                }
            } else if behind.first() == Some(&b'\\') {
                let whole = event.get(event.len() - behind.len() - length..)?;
                let (read, written) = decode_into(whole, false, &mut self.room);
                simdutf8::basic::from_utf8(whole.get(..read)?).ok()?;
                said = Some(Cow::Owned(text_of(self.room.get(..written)?)));
                rest = whole.get(read..)?;
            } else {
                said = Some(Cow::Borrowed(simdutf8::basic::from_utf8(value).ok()?));
            }
        }
        let rest = after(rest, self.bytes.get(known..)?)?;
        // What is empty may be no text at all.
        let said = said.filter(|said| rest.is_empty() && !said.is_empty())?;
        Some((lane, said))
    }
}

/// Length of the number at the start of `bytes`, unless it is more than digits.
fn digits(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0 && (length == 1 || bytes.first() != Some(&b'0'))).then_some(length)
}

/// What follows `literal` at the start of `bytes`. Sixteen bytes at a time: the library's comparison takes them one by one.
#[inline(never)]
fn after<'b>(bytes: &'b [u8], literal: &[u8]) -> Option<&'b [u8]> {
    let (same, rest) = bytes.split_at_checked(literal.len())?;
    let ((blocks, tail), (known, known_tail)) = (same.as_chunks::<BLOCK>(), literal.as_chunks::<BLOCK>());
    let differs = |(a, b): (&[u8; BLOCK], &[u8; BLOCK])| u128::from_le_bytes(*a) != u128::from_le_bytes(*b);
    let different = blocks.iter().zip(known).any(differs) || tail.iter().zip(known_tail).any(|(a, b)| a != b);
    (!different).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Endpoint, delta};
    use proptest::prelude::*;

    const CHAT: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":[{"index":0,"delta":{"content":"VALUE"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"xYz0"}"#;
    const RESPONSES: &str = r#"{"type":"response.output_text.delta","sequence_number":12,"item_id":"i","output_index":0,"content_index":0,"delta":"VALUE","logprobs":[]}"#;

    /// The texts of events like `first`, each read by its likeness to it.
    #[track_caller]
    fn check(endpoint: Endpoint, first: &str, next: &str, expected: Option<&str>) {
        let frame = format!("data: {first}\n\n");
        let mut likeness = Likeness::default();
        likeness.learn(&delta::read(endpoint, first.as_bytes()).unwrap(), frame.as_bytes(), 6);
        let next = format!("data: {next}\n\n");
        assert_eq!(likeness.read(next.as_bytes()).map(|(_, text)| text.into_owned()).as_deref(), expected);
    }

    #[test]
    fn an_event_that_differs_in_its_text_is_read() {
        for (endpoint, event) in [(Endpoint::ChatCompletions, CHAT), (Endpoint::Responses, RESPONSES)] {
            for (written, said) in [
                ("word", "word"),
                (" größer", " größer"),
                (r#"a\n\"b\u00e9"#, "a\n\"bé"),
                ("\\ud83d\\ude00 and more than a block of text", "😀 and more than a block of text"),
            ] {
                check(endpoint, event, &event.replace("VALUE", written), Some(said));
            }
        }
        check(
            Endpoint::ChatCompletions,
            CHAT,
            &CHAT.replace("1790000000", "1790000001").replace("xYz0", ""),
            Some("VALUE"),
        );
        check(Endpoint::Responses, RESPONSES, &RESPONSES.replace("12", "9"), Some("VALUE"));
    }

    #[test]
    fn any_other_difference_is_left_to_the_reader() {
        for next in [
            CHAT.replace("null}]", "\"stop\"}]"),
            CHAT.replace("\"m\"", "\"n\""),
            CHAT.replace("VALUE", ""),
            CHAT.replace("VALUE", "a\",\"refusal\":\"b"),
            CHAT.replace("VALUE", "\\ud83d"),
            CHAT.replace("VALUE", "\\x"),
            CHAT.replace("1790000000", "01"),
            CHAT.replace("1790000000", "1.5"),
            CHAT.replace("1790000000", "-1"),
            CHAT.replace("1790000000", ""),
            CHAT.replace("xYz0", "é"),
            CHAT.replace("xYz0", "a\\n"),
            CHAT.replace("xYz0\"}", "\"}, "),
            CHAT.replace("\"usage\":null", "\"usage\": null"),
            CHAT[..CHAT.len() - 1].to_owned(),
            String::new(),
        ] {
            check(Endpoint::ChatCompletions, CHAT, &next, None);
        }
    }

    #[test]
    fn an_event_that_says_more_is_not_remembered() {
        for first in [
            CHAT.replace("\"finish_reason\":null", "\"finish_reason\":\"stop\""),
            CHAT.replace("\"content\":\"VALUE\"", "\"content\":\"\""),
            CHAT.replace("\"content\":\"VALUE\"", "\"content\":\"a\",\"refusal\":\"b\""),
            CHAT.replace("\"delta\"", "\"text\":\"VALUE\",\"delta\""),
            CHAT.replace("\"usage\":null", "\"usage\":{\"total_tokens\":3}"),
            CHAT.replace("\"usage\":null", "\"error\":{}"),
        ] {
            check(Endpoint::ChatCompletions, &first, &first, None);
        }
    }

    proptest! {
        /// Whatever is done to an event, it is read by likeness only if the reader reads it, and as the reader does.
        #[test]
        fn the_reader_reads_the_same(
            at in 0..CHAT.len(),
            length in 0..12usize,
            with in prop_oneof!["[a-zé\"\\\\{}:,0-9nu \u{1}]{0,8}", Just(r"\u00e9".to_owned()), Just("\",\"content\":\"".to_owned())],
            near in any::<bool>(),
            broken in proptest::option::of(0..300usize),
        ) {
            let place = if near { CHAT.find("VALUE").unwrap() + at % 6 } else { at };
            let end = (place + length).min(CHAT.len());
            let mut next = format!("{}{with}{}", &CHAT[..place], &CHAT[end..]).into_bytes();
            if let Some(byte) = broken.and_then(|at| next.get_mut(at)) {
                *byte = 0xc3;
            }
            let mut likeness = Likeness::default();
            likeness.learn(&delta::read(Endpoint::ChatCompletions, CHAT.as_bytes()).unwrap(), CHAT.as_bytes(), 0);
            if let Some((lane, text)) = likeness.read(&next) {
                let event = delta::read(Endpoint::ChatCompletions, &next).unwrap();
                prop_assert!(event.says_nothing_else());
                prop_assert_eq!(event.deltas.len(), 1);
                prop_assert_eq!(event.deltas[0].lane, lane);
                prop_assert_eq!(&event.deltas[0].text.value, &text);
                prop_assert_eq!(event.model.as_deref(), Some("m"));
            }
        }
    }
}

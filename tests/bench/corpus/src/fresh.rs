//! Requests none of whose messages was sent before.
//!
//! A gateway need not read twice what it read before, so a bench that sends the same texts again measures something else than
//! one that does not.

/// Begins every message of a request; [`Fresh::renew`] puts other words in its place. Ordinary words: numbers are looked at as
/// what may be an identifier, and what is no word at all may tell a model something.
pub const STAMP: &str = "time time time";

/// Of four letters each, so that every stamp has the same length.
const WORDS: [&str; 40] = [
    "time", "year", "work", "life", "hand", "part", "week", "case", "home", "room", "line", "name", "form",
    "plan", "view", "rate", "cost", "size", "type", "page", "list", "file", "code", "data", "task", "team",
    "test", "tool", "unit", "wall", "wood", "yard", "desk", "door", "farm", "food", "game", "lake", "park",
    "road",
];

/// Bytes with a request in them, and where its stamps are.
#[derive(Debug, Clone)]
pub struct Fresh {
    bytes: Vec<u8>,
    stamps: Vec<usize>,
}

impl Fresh {
    /// Finds the stamps of a request.
    pub fn new(bytes: Vec<u8>) -> Fresh {
        let starts = bytes.windows(STAMP.len()).enumerate();
        let stamps = starts.filter(|(_, number)| *number == STAMP.as_bytes()).map(|(at, _)| at).collect();
        Fresh { bytes, stamps }
    }

    /// The request as it is now.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes every message one that none of the 63,999 numbers around `number` makes.
    pub fn renew(&mut self, number: u64) {
        let count = WORDS.len() as u64;
        let digits = [number % count, number / count % count, number / count / count % count];
        for at in &self.stamps {
            for (place, digit) in digits.iter().enumerate() {
                let word = WORDS.get(*digit as usize).copied().unwrap_or_default().as_bytes();
                let start = at + place * (word.len() + 1);
                if let Some(into) = self.bytes.get_mut(start..start + word.len()) {
                    into.copy_from_slice(word);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, chat_request};

    #[test]
    fn every_message_is_renewed_and_nothing_else() {
        let body = chat_request(8192, Content::Clean, 1, None).unwrap();
        let mut fresh = Fresh::new(body.clone().into_bytes());
        fresh.renew(20);
        let renewed = String::from_utf8(fresh.bytes().to_vec()).unwrap();
        assert_eq!(renewed, body.replace(STAMP, "list time time"));
        assert_eq!(body.matches(STAMP).count(), body.matches("\"role\":").count());
        fresh.renew(0);
        assert_eq!(fresh.bytes(), body.as_bytes());
    }
}

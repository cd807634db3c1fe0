//! Requests none of whose messages was sent before.
//!
//! A gateway need not read twice what it read before, so a bench that sends the same texts again measures something else than
//! one that does not.

/// Begins every message of a request; [`Fresh::renew`] puts another word of the same length in its place.
pub const STAMP: &str = "aaaaaaaa";

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
        let stamps = starts.filter(|(_, word)| *word == STAMP.as_bytes()).map(|(at, _)| at).collect();
        Fresh { bytes, stamps }
    }

    /// The request as it is now.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes every message one that no other `number` makes.
    pub fn renew(&mut self, number: u64) {
        let mut left = number;
        let word = [(); STAMP.len()].map(|()| {
            let letter = b'a' + (left % 26) as u8;
            left /= 26;
            letter
        });
        for at in &self.stamps {
            if let Some(stamp) = self.bytes.get_mut(*at..*at + word.len()) {
                stamp.copy_from_slice(&word);
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
        fresh.renew(27);
        let renewed = String::from_utf8(fresh.bytes().to_vec()).unwrap();
        assert_eq!(renewed, body.replace(STAMP, "bbaaaaaa"));
        assert_eq!(body.matches(STAMP).count(), body.matches("\"role\":").count());
        fresh.renew(0);
        assert_eq!(fresh.bytes(), body.as_bytes());
    }
}

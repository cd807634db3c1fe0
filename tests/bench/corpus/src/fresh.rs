//! Requests none of whose messages was sent before.
//!
//! A gateway need not read twice what it read before, so a bench that sends the same texts again measures something else than
//! one that does not.

/// Begins every message of a request; [`Fresh::renew`] puts another number of the same length in its place. A number, because
/// a word that nobody knows may tell a model something.
pub const STAMP: &str = "00000000";

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

    /// Makes every message one that no other `number` makes.
    pub fn renew(&mut self, number: u64) {
        let mut left = number;
        let digits = [(); STAMP.len()].map(|()| {
            let digit = b'0' + (left % 10) as u8;
            left /= 10;
            digit
        });
        for at in &self.stamps {
            if let Some(stamp) = self.bytes.get_mut(*at..*at + digits.len()) {
                stamp.copy_from_slice(&digits);
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
        fresh.renew(21);
        let renewed = String::from_utf8(fresh.bytes().to_vec()).unwrap();
        assert_eq!(renewed, body.replace(STAMP, "12000000"));
        assert_eq!(body.matches(STAMP).count(), body.matches("\"role\":").count());
        fresh.renew(0);
        assert_eq!(fresh.bytes(), body.as_bytes());
    }
}

//! Texts for the event, as they went on: after redaction, never before.
//!
//! Reads what left: the request as targets get it, the answer as the client does. Works only where `pii-detector` redacts both ways
//! in this exchange. Invariant: at most [`MOST_BYTES`] of text each way.

use super::Exchange;
use crate::event::Captured;
use crate::message::rewrite::{self, Splice};
use crate::message::{delta, request, response};
use crate::policy::Direction;
use crate::sse::decode::Decoder;

/// Text that an event holds each way; what is beyond it is cut, and the event says so.
const MOST_BYTES: usize = 8 * 1024;

/// The texts so far.
#[derive(Debug, Default)]
pub(super) struct Capture {
    pub(super) request: Captured,
    pub(super) response: Captured,
    decoder: Decoder,
}

impl Captured {
    /// Adds to the text of a place, as far as there is room.
    fn add(&mut self, place: &impl std::fmt::Display, text: &str) {
        let held: usize = self.texts.iter().map(|(_, text)| text.len()).sum();
        let part = text.get(..text.floor_char_boundary(MOST_BYTES.saturating_sub(held))).unwrap_or_default();
        self.is_cut |= part.len() < text.len();
        if part.is_empty() {
            return;
        }
        let place = place.to_string();
        match self.texts.iter_mut().find(|(known, _)| *known == place) {
            Some((_, known)) => known.push_str(part),
            None => self.texts.push((place, part.to_owned())),
        }
    }
}

impl Exchange {
    fn captures(&self) -> bool {
        self.gateway.captures && self.record.audits && self.gateway.chain.redacts(self.active)
    }

    /// Takes the texts of a body that was inspected, with its edits. The newest of a request count most, the first of an answer.
    pub(super) fn capture(&mut self, direction: Direction, body: &[u8], splices: &[Splice]) {
        let Some(endpoint) = self.endpoint.filter(|_| self.captures()) else { return };
        let body = rewrite::apply(body, splices);
        let capture = self.record.capture.get_or_insert_default();
        match direction {
            Direction::Request => {
                let Ok(request) = request::read(endpoint, &body) else { return };
                request.texts.iter().rev().for_each(|text| capture.request.add(&text.place, &text.value));
                capture.request.texts.reverse();
            }
            Direction::Response => {
                let Ok(answer) = response::read(endpoint, &body) else { return };
                answer.texts.iter().for_each(|text| capture.response.add(&text.place, &text.value));
            }
        }
    }

    /// Takes what leaves of a stream.
    pub(super) fn capture_chunk(&mut self, out: &[u8]) {
        let Some(endpoint) = self.endpoint.filter(|_| self.captures()) else { return };
        let capture = self.record.capture.get_or_insert_default();
        let mut frames = Vec::new();
        if capture.decoder.push(out, &mut frames).is_err() {
            capture.response.is_cut = true;
        }
        for data in frames.iter().filter_map(|frame| frame.data()) {
            let Ok(event) = delta::read(endpoint, &data) else { continue };
            event.deltas.iter().for_each(|delta| capture.response.add(&delta.lane, &delta.text.value));
        }
    }
}

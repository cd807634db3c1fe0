//! What is known of one target's state: its breaker, and what the last health probe said.
//!
//! Pure transitions; whose turn it is to make them is [`super::Routing`]'s business. Invariants: exactly `failure_threshold`
//! failures in a row open a closed breaker; while it is half open at most `half_open_requests` requests hold a place; a place
//! of an earlier half-opening is worth nothing.

use crate::plugin::Breaker;

/// Words of one target's state as they are shared.
pub(super) const WORDS: usize = 7;

/// Where a breaker stands. The numbers are what the gauge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// The state of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) position: Position,
    /// The last probe failed.
    pub(super) unhealthy: bool,
    /// Failures in a row while closed.
    failures: u32,
    /// Counts half-openings, so that their places can be told apart.
    epoch: u32,
    /// Places taken while half open.
    busy: u32,
    /// Probing requests that succeeded while half open.
    succeeded: u32,
    /// Open: when it half-opens. Half open: when its places are given up for lost.
    until_ms: u64,
}

/// Whether a request may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It may.
    Free,
    /// It may, as a probing request that holds a place of this half-opening.
    Place(u32),
    /// It may not.
    No,
}

impl State {
    /// From shared words. Words that nobody wrote are those of a closed breaker.
    pub(super) fn from_words(words: &[u32]) -> State {
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        State {
            position: match word(0) & 3 {
                1 => Position::HalfOpen,
                2 => Position::Open,
                _ => Position::Closed,
            },
            unhealthy: word(0) & 4 != 0,
            failures: word(1),
            epoch: word(2),
            busy: word(3),
            succeeded: word(4),
            until_ms: u64::from(word(5)) | u64::from(word(6)) << 32,
        }
    }

    /// As shared words.
    pub(super) fn to_words(&self) -> [u32; WORDS] {
        [
            self.position as u32 | u32::from(self.unhealthy) << 2,
            self.failures,
            self.epoch,
            self.busy,
            self.succeeded,
            self.until_ms as u32,
            (self.until_ms >> 32) as u32,
        ]
    }

    /// Whether a request may go there now; takes a place if it needs one.
    pub(super) fn enter(&mut self, breaker: &Breaker, now_ms: u64) -> Entry {
        match self.position {
            Position::Closed => return Entry::Free,
            Position::Open if now_ms < self.until_ms => return Entry::No,
            Position::Open => self.half_open(),
            Position::HalfOpen if self.busy < breaker.half_open_requests => {}
            // Requests whose worker broke down never say what came of them.
            Position::HalfOpen if now_ms >= self.until_ms => self.half_open(),
            Position::HalfOpen => return Entry::No,
        }
        self.busy += 1;
        self.until_ms = now_ms + u64::from(breaker.lease_ms);
        Entry::Place(self.epoch)
    }

    fn half_open(&mut self) {
        self.position = Position::HalfOpen;
        self.epoch = self.epoch.wrapping_add(1);
        self.busy = 0;
        self.succeeded = 0;
    }

    /// Whether a place of `epoch` still counts; it is given back if so.
    fn give_back(&mut self, place: Option<u32>) -> bool {
        let counts = self.position == Position::HalfOpen && place == Some(self.epoch);
        if counts {
            self.busy = self.busy.saturating_sub(1);
        }
        counts
    }

    /// A request that held a place was not needed there, or was called off.
    pub(super) fn release(&mut self, place: Option<u32>) {
        self.give_back(place);
    }

    /// The target answered as it should. Without a place this says nothing about a breaker that is not closed: the request
    /// may have left long ago.
    pub(super) fn succeed(&mut self, breaker: &Breaker, place: Option<u32>) {
        if self.position == Position::Closed {
            self.failures = 0;
        } else if self.give_back(place) {
            self.succeeded += 1;
            if self.succeeded >= breaker.half_open_requests {
                self.position = Position::Closed;
                self.failures = 0;
            }
        }
    }

    /// The target failed.
    pub(super) fn fail(&mut self, breaker: &Breaker, place: Option<u32>, now_ms: u64) {
        let opens = match self.position {
            Position::Closed => {
                self.failures = self.failures.saturating_add(1);
                self.failures >= breaker.failure_threshold
            }
            _ => self.give_back(place),
        };
        if opens {
            self.position = Position::Open;
            self.failures = 0;
            self.until_ms = now_ms + u64::from(breaker.recovery_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker =
        Breaker { failure_threshold: 3, recovery_ms: 2000, half_open_requests: 2, lease_ms: 10_000 };

    fn opened_at(now_ms: u64) -> State {
        let mut state = State::from_words(&[]);
        for _ in 0..3 {
            state.fail(&BREAKER, None, now_ms);
        }
        state
    }

    fn place(entry: Entry) -> Option<u32> {
        match entry {
            Entry::Place(epoch) => Some(epoch),
            _ => panic!("{entry:?}"),
        }
    }

    #[test]
    fn exactly_the_threshold_of_failures_in_a_row_opens() {
        let mut state = State::from_words(&[]);
        for _ in 0..2 {
            state.fail(&BREAKER, None, 0);
        }
        state.succeed(&BREAKER, None);
        for _ in 0..2 {
            state.fail(&BREAKER, None, 0);
            assert_eq!(state.enter(&BREAKER, 0), Entry::Free);
        }
        state.fail(&BREAKER, None, 0);
        assert_eq!(state.enter(&BREAKER, 0), Entry::No);
    }

    #[test]
    fn after_the_recovery_time_exactly_the_configured_requests_enter() {
        let mut state = opened_at(1000);
        assert_eq!(state.enter(&BREAKER, 2999), Entry::No);
        let entries: Vec<Entry> = (0..20).map(|_| state.enter(&BREAKER, 3000)).collect();
        assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::Place(_))).count(), 2);
        assert!(entries[2..].iter().all(|entry| *entry == Entry::No));
    }

    #[test]
    fn a_failed_probe_opens_again_and_good_ones_close() {
        let mut state = opened_at(0);
        let (first, second) = (place(state.enter(&BREAKER, 2000)), place(state.enter(&BREAKER, 2000)));
        state.succeed(&BREAKER, first);
        assert_eq!(state.position, Position::HalfOpen);
        state.fail(&BREAKER, second, 2500);
        assert_eq!((state.position, state.enter(&BREAKER, 4499)), (Position::Open, Entry::No));
        for _ in 0..2 {
            let held = place(state.enter(&BREAKER, 4500));
            state.succeed(&BREAKER, held);
        }
        assert_eq!((state.position, state.enter(&BREAKER, 4500)), (Position::Closed, Entry::Free));
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let mut state = opened_at(0);
        let held = place(state.enter(&BREAKER, 2000));
        place(state.enter(&BREAKER, 2000));
        assert_eq!(state.enter(&BREAKER, 2000), Entry::No);
        state.release(held);
        place(state.enter(&BREAKER, 2000));
        assert_eq!(state.enter(&BREAKER, 2000), Entry::No);
    }

    #[test]
    fn places_of_a_worker_that_broke_down_come_back_and_late_words_count_no_more() {
        let mut state = opened_at(0);
        let lost = place(state.enter(&BREAKER, 2000));
        place(state.enter(&BREAKER, 2000));
        assert_eq!(state.enter(&BREAKER, 11_999), Entry::No);
        place(state.enter(&BREAKER, 12_000));
        place(state.enter(&BREAKER, 12_000));
        let before = state.clone();
        state.release(lost);
        state.fail(&BREAKER, lost, 12_000);
        state.succeed(&BREAKER, None);
        state.fail(&BREAKER, None, 12_000);
        assert_eq!(state, before);
    }

    #[test]
    fn a_state_survives_its_words() {
        let mut state = opened_at(1 << 40);
        state.unhealthy = true;
        assert_eq!(State::from_words(&state.to_words()), state);
        state.enter(&BREAKER, (1 << 40) + 2000);
        assert_eq!(State::from_words(&state.to_words()), state);
    }
}

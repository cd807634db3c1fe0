//! What may still be spent: limits per window of time, in the data that all workers share.
//!
//! Knows neither requests nor answers; who asks and how much is the exchange's business. Invariants: what is spent and what is
//! reserved for requests on their way never pass the limit by anything but what a request turns out to cost beyond its reservation;
//! the shared data has a fixed number of places, and two names that come to share a place share their budget, never double it.

use crate::config::{BudgetLimit, BudgetScope, BudgetWindow};
use crate::digest::{self, Key};
use crate::event::{self, rfc3339};
use crate::routing::{Shared, update};
use std::rc::Rc;

/// Places for the names of a scope.
const SLOTS: u64 = 4096;

/// Places in a row in which a name is looked for.
const PROBES: u64 = 4;

/// Tries to get a word in among the other workers.
const TRIES: usize = 256;

const RECORD_BYTES: usize = 32;

/// Tokens that are reserved for an answer whose length the request does not bound, and by which a stream is extended.
pub(crate) const STEP_TOKENS: u64 = 256;

/// The limits of a gateway.
pub(crate) struct Budgets {
    limits: Vec<BudgetLimit>,
    shared: Rc<dyn Shared>,
}

/// Whom a limit is for, in one exchange.
pub(crate) struct Names<'n> {
    pub(crate) caller: &'n str,
    pub(crate) model: &'n str,
    pub(crate) target: &'n str,
}

/// So much, in the units that limits are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amount {
    pub(crate) tokens: u64,
    /// 10^-12 USD.
    pub(crate) usd: u64,
}

/// A reservation in one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    limit: usize,
    key: String,
    name: u64,
    window: u64,
    held: u64,
}

/// A limit that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// Second half of the reason code.
    pub(crate) reason: &'static str,
    /// When the next window begins, in seconds since 1970.
    pub(crate) reset_s: u64,
    /// Seconds until then.
    pub(crate) wait_s: u64,
}

impl Exceeded {
    /// When the next window begins, in RFC 3339.
    pub(crate) fn reset(&self) -> String {
        rfc3339(self.reset_s * 1000)
    }
}

/// What is known of a name in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Record {
    name: u64,
    window: u64,
    spent: u64,
    reserved: u64,
}

impl Record {
    fn from_bytes(bytes: &[u8]) -> Option<Record> {
        let (words, _) = bytes.as_chunks::<8>();
        let [name, window, spent, reserved] = <[[u8; 8]; 4]>::try_from(words).ok()?.map(u64::from_le_bytes);
        Some(Record { name, window, spent, reserved })
    }

    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let words = [self.name, self.window, self.spent, self.reserved];
        let (places, _) = bytes.as_chunks_mut::<8>();
        places.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
        bytes
    }
}

impl Budgets {
    pub(crate) fn new(limits: Vec<BudgetLimit>, shared: Rc<dyn Shared>) -> Budgets {
        Budgets { limits, shared }
    }

    /// Reserves the amount in every limit. Those that are reached are in the answer and hold nothing.
    pub(crate) fn reserve(&self, key: &Key, names: &Names, amount: Amount) -> (Vec<Ticket>, Vec<Exceeded>) {
        let now_s = self.now_s();
        let mut exceeded = Vec::new();
        let mut tickets = Vec::with_capacity(self.limits.len());
        for (position, limit) in self.limits.iter().enumerate() {
            let mut ticket = self.ticket(position, limit, key, names, now_s);
            if !self.hold(&mut ticket, part(limit, amount)) {
                exceeded.push(self.exceeded(limit, now_s));
            }
            tickets.push(ticket);
        }
        (tickets, exceeded)
    }

    /// Adds to reservations; the first limit that does not allow it.
    pub(crate) fn extend(&self, tickets: &mut [Ticket], amount: Amount) -> Option<Exceeded> {
        for ticket in tickets {
            let Some(limit) = self.limits.get(ticket.limit) else { continue };
            if !self.hold(ticket, part(limit, amount)) {
                return Some(self.exceeded(limit, self.now_s()));
            }
        }
        None
    }

    /// Puts what was spent in the place of what was reserved. `target` served in the end, whichever was to.
    pub(crate) fn settle(&self, tickets: Vec<Ticket>, key: &Key, names: &Names, spent: Amount) {
        let now_s = self.now_s();
        for ticket in tickets {
            let Some(limit) = self.limits.get(ticket.limit) else { continue };
            let owed = self.ticket(ticket.limit, limit, key, names, now_s);
            let spent = part(limit, spent);
            let is_same = owed.key == ticket.key && owed.name == ticket.name;
            self.change(&ticket, |record| {
                if record.window == ticket.window {
                    record.reserved = record.reserved.saturating_sub(ticket.held);
                }
                if is_same {
                    record.spent = record.spent.saturating_add(spent);
                }
                true
            });
            if !is_same {
                self.change(&owed, |record| {
                    record.spent = record.spent.saturating_add(spent);
                    true
                });
            }
        }
    }

    /// A service that counts for several gateways says that a limit is reached, not which one: by the time that is given, all of
    /// them have begun anew.
    pub(crate) fn shared_exceeded(&self) -> Exceeded {
        let now_s = self.now_s();
        let resets = self.limits.iter().map(|limit| window(limit.window, now_s).1);
        let reset_s = resets.max().unwrap_or(now_s);
        Exceeded { reason: "shared", reset_s, wait_s: reset_s.saturating_sub(now_s) }
    }

    fn now_s(&self) -> u64 {
        self.shared.now_ns() / 1_000_000_000
    }

    fn exceeded(&self, limit: &BudgetLimit, now_s: u64) -> Exceeded {
        let reason = match (limit.scope, limit.tokens.is_some()) {
            (BudgetScope::Global, true) => "global_tokens",
            (BudgetScope::Global, false) => "global_usd",
            (BudgetScope::Caller, true) => "caller_tokens",
            (BudgetScope::Caller, false) => "caller_usd",
            (BudgetScope::Model, true) => "model_tokens",
            (BudgetScope::Model, false) => "model_usd",
            (BudgetScope::Target, true) => "target_tokens",
            (BudgetScope::Target, false) => "target_usd",
        };
        let reset_s = window(limit.window, now_s).1;
        Exceeded { reason, reset_s, wait_s: reset_s.saturating_sub(now_s) }
    }

    fn hold(&self, ticket: &mut Ticket, amount: u64) -> bool {
        let Some(limit) = self.limits.get(ticket.limit) else { return false };
        let most = most(limit);
        let mut held = false;
        self.change(ticket, |record| {
            let taken = record.spent.saturating_add(record.reserved).saturating_add(amount);
            held = taken <= most;
            record.reserved = record.reserved.saturating_add(amount);
            held
        });
        if held {
            ticket.held += amount;
        }
        held
    }

    /// Where a name's record is: its own place, a free one, or the first, which it then shares.
    fn ticket(&self, position: usize, limit: &BudgetLimit, key: &Key, names: &Names, now_s: u64) -> Ticket {
        let name = match limit.scope {
            BudgetScope::Global => "",
            BudgetScope::Caller => names.caller,
            BudgetScope::Model => names.model,
            BudgetScope::Target => names.target,
        };
        let hash = digest::keyed(key, &["kt.budget ", name].concat().into_bytes());
        let name = hash.first_chunk::<8>().map_or(1, |bytes| u64::from_le_bytes(*bytes));
        let (window, _) = window(limit.window, now_s);
        // Another limit is another place; the same one, after a reload, the same.
        let head = format!("kt.budget.{}.{}.", scope_word(limit), most(limit));
        let place = |probe: u64| {
            let mut key = head.clone();
            key.push_str(&(name.wrapping_add(probe) % SLOTS).to_string());
            key
        };
        let mut ticket = Ticket { limit: position, key: place(0), name, window, held: 0 };
        if limit.scope == BudgetScope::Global {
            return ticket;
        }
        for key in (0..PROBES).map(place) {
            let record = self.shared.read(&key).and_then(|(bytes, _)| Record::from_bytes(&bytes));
            if record.is_none_or(|record| record.name == name || record.window < window) {
                ticket.key = key;
                break;
            }
        }
        ticket
    }

    /// Changes the record of a ticket, as long as `change` wants it.
    fn change(&self, ticket: &Ticket, mut change: impl FnMut(&mut Record) -> bool) {
        update(&*self.shared, &ticket.key, TRIES, &mut |value| {
            let mut record = match value.and_then(|bytes| Record::from_bytes(&bytes)) {
                Some(record) if record.window >= ticket.window => record,
                _ => Record { name: ticket.name, window: ticket.window, ..Record::default() },
            };
            change(&mut record).then(|| record.to_bytes().to_vec())
        });
    }
}

fn part(limit: &BudgetLimit, amount: Amount) -> u64 {
    if limit.tokens.is_some() { amount.tokens } else { amount.usd }
}

/// The most that may be spent.
fn most(limit: &BudgetLimit) -> u64 {
    match (limit.tokens, limit.usd) {
        (Some(tokens), _) => tokens,
        // Six decimals at most, as the plan made sure.
        (None, usd) => ((usd.unwrap_or(0.0) * 1e6).round() as u64).saturating_mul(1_000_000),
    }
}

/// Tells limits apart, with their amounts.
fn scope_word(limit: &BudgetLimit) -> u32 {
    limit.scope as u32 * 16 + limit.window as u32 * 2 + u32::from(limit.tokens.is_some())
}

/// When the window that `now_s` is in began, and when the next one does, in seconds since 1970 and in UTC.
fn window(window: BudgetWindow, now_s: u64) -> (u64, u64) {
    const DAY: u64 = 86_400;
    let seconds = match window {
        BudgetWindow::Minute => 60,
        BudgetWindow::Hour => 3600,
        BudgetWindow::Day => DAY,
        BudgetWindow::Month => {
            let first_day = |days: u64| days + 1 - event::civil(days).2;
            let first = first_day(now_s / DAY);
            // No month has more days, and the next one has begun then.
            return (first * DAY, first_day(first + 31) * DAY);
        }
    };
    let start = now_s - now_s % seconds;
    (start, start + seconds)
}

#[cfg(test)]
mod tests;

//! Which target is next, by what all workers know of the targets: turns, breakers, health, latencies, prices.
//!
//! Does not match requests to targets (`exchange::route` does) and repeats nothing (Envoy does). What workers share lies
//! behind [`Shared`], so that tests run it natively. Invariants: whatever is shared changes by compare-and-swap, has a fixed
//! size, and belongs to one set of targets, so that two configurations never mix; without anything to choose from, nothing
//! is read or written.

mod breaker;
mod latency;
mod weights;

use crate::fnv;
use crate::measure::Kind;
use crate::order::by_place;
use crate::plan::Strategy;
use crate::plugin::{Downstream, Target};
use breaker::{Entry, Position, State};
use std::rc::Rc;

/// What all workers share, and the clock that goes with it.
pub trait Shared {
    /// Nanoseconds since 1970.
    fn now_ns(&self) -> u64;
    /// A value and its version; `None` if there is none.
    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Replaces a value of this version; `false` if someone else was faster. Version 0 replaces any.
    fn write(&self, key: &str, value: &[u8], version: u32) -> bool;
    /// Shows a number about the target of this id.
    fn measure(&self, metric: Metric, id: &str, value: u64);
}

/// A version that no value has: writing it creates a value, and fails where there is one by now.
const NONE_YET: u32 = u32::MAX;

/// Changes a shared value by compare-and-swap, in so many rounds at most. `change` turns what is there into what is to be;
/// nothing leaves it alone. It may be called again. `false` if what it made could not be stored.
pub fn update(
    shared: &dyn Shared,
    key: &str,
    rounds: usize,
    change: &mut dyn FnMut(Option<Vec<u8>>) -> Option<Vec<u8>>,
) -> bool {
    for _ in 0..rounds {
        let (value, version) = match shared.read(key) {
            Some((value, version)) => (Some(value), version),
            None => (None, NONE_YET),
        };
        let Some(value) = change(value) else { return true };
        if shared.write(key, &value, version) {
            return true;
        }
    }
    false
}

/// What is shown of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Counts attempts that ended this way.
    Attempts(Outcome),
    /// Gauge: 0 closed, 1 half open, 2 open.
    Breaker,
    /// Gauge: 1 unless the last probe failed.
    Healthy,
    /// Milliseconds to the headers of a good answer.
    Latency,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer for the client, be it a client's own mistake.
    Answered,
    /// With a status after which another attempt follows, or with an error as its first event.
    Failed,
    /// Without an answer: no connection, a reset, a timeout, an answer that broke off.
    Unanswered,
    /// With the word that the target cannot serve this.
    Out,
    /// By the client.
    Cancelled,
}

impl Metric {
    /// How it adds up.
    pub fn kind(self) -> Kind {
        match self {
            Metric::Attempts(_) => Kind::Counter,
            Metric::Breaker | Metric::Healthy => Kind::Gauge,
            Metric::Latency => Kind::Histogram,
        }
    }

    /// Name, with the labels that do not depend on the target.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Breaker => "kt_target_breaker_state",
            Metric::Healthy => "kt_target_healthy",
            Metric::Latency => "kt_target_latency_ms",
            Metric::Attempts(Outcome::Answered) => "kt_target_attempts_total;outcome=answered",
            Metric::Attempts(Outcome::Failed) => "kt_target_attempts_total;outcome=failed",
            Metric::Attempts(Outcome::Unanswered) => "kt_target_attempts_total;outcome=unanswered",
            Metric::Attempts(Outcome::Out) => "kt_target_attempts_total;outcome=out",
            Metric::Attempts(Outcome::Cancelled) => "kt_target_attempts_total;outcome=cancelled",
        }
    }
}

/// A place among the probing requests of a half-open breaker, to be accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Position of the target.
    pub(crate) target: usize,
    epoch: u32,
}

/// What was learned about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Succeeded,
    Failed,
    /// It was not tried, or nothing came of it.
    Nothing,
}

/// Chooses among the targets of one configuration.
pub struct Routing {
    shared: Rc<dyn Shared>,
    strategy: Strategy,
    targets: Vec<Target>,
    /// Some target has a breaker or is probed.
    watches: bool,
    /// Under which names its state is shared.
    keys: Keys,
}

struct Keys {
    states: String,
    turns: String,
    probes: String,
    latencies: Vec<String>,
}

/// Workers that change the same value at the same time try again this often. Each round one of them succeeds.
const ROUNDS: usize = 200;

/// One in so many requests goes to a target that was not the fastest, to see whether it has become so.
const EXPLORES_ONE_IN: u64 = 10;

/// Words of a moment in the shared state of probes.
const DUE_WORDS: usize = 2;

/// A probe is due after its interval, less at most one part in so many, so that gateways do not all ask at once.
const JITTER_PARTS: u64 = 10;

impl Routing {
    /// For these targets; `None` if there is only one, or one serves.
    pub fn new(config: &Downstream, shared: Rc<dyn Shared>) -> Option<Routing> {
        if !config.attempt_role || config.targets.len() < 2 {
            return None;
        }
        let targets = config.targets.clone();
        let routing = Routing {
            shared,
            strategy: config.strategy,
            watches: targets.iter().any(|target| target.breaker.is_some() || target.probe.is_some()),
            keys: Keys::of(&targets),
            targets,
        };
        routing.prepare();
        Some(routing)
    }

    /// Puts everything there that is not there yet. Envoy tries a configuration on its main thread before any worker has it,
    /// so that no two workers create the same value.
    fn prepare(&self) {
        let create = |key: &str, words: usize| {
            if self.shared.read(key).is_none() {
                self.shared.write(key, &vec![0; words * 4], 0);
            }
        };
        let targets = self.targets.len();
        if self.watches {
            create(&self.keys.states, targets * breaker::WORDS);
            create(&self.keys.probes, targets * DUE_WORDS);
            // Gauges that nobody has set are not there.
            self.read_states().iter().enumerate().for_each(|(target, state)| self.show(target, state));
        }
        match self.strategy {
            Strategy::WeightedRoundRobin => create(&self.keys.turns, weights::words(targets)),
            Strategy::Latency => {
                self.keys.latencies.iter().for_each(|key| create(key, latency::WORDS));
            }
            _ => {}
        }
    }

    /// Strikes out the candidates whose breaker is open or whose probe failed, unless that would leave none. Takes a place
    /// with those that are half open.
    pub(crate) fn enter(&self, candidates: &mut Vec<usize>) -> Vec<Place> {
        let mut places = Vec::new();
        if !self.watches || candidates.len() < 2 {
            return places;
        }
        let now_ms = self.now_ms();
        let mut open = Vec::new();
        let stored = self.change_states(&mut |states| {
            places.clear();
            open.clear();
            for target in candidates.iter().copied() {
                let Some(state) = states.get_mut(target) else { continue };
                if state.unhealthy {
                    continue;
                }
                let breaker = self.targets.get(target).and_then(|target| target.breaker.as_ref());
                match breaker.map_or(Entry::Free, |breaker| state.enter(breaker, now_ms)) {
                    Entry::Free => open.push(target),
                    Entry::Place(epoch) => {
                        open.push(target);
                        places.push(Place { target, epoch });
                    }
                    Entry::No => {}
                }
            }
            !places.is_empty()
        });
        if !stored {
            places.clear();
        }
        if !open.is_empty() {
            *candidates = open;
        }
        places
    }

    /// Puts candidates into the order of the strategy. With `pinned` the first stays the first.
    pub(crate) fn arrange(&self, order: &mut [usize], pinned: bool) {
        match self.strategy {
            Strategy::WeightedRoundRobin => {
                let weights: Vec<u32> = self.targets.iter().map(|target| target.weight.max(1)).collect();
                let before = order.to_vec();
                self.change(&self.keys.turns, weights::words(weights.len()), &mut |gained| {
                    order.copy_from_slice(&before);
                    weights::turn(gained, &weights, order, pinned);
                    true
                });
            }
            Strategy::LowestCost => {
                let cost =
                    |target: &usize| self.targets.get(*target).map_or(0, |target| target.cost_rank as usize);
                rearrange(order.get_mut(usize::from(pinned)..).unwrap_or_default(), cost);
            }
            Strategy::Latency => self.arrange_by_latency(order, pinned),
            _ => {}
        }
    }

    fn arrange_by_latency(&self, order: &mut [usize], pinned: bool) {
        let now_ns = self.shared.now_ns();
        let now_ms = now_ns / 1_000_000;
        let mut seen = vec![latency::Seen::default(); self.targets.len()];
        for (seen, key) in seen.iter_mut().zip(&self.keys.latencies) {
            *seen = latency::seen(&self.words(key, latency::WORDS), now_ms);
        }
        let of = |target: &usize| seen.get(*target).copied().unwrap_or_default();
        let order = order.get_mut(usize::from(pinned)..).unwrap_or_default();
        // Those that were hardly ever tried come first: nothing is known of them. Then the fastest. What was tried often
        // and never answered comes last.
        rearrange(order, |target| match of(target) {
            latency::Seen { samples, .. } if samples < latency::MIN_SAMPLES => samples as usize,
            latency::Seen { median_us: Some(median), .. } => (median as usize).saturating_add(8),
            _ => usize::MAX,
        });
        let Some(first) = order.first().filter(|_| !pinned && order.len() > 1) else { return };
        let explores =
            of(first).samples >= latency::MIN_SAMPLES && mixed(now_ns).is_multiple_of(EXPLORES_ONE_IN);
        if explores {
            let least = order.iter().enumerate().skip(1).min_by_key(|(_, target)| of(target).samples);
            let up_to = least.map_or(0, |(place, _)| place);
            order.get_mut(..=up_to).unwrap_or_default().rotate_right(1);
        }
        let chosen = order.first().copied().unwrap_or(0);
        if explores || of(&chosen).samples < latency::MIN_SAMPLES {
            self.change_latency(chosen, &mut |words| latency::chosen(words, now_ms));
        }
    }

    /// Takes the time to the headers of a target's good answer.
    pub(crate) fn answered(&self, target: usize, ms: u32, now_ms: u64) {
        self.measure(target, Metric::Latency, ms.into());
        if self.strategy == Strategy::Latency {
            self.change_latency(target, &mut |words| latency::answered(words, ms, now_ms));
        }
    }

    /// Takes what became of attempts, in order, and of places.
    pub(crate) fn learn(&self, news: &[(usize, News, Option<Place>)]) {
        let concerns =
            |target: usize| self.targets.get(target).is_some_and(|target| target.breaker.is_some());
        let nothing = |news: &News, place: &Option<Place>| *news == News::Nothing && place.is_none();
        if news.iter().all(|(target, news, place)| !concerns(*target) || nothing(news, place)) {
            return;
        }
        let failed = news.iter().any(|(_, news, _)| *news == News::Failed);
        let now_ms = if failed { self.now_ms() } else { 0 };
        self.change_states(&mut |states| {
            let before = states.to_vec();
            for (target, news, place) in news {
                let breaker = self.targets.get(*target).and_then(|target| target.breaker.as_ref());
                let (Some(state), Some(breaker)) = (states.get_mut(*target), breaker) else { continue };
                let place = place.map(|place| place.epoch);
                match news {
                    News::Succeeded => state.succeed(breaker, place),
                    News::Failed => state.fail(breaker, place, now_ms),
                    News::Nothing => state.release(place),
                }
            }
            *states != *before
        });
    }

    /// Counts an attempt.
    pub(crate) fn count(&self, target: usize, outcome: Outcome) {
        self.measure(target, Metric::Attempts(outcome), 1);
    }

    /// Position of a target.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.targets.iter().position(|target| target.id == id)
    }

    /// The target at a position.
    pub(crate) fn target(&self, position: usize) -> Option<&Target> {
        self.targets.get(position)
    }

    /// How often to ask what probes are due, in milliseconds; `None` if nothing is probed.
    pub fn probe_tick_ms(&self) -> Option<u32> {
        let intervals = self.targets.iter().filter_map(|target| target.probe.as_ref());
        // Late by a tenth of an interval at most, which together with its jitter stays within one.
        intervals.map(|probe| probe.interval_ms / 10).min().map(|tick| tick.clamp(50, 1000))
    }

    /// The targets to probe now. Each is given to one worker.
    pub fn probes_due(&self) -> Vec<&Target> {
        let now_ns = self.shared.now_ns();
        let now_ms = now_ns / 1_000_000;
        let mut due = Vec::new();
        let stored = self.change(&self.keys.probes, self.targets.len() * DUE_WORDS, &mut |words| {
            due.clear();
            for ((target, at), salt) in self.targets.iter().zip(words.chunks_exact_mut(DUE_WORDS)).zip(0..) {
                let (Some(probe), [low, high]) = (&target.probe, at) else { continue };
                if now_ms < (u64::from(*low) | u64::from(*high) << 32) {
                    continue;
                }
                let interval = u64::from(probe.interval_ms);
                let early = mixed(now_ns.wrapping_add(salt)) % (interval / JITTER_PARTS + 1);
                // The call itself comes after the tick that makes it, so the interval starts there.
                let next = now_ms + interval - early - interval / JITTER_PARTS;
                (*low, *high) = (next as u32, (next >> 32) as u32);
                due.push(target);
            }
            !due.is_empty()
        });
        if stored { due } else { Vec::new() }
    }

    /// Takes the answer to a probe; `None` if none came in time.
    pub fn probed(&self, id: &str, status: Option<u16>) {
        let Some(position) = self.position(id) else { return };
        // A probe of a target that wants the caller's own key has none to show.
        let keyless = self.targets.get(position).is_some_and(|target| target.client_key);
        let healthy = match status {
            Some(401 | 403) => keyless,
            Some(status) => (200..300).contains(&status),
            None => false,
        };
        self.change_states(&mut |states| {
            let Some(state) = states.get_mut(position).filter(|state| state.unhealthy == healthy) else {
                return false;
            };
            state.unhealthy = !healthy;
            true
        });
    }

    fn now_ms(&self) -> u64 {
        self.shared.now_ns() / 1_000_000
    }

    fn measure(&self, target: usize, metric: Metric, value: u64) {
        if let Some(known) = self.targets.get(target) {
            self.shared.measure(metric, &known.id, value);
        }
    }

    fn show(&self, target: usize, state: &State) {
        let Some(known) = self.targets.get(target) else { return };
        if known.breaker.is_some() {
            self.measure(target, Metric::Breaker, state.position as u64);
        }
        if known.probe.is_some() {
            self.measure(target, Metric::Healthy, u64::from(!state.unhealthy));
        }
    }

    fn words(&self, key: &str, words: usize) -> Vec<u32> {
        words_of(self.shared.read(key).map(|(value, _)| value), words)
    }

    fn read_states(&self) -> Vec<State> {
        let words = self.words(&self.keys.states, self.targets.len() * breaker::WORDS);
        words.chunks_exact(breaker::WORDS).map(State::from_words).collect()
    }

    /// Changes the states of targets; `change` says whether it did. `false` if what it did could not be stored.
    fn change_states(&self, change: &mut dyn FnMut(&mut [State]) -> bool) -> bool {
        let mut shown: Vec<(usize, State)> = Vec::new();
        let words = self.targets.len() * breaker::WORDS;
        let stored = self.change(&self.keys.states, words, &mut |words| {
            let mut states: Vec<State> = words.chunks_exact(breaker::WORDS).map(State::from_words).collect();
            let before: Vec<(Position, bool)> =
                states.iter().map(|state| (state.position, state.unhealthy)).collect();
            if !change(&mut states) {
                return false;
            }
            shown.clear();
            for (target, (state, words)) in
                states.into_iter().zip(words.chunks_exact_mut(breaker::WORDS)).enumerate()
            {
                words.copy_from_slice(&state.to_words());
                if before.get(target) != Some(&(state.position, state.unhealthy)) {
                    shown.push((target, state));
                }
            }
            true
        });
        if stored {
            shown.iter().for_each(|(target, state)| self.show(*target, state));
        }
        stored
    }

    fn change_latency(&self, target: usize, change: &mut dyn FnMut(&mut [u32])) {
        if let Some(key) = self.keys.latencies.get(target) {
            self.change(key, latency::WORDS, &mut |words| {
                change(words);
                true
            });
        }
    }

    /// Changes a shared value of so many words by compare-and-swap; `change` says whether it did and may be called again.
    /// `false` if what it did could not be stored.
    fn change(&self, key: &str, words: usize, change: &mut dyn FnMut(&mut [u32]) -> bool) -> bool {
        update(&*self.shared, key, ROUNDS, &mut |value| {
            let mut state = words_of(value, words);
            change(&mut state).then(|| {
                let mut bytes = Vec::with_capacity(state.len() * 4);
                state.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
                bytes
            })
        })
    }
}

impl Keys {
    /// Named by everything that gives the state its meaning, so that another set of targets has a state of its own, and the
    /// same one keeps its state over a reload.
    fn of(targets: &[Target]) -> Keys {
        let mut hash = fnv::EMPTY;
        // With an end to each part.
        let mut add = |bytes: &[u8]| hash = fnv::add(fnv::add(hash, bytes), &[0xff]);
        for target in targets {
            for text in [&target.id, &target.authority, &target.path_prefix] {
                add(text.as_bytes());
            }
            add(target.model.as_deref().unwrap_or_default().as_bytes());
            add(&target.weight.to_le_bytes());
            let probed = [u8::from(target.probe.is_some()), u8::from(target.breaker.is_some())];
            add(&probed);
        }
        let mut name = String::from("kt.routing.");
        for shift in 0..16 {
            name.push(char::from_digit((hash >> (60 - shift * 4)) as u32 & 15, 16).unwrap_or('0'));
        }
        let key = |suffix: &str| [name.as_str(), suffix].concat();
        Keys {
            states: key(".states"),
            turns: key(".turns"),
            probes: key(".probes"),
            latencies: targets.iter().map(|target| key(&[".latency.", &target.id].concat())).collect(),
        }
    }
}

/// A shared value as words, as many as there have to be.
fn words_of(value: Option<Vec<u8>>, words: usize) -> Vec<u32> {
    let bytes = value.unwrap_or_default();
    let (whole, _) = bytes.as_chunks::<4>();
    let mut state: Vec<u32> = whole.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    state.resize(words, 0);
    state
}

/// Sorts targets by a key; those of the same keep their order.
fn rearrange(order: &mut [usize], key: impl Fn(&usize) -> usize) {
    let before = order.to_vec();
    let sorted = by_place(before.iter().map(key)).filter_map(|place| before.get(place));
    order.iter_mut().zip(sorted).for_each(|(into, target)| *into = *target);
}

/// A number that looks like chance, from one that only grows (the finaliser of splitmix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
pub(crate) mod tests;

//! Which targets a request may go to, in which order, and what became of it.
//!
//! Follows the rules of the specification's section 3: `x-provider` restricts, a pinned id or the request's model comes
//! first, the strategy orders the rest, targets that are known to fail are left out, and every target may be tried as often as
//! its retry block says. Invariant: every place taken in a half-open breaker is given back, whatever the end.

use crate::attempt::streaming_twin;
use crate::attempt::trail::{Fault, Trail};
use crate::order::by_place;
use crate::plan::Strategy;
use crate::plugin::{Downstream, Target};
use crate::routing::{News, Outcome, Place, Routing};

/// What a request says about the target it wants.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'r> {
    /// `x-provider`.
    pub(super) provider: Option<&'r str>,
    /// `model`.
    pub(super) model: Option<&'r str>,
    /// Position of the target that the router picked.
    pub(super) picked: Option<usize>,
    /// It streams.
    pub(super) stream: bool,
}

/// An order of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// Positions in the targets, one per attempt.
    pub(super) targets: Vec<usize>,
    /// The clusters of those attempts.
    pub(super) clusters: Vec<String>,
    /// Places in half-open breakers.
    pub(super) places: Vec<Place>,
}

/// The `x-provider` header named nothing that is configured.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownProvider;

/// Envoy repeats a request at most this often; more attempts than that help no one.
const MAX_ATTEMPTS: usize = 32;

/// The order of attempts for a request. Where the router picked a target, that one comes first, its default next, and only
/// targets of its routes follow. Without `routing` nothing is known of the targets but their order.
pub(super) fn choose(
    config: &Downstream,
    routing: Option<&Routing>,
    wanted: &Wanted,
) -> Result<Choice, UnknownProvider> {
    let all = config.targets.iter().enumerate();
    let candidates = all.filter(|(_, target)| wanted.provider.is_none_or(|name| target.is_named(name)));
    let mut order: Vec<usize> = candidates.map(|(position, _)| position).collect();
    if order.is_empty() {
        return Err(UnknownProvider);
    }
    if let (Some(picked), Some(router)) = (wanted.picked, &config.router) {
        let is_default = |position: usize| router.default as usize == position;
        order.retain(|position| {
            is_default(*position) || router.routes.iter().any(|target| *target as usize == *position)
        });
        let rank = |position: &usize| {
            usize::from(*position != picked) + usize::from(*position != picked && !is_default(*position))
        };
        order = by_place(order.iter().map(rank)).filter_map(|place| order.get(place).copied()).collect();
    } else if let Some(model) = wanted.model {
        let by_model = matches!(config.strategy, Strategy::Single | Strategy::Fallback | Strategy::Router);
        let rank = |position: &usize| match config.targets.get(*position) {
            Some(target) if target.id == model => 0,
            Some(target) if by_model && target.model.as_deref() == Some(model) => 1,
            _ => 2,
        };
        // Targets of the same rank keep the operator's order.
        order = by_place(order.iter().map(rank)).filter_map(|place| order.get(place).copied()).collect();
    }
    if config.strategy == Strategy::Single {
        order.truncate(1);
    }
    let mut places = Vec::new();
    if let Some(routing) = routing {
        places = routing.enter(&mut order);
        let first = order.first().and_then(|first| config.targets.get(*first));
        let pinned = wanted.picked.is_some() || first.is_some_and(|first| wanted.model == Some(&first.id));
        if order.len() > 1 {
            routing.arrange(&mut order, pinned);
        }
    }
    let mut choice = Choice { places, ..Choice::default() };
    for (position, target) in order.iter().filter_map(|at| Some((*at, config.targets.get(*at)?))) {
        for _ in 0..target.max_attempts {
            choice.targets.push(position);
            choice.clusters.push(cluster(target, wanted.stream));
        }
    }
    choice.targets.truncate(MAX_ATTEMPTS);
    choice.clusters.truncate(MAX_ATTEMPTS);
    Ok(choice)
}

/// The key of a target's cluster.
fn cluster(target: &Target, stream: bool) -> String {
    match stream && target.streaming_twin {
        true => streaming_twin(&target.id),
        false => target.id.clone(),
    }
}

/// What an exchange owes the workers' common knowledge.
#[derive(Debug, Default)]
pub(super) struct Account {
    places: Vec<Place>,
    /// Positions of the targets in the order of the attempts that were planned.
    planned: Vec<usize>,
    /// Attempts of which everything was told.
    told: usize,
    /// The answer that the client gets is a good one so far.
    answering: bool,
}

/// How an exchange ended, as far as its last attempt is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its answer came to its end, or was cut by a policy.
    Served,
    /// The upstream did not answer, or its answer broke off.
    Failed,
    /// There was no one to send it to.
    Unreachable,
    /// The client left.
    Cancelled,
}

impl Account {
    pub(super) fn open(choice: &Choice) -> Account {
        Account { places: choice.places.clone(), planned: choice.targets.clone(), ..Account::default() }
    }

    /// The headers of the answer to the last attempt are there.
    pub(super) fn answered(&mut self, routing: &Routing, trail: &Trail, status: u16, now_ms: u64) {
        let mut news = Vec::new();
        self.tell_failures(routing, trail, &mut news);
        if let Some(target) = trail.last().and_then(|tried| routing.position(&tried.target)) {
            let failed = routing.target(target).is_some_and(|it| it.retryable_status_codes.contains(&status));
            self.told = trail.0.len();
            self.answering = !failed;
            if failed {
                routing.count(target, Outcome::Failed);
            }
            let place = self.place(target);
            match failed {
                true => news.push((target, News::Failed, place)),
                // A stream may go on for minutes; that it has begun is enough for those that wait for it. In a closed
                // breaker its end counts.
                false if place.is_some() => news.push((target, News::Succeeded, place)),
                false => {}
            }
            if (200..300).contains(&status) {
                let started_ms = trail.last().map_or(0, |tried| tried.started_us / 1000);
                let ms = now_ms.saturating_sub(started_ms);
                routing.answered(target, u32::try_from(ms).unwrap_or(u32::MAX), now_ms);
            }
        }
        self.give_back(&mut news);
        routing.learn(&news);
    }

    /// The exchange is over.
    pub(super) fn close(&mut self, routing: &Routing, trail: &Trail, end: End) {
        let mut news = Vec::new();
        let last = trail.last().and_then(|tried| routing.position(&tried.target));
        if self.told < trail.0.len() {
            self.tell_failures(routing, trail, &mut news);
            if let Some(target) = last {
                let place = self.place(target);
                let (told, outcome) = match end {
                    End::Cancelled | End::Served => (News::Nothing, Outcome::Cancelled),
                    End::Failed | End::Unreachable => (News::Failed, Outcome::Unanswered),
                };
                news.push((target, told, place));
                routing.count(target, outcome);
            }
        } else if let (true, Some(target)) = (self.answering, last) {
            let (told, outcome) = match end {
                End::Served => (News::Succeeded, Outcome::Answered),
                End::Failed | End::Unreachable => (News::Failed, Outcome::Unanswered),
                End::Cancelled => (News::Nothing, Outcome::Answered),
            };
            news.push((target, told, None));
            routing.count(target, outcome);
        }
        if end == End::Unreachable
            && !self.answering
            && let Some(target) = self.planned.get(trail.0.len()).copied()
        {
            // Envoy knew no address, so the attempt never began.
            let place = self.place(target);
            news.push((target, News::Failed, place));
            routing.count(target, Outcome::Unanswered);
        }
        self.give_back(&mut news);
        routing.learn(&news);
    }

    /// All attempts but the last have failed.
    fn tell_failures(
        &mut self,
        routing: &Routing,
        trail: &Trail,
        news: &mut Vec<(usize, News, Option<Place>)>,
    ) {
        let failed = trail.0.len().saturating_sub(1);
        for tried in trail.0.get(self.told..failed).unwrap_or_default() {
            let Some(target) = routing.position(&tried.target) else { continue };
            let (told, outcome) = match tried.fault {
                None => (News::Failed, Outcome::Unanswered),
                Some((_, Fault::Status | Fault::Event)) => (News::Failed, Outcome::Failed),
                Some((_, Fault::Out)) => (News::Failed, Outcome::Out),
                Some((_, Fault::Model)) => (News::Nothing, Outcome::Out),
            };
            routing.count(target, outcome);
            let place = self.place(target);
            news.push((target, told, place));
        }
        self.told = self.told.max(failed);
    }

    /// The place with a target, which is accounted for with this.
    fn place(&mut self, target: usize) -> Option<Place> {
        let at = self.places.iter().position(|place| place.target == target)?;
        Some(self.places.swap_remove(at))
    }

    fn give_back(&mut self, news: &mut Vec<(usize, News, Option<Place>)>) {
        news.extend(self.places.drain(..).map(|place| (place.target, News::Nothing, Some(place))));
    }
}

#[cfg(test)]
mod tests;

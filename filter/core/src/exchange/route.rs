//! Which targets a request may go to, in which order.
//!
//! Follows the rules of the specification's section 3: `x-provider` restricts, the request's model or a pinned id comes
//! first, the strategy orders the rest, and every target may be tried as often as its retry block says.

use crate::attempt::streaming_twin;
use crate::plan::{Plan, Strategy};
use crate::targets::{Target, canonical_provider};

/// An order of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Positions in the plan's targets, one per attempt.
    pub targets: Vec<usize>,
    /// The clusters of those attempts.
    pub clusters: Vec<String>,
}

/// Envoy repeats a request at most this often; more attempts than that help no one.
const MAX_ATTEMPTS: usize = 32;

/// The order of attempts, or `None` if `x-provider` names nothing that is configured.
pub fn choose(plan: &Plan, provider: Option<&str>, model: Option<&str>, stream: bool) -> Option<Choice> {
    let mut candidates: Vec<usize> = match provider {
        None => (0..plan.targets.len()).collect(),
        Some(name) => {
            let wanted = canonical_provider(name);
            let serves = |target: &Target| target.id == name || target.provider == wanted;
            let serving = plan.targets.iter().enumerate().filter(|(_, target)| serves(target));
            serving.map(|(position, _)| position).collect()
        }
    };
    if candidates.is_empty() {
        return None;
    }
    let first = |matches: &dyn Fn(&Target) -> bool| {
        candidates.iter().position(|index| plan.targets.get(*index).is_some_and(matches))
    };
    let preferred = model.and_then(|model| {
        first(&|target| target.id == model).or_else(|| first(&|target| target.model.as_deref() == Some(model)))
    });
    if let Some(position) = preferred {
        let index = candidates.remove(position);
        candidates.insert(0, index);
    }
    if plan.strategy == Strategy::Single {
        candidates.truncate(1);
    }
    let mut choice = Choice::default();
    for (index, target) in candidates.iter().filter_map(|index| Some((*index, plan.targets.get(*index)?))) {
        let cluster = match stream && target.has_streaming_twin() {
            true => streaming_twin(&target.id),
            false => target.id.clone(),
        };
        for _ in 0..target.retry.max_attempts.max(1) {
            choice.targets.push(index);
            choice.clusters.push(cluster.clone());
        }
    }
    choice.targets.truncate(MAX_ATTEMPTS);
    choice.clusters.truncate(MAX_ATTEMPTS);
    Some(choice)
}

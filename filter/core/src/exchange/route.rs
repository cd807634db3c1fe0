//! Which targets a request may go to, in which order.
//!
//! Follows the rules of the specification's section 3: `x-provider` restricts, the request's model or a pinned id comes
//! first, the strategy orders the rest, and every target may be tried as often as its retry block says.

use crate::attempt::streaming_twin;
use crate::plan::{Plan, UnknownProvider};
use crate::targets::Target;

/// An order of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// Positions in the plan's targets, one per attempt.
    pub targets: Vec<usize>,
    /// The clusters of those attempts.
    pub clusters: Vec<String>,
}

/// Envoy repeats a request at most this often; more attempts than that help no one.
const MAX_ATTEMPTS: usize = 32;

/// The order of attempts; an error if `provider`, the value of `x-provider`, names nothing that is configured.
pub(super) fn choose(
    plan: &Plan,
    provider: Option<&str>,
    model: Option<&str>,
    stream: bool,
) -> Result<Choice, UnknownProvider> {
    let mut targets = plan.attempts_for(&plan.order_for(model, provider)?);
    targets.truncate(MAX_ATTEMPTS);
    let cluster = |target: &Target| match stream && target.has_streaming_twin() {
        true => streaming_twin(&target.id),
        false => target.id.clone(),
    };
    let clusters = targets.iter().filter_map(|index| plan.targets.get(*index)).map(cluster).collect();
    Ok(Choice { targets, clusters })
}

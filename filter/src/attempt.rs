//! The upstream role: makes one attempt look as its target wants it.
//!
//! Runs once for every attempt, after Envoy removed the previous attempt's key. All attempts share one header map, so every
//! value it sets is absolute; the first attempt finds everything prepared by the downstream role.

use crate::host::{self, state};
use kt_core::attempt::{AttemptPlan, target_of};
use kt_core::plugin::Attempt;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One attempt.
pub(crate) struct AttemptFilter {
    target: Rc<Attempt>,
    swap: Option<Swap>,
}

/// Puts `model` in the place of `old_bytes` bytes at `start`.
struct Swap {
    start: usize,
    old_bytes: usize,
    model: String,
}

impl AttemptFilter {
    pub(crate) fn new(target: Rc<Attempt>) -> AttemptFilter {
        AttemptFilter { target, swap: None }
    }
}

impl Context for AttemptFilter {}

impl HttpContext for AttemptFilter {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let Some(plan) = host::state(state::PLAN).as_deref().and_then(AttemptPlan::from_text) else {
            // Not one of our requests: a health check of Envoy's own.
            return Action::Continue;
        };
        let before = host::state(state::AT);
        let done: usize = before.as_deref().and_then(|at| at.split(' ').next()?.parse().ok()).unwrap_or(0);
        host::set_state(state::AT, format!("{} {}", done + 1, self.target.target).as_bytes());
        if let Some(next) = plan.cluster(done + 1) {
            host::set_state(state::NEXT, next.as_bytes());
        }
        if self.target.client_key {
            host::set_request_header("authorization", host::state(state::CLIENT_KEY).as_deref());
        } else if self.target.client_key_if_named
            && let Some(key) = host::state(state::NAMED_KEY)
        {
            host::set_request_header("authorization", Some(&key));
        }
        let prepared =
            done == 0 && plan.cluster(0).is_some_and(|first| target_of(first) == self.target.target);
        if prepared {
            return Action::Continue;
        }
        let edit = plan.edit(&self.target);
        host::set_request_header(":path", Some(&edit.path));
        host::set_request_header(":authority", Some(&self.target.authority));
        if let Some(length) = edit.content_length {
            host::set_request_header("content-length", Some(&length.to_string()));
        }
        if let (false, Some(model), Some(slot)) = (ends, edit.model, &plan.model) {
            self.swap = Some(Swap { start: slot.start, old_bytes: slot.written.len(), model });
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        let Some(swap) = &self.swap else {
            return Action::Continue;
        };
        let needed = swap.start + swap.old_bytes;
        if size < needed && !ends {
            return Action::Pause;
        }
        let mut start = host::request_body_start(swap.start);
        start.extend_from_slice(swap.model.as_bytes());
        host::set_request_body_start(needed, &start);
        self.swap = None;
        Action::Continue
    }
}

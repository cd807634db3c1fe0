//! The upstream role: makes one attempt look as its target wants it, and says whether another should follow.
//!
//! Runs once for every attempt, after Envoy removed the previous attempt's key. All attempts share one header map, so every
//! value it sets is absolute; the first attempt finds everything prepared by the downstream role. An answer is held until it is
//! judged; after that no callback does anything any more.

use crate::host::{self, state};
use kt_core::attempt::answer::{Answer, MAX_HELD_BYTES, Next, Verdict};
use kt_core::attempt::{AttemptPlan, target_of, trail};
use kt_core::message::rewrite::{self, Splice};
use kt_core::plugin::Attempt;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One attempt.
pub(crate) struct AttemptFilter {
    target: Rc<Attempt>,
    /// What is still to be changed in the body.
    splices: Vec<Splice>,
    /// `None`: its answer passes, whatever else comes.
    judged: Option<Judged>,
}

/// What is needed to judge the answer.
struct Judged {
    plan: AttemptPlan,
    /// Attempts so far, this one included.
    attempts: usize,
    /// The plan and what became of it so far.
    note: String,
    answer: Answer,
}

impl AttemptFilter {
    pub(crate) fn new(target: Rc<Attempt>) -> AttemptFilter {
        AttemptFilter { target, splices: Vec::new(), judged: None }
    }

    fn obey(&mut self, verdict: Verdict) -> Action {
        match verdict {
            Verdict::Hold => return Action::Pause,
            Verdict::Pass => self.judged = None,
            Verdict::Next(next) => {
                if let Some(judged) = self.judged.take() {
                    judged.repeat(&next);
                }
            }
        }
        Action::Continue
    }

    fn body(&mut self, ends: bool) -> Action {
        let Some(judged) = &mut self.judged else {
            return Action::Continue;
        };
        let body = host::response_body_start(MAX_HELD_BYTES);
        let verdict = judged.answer.body(&self.target, &body, ends);
        self.obey(verdict)
    }
}

impl Judged {
    /// Has Envoy make another attempt in place of this answer.
    fn repeat(mut self, next: &Next) {
        trail::end(&mut self.note, self.answer.status, next.fault);
        if next.skip > 0 {
            self.plan.skip(self.attempts, next.skip);
            let mut note = self.plan.to_text();
            trail::lines(&self.note).for_each(|line| note.extend([line, "\n"]));
            self.note = note;
            if let Some(cluster) = self.plan.cluster(self.attempts) {
                host::set_state(state::NEXT, cluster.as_bytes());
            }
        }
        host::set_state(state::PLAN, self.note.as_bytes());
        host::set_response_header("x-kt-retry", Some("1"));
        let wait = next.wait_s.map(|seconds| seconds.to_string());
        // Absolute, so that no upstream says it.
        host::set_response_header("x-kt-wait", wait.as_deref());
    }
}

impl Context for AttemptFilter {}

impl HttpContext for AttemptFilter {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let mut note = host::state(state::PLAN).unwrap_or_default();
        let Some(plan) = AttemptPlan::from_text(&note) else {
            // Not one of our requests: a probe, or a health check of Envoy's own.
            return Action::Continue;
        };
        let done = trail::lines(&note).count();
        trail::begin(&mut note, &self.target.target, host::now_ns() / 1000);
        host::set_state(state::PLAN, note.as_bytes());
        // It names this attempt's cluster so far; a second attempt on the same target finds it as it is.
        if let Some(next) = plan.cluster(done + 1).filter(|next| plan.cluster(done) != Some(next)) {
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
        if !prepared {
            let edit = plan.edit(&self.target);
            host::set_request_header(":path", Some(&edit.path));
            host::set_request_header(":authority", Some(&self.target.authority));
            if let Some(length) = edit.content_length {
                host::set_request_header("content-length", Some(&length.to_string()));
            }
            if !ends {
                self.splices = edit.splices;
            }
        }
        let answer = Answer::new(&plan, done);
        if !answer.is_last() {
            self.judged = Some(Judged { plan, attempts: done + 1, note, answer });
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        // Bodies change near their start; what lies behind the last change is not touched.
        let Some(needed) = self.splices.iter().map(|splice| splice.range.end).max() else {
            return Action::Continue;
        };
        if size < needed && !ends {
            return Action::Pause;
        }
        let start = rewrite::apply(&host::request_body_start(needed), &self.splices);
        host::set_request_body_start(needed, &start);
        self.splices.clear();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        let Some(judged) = &mut self.judged else {
            return Action::Continue;
        };
        let streams = judged.plan.streams;
        let now_s = || host::now_ns() / 1_000_000_000;
        let verdict = judged.answer.head(&self.target, &host::response_header, streams, ends, &now_s);
        self.obey(verdict)
    }

    fn on_http_response_body(&mut self, _size: usize, ends: bool) -> Action {
        self.body(ends)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.body(true)
    }
}

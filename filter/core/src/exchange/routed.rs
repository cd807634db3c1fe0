//! Requests for a virtual model: the question about them, and where they go.
//!
//! Policies have run before anything here happens. Invariant: whatever becomes of the question, the request goes to a target
//! of the router, and the reason is recorded.

use super::request::{Dispatch, RequestStep};
use super::{Exchange, Gateway};
use crate::attempt::upstream_path;
use crate::config::Role;
use crate::event::{PickedBy, Routed};
use crate::message::Endpoint;
use crate::message::request::{self, Request};
use crate::plugin::{Router, Target};
use crate::policy::{Direction, Facts};
use crate::reply::Reply;
use crate::router::{self, Classification, Memory, Picked};

impl Exchange {
    /// Whether the request asks for a model that stands for several.
    pub(super) fn asks_for_virtual_model(&self) -> bool {
        match (&self.gateway.config.router, self.head.model()) {
            (Some(router), Some(model)) => router.models.iter().any(|name| name == model),
            _ => false,
        }
    }

    /// Asks which target a request goes to, where it is worth asking. `body` is what the policies left of it.
    pub(super) fn classify(&mut self, body: Vec<u8>) -> Result<RequestStep, Reply> {
        let asked = self.question(&body);
        self.waiting = Some(body);
        match asked {
            Ok(classification) => Ok(RequestStep::Classify(classification)),
            Err(code) => self.picked(Picked::Failed(code), 0, 0).map(RequestStep::Dispatch),
        }
    }

    /// The question, or why none is asked.
    fn question(&self, body: &[u8]) -> Result<Classification, &'static str> {
        let gateway = &self.gateway;
        let router = gateway.config.router.as_ref().ok_or("no_router")?;
        let endpoint = self.endpoint.ok_or("other_endpoint")?;
        if matches!(endpoint, Endpoint::Embeddings | Endpoint::Rerank) {
            return Err("other_endpoint");
        }
        let target = gateway.config.targets.get(router.classifier as usize).ok_or("no_classifier")?;
        let mut allowed = router.routes.iter().filter(|route| self.is_allowed(**route));
        let first = allowed.next().ok_or("one_route")?;
        if allowed.all(|route| route == first)
            && !(self.is_allowed(router.default) && router.default != *first)
        {
            return Err("one_route");
        }
        let request = request::read(endpoint, body).map_err(|_| "unreadable")?;
        let body = router::question(router, &request).ok_or("no_text")?;
        let memory = self.memory(gateway, router, &request);
        Ok(Classification {
            cluster: target.cluster.clone(),
            authority: target.authority.clone(),
            path: upstream_path(&target.path_prefix, "/v1/chat/completions"),
            body,
            timeout_ms: router.timeout_ms,
            memory,
        })
    }

    fn memory(&self, gateway: &Gateway, router: &Router, request: &Request<'_>) -> Option<Memory> {
        let caller = self.client_key().unwrap_or_default();
        let model = self.head.model().unwrap_or_default();
        let scope = [caller, model, gateway.config.config_sha256.as_str()];
        Memory::new(&gateway.key.get(), router, scope, request)
    }

    /// Whether the classifier is worth asking now: it failed too often of late if not.
    pub fn may_ask(&self, now_ms: u64) -> bool {
        self.gateway.patience.lasts(now_ms)
    }

    /// Whether `x-provider` lets this target serve.
    fn is_allowed(&self, target: u32) -> bool {
        let named = |target: &Target| self.head.header("x-provider").is_none_or(|name| target.is_named(name));
        self.gateway.config.targets.get(target as usize).is_some_and(named)
    }

    /// Takes what came of a question, `us` microseconds after it was asked: where the request goes.
    pub fn picked(&mut self, picked: Picked, now_ms: u64, us: u64) -> Result<Dispatch, Reply> {
        let gateway = self.gateway.clone();
        let (Some(body), Some(router), Some(endpoint)) =
            (self.waiting.take(), &gateway.config.router, self.endpoint)
        else {
            return Err(self.fail());
        };
        let mut routed = Routed { us, ..Routed::default() };
        let picked = match picked {
            Picked::Remembered(route) => Ok((route, PickedBy::Conversation)),
            Picked::Failed(code) => Err(code),
            Picked::Answer { status, body } => {
                let (pick, usage) = router::read(router, status, body);
                routed.usage = usage;
                pick.map(|pick| {
                    routed.reason = pick.reason;
                    (pick.route, PickedBy::Classifier)
                })
            }
        };
        if let Ok((_, PickedBy::Classifier)) = picked {
            gateway.patience.note(true, now_ms);
        } else if let Err("classifier_status" | "classifier_unreadable" | "classifier_unavailable") = picked {
            gateway.patience.note(false, now_ms);
        }
        let picked = picked.and_then(|(route, by)| {
            let target = router.routes.get(route as usize).copied().ok_or("classifier_unknown_label")?;
            // The question does not know of `x-provider`.
            if self.is_allowed(target) { Ok((route, target, by)) } else { Err("not_allowed") }
        });
        let target = match picked {
            Ok((route, target, by)) => {
                (routed.by, routed.route) = (by, Some(route));
                target
            }
            Err(code) => {
                routed.failure = code;
                let mut candidates = [router.default].into_iter().chain(router.routes.iter().copied());
                candidates.find(|target| self.is_allowed(*target)).unwrap_or(router.default)
            }
        };
        // The reason is a model's words on their way to a client: a policy that objects to them keeps them.
        if !routed.reason.is_empty() && self.is_objectionable(&routed.reason) {
            routed.reason.clear();
        }
        let name = |target: &Target| target.id.clone();
        routed.target = gateway.config.targets.get(target as usize).map(name).unwrap_or_default();
        self.record.routed = Some(routed);
        let request = match request::read(endpoint, &body) {
            Ok(request) => request,
            Err(_) => return Err(self.fail()),
        };
        self.dispatch(&request, &body, Vec::new(), Some(target as usize))
    }

    /// The route to remember for the conversation, after a classifier's pick.
    pub fn route_to_remember(&self) -> Option<u32> {
        self.record.routed.as_ref().filter(|routed| routed.by == PickedBy::Classifier)?.route
    }

    /// Why the target was picked, for counting; `None` if none was.
    pub fn routed_by(&self) -> Option<&'static str> {
        self.record.routed.as_ref().map(Routed::outcome)
    }

    fn is_objectionable(&self, reason: &str) -> bool {
        let gateway = &self.gateway;
        let mut findings = Vec::new();
        let scratch = &mut gateway.scratch.borrow_mut();
        gateway.chain.inspect(
            self.active,
            Direction::Response,
            Role::Assistant,
            reason,
            0,
            scratch,
            &mut findings,
        );
        !findings.is_empty()
    }
}

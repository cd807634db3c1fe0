//! The request side: is it served, may it pass, what is changed, where may it go.

use super::Exchange;
use super::quality::Asked;
use super::route::{self, Account, Choice, Wanted};
use crate::attempt::{AttemptPlan, ModelSlot, json_string, upstream_path};
use crate::config::Unscannable;
use crate::event::{Ended, Unread};
use crate::message::format::Format;
use crate::message::request::{self, Request};
use crate::message::rewrite::{self, Splice};
use crate::message::{Endpoint, Unscanned};
use crate::policy::{Direction, Facts, Finding};
use crate::reply::Reply;
use crate::router::{Classification, Picked};
use std::ops::Range;

/// The request's headers.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// Names in lower case, pseudo-headers included.
    pub headers: Vec<(String, String)>,
    /// Normalised path without its query, from `:path`.
    path: String,
    /// The query with its question mark.
    query: String,
    model: Option<String>,
}

impl RequestHead {
    /// The headers as the host has them.
    pub fn new(headers: Vec<(String, String)>) -> RequestHead {
        let mut head = RequestHead { headers, ..RequestHead::default() };
        let (path, query) = {
            let full = head.header(":path").unwrap_or("/");
            full.split_at(full.find('?').unwrap_or(full.len()))
        };
        // One current SDK appends `/v1` to a base URL that already ends in it.
        let path = match path.strip_prefix("/v1/v1/") {
            Some(rest) => format!("/v1/{rest}"),
            None => path.to_owned(),
        };
        (head.path, head.query) = (path, query.to_owned());
        head
    }

    /// The request's `model`.
    pub(super) fn model_requested(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Path and query.
    fn full_path(&self) -> String {
        format!("{}{}", self.path, self.query)
    }
}

impl Facts for RequestHead {
    fn path(&self) -> &str {
        &self.path
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}

/// What happens to a request once its headers are there.
#[derive(Debug)]
pub enum Admission {
    /// Hand the whole body to [`Exchange::request`].
    Inspect,
    /// Forward it unread.
    Pass(Dispatch),
    /// Answer it.
    Reply(Reply),
}

/// What happens to a request that may pass.
#[derive(Debug)]
pub enum RequestStep {
    /// It goes on its way.
    Dispatch(Dispatch),
    /// It waits for this question to be answered, or not: [`Exchange::picked`] says where it goes.
    Classify(Classification),
}

/// A request on its way to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The body, where it differs from the client's.
    pub body: Option<Vec<u8>>,
    /// For the attempts.
    pub plan: AttemptPlan,
    /// Value of `:path` for the first attempt, where it differs from the client's.
    pub path: Option<String>,
    /// Value of `:authority` for the first attempt. With one target Envoy's route knows it.
    pub authority: Option<String>,
    /// Envoy chooses the cluster by the plan. `false`: there is only one.
    pub chooses_cluster: bool,
    /// The caller's own key must reach one of the targets.
    pub keeps_client_key: bool,
    /// The same for targets that take it because the request names their provider.
    pub keeps_named_key: bool,
    /// The caller's own key must not reach the only target.
    pub drops_client_key: bool,
}

impl Exchange {
    /// Takes the request's headers.
    pub fn admit(&mut self, head: RequestHead) -> Admission {
        self.head = head;
        // Without the model: a request that is refused before its body is read is audited too.
        self.activate();
        self.record.request_id = self.head.header("x-request-id").unwrap_or_default().to_owned();
        if let Some(reply) = self.models() {
            return Admission::Reply(reply);
        }
        let method = self.head.header(":method").unwrap_or_default();
        self.endpoint = Endpoint::from_path(&self.head.path).filter(|_| method == "POST");
        let Some(endpoint) = self.endpoint else {
            return self.pass();
        };
        self.record.endpoint = endpoint.name();
        let encodings = self.head.headers.iter().filter(|(name, _)| name == "content-encoding");
        if encodings.into_iter().any(|(_, value)| !value.eq_ignore_ascii_case("identity")) {
            return Admission::Reply(self.refuse(Reply::unsupported_encoding(), Ended::Refused));
        }
        Admission::Inspect
    }

    /// Takes the size of what has arrived of the body; an error as soon as it is too large.
    pub fn growing(&mut self, body_bytes: usize) -> Result<(), Reply> {
        let limit = self.gateway.config.gateway.max_body_bytes;
        match body_bytes > limit as usize {
            false => Ok(()),
            true => Err(self.refuse(Reply::request_too_large(limit), Ended::Refused)),
        }
    }

    /// Takes the whole body of a request that is to be inspected, for a host that cannot ask a classifier: a request for a
    /// virtual model goes to the router's default.
    pub fn request(&mut self, body: &[u8]) -> Result<Dispatch, Reply> {
        match self.request_step(body)? {
            RequestStep::Dispatch(dispatch) => Ok(dispatch),
            RequestStep::Classify(_) => self.picked(Picked::Failed("not_asked"), 0, 0),
        }
    }

    /// Takes the whole body of a request that is to be inspected.
    pub fn request_step(&mut self, body: &[u8]) -> Result<RequestStep, Reply> {
        self.growing(body.len())?;
        let Some(endpoint) = self.endpoint else {
            return Err(self.fail());
        };
        let request = match request::read(endpoint, body) {
            Ok(request) => request,
            Err(error) => return Err(self.refuse(Reply::bad_body(&error), Ended::Refused)),
        };
        self.record.stream = request.stream;
        self.json_answer = request.json_answer;
        self.head.model = request.model.as_ref().map(|model| model.name.clone().into_owned());
        self.activate();
        let mut splices = Vec::new();
        if self.gateway.chain.reads(self.active, Direction::Request) {
            self.inspect(&request, body, &mut splices)?;
        } else {
            self.record.scanned.request_unread = Some(Unread::NoPolicy);
        }
        if self.gateway.chain.quality(self.active).is_some() && endpoint.has_choices() {
            self.asked = Some(Asked::of(&request, body));
        }
        self.record.unscanned.add(&request.unscanned);
        if self.asks_for_virtual_model() {
            return self.classify(rewrite::apply(body, &splices));
        }
        self.dispatch(&request, body, splices, None).map(RequestStep::Dispatch)
    }

    /// Whether the operator lists the path, or one that it lies below, as one that is forwarded unread.
    pub(super) fn is_passed_through(&self) -> bool {
        let listed = &self.gateway.config.gateway.passthrough_paths;
        listed.iter().any(|listed| {
            let below = self.head.path.strip_prefix(listed.trim_end_matches('/'));
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
    }

    /// A path that is not inspected: forwarded where the operator says so, refused otherwise.
    fn pass(&mut self) -> Admission {
        if !self.is_passed_through() {
            return Admission::Reply(self.refuse(Reply::unknown_path(), Ended::Refused));
        }
        self.record.endpoint = "passthrough";
        self.record.scanned.request_unread = Some(Unread::Passthrough);
        match self.choose(false, None) {
            Ok(choice) => Admission::Pass(self.address(None, None, choice)),
            Err(reply) => Admission::Reply(reply),
        }
    }

    /// Decides which policies apply, by what is known of the request so far.
    fn activate(&mut self) {
        self.active = match self.gateway.config.pack.enabled {
            true => self.gateway.chain.active(&self.head),
            false => self.gateway.chain.only_audit(),
        };
        self.record.audits = self.gateway.chain.audits(self.active);
    }

    fn inspect(&mut self, request: &Request, body: &[u8], splices: &mut Vec<Splice>) -> Result<(), Reply> {
        if request.token_prompt {
            return Err(self.refuse(Reply::token_prompt(), Ended::Refused));
        }
        if request.goes_on_from_unseen {
            return Err(self.refuse(Reply::unseen_text(), Ended::Refused));
        }
        let config = &self.gateway.config.gateway;
        if let (Unscannable::Block, Some(kind)) = (config.unscannable, first_unscanned(&request.unscanned)) {
            self.record.unscanned.add(&request.unscanned);
            return Err(self.refuse(Reply::unscannable(kind), Ended::Blocked));
        }
        let blocking = self.inspect_texts(Direction::Request, &request.texts, &[], body, splices);
        self.capture(Direction::Request, body, splices);
        match blocking {
            None => Ok(()),
            Some(finding) => Err(self.block(Direction::Request, &finding)),
        }
    }

    pub(super) fn block(&mut self, direction: Direction, finding: &Finding) -> Reply {
        let gateway = self.gateway.clone();
        let status = gateway.config.gateway.block_status;
        let reply = Reply::blocked(status, direction, finding, gateway.chain.message(finding.policy));
        self.record.blocked_by(finding);
        let mut reply = self.refuse(reply, Ended::Blocked);
        reply.headers.extend(self.record.headers());
        reply
    }

    /// The targets this request may go to, in order; `picked` is the one that the router picked.
    fn choose(&mut self, stream: bool, picked: Option<usize>) -> Result<Choice, Reply> {
        let gateway = self.gateway.clone();
        let wanted = Wanted {
            provider: self.head.header("x-provider"),
            model: self.head.model.as_deref(),
            picked,
            stream,
        };
        let Ok(choice) = route::choose(&gateway.config, gateway.routing.as_ref(), &wanted) else {
            return Err(self.refuse(Reply::unknown_provider(&gateway.config.targets), Ended::Refused));
        };
        self.account = Account::open(&choice);
        Ok(choice)
    }

    pub(super) fn dispatch(
        &mut self,
        request: &Request,
        body: &[u8],
        mut splices: Vec<Splice>,
        picked: Option<usize>,
    ) -> Result<Dispatch, Reply> {
        let choice = self.choose(request.stream, picked)?;
        let gateway = self.gateway.clone();
        let first = choice.targets.first().and_then(|index| gateway.config.targets.get(*index));
        let wanted = first.and_then(|target| target.model.as_deref());
        let asked = request.model.as_ref().map(|model| &*model.name);
        if let Some(wanted) = wanted.filter(|wanted| asked != Some(wanted)) {
            request.ask_for_model(wanted, &mut splices);
        }
        if self.gateway.meters {
            self.record.prompt_bytes = request.texts.iter().map(|text| text.value.len() as u64).sum();
            let asks = first.is_some_and(|target| target.asks_for_usage);
            // Behind the model, whose place at the front of the body is known to the attempts.
            self.swallows_usage = asks
                && request.stream
                && self.endpoint.is_some_and(Endpoint::has_choices)
                && request.ask_for_usage(&mut splices);
        }
        self.reserve(request, first)?;
        let nests_schema = first.is_some_and(|target| target.nests_schema);
        if let Some(format) = &request.format {
            splices.extend(format.splices(nests_schema));
        }
        let slot = wanted.or(asked).map(|model| model_slot(request, body, model, &splices));
        let body_bytes = body.len();
        let body = (!splices.is_empty()).then(|| rewrite::apply(body, &splices));
        let body_bytes = body.as_ref().map_or(body_bytes, Vec::len);
        let format = request.format.map(|format| Format {
            marks: format.marks.map(|mark| shifted(mark, &splices)),
            nested: nests_schema,
        });
        let model = slot.map(|slot| ModelSlot { body_bytes, format, ..slot });
        Ok(self.address(body, model, choice))
    }

    fn address(&mut self, body: Option<Vec<u8>>, model: Option<ModelSlot>, choice: Choice) -> Dispatch {
        let config = &self.gateway.config;
        let client_path = self.head.full_path();
        let first = choice.targets.first().and_then(|index| config.targets.get(*index));
        let path = first.map(|target| upstream_path(&target.path_prefix, &client_path));
        let path = path.filter(|path| self.head.header(":path") != Some(path));
        let authority = first.filter(|_| config.attempt_role).map(|target| target.authority.clone());
        if !config.attempt_role {
            self.record.only_target = first.map(|target| target.id.clone());
        }
        let keeps_client_key = config.attempt_role && config.targets.iter().any(|target| target.client_key);
        // A key the caller brings for the provider it names is better than none that the file speaks of.
        let by_name = config.targets.iter().any(|target| target.client_key_if_named);
        let named = self.head.header("x-provider").is_some();
        let keeps_named_key = config.attempt_role && by_name && named;
        let drops_client_key = !config.attempt_role && by_name && !named;
        let chooses_cluster =
            config.attempt_role || config.targets.iter().any(|target| target.streaming_twin);
        let plan =
            AttemptPlan { clusters: choice.clusters, streams: self.record.stream, path: client_path, model };
        Dispatch {
            body,
            plan,
            path,
            authority,
            chooses_cluster,
            keeps_client_key,
            keeps_named_key,
            drops_client_key,
        }
    }
}

/// Where the model will stand in the edited body, and as what. The body's length is not known yet.
fn model_slot(request: &Request, body: &[u8], model: &str, splices: &[Splice]) -> ModelSlot {
    let raw = |span: Range<usize>| String::from_utf8_lossy(body.get(span).unwrap_or_default()).into_owned();
    let client = request.model.as_ref().map(|model| raw(model.span.clone()));
    match &request.model {
        Some(asked) => {
            let untouched = client.clone().filter(|_| asked.name == model);
            let written = untouched.unwrap_or_else(|| json_string(model));
            ModelSlot {
                start: shifted(asked.span.start, splices),
                body_bytes: 0,
                written,
                client,
                format: None,
            }
        }
        None => {
            let start = shifted(request.body_open, splices) + "\"model\":".len();
            ModelSlot { start, body_bytes: 0, written: json_string(model), client, format: None }
        }
    }
}

/// Where the byte at `place` of the original stands after `splices`, none of which reaches across it.
fn shifted(place: usize, splices: &[Splice]) -> usize {
    let before = splices.iter().filter(|splice| splice.range.end <= place && splice.range.start < place);
    let (removed, added) = before
        .fold((0, 0), |(removed, added), splice| (removed + splice.range.len(), added + splice.with.len()));
    place + added - removed
}

fn first_unscanned(unscanned: &Unscanned) -> Option<&'static str> {
    unscanned.kinds().into_iter().find(|(_, count)| *count > 0).map(|(kind, _)| kind)
}

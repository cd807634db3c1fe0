//! A proxy-wasm 0.2.1 host that runs the real module and behaves towards it as Envoy 1.40 does.
//!
//! Keeps state and shows outcomes: what the upstream was sent, what the client got, what was logged. It records no list of host
//! calls, so that the filter is free to ask in any order. Invariant: a buffer or header map is writable only in the phase in
//! which Envoy would let it be written.

mod imports;
mod memory;
mod wasi;

use std::collections::BTreeMap;
use std::path::Path;
use wasmtime::{Engine, Instance, Linker, Module, Store, TypedFunc, WasmParams, WasmResults};

/// Header fields in order.
pub type Fields = Vec<(String, String)>;

/// The root context of the one plugin.
const ROOT: u32 = 1;

/// Envoy's `Action::Continue`.
const CONTINUE: u32 = 0;

/// A compiled module.
pub struct Filter {
    engine: Engine,
    module: Module,
}

impl Filter {
    /// Compiles the module at `path`.
    pub fn load(path: &Path) -> Filter {
        let engine = Engine::default();
        let bytes = std::fs::read(path).unwrap();
        let module = Module::new(&engine, bytes).unwrap();
        Filter { engine, module }
    }

    /// A VM with the plugin configured; fails as Envoy does when the plugin refuses its configuration.
    pub fn start(&self, plugin_config: &str) -> Result<Vm, String> {
        let mut linker = Linker::new(&self.engine);
        imports::define(&mut linker);
        wasi::define(&mut linker);
        linker.define_unknown_imports_as_traps(&self.module).unwrap();
        let mut store = Store::new(&self.engine, State::new(plugin_config));
        let instance = linker.instantiate(&mut store, &self.module).unwrap();
        let mut vm = Vm { store, instance, next_context: ROOT + 1 };
        if vm.instance.get_func(&mut vm.store, "_initialize").is_some() {
            vm.call::<_, ()>("_initialize", ());
        }
        vm.call::<_, ()>("proxy_on_context_create", (ROOT, 0u32));
        let started: u32 = vm.call("proxy_on_vm_start", (ROOT, 0u32));
        let configured: u32 =
            vm.call("proxy_on_configure", (ROOT, u32::try_from(plugin_config.len()).unwrap()));
        if started == 1 && configured == 1 { Ok(vm) } else { Err(vm.logs().join("\n")) }
    }
}

/// Which body or map of a stream is in the hands of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    Log,
}

/// A reply the filter made itself.
#[derive(Debug, Clone)]
struct LocalReply {
    status: u32,
    headers: Fields,
    body: Vec<u8>,
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Lane {
    headers: Fields,
    trailers: Fields,
    /// What the filter sees in a body callback: held bytes and new ones.
    buffer: Vec<u8>,
    /// The filter stopped and has not gone on.
    paused: bool,
    /// The filter asked to go on, outside of a callback of this direction.
    resumed: bool,
    /// The last callback carried the end of the message.
    end_seen: bool,
    headers_sent: bool,
    sent: Vec<Vec<u8>>,
    trailers_sent: bool,
    ended: bool,
}

#[derive(Debug)]
struct Stream {
    phase: Phase,
    request: Lane,
    response: Lane,
    filter_state: BTreeMap<String, Vec<u8>>,
    properties: BTreeMap<String, Vec<u8>>,
    reply: Option<LocalReply>,
    closed: bool,
}

/// Everything the module can reach.
struct State {
    plugin_config: Vec<u8>,
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    metrics: Vec<(String, u64)>,
    logs: Vec<String>,
    /// The clock: goes on by a microsecond with each look, so that no two times are equal and none depends on the machine.
    now_ns: u64,
    effective: u32,
    streams: BTreeMap<u32, Stream>,
    route_recomputed: u64,
}

impl State {
    fn new(plugin_config: &str) -> State {
        State {
            plugin_config: plugin_config.as_bytes().to_vec(),
            shared: BTreeMap::new(),
            metrics: Vec::new(),
            logs: Vec::new(),
            // Some second of 2026.
            now_ns: 1_790_000_000_000_000_000,
            effective: ROOT,
            streams: BTreeMap::new(),
            route_recomputed: 0,
        }
    }

    fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.effective)
    }
}

/// A running VM.
pub struct Vm {
    store: Store<State>,
    instance: Instance,
    next_context: u32,
}

impl Vm {
    /// What the module logged.
    pub fn logs(&self) -> &[String] {
        &self.store.data().logs
    }

    /// Size of the module's memory.
    pub fn memory_bytes(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").unwrap().data_size(&self.store)
    }

    /// Begins a stream.
    pub fn stream(&mut self) -> Exchange<'_> {
        let context = self.next_context;
        self.next_context += 1;
        let stream = Stream {
            phase: Phase::RequestHeaders,
            request: Lane::default(),
            response: Lane::default(),
            filter_state: BTreeMap::new(),
            properties: BTreeMap::new(),
            reply: None,
            closed: false,
        };
        self.store.data_mut().streams.insert(context, stream);
        self.call::<_, ()>("proxy_on_context_create", (context, ROOT));
        Exchange { vm: self, context }
    }

    /// Calls an export; a module without it does nothing. A trap fails the test and shows what the module logged.
    fn call<Params: WasmParams, Results: WasmResults + Default>(
        &mut self,
        name: &str,
        params: Params,
    ) -> Results {
        let Some(function) = self.instance.get_func(&mut self.store, name) else { return Results::default() };
        let function: TypedFunc<Params, Results> = function.typed(&self.store).unwrap();
        match function.call(&mut self.store, params) {
            Ok(results) => results,
            Err(trap) => panic!("{name} trapped: {trap:?}\n{}", self.logs().join("\n")),
        }
    }
}

/// What came of a stream.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the upstream was sent; `None` if the request was not let through to its end.
    pub upstream: Option<Message>,
    /// What the client got; `None` if nothing.
    pub client: Option<Message>,
    /// The filter ended the stream before the end of the answer.
    pub closed: bool,
    /// Filter state by name, as later filters and the access log see it.
    pub filter_state: BTreeMap<String, String>,
}

/// One message as it left the filter.
#[derive(Debug, Clone)]
pub struct Message {
    /// Header fields, pseudo headers included.
    pub headers: Fields,
    /// The body as it left, one item per callback that let something go.
    pub pieces: Vec<Vec<u8>>,
    /// Trailers, if they left.
    pub trailers: Option<Fields>,
    /// The end of the stream left too.
    pub ended: bool,
}

impl Message {
    /// The body.
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Response,
}

/// A stream that is being driven.
pub struct Exchange<'vm> {
    vm: &'vm mut Vm,
    context: u32,
}

impl Exchange<'_> {
    /// The request's headers.
    pub fn request_headers(&mut self, headers: &[(&str, &str)], end: bool) {
        self.headers(Way::Request, headers, end);
    }

    /// A chunk of the request's body.
    pub fn request_body(&mut self, chunk: &[u8], end: bool) {
        self.body(Way::Request, chunk, end);
    }

    /// The request's trailers, which end it.
    pub fn request_trailers(&mut self, trailers: &[(&str, &str)]) {
        self.trailers(Way::Request, trailers);
    }

    /// The answer's headers.
    pub fn response_headers(&mut self, headers: &[(&str, &str)], end: bool) {
        self.headers(Way::Response, headers, end);
    }

    /// A chunk of the answer's body.
    pub fn response_body(&mut self, chunk: &[u8], end: bool) {
        self.body(Way::Response, chunk, end);
    }

    /// The answer's trailers, which end it.
    pub fn response_trailers(&mut self, trailers: &[(&str, &str)]) {
        self.trailers(Way::Response, trailers);
    }

    /// Sets a property of the stream, such as how Envoy saw it end.
    pub fn property(&mut self, path: [&str; 2], value: &[u8]) {
        self.state().properties.insert(path.join("\0"), value.to_vec());
    }

    /// Bytes of the answer that have left for the client.
    pub fn delivered(&mut self) -> Vec<u8> {
        self.lane(Way::Response).sent.concat()
    }

    /// Whether the upstream has been sent the whole request.
    pub fn is_sent_upstream(&mut self) -> bool {
        self.lane(Way::Request).ended
    }

    /// Ends the stream, whatever its state, and shows what came of it.
    pub fn finish(mut self) -> Seen {
        self.state().phase = Phase::Log;
        let status = self
            .lane(Way::Response)
            .headers
            .iter()
            .find(|(name, _)| name == ":status")
            .map(|(_, value)| value.clone());
        let code: i64 = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        self.state().properties.insert("response\0code".into(), code.to_le_bytes().to_vec());
        let details = if self.lane(Way::Request).ended { "via_upstream" } else { "local" };
        self.state().properties.entry("response\0code_details".into()).or_insert_with(|| details.into());
        let context = self.context;
        self.effective();
        self.vm.call::<_, u32>("proxy_on_done", context);
        self.vm.call::<_, ()>("proxy_on_log", context);
        self.vm.call::<_, ()>("proxy_on_delete", context);
        let stream = self.vm.store.data_mut().streams.remove(&context).unwrap();
        let text = |(name, value): (String, Vec<u8>)| (name, String::from_utf8_lossy(&value).into_owned());
        let message = |lane: Lane| Message {
            headers: lane.headers,
            pieces: lane.sent,
            trailers: lane.trailers_sent.then_some(lane.trailers),
            ended: lane.ended,
        };
        Seen {
            upstream: stream.request.ended.then(|| message(stream.request)),
            client: stream.response.headers_sent.then(|| message(stream.response)),
            closed: stream.closed,
            filter_state: stream.filter_state.into_iter().map(text).collect(),
        }
    }

    fn headers(&mut self, way: Way, headers: &[(&str, &str)], end: bool) {
        if self.is_over(way) {
            return;
        }
        let (phase, callback) = match way {
            Way::Request => (Phase::RequestHeaders, "proxy_on_request_headers"),
            Way::Response => (Phase::ResponseHeaders, "proxy_on_response_headers"),
        };
        self.lane(way).headers =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).into())).collect();
        let count = u32::try_from(headers.len()).unwrap();
        self.callback(way, phase, callback, (self.context, count, u32::from(end)), end);
    }

    fn body(&mut self, way: Way, chunk: &[u8], end: bool) {
        if self.is_over(way) {
            return;
        }
        let (phase, callback) = match way {
            Way::Request => (Phase::RequestBody, "proxy_on_request_body"),
            Way::Response => (Phase::ResponseBody, "proxy_on_response_body"),
        };
        let lane = self.lane(way);
        lane.buffer.extend_from_slice(chunk);
        // After a pause the size is the total: Envoy hands out everything again.
        let size = u32::try_from(lane.buffer.len()).unwrap();
        self.callback(way, phase, callback, (self.context, size, u32::from(end)), end);
    }

    fn trailers(&mut self, way: Way, trailers: &[(&str, &str)]) {
        if self.is_over(way) {
            return;
        }
        let (phase, callback) = match way {
            Way::Request => (Phase::RequestTrailers, "proxy_on_request_trailers"),
            Way::Response => (Phase::ResponseTrailers, "proxy_on_response_trailers"),
        };
        let lane = self.lane(way);
        lane.trailers =
            trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).into())).collect();
        lane.trailers_sent = true;
        let count = u32::try_from(trailers.len()).unwrap();
        self.callback(way, phase, callback, (self.context, count), true);
    }

    fn callback<Params: WasmParams>(
        &mut self,
        way: Way,
        phase: Phase,
        name: &str,
        params: Params,
        end: bool,
    ) {
        self.state().phase = phase;
        self.effective();
        let action: u32 = self.vm.call(name, params);
        let lane = self.lane(way);
        lane.end_seen |= end;
        lane.paused = action != CONTINUE;
        if !lane.paused {
            self.release(way);
        }
        self.settle(way);
        for way in [Way::Request, Way::Response] {
            let lane = self.lane(way);
            if std::mem::take(&mut lane.resumed) && std::mem::take(&mut lane.paused) {
                self.release(way);
            }
        }
    }

    /// Lets go of what the filter has seen, headers first.
    fn release(&mut self, way: Way) {
        let lane = self.lane(way);
        lane.headers_sent = true;
        if !lane.buffer.is_empty() {
            let piece = std::mem::take(&mut lane.buffer);
            lane.sent.push(piece);
        }
        lane.ended = lane.end_seen;
    }

    /// Acts on what the filter asked for during a callback.
    fn settle(&mut self, way: Way) {
        let Some(reply) = self.state().reply.take() else { return };
        let answered = self.lane(Way::Response).headers_sent;
        let held = &mut self.lane(way).buffer;
        held.clear();
        if answered {
            // Too late for a reply: Envoy cuts the stream.
            self.state().closed = true;
            return;
        }
        let mut headers: Fields = vec![(":status".into(), reply.status.to_string())];
        headers.push(("content-length".into(), reply.body.len().to_string()));
        for (name, value) in reply.headers {
            headers.retain(|(field, _)| *field != name);
            headers.push((name, value));
        }
        match way {
            // A reply made while decoding passes the filter's own response callbacks.
            Way::Request => {
                let borrowed: Vec<_> =
                    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                self.lane(Way::Request).paused = true;
                self.headers(Way::Response, &borrowed, reply.body.is_empty());
                if !reply.body.is_empty() {
                    self.body(Way::Response, &reply.body, true);
                }
            }
            // One made while encoding goes straight out.
            Way::Response => {
                let lane = self.lane(Way::Response);
                lane.headers = headers;
                lane.buffer = reply.body;
                lane.trailers_sent = false;
                lane.end_seen = true;
                self.release(Way::Response);
            }
        }
    }

    /// Nothing more is handed to the filter in this direction.
    fn is_over(&mut self, way: Way) -> bool {
        let stream = self.state();
        let replied = way == Way::Request && !stream.response.headers.is_empty();
        stream.closed
            || replied
            || if way == Way::Request { stream.request.ended } else { stream.response.ended }
    }

    fn state(&mut self) -> &mut Stream {
        self.vm.store.data_mut().streams.get_mut(&self.context).unwrap()
    }

    fn lane(&mut self, way: Way) -> &mut Lane {
        let stream = self.state();
        match way {
            Way::Request => &mut stream.request,
            Way::Response => &mut stream.response,
        }
    }

    fn effective(&mut self) {
        self.vm.store.data_mut().effective = self.context;
    }
}

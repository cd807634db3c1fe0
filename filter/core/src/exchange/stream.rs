//! A streamed answer.
//!
//! Events wait in a queue until every lane they add to is decided up to their end; then they leave, byte for byte if nothing
//! in them changed. Lanes are independent, but what ends a choice, the usage and `[DONE]` never overtake held text of
//! theirs. Invariants: every event leaves at most once, apart from an event of which a first part is already certain; after
//! a block nothing leaves.

use super::quality::Kept;
use super::texts::{hide_tokens, redact};
use super::{Exchange, Gateway};
use crate::budget::Exceeded;
use crate::config::OnError;
use crate::event::{Ended, Unread};
use crate::holdback::{Edit, Judge, LaneHold, Progress};
use crate::message::Endpoint;
use crate::message::alike::Likeness;
use crate::message::delta::{self, Event};
use crate::message::rewrite::{self, Splice};
use crate::message::text::{Channel, Lane, open_json};
use crate::policy::{Direction, Finding};
use crate::reply::{self, Reply};
use crate::sse::decode::{Decoder, Frame, MAX_EVENT_BYTES};
use std::collections::VecDeque;
use std::ops::Range;

/// Text of one stream that may be held, over all lanes. Every policy bounds what it holds of one lane far below this; a
/// stream that passes it has very many lanes.
const MAX_HELD_BYTES: u64 = 64 * 1024;

/// What happens to a chunk of a streamed answer.
#[derive(Debug)]
pub enum ChunkStep {
    /// It leaves as it came.
    Forward,
    /// This leaves instead; may be empty.
    Replace(Vec<u8>),
    /// Nothing has left yet and nothing will: answer this instead.
    Refuse(Reply),
}

/// The state of one streamed answer.
pub(super) struct Stream {
    endpoint: Endpoint,
    /// What is said is to be JSON.
    is_json: bool,
    /// A policy reads what is said. `false`: only its tokens are counted, and whatever it is passes.
    inspects: bool,
    decoder: Decoder,
    lanes: Vec<(Lane, LaneHold)>,
    queue: VecDeque<Queued>,
    /// What most events of it look like.
    likeness: Likeness,
    /// Room for the events of a chunk.
    frames: Vec<Frame>,
    /// Events so far.
    events: u64,
    /// What was said, where it is scored.
    kept: Kept,
    /// Something has left.
    started: bool,
    /// The stream was ended by us; what still comes is dropped.
    closed: bool,
}

/// An event that waits.
struct Queued {
    frame: Frame,
    parts: Parts,
    /// Choices that end here: the event waits for all that was said in them before.
    finished: Vec<u32>,
    /// Belongs to no lane: waits for everything before it.
    waits_for_all: bool,
    /// May leave in two parts.
    divisible: bool,
}

/// What an event adds to lanes; nearly always to one.
#[derive(Default)]
struct Parts {
    first: Option<Part>,
    others: Vec<Part>,
}

impl Parts {
    fn push(&mut self, part: Part) {
        match self.first {
            None => self.first = Some(part),
            Some(_) => self.others.push(part),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Part> {
        self.first.iter().chain(&self.others)
    }
}

/// The text that an event adds to one lane, in bytes of the lane.
struct Part {
    lane: usize,
    range: Range<u64>,
    /// What has left of it.
    left_to: u64,
}

/// Why a stream cannot go on.
enum Stop {
    Block(Finding),
    Uninspectable(&'static str),
    OverBudget(Exceeded),
}

impl Stream {
    pub(super) fn new(endpoint: Endpoint, is_json: bool, inspects: bool) -> Stream {
        Stream {
            endpoint,
            is_json,
            inspects,
            decoder: Decoder::default(),
            lanes: Vec::new(),
            queue: VecDeque::new(),
            likeness: Likeness::default(),
            frames: Vec::new(),
            events: 0,
            kept: Kept::default(),
            started: false,
            closed: false,
        }
    }

    fn lane(&mut self, lane: Lane) -> usize {
        if let Some(position) = self.lanes.iter().position(|(known, _)| *known == lane) {
            return position;
        }
        let is_json = lane.channel.is_json() || self.is_json && lane.channel.is_said();
        self.lanes.push((lane, LaneHold::new(is_json)));
        self.lanes.len() - 1
    }
}

impl Exchange {
    /// Whether a streamed answer holds text back at the moment.
    pub fn holds(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.queue.is_empty() || stream.decoder.pending() > 0)
    }

    /// Whether the gateway has ended the stream.
    pub fn closed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.closed)
    }

    /// Takes one chunk of a streamed answer; `ends` says that it is the last.
    pub fn chunk(&mut self, chunk: &[u8], ends: bool) -> ChunkStep {
        let Some(mut stream) = self.stream.take() else {
            return ChunkStep::Forward;
        };
        if stream.closed {
            self.stream = Some(stream);
            return ChunkStep::Replace(Vec::new());
        }
        if !stream.inspects && stream.decoder.pending() + chunk.len() > MAX_EVENT_BYTES {
            // Too large to be an event, and no one asked to see it.
            let mut frames = Vec::new();
            stream.decoder.finish(&mut frames);
            let mut out: Vec<u8> = frames.iter().flat_map(Frame::bytes).copied().collect();
            out.extend_from_slice(chunk);
            return ChunkStep::Replace(out);
        }
        let mut out = Vec::with_capacity(chunk.len() + 256);
        self.start_watch();
        let outcome = self.feed(&mut stream, chunk, ends, &mut out);
        self.stop_watch();
        let step = match outcome {
            Ok(()) if out == chunk => ChunkStep::Forward,
            Ok(()) => ChunkStep::Replace(out),
            Err(stop) => self.stop(&mut stream, stop),
        };
        match &step {
            ChunkStep::Forward if stream.inspects => self.capture_chunk(chunk),
            ChunkStep::Replace(out) if stream.inspects => self.capture_chunk(out),
            _ => {}
        }
        stream.started |= match &step {
            ChunkStep::Forward => !chunk.is_empty(),
            ChunkStep::Replace(out) => !out.is_empty(),
            ChunkStep::Refuse(_) => true,
        };
        self.stream = Some(stream);
        step
    }

    /// The headers to set when the first chunk leaves.
    pub fn stream_headers(&self) -> Vec<(&'static str, String)> {
        self.record.headers()
    }

    fn feed(&mut self, stream: &mut Stream, chunk: &[u8], ends: bool, out: &mut Vec<u8>) -> Result<(), Stop> {
        let gateway = self.gateway.clone();
        let mut frames = std::mem::take(&mut stream.frames);
        if stream.decoder.push(chunk, &mut frames).is_err() {
            return Err(Stop::Uninspectable("an event is too large"));
        }
        if ends {
            stream.decoder.finish(&mut frames);
        }
        for frame in frames.drain(..) {
            self.accept(&gateway, stream, frame, out)?;
        }
        stream.frames = frames;
        if ends {
            self.finish_lanes(&gateway, stream, |_| true)?;
        }
        let held: u64 = stream.lanes.iter().map(|(_, holdback)| holdback.held_bytes()).sum();
        if held > MAX_HELD_BYTES {
            return Err(Stop::Uninspectable("too much text is held back"));
        }
        self.record.most_held_bytes = self.record.most_held_bytes.max(held);
        stream.release(out);
        Ok(())
    }

    fn accept(
        &mut self,
        gateway: &Gateway,
        stream: &mut Stream,
        frame: Frame,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        stream.events += 1;
        if let Some((lane, text)) = stream.likeness.read(frame.bytes()) {
            let part = self.add(gateway, stream, lane, &text)?;
            if let Some(limit) = self.go_on() {
                return Err(Stop::OverBudget(limit));
            }
            drop(text);
            stream.queue.push_back(Queued {
                frame,
                parts: Parts { first: Some(part), others: Vec::new() },
                finished: Vec::new(),
                waits_for_all: stream.endpoint == Endpoint::Responses,
                divisible: lane.channel.is_prose(),
            });
            return Ok(());
        }
        if stream.inspects && frame.has_stray_line() {
            // Plain or compressed JSON under the wrong content type would pass unread as a line that means nothing.
            if gateway.config.gateway.on_error != OnError::Allow {
                return Err(Stop::Uninspectable("a line is none of a stream of events"));
            }
            self.pass_unread(stream, frame);
            return Ok(());
        }
        let Some(data) = frame.data().filter(|data| !data.trim_ascii().is_empty()) else {
            // A comment, or an event without data, keeps the connection alive; it has nothing to wait for.
            out.extend_from_slice(frame.bytes());
            return Ok(());
        };
        if data.trim_ascii() == b"[DONE]" {
            drop(data);
            self.record.is_said = true;
            self.finish_lanes(gateway, stream, |_| true)?;
            stream.queue.push_back(Queued::barrier(frame));
            return Ok(());
        }
        let mut event = match delta::read(stream.endpoint, &data) {
            Ok(event) => event,
            Err(_) if !stream.inspects => {
                drop(data);
                stream.queue.push_back(Queued::barrier(frame));
                return Ok(());
            }
            Err(_) if gateway.config.gateway.on_error == OnError::Allow => {
                drop(data);
                self.pass_unread(stream, frame);
                return Ok(());
            }
            Err(_) => return Err(Stop::Uninspectable("an event is not the JSON it should be")),
        };
        if let Some(usage) = event.usage {
            self.record.usage = Some(usage.or(self.record.usage.unwrap_or_default()));
            if self.swallows_usage && !event.has_choices {
                // The counts the client did not ask for: an event with nothing else in it.
                return Ok(());
            }
        }
        if let (None, Some(model)) = (&self.record.model_served, &event.model) {
            self.record.model_served = Some(model.clone().into_owned());
        }
        self.record.unscanned.add(&event.unscanned);
        let mut parts = Parts::default();
        for delta in &event.deltas {
            parts.push(self.add(gateway, stream, delta.lane, &delta.text.value)?);
        }
        if let Some(place) = frame.place_of(&data) {
            stream.likeness.learn(&event, frame.bytes(), place);
        }
        if let Some(limit) = self.go_on() {
            return Err(Stop::OverBudget(limit));
        }
        if event.ends {
            self.record.is_said = true;
            self.finish_lanes(gateway, stream, |_| true)?;
        } else if !event.finished.is_empty() || event.lane_done.is_some() {
            self.finish_lanes(gateway, stream, |lane| {
                event.finished.contains(&lane.choice) || event.lane_done == Some(*lane)
            })?;
        }
        if stream.is_json {
            open_json(&mut event.whole, &data);
        }
        let edited = self.copies(gateway, stream, &event, &data)?;
        // The events of `/v1/responses` are numbered.
        let waits_for_all = parts.first.is_none() || stream.endpoint == Endpoint::Responses;
        let divisible = parts.first.is_some()
            && parts.others.is_empty()
            && event.finished.is_empty()
            && event.usage.is_none()
            && event.deltas.iter().all(|delta| delta.lane.channel.is_prose());
        let mut annotation = None;
        if self.asked.is_some() {
            for (choice, reason) in &event.finish_reasons {
                annotation = self.annotation(*choice, reason, &stream.kept).or(annotation);
            }
        }
        let edited = match annotation {
            Some(members) => inserted(edited.as_deref().unwrap_or(&data), &members).or(edited),
            None => edited,
        };
        let finished = event.finished;
        drop(data);
        let frame = match edited {
            Some(data) => frame.replaced(&data),
            None => frame,
        };
        stream.queue.push_back(Queued { frame, parts, finished, waits_for_all, divisible });
        Ok(())
    }

    /// An event that cannot be read, where the operator lets failures pass.
    fn pass_unread(&mut self, stream: &mut Stream, frame: Frame) {
        self.record.error_code = "uninspected_event";
        self.record.scanned.response_unread = Some(Unread::Unreadable);
        stream.queue.push_back(Queued::barrier(frame));
    }

    /// Inspects a text that an event adds to a lane.
    fn add(&mut self, gateway: &Gateway, stream: &mut Stream, lane: Lane, text: &str) -> Result<Part, Stop> {
        let position = stream.lane(lane);
        let mut part = Part { lane: position, range: 0..0, left_to: 0 };
        let Some((_, holdback)) = stream.lanes.get_mut(position) else { return Ok(part) };
        let start = holdback.received();
        let scratch = &mut gateway.scratch.borrow_mut();
        let mut judge = Judge { chain: &gateway.chain, active: self.active, scratch, findings: Vec::new() };
        let progress = holdback.push(text, &mut judge);
        (part.range, part.left_to) = (start..holdback.received(), start);
        if self.asked.is_some() {
            stream.kept.push(lane, text);
        }
        self.record.said_bytes += text.len() as u64;
        if stream.inspects {
            self.record.scanned.count(Direction::Response, lane.channel.kind(), text.len());
        }
        if !judge.findings.is_empty() {
            self.record.found(&judge.findings, &lane);
        }
        match progress {
            Progress::Blocked(finding) => Err(Stop::Block(finding)),
            Progress::Released => Ok(part),
        }
    }

    /// Inspects the texts that stand whole in an event, and empties those that cannot; its data with the edits, if any.
    ///
    /// Most of them repeat what came in pieces. Inspected alike they are edited alike; they are counted only where they are new.
    fn copies(
        &mut self,
        gateway: &Gateway,
        stream: &mut Stream,
        event: &Event,
        data: &[u8],
    ) -> Result<Option<Vec<u8>>, Stop> {
        let mut splices: Vec<Splice> = Vec::new();
        if stream.inspects {
            // It ends where a match may only have begun, and what is held of its lane is in it.
            event
                .so_far
                .iter()
                .filter(|text| !text.value.is_empty())
                .for_each(|text| text.replace("", &mut splices));
        }
        let mut findings = Vec::new();
        let known = stream.lanes.len();
        for text in event.whole.iter().filter(|text| !text.value.is_empty()) {
            findings.clear();
            gateway.chain.inspect(
                self.active,
                Direction::Response,
                text.role,
                &text.value,
                0,
                &mut gateway.scratch.borrow_mut(),
                &mut findings,
            );
            let lane = text.lane();
            let is_lane = lane.channel != Channel::Prompt;
            let is_copy = is_lane && stream.lanes.iter().take(known).any(|(known, _)| *known == lane);
            if !is_copy {
                self.record.said_bytes += text.value.len() as u64;
                if stream.inspects {
                    self.record.scanned.count(Direction::Response, lane.channel.kind(), text.value.len());
                }
                if is_lane {
                    stream.lane(lane);
                }
                if !findings.is_empty() {
                    self.record.found(&findings, &text.place);
                }
            }
            if let Some(position) = findings.iter().position(Finding::blocks) {
                let finding = findings.swap_remove(position);
                if is_copy {
                    self.record.found(std::slice::from_ref(&finding), &text.place);
                }
                return Err(Stop::Block(finding));
            }
            let before = splices.len();
            redact(gateway, text, data, &findings, &mut splices);
            if splices.len() > before {
                hide_tokens(text.choice, &event.leaks, data, &mut splices);
            }
        }
        Ok((!splices.is_empty()).then(|| rewrite::apply(data, &splices)))
    }

    /// No more text will come on these lanes: everything held is decided.
    fn finish_lanes(
        &mut self,
        gateway: &Gateway,
        stream: &mut Stream,
        which: impl Fn(&Lane) -> bool,
    ) -> Result<(), Stop> {
        let (active, record) = (self.active, &mut self.record);
        let scratch = &mut gateway.scratch.borrow_mut();
        let mut judge = Judge { chain: &gateway.chain, active, scratch, findings: Vec::new() };
        for (lane, holdback) in stream.lanes.iter_mut().filter(|(lane, _)| which(lane)) {
            let progress = holdback.finish(&mut judge);
            if !judge.findings.is_empty() {
                record.found(&judge.findings, &lane);
                judge.findings.clear();
            }
            if let Progress::Blocked(finding) = progress {
                return Err(Stop::Block(finding));
            }
        }
        Ok(())
    }

    fn stop(&mut self, stream: &mut Stream, stop: Stop) -> ChunkStep {
        stream.closed = true;
        stream.queue.clear();
        let gateway = self.gateway.clone();
        match (stop, stream.started) {
            (Stop::Block(finding), false) => ChunkStep::Refuse(self.block(Direction::Response, &finding)),
            (Stop::Block(finding), true) => {
                self.record.blocked_by(&finding);
                self.record.ended = Some(Ended::Blocked);
                self.record.error_code = "output_blocked";
                let message = gateway.chain.message(finding.policy);
                ChunkStep::Replace(reply::stream_blocked(stream.numbered(), &finding, message))
            }
            (Stop::OverBudget(limit), false) => ChunkStep::Refuse(
                self.refuse(Reply::budget_exceeded(&limit.reset(), limit.wait_s), Ended::Blocked),
            ),
            (Stop::OverBudget(limit), true) => {
                self.record.ended = Some(Ended::Blocked);
                self.record.error_code = "budget_exceeded";
                ChunkStep::Replace(reply::stream_over_budget(stream.numbered(), &limit.reset()))
            }
            (Stop::Uninspectable(why), false) => {
                let reply = Reply::uninspectable_answer(why);
                ChunkStep::Refuse(self.refuse(reply, Ended::GatewayFailure))
            }
            (Stop::Uninspectable(why), true) => {
                self.record.ended = Some(Ended::GatewayFailure);
                self.record.error_code = "gateway_failure";
                ChunkStep::Replace(reply::stream_failed(stream.numbered(), why))
            }
        }
    }
}

/// The payload with more members at the front of its object.
fn inserted(data: &[u8], members: &[u8]) -> Option<Vec<u8>> {
    let open = data.iter().position(|byte| *byte == b'{')? + 1;
    let (before, after) = data.split_at_checked(open)?;
    Some([before, members, after].concat())
}

impl Queued {
    fn barrier(frame: Frame) -> Queued {
        Queued { frame, parts: Parts::default(), finished: Vec::new(), waits_for_all: true, divisible: false }
    }
}

impl Stream {
    /// The number of the next event, where events have one.
    fn numbered(&self) -> Option<u64> {
        (self.endpoint == Endpoint::Responses).then_some(self.events)
    }

    /// Lets every event leave that nothing holds any more.
    fn release(&mut self, out: &mut Vec<u8>) {
        let Stream { endpoint, lanes, queue, .. } = self;
        // What waits, of what comes behind it: the lanes it adds to, and the choices of those.
        let mut waiting: Vec<usize> = Vec::new();
        let mut position = 0;
        loop {
            let count = queue.len();
            let Some(event) = queue.get_mut(position) else { break };
            let choice_of = |lane: &usize| lanes.get(*lane).map(|(lane, _)| lane.choice);
            let overtakes = event.parts.iter().any(|part| waiting.contains(&part.lane))
                || (event.waits_for_all && position > 0)
                || waiting.iter().filter_map(choice_of).any(|choice| event.finished.contains(&choice));
            let released = |part: &Part| lanes.get(part.lane).map_or(0, |(_, holdback)| holdback.released());
            if !overtakes && event.parts.iter().all(|part| part.range.end <= released(part)) {
                emit(*endpoint, lanes, event, out);
                queue.remove(position);
                continue;
            }
            if event.divisible && !overtakes {
                emit_first_part(*endpoint, lanes, event, out);
            }
            let lanes_of_it = event.parts.iter().map(|part| part.lane);
            position += 1;
            // What nothing is behind, nothing waits for.
            if position < count {
                waiting.extend(lanes_of_it);
            }
        }
        for (index, (_, holdback)) in lanes.iter_mut().enumerate() {
            let waiting = queue.iter().flat_map(|event| event.parts.iter()).filter(|part| part.lane == index);
            let place = waiting.map(|part| part.left_to).min().unwrap_or_else(|| holdback.released());
            holdback.forget(place);
        }
    }
}

/// Writes the event; its text is decided to the end.
fn emit(endpoint: Endpoint, lanes: &[(Lane, LaneHold)], event: &Queued, out: &mut Vec<u8>) {
    let untouched = |part: &Part| {
        part.left_to == part.range.start && edits(lanes, part.lane, &part.range).next().is_none()
    };
    if event.parts.iter().all(untouched) {
        return out.extend_from_slice(event.frame.bytes());
    }
    let texts: Vec<Range<u64>> = event.parts.iter().map(|part| part.left_to..part.range.end).collect();
    let bare = |part: &Part| edits(lanes, part.lane, &part.range).next().is_some();
    let leaking: Vec<bool> = event.parts.iter().map(bare).collect();
    write_edited(endpoint, lanes, event, &texts, &leaking, out);
}

/// Writes what is certain of an event whose end is not.
fn emit_first_part(endpoint: Endpoint, lanes: &[(Lane, LaneHold)], event: &mut Queued, out: &mut Vec<u8>) {
    let Some(part) = &event.parts.first else { return };
    let Some((_, holdback)) = lanes.get(part.lane) else { return };
    let certain = part.left_to..holdback.released().min(part.range.end);
    // White space alone is not worth an event of its own: it can wait for the word after it.
    let blank = holdback.is_blank_since(certain.start);
    if certain.is_empty() || blank {
        return;
    }
    let left_to = certain.end;
    // The token ids and probabilities of the event tell what is held.
    write_edited(endpoint, lanes, event, &[certain], &[true], out);
    if let Some(part) = &mut event.parts.first {
        part.left_to = left_to;
    }
}

fn write_edited(
    endpoint: Endpoint,
    lanes: &[(Lane, LaneHold)],
    queued: &Queued,
    ranges: &[Range<u64>],
    leaking: &[bool],
    out: &mut Vec<u8>,
) {
    let Some(data) = queued.frame.data() else { return };
    // It could be read when it came in.
    let Ok(event) = delta::read(endpoint, &data) else { return };
    let mut splices: Vec<Splice> = Vec::new();
    for ((delta, part), (range, leaks)) in
        event.deltas.iter().zip(queued.parts.iter()).zip(ranges.iter().zip(leaking))
    {
        let text = edited(lanes, part, &delta.text.value, range);
        for place in std::iter::once(&delta.text).chain(&delta.copies) {
            place.replace(&text, &mut splices);
        }
        if *leaks {
            hide_tokens(delta.lane.choice, &event.leaks, &data, &mut splices);
        }
        if let Some(role_at) = event.role_at.clone().filter(|_| range.start > part.range.start) {
            // The first part has said it, and clients join strings that come twice.
            splices.push(Splice::null(role_at));
        }
    }
    let data = rewrite::apply(&data, &splices);
    out.extend_from_slice(&queued.frame.with_data(&data));
}

/// The part of a lane's text in `range`, with its edits. A marker stands where its match begins.
fn edited(lanes: &[(Lane, LaneHold)], part: &Part, original: &str, range: &Range<u64>) -> String {
    let slice = |from: u64, to: u64| {
        let local = |place: u64| usize::try_from(place - part.range.start).unwrap_or(usize::MAX);
        original.get(local(from)..local(to)).unwrap_or_default()
    };
    let mut text = String::new();
    let mut at = range.start;
    for edit in edits(lanes, part.lane, range) {
        if edit.start >= range.start {
            text.push_str(slice(at, edit.start));
            text.push_str(&edit.marker);
        }
        at = edit.end.clamp(at, range.end);
    }
    text.push_str(slice(at, range.end));
    text
}

/// The edits that touch `range` of a lane.
fn edits<'l>(
    lanes: &'l [(Lane, LaneHold)],
    lane: usize,
    range: &Range<u64>,
) -> impl Iterator<Item = &'l Edit> + use<'l> {
    let range = range.clone();
    let all = lanes.get(lane).map(|(_, holdback)| holdback.edits()).into_iter().flatten();
    all.filter(move |edit| edit.start < range.end && edit.end > range.start)
}

//! The chain's time inside Envoy's V8: a filter that measures when it is asked, and one that does nothing.
//!
//! `GET /request/<policies>/<bytes>/<content>`, `/exchange/<policies>/<bytes>` and `/stream/<policies>` run the work in batches
//! on the worker that got the request, and answer microseconds as JSON. Configured with `idle`, its streams do nothing: what entering a VM costs.
//! Never part of a gateway.

#![allow(missing_docs, reason = "the SDK's macro makes the module's start public")]

use kt_bench_fixture::{
    Content, Fresh, Problem, Streaming, events, exchange, gateway_with_memory, proven_request, request,
    requests, whole_answer,
};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::hint::black_box;
use std::time::{Duration, SystemTime};

/// Long against the microsecond in which Envoy's clock for modules counts.
const BATCH: Duration = Duration::from_millis(2);
/// Enough that some of them were not interrupted.
const BATCHES: usize = 60;
/// Events of a measured stream.
const TOKENS: usize = 200;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { idle: false }));
}}

struct Root {
    idle: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.idle = self.get_plugin_configuration().as_deref() == Some(b"idle");
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(if self.idle { Box::new(Idle) } else { Box::new(Measuring) })
    }
}

/// Lets everything pass.
struct Idle;

impl Context for Idle {}
impl HttpContext for Idle {}

/// Answers every request with a measurement.
struct Measuring;

impl Context for Measuring {}

impl HttpContext for Measuring {
    fn on_http_request_headers(&mut self, _count: usize, _ends: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let (status, text) = match measure(&path, || self.get_current_time()) {
            Ok(times) => (200, format!("{times}\n")),
            Err(problem) => (400, format!("{problem}\n")),
        };
        self.send_http_response(status, vec![("content-type", "application/json")], Some(text.as_bytes()));
        Action::Pause
    }
}

fn measure(path: &str, now: impl Fn() -> SystemTime) -> Result<serde_json::Value, Problem> {
    let parts: Vec<&str> = path.split('/').collect();
    let (work, policies) = match parts.as_slice() {
        ["", work, policies, ..] => (*work, policies.split(',').collect::<Vec<_>>()),
        _ => return Err(format!("no work is named by `{path}`")),
    };
    let began = now();
    let gateway = gateway_with_memory(&policies)?;
    let built_us = elapsed(began, now()).as_secs_f64() * 1e6;
    let (first_us, times) = match (work, parts.get(3..)) {
        ("request", Some([bytes, content])) => {
            let bytes = bytes.parse().map_err(|_| format!("`{bytes}` is no number of bytes"))?;
            let is_new = *content != "known";
            let content = if *content == "personal" { Content::Personal } else { Content::Clean };
            let bodies = requests(bytes, content)?;
            let began = now();
            bodies.iter().take(1).try_for_each(|body| request(&gateway, body).map(drop))?;
            let first_us = elapsed(began, now()).as_secs_f64() * 1e6;
            // A chain that does not redact edits nothing, whatever the body.
            if policies.contains(&"pii-detector") {
                bodies.iter().try_for_each(|body| proven_request(&gateway, body, content))?;
            }
            let mut bodies: Vec<Fresh> = bodies.into_iter().map(Fresh::new).collect();
            let mut number = 0;
            let times = batches(&now, || {
                number += 1;
                let place = number % bodies.len();
                let Some(body) = bodies.get_mut(place) else { return Ok(()) };
                if is_new {
                    body.renew(number as u64);
                }
                request(&gateway, black_box(body.bytes())).map(|dispatch| drop(black_box(dispatch)))
            })?;
            (first_us, times)
        }
        ("exchange", Some([bytes])) => {
            let bytes = bytes.parse().map_err(|_| format!("`{bytes}` is no number of bytes"))?;
            let bodies = requests(bytes, Content::Clean)?;
            let answers: Vec<Vec<u8>> = (0..8).map(whole_answer).collect();
            let mut bodies: Vec<Fresh> = bodies.into_iter().map(Fresh::new).collect();
            let mut number = 0;
            let times = batches(&now, || {
                number += 1;
                let (body, answer) = (number % bodies.len(), number % answers.len());
                let (Some(body), Some(answer)) = (bodies.get_mut(body), answers.get(answer)) else {
                    return Ok(());
                };
                body.renew(number as u64);
                exchange(&gateway, black_box(body.bytes()), black_box(answer)).map(|length| {
                    black_box(length);
                })
            })?;
            (0.0, times)
        }
        ("stream", _) => {
            let streams: Vec<Vec<Vec<u8>>> = (0..8).map(|seed| events(TOKENS, seed)).collect();
            let mut turn = streams.iter().cycle();
            let mut times = batches(&now, || {
                let mut streaming = Streaming::start(&gateway)?;
                for event in turn.next().into_iter().flatten() {
                    black_box(streaming.event(black_box(event))?);
                }
                black_box(streaming.finish());
                Ok(())
            })?;
            // What starting and ending an exchange costs is not the events'.
            let around = batches(&now, || {
                Streaming::start(&gateway).map(|streaming| {
                    black_box(streaming.finish());
                })
            })?;
            let around = around.iter().copied().fold(f64::INFINITY, f64::min);
            times.iter_mut().for_each(|time| *time = (*time - around) / TOKENS as f64);
            (0.0, times)
        }
        _ => return Err(format!("unknown work `{path}`")),
    };
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    let minimum = sorted.first().copied().unwrap_or_default();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    Ok(
        serde_json::json!({"min_us": minimum, "median_us": median, "first_us": first_us, "built_us": built_us}),
    )
}

/// Microseconds of one `work`, by batch.
fn batches(
    now: &impl Fn() -> SystemTime,
    mut work: impl FnMut() -> Result<(), Problem>,
) -> Result<Vec<f64>, Problem> {
    let mut size = 16_u32;
    let mut times = Vec::with_capacity(BATCHES);
    while times.len() < BATCHES {
        let began = now();
        for _ in 0..size {
            work()?;
        }
        let took = elapsed(began, now());
        if took < BATCH {
            // The first batches find out how long a batch must be.
            size *= 2;
            continue;
        }
        times.push(took.as_secs_f64() * 1e6 / f64::from(size));
    }
    Ok(times)
}

fn elapsed(began: SystemTime, ended: SystemTime) -> Duration {
    ended.duration_since(began).unwrap_or_default()
}

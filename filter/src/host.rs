//! Every call into Envoy.
//!
//! proxy-wasm's own wrappers panic on a status they do not expect, and a panic costs the worker its VM; the calls here are
//! the ones whose statuses are known for the phases they are used in. A failed call reads as an absent value.

use kt_core::reply::Reply;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType};
use std::time::{Duration, UNIX_EPOCH};

/// Filter state of our own lives under this prefix (Envoy puts `wasm.` before it).
pub(crate) mod state {
    /// The cluster the next attempt goes to; Envoy's matcher reads it.
    pub(crate) const NEXT: &str = "kt.next";
    /// The note for the attempts, and what became of them so far.
    pub(crate) const PLAN: &str = "kt.plan";
    /// The caller's own key, for targets that want it.
    pub(crate) const CLIENT_KEY: &str = "kt.client_key";
    /// The same, if the request names the provider.
    pub(crate) const NAMED_KEY: &str = "kt.named_key";
    /// The event's line; Envoy's access log prints it.
    pub(crate) const EVENT: &str = "kt.event";
}

/// More than any body that Envoy buffers for us.
const WHOLE: usize = 1 << 30;

/// The plugin's configuration.
pub(crate) fn plugin_configuration() -> Option<Vec<u8>> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, WHOLE).ok().flatten()
}

fn lossy(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let now = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// All request headers, names in lower case. Values may be any bytes on the wire, and the wrapper that wants UTF-8 panics.
pub(crate) fn request_headers() -> Vec<(String, String)> {
    let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default();
    headers.into_iter().map(|(name, value)| (name, lossy(value))).collect()
}

/// Sets or removes a request header.
pub(crate) fn set_request_header(name: &str, value: Option<&str>) {
    let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, value);
}

/// One response header.
pub(crate) fn response_header(name: &str) -> Option<String> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten().map(lossy)
}

/// Sets or removes a response header.
pub(crate) fn set_response_header(name: &str, value: Option<&str>) {
    let _ = hostcalls::set_map_value(MapType::HttpResponseHeaders, name, value);
}

/// The request's body, as far as it is buffered.
pub(crate) fn request_body() -> Vec<u8> {
    hostcalls::get_buffer(BufferType::HttpRequestBody, 0, WHOLE).ok().flatten().unwrap_or_default()
}

/// The first `len` bytes of the request's body.
pub(crate) fn request_body_start(len: usize) -> Vec<u8> {
    match len {
        0 => Vec::new(),
        _ => hostcalls::get_buffer(BufferType::HttpRequestBody, 0, len).ok().flatten().unwrap_or_default(),
    }
}

/// Replaces the first `len` bytes of the request's body.
pub(crate) fn set_request_body_start(len: usize, with: &[u8]) {
    let _ = hostcalls::set_buffer(BufferType::HttpRequestBody, 0, len, with);
}

/// Replaces the request's body.
pub(crate) fn set_request_body(body: &[u8]) {
    set_request_body_start(WHOLE, body);
}

/// The answer's body, as far as it is buffered; in a stream, the chunk.
pub(crate) fn response_body() -> Vec<u8> {
    response_body_start(WHOLE)
}

/// At most so many bytes of the same.
pub(crate) fn response_body_start(len: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::HttpResponseBody, 0, len).ok().flatten().unwrap_or_default()
}

/// Replaces the same.
pub(crate) fn set_response_body(body: &[u8]) {
    let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, WHOLE, body);
}

/// Our own filter state, as text.
pub(crate) fn state(key: &str) -> Option<String> {
    let value = hostcalls::get_property(vec![key]).ok().flatten()?;
    String::from_utf8(value).ok()
}

/// Sets our own filter state.
pub(crate) fn set_state(key: &str, value: &[u8]) {
    let _ = hostcalls::set_property(vec![key], Some(value));
}

/// An attribute of the stream that is a number.
pub(crate) fn number(path: [&str; 2]) -> Option<u64> {
    let value = hostcalls::get_property(path.to_vec()).ok().flatten()?;
    Some(u64::from_le_bytes(value.try_into().ok()?))
}

/// An attribute of the stream that is text.
pub(crate) fn text(path: [&str; 2]) -> Option<String> {
    let value = hostcalls::get_property(path.to_vec()).ok().flatten()?;
    String::from_utf8(value).ok()
}

/// A value that all workers share, and its version.
pub(crate) fn shared(key: &str) -> Option<(Vec<u8>, u32)> {
    match hostcalls::get_shared_data(key) {
        Ok((Some(value), version)) => Some((value, version.unwrap_or(0))),
        _ => None,
    }
}

/// Replaces a value of this version, or of any if it is 0; `false` if another worker was faster.
pub(crate) fn set_shared(key: &str, value: &[u8], version: u32) -> bool {
    hostcalls::set_shared_data(key, Some(value), Some(version).filter(|version| *version != 0)).is_ok()
}

/// A metric that Envoy shows under this name.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    hostcalls::define_metric(kind, name).ok()
}

/// Counts so many.
pub(crate) fn count_metric(metric: u32, by: u64) {
    let _ = hostcalls::increment_metric(metric, i64::try_from(by).unwrap_or(i64::MAX));
}

/// Sets a gauge, or adds to a histogram.
pub(crate) fn record_metric(metric: u32, value: u64) {
    let _ = hostcalls::record_metric(metric, value);
}

/// Asks an upstream without a body; gives the number of the call.
pub(crate) fn call(cluster: &str, authority: &str, path: &str, timeout_ms: u32) -> Option<u32> {
    let headers =
        vec![(":method", "GET"), (":path", path), (":authority", authority), ("user-agent", "kt-probe")];
    hostcalls::dispatch_http_call(
        cluster,
        headers,
        None,
        Vec::new(),
        Duration::from_millis(timeout_ms.into()),
    )
    .ok()
}

/// Asks an upstream with a body of JSON; gives the number of the call.
pub(crate) fn post(cluster: &str, authority: &str, path: &str, body: &[u8], timeout_ms: u32) -> Option<u32> {
    let length = body.len().to_string();
    let headers = vec![
        (":method", "POST"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("content-length", &length),
    ];
    let timeout = Duration::from_millis(timeout_ms.into());
    hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout).ok()
}

/// Body of the answer to a call, up to a size that no answer of use has.
pub(crate) fn call_body() -> Vec<u8> {
    const MOST: usize = 256 * 1024;
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, MOST).ok().flatten().unwrap_or_default()
}

/// Lets a request go on that was paused.
pub(crate) fn resume_request() {
    let _ = hostcalls::resume_http_request();
}

/// Status of the answer to a call. Only where the call has headers: without any the wrapper panics.
pub(crate) fn call_status() -> Option<u16> {
    let status =
        hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok().flatten()?;
    std::str::from_utf8(&status).ok()?.parse().ok()
}

/// Makes Envoy choose the route's cluster again.
pub(crate) fn clear_route_cache() {
    let _ = hostcalls::call_foreign_function("clear_route_cache", None);
}

/// Calls the tick of the root context so often; zero stops it.
pub(crate) fn tick_every(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

/// Resets a stream that is not over, from outside of it.
pub(crate) fn reset(context: u32) {
    if hostcalls::set_effective_context(context).is_ok() {
        let _ = hostcalls::reset_http_response();
    }
}

/// Answers in place of the upstream. In the middle of an answer this resets the stream.
pub(crate) fn reply(reply: &Reply) {
    let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _ = hostcalls::send_http_response(u32::from(reply.status), headers, Some(&reply.body));
}

//! The host calls of proxy-wasm 0.2.1, with the statuses Envoy 1.40 returns.
//!
//! Calls to other services are refused: what the filter does then is for the tests with the real Envoy.

use super::memory::{decode, encode, give, read, text, write};
use super::{Fields, LocalReply, Phase, State, Stream};
use std::collections::BTreeMap;
use wasmtime::{Caller, Linker};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY: u32 = 6;
const CAS_MISMATCH: u32 = 8;
const INTERNAL_FAILURE: u32 = 10;

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

type Host<'a> = Caller<'a, State>;

fn done(fine: bool) -> u32 {
    if fine { OK } else { INVALID_MEMORY }
}

pub(super) fn define(linker: &mut Linker<State>) {
    let env = "env";
    linker.func_wrap(env, "proxy_log", log).unwrap();
    linker
        .func_wrap(env, "proxy_get_log_level", |mut host: Host<'_>, at: u32| {
            done(write(&mut host, at, &[0; 4]))
        })
        .unwrap();
    linker.func_wrap(env, "proxy_get_current_time_nanoseconds", now).unwrap();
    linker.func_wrap(env, "proxy_set_tick_period_milliseconds", |_: u32| OK).unwrap();
    linker.func_wrap(env, "proxy_get_buffer_bytes", buffer_bytes).unwrap();
    linker.func_wrap(env, "proxy_set_buffer_bytes", set_buffer_bytes).unwrap();
    linker.func_wrap(env, "proxy_get_header_map_pairs", map_pairs).unwrap();
    linker.func_wrap(env, "proxy_set_header_map_pairs", set_map_pairs).unwrap();
    linker.func_wrap(env, "proxy_get_header_map_value", map_value).unwrap();
    linker.func_wrap(env, "proxy_replace_header_map_value", replace_map_value).unwrap();
    linker.func_wrap(env, "proxy_add_header_map_value", add_map_value).unwrap();
    linker.func_wrap(env, "proxy_remove_header_map_value", remove_map_value).unwrap();
    linker.func_wrap(env, "proxy_get_property", property).unwrap();
    linker.func_wrap(env, "proxy_set_property", set_property).unwrap();
    linker.func_wrap(env, "proxy_get_shared_data", shared_data).unwrap();
    linker.func_wrap(env, "proxy_set_shared_data", set_shared_data).unwrap();
    linker.func_wrap(env, "proxy_continue_stream", continue_stream).unwrap();
    linker.func_wrap(env, "proxy_close_stream", close_stream).unwrap();
    linker.func_wrap(env, "proxy_send_local_response", send_local_response).unwrap();
    linker.func_wrap(env, "proxy_set_effective_context", set_effective_context).unwrap();
    linker.func_wrap(env, "proxy_call_foreign_function", call_foreign_function).unwrap();
    linker.func_wrap(env, "proxy_done", || OK).unwrap();
    linker.func_wrap(env, "proxy_define_metric", define_metric).unwrap();
    linker.func_wrap(env, "proxy_get_metric", metric).unwrap();
    linker
        .func_wrap(env, "proxy_record_metric", |host: Host<'_>, id: u32, value: u64| {
            change_metric(host, id, |_| value)
        })
        .unwrap();
    linker
        .func_wrap(env, "proxy_increment_metric", |host: Host<'_>, id: u32, by: i64| {
            change_metric(host, id, |value| value.saturating_add_signed(by))
        })
        .unwrap();
    linker
        .func_wrap(
            env,
            "proxy_http_call",
            |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| INTERNAL_FAILURE,
        )
        .unwrap();
}

fn log(mut host: Host<'_>, level: u32, at: u32, size: u32) -> u32 {
    let Some(message) = text(&mut host, at, size) else { return INVALID_MEMORY };
    let names = ["trace", "debug", "info", "warn", "error", "critical"];
    let level = names.get(level as usize).copied().unwrap_or("?");
    host.data_mut().logs.push(format!("{level}: {message}"));
    OK
}

fn now(mut host: Host<'_>, at: u32) -> u32 {
    host.data_mut().now_ns += 1_000;
    let now = host.data().now_ns;
    done(write(&mut host, at, &now.to_le_bytes()))
}

/// The buffer of `kind`, if the filter may touch it now.
fn buffer(stream: &mut Stream, kind: u32) -> Option<&mut Vec<u8>> {
    match (kind, stream.phase) {
        (REQUEST_BODY, Phase::RequestBody | Phase::RequestTrailers) => Some(&mut stream.request.buffer),
        (RESPONSE_BODY, Phase::ResponseBody | Phase::ResponseTrailers) => Some(&mut stream.response.buffer),
        _ => None,
    }
}

fn buffer_bytes(mut host: Host<'_>, kind: u32, start: u32, size: u32, pointer_at: u32, size_at: u32) -> u32 {
    let state = host.data_mut();
    let bytes = match kind {
        VM_CONFIGURATION => Some(Vec::new()),
        PLUGIN_CONFIGURATION => Some(state.plugin_config.clone()),
        _ => state.stream().and_then(|stream| buffer(stream, kind)).cloned(),
    };
    let Some(bytes) = bytes else { return NOT_FOUND };
    let Some(end) = start.checked_add(size) else { return BAD_ARGUMENT };
    let end = (end as usize).min(bytes.len());
    let start = (start as usize).min(end);
    done(give(&mut host, &bytes[start..end], pointer_at, size_at))
}

fn set_buffer_bytes(mut host: Host<'_>, kind: u32, start: u32, size: u32, at: u32, new_size: u32) -> u32 {
    let Some(new) = read(&mut host, at, new_size) else { return INVALID_MEMORY };
    let Some(bytes) = host.data_mut().stream().and_then(|stream| buffer(stream, kind)) else {
        return NOT_FOUND;
    };
    let (start, size) = (start as usize, size as usize);
    if start == 0 {
        bytes.splice(..size.min(bytes.len()), new);
    } else if start >= bytes.len() {
        bytes.extend(new);
    } else {
        return BAD_ARGUMENT;
    }
    OK
}

/// The header map of `kind`, if there is one now.
fn map(stream: &mut Stream, kind: u32) -> Option<&mut Fields> {
    let phase = stream.phase;
    let answering =
        matches!(phase, Phase::ResponseHeaders | Phase::ResponseBody | Phase::ResponseTrailers | Phase::Log);
    match kind {
        0 => Some(&mut stream.request.headers),
        1 if phase == Phase::RequestTrailers || answering => Some(&mut stream.request.trailers),
        2 if answering => Some(&mut stream.response.headers),
        3 if matches!(phase, Phase::ResponseTrailers | Phase::Log) => Some(&mut stream.response.trailers),
        _ => None,
    }
}

fn with_map(host: &mut Host<'_>, kind: u32, change: impl FnOnce(&mut Fields)) -> u32 {
    match host.data_mut().stream().and_then(|stream| map(stream, kind)) {
        Some(fields) => {
            change(fields);
            OK
        }
        None => BAD_ARGUMENT,
    }
}

fn map_pairs(mut host: Host<'_>, kind: u32, pointer_at: u32, size_at: u32) -> u32 {
    let Some(fields) = host.data_mut().stream().and_then(|stream| map(stream, kind)).cloned() else {
        return BAD_ARGUMENT;
    };
    done(give(&mut host, &encode(&fields), pointer_at, size_at))
}

fn set_map_pairs(mut host: Host<'_>, kind: u32, at: u32, size: u32) -> u32 {
    let Some(new) = read(&mut host, at, size).and_then(|bytes| decode(&bytes)) else { return BAD_ARGUMENT };
    with_map(&mut host, kind, |fields| *fields = new)
}

fn map_value(
    mut host: Host<'_>,
    kind: u32,
    name_at: u32,
    name_size: u32,
    pointer_at: u32,
    size_at: u32,
) -> u32 {
    let Some(name) = text(&mut host, name_at, name_size) else { return INVALID_MEMORY };
    let Some(fields) = host.data_mut().stream().and_then(|stream| map(stream, kind)) else {
        return BAD_ARGUMENT;
    };
    let Some((_, value)) = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(&name)) else {
        return NOT_FOUND;
    };
    let value = value.clone();
    done(give(&mut host, value.as_bytes(), pointer_at, size_at))
}

fn replace_map_value(
    mut host: Host<'_>,
    kind: u32,
    name_at: u32,
    name_size: u32,
    value_at: u32,
    value_size: u32,
) -> u32 {
    let (Some(name), Some(value)) =
        (text(&mut host, name_at, name_size), text(&mut host, value_at, value_size))
    else {
        return INVALID_MEMORY;
    };
    with_map(&mut host, kind, |fields| {
        let name = name.to_ascii_lowercase();
        let place = fields.iter().position(|(field, _)| *field == name);
        fields.retain(|(field, _)| *field != name);
        fields.insert(place.unwrap_or(fields.len()).min(fields.len()), (name, value));
    })
}

fn add_map_value(
    mut host: Host<'_>,
    kind: u32,
    name_at: u32,
    name_size: u32,
    value_at: u32,
    value_size: u32,
) -> u32 {
    let (Some(name), Some(value)) =
        (text(&mut host, name_at, name_size), text(&mut host, value_at, value_size))
    else {
        return INVALID_MEMORY;
    };
    with_map(&mut host, kind, |fields| fields.push((name.to_ascii_lowercase(), value)))
}

fn remove_map_value(mut host: Host<'_>, kind: u32, name_at: u32, name_size: u32) -> u32 {
    let Some(name) = text(&mut host, name_at, name_size) else { return INVALID_MEMORY };
    with_map(&mut host, kind, |fields| fields.retain(|(field, _)| !field.eq_ignore_ascii_case(&name)))
}

/// Properties of the stream itself, then filter state, which Envoy keeps under `wasm.` and the name.
fn property(mut host: Host<'_>, path_at: u32, path_size: u32, pointer_at: u32, size_at: u32) -> u32 {
    let Some(path) = text(&mut host, path_at, path_size) else { return INVALID_MEMORY };
    let path = path.trim_end_matches('\0').to_owned();
    let Some(stream) = host.data_mut().stream() else { return NOT_FOUND };
    let header = |fields: &Fields, name: &str| {
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone().into_bytes())
    };
    let known = match path.as_str() {
        "request\0path" => header(&stream.request.headers, ":path"),
        "request\0method" => header(&stream.request.headers, ":method"),
        "request\0host" => header(&stream.request.headers, ":authority"),
        "request\0id" => header(&stream.request.headers, "x-request-id"),
        "source\0address" => Some(b"127.0.0.1:50000".to_vec()),
        "upstream\0request_attempt_count" => Some(u64::from(stream.request.ended).to_le_bytes().to_vec()),
        _ => stream.properties.get(&path).cloned(),
    };
    let value = known.or_else(|| stream.filter_state.get(&format!("wasm.{path}")).cloned());
    match value {
        Some(value) => done(give(&mut host, &value, pointer_at, size_at)),
        None => NOT_FOUND,
    }
}

fn set_property(mut host: Host<'_>, path_at: u32, path_size: u32, value_at: u32, value_size: u32) -> u32 {
    let Some(path) = text(&mut host, path_at, path_size) else { return INVALID_MEMORY };
    let Some(value) = read(&mut host, value_at, value_size) else { return INVALID_MEMORY };
    let Some(stream) = host.data_mut().stream() else { return NOT_FOUND };
    stream.filter_state.insert(format!("wasm.{}", path.trim_end_matches('\0')), value);
    OK
}

fn shared_data(
    mut host: Host<'_>,
    key_at: u32,
    key_size: u32,
    pointer_at: u32,
    size_at: u32,
    cas_at: u32,
) -> u32 {
    let Some(key) = text(&mut host, key_at, key_size) else { return INVALID_MEMORY };
    let Some((value, cas)) = host.data().shared.get(&key).cloned() else { return NOT_FOUND };
    done(give(&mut host, &value, pointer_at, size_at) && write(&mut host, cas_at, &cas.to_le_bytes()))
}

fn set_shared_data(
    mut host: Host<'_>,
    key_at: u32,
    key_size: u32,
    value_at: u32,
    value_size: u32,
    cas: u32,
) -> u32 {
    let Some(key) = text(&mut host, key_at, key_size) else { return INVALID_MEMORY };
    let Some(value) = read(&mut host, value_at, value_size) else { return INVALID_MEMORY };
    let shared: &mut BTreeMap<_, _> = &mut host.data_mut().shared;
    let current = shared.get(&key).map_or(0, |(_, cas)| *cas);
    // Zero means "whatever it is", as in Envoy.
    if cas != 0 && cas != current {
        return CAS_MISMATCH;
    }
    shared.insert(key, (value, current + 1));
    OK
}

fn continue_stream(mut host: Host<'_>, way: u32) -> u32 {
    let Some(stream) = host.data_mut().stream() else { return BAD_ARGUMENT };
    match way {
        0 => stream.request.resumed = true,
        1 => stream.response.resumed = true,
        _ => return BAD_ARGUMENT,
    }
    OK
}

fn close_stream(mut host: Host<'_>, _way: u32) -> u32 {
    let Some(stream) = host.data_mut().stream() else { return BAD_ARGUMENT };
    stream.closed = true;
    OK
}

#[allow(clippy::too_many_arguments, reason = "the ABI has so many")]
fn send_local_response(
    mut host: Host<'_>,
    status: u32,
    _details_at: u32,
    _details_size: u32,
    body_at: u32,
    body_size: u32,
    headers_at: u32,
    headers_size: u32,
    _grpc_status: i32,
) -> u32 {
    let Some(body) = read(&mut host, body_at, body_size) else { return INVALID_MEMORY };
    let Some(headers) = read(&mut host, headers_at, headers_size).and_then(|bytes| decode(&bytes)) else {
        return BAD_ARGUMENT;
    };
    let Some(stream) = host.data_mut().stream() else { return BAD_ARGUMENT };
    stream.reply = Some(LocalReply { status, headers, body });
    OK
}

fn set_effective_context(mut host: Host<'_>, context: u32) -> u32 {
    host.data_mut().effective = context;
    OK
}

fn call_foreign_function(
    mut host: Host<'_>,
    name_at: u32,
    name_size: u32,
    _at: u32,
    _size: u32,
    pointer_at: u32,
    size_at: u32,
) -> u32 {
    match text(&mut host, name_at, name_size).as_deref() {
        Some("clear_route_cache") => {
            host.data_mut().route_recomputed += 1;
            done(give(&mut host, &[], pointer_at, size_at))
        }
        _ => NOT_FOUND,
    }
}

fn define_metric(mut host: Host<'_>, _kind: u32, name_at: u32, name_size: u32, id_at: u32) -> u32 {
    let Some(name) = text(&mut host, name_at, name_size) else { return INVALID_MEMORY };
    let metrics = &mut host.data_mut().metrics;
    let id = metrics.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
        metrics.push((name, 0));
        metrics.len() - 1
    });
    done(write(&mut host, id_at, &u32::try_from(id).unwrap().to_le_bytes()))
}

fn metric(mut host: Host<'_>, id: u32, at: u32) -> u32 {
    let Some((_, value)) = host.data().metrics.get(id as usize).cloned() else { return NOT_FOUND };
    done(write(&mut host, at, &value.to_le_bytes()))
}

fn change_metric(mut host: Host<'_>, id: u32, change: impl FnOnce(u64) -> u64) -> u32 {
    match host.data_mut().metrics.get_mut(id as usize) {
        Some((_, value)) => {
            *value = change(*value);
            OK
        }
        None => NOT_FOUND,
    }
}

//! For each routing key, the field it became and what stands there.
//!
//! Invariant: every value comes from what was rendered, by its place; a key whose place is not there would show as `-`.

use kt_core::plan::{Plan, Strategy};
use kt_core::targets::{KeySource, Target};
use serde::Serialize;
use serde_json::Value;

/// One key of the policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its path in the file.
    pub key: String,
    /// Its value there, or `(default)`.
    pub value: String,
    /// The field it became: of the route, of a cluster, or of the filter's own configuration.
    pub place: String,
    /// What stands in that field.
    pub became: String,
}

/// Shown where a field is not there.
const ABSENT: &str = "-";

/// Shown where the file says nothing.
const DEFAULT: &str = "(default)";

const PROTOCOL: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const INJECTOR: &str = "envoy.filters.http.credential_injector";
const MUTATION: &str = "envoy.filters.http.header_mutation";

/// Collects rows.
struct Table<'a> {
    source: &'a Value,
    rows: Vec<Row>,
}

/// A rendered object and its name for people.
#[derive(Clone, Copy)]
struct Part<'a> {
    name: &'a str,
    value: Option<&'a Value>,
}

/// Every routing key with the field it became. `source` is the operator's file, `rendered` Envoy's configuration, `filter` the
/// filter's own.
pub fn rows(plan: &Plan, source: &Value, rendered: &Value, filter: &Value) -> Vec<Row> {
    let mut table = Table { source, rows: Vec::new() };
    let filter = Part { name: "filter", value: filter.get("downstream") };
    let retry = Part { name: "route", value: route(rendered) };
    table.add("providers.strategy", &["providers.routing.strategy"], filter, &["strategy"]);
    table.add("providers.stream_idle_timeout_seconds", &[], retry, &["retry_policy", "per_try_idle_timeout"]);
    for (i, target) in plan.targets.iter().enumerate() {
        // What chooses among targets is not told to a filter that has only one.
        let strategy = if plan.targets.len() == 1 { Strategy::Single } else { plan.strategy };
        let alone = plan.targets.len() == 1;
        table.target((i, target), (alone, strategy), [filter, retry], rendered);
    }
    table.rows
}

fn route(rendered: &Value) -> Option<&Value> {
    let listener =
        rendered.pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")?;
    let routes = listener.pointer("/route_config/virtual_hosts/0/routes")?.as_array()?;
    routes.iter().find_map(|route| route.get("route"))
}

fn named<'a>(list: Option<&'a Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    let name = name.to_owned();
    items.filter(move |item| item.get("name").and_then(Value::as_str) == Some(&name))
}

impl Table<'_> {
    fn target(
        &mut self,
        (i, target): (usize, &Target),
        (alone, strategy): (bool, Strategy),
        outer: [Part<'_>; 2],
        rendered: &Value,
    ) {
        let [filter, route] = outer;
        let clusters = rendered.pointer("/static_resources/clusters");
        let name = format!("kt_{}", target.id);
        let twin = format!("{name}~s");
        let named_cluster = |name: &str| named(clusters, name).next();
        let cluster = Part { name: &format!("cluster {name}"), value: named_cluster(&name) };
        let stream = Part { name: &format!("cluster {twin}"), value: named_cluster(&twin) };
        let stream = if target.has_streaming_twin() { stream } else { cluster };
        let own_name = format!("filter targets[{i}]");
        let index = i.to_string();
        let own = Part { name: &own_name, value: at(filter.value, &["targets", &index]) };
        let path = |key: &str| format!("providers.targets[{i}].{key}");
        let address = ["load_assignment", "endpoints", "0", "lb_endpoints", "0", "endpoint", "address"];
        let address: Vec<&str> = address.iter().copied().chain(["socket_address"]).collect();
        self.add(&path("id"), &[], cluster, &["name"]);
        self.add(&path("provider"), &[], own, &["provider"]);
        self.add(&path("model"), &[], own, &["model"]);
        self.add(&path("base_url"), &[], cluster, &address);
        if target.endpoint.tls && target.endpoint.ip().is_none() {
            self.add(&path("base_url"), &[], cluster, &["transport_socket", "typed_config", "sni"]);
        }
        self.add(&path("base_url"), &[], own, &["authority"]);
        self.add(&path("base_url"), &[], own, &["path_prefix"]);
        let options = ["typed_extension_protocol_options", PROTOCOL];
        let limit = [&options[..], &["common_http_protocol_options", "max_stream_duration"]].concat();
        self.add(&path("timeout_seconds"), &[], cluster, &limit);
        self.add(&path("stream_timeout_seconds"), &[], stream, &limit);
        self.add(&path("connect_timeout_seconds"), &[], cluster, &["connect_timeout"]);
        self.key(&path("secret_key_ref"), target, cluster, &options);
        let retry = |key: &str| (path(&format!("retry.{key}")), format!("providers.retry.{key}"));
        let (key, general) = retry("max_attempts");
        self.add(&key, &[&general], own, &["max_attempts"]);
        self.add("providers.retry", &[], route, &["retry_policy", "num_retries"]);
        let (key, general) = retry("retryable_status_codes");
        let statuses = ["retry_policy", "retriable_status_codes"];
        let of_filter = at(own.value, &["retryable_status_codes"]).is_some();
        match alone || !of_filter {
            true => self.add(&key, &[&general], route, &statuses),
            false => self.add(&key, &[&general], own, &["retryable_status_codes"]),
        }
        let (key, general) = retry("backoff");
        self.add(&key, &[&general], route, &["retry_policy", "retry_back_off"]);
        if target.circuit_breaker.is_some() {
            let key = path("circuit_breaker");
            let general = ["providers.circuit_breaker"];
            if !alone {
                self.add(&key, &general, own, &["breaker"]);
            }
            if target.endpoint.ip().is_none() {
                self.add(&key, &general, cluster, &["outlier_detection"]);
            }
        }
        if target.health_probe.is_some() && !alone {
            self.add(&path("health_probe"), &[], own, &["probe"]);
        }
        match strategy {
            Strategy::WeightedRoundRobin => self.add(&path("weight"), &[], own, &["weight"]),
            // The cheapest has rank zero, which is not written out.
            Strategy::LowestCost => self.add_or(&path("pricing"), &[], own, &["cost_rank"], "0"),
            _ => {}
        }
    }

    fn key(&mut self, key: &str, target: &Target, cluster: Part<'_>, options: &[&str]) {
        let filters = at(cluster.value, &[options, &["http_filters"]].concat());
        let place = format!("{}: http_filters", cluster.name);
        let injected = match &target.key {
            KeySource::Env(_) | KeySource::Usual(_) => named(filters, MUTATION)
                .filter_map(|filter| filter.pointer("/typed_config/mutations/request_mutations/0/append"))
                .find_map(|append| {
                    let text = |pointer: &str| append.pointer(pointer).and_then(Value::as_str);
                    let caller = match target.key {
                        KeySource::Usual(_) => ", or the caller's where x-provider names this target",
                        _ => "",
                    };
                    Some(format!("{}: {}{caller}", text("/header/key")?, text("/header/value")?))
                }),
            KeySource::File(_) => named(filters, INJECTOR).next().and_then(|filter| {
                let secret = "/typed_config/credential/typed_config/credential/name";
                Some(format!("credential_injector of {}", filter.pointer(secret)?.as_str()?))
            }),
            KeySource::Client => Some("the caller's own authorization".to_owned()),
            KeySource::None => Some("authorization is removed".to_owned()),
        };
        let value = self.written(key, &[]);
        let became = injected.unwrap_or_else(|| ABSENT.to_owned());
        self.rows.push(Row { key: key.to_owned(), value, place, became });
    }

    /// A row, unless it is there already: some keys become one field for all targets.
    fn add(&mut self, key: &str, general: &[&str], part: Part<'_>, field: &[&str]) {
        self.add_or(key, general, part, field, ABSENT);
    }

    fn add_or(&mut self, key: &str, general: &[&str], part: Part<'_>, field: &[&str], absent: &str) {
        let became = at(part.value, field).map_or_else(|| absent.to_owned(), plain);
        let place = format!("{} {}", part.name, shortened(field));
        let row = Row { key: key.to_owned(), value: self.written(key, general), place, became };
        let says_nothing = row.value == DEFAULT && row.became == ABSENT;
        if !says_nothing && !self.rows.contains(&row) {
            self.rows.push(row);
        }
    }

    /// What the file says under the first of these paths that it has.
    fn written(&self, key: &str, general: &[&str]) -> String {
        let written = [key].into_iter().chain(general.iter().copied()).find_map(|path| {
            let pointer = format!("/{}", path.replace("].", "/").replace(['.', '['], "/").replace(']', ""));
            self.source.pointer(&pointer)
        });
        written.map_or_else(|| DEFAULT.to_owned(), plain)
    }
}

fn at<'a>(value: Option<&'a Value>, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value?, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    })
}

/// The path without the parts that every cluster has.
fn shortened(path: &[&str]) -> String {
    let shown = path.iter().filter(|step| {
        !["typed_extension_protocol_options", PROTOCOL, "typed_config"].contains(step)
            && step.parse::<usize>().is_err()
    });
    shown.copied().collect::<Vec<_>>().join(".")
}

/// A value on one line, without the quotes of JSON around a word.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "@type");
            let members: Vec<String> =
                members.map(|(name, value)| format!("{name} {}", plain(value))).collect();
            members.join(", ")
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

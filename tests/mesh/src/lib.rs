//! What Istio and Envoy Gateway would make of their resources, as far as the gateway's depend on it.
//!
//! Applies patches by the projects' documented rules and knows only the resources that `kt-control render` prints. Invariant:
//! nothing is made up that a resource does not say: a cluster exists because a `DestinationRule` or a route names it.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a resource that lacks something fails the test that renders it"
)]

pub mod process;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const MANAGER_TYPE: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The documents of a stream.
pub fn documents(yaml: &str) -> Vec<Value> {
    let parts = yaml.split("\n---\n").skip(1);
    parts.map(|part| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{error}\n{part}"))).collect()
}

fn of_kind<'d>(documents: &'d [Value], kind: &'d str) -> impl Iterator<Item = &'d Value> {
    documents.iter().filter(move |document| document["kind"] == kind)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn listener(port: &Value, http_filters: Value, routes: Value) -> Value {
    json!({
        "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": MANAGER, "typed_config": {
            "@type": MANAGER_TYPE,
            "stat_prefix": "http",
            "route_config": routes,
            "http_filters": http_filters,
        }}]}],
    })
}

fn cluster(name: &str, address: &str, port: &Value, tls: Option<&Value>) -> Value {
    let is_address = address.parse::<std::net::IpAddr>().is_ok();
    let mut cluster = json!({
        "name": name,
        "type": if is_address { "STATIC" } else { "STRICT_DNS" },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}},
        ]}]},
    });
    if let Some(sni) = tls {
        cluster["transport_socket"] =
            json!({"name": "envoy.transport_sockets.tls", "typed_config": {"@type": TLS, "sni": sni}});
    }
    cluster
}

/// Merges as Istio does: messages field by field, lists at their end, entries of maps as a whole.
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(into), Value::Object(from)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new.iter().cloned()),
            (Some(old @ Value::Object(_)), Value::Object(_))
                if name != "typed_extension_protocol_options" =>
            {
                merge(old, value);
            }
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The bootstrap of a proxy that Istio configures. What is sent by name stands in files of `folder`.
pub fn istio(yaml: &str, folder: &Path) -> String {
    let documents = documents(yaml);
    let kind = |kind: &'static str| of_kind(&documents, kind).map(|document| &document["spec"]);
    let filter = kind("EnvoyFilter").next().unwrap_or_else(|| panic!("no EnvoyFilter"));
    let gateway = kind("Gateway").next().unwrap_or_else(|| panic!("no Gateway"));
    assert_eq!(filter["workloadSelector"]["labels"], gateway["selector"]);
    let port = &gateway["servers"][0]["port"]["number"];
    let service = kind("VirtualService").next().unwrap_or_else(|| panic!("no VirtualService"));
    let routes: Vec<Value> = list(&service["http"]).map(virtual_route).collect();
    let host = format!("*:{port}");
    let routes = json!({"name": format!("http.{port}"), "virtual_hosts": [{"name": host, "domains": ["*"], "routes": routes}]});
    let router = json!([{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}]);
    let mut bootstrap =
        json!({"static_resources": {"listeners": [listener(port, router, routes)], "clusters": []}});

    let mut clusters = Vec::new();
    for rule in kind("DestinationRule") {
        let entry = kind("ServiceEntry").find(|entry| entry["hosts"][0] == rule["host"]);
        let entry = entry.unwrap_or_else(|| panic!("no ServiceEntry for {}", rule["host"]));
        let address = entry["endpoints"][0].get("address").unwrap_or(&rule["host"]);
        for subset in list(&rule["subsets"]) {
            for served in list(&entry["ports"]) {
                let name = format!(
                    "outbound|{}|{}|{}",
                    served["number"],
                    text(&subset["name"]),
                    text(&rule["host"])
                );
                let tls = &subset["trafficPolicy"]["tls"];
                let sni = (tls["mode"] == "SIMPLE").then_some(&tls["sni"]);
                clusters.push(cluster(&name, text(address), &served["number"], sni));
            }
        }
    }
    bootstrap["static_resources"]["clusters"] = clusters.into();
    // Envoy asks for it where anything is sent by name; Istio's agent says it on the command line.
    bootstrap["node"] = json!({"id": "proxy", "cluster": "proxy"});
    let mut extensions = Vec::new();
    for patch in list(&filter["configPatches"]) {
        apply(&mut bootstrap, patch, &host, port, &mut extensions);
    }
    for mut extension in extensions {
        let file = discovered(folder, text(&extension["name"]));
        extension["@type"] = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig".into();
        let response = json!({"version_info": "1", "resources": [extension]}).to_string();
        std::fs::write(file, response).unwrap_or_else(|error| panic!("{error}"));
    }
    from_files(&mut bootstrap, folder);
    bootstrap.to_string()
}

/// The file that stands for what a control plane sends by a name. Envoy takes one extension from a file.
pub fn discovered(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Has Envoy read from files what it would ask the control plane for.
fn from_files(value: &mut Value, folder: &Path) {
    match value {
        Value::Object(object) => {
            if let Some(name) =
                object.get("name").and_then(Value::as_str).map(|name| discovered(folder, name))
                && let Some(discovery) = object.get_mut("config_discovery")
            {
                assert_eq!(discovery["config_source"]["ads"], json!({}));
                discovery["config_source"] =
                    json!({"path_config_source": {"path": name}, "resource_api_version": "V3"});
            }
            object.values_mut().for_each(|child| from_files(child, folder));
        }
        Value::Array(entries) => entries.iter_mut().for_each(|child| from_files(child, folder)),
        _ => {}
    }
}

/// A route as Istio makes it from a `VirtualService`.
fn virtual_route(route: &Value) -> Value {
    match &route["directResponse"] {
        Value::Null => {
            let to = &route["route"][0]["destination"];
            let name =
                format!("outbound|{}|{}|{}", to["port"]["number"], text(&to["subset"]), text(&to["host"]));
            json!({"match": {"prefix": "/"}, "route": {"cluster": name}})
        }
        direct => json!({"match": {"prefix": "/"}, "direct_response": {
            "status": direct["status"], "body": {"inline_string": direct["body"]["string"]},
        }}),
    }
}

/// One patch of an `EnvoyFilter`.
fn apply(bootstrap: &mut Value, patch: &Value, host: &str, port: &Value, extensions: &mut Vec<Value>) {
    let (on, operation, value) =
        (&patch["match"], text(&patch["patch"]["operation"]), &patch["patch"]["value"]);
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0";
    if patch["match"].get("listener").is_some() {
        assert_eq!(&on["listener"]["portNumber"], port);
    }
    if patch["match"].get("routeConfiguration").is_some() {
        assert_eq!(on["routeConfiguration"]["vhost"]["name"], host);
    }
    let mut at =
        |path: &str| bootstrap.pointer_mut(path).unwrap_or_else(|| panic!("nothing at {path}")).take();
    let (path, changed) = match (text(&patch["applyTo"]), operation) {
        ("BOOTSTRAP", "MERGE") => {
            let mut whole = at("");
            merge(&mut whole, value);
            ("", whole)
        }
        ("EXTENSION_CONFIG", "ADD") => {
            extensions.push(value.clone());
            return;
        }
        ("NETWORK_FILTER", "MERGE") => {
            let mut filter = at(manager);
            merge(&mut filter, value);
            (manager, filter)
        }
        ("HTTP_FILTER", "INSERT_BEFORE") => {
            let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
            let Value::Array(mut filters) = at(path) else { panic!("no filters") };
            let before = &on["listener"]["filterChain"]["filter"]["subFilter"]["name"];
            let place = filters.iter().position(|filter| filter["name"] == *before);
            filters.insert(place.unwrap_or_else(|| panic!("no filter {before}")), value.clone());
            (path, filters.into())
        }
        ("VIRTUAL_HOST", "MERGE") => {
            let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0";
            let mut host = at(path);
            merge(&mut host, value);
            (path, host)
        }
        ("HTTP_ROUTE", "INSERT_FIRST") => {
            let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
            let Value::Array(mut routes) = at(path) else { panic!("no routes") };
            routes.insert(0, value.clone());
            (path, routes.into())
        }
        ("CLUSTER", "MERGE") => {
            let on = &on["cluster"];
            let name =
                format!("outbound|{}|{}|{}", on["portNumber"], text(&on["subset"]), text(&on["service"]));
            let Value::Array(mut clusters) = at("/static_resources/clusters") else { panic!("no clusters") };
            let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name.as_str());
            merge(cluster.unwrap_or_else(|| panic!("no cluster {name}")), value);
            ("/static_resources/clusters", clusters.into())
        }
        other => panic!("an unknown patch: {other:?}"),
    };
    if let Some(place) = bootstrap.pointer_mut(path) {
        *place = changed;
    }
}

/// The bootstrap of a proxy that Envoy Gateway configures. `wasm` is the file that it would serve for the filter's image.
pub fn envoy_gateway(yaml: &str, wasm: &Path) -> String {
    let documents = documents(yaml);
    let kind = |kind: &'static str| of_kind(&documents, kind);
    let only = |name: &'static str| kind(name).next().unwrap_or_else(|| panic!("no {name}"));
    let gateway = only("Gateway");
    let name = format!(
        "{}/{}/{}",
        text(&gateway["metadata"]["namespace"]),
        text(&gateway["metadata"]["name"]),
        text(&gateway["spec"]["listeners"][0]["name"]),
    );
    let extension = only("EnvoyExtensionPolicy");
    let filter = format!(
        "envoy.filters.http.wasm/envoyextensionpolicy/{}/{}/wasm/0",
        text(&extension["metadata"]["namespace"]),
        text(&extension["metadata"]["name"]),
    );
    let plugin = &extension["spec"]["wasm"][0];
    assert_eq!(plugin["failOpen"], false);
    let filters = json!([
        {"name": filter, "disabled": true, "typed_config": {"@type": WASM, "config": {
            "name": plugin["name"], "root_id": plugin["rootID"],
            "vm_config": {"vm_id": filter, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": wasm}},
                "environment_variables": {"host_env_keys": plugin["env"]["hostKeys"]}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": plugin["config"].to_string()},
        }}},
        {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}},
    ]);
    let route = only("HTTPRoute");
    assert_eq!(extension["spec"]["targetRefs"][0]["name"], route["metadata"]["name"]);
    assert_eq!(only("EnvoyProxy")["spec"]["preserveRouteOrder"], true);
    let rule = format!(
        "httproute/{}/{}/rule",
        text(&route["metadata"]["namespace"]),
        text(&route["metadata"]["name"])
    );
    let mut routes = Vec::new();
    let mut clusters = Vec::new();
    for (n, from) in list(&route["spec"]["rules"]).enumerate() {
        assert_eq!(from["matches"][0]["path"], json!({"type": "PathPrefix", "value": "/"}));
        let cluster_name = format!("{rule}/{n}");
        routes.push(json!({
            "name": format!("{cluster_name}/match/0/*"),
            "match": {"prefix": "/"},
            "route": {"cluster": cluster_name},
            "typed_per_filter_config": {&filter: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}},
        }));
        let backend = &from["backendRefs"][0]["name"];
        let found = kind("Backend").find(|known| known["metadata"]["name"] == *backend);
        let endpoint = &found.unwrap_or_else(|| panic!("no Backend {backend}"))["spec"]["endpoints"][0];
        let (address, port) = match endpoint.get("ip") {
            Some(ip) => (&ip["address"], &ip["port"]),
            None => (&endpoint["fqdn"]["hostname"], &endpoint["fqdn"]["port"]),
        };
        let tls = kind("BackendTLSPolicy").find(|policy| policy["spec"]["targetRefs"][0]["name"] == *backend);
        let sni = tls.map(|policy| &policy["spec"]["validation"]["hostname"]);
        clusters.push(cluster(&cluster_name, text(address), port, sni));
    }
    let mut routes =
        json!({"name": name, "virtual_hosts": [{"name": "kt", "domains": ["*"], "routes": routes}]});
    let mut listener = listener(&gateway["spec"]["listeners"][0]["port"], filters, Value::Null);
    for patch in list(&only("EnvoyPatchPolicy")["spec"]["jsonPatches"]) {
        let resource = match text(&patch["type"]).rsplit('.').next() {
            Some("Listener") => &mut listener,
            Some("RouteConfiguration") => &mut routes,
            _ => {
                let found = clusters.iter_mut().find(|cluster| cluster["name"] == patch["name"]);
                json_patch(
                    found.unwrap_or_else(|| panic!("no cluster {}", patch["name"])),
                    &patch["operation"],
                );
                continue;
            }
        };
        assert_eq!(patch["name"], name.as_str());
        json_patch(resource, &patch["operation"]);
    }
    let manager = "/filter_chains/0/filters/0/typed_config/route_config";
    if let Some(place) = listener.pointer_mut(manager) {
        *place = routes;
    }
    let mut bootstrap = json!({"static_resources": {"listeners": [listener], "clusters": clusters}});
    let merged = text(&only("EnvoyProxy")["spec"]["bootstrap"]["value"]);
    merge(&mut bootstrap, &serde_saphyr::from_str(merged).unwrap_or_else(|error| panic!("{error}")));
    bootstrap.to_string()
}

/// `add` of RFC 6902 at every place that the path expression finds.
fn json_patch(resource: &mut Value, operation: &Value) {
    assert_eq!(operation["op"], "add");
    let places = match operation.get("jsonPath") {
        None => vec![String::new()],
        Some(expression) => find(resource, text(expression)),
    };
    assert!(!places.is_empty(), "{} finds nothing", operation["jsonPath"]);
    let below = operation.get("path").map(text).unwrap_or_default();
    for place in places {
        let path = format!("{place}{below}");
        let (parent, last) = path.rsplit_once('/').unwrap_or(("", ""));
        let last = last.replace("~1", "/").replace("~0", "~");
        match resource.pointer_mut(parent) {
            Some(Value::Object(object)) => {
                object.insert(last, operation["value"].clone());
            }
            Some(Value::Array(entries)) => {
                let position = last.parse().unwrap_or_else(|_| panic!("{last} is no position"));
                entries.insert(position, operation["value"].clone());
            }
            _ => panic!("nothing at {parent}"),
        }
    }
}

/// Pointers to what `$..LIST[?(@.name=='NAME')]` and `$.LIST[*]` find.
fn find(resource: &Value, expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    match expression.strip_prefix("$..").and_then(|rest| rest.split_once("[?(@.name=='")) {
        Some((name, rest)) => {
            let wanted = rest.strip_suffix("')]").unwrap_or_else(|| panic!("{expression}"));
            search(resource, String::new(), name, &|entry| entry["name"] == wanted, &mut found);
        }
        None => {
            let name = expression.strip_prefix("$.").and_then(|rest| rest.strip_suffix("[*]"));
            let name = name.unwrap_or_else(|| panic!("{expression}"));
            found.extend((0..list(&resource[name]).count()).map(|n| format!("/{name}/{n}")));
        }
    }
    found
}

fn search(value: &Value, path: String, list: &str, wanted: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                if let (true, Value::Array(entries)) = (name == list, child) {
                    let fits = entries.iter().enumerate().filter(|(_, entry)| wanted(entry));
                    found.extend(fits.map(|(n, _)| format!("{path}/{n}")));
                }
                search(child, path, list, wanted, found);
            }
        }
        Value::Array(entries) => {
            for (n, child) in entries.iter().enumerate() {
                search(child, format!("{path}/{n}"), list, wanted, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_merged_as_the_projects_do() {
        let mut value =
            json!({"a": {"b": 1, "list": [1]}, "typed_extension_protocol_options": {"x": {"old": 1}}});
        merge(
            &mut value,
            &json!({"a": {"list": [2]}, "typed_extension_protocol_options": {"x": {"new": 1}}}),
        );
        let expected =
            json!({"a": {"b": 1, "list": [1, 2]}, "typed_extension_protocol_options": {"x": {"new": 1}}});
        assert_eq!(value, expected);
        let mut value = json!({"f": [{"http_filters": [{"name": "a/b"}, {"name": "c"}]}]});
        let filter = "$..http_filters[?(@.name=='c')]";
        json_patch(&mut value, &json!({"op": "add", "jsonPath": filter, "value": {"name": "before c"}}));
        json_patch(&mut value, &json!({"op": "add", "jsonPath": filter, "path": "/x", "value": true}));
        let expected = json!({"f": [{"http_filters": [{"name": "a/b"}, {"name": "before c"}, {"name": "c", "x": true}]}]});
        assert_eq!(value, expected);
    }
}

//! The dashboard's queries and the alert rules, by Prometheus itself over scrapes of a gateway under traffic.

use crate::metrics;
use kt_tests::client::{self, Call};
use kt_tests::envoy::free_address;
use kt_tests::repository;
use kt_tests::upstream::Upstream;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn file(name: &str) -> PathBuf {
    repository::root().join("envoy").join(name)
}

#[track_caller]
fn promtool(arguments: &[&str], file: &Path) {
    let program = repository::prometheus("promtool").unwrap_or_else(|problem| panic!("{problem}"));
    let output = Command::new(program).args(arguments).arg(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_takes_the_rules_and_each_alert_fires_when_it_should() {
    promtool(&["check", "rules"], &file("prometheus/alerts.yaml"));
    promtool(&["check", "config"], &file("prometheus/prometheus.yaml"));
    promtool(&["test", "rules"], &file("prometheus/alerts.test.yaml"));
}

/// A running Prometheus; it stops when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Prometheus {
    /// Scrapes `gateway` every second, with our rules.
    fn start(gateway: SocketAddr) -> Prometheus {
        let address = free_address();
        let folder = repository::target().join("gateways").join(format!("prometheus-{}", address.port()));
        std::fs::create_dir_all(&folder).unwrap();
        // The operator's file, with another address and less patience.
        let config = std::fs::read_to_string(file("prometheus/prometheus.yaml")).unwrap();
        let changed = config
            .replace("127.0.0.1:9901", &gateway.to_string())
            .replace("_interval: 10s", "_interval: 1s")
            .replace("- alerts.yaml", &format!("- {}", file("prometheus/alerts.yaml").display()));
        assert_ne!(changed, config);
        std::fs::write(folder.join("prometheus.yaml"), changed).unwrap();
        let program = repository::prometheus("prometheus").unwrap_or_else(|problem| panic!("{problem}"));
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", folder.join("prometheus.yaml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Prometheus { child, address, folder }
    }

    /// What an API says; `null` while it says nothing.
    fn api(&self, path: &str) -> Value {
        let answer = client::send(self.address, &Call::get(path));
        answer
            .ok()
            .filter(|reply| reply.status == 200)
            .map_or(Value::Null, |reply| reply.json()["data"].clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn every_query_of_the_dashboard_has_an_answer_and_every_rule_is_evaluated() {
    let upstream = Upstream::start(metrics::served).unwrap();
    let gateway = metrics::start(&upstream);
    let prometheus = Prometheus::start(gateway.admin_address());
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(file("grafana/dashboards/kt.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= panels.len(), "{queries:?}");
    let late = Instant::now() + Duration::from_secs(60);
    // A rate needs two scrapes in which a counter was there.
    while !queries.is_empty() {
        assert!(Instant::now() < late, "no answer to {queries:#?}");
        metrics::traffic(&gateway);
        std::thread::sleep(Duration::from_secs(1));
        queries.retain(|query| {
            let found = prometheus.api(&format!("/api/v1/query?query={}", encoded(query)));
            found["result"].as_array().is_none_or(Vec::is_empty)
        });
    }
    let rules = || -> Vec<Value> {
        let groups = prometheus.api("/api/v1/rules")["groups"].clone();
        let groups = groups.as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap()).collect()
    };
    while rules().iter().any(|rule| rule["health"] == "unknown") {
        assert!(Instant::now() < late, "{:#?}", rules());
        std::thread::sleep(Duration::from_millis(200));
    }
    let rules = rules();
    assert!(rules.len() >= 8 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
}

//! The real Envoy, started on free loopback ports from what kt-control renders.
//!
//! Builds nothing and writes only below the target directory. Invariant: no Envoy outlives its [`Gateway`], and a failed test
//! shows what Envoy said.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot start its gateway fails, and says why"
)]

mod nursery;

use crate::client::{self, Call, Reply, Stream};
use crate::port::free_port;
use crate::repository;
use serde_json::Value;
use std::fmt::Display;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for Envoy to load the module and listen, on a machine that does other things too.
const READY: Duration = Duration::from_secs(60);

/// Longest time for a log line to appear after its answer.
const LOGGED: Duration = Duration::from_secs(5);

/// Lines of Envoy's own log that a failed test shows.
const LOG_TAIL_LINES: usize = 60;

/// How to start a gateway.
#[derive(Debug, Clone)]
pub struct Setup {
    policy_config: String,
    environment: Vec<(String, String)>,
    wasm: Option<PathBuf>,
    workers: u32,
    log_level: &'static str,
    ca_file: Option<PathBuf>,
    follows_keys: bool,
}

impl Setup {
    /// A gateway for this `policy-config.yaml`.
    pub fn new(policy_config: impl Into<String>) -> Setup {
        Setup {
            policy_config: policy_config.into(),
            environment: Vec::new(),
            wasm: None,
            workers: 1,
            log_level: "warning",
            ca_file: None,
            follows_keys: false,
        }
    }

    /// Sets a variable of Envoy's environment, where keys come from.
    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Uses another build of the filter.
    pub fn wasm(mut self, path: PathBuf) -> Setup {
        self.wasm = Some(path);
        self
    }

    /// Runs so many worker threads.
    pub fn workers(mut self, workers: u32) -> Setup {
        self.workers = workers;
        self
    }

    /// Has Envoy log this much.
    pub fn log_level(mut self, level: &'static str) -> Setup {
        self.log_level = level;
        self
    }

    /// Checks targets against these authorities.
    pub fn ca_file(mut self, path: PathBuf) -> Setup {
        self.ca_file = Some(path);
        self
    }

    /// Has Envoy follow key files that are replaced.
    pub fn follows_keys(mut self) -> Setup {
        self.follows_keys = true;
        self
    }

    /// Renders and starts.
    #[track_caller]
    pub fn start(self) -> Gateway {
        let folder = fresh_folder();
        let config = folder.join("policy-config.yaml");
        write(&config, &self.policy_config);
        let listener = free_address();
        let wasm = self.wasm.clone().unwrap_or_else(|| found(repository::wasm()));
        let mut render = Command::new(found(repository::kt_control()));
        render.arg("render").arg(&config).arg("--wasm").arg(wasm);
        render.args(["--listen", &listener.to_string()]).arg("--access-log").arg(folder.join("access.log"));
        if let Some(ca_file) = &self.ca_file {
            render.arg("--ca-file").arg(ca_file);
        }
        if self.follows_keys {
            let notes = folder.join("key-notes");
            found(fs::create_dir(&notes));
            render.arg("--key-notes").arg(notes);
        }
        render.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let rendered = found(render.output());
        let said = String::from_utf8_lossy(&rendered.stderr);
        assert!(rendered.status.success(), "kt-control render failed:\n{said}\nfor\n{}", self.policy_config);
        self.launch(folder, listener, &String::from_utf8_lossy(&rendered.stdout))
    }

    /// Starts on a bootstrap that was rendered elsewhere and listens on `listener`.
    #[track_caller]
    pub fn start_rendered(self, listener: SocketAddr, bootstrap: &str) -> Gateway {
        self.launch(fresh_folder(), listener, bootstrap)
    }

    #[track_caller]
    fn launch(self, folder: PathBuf, listener: SocketAddr, bootstrap: &str) -> Gateway {
        let path = folder.join("envoy.yaml");
        write(&path, bootstrap);
        let mut command = Command::new(found(repository::envoy()));
        command.arg("-c").arg(&path);
        // Merged over the file: the admin port of the operator's configuration may be taken.
        command.args([
            "--config-yaml",
            "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}",
        ]);
        command.arg("--admin-address-path").arg(folder.join("admin"));
        command.args(["--use-dynamic-base-id", "--disable-hot-restart", "--log-level", self.log_level]);
        // By default a line of the access log may take ten seconds.
        command.args(["--file-flush-interval-msec", "10"]);
        command.args(["--concurrency", &self.workers.to_string()]);
        command.arg("--log-path").arg(folder.join("envoy.log"));
        command.envs(self.environment).current_dir(&folder).stdin(Stdio::null());
        command.stdout(found(fs::File::create(folder.join("stdout.log"))));
        command.stderr(found(fs::File::create(folder.join("stderr.log"))));
        let child = found(nursery::spawn(command));
        let mut gateway = Gateway { child, folder, listener, admin: listener };
        gateway.await_ready();
        gateway
    }
}

/// A running gateway; it stops when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    folder: PathBuf,
    listener: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// What an SDK gets as its base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.listener)
    }

    /// Sends a request and waits for the end of its answer.
    #[track_caller]
    pub fn send(&self, call: &Call) -> Reply {
        found(client::send(self.listener, call))
    }

    /// Sends a request and reads the head of its answer.
    #[track_caller]
    pub fn open(&self, call: &Call) -> Stream {
        found(client::open(self.listener, call))
    }

    /// Where Envoy's admin interface listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A page of Envoy's admin interface.
    #[track_caller]
    pub fn admin(&self, path: &str) -> String {
        found(client::send(self.admin, &Call::get(path))).text()
    }

    /// The access log so far.
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.join("access.log")).unwrap_or_default()
    }

    /// The lines of the access log so far, each parsed as JSON.
    pub fn events(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.join("access.log")).unwrap_or_default();
        // The last line may be half written.
        log.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| parse(line.trim_end()))
            .collect()
    }

    /// The access log once it has `count` lines; fails when they do not come.
    #[track_caller]
    pub fn await_events(&self, count: usize) -> Vec<Value> {
        let late = Instant::now() + LOGGED;
        loop {
            let events = self.events();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < late, "{} of {count} events were logged: {events:#?}", events.len());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything this gateway wrote: the access log and Envoy's own.
    pub fn output(&self) -> String {
        let texts = ["access.log", "envoy.log", "stdout.log", "stderr.log"];
        texts.map(|name| fs::read_to_string(self.folder.join(name)).unwrap_or_default()).join("\n")
    }

    /// The folder in which this gateway keeps what it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process of Envoy.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether Envoy still runs and serves.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
            && client::send(self.admin, &Call::get("/ready")).is_ok_and(|reply| reply.status == 200)
    }

    #[track_caller]
    fn await_ready(&mut self) {
        let late = Instant::now() + READY;
        let admin = self.folder.join("admin");
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = self.output();
                let why = log.lines().filter(|line| line.contains("[critical]") || line.contains("[error]"));
                panic!(
                    "Envoy ended with {status} before it was ready: {}",
                    why.collect::<Vec<_>>().join("\n")
                );
            }
            if let Some(address) = fs::read_to_string(&admin).ok().and_then(|text| text.trim().parse().ok()) {
                self.admin = address;
                let listening = || std::net::TcpStream::connect(self.listener).is_ok();
                if client::send(address, &Call::get("/ready")).is_ok_and(|reply| reply.status == 200)
                    && listening()
                {
                    return;
                }
            }
            assert!(Instant::now() < late, "Envoy was not ready after {READY:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            let log = self.output();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default();
            eprintln!(
                "--- access log and Envoy's output ({}) ---\n{}",
                self.folder.display(),
                tail.join("\n")
            );
        } else {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// A loopback address that was free a moment ago.
#[track_caller]
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, found(free_port())))
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("a line of the access log is not JSON: {error}: {line}"))
}

fn fresh_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = repository::target().join("gateways").join(name);
    found(fs::create_dir_all(&folder));
    folder
}

fn write(path: &Path, text: &str) {
    found(fs::write(path, text));
}

#[track_caller]
fn found<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Answer, Upstream};

    #[test]
    fn the_real_envoy_starts_serves_and_stops() {
        let upstream = Upstream::start(|_| Answer::json(200, "{}")).unwrap();
        let listener = free_address();
        let bootstrap = include_str!("envoy/plain.yaml")
            .replace("LISTENER_PORT", &listener.port().to_string())
            .replace("UPSTREAM_PORT", &upstream.address().port().to_string());
        let mut gateway = Setup::new("").start_rendered(listener, &bootstrap);
        assert_eq!(gateway.send(&Call::post("/v1/x", "{}")).status, 200);
        assert_eq!(gateway.await_events(1)[0]["code"], 200);
        assert!(gateway.is_alive());
        drop(gateway);
        assert!(client::send(listener, &Call::get("/")).is_err());
    }
}

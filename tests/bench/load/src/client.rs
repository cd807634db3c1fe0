//! Clients in a closed loop: each sends its next request when its last answer has ended.
//!
//! Keeps connections open, as SDKs do. Invariant: all bodies differ and every client goes through all of them; unless known texts
//! are asked for, no message is sent twice.

use crate::http1;
use crate::process::Process;
use crate::report::Report;
use kt_bench_corpus::Fresh;
use memchr::memchr_iter;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// After a failure, so that a server that refuses is not hammered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);
/// What is kept of an answer that reports a failure.
const FAILURE_BYTES: usize = 300;
const READ_BYTES: usize = 64 * 1024;

/// One run.
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Sends the same messages again and again.
    pub(crate) known: bool,
    pub(crate) connections: usize,
    pub(crate) measured: Duration,
    pub(crate) warm: Duration,
    pub(crate) process: Option<Process>,
}

/// What all clients of a run share.
struct Shared {
    to: SocketAddr,
    /// Heads and bodies, ready to be sent.
    requests: Vec<Fresh>,
    known: bool,
    /// Requests so far.
    sent: Cell<u64>,
    start: Instant,
    end: Instant,
    report: RefCell<Report>,
}

impl Shared {
    fn measures(&self, now: Instant) -> bool {
        (self.start..self.end).contains(&now)
    }

    fn fail(&self, failure: String) {
        let mut report = self.report.borrow_mut();
        report.failures += 1;
        report.failure.get_or_insert(failure);
    }
}

impl Load {
    pub(crate) async fn run(self) -> Result<Report, String> {
        let start = Instant::now() + self.warm;
        let requests = self.bodies.iter().map(|body| request(self.to, body)).collect();
        let shared = Rc::new(Shared {
            to: self.to,
            requests,
            known: self.known,
            // No run before this one began with the same.
            sent: Cell::new(since_1970().as_millis() as u64 * 1000),
            start,
            end: start + self.measured,
            report: RefCell::default(),
        });
        for number in 0..self.connections {
            let shared = shared.clone();
            tokio::task::spawn_local(async move {
                while Instant::now() < shared.end {
                    if let Err(error) = converse(&shared, number).await {
                        shared.fail(error.to_string());
                        sleep(PAUSE_AFTER_FAILURE).await;
                    }
                }
            });
        }
        let cpu = || self.process.map_or(Duration::ZERO, Process::cpu);
        sleep_until(shared.start).await;
        let (began, cpu_before) = (Instant::now(), cpu());
        sleep_until(shared.end).await;
        let mut report = shared.report.take();
        report.window = began.elapsed();
        report.cpu = cpu().saturating_sub(cpu_before);
        report.rss_kib = self.process.map_or(0, Process::rss_kib);
        Ok(report)
    }
}

fn since_1970() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

fn request(to: SocketAddr, body: &[u8]) -> Fresh {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer bench-client\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Fresh::new([head.as_bytes(), body].concat())
}

/// One request after the other on one connection, until the run is over or something fails.
async fn converse(shared: &Shared, number: usize) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(shared.to).await?;
    connection.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(READ_BYTES);
    let mut requests = shared.requests.clone();
    // Clients begin at different bodies.
    for place in (0..requests.len()).cycle().skip(number % requests.len()) {
        let Some(request) = requests.get_mut(place) else { break };
        if !shared.known {
            shared.sent.set(shared.sent.get() + 1);
            request.renew(shared.sent.get());
        }
        let request = request.bytes();
        match timeout_at(shared.end, exchange(shared, &mut connection, request, &mut buffer)).await {
            Ok(outcome) => outcome?,
            // The run is over; what is under way counts no more.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

async fn exchange(
    shared: &Shared,
    connection: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> std::io::Result<()> {
    let sent = Instant::now();
    connection.write_all(request).await?;
    buffer.clear();
    let mut head = loop {
        if connection.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::other("the gateway closed the connection"));
        }
        if let Some(head) = http1::head(buffer).map_err(std::io::Error::other)? {
            break head;
        }
    };
    buffer.drain(..head.bytes);
    let failed = !(200..300).contains(&head.status);
    let mut failure = Vec::new();
    let mut events = EventCounter::default();
    let mut first_byte = None;
    loop {
        let now = Instant::now();
        let mut ended = 0;
        let read = head.body.read(buffer, |piece| {
            first_byte.get_or_insert(now);
            ended += events.count(piece);
            if failed && failure.len() < FAILURE_BYTES {
                failure.extend_from_slice(piece);
            }
        });
        buffer.drain(..read.map_err(std::io::Error::other)?);
        if shared.measures(now) {
            shared.report.borrow_mut().events += ended;
        }
        if head.body.is_complete() {
            break;
        }
        if connection.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::other("the answer was cut off"));
        }
    }
    let now = Instant::now();
    if failed {
        failure.truncate(FAILURE_BYTES);
        shared.fail(format!("status {}: {}", head.status, String::from_utf8_lossy(&failure)));
    } else if shared.measures(now) {
        let mut report = shared.report.borrow_mut();
        report.latencies.push(now - sent);
        report.first_bytes.push(first_byte.unwrap_or(now) - sent);
    }
    Ok(())
}

/// Counts the empty lines that end events, wherever the pieces are cut.
#[derive(Default)]
struct EventCounter {
    /// Bytes since the last line break.
    line_bytes: usize,
}

impl EventCounter {
    fn count(&mut self, piece: &[u8]) -> u64 {
        let mut ended = 0;
        let mut begin = 0;
        for at in memchr_iter(b'\n', piece) {
            ended += u64::from(self.line_bytes + at - begin == 0);
            (begin, self.line_bytes) = (at + 1, 0);
        }
        self.line_bytes += piece.len() - begin;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_wherever_they_are_cut() {
        let stream = b"data: a\n\ndata: b\n\ndata: [DONE]\n\n";
        for size in 1..stream.len() {
            let mut counter = EventCounter::default();
            assert_eq!(
                stream.chunks(size).map(|piece| counter.count(piece)).sum::<u64>(),
                3,
                "in pieces of {size}"
            );
        }
    }
}

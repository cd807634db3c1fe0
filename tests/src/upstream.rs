//! A model server that answers by script, byte for byte, and remembers what it was asked.
//!
//! Knows nothing of models: what an answer contains is the script's business ([`crate::demo`] is one). Speaks HTTP/1.1, one
//! thread per connection. Invariant: every [`Step::Bytes`] leaves in a write of its own, in order, before the next step begins.

mod answer;
mod gate;

pub use answer::{Answer, Step};
pub use gate::Gate;

use crate::wire::{self, Body, Framing, Headers};
use socket2::SockRef;
use std::collections::HashMap;
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How soon a waiting answer looks whether its client is still there.
const POLL: Duration = Duration::from_millis(2);

/// How seldom one looks that has waited long: a thousand may wait at the same time.
const SLOWEST_POLL: Duration = Duration::from_millis(32);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`, `GET`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header fields.
    pub headers: Headers,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Fields after a chunked body.
    pub trailers: Headers,
    /// When the whole request had arrived.
    pub at: Instant,
}

impl Request {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, or `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Decides the answer to a request.
type Script = dyn Fn(&Request) -> Answer + Send + Sync;

struct Shared {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<Request>>,
    /// Answers whose client left before their end.
    abandoned: AtomicU64,
    connections: Mutex<HashMap<u64, TcpStream>>,
    stopping: AtomicBool,
}

/// A running server; it stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Starts on a free loopback port.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> io::Result<Upstream> {
        Upstream::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script)
    }

    /// Starts on `address`.
    pub fn listen(
        address: SocketAddr,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Upstream> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            requests: Mutex::default(),
            abandoned: AtomicU64::new(0),
            connections: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("upstream".into()).spawn(move || accept(&listener, &accepting))?;
        Ok(Upstream { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a target's `base_url` would be.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Replaces the script for the requests to come.
    pub fn script(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Requests so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Requests so far, oldest first, and forgets them.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }

    /// How many answers lost their client before they ended.
    pub fn abandoned(&self) -> u64 {
        self.shared.abandoned.load(Ordering::SeqCst)
    }

    /// Waits for the server itself to end, which it does only with the process.
    pub fn serve_forever(self) -> ! {
        loop {
            thread::park();
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees the flag.
        drop(TcpStream::connect(self.address));
        for connection in lock(&self.shared.connections).values() {
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

/// A loopback port on which nothing listens, for as long as it takes: connecting to it is refused.
///
/// The port of a service nobody runs (`tcpmux`, RFC 1078). A port that was free a moment ago may be another test's the next.
pub const CLOSED_PORT: u16 = 1;

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (id, connection) in (0..).zip(listener.incoming()) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let Ok(handle) = connection.try_clone() else { continue };
        lock(&shared.connections).insert(id, handle);
        let shared = Arc::clone(shared);
        // Without a thread the connection is dropped, which its client notices.
        drop(thread::Builder::new().name(format!("upstream-{id}")).spawn(move || {
            // A broken connection is an ordinary end: tests and clients break them on purpose.
            drop(converse(connection, &shared));
            lock(&shared.connections).remove(&id);
        }));
    }
}

/// Requests and answers on one connection until either side closes it.
fn converse(connection: TcpStream, shared: &Shared) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some(head) = wire::read_head(&mut reader)? {
        if head.headers.value("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            (&connection).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Body::new(Framing::announced(&head.headers, Framing::Length(0))?);
        let bytes = body.rest(&mut reader)?;
        let mut words = head.first_line.split(' ').map(str::to_owned);
        let request = Request {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            headers: head.headers,
            body: bytes,
            trailers: body.trailers,
            at: Instant::now(),
        };
        lock(&shared.requests).push(request.clone());
        let script = Arc::clone(&lock(&shared.script));
        let ended = give(&connection, script(&request), shared);
        if ended.is_err() {
            shared.abandoned.fetch_add(1, Ordering::SeqCst);
        }
        if !ended? {
            break;
        }
    }
    connection.shutdown(Shutdown::Both)
}

/// Writes an answer; `false` when it ends with the connection.
fn give(mut connection: &TcpStream, answer: Answer, shared: &Shared) -> io::Result<bool> {
    let chunked = answer.chunked();
    let mut headed = false;
    for step in answer.steps.iter().chain([&Step::Head]) {
        if !headed && matches!(step, Step::Bytes(_) | Step::Head) {
            connection.write_all(&answer.head())?;
            headed = true;
        }
        match step {
            Step::Head => {}
            Step::Bytes(bytes) if chunked => connection.write_all(&framed(bytes))?,
            Step::Bytes(bytes) => connection.write_all(bytes)?,
            // Too short to look for the client meanwhile.
            Step::Wait(time) if *time < POLL => thread::sleep(*time),
            Step::Wait(time) => {
                let until = Instant::now() + *time;
                wait(connection, shared, || Instant::now() >= until)?;
            }
            Step::Gate(gate) => wait(connection, shared, || gate.is_open())?,
            Step::Hang => wait(connection, shared, || false)?,
            Step::Cut => return Ok(false),
            Step::Reset => {
                // Zero linger turns close into RST.
                SockRef::from(connection).set_linger(Some(Duration::ZERO))?;
                lock(&shared.connections)
                    .retain(|_, open| open.peer_addr().ok() != connection.peer_addr().ok());
                return Err(ErrorKind::ConnectionReset.into());
            }
        }
    }
    if chunked {
        connection.write_all(&answer.last_chunk())?;
    }
    Ok(!answer.closes())
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// Waits until `done`, or fails as soon as the client has left.
fn wait(connection: &TcpStream, shared: &Shared, done: impl Fn() -> bool) -> io::Result<()> {
    let mut pause = POLL;
    connection.set_read_timeout(Some(pause))?;
    let since = Instant::now();
    while !done() {
        if pause < SLOWEST_POLL && since.elapsed() > pause * 32 {
            pause *= 2;
            connection.set_read_timeout(Some(pause))?;
        }
        let gone = match connection.peek(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        if gone || shared.stopping.load(Ordering::SeqCst) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
    }
    connection.set_read_timeout(None)
}

/// A panic in a script ends its own connection; what it had locked stays usable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{self, Call};

    #[test]
    fn a_request_is_remembered_and_answered_by_script() {
        let upstream = Upstream::start(|request| Answer::json(201, &request.text())).unwrap();
        let reply =
            client::send(upstream.address(), &Call::post("/v1/x", "{\"a\":1}").header("X-One", "1")).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (201, "{\"a\":1}"));
        let seen = upstream.take_requests().remove(0);
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str(), seen.headers.value("x-one")),
            ("POST", "/v1/x", Some("1"))
        );
        assert!(upstream.requests().is_empty());
    }

    #[test]
    fn a_step_waits_for_its_gate() {
        let gate = Gate::new();
        let held = gate.clone();
        let upstream = Upstream::start(move |_| Answer::chunks(["one"]).gate(&held).bytes("two")).unwrap();
        let mut stream = client::open(upstream.address(), &Call::post("/", "")).unwrap();
        assert_eq!(stream.piece().unwrap().unwrap(), b"one");
        gate.open();
        assert_eq!(stream.piece().unwrap().unwrap(), b"two");
        assert_eq!(stream.piece().unwrap(), None);
    }

    #[test]
    fn trailers_follow_the_last_chunk() {
        let upstream = Upstream::start(|_| Answer::chunks(["one"]).trailer("x-sum", "1")).unwrap();
        let reply = client::send(upstream.address(), &Call::post("/", "")).unwrap();
        assert_eq!(reply.trailers.value("x-sum"), Some("1"));
    }

    #[test]
    fn a_reset_or_cut_answer_is_an_error_for_the_client() {
        for last in [Step::Reset, Step::Cut] {
            let upstream = Upstream::start(move |_| Answer::chunks(["one"]).step(last.clone())).unwrap();
            let mut stream = client::open(upstream.address(), &Call::post("/", "")).unwrap();
            // A reset may overtake the bytes sent before it.
            while let Ok(piece) = stream.piece() {
                assert!(piece.is_some(), "the body ended as if it were whole");
            }
        }
    }

    #[test]
    fn a_client_that_leaves_is_counted() {
        let upstream = Upstream::start(|_| Answer::chunks(["one"]).step(Step::Hang)).unwrap();
        let mut stream = client::open(upstream.address(), &Call::post("/", "")).unwrap();
        assert_eq!(stream.piece().unwrap().unwrap(), b"one");
        drop(stream);
        let late = Instant::now() + Duration::from_secs(5);
        while upstream.abandoned() == 0 {
            assert!(Instant::now() < late, "the server did not notice");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_closed_port_refuses() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, CLOSED_PORT));
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

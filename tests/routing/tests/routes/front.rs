//! TLS and HTTP/2 in front of a scripted upstream, and a door that can be shut.
//!
//! The upstream behind decides the answers; this only carries them, so that a script means the same over every protocol.
//! Adds what the upstream cannot see: protocol, server name of the handshake, `:authority`. Invariant: an answer that breaks off
//! behind breaks off in front.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kt_tests::client::{self, Call};
use kt_tests::port::free_port;
use kt_tests::upstream::{Request, Upstream};
use kt_tests::wire::Headers;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const PROTOCOL: &str = "x-front-protocol";
const SERVER_NAME: &str = "x-front-server-name";
const AUTHORITY: &str = "x-front-authority";

/// Whether connections get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// Nobody listens.
    Refuses,
    /// The connection never comes about.
    Stalls,
    /// The certificate is another host's.
    WrongHost,
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http1OverTls,
    Http2OverTls,
}

impl Protocol {
    pub(crate) fn has_tls(self) -> bool {
        self != Protocol::Http1
    }

    /// As a request is marked with it.
    pub(crate) fn version(self) -> &'static str {
        if self == Protocol::Http2OverTls { "HTTP/2.0" } else { "HTTP/1.1" }
    }
}

/// An authority that signs what this test needs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // A name of its own: a certificate whose issuer has the same name as itself counts as self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority of the routing tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// A file that Envoy can check certificates against.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let folder = kt_tests::repository::target().join("authorities");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}-{}.pem", std::process::id()));
        std::fs::write(&file, self.issuer.pem()).unwrap();
        file
    }

    fn acceptor(&self, host: &str, protocol: Protocol) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = match protocol {
            Protocol::Http2OverTls => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            _ => vec![b"http/1.1".to_vec()],
        };
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A scripted upstream behind a door.
pub(crate) struct Front {
    pub(crate) upstream: Upstream,
    host: String,
    port: u16,
    protocol: Protocol,
    /// How often it was moved, and where to.
    door: watch::Sender<(u64, Door)>,
    /// The last move that has taken effect.
    applied: watch::Receiver<Option<u64>>,
}

impl Front {
    /// `host` resolves to loopback: `localhost`, or a name below it.
    pub(crate) fn start(upstream: Upstream, authority: &Authority, host: &str, protocol: Protocol) -> Front {
        let port = free_port().unwrap();
        let (door, wanted) = watch::channel((0, Door::Open));
        let (apply, applied) = watch::channel(None);
        let behind = upstream.address();
        let right = authority.acceptor(host, protocol);
        let wrong = authority.acceptor("wrong.invalid", protocol);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let tls = protocol.has_tls().then_some((right, wrong));
            runtime.block_on(keep(port, behind, tls, wanted, apply));
        });
        let host = if protocol.has_tls() { host.to_owned() } else { Ipv4Addr::LOCALHOST.to_string() };
        let front = Front { upstream, host, port, protocol, door, applied };
        front.await_move(0);
        front
    }

    /// What stands before the path in a `base_url`.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.protocol.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// What `:authority` has to be.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The server name of the handshake, if there is one.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.protocol.has_tls().then_some(&self.host)
    }

    /// Moves the door and ends every connection.
    pub(crate) fn set(&self, door: Door) {
        let moves = self.door.borrow().0 + 1;
        self.door.send((moves, door)).unwrap();
        self.await_move(moves);
    }

    fn await_move(&self, moves: u64) {
        let late = std::time::Instant::now() + Duration::from_secs(10);
        while *self.applied.borrow() != Some(moves) {
            assert!(std::time::Instant::now() < late, "the door did not move");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Protocol, server name and authority of a request that came through a front.
pub(crate) fn seen(request: &Request) -> (Option<&str>, Option<&str>, Option<&str>) {
    let value = |name| request.headers.value(name);
    (value(PROTOCOL), value(SERVER_NAME), value(AUTHORITY))
}

async fn keep(
    port: u16,
    behind: SocketAddr,
    tls: Option<(TlsAcceptor, TlsAcceptor)>,
    mut wanted: watch::Receiver<(u64, Door)>,
    apply: watch::Sender<Option<u64>>,
) {
    loop {
        let (moves, door) = *wanted.borrow_and_update();
        let mut tasks = tokio::task::JoinSet::new();
        let listener = match door {
            Door::Refuses => None,
            Door::Stalls if tls.is_none() => Some(listen(port, 0)),
            _ => Some(listen(port, 1024)),
        };
        let mut fillers = Vec::new();
        if door == Door::Stalls && tls.is_none() {
            // A full queue that nobody empties: what comes next is not answered at all.
            for _ in 0..4 {
                let filler = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                fillers.push(tokio::time::timeout(Duration::from_millis(50), filler).await);
            }
        }
        apply.send_replace(Some(moves));
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) if door != Door::Stalls || tls.is_some() => listener.accept().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                connection = accepted => {
                    let Ok((connection, _)) = connection else { continue };
                    let tls = tls.clone();
                    tasks.spawn(async move {
                        // A broken connection is an ordinary end here.
                        drop(serve(connection, tls, door, behind).await);
                    });
                }
                Some(_) = tasks.join_next() => {}
            }
        }
        tasks.shutdown().await;
    }
}

fn listen(port: u16, backlog: u32) -> tokio::net::TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    socket.listen(backlog).unwrap()
}

async fn serve(
    connection: tokio::net::TcpStream,
    tls: Option<(TlsAcceptor, TlsAcceptor)>,
    door: Door,
    behind: SocketAddr,
) -> Result<(), hyper::Error> {
    drop(connection.set_nodelay(true));
    let Some((right, wrong)) = tls else {
        let carry = service_fn(move |request| carry(request, None, behind));
        return hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(connection), carry)
            .await;
    };
    if door == Door::Stalls {
        return std::future::pending().await;
    }
    let acceptor = if door == Door::WrongHost { wrong } else { right };
    let Ok(stream) = acceptor.accept(connection).await else { return Ok(()) };
    let (_, session) = stream.get_ref();
    let name = session.server_name().map(str::to_owned);
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let carry = service_fn(move |request| carry(request, name.clone(), behind));
    match is_http2 {
        true => {
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.serve_connection(TokioIo::new(stream), carry).await
        }
        false => {
            let builder = hyper::server::conn::http1::Builder::new();
            builder.serve_connection(TokioIo::new(stream), carry).await
        }
    }
}

/// A body whose pieces come from another thread.
struct Pieces(mpsc::Receiver<io::Result<Frame<Bytes>>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context)
    }
}

fn fields(headers: &Headers) -> hyper::HeaderMap {
    let field = |(name, value): &(String, String)| {
        Some((
            hyper::header::HeaderName::try_from(name).ok()?,
            hyper::header::HeaderValue::try_from(value).ok()?,
        ))
    };
    headers.0.iter().filter_map(field).collect()
}

/// Hands a request to the upstream behind and its answer back, piece by piece.
async fn carry(
    request: hyper::Request<Incoming>,
    server_name: Option<String>,
    behind: SocketAddr,
) -> io::Result<hyper::Response<Pieces>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = Headers::default();
    for (name, value) in &head.headers {
        if !["host", "content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            headers.push(name.as_str(), value.to_str().unwrap_or_default());
        }
    }
    let of_uri = head.uri.authority().map(|authority| authority.as_str());
    let host = of_uri.or_else(|| head.headers.get("host").and_then(|host| host.to_str().ok()));
    headers.push(AUTHORITY, host.unwrap_or_default());
    headers.push(PROTOCOL, format!("{:?}", head.version));
    if let Some(name) = server_name {
        headers.push(SERVER_NAME, name);
    }
    let call = Call { method: head.method.to_string(), path: path.into(), headers, body: body.to_vec() };
    let (pieces, received) = mpsc::channel(4);
    let (head, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut stream = match client::open(behind, &call) {
            Ok(stream) => stream,
            Err(error) => return drop(head.send(Err(error))),
        };
        drop(head.send(Ok((stream.status, stream.headers.clone()))));
        loop {
            let piece = match stream.piece() {
                Ok(None) => {
                    let trailers = fields(stream.trailers());
                    if !trailers.is_empty() {
                        drop(pieces.blocking_send(Ok(Frame::trailers(trailers))));
                    }
                    return;
                }
                Ok(Some(piece)) => Ok(Frame::data(Bytes::from(piece))),
                Err(error) => Err(error),
            };
            let broken = piece.is_err();
            if pieces.blocking_send(piece).is_err() || broken {
                return;
            }
        }
    });
    let (status, headers) = answered.await.map_err(io::Error::other)??;
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in &headers.0 {
        if !["transfer-encoding", "connection"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    response.body(Pieces(received)).map_err(io::Error::other)
}

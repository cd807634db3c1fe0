//! A gRPC server with one method: HTTP/2, one framed message each way, the status in the trailers; and protobuf's wire format.
//!
//! The messages are Envoy's, so Envoy's own reader and writer are on the other side.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

type Method = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// Serves until the process ends; `method` gets a message and gives the answer's.
pub(crate) fn serve(
    path: &'static str,
    method: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> SocketAddr {
    let method: Arc<Method> = Arc::new(method);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let method = method.clone();
                tokio::spawn(async move {
                    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(answer(path, request, respond, method.clone()));
                    }
                });
            }
        });
    });
    address
}

async fn answer(
    path: &str,
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    method: Arc<Method>,
) {
    assert_eq!(request.uri().path(), path);
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.data().await {
        // A call whose caller gave up.
        let Ok(piece) = piece else { return };
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    // Not compressed, and one message.
    let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
    assert_eq!((bytes[0], length), (0, bytes.len() - 5));
    let message = method(&bytes[5..]);
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let Ok(mut send) = respond.send_response(head, false) else { return };
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = send.send_data(framed.freeze(), false).and_then(|()| send.send_trailers(trailers));
}

/// A value on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field<'m> {
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'m [u8]),
}

impl Field<'_> {
    #[track_caller]
    pub(crate) fn number(self) -> u64 {
        match self {
            Field::Number(number) => number,
            Field::Bytes(bytes) => panic!("not a number: {bytes:?}"),
        }
    }
}

/// The fields of a message by their numbers, in order.
#[track_caller]
pub(crate) fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => {
                let (number, rest) = message.split_first_chunk::<8>().unwrap();
                message = rest;
                Field::Number(u64::from_le_bytes(*number))
            }
            2 => {
                let length = varint(&mut message) as usize;
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let (number, rest) = message.split_first_chunk::<4>().unwrap();
                message = rest;
                Field::Number(u32::from_le_bytes(*number).into())
            }
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number without an end")
}

#[track_caller]
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

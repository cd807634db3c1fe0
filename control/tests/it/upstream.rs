//! A model server that shows what it was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// An upstream that answers every request with the head it got.
pub(crate) fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_with_head(stream));
        }
    });
    port
}

fn answer_with_head(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.extend(byte);
    }
    let port = stream.local_addr().unwrap().port();
    let head = format!("{}upstream: {port}\r\n", String::from_utf8_lossy(&head).to_lowercase());
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = stream.read_exact(&mut body);
    if head.contains("/slow") {
        // Longer than a change takes.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nfirst");
        std::thread::sleep(Duration::from_secs(5));
        let _ = stream.write_all(b" last");
        return;
    }
    let status = match &head {
        head if head.contains("/fail") => "503 Unavailable",
        head if head.contains("/wait") => "429 Too Many Requests\r\nretry-after: 1",
        _ => "200 OK",
    };
    let answer =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{head}", head.len());
    let _ = stream.write_all(answer.as_bytes());
}

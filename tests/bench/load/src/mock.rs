//! The model server: reads a request to its end and answers at once, or streams on a clock.
//!
//! Looks at nothing but `"stream":true` and `"max_tokens"`. Answers are prepared, so that a request costs it two system calls.

use crate::http1::{self, Body};
use kt_bench_corpus::{answer, deltas, escaped};
use memchr::memmem;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};

/// Answers in rotation.
const ANSWERS: u64 = 8;
/// Words of an answer: about 600 bytes of body.
const ANSWER_WORDS: usize = 60;
/// Tokens of a stream at most; a request may ask for fewer.
const MAX_TOKENS: usize = 1024;
/// How far into a body the number of tokens is looked for.
const TOKENS_WITHIN: usize = 256;
const READ_BYTES: usize = 128 * 1024;

/// What to serve, where, and for how long.
pub(crate) struct Mock {
    pub(crate) listen: SocketAddr,
    /// Between two events; zero writes them back to back.
    pub(crate) delay: Duration,
    pub(crate) lifetime: Duration,
}

struct Answers {
    whole: Vec<Vec<u8>>,
    streamed: Vec<Stream>,
    delay: Duration,
}

/// Each event in an HTTP chunk of its own.
struct Stream {
    /// Head of the answer and the first event.
    begin: Vec<u8>,
    /// An event for each further token.
    tokens: Vec<Vec<u8>>,
    /// The two last events.
    end: [Vec<u8>; 2],
}

impl Mock {
    /// Serves until the lifetime is over.
    pub(crate) async fn serve(self) -> Result<(), String> {
        let problem = |error| format!("cannot listen on {}: {error}", self.listen);
        let listener = TcpListener::bind(self.listen).await.map_err(problem)?;
        let answers = Rc::new(Answers {
            whole: (0..ANSWERS).map(whole).collect(),
            streamed: (0..ANSWERS).map(streamed).collect(),
            delay: self.delay,
        });
        let end = Instant::now() + self.lifetime;
        while let Ok(accepted) = timeout_at(end, listener.accept()).await {
            let (connection, _) = accepted.map_err(|error| format!("cannot accept: {error}"))?;
            let answers = answers.clone();
            tokio::task::spawn_local(async move {
                // A client that goes away is no problem of ours.
                drop(serve_connection(connection, &answers).await);
            });
        }
        Ok(())
    }
}

async fn serve_connection(mut connection: TcpStream, answers: &Answers) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(READ_BYTES);
    for turn in 0.. {
        let Some(wish) = read_request(&mut connection, &mut buffer).await? else {
            return Ok(());
        };
        let turn = turn % ANSWERS as usize;
        match (wish.stream, answers.streamed.get(turn), answers.whole.get(turn)) {
            (true, Some(stream), _) => stream.write(&mut connection, wish.tokens, answers.delay).await?,
            (_, _, Some(whole)) => connection.write_all(whole).await?,
            _ => {}
        }
    }
    Ok(())
}

impl Stream {
    async fn write(&self, connection: &mut TcpStream, tokens: usize, delay: Duration) -> std::io::Result<()> {
        let pieces = [&self.begin]
            .into_iter()
            .chain(self.tokens.iter().take(tokens.saturating_sub(1)))
            .chain(&self.end);
        if delay.is_zero() {
            for piece in pieces {
                connection.write_all(piece).await?;
            }
            return Ok(());
        }
        // The first one leaves at once; a timer would round it up to its own tick.
        let mut clock = interval_at(Instant::now() + delay, delay);
        // A late event must not make the next ones come in a burst, which no model does.
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for (at, piece) in pieces.enumerate() {
            if at > 0 {
                clock.tick().await;
            }
            connection.write_all(piece).await?;
        }
        Ok(())
    }
}

/// Reads one request to its end; `None` when the client has gone.
async fn read_request(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Wish>> {
    let mut head = loop {
        match http1::head(buffer).map_err(std::io::Error::other)? {
            Some(head) => break head,
            None if connection.read_buf(buffer).await? == 0 => return Ok(None),
            None => {}
        }
    };
    let mut read = head.bytes;
    let mut wish = Wish { tokens: MAX_TOKENS, ..Wish::default() };
    loop {
        let unread = buffer.get(read..).unwrap_or_default();
        read += head.body.read(unread, |piece| wish.read(piece)).map_err(std::io::Error::other)?;
        if head.body.is_complete() {
            break;
        }
        if matches!(head.body, Body::Chunked(_)) {
            buffer.drain(..read);
            read = 0;
        }
        if connection.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    buffer.drain(..read);
    Ok(Some(wish))
}

/// What a request asks for, wherever its body is cut.
#[derive(Default)]
struct Wish {
    stream: bool,
    /// Stated at the beginning of the bodies that the load sends.
    tokens: usize,
    /// The last bytes of what was read.
    tail: Vec<u8>,
}

impl Wish {
    fn read(&mut self, piece: &[u8]) {
        const STREAM: &[u8] = br#""stream":true"#;
        const TOKENS: &[u8] = br#""max_tokens":"#;
        if let Some(at) = memmem::find(piece.get(..TOKENS_WITHIN).unwrap_or(piece), TOKENS) {
            let digits = piece.iter().skip(at + TOKENS.len()).take_while(|byte| byte.is_ascii_digit());
            self.tokens = digits
                .fold(0, |number: usize, digit| (number * 10 + usize::from(digit - b'0')).min(MAX_TOKENS));
        }
        let seam = STREAM.len() - 1;
        self.tail.extend(piece.iter().take(seam));
        self.stream |= memmem::find(&self.tail, STREAM).is_some() || memmem::find(piece, STREAM).is_some();
        if piece.len() >= seam {
            self.tail.clear();
            self.tail.extend(piece.iter().skip(piece.len() - seam));
        }
    }
}

fn whole(seed: u64) -> Vec<u8> {
    let text = escaped(&answer(ANSWER_WORDS, seed));
    let body = format!(
        r#"{{"id":"chatcmpl-bench{seed:08}","object":"chat.completion","created":1700000000,"model":"bench-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":100,"completion_tokens":80,"total_tokens":180}}}}"#
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

fn streamed(seed: u64) -> Stream {
    let chunk = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
    let event = |delta: &str, finish: &str| {
        chunk(&format!(
            r#"{{"id":"chatcmpl-bench{seed:08}","object":"chat.completion.chunk","created":1700000000,"model":"bench-model","choices":[{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{finish}}}]}}"#
        ))
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
    let begin = format!("{head}{}", event(r#""role":"assistant","content":"""#, "null"));
    let text = answer(MAX_TOKENS, seed + ANSWERS);
    let tokens =
        deltas(&text).map(|delta| event(&format!(r#""content":"{}""#, escaped(delta)), "null").into_bytes());
    let end = [event("", r#""stop""#), format!("{}0\r\n\r\n", chunk("[DONE]"))];
    Stream { begin: begin.into_bytes(), tokens: tokens.collect(), end: end.map(String::into_bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: bool) {
        for size in 1..=body.len() {
            let mut wish = Wish { tokens: MAX_TOKENS, ..Wish::default() };
            body.as_bytes().chunks(size).for_each(|piece| wish.read(piece));
            assert_eq!(wish.stream, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn the_wish_for_a_stream_is_found_wherever_the_body_is_cut() {
        check(r#"{"messages":[],"user":"a","stream":true}"#, true);
        check(r#"{"messages":[],"user":"a","stream":false}"#, false);
    }

    #[test]
    fn a_request_may_ask_for_few_tokens() {
        let mut wish = Wish::default();
        wish.read(br#"{"max_tokens":4,"stream":true}"#);
        assert_eq!(wish.tokens, 4);
    }
}

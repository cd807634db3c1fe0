//! One exchange: a call to the gateway, the answer of the kit's upstream, and what each side saw.
//!
//! Judges nothing. One exchange at a time, so everything that arrives at the upstream belongs to it.

use crate::client::{self, Call, Reply};
use crate::scenario::ModelAnswer;
use crate::upstream::{Answer, Upstream};
use serde_json::{Value, json};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Between two pieces of an answer, so that the gateway sees them apart.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// The gateway under test.
#[derive(Debug, Clone)]
pub struct Target {
    /// As it was named.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What comes before `/v1`.
    prefix: String,
    /// What it wants to see as the caller's key.
    key: Option<String>,
    /// The name of a model that it serves.
    pub(super) model: String,
}

impl Target {
    /// A gateway by its URL, with or without `/v1`.
    pub fn parse(url: &str, key: Option<String>, model: &str) -> Result<Target, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{url}` does not begin with http://; put a plain port before TLS"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority =
            if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let found = authority.to_socket_addrs().map_err(|error| format!("`{url}`: {error}"))?.next();
        let address = found.ok_or_else(|| format!("`{url}` has no address"))?;
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("v1").unwrap_or(path).trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Target { url: url.to_owned(), address, prefix, key, model: model.to_owned() })
    }

    /// The call as this gateway wants it.
    pub(super) fn address_to(&self, mut call: Call) -> Call {
        call.path = format!("{}{}", self.prefix, call.path);
        match &self.key {
            Some(key) => call.header("authorization", format!("Bearer {key}")),
            None => call,
        }
    }
}

/// What both sides saw.
pub(super) struct Seen {
    /// What the client got.
    pub(super) reply: Reply,
    /// Bodies that arrived at the upstream.
    pub(super) sent: Vec<Vec<u8>>,
}

impl Seen {
    /// The gateway refused.
    pub(super) fn is_refused(&self) -> bool {
        self.reply.status >= 400
    }
}

/// The gateway and the upstream behind it.
pub(super) struct Kit<'k> {
    pub(super) target: &'k Target,
    pub(super) upstream: &'k Upstream,
}

impl Kit<'_> {
    /// Sends `body` to `path`, which the upstream answers with `answer`.
    pub(super) fn post(&self, path: &str, body: &Value, answer: Answer) -> io::Result<Seen> {
        self.exchange(Call::post(path, body.to_string()), answer)
    }

    /// Plays an exchange of the corpus.
    pub(super) fn play(&self, call: Call, answer: &ModelAnswer) -> io::Result<Seen> {
        self.exchange(call, scripted(answer))
    }

    pub(super) fn exchange(&self, call: Call, answer: Answer) -> io::Result<Seen> {
        self.answer_with(answer);
        let reply = client::send(self.target.address, &self.target.address_to(call))?;
        let sent = self.upstream.take_requests().into_iter().map(|request| request.body).collect();
        Ok(Seen { reply, sent })
    }

    /// What the upstream answers from now on; what is no call of a model, such as a probe of its health, gets an empty list.
    pub(super) fn answer_with(&self, answer: Answer) {
        drop(self.upstream.take_requests());
        self.upstream.script(move |request| match request.method.as_str() {
            "POST" => answer.clone(),
            _ => Answer::json(200, "{\"object\":\"list\",\"data\":[]}"),
        });
    }

    /// A harmless call arrives and is answered.
    pub(super) fn preflight(&self) -> Result<(), String> {
        let url = &self.target.url;
        let body = json!({"model": self.target.model, "messages": [{"role": "user", "content": "Hello!"}]});
        let answer = Answer::json(200, &super::probe::completion("Hello to you!").to_string());
        let seen =
            self.post("/v1/chat/completions", &body, answer).map_err(|error| format!("{url}: {error}"))?;
        if seen.sent.is_empty() {
            let (status, upstream) = (seen.reply.status, self.upstream.base_url());
            return Err(format!(
                "{url} answered {status} and did not ask the upstream of this kit, {upstream}; point it there"
            ));
        }
        match seen.reply.status {
            200 => Ok(()),
            status => Err(format!("{url} answered {status} to a harmless request: {}", seen.reply.text())),
        }
    }
}

/// The answer in its pieces.
fn scripted(answer: &ModelAnswer) -> Answer {
    let mut scripted = Answer::status(answer.status);
    for (name, value) in &answer.headers.0 {
        scripted = scripted.header(name, value.as_str());
    }
    match answer.pieces.as_slice() {
        [whole] => scripted.header("content-length", whole.len().to_string()).bytes(whole),
        pieces => pieces.iter().fold(scripted, |scripted, piece| scripted.bytes(piece).wait(BETWEEN_PIECES)),
    }
}

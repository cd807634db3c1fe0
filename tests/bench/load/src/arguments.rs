//! `--name value` pairs after a command.
//!
//! Invariant: an argument that nobody asked for is an error.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// The command and its arguments, taken out one by one.
pub(crate) struct Arguments {
    pub(crate) command: String,
    given: Vec<(String, String)>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let command = words.next().ok_or("a command is missing")?;
        let mut given = Vec::new();
        while let Some(word) = words.next() {
            let name =
                word.strip_prefix("--").ok_or_else(|| format!("`{word}` is not an argument"))?.to_owned();
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            given.push((name, value));
        }
        Ok(Arguments { command, given })
    }

    pub(crate) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.given.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.given.swap_remove(at);
        value.parse().map(Some).map_err(|_| format!("`--{name}` does not take `{value}`"))
    }

    pub(crate) fn number<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    pub(crate) fn seconds(&mut self, name: &str, default: f64) -> Result<Duration, String> {
        let seconds = self.number(name, default)?;
        Duration::try_from_secs_f64(seconds).map_err(|_| format!("`--{name}` does not take `{seconds}`"))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        self.optional(name)?.ok_or_else(|| format!("`--{name}` is missing"))
    }

    /// A loopback address: what these tools send, nobody else should get.
    pub(crate) fn address(&mut self, name: &str) -> Result<SocketAddr, String> {
        let text = self.text(name)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(address),
            _ => Err(format!("`--{name}` wants a loopback address and a port, not `{text}`")),
        }
    }

    /// One of `choices`, the first if not given.
    pub(crate) fn choice(&mut self, name: &str, choices: &[&'static str]) -> Result<&'static str, String> {
        let given: Option<String> = self.optional(name)?;
        let found = match &given {
            None => choices.first(),
            Some(value) => choices.iter().find(|choice| *choice == value),
        };
        found.copied().ok_or_else(|| format!("`--{name}` is one of {}", choices.join(", ")))
    }

    pub(crate) fn finish(&self) -> Result<(), String> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("`--{name}` is not an argument of `{}`", self.command)),
        }
    }
}

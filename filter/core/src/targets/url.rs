//! A `base_url` taken apart into what a connection needs.
//!
//! Resolves no names. Invariant: `path_prefix` names the root of the API, with its version, without a slash at the end.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Where an API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https`.
    pub tls: bool,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// Port, given or implied.
    pub port: u16,
    /// Path of the API's root, such as `/v1` or `/openai/v1`.
    pub path_prefix: String,
}

impl Endpoint {
    /// Value of `:authority`: the port is left out where it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.ip() {
            Some(IpAddr::V6(_)) => format!("[{}]", self.host),
            _ => self.host.clone(),
        };
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether requests stay on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path_prefix)
    }
}

/// Why a URL cannot be used, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong. The URL is not repeated: it may carry a password.
    pub problem: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

const EXAMPLE: &str = "such as `https://llm.example.com/v1`";

/// Ends of paths that people copy along with the root.
const ENDPOINTS: &[&str] = &["completions", "embeddings", "rerank", "responses", "models"];

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        if url.contains('$') {
            let help = "write the address itself; only keys come from the environment, by `secret_key_ref`";
            return Err(Error { problem: "`base_url` is taken as it stands: no variable is put in", help });
        }
        let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(Error { problem: "`base_url` starts with `https://` or `http://`", help: EXAMPLE });
        };
        if rest.contains(['?', '#']) {
            return Err(Error { problem: "`base_url` has no query and no fragment", help: EXAMPLE });
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            let help = "name the key under `secret_key_ref`";
            return Err(Error { problem: "`base_url` must not hold a user or a password", help });
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(default_port(tls));
        Ok(Endpoint { tls, host, port, path_prefix: path_prefix(path)? })
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), Error> {
    let bad_host = Error { problem: "`base_url` has no valid host", help: EXAMPLE };
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) if host.parse::<std::net::Ipv6Addr>().is_ok() => match rest {
            "" => (host, None),
            _ => (host, Some(rest.strip_prefix(':').ok_or(bad_host)?)),
        },
        Some(_) => return Err(bad_host),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => {
            return Err(Error { problem: "the port of `base_url` must be from 1 to 65535", help: EXAMPLE });
        }
    };
    if host.parse::<IpAddr>().is_err() && !is_host_name(host) {
        return Err(Error { problem: "`base_url` has no valid host", help: EXAMPLE });
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Digits and dots alone are a mistyped address, not a name.
    let address = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    host.len() <= 253 && !address && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

fn path_prefix(path: &str) -> Result<String, Error> {
    let path = path.trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&byte);
    for segment in &segments {
        if segment.is_empty() || matches!(*segment, "." | "..") || !segment.bytes().all(allowed) {
            let help = "remove empty segments, `..`, spaces and letters outside ASCII";
            return Err(Error { problem: "the path of `base_url` is not plain", help });
        }
    }
    if segments.last().is_some_and(|last| ENDPOINTS.contains(last)) {
        let help =
            "stop at the version, such as `https://llm.example.com/v1`; the client's path says the rest";
        return Err(Error { problem: "`base_url` names an endpoint instead of the API's root", help });
    }
    if segments.iter().any(|segment| is_version(segment)) {
        Ok(path.to_owned())
    } else {
        Ok(format!("{path}/v1"))
    }
}

/// `v1`, `v2`, `v1beta`, `v1alpha2`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else { return false };
    let stage = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let stage_name = stage.trim_end_matches(|c: char| c.is_ascii_digit());
    stage.len() < rest.len() && matches!(stage_name, "" | "alpha" | "beta")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let found = match url.parse::<Endpoint>() {
            Ok(endpoint) => format!("{} {} {}", endpoint.host, endpoint.port, endpoint),
            Err(error) => error.problem.to_owned(),
        };
        assert_eq!(found, expected, "for {url}");
    }

    #[test]
    fn the_version_is_added_where_it_is_missing_and_never_twice() {
        check("https://api.openai.com", "api.openai.com 443 https://api.openai.com/v1");
        check("https://api.openai.com/", "api.openai.com 443 https://api.openai.com/v1");
        check("https://api.openai.com/v1", "api.openai.com 443 https://api.openai.com/v1");
        check("https://api.openai.com/v1/", "api.openai.com 443 https://api.openai.com/v1");
        check("https://h.example/openai", "h.example 443 https://h.example/openai/v1");
        check("https://h.example/openai/v1beta", "h.example 443 https://h.example/openai/v1beta");
        check("https://h.example/v2/acct/gw", "h.example 443 https://h.example/v2/acct/gw");
        check("https://h.example/vault", "h.example 443 https://h.example/vault/v1");
    }

    #[test]
    fn ports_and_addresses_are_understood() {
        check("http://127.0.0.1:8000", "127.0.0.1 8000 http://127.0.0.1:8000/v1");
        check("http://[::1]:8000/v1", "::1 8000 http://[::1]:8000/v1");
        check("http://[::1]", "::1 80 http://[::1]/v1");
        check("https://Vllm.Internal:443/v1", "vllm.internal 443 https://vllm.internal/v1");
    }

    #[test]
    fn what_is_no_root_of_an_api_is_refused() {
        check("api.openai.com/v1", "`base_url` starts with `https://` or `http://`");
        check("https://", "`base_url` has no valid host");
        check("https://a..b", "`base_url` has no valid host");
        check("https://1.2.3", "`base_url` has no valid host");
        check("https://bücher.example", "`base_url` has no valid host");
        check("https://a:99999", "the port of `base_url` must be from 1 to 65535");
        check("https://a:0", "the port of `base_url` must be from 1 to 65535");
        check("https://u:p@a/v1", "`base_url` must not hold a user or a password");
        check("https://a/v1?x=1", "`base_url` has no query and no fragment");
        check("https://a/../v1", "the path of `base_url` is not plain");
        check("https://a/v1//x", "the path of `base_url` is not plain");
        check("https://a/v1/chat/completions", "`base_url` names an endpoint instead of the API's root");
    }
}

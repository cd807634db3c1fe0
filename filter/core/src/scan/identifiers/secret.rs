//! Secrets: tokens that carry their issuer in a prefix, JSON web tokens, private keys.
//!
//! Secrets without a form of their own (passwords) are not found. Invariant: a secret longer than its bound is covered up
//! to the bound, never missed.

use super::cursor::{Class, Cursor, Open, Verdict, is_alphanumeric, is_token, is_word};

/// Who issues tokens of a form.
#[derive(Clone, Copy)]
pub(super) struct Issuer {
    /// What the token begins with.
    pub(super) prefix: &'static str,
    /// Name of the service, lower case.
    name: &'static str,
    /// What follows the prefix.
    body: Class,
    /// Bytes of the body: fewest, and most. A longer one is cut, except where the two are equal.
    fewest: usize,
    most: usize,
}

const fn issuer(prefix: &'static str, name: &'static str, body: Class, fewest: usize, most: usize) -> Issuer {
    Issuer { prefix, name, body, fewest, most }
}

/// A longer prefix stands before a shorter one that it begins with.
pub(super) const ISSUERS: &[Issuer] = &[
    issuer("sk-ant-", "anthropic", Class::TOKEN, 20, 255),
    issuer("sk-or-v1-", "openrouter", Class::TOKEN, 32, 255),
    issuer("sk-proj-", "openai", Class::TOKEN, 20, 255),
    issuer("sk-svcacct-", "openai", Class::TOKEN, 20, 255),
    issuer("sk-admin-", "openai", Class::TOKEN, 20, 255),
    issuer("sk-", "openai", Class::TOKEN, 20, 255),
    issuer("sk_live_", "stripe", Class::ALPHANUMERIC, 16, 255),
    issuer("sk_test_", "stripe", Class::ALPHANUMERIC, 16, 255),
    issuer("rk_live_", "stripe", Class::ALPHANUMERIC, 16, 255),
    issuer("rk_test_", "stripe", Class::ALPHANUMERIC, 16, 255),
    issuer("hf_", "huggingface", Class::ALPHANUMERIC, 30, 64),
    issuer("r8_", "replicate", Class::ALPHANUMERIC, 32, 64),
    issuer("AKIA", "aws", Class::CAPITALS, 16, 16),
    issuer("ASIA", "aws", Class::CAPITALS, 16, 16),
    issuer("AIza", "google", Class::TOKEN, 35, 35),
    issuer("ghp_", "github", Class::ALPHANUMERIC, 36, 255),
    issuer("gho_", "github", Class::ALPHANUMERIC, 36, 255),
    issuer("ghu_", "github", Class::ALPHANUMERIC, 36, 255),
    issuer("ghs_", "github", Class::ALPHANUMERIC, 36, 255),
    issuer("ghr_", "github", Class::ALPHANUMERIC, 36, 255),
    issuer("github_pat_", "github", Class::WORD, 22, 255),
    issuer("glpat-", "gitlab", Class::TOKEN, 20, 255),
    issuer("xoxb-", "slack", Class::TOKEN, 20, 255),
    issuer("xoxp-", "slack", Class::TOKEN, 20, 255),
    issuer("xoxa-", "slack", Class::TOKEN, 20, 255),
    issuer("xoxr-", "slack", Class::TOKEN, 20, 255),
    issuer("xoxs-", "slack", Class::TOKEN, 20, 255),
    issuer("xoxe-", "slack", Class::TOKEN, 20, 255),
    issuer("npm_", "npm", Class::ALPHANUMERIC, 36, 64),
    issuer("pypi-", "pypi", Class::TOKEN, 50, 255),
    issuer("gsk_", "groq", Class::ALPHANUMERIC, 40, 128),
    issuer("tgp_v1_", "together", Class::TOKEN, 32, 128),
    issuer("xai-", "xai", Class::TOKEN, 60, 128),
    issuer("dop_v1_", "digitalocean", Class::HEX, 64, 64),
    issuer("lin_api_", "linear", Class::ALPHANUMERIC, 32, 64),
    issuer("sbp_", "supabase", Class::HEX, 40, 40),
];

/// Prefixes of the forms that are not in [`ISSUERS`].
pub(super) const WEB_TOKEN: &str = "eyJ";
/// See [`WEB_TOKEN`].
pub(super) const PEM: &str = "-----BEGIN ";

/// A header names an algorithm and a key; a longer one is none.
const LONGEST_HEADER: usize = 1024;
const LONGEST_PAYLOAD: usize = 4096;
const LONGEST_SIGNATURE: usize = 1024;
/// Two letters of JSON object, and enough after them that it cannot be a word.
const SHORTEST_PART: usize = 10;

/// An RSA key of 8192 bits takes 6.4 KB of text.
const LONGEST_PEM_BODY: usize = 7 * 1024;
const LONGEST_PEM_LABEL: usize = 32;

/// The most that any secret spans.
pub(super) const LONGEST: usize = LONGEST_PEM_BODY + 2 * (PEM.len() + LONGEST_PEM_LABEL + 16);

/// Second bytes of all prefixes (as bits, by their low five) by the first.
static SECOND_BYTES: [u32; 128] = second_bytes();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn second_bytes() -> [u32; 128] {
    let mut seconds = [0; 128];
    let mut n = 0;
    while n < ISSUERS.len() {
        add_second(&mut seconds, ISSUERS[n].prefix.as_bytes());
        n += 1;
    }
    add_second(&mut seconds, WEB_TOKEN.as_bytes());
    add_second(&mut seconds, PEM.as_bytes());
    seconds
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn add_second(seconds: &mut [u32; 128], prefix: &[u8]) {
    seconds[prefix[0] as usize] |= 1 << (prefix[1] & 31);
}

/// The secret that begins at `start`.
#[inline(never)]
pub(super) fn verify(text: &Cursor, start: usize) -> Verdict {
    let seconds = SECOND_BYTES.get(usize::from(text.at(start)?)).copied().unwrap_or(0);
    if seconds >> (text.at(start + 1)? & 31) & 1 == 0 {
        return Ok(None);
    }
    if text.at(start)? == b'-' {
        return private_key(text, start);
    }
    let before = text.before(start, 1);
    // One candidate for every run of token bytes, which keeps the work linear.
    if is_token(before) {
        return Ok(None);
    }
    if text.starts_with(start, WEB_TOKEN.as_bytes())? {
        return if before == b'.' { Ok(None) } else { web_token(text, start) };
    }
    for issuer in ISSUERS {
        if issuer.prefix.as_bytes().first() == Some(&text.at(start)?)
            && text.starts_with(start, issuer.prefix.as_bytes())?
        {
            return issued(text, start + issuer.prefix.len(), issuer);
        }
    }
    Ok(None)
}

#[inline(never)]
fn issued(text: &Cursor, body: usize, issuer: &Issuer) -> Verdict {
    let exact = issuer.fewest == issuer.most;
    let end = text.run_of(body, issuer.most + usize::from(exact), issuer.body)?;
    let length = end - body;
    if length < issuer.fewest || exact && (length > issuer.most || is_word(text.at(end)?)) {
        return Ok(None);
    }
    Ok(looks_random(text.slice(body, end)).then_some(end))
}

/// Not a placeholder such as `sk-your-api-key-goes-here` or `ghp_xxxxxxxx…`: has a digit, and enough different letters.
fn looks_random(body: &[u8]) -> bool {
    let mut seen = 0_u128;
    for byte in body {
        seen |= 1 << (byte & 127);
    }
    seen.count_ones() >= 8 && body.iter().any(u8::is_ascii_digit)
}

/// Header, payload and signature in base64; both objects, so both begin as `{"` is written in base64.
#[inline(never)]
fn web_token(text: &Cursor, start: usize) -> Verdict {
    let header = text.run_of(start, LONGEST_HEADER + 1, Class::TOKEN)?;
    if !(SHORTEST_PART..=LONGEST_HEADER).contains(&(header - start)) || text.at(header)? != b'.' {
        return Ok(None);
    }
    if !text.starts_with(header + 1, WEB_TOKEN.as_bytes())? {
        return Ok(None);
    }
    let payload = text.run_of(header + 1, LONGEST_PAYLOAD, Class::TOKEN)?;
    let length = payload - header - 1;
    if length == LONGEST_PAYLOAD {
        return Ok(Some(payload));
    }
    if length < SHORTEST_PART || text.at(payload)? != b'.' {
        return Ok(None);
    }
    let end = text.run_of(payload + 1, LONGEST_SIGNATURE, Class::TOKEN)?;
    Ok((end - payload > SHORTEST_PART).then_some(end))
}

/// A private key in PEM, from its first line to its last, or as far as it is there.
#[inline(never)]
fn private_key(text: &Cursor, start: usize) -> Verdict {
    if text.before(start, 1) == b'-' || !text.starts_with(start, PEM.as_bytes())? {
        return Ok(None);
    }
    let Some(body) = pem_label(text, start + PEM.len())? else { return Ok(None) };
    // Base64, line ends (also as written in a JSON string), and the headers of an encrypted key.
    let mut end = body;
    while end < body + LONGEST_PEM_BODY {
        let byte = text.at(end)?;
        let belongs = is_alphanumeric(byte)
            || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b'\\' | b' ' | b':' | b',');
        let dash_within = byte == b'-' && text.at(end + 1)? != b'-';
        if !belongs && !dash_within {
            break;
        }
        end += 1;
    }
    if text.at(end)? == b'-'
        && text.starts_with(end, b"-----END ")?
        && let Some(end) = pem_label(text, end + b"-----END ".len())?
    {
        return Ok(Some(end));
    }
    // No last line: the key is cut. What follows a space in its last line may be prose again, but hiding prose harms less.
    Ok(Some(end))
}

/// `RSA PRIVATE KEY-----` and the like at `at`; where it ends.
fn pem_label(text: &Cursor, at: usize) -> Result<Option<usize>, Open> {
    let dashes = text.run(at, LONGEST_PEM_LABEL, |byte| {
        byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit()
    })?;
    let label = text.slice(at, dashes);
    let is_key = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    Ok((is_key && text.starts_with(dashes, b"-----")?).then_some(dashes + 5))
}

/// Who issued the secret `matched`, as found by a scan.
pub(super) fn issuer_of(matched: &str) -> &'static str {
    if matched.starts_with(PEM) {
        return "private_key";
    }
    if matched.starts_with(WEB_TOKEN) {
        return "jwt";
    }
    ISSUERS.iter().find(|issuer| matched.starts_with(issuer.prefix)).map_or("unknown", |issuer| issuer.name)
}

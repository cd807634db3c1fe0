//! Secrets: issued tokens, JSON web tokens, private keys, and what a key word announces.
//!
//! A token shows by its form, a password by the word before it. Decides nothing about what is found. Invariant: a secret longer
//! than its bound is covered up to the bound, never missed.

mod assignment;
mod formats;
mod keys;
mod shape;

use super::cursor::{Around, Class, Cursor, Open, Verdict, is_alphanumeric, is_hex, is_token, is_word};
use formats::{JOINED, SOLID};
use shape::Shape;

/// What JSON web tokens begin with.
pub(super) const WEB_TOKEN: &str = "eyJ";
/// What private keys begin with.
pub(super) const PEM: &str = "-----BEGIN ";

/// A header names an algorithm and a key; a longer one is none.
const LONGEST_HEADER: usize = 1024;
const LONGEST_PAYLOAD: usize = 4096;
const LONGEST_SIGNATURE: usize = 1024;
/// Two letters of JSON object, and enough after them that it cannot be a word.
const SHORTEST_PART: usize = 10;
const SHORTEST_UNSIGNED_PART: usize = 16;

/// An RSA key of 8192 bits takes 6.4 KB of text.
const LONGEST_PEM_BODY: usize = 7 * 1024;
const SHORTEST_PEM_BODY: usize = 24;
const LONGEST_PEM_LABEL: usize = 32;

/// The most that any secret spans.
pub(super) const LONGEST: usize = LONGEST_PEM_BODY + 2 * (PEM.len() + LONGEST_PEM_LABEL + 16);

/// Prefixes of the tokens that are found from their first byte, for the prefilter.
pub(super) const fn solid_prefix(n: usize) -> Option<&'static [u8]> {
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    if n < SOLID.len() { Some(SOLID[n].prefix.as_bytes()) } else { None }
}

/// How many of them there are.
pub(super) const fn solid_prefixes() -> usize {
    SOLID.len()
}

/// What is found around a place: where it begins and ends; or where that begins which more text decides.
type Place = Result<Option<(usize, usize)>, usize>;

/// The secret that begins at `start`.
#[inline(never)]
pub(super) fn verify(text: &Cursor, start: usize) -> Verdict {
    if text.look(start)? == b'-' {
        return private_key(text, start);
    }
    if text.starts_with(start, WEB_TOKEN.as_bytes())?
        && formats::begins(text, start)
        && text.behind(start, 1) != b'.'
        && let Some(end) = web_token(text, start)?
    {
        return Ok(Some(end));
    }
    formats::solid(text, start)
}

/// The secret behind the operator, the colon of an address or of a bot's token at `at`.
pub(super) fn at_operator(text: &Cursor, at: usize, floor: usize) -> Place {
    if text.behind(at + 1, 1) == b':'
        && text.behind(at, 1).is_ascii_digit()
        && let Some(bot) = assignment::bot(text, at, floor).map_err(|(start, Open)| start)?
    {
        return Ok(Some(bot));
    }
    after(at, floor, assignment::behind_operator(text, at))
}

/// The secret behind the quote at `at`, in a list.
pub(super) fn at_quote(text: &Cursor, at: usize, floor: usize) -> Place {
    after(at, floor, assignment::in_list(text, at))
}

/// The secret that a sentence gives to the word at `at`.
pub(super) fn at_word(text: &Cursor, at: usize, floor: usize) -> Place {
    after(at, floor, assignment::in_sentence(text, at))
}

/// What is found after `at` waits for more text from `at` on, so that the place is seen again.
fn after(at: usize, floor: usize, value: assignment::Value) -> Place {
    match value {
        Ok(found) => Ok(found.filter(|(start, _)| *start >= floor)),
        Err(Open) => Err(at),
    }
}

/// A word that announces a secret may begin with these letters.
#[inline(always)]
pub(super) fn may_announce(first: [u8; 4]) -> bool {
    assignment::may_announce(first)
}

/// The word here is one like `content` or `context`, which are frequent; of those only `contraseña` announces a secret.
#[inline(always)]
pub(super) fn is_content(around: &Around) -> bool {
    assignment::is_content([around.at(0), around.at(4), around.at(5)])
}

/// A secret, or the password of an address, may stand behind the operator here.
#[inline(always)]
pub(super) fn may_assign(around: &Around) -> bool {
    let (byte, last, next) = (around.at(0), around.behind(1), around.at(1));
    match (byte, last) {
        (b'>', b'-') | (b'=', b'<' | b'>') => false,
        _ => {
            may_end_key(around)
                || byte == b':'
                    && next > b' '
                    && (next == b'A' && around.behind(8).is_ascii_digit()
                        || assignment::may_be_address(around))
        }
    }
}

/// A key may end before this place, with a quote or the like behind it.
#[inline(always)]
pub(super) fn may_end_key(around: &Around) -> bool {
    let behind = |back: usize| around.behind(back);
    let may_end_at = |back: usize| keys::may_end(behind(back + 2), behind(back + 1), behind(back));
    match behind(1) {
        b'a'..=b'z' | b'A'..=b'Z' => may_end_at(1),
        b'"' | b'\'' | b' ' | b')' | b']' if behind(2).is_ascii_alphabetic() => may_end_at(2),
        // A call.
        b')' => behind(2) != b'(',
        // A number of two digits may end a key, perhaps behind a separator.
        b'0'..=b'9' => {
            let digits = 1 + usize::from(behind(2).is_ascii_digit());
            let separator = matches!(behind(digits + 1), b'_' | b'-' | b'.' | b' ' | b'\'');
            match behind(digits + 1 + usize::from(separator)) {
                b'a'..=b'z' | b'A'..=b'Z' => may_end_at(digits + 1 + usize::from(separator)),
                byte => byte >= 0x80 || separator && !byte.is_ascii_digit(),
            }
        }
        _ => true,
    }
}

/// Something may show at the joint here.
#[inline(always)]
pub(super) fn may_join(around: &Around) -> bool {
    let behind = |back: usize| around.behind(back);
    let [joint, next, third, fourth] = around.four();
    let (last, second_last) = (behind(1), behind(2));
    formats::may_join(second_last, last, joint)
        // The heads of what has no form but its joint are long.
        || match joint {
            b'.' => is_token(last) && is_token(behind(8)) && is_token(behind(14)),
            b'-' => is_hex(last) && (is_hex(behind(16)) || is_hex(second_last) && is_hex(next)),
            b'~' => true,
            _ => false,
        }
        || match next {
            b'p' if last == b' ' => true,
            b'p' | b'P' | b's' | b'S' | b't' | b'T' | b'k' | b'K' => {
                is_word(last) && assignment::may_announce([next, third, fourth, around.at(4)])
            }
            _ => false,
        }
}

/// The token around its first joint, at `at`.
pub(super) fn at_joint(text: &Cursor, at: usize, floor: usize) -> Place {
    if let Some(found) = formats::joined(text, at, floor).map_err(|(start, Open)| start)? {
        return Ok(Some(found));
    }
    if let Some((start, verdict)) = headless(text, at, floor)
        && let Some(end) = verdict.map_err(|Open| start)?
    {
        return Ok(Some((start, end)));
    }
    // `--db-password …`, `DB_PASSWORD …`
    match text.bytes().get(at + 1) {
        Some(b'p') if text.behind(at, 1) == b' ' => after(at, floor, assignment::in_command(text, at)),
        Some(b'p' | b'P' | b's' | b'S' | b't' | b'T' | b'k' | b'K') if is_word(text.behind(at, 1)) => {
            after(at, floor, assignment::in_sentence(text, at + 1))
        }
        _ => Ok(None),
    }
}

pub(super) use formats::pending_scheme;

/// The most that stands before the first joint of a token, and the dashes or the escape before that.
pub(super) const LONGEST_HEAD: usize = 32 + 3;

/// Tokens that begin at random and show by their first joint: Discord, Mailchimp, Azure, HashiCorp, Airtable.
fn headless(text: &Cursor, joint: usize, floor: usize) -> Option<(usize, Verdict)> {
    let byte = text.behind(joint + 1, 1);
    let is_lower_hex: fn(u8) -> bool = |byte| is_hex(byte) && !byte.is_ascii_uppercase();
    let run = |wanted: fn(u8) -> bool| {
        (0..=LONGEST_HEAD).take_while(|back| joint >= *back && wanted(text.behind(joint - back, 1))).count()
    };
    let head = match byte {
        b'.' => run(is_token),
        b'-' => run(is_lower_hex),
        b'~' if text.behind(joint, 1) == b'Q' && text.behind(joint, 2).is_ascii_digit() => 5,
        _ => return None,
    };
    let start = joint.checked_sub(head).filter(|start| *start >= floor && formats::begins(text, *start))?;
    let first = text.behind(start + 1, 1);
    let body = joint + 1;
    let verdict = match (byte, head) {
        (b'-', 32) => exact(text, start, body, b"us", &[(Class::DIGITS, 1, 2, 0)]),
        (b'~', _) => exact(text, start, body, b"", &[(Class::DOTTED, 31, 34, 0)]),
        (b'.', 14) => exact(text, start, body, b"atlasv1.", &[(Class::ANY_BASE64, 60, 70, 0)]),
        (b'.', 17) if text.slice(start, start + 3) == b"pat" => {
            exact(text, start, body, b"", &[(Class::HEX, 64, 64, 0)])
        }
        (b'.', 23..=28) if matches!(first, b'M' | b'N' | b'O') => {
            exact(text, start, body, b"", &[(Class::TOKEN, 6, 7, b'.'), (Class::TOKEN, 27, 40, 0)])
        }
        _ => return None,
    };
    Some((start, verdict))
}

/// `word` and then `parts` (kind of bytes, fewest, most, what follows) from `at` on, all of it random.
fn exact(
    text: &Cursor,
    start: usize,
    at: usize,
    word: &[u8],
    parts: &[(Class, usize, usize, u8)],
) -> Verdict {
    if !text.starts_with(at, word)? {
        return Ok(None);
    }
    let mut end = at + word.len();
    for (class, fewest, most, then) in parts {
        let from = end;
        end = text.run_of(from, *most, *class)?;
        if end - from < *fewest || *then != 0 && text.look(end)? != *then {
            return Ok(None);
        }
        end += usize::from(*then != 0);
    }
    if is_word(text.look(end)?) {
        return Ok(None);
    }
    let found = text.slice(start, end);
    Ok((Shape::of(found).is_random() && !shape::stands_for_another(found)).then_some(end))
}

/// Header, payload and signature in base64; both objects, so both begin as `{"` is written in base64.
#[inline(never)]
fn web_token(text: &Cursor, start: usize) -> Verdict {
    let header = text.run_of(start, LONGEST_HEADER + 1, Class::TOKEN)?;
    if !(SHORTEST_PART..=LONGEST_HEADER).contains(&(header - start)) || text.look(header)? != b'.' {
        return Ok(None);
    }
    // No base64 has a length of 4n + 1.
    if (header - start) % 4 == 1 || !text.starts_with(header + 1, WEB_TOKEN.as_bytes())? {
        return Ok(None);
    }
    let payload = text.run_of(header + 1, LONGEST_PAYLOAD, Class::TOKEN)?;
    let length = payload - header - 1;
    if length == LONGEST_PAYLOAD {
        return Ok(Some(payload));
    }
    if length < SHORTEST_PART {
        return Ok(None);
    }
    let mut end = payload;
    if text.look(payload)? == b'.' {
        end = text.run_of(payload + 1, LONGEST_SIGNATURE, Class::TOKEN)?;
    }
    if end - payload > SHORTEST_PART {
        return Ok(Some(end));
    }
    // Without a signature, as algorithm `none` has it.
    let whole = length % 4 != 1 && (header - start).min(length) >= SHORTEST_UNSIGNED_PART;
    Ok(whole.then_some(payload))
}

/// A private key in PEM, from its first line to its last, or as far as it is there.
#[inline(never)]
fn private_key(text: &Cursor, start: usize) -> Verdict {
    if text.behind(start, 1) == b'-' || !text.starts_with(start, PEM.as_bytes())? {
        return Ok(None);
    }
    let Some(body) = pem_label(text, start + PEM.len())? else { return Ok(None) };
    // Base64, line ends (also as written in a JSON string), and the headers of an encrypted key.
    let mut end = body;
    while end < body + LONGEST_PEM_BODY {
        let byte = text.look(end)?;
        let belongs = is_alphanumeric(byte)
            || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b'\\' | b' ' | b':' | b',');
        let dash_within = byte == b'-' && text.look(end + 1)? != b'-';
        if !belongs && !dash_within {
            break;
        }
        end += 1;
    }
    // The first line alone gives nothing away.
    let enough = end - body >= SHORTEST_PEM_BODY;
    if text.look(end)? == b'-'
        && text.starts_with(end, b"-----END ")?
        && let Some(end) = pem_label(text, end + b"-----END ".len())?
    {
        return Ok(enough.then_some(end));
    }
    // No last line: the key is cut. What follows a space in its last line may be prose again, but hiding prose harms less.
    Ok(enough.then_some(end))
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

/// Who issued the secret `matched`, as found by a scan; `credential` if its form does not say.
pub(super) fn issuer_of(matched: &str) -> &'static str {
    if matched.starts_with(PEM) {
        return "private_key";
    }
    // The address of a hook, with its scheme.
    let from = matched.find("://").filter(|at| *at < 6).map_or(0, |at| at + 3);
    let bare = matched.get(from..).unwrap_or(matched);
    let issued = JOINED.iter().chain(SOLID).find(|format| bare.starts_with(format.prefix));
    match issued {
        Some(format) => format.issuer,
        None if matched.starts_with(WEB_TOKEN) => "jwt",
        None => "credential",
    }
}

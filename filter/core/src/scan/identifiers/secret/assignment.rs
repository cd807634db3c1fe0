//! Secrets without a form of their own: what stands behind a word that announces one.
//!
//! `password = "…"`, `api_key: …`, `--token …`, `<secret>…</secret>`, `Authorization: Basic …`, `scheme://user:…@host`,
//! `the password is …`. Knows no issuer. Invariant: a value ends before the next key, so that a text costs no more than its
//! length however many keys it has.

use super::keys::{self, Kind};
use super::shape::{self, Shape};
use crate::scan::identifiers::cursor::{Around, Class, Cursor, Open, is_alphanumeric, is_token, is_word};
use crate::scan::identifiers::email;

/// A longer value is cut here.
pub(super) const LONGEST_VALUE: usize = 4096;
/// Spaces or line ends between an operator and its value.
const MOST_SPACES: usize = 40;
/// A longer user name or password is none in an address.
const LONGEST_USER: usize = 40;
const LONGEST_URL_PASSWORD: usize = 256;
/// Words between the word that announces a secret and the one that links it to the value.
const MOST_WORDS: usize = 5;
const LONGEST_WORD: usize = 24;

const BLANK: u8 = 1;
const BREAK: u8 = 2;
const LETTER: u8 = 4;
const JOINT: u8 = 8;
const QUOTE: u8 = 16;
/// Ends a value without quotes.
const STOP: u8 = 32;
/// Ends a password in an address.
const SLASH: u8 = 64;
const STAR: u8 = 128;

static KINDS: [u8; 256] = kinds();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut n = 0;
    while n < 256 {
        let byte = n as u8;
        kinds[n] = match byte {
            b' ' | b'\t' => BLANK | STOP | SLASH,
            b'\n' | b'\r' => BREAK | STOP | SLASH,
            b'-' | b'_' => JOINT,
            b'"' | b'\'' | b'`' => QUOTE | STOP | SLASH,
            b'<' | b'>' | b'\\' | b'{' | b'(' => STOP | SLASH,
            b',' | b';' | b')' | b']' | b'}' | b'&' | b'[' => STOP,
            b'/' => SLASH,
            b'*' => STAR,
            0..0x20 | 0x7F => STOP | SLASH,
            // The lead of a letter with an accent, and what follows it; other scripts and their punctuation end a value.
            0x80..0xC2 | 0xC3..0xE0 => LETTER | SLASH,
            0xC2 | 0xE0.. => LETTER | STOP | SLASH,
            _ if byte.is_ascii_alphabetic() => LETTER,
            _ => 0,
        };
        n += 1;
    }
    kinds
}

fn is(byte: u8, kinds: u8) -> bool {
    KINDS.get(usize::from(byte)).is_some_and(|bits| bits & kinds != 0)
}

fn run(text: &Cursor, at: usize, longest: usize, kinds: u8) -> Result<usize, Open> {
    text.run_in(at, longest, &KINDS, kinds)
}

/// One of `words`, which are in lower case.
#[inline(never)]
fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

/// Where the value begins and ends.
pub(super) type Value = Result<Option<(usize, usize)>, Open>;

/// How a value is bound to its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// By an operator, with or without white space around it.
    Operator { tight: bool },
    /// By the tags of an element.
    Element,
    /// By a sentence, an option of a command, a place in a list.
    Loose,
    /// By nothing but standing next to it.
    Neighbour,
}

/// The value behind the operator at `at`: `:`, `=` or `>`.
#[inline(never)]
pub(super) fn behind_operator(text: &Cursor, at: usize) -> Value {
    let byte = text.look(at)?;
    let mut key_end = at;
    let mut bond = Bond::Operator { tight: true };
    match (byte, text.behind(at, 1)) {
        (b'>', b'-') | (b'=', b'<' | b'>') => return Ok(None),
        (b'>', b'=') => key_end -= 1,
        (b'>', _) => bond = Bond::Element,
        _ => {}
    }
    while byte != b':'
        && at - key_end < 4
        && matches!(text.behind(key_end, 1), b':' | b'=' | b'?' | b'.' | b'+' | b'|' | b'!')
    {
        key_end -= 1;
    }
    let Some(kind) = keys::before(text, key_end) else {
        return match byte {
            // What follows a colon in prose is a space.
            b':' if text.bytes().get(at + 1).is_none_or(|next| *next > b' ') => in_address(text, at),
            _ => Ok(None),
        };
    };
    let next = text.look(at + 1)?;
    // The rest of a longer operator has the say.
    if byte != b'>' && matches!(next, b'=' | b':' | b'>' | b'~') {
        return Ok(None);
    }
    if matches!(next, b' ' | b'\t') || matches!(text.behind(key_end, 1), b' ' | b'\t') {
        bond = if bond == Bond::Element { bond } else { Bond::Operator { tight: false } };
    }
    value(text, at + 1, kind, bond)
}

/// The value behind the quote at `at` in `"KEY", "value"`.
pub(super) fn in_list(text: &Cursor, at: usize) -> Value {
    let quote = text.look(at)?;
    // Asked first: what follows matters only behind a key, and asking for it holds the text back.
    let Some(kind) = keys::before(text, at) else { return Ok(None) };
    if !text.starts_with(at + 1, b", ")? || text.look(at + 3)? != quote {
        return Ok(None);
    }
    value(text, at + 2, kind, Bond::Loose)
}

/// The value that a sentence or a command gives to the word at `at`.
#[inline(never)]
pub(super) fn in_sentence(text: &Cursor, at: usize) -> Value {
    if !announces(text, at)? {
        return Ok(None);
    }
    let mut end = run(text, at, LONGEST_WORD, LETTER | JOINT)?;
    // A sentence gives nothing to a weak key, but it may be the first word of another.
    let mut kind = keys::of_word(text, end).filter(|kind| *kind != Kind::Weak);
    // `contract`: no first word of a key.
    if kind.is_none() && begins_with(text.slice(at, end), "cont") {
        return Ok(None);
    }
    let start =
        || (0..LONGEST_WORD).take_while(|back| at > *back && is_token(text.behind(at - back, 1))).count();
    let mut bond = match kind {
        Some(Kind::Authorization) => Bond::Loose,
        // An option of a command.
        Some(_) if text.behind(at - start() + 1, 1) == b'-' => Bond::Loose,
        _ => Bond::Neighbour,
    };
    // The last word was a key.
    let mut fresh = true;
    for _ in 0..MOST_WORDS {
        let mut begin = end + 1;
        match (text.look(end)?, kind) {
            (b' ' | b'\t', _) => {}
            (b':' | b'=', Some(kind)) if !fresh => return value(text, begin, kind, Bond::Loose),
            // A call.
            (b'(', Some(kind)) if is(text.look(begin)?, QUOTE) => {
                return value(text, begin, kind, Bond::Loose);
            }
            _ => return Ok(None),
        }
        let aside = text.look(begin)? == b'(';
        begin += usize::from(aside);
        if let Some(kind) = kind {
            let quoted = is(text.look(begin)?, QUOTE) && (fresh || bond == Bond::Loose);
            // A row of a table, an arrow.
            if quoted || text.starts_with(begin, b"| ")? || text.starts_with(begin, b"-> ")? {
                return value(text, if quoted { begin } else { begin + 2 }, kind, Bond::Loose);
            }
        }
        end = run(text, begin, LONGEST_WORD, LETTER)?;
        let next = text.look(end)?;
        let stops = matches!(next, b':' | b'=' | b',' | b'.' | b';' | b'?' | b'!' | b')');
        let plain = next.is_ascii_whitespace()
            || stops && matches!(text.look(end + 1)?, 0..=b' ' | b')' | b':' | b'"' | b'*');
        let mixed = text.slice(begin, end).iter().skip(1).any(u8::is_ascii_uppercase);
        if end == begin || !plain || mixed {
            let value = match kind {
                Some(kind) if fresh || bond == Bond::Loose => value(text, begin, kind, bond)?,
                _ => None,
            };
            if value.is_some() || !plain || end == begin {
                return Ok(value);
            }
        }
        let word = text.slice(begin, end);
        end += usize::from(aside && next == b')');
        let by = text.slice(at, end).eq_ignore_ascii_case(b"identified by");
        let named = if by { Some(Kind::Password) } else { keys::of_word(text, end) };
        let key = named.is_some_and(|kind| kind != Kind::Weak);
        // The rest of the sentence is about something else, or about another secret, which is found from its own place.
        if kind.is_none() && !key || kind.is_some() && key && !fresh {
            return Ok(None);
        }
        fresh = key;
        if key {
            kind = named;
        }
        bond = if is_one_of(word, LINKS) { Bond::Loose } else { Bond::Neighbour };
    }
    Ok(None)
}

/// The value that a command takes from its option `-p`, whose dash is at `dash`.
pub(super) fn in_command(text: &Cursor, dash: usize) -> Value {
    if text.look(dash + 1)? != b'p' || text.behind(dash, 1) != b' ' {
        return Ok(None);
    }
    let line = text.slice(dash.saturating_sub(LONGEST_COMMAND), dash);
    let line = line.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if !line.split(|byte| !is_word(*byte)).any(|word| is_one_of(word, COMMANDS)) {
        return Ok(None);
    }
    let begin = dash + 2;
    value(
        text,
        begin,
        Kind::Password,
        if text.look(begin)? == b' ' { Bond::Loose } else { Bond::Operator { tight: true } },
    )
}

/// How far before its option a command may begin.
const LONGEST_COMMAND: usize = 40;

/// Commands that take a password from `-p`.
static COMMANDS: &[&str] = &[
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mariadb",
    "sshpass",
    "docker",
    "podman",
    "redis",
    "mongo",
    "mongosh",
];

/// Beginnings of the words that announce a secret without an operator; the prefilter stops at most of them, at others by
/// mistake, and the rest follow a joint.
const WORD_STARTS: &[&[u8; 4]] = &[
    b"pass", b"senh", b"cont", b"wach", b"kenn", b"toke", b"secr", b"bear", b"iden", b"api ", b"pin ",
    b"pwd ", b"key ", b"apik", b"api-", b"api_", b"auth", b"priv", b"acce", b"pass",
];

/// A word that announces a secret begins at `at`.
fn announces(text: &Cursor, at: usize) -> Result<bool, Open> {
    let mut first = [0; 4];
    for (n, byte) in first.iter_mut().enumerate() {
        *byte = text.look(at + n)?.to_ascii_lowercase();
    }
    let [c, ..] = first;
    Ok(WORD_STARTS.contains(&&first)
        && (c != b'c' || !is_content([c, text.look(at + 4)?, text.look(at + 5)?])))
}

/// Of the words that begin with `c`, by their first byte and the two that follow `cont`, those that announce nothing: all but
/// `contraseña`.
#[inline(always)]
pub(super) fn is_content([first, fifth, sixth]: [u8; 3]) -> bool {
    first | 0x20 == b'c' && (fifth | 0x20 != b'r' || sixth | 0x20 != b'a')
}

/// For each hash of four letters, what of [`WORD_STARTS`] has it; zero: nothing.
static STARTS: [u32; 256] = starts();

/// Four letters without case.
const fn letters(first: [u8; 4]) -> u32 {
    u32::from_le_bytes(first) | 0x2020_2020
}

const fn hash(letters: u32) -> usize {
    (letters.wrapping_mul(0x9E37_79B1) >> 24) as usize
}

#[allow(clippy::indexing_slicing, clippy::panic, reason = "at compile time")]
const fn starts() -> [u32; 256] {
    let mut starts = [0; 256];
    let mut n = 0;
    while n < WORD_STARTS.len() {
        let letters = letters(*WORD_STARTS[n]);
        let slot = &mut starts[hash(letters)];
        assert!(*slot == 0 || *slot == letters, "every beginning has a slot of its own");
        *slot = letters;
        n += 1;
    }
    starts
}

/// A word that announces a secret may begin with these letters.
#[inline(always)]
pub(super) fn may_announce(first: [u8; 4]) -> bool {
    let letters = letters(first);
    STARTS.get(hash(letters)).is_some_and(|start| *start == letters)
}

/// Words between a key and its value.
static LINKS: &[&str] =
    &["is", "was", "to", "be", "as", "ist", "lautet", "est", "es", "era", "é", "è", "becomes"];

/// The password of an address, `scheme://user:password@host`, whose second colon is at `colon`; or that of a command,
/// `curl -u user:password`.
fn in_address(text: &Cursor, colon: usize) -> Value {
    let user = (0..=LONGEST_USER).find(|back| !is_user(text.behind(colon - back.min(&colon), 1)));
    let Some(mut before) = user.and_then(|back| colon.checked_sub(back)) else { return Ok(None) };
    if text.slice(before.saturating_sub(3), before) != b"://" {
        before -= usize::from(matches!(text.behind(before, 1), b'"' | b'\''));
        before -= usize::from(text.behind(before, 1) == b' ');
        let option = text.slice(before.saturating_sub(8), before);
        let named = [&b" -u"[..], b"--user", b"-user"].iter().any(|name| option.ends_with(name));
        return if named {
            value(text, colon + 1, Kind::Password, Bond::Operator { tight: true })
        } else {
            Ok(None)
        };
    }
    let begin = colon + 1;
    let mut end = begin;
    while end - begin < LONGEST_URL_PASSWORD && !is(text.look(end)?, SLASH) {
        end += 1;
    }
    // A password may have an at sign too.
    let Some(at) = text.slice(begin, end).iter().rposition(|byte| *byte == b'@') else { return Ok(None) };
    end = begin + at;
    let next = text.look(end + 1)?;
    let password = text.slice(begin, end);
    let named = is_one_of(password, PLACEHOLDERS);
    let real = password.len() >= 3
        && (is_alphanumeric(next) || matches!(next, b'[' | b'$' | b'<'))
        && !named
        && !is_reference(password)
        && !(password.len() < 6 && password.iter().all(u8::is_ascii_digit));
    Ok(real.then_some((begin, end)))
}

/// Part of the user name of an address.
fn is_user(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'%' | b'+' | b'-' | b'~' | b'$' | b'*')
}

/// A colon that ends the user name of an address, as far as the bytes before it tell.
#[inline(always)]
pub(super) fn may_be_address(around: &Around) -> bool {
    let back = (1..=Around::REACH).find(|back| !is_user(around.behind(*back)));
    // The name may begin farther away.
    let Some(back) = back else { return true };
    match around.behind(back) {
        b'/' => true,
        // `-u name:…`, `--user "name:…`
        b' ' | b'"' | b'\'' if back < Around::REACH => matches!(around.behind(back + 1), b'u' | b'r' | b' '),
        b' ' | b'"' | b'\'' => true,
        _ => false,
    }
}

/// The value that begins at `at` or after white space, quotes and the name of a scheme.
fn value(text: &Cursor, at: usize, kind: Kind, bond: Bond) -> Value {
    let space = if bond == Bond::Element { BLANK | BREAK } else { BLANK };
    let mut begin = run(text, at, MOST_SPACES, space)?;
    // `**Password:** …`
    if is(text.look(begin)?, STAR) {
        begin = run(text, begin, 2, STAR)?;
        begin = run(text, begin, 1, BLANK)?;
    }
    // `(`, `[`: a list or brackets around one value.
    if matches!(text.look(begin)?, b'(' | b'[') && is(text.look(begin + 1)?, QUOTE) {
        begin += 1;
    }
    let escaped = text.look(begin)? == b'\\';
    if escaped {
        begin += 1;
    }
    // `b"…"`, `@"…"`
    if matches!(text.look(begin)?, b'b' | b'r' | b'u' | b'L' | b'@')
        && matches!(text.look(begin + 1)?, b'"' | b'\'')
    {
        begin += 1;
    }
    let mut quote = text.look(begin)?;
    if is(quote, QUOTE) {
        begin += 1;
        if text.look(begin)? == quote && !escaped {
            if text.look(begin + 1)? != quote {
                return Ok(None);
            }
            begin += 2;
        }
    } else if escaped {
        return Ok(None);
    } else {
        quote = 0;
    }
    // `Bearer …`
    let scheme = run(text, begin, LONGEST_WORD, LETTER | JOINT)?;
    let mut kind = kind;
    if scheme > begin && text.look(scheme)? == b' ' {
        let named = is_one_of(text.slice(begin, scheme), SCHEMES);
        if named || kind == Kind::Authorization {
            begin = run(text, scheme, 2, BLANK)?;
            kind = Kind::Token;
        }
    }
    let quoted = quote != 0;
    let mut end = begin;
    loop {
        let byte = text.look(end)?;
        if quoted {
            if byte == quote || byte == 0 || escaped && byte == b'\\' {
                break;
            }
            if is(byte, BREAK) {
                return Ok(None);
            }
        } else if byte == b'&' && end > begin && !ends_at_ampersand(text, end)? {
            // Part of a password, not the next of a query.
        } else if is(byte, STOP) {
            // A call, an index, a template.
            if matches!(byte, b'(' | b'[' | b'{') {
                return Ok(None);
            }
            break;
        }
        if matches!(byte, b'=' | b':') && end > begin && keys::before(text, end).is_some() {
            return Ok(None);
        }
        end += 1;
        if end - begin >= LONGEST_VALUE && text.look(end)?.is_ascii() {
            break;
        }
    }
    let stop = text.look(end)?;
    if !quoted {
        while end > begin && matches!(text.behind(end, 1), b'.' | b':' | b'?')
            || text.behind(end, 1) == b'*' && text.behind(end, 2) == b'*'
        {
            end -= 1;
        }
    }
    if bond == Bond::Element && !quoted {
        let close = run(text, end, MOST_SPACES, BLANK | BREAK)?;
        if text.look(close)? != b'<' {
            return Ok(None);
        }
    }
    let found = text.slice(begin, end);
    // Whoever looks for addresses finds this one.
    if found.contains(&b'@') && email::verify(text, begin)? == Some(end) {
        return Ok(None);
    }
    let judged = Judged { value: found, shape: Shape::of(found), quoted, bond, stop };
    Ok(judged.is_secret(kind).then_some((begin, end)))
}

/// The ampersand at `at` separates two values, or is the end of one.
fn ends_at_ampersand(text: &Cursor, at: usize) -> Result<bool, Open> {
    let end = text.run(at + 1, LONGEST_WORD, is_token)?;
    Ok(end == at + 1
        || end - at > LONGEST_WORD
        || !is(text.look(end)?, BLANK | BREAK | QUOTE) && text.look(end)? != 0)
}

/// Names of schemes before a credential.
static SCHEMES: &[&str] =
    &["bearer", "basic", "token", "apikey", "api-key", "bot", "ssws", "key", "jwt", "digest"];

/// Values that only say what would stand there.
static PLACEHOLDERS: &[&str] = &["password", "passwd", "pass", "pwd", "secret", "token", "passwort", "pw"];

/// Parts of values that are words about secrets, or about their form.
static STEMS: &[&str] =
    &["pass", "pwd", "secret", "token", "apikey", "credential", "senha", "kennwort", "login", "username"];

/// Words that are no password although they stand where one would.
static WORDS: &[&str] = &[
    "required",
    "optional",
    "string",
    "hidden",
    "incorrect",
    "invalid",
    "default",
    "undefined",
    "unknown",
    "missing",
    "basic",
    "plain",
    "plaintext",
    "encrypted",
    "hashed",
    "forgot",
    "forgotten",
    "strong",
    "correct",
    "expired",
    "disabled",
    "enabled",
    "varchar",
    "number",
    "boolean",
    "integer",
    "protected",
    "confidential",
    "removed",
    "hidden",
    "masked",
    "nothing",
    "anything",
    "whatever",
    "prompt",
    "stdin",
    "submit",
    "cancel",
    "confirm",
    "repeat",
];

/// Beginnings of names of algorithms and encodings, which have digits as passwords have.
static ALGORITHMS: &[&str] = &[
    "sha", "md5", "aes", "utf", "base64", "base32", "oauth", "rsa", "argon2", "bcrypt", "pbkdf2", "x509",
    "ed25519", "hs256", "rs256",
];

struct Judged<'a> {
    value: &'a [u8],
    shape: Shape,
    quoted: bool,
    bond: Bond,
    /// The byte after the value.
    stop: u8,
}

impl Judged<'_> {
    fn is_secret(&self, kind: Kind) -> bool {
        let Shape { length, digits, letters, .. } = self.shape;
        if length < 4 || self.value.contains(&b' ') || is_reference(self.value) {
            return false;
        }
        let assigned = matches!(self.bond, Bond::Operator { .. } | Bond::Element);
        match kind {
            Kind::Pin => digits == length && length <= 8,
            Kind::Weak => {
                let mixed = self.shape.capitals > 0 && self.shape.capitals < letters && digits > 0;
                assigned
                    && (self.quoted || self.bond == Bond::Operator { tight: true })
                    && length >= 20
                    && (mixed || length >= 32 && digits > 0)
                    && !is_uuid(self.value)
                    && self.shape.is_random()
            }
            Kind::Token | Kind::Authorization => {
                let clear = self.quoted || self.bond == Bond::Operator { tight: true } || length >= 12;
                let random = self.shape.is_random() || digits == length && length >= 17;
                length >= 8 && clear && random && !self.is_code()
            }
            Kind::Password => self.is_password(assigned),
        }
    }

    fn is_password(&self, assigned: bool) -> bool {
        let Shape { length, letters, digits, symbols, .. } = self.shape;
        let strong =
            self.value.iter().any(|byte| matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*'));
        let speaks = STEMS.iter().any(|stem| shape::contains(self.value, stem.as_bytes()));
        if self.is_code() || self.shape.different < 3 || length > 256 {
            return false;
        }
        if letters == 0 {
            return digits == length && length >= if self.bond == Bond::Neighbour { 8 } else { 4 };
        }
        if digits > 0 || symbols > 0 {
            let algorithm = ALGORITHMS.iter().any(|name| begins_with(self.value, name));
            return match self.bond {
                Bond::Neighbour => {
                    let numbered = digits >= 2 && letters >= 3 && length >= 8 && !speaks && !algorithm;
                    length >= 6 && (self.shape.is_random() || strong && digits > 0 || numbered)
                }
                _ if self.quoted && assigned => true,
                Bond::Loose => length >= 5 && !algorithm && (digits > 0 || strong),
                _ => (digits > 0 || strong) && !(speaks && symbols == 0 && self.value.contains(&b'_')),
            };
        }
        // Letters only: of both cases without any order, or where code or a configuration assigns it.
        if self.shape.is_random() && self.shape.capitals > 1 && self.shape.capitals < letters && !speaks {
            return true;
        }
        let config = self.bond == Bond::Operator { tight: true }
            && matches!(self.stop, 0 | b'\n' | b'\r' | b';' | b'&');
        let word = is_one_of(self.value, WORDS);
        assigned && (self.quoted || config || self.bond == Bond::Element) && length >= 6 && !speaks && !word
    }

    /// A name, a path or a call of a program, unless it is in quotes or random.
    fn is_code(&self) -> bool {
        let first = self.value.first().copied().unwrap_or(0);
        let names = self.value.iter().all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-' | b'/' | b':'));
        if names && matches!(first, b'.' | b'/' | b':') && !self.shape.is_random() {
            return true;
        }
        if matches!(first, b'#' | b'@' | b'%' | b'$' | b'~')
            && self.shape.digits == 0
            && self.shape.symbols == 1
        {
            return true;
        }
        let path = self.value.contains(&b'.') || self.value.contains(&b'/') || self.value.contains(&b':');
        !self.quoted && names && path && !first.is_ascii_digit() && !self.shape.is_random()
    }
}

fn begins_with(value: &[u8], word: &str) -> bool {
    value.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// Eight, four, four, four and twelve digits: a name, mostly.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| {
            if matches!(at, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

/// Refers to a secret, hides it, or stands where one will.
fn is_reference(value: &[u8]) -> bool {
    let (first, second) = (value.first().copied().unwrap_or(0), value.get(1).copied().unwrap_or(0));
    let last = value.last().copied().unwrap_or(0);
    let variable = first == b'$'
        && (second.is_ascii_alphabetic() || second == b'_')
        && value.iter().skip(1).all(|byte| is_word(*byte));
    variable
        || matches!(first, b'{' | b'[' | b'(')
        || value.starts_with(b"!!")
        || first == b'%' && last == b'%'
        || value.windows(3).any(|part| part == b"://")
        || shape::stands_for_another(value)
        || Shape::of(value).is_filler() && !value.iter().all(u8::is_ascii_digit)
}

/// The end of a run of digits before a colon and of the token behind it: a bot of Telegram.
pub(super) fn bot(
    text: &Cursor,
    colon: usize,
    floor: usize,
) -> Result<Option<(usize, usize)>, (usize, Open)> {
    let digits =
        (0..=10).take_while(|back| text.behind(colon - back.min(&colon), 1).is_ascii_digit()).count();
    let start = colon - digits;
    let labelled =
        text.behind(start, 1) == b't' && text.behind(start, 2) == b'o' && text.behind(start, 3) == b'b';
    if !(8..=10).contains(&digits) || start < floor || is_word(text.behind(start, 1)) && !labelled {
        return Ok(None);
    }
    let end = text.run_of(colon + 1, 36, Class::TOKEN).map_err(|open| (start, open))?;
    let body = text.slice(colon + 1, end);
    let real = (34..=35).contains(&body.len()) && body.first() == Some(&b'A') && Shape::of(body).is_random();
    Ok(real.then_some((start, end)))
}

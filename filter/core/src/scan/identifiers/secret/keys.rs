//! The words that announce a secret: `password`, `api_key`, `client-secret`, `mot de passe`.
//!
//! Judges no value. Invariant: a key is read backwards from its end, over a bounded number of bytes, whatever the spelling
//! (`apiKey`, `API_KEY`, `api-key`, `api key`).

use crate::scan::identifiers::LOOKBEHIND;
use crate::scan::identifiers::cursor::{Cursor, is_alphanumeric};

/// What may stand behind a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Something a person may have made up.
    Password,
    /// A short number.
    Pin,
    /// Something a machine drew at random.
    Token,
    /// The same, after the name of a scheme.
    Authorization,
    /// Often something else: only what is random beyond doubt.
    Weak,
}

use Kind::{Authorization, Password, Pin, Token, Weak};

/// Ends of keys without their separators, in lower case. `true`: only as a word of its own (`pass`, not `compass`). A longer
/// end stands before a shorter one.
static ENDS: &[(&str, Kind, bool)] = &[
    ("password", Password, false),
    ("passwort", Password, false),
    ("passwd", Password, false),
    ("passwrd", Password, false),
    ("passphrase", Password, false),
    ("passcode", Password, false),
    ("contraseña", Password, false),
    ("contrasena", Password, false),
    ("contrasenya", Password, false),
    ("motdepasse", Password, false),
    ("wachtwoord", Password, false),
    ("kennwort", Password, false),
    ("paroladordine", Password, false),
    ("palavrapasse", Password, false),
    ("senha", Password, true),
    ("clave", Password, true),
    ("mdp", Password, true),
    ("pswd", Password, true),
    ("psswd", Password, true),
    ("passw", Password, true),
    ("pass", Password, true),
    ("psw", Password, true),
    ("pwd", Password, false),
    ("pw", Password, true),
    ("pincode", Pin, false),
    ("pin", Pin, true),
    ("authorization", Authorization, false),
    ("bearer", Authorization, true),
    ("token", Token, false),
    ("secret", Token, false),
    ("jeton", Token, true),
    ("credential", Token, false),
    ("credentials", Token, false),
    ("creds", Token, true),
    ("zugangsdaten", Token, false),
    ("geheimnis", Token, false),
    ("identifiants", Token, false),
    ("auth", Token, true),
    ("jwt", Token, true),
    ("salt", Token, true),
    ("apikey", Token, false),
    ("accesskey", Token, false),
    ("accesskeyid", Token, false),
    ("accessid", Token, false),
    ("secretkey", Token, false),
    ("secretid", Token, false),
    ("authkey", Token, false),
    ("privatekey", Token, false),
    ("privkey", Token, false),
    ("encryptionkey", Token, false),
    ("signingkey", Token, false),
    ("masterkey", Token, false),
    ("accountkey", Token, false),
    ("storagekey", Token, false),
    ("consumerkey", Token, false),
    ("licensekey", Token, false),
    ("licencekey", Token, false),
    ("subscriptionkey", Token, false),
    ("sharedkey", Token, false),
    ("presharedkey", Token, false),
    ("servicekey", Token, false),
    ("deploykey", Token, false),
    ("integrationkey", Token, false),
    ("webhookkey", Token, false),
    ("writekey", Token, false),
    ("adminkey", Token, false),
    ("serverkey", Token, false),
    ("functionkey", Token, false),
    ("hostkey", Token, false),
    ("clientkey", Token, false),
    ("clientkeydata", Token, false),
    ("cryptokey", Token, false),
    ("cipherkey", Token, false),
    ("hmackey", Token, false),
    ("aeskey", Token, false),
    ("jwtkey", Token, false),
    ("cookiekey", Token, false),
    ("gitlabsession", Token, false),
    ("clavesecreta", Token, false),
    ("claveapi", Token, false),
    ("clavedeapi", Token, false),
    ("cléapi", Token, false),
    ("cleapi", Token, false),
    ("clésecrète", Token, false),
    ("apischlüssel", Token, false),
    ("apischluessel", Token, false),
    ("schlüssel", Token, false),
    ("chiaveapi", Token, false),
    ("chavedeapi", Token, false),
    ("chavedaapi", Token, false),
    ("chaveapi", Token, false),
    ("apisleutel", Token, false),
    ("key", Weak, true),
];

/// Words before `key` that say it opens nothing.
static HARMLESS_KEYS: &[&str] = &[
    "public",
    "pub",
    "primary",
    "foreign",
    "partition",
    "sort",
    "cache",
    "object",
    "row",
    "hot",
    "shortcut",
    "idempotency",
    "unique",
    "map",
    "site",
    "publishable",
    "answer",
    "translation",
    "index",
    "hash",
    "project",
    "issue",
    "image",
    "file",
    "message",
    "range",
    "s3",
    "storage_object",
    "component",
    "react",
    "fingerprint",
    "group",
    "lookup",
    "routing",
    "dedup",
    "dedupe",
    "document",
];

/// Words that may follow the end: `PASSWORD_PROD`, `tokenValue`.
static AFTER: &[&str] = &[
    "value",
    "prod",
    "production",
    "dev",
    "test",
    "staging",
    "live",
    "sandbox",
    "base64",
    "b64",
    "plain",
    "raw",
    "old",
    "new",
    "string",
    "str",
    "var",
    "env",
    "default",
    "main",
    "local",
];

/// Types and the like that stand between a name and its value.
static TYPES: &[&str] =
    &["string", "str", "text", "varchar", "const", "char", "object", "any", "auto", "optional"];

/// The longest key, without separators.
const LONGEST: usize = 24;
/// Bytes before the operator that are read, at most: fewer than what a stream keeps.
const FARTHEST: usize = LOOKBEHIND - 6;
/// The longest word of a sentence that is read as a key, and the byte before it.
const LONGEST_WORD: usize = LONGEST + 1;
/// Spaces between a key and its operator: aligned columns.
const MOST_SPACES: usize = 16;

/// A key read backwards: its letters and digits from the last one on, in lower case.
struct Key {
    letters: [u8; LONGEST],
    length: usize,
    /// Bit n: a word begins at `letters[n]`, that is, what stands before it is not part of its word.
    begins: u32,
    /// Where the key begins, as far as it was read.
    start: usize,
}

impl Key {
    /// The key whose last byte is before `end`, read back to `limit`. `spaced`: it may be of several words.
    #[inline(never)]
    fn before(text: &Cursor, end: usize, limit: usize, spaced: bool) -> Key {
        let mut key = Key { letters: [0; LONGEST], length: 0, begins: 0, start: end };
        let mut at = end;
        let mut next = 0_u8;
        while at > limit || at == 0 {
            let byte = text.behind(at, 1);
            if !byte.is_ascii_alphanumeric() && byte < 0x80 {
                let separator = matches!(byte, b'_' | b'-' | b'.')
                    || matches!(byte, b' ' | b'\'')
                        && spaced
                        && (text.behind(at, 2).is_ascii_alphanumeric() || text.behind(at, 2) >= 0x80);
                if key.length > 0 {
                    key.begins |= 1 << (key.length - 1);
                }
                if !separator || key.length == LONGEST {
                    break;
                }
                at -= 1;
                next = 0;
                continue;
            }
            // `dbPassword`
            if next.is_ascii_uppercase() && !byte.is_ascii_uppercase() {
                key.begins |= 1 << (key.length.max(1) - 1);
            }
            let Some(letter) = key.letters.get_mut(key.length) else { break };
            *letter = byte.to_ascii_lowercase();
            key.length += 1;
            next = byte;
            at -= 1;
            key.start = at;
        }
        key
    }

    /// The letters from `skip` on spell `word`, backwards.
    #[inline(never)]
    fn spells(&self, skip: usize, word: &str) -> bool {
        let letters = self.letters.get(skip..self.length).unwrap_or_default();
        letters.len() >= word.len() && word.bytes().rev().eq(letters.iter().copied().take(word.len()))
    }

    /// A word begins where a word of `length` ends that was read from `skip` on.
    fn is_word(&self, skip: usize, length: usize) -> bool {
        let last = skip + length - 1;
        self.begins >> last & 1 == 1 || last + 1 == self.length && self.length < LONGEST
    }

    /// The key is this word and no more.
    fn spells_alone(&self, word: &str) -> bool {
        self.length == word.len() && self.spells(0, word)
    }

    #[inline(never)]
    fn is_one_of(&self, skip: usize, words: &[&str]) -> Option<usize> {
        words
            .iter()
            .find(|word| self.spells(skip, word) && self.is_word(skip, word.len()))
            .map(|word| word.len())
    }
}

/// Ends of [`ENDS`] and of what may follow them, by their last two letters.
static LAST_TWO: [u32; 32] = last_two();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn last_two() -> [u32; 32] {
    let mut bits = [0; 32];
    let mut n = 0;
    while n < ENDS.len() {
        add(&mut bits, ENDS[n].0.as_bytes());
        n += 1;
    }
    let mut n = 0;
    while n < AFTER.len() {
        add(&mut bits, AFTER[n].as_bytes());
        n += 1;
    }
    let mut n = 0;
    while n < TYPES.len() {
        add(&mut bits, TYPES[n].as_bytes());
        n += 1;
    }
    bits
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn add(bits: &mut [u32; 32], word: &[u8]) {
    bits[(word[word.len() - 1] & 31) as usize] |= 1 << (word[word.len() - 2] & 31);
}

/// The kind of the key that ends before `operator`, perhaps with a quote, a bracket or a type between them; and whether
/// white space stands there.
#[inline(never)]
pub(super) fn before(text: &Cursor, operator: usize) -> Option<Kind> {
    let mut end = operator;
    let mut last = text.behind(end, 1);
    let mut quoted = false;
    if !is_alphanumeric(last) {
        while operator - end < MOST_SPACES && matches!(text.behind(end, 1), b' ' | b'\t') {
            end -= 1;
        }
        for _ in 0..3 {
            if matches!(text.behind(end, 1), b'"' | b'\'' | b'`' | b'\\' | b']' | b')' | b'*') {
                quoted = true;
                end -= 1;
            }
        }
        last = text.behind(end, 1);
    }
    // Most candidates end here: nothing that announces a secret has these last letters.
    if !last.is_ascii_digit() && !may_end(text, end) {
        return None;
    }
    let limit = operator.saturating_sub(FARTHEST);
    let mut key = Key::before(text, end, limit, !quoted);
    if !quoted && key.is_one_of(0, TYPES).is_some() {
        // `let token: string =`, `var token string =`
        end = key.start_of_last_word(text, end);
        while operator - end < MOST_SPACES && matches!(text.behind(end, 1), b' ' | b':' | b'&' | b'?') {
            end -= 1;
        }
        key = Key::before(text, end, limit, false);
    }
    // `key="Password" value=`, `name: PASSWORD` and `value:` on the next line.
    if key.spells_alone("value") {
        let mut at = key.start;
        while at > limit
            && at + MOST_SPACES > key.start
            && matches!(text.behind(at, 1), b' ' | b'\n' | b'"' | b'\'' | b',' | b'-')
        {
            at -= 1;
        }
        if at < key.start {
            key = Key::before(text, at, limit, false);
        }
    }
    key.kind()
}

impl Key {
    /// Where the last word begins.
    fn start_of_last_word(&self, text: &Cursor, end: usize) -> usize {
        let mut at = end;
        while end - at < LONGEST && text.behind(at, 1).is_ascii_alphabetic() {
            at -= 1;
        }
        at
    }

    #[inline(never)]
    fn kind(&self) -> Option<Kind> {
        let letters = self.letters.get(..self.length).unwrap_or_default();
        let mut skip = letters.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if skip > 2 {
            return None;
        }
        if let Some(length) = self.is_one_of(skip, AFTER) {
            skip += length;
        }
        let (end, kind, _) = ENDS
            .iter()
            .find(|(end, _, alone)| self.spells(skip, end) && (!alone || self.is_word(skip, end.len())))?;
        if *kind == Weak && self.is_one_of(skip + end.len(), HARMLESS_KEYS).is_some() {
            return None;
        }
        Some(*kind)
    }
}

/// The kind of the word `text[start..end]`, for words that announce a secret in a sentence.
pub(super) fn of_word(text: &Cursor, end: usize) -> Option<Kind> {
    if !may_end(text, end) {
        return None;
    }
    Key::before(text, end, end.saturating_sub(LONGEST_WORD), true).kind()
}

/// The last two letters before `end` are those of a key.
fn may_end(text: &Cursor, end: usize) -> bool {
    let seconds = LAST_TWO.get(usize::from(text.behind(end, 1) & 31)).copied().unwrap_or(0);
    seconds >> (text.behind(end, 2) & 31) & 1 == 1
}

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
const ENDS: &[(&str, Kind, bool)] = &[
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
    ("lösenord", Password, false),
    ("losenord", Password, false),
    ("adgangskode", Password, false),
    ("kodeord", Password, false),
    ("passord", Password, false),
    ("salasana", Password, false),
    ("heslo", Password, true),
    ("hasło", Password, true),
    ("haslo", Password, true),
    ("jelszó", Password, true),
    ("parola", Password, true),
    ("şifre", Password, true),
    ("пароль", Password, true),
    ("psk", Password, true),
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
const HARMLESS_KEYS: &[&str] = &[
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
const AFTER: &[&str] = &[
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
const TYPES: &[&str] =
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
        let bytes = text.bytes().get(..end).unwrap_or_default();
        let byte_before = |at: usize| bytes.get(at.wrapping_sub(1)).copied().unwrap_or(0);
        let mut key = Key { letters: [0; LONGEST], length: 0, begins: 0, start: end };
        let mut at = end;
        let mut next = 0_u8;
        while at > limit || at == 0 {
            let byte = byte_before(at);
            if !is_alphanumeric(byte) && byte < 0x80 {
                let spelled = |byte: u8| is_alphanumeric(byte) || byte >= 0x80;
                let separator = matches!(byte, b'_' | b'-' | b'.')
                    || matches!(byte, b' ' | b'\'') && spaced && spelled(byte_before(at - 1));
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
    fn spells(&self, skip: usize, word: &str) -> bool {
        let letters = self.letters.get(skip..self.length).unwrap_or_default();
        letters.len() >= word.len()
            && word.bytes().rev().zip(letters).all(|(wanted, letter)| wanted == *letter)
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

    /// The first row of `list` that the letters from `skip` on spell, as a word of its own where it has to be one.
    #[inline(never)]
    fn find(&self, skip: usize, list: List) -> Option<&'static Row> {
        let letter = |at: usize| self.letters.get(at).copied().unwrap_or(0);
        let mut next = CHAINS.first.get(bucket(letter(skip + 1), letter(skip))).copied().unwrap_or(0);
        while let Some(at) = usize::from(next).checked_sub(1) {
            let row = ROWS.get(at)?;
            if row.list == list
                && self.spells(skip, row.word)
                && (!row.alone || self.is_word(skip, row.word.len()))
            {
                return Some(row);
            }
            next = CHAINS.next.get(at).copied().unwrap_or(0);
        }
        None
    }
}

/// What a word does in a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Ends,
    After,
    Types,
    Harmless,
}

struct Row {
    word: &'static str,
    list: List,
    kind: Kind,
    /// Only as a word of its own.
    alone: bool,
}

const COUNT: usize = ENDS.len() + AFTER.len() + TYPES.len() + HARMLESS_KEYS.len();

/// The words of all lists.
static ROWS: [Row; COUNT] = rows();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn rows() -> [Row; COUNT] {
    let mut rows = [const { Row { word: "", list: List::Ends, kind: Weak, alone: true } }; COUNT];
    let mut count = 0;
    while count < ENDS.len() {
        let (word, kind, alone) = ENDS[count];
        rows[count] = Row { word, list: List::Ends, kind, alone };
        count += 1;
    }
    let lists = [(List::After, AFTER), (List::Types, TYPES), (List::Harmless, HARMLESS_KEYS)];
    let mut n = 0;
    while n < lists.len() {
        let (list, words) = lists[n];
        let mut word = 0;
        while word < words.len() {
            rows[count] = Row { word: words[word], list, kind: Weak, alone: true };
            count += 1;
            word += 1;
        }
        n += 1;
    }
    rows
}

/// By the last two letters of a word.
const fn bucket(second_last: u8, last: u8) -> usize {
    ((second_last as usize).wrapping_mul(37) ^ (last as usize).wrapping_mul(5)) & 255
}

/// Chains of [`ROWS`] by [`bucket`], in their order.
static CHAINS: Chains = chains();

struct Chains {
    /// The first row of a chain, from one; zero: none.
    first: [u8; 256],
    /// The next row of the same chain, likewise.
    next: [u8; COUNT],
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn chains() -> Chains {
    let mut chains = Chains { first: [0; 256], next: [0; COUNT] };
    let rows = rows();
    let mut n = COUNT;
    while n > 0 {
        n -= 1;
        let word = rows[n].word.as_bytes();
        let (second_last, last) = (word[word.len() - 2], word[word.len() - 1]);
        let bucket = bucket(second_last, last);
        chains.next[n] = chains.first[bucket];
        chains.first[bucket] = n as u8 + 1;
    }
    chains
}

/// For each two last letters, a bit for each letter before them that some word has there.
type LastThree = [u32; 1024];

/// Of what may stand right before an operator.
static BEFORE_OPERATOR: LastThree = last_three(true);
/// Of what ends a key.
static KEYS: LastThree = last_three(false);

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn last_three(types: bool) -> LastThree {
    let mut thirds = [0; 1024];
    let rows = rows();
    let mut n = 0;
    while n < COUNT {
        let word = rows[n].word.as_bytes();
        let end = word.len();
        let last_two = ((word[end - 1] & 31) as usize) << 5 | (word[end - 2] & 31) as usize;
        if matches!(rows[n].list, List::Ends | List::After) || types && matches!(rows[n].list, List::Types) {
            // Any word may stand before one of two letters.
            thirds[last_two] |= if end > 2 { 1 << (word[end - 3] & 31) } else { u32::MAX };
        }
        n += 1;
    }
    thirds
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
    if !last.is_ascii_digit() && !may_end(text.before(end, 3), text.before(end, 2), last) {
        return None;
    }
    let limit = operator.saturating_sub(FARTHEST);
    let mut key = Key::before(text, end, limit, !quoted);
    if !quoted && key.find(0, List::Types).is_some() {
        // `let token: string =`, `var token string =`
        end = key.start_of_last_word(text, end);
        while operator - end < MOST_SPACES && matches!(text.behind(end, 1), b' ' | b':' | b'&' | b'?') {
            end -= 1;
        }
        key = Key::before(text, end, limit, false);
    }
    // `key="Password" value=`, `name: PASSWORD` and `value:` on the next line.
    if key.spells_alone("value") || key.spells_alone("default") {
        let mut at = key.start;
        while at > limit
            && at + MOST_SPACES > key.start
            && matches!(text.behind(at, 1), b' ' | b'\n' | b'"' | b'\'' | b',' | b'-' | b'{')
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
        if let Some(row) = self.find(skip, List::After) {
            skip += row.word.len();
        }
        let end = self.find(skip, List::Ends)?;
        if end.kind == Weak && self.find(skip + end.word.len(), List::Harmless).is_some() {
            return None;
        }
        Some(end.kind)
    }
}

/// The kind of the word `text[start..end]`, for words that announce a secret in a sentence.
pub(super) fn of_word(text: &Cursor, end: usize) -> Option<Kind> {
    if !has(&KEYS, [text.before(end, 3), text.before(end, 2), text.before(end, 1)]) {
        return None;
    }
    Key::before(text, end, end.saturating_sub(LONGEST_WORD), true).kind()
}

/// What stands before an operator may have these last letters; a byte before them that is no letter says nothing.
#[inline(always)]
pub(super) fn may_end(third_last: u8, second_last: u8, last: u8) -> bool {
    has(&BEFORE_OPERATOR, [third_last, second_last, last])
}

#[inline(always)]
fn has(words: &LastThree, [third_last, second_last, last]: [u8; 3]) -> bool {
    let at = usize::from(last & 31) << 5 | usize::from(second_last & 31);
    let thirds = words.get(at).copied().unwrap_or(0);
    if third_last.is_ascii_alphabetic() { thirds >> (third_last & 31) & 1 == 1 } else { thirds != 0 }
}

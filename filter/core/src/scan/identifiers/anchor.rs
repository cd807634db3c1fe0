//! Where identifiers may begin: classes of four bytes in a row.
//!
//! Only a filter: it may pass too much, never too little. Invariant: whatever a recogniser accepts at a place has its class
//! there, or, for [`MIDDLE`], at its first `@` or `:`.

use super::cursor::{Around, is_hex};
use super::secret::{self, PEM, WEB_TOKEN, solid_prefix, solid_prefixes};
use super::{Identifier, Identifiers, network, number};
use crate::scan::simd::{Nibbles, Tables};

/// A digit that is the first of something longer.
pub(crate) const NUMBER: u8 = 32;
/// `@`, `:`, `=` or `>`: the candidate began before it, or begins behind it.
pub(crate) const MIDDLE: u8 = 128;
/// `-`, `_`, `.` or `~` before a letter or a digit: the candidate began before it.
pub(crate) const JOINT: u8 = 64;
/// A word that announces a secret in a sentence: two classes, which together pass a seventh of what one would.
pub(crate) const WORD: u8 = FEW | MANY;
const FEW: u8 = 1;
const MANY: u8 = 2;
/// Four dashes; or a quote, a comma, a space and a quote.
pub(crate) const MARKS: u8 = 4;
/// Prefixes that begin with a capital letter; two capital letters and two digits.
pub(crate) const CAPITAL: u8 = 8;
/// Other prefixes.
pub(crate) const OTHER: u8 = 16;

/// Classes that announce a secret.
pub(crate) const SECRETS: u8 = MIDDLE | WORD | JOINT | MARKS | CAPITAL | OTHER;

/// The classes to stop at for `set`.
pub(crate) fn wanted(set: Identifiers) -> u8 {
    [
        (
            NUMBER,
            &[
                Identifier::Phone,
                Identifier::UsSsn,
                Identifier::UsItin,
                Identifier::CreditCard,
                Identifier::Ip,
                Identifier::Crypto,
            ][..],
        ),
        (MIDDLE, &[Identifier::Email, Identifier::Ip, Identifier::Mac]),
        (JOINT, &[Identifier::Mac]),
        (CAPITAL, &[Identifier::Iban]),
        (CAPITAL | OTHER, &[Identifier::Crypto]),
        (SECRETS, &[Identifier::Secret]),
    ]
    .into_iter()
    .filter(|(_, kinds)| kinds.iter().any(|kind| set.contains(*kind)))
    .fold(0, |classes, (class, _)| classes | class)
}

/// The tables of the prefilter.
pub(crate) static TABLES: Tables = tables();

const WORD_LETTERS_LOW: u8 = 1;
const WORD_LETTERS_HIGH: u8 = 2;
const WORD_DIGITS: u8 = 4;
const WORD_UNDERSCORE: u8 = 8;

const fn class_of(prefix: &[u8]) -> u8 {
    match prefix {
        [first, ..] if first.is_ascii_uppercase() => CAPITAL,
        _ => OTHER,
    }
}

/// Beginnings of the words that announce a secret, as they are written in the middle and at the beginning of a sentence.
const WORDS: &[(u8, &[&[u8; 4]])] = &[
    (
        FEW,
        &[
            b"pass", b"Pass", b"PASS", b"senh", b"Senh", b"wach", b"Wach", b"kenn", b"Kenn", b"secr",
            b"Secr", b"SECR", b"iden", b"IDEN",
        ],
    ),
    (
        MANY,
        &[b"cont", b"Cont", b"toke", b"Toke", b"TOKE", b"Bear", b"bear", b"api ", b"API ", b"pin ", b"PIN "],
    ),
];

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn add_prefix(ahead: &mut [Nibbles; 4], prefix: &[u8], class: u8) {
    let mut n = 0;
    while n < 4 {
        if n < prefix.len() {
            ahead[n].add(prefix[n], class);
        } else {
            // Whatever follows a prefix of three bytes, as long as it can be part of a token.
            let mut byte = 0;
            while byte < 128_u8 {
                if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
                    ahead[n].add(byte, class);
                }
                byte += 1;
            }
        }
        n += 1;
    }
}

/// The first three bytes of prefixes, each in the slot of its hash; where a prefix has two, those and a zero.
static PREFIXES: [u32; 256] = prefixes();

/// Multiplied with the bytes of a prefix, gives every prefix a slot of its own.
const SPREAD: u32 = spread();

const fn hash(prefix: u32, spread: u32) -> usize {
    (prefix.wrapping_mul(spread) >> 24) as usize
}

/// The bytes of a prefix that count.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn prefix_key(n: usize) -> Option<u32> {
    let others = [WEB_TOKEN.as_bytes(), b"bc1", b"BC1"];
    let prefix = match solid_prefix(n) {
        Some(prefix) => prefix,
        None if n < solid_prefixes() + others.len() => others[n - solid_prefixes()],
        None => return None,
    };
    Some(u32::from_le_bytes([prefix[0], prefix[1], if prefix.len() > 2 { prefix[2] } else { 0 }, 0]))
}

/// The slots of all prefixes, unless two fall into one.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn slots(spread: u32) -> Option<[u32; 256]> {
    let mut slots = [0; 256];
    let mut n = 0;
    while let Some(prefix) = prefix_key(n) {
        let slot = &mut slots[hash(prefix, spread)];
        if *slot != 0 && *slot != prefix {
            return None;
        }
        *slot = prefix;
        n += 1;
    }
    Some(slots)
}

const fn spread() -> u32 {
    let mut spread = 0x9E37_79B1_u32;
    while slots(spread).is_none() {
        spread = spread.wrapping_add(0x3C6E_F372);
    }
    spread
}

const fn prefixes() -> [u32; 256] {
    match slots(SPREAD) {
        Some(slots) => slots,
        None => [0; 256],
    }
}

/// Those of `classes` that the bytes around a place do not rule out: most candidates of the prefilter end here.
#[inline(always)]
pub(crate) fn borne_out(around: &Around, classes: u8) -> u8 {
    let mut left = 0;
    if classes & NUMBER != 0 && !number::is_plain(around) {
        left |= NUMBER;
    }
    if classes & MIDDLE != 0
        && (around.at(0) == b'@' || secret::may_assign(around) || network::may_begin(around))
    {
        left |= MIDDLE;
    }
    if classes & JOINT != 0 && secret::may_join(around) {
        left |= JOINT;
    }
    if classes & !(NUMBER | MIDDLE | JOINT) != 0 && may_be_other(around) {
        left |= classes & !(NUMBER | MIDDLE | JOINT);
    }
    left
}

/// A word that announces a secret, a prefix, marks; asked at once, since nobody can guess which of them it is.
#[inline(always)]
fn may_be_other(around: &Around) -> bool {
    let first = around.four();
    let [one, two, three, four] = first;
    let has = |third| {
        let prefix = u32::from_le_bytes([one, two, third, 0]);
        PREFIXES.get(hash(prefix, SPREAD)).is_some_and(|slot| *slot == prefix)
    };
    let word = secret::may_announce(first) & !secret::is_content(around);
    let number = three.is_ascii_digit() & four.is_ascii_digit();
    let prefix = has(three) | (has(0) & is_hex(three) & is_hex(four));
    let mark = matches!(one, b'"' | b'\'' | b'-');
    word | number | prefix || mark && (one == b'-' || secret::may_end_key(around))
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn tables() -> Tables {
    let mut ahead = [Nibbles::NONE; 4];
    let mut word = Nibbles::NONE;
    let mut n = 0;
    while n < 256 {
        let byte = n as u8;
        let letter = byte.is_ascii_alphabetic();
        let digit = byte.is_ascii_digit();

        if digit {
            ahead[0].add(byte, NUMBER);
        }
        if digit || letter || matches!(byte, b' ' | b'-' | b'.' | b'/' | b')') {
            ahead[1].add(byte, NUMBER);
        }
        // The rest may be anything, or nothing.
        ahead[2].add(byte, NUMBER | MIDDLE);
        ahead[3].add(byte, NUMBER | MIDDLE);

        if matches!(byte, b'@' | b':' | b'=' | b'>') {
            ahead[0].add(byte, MIDDLE);
        }
        ahead[1].add(byte, MIDDLE);

        if matches!(byte, b'-' | b'_' | b'.' | b'~') {
            ahead[0].add(byte, JOINT);
        }
        if digit || letter {
            ahead[1].add(byte, JOINT);
        }
        ahead[2].add(byte, JOINT);
        ahead[3].add(byte, JOINT);

        if matches!(byte, b'-' | b'"' | b'\'') {
            ahead[0].add(byte, MARKS);
            ahead[3].add(byte, MARKS);
        }
        if byte == b'-' || byte == b',' {
            ahead[1].add(byte, MARKS);
        }
        if byte == b'-' || byte == b' ' {
            ahead[2].add(byte, MARKS);
        }

        if byte.is_ascii_uppercase() {
            ahead[0].add(byte, CAPITAL);
            ahead[1].add(byte, CAPITAL);
        }
        if digit {
            ahead[2].add(byte, CAPITAL);
            ahead[3].add(byte, CAPITAL);
        }

        if letter {
            let low = byte & 0x1F < 0x10;
            word.add(byte, if low { WORD_LETTERS_LOW } else { WORD_LETTERS_HIGH });
        }
        if digit {
            word.add(byte, WORD_DIGITS);
        }
        if byte == b'_' {
            word.add(byte, WORD_UNDERSCORE);
        }
        n += 1;
    }
    let mut n = 0;
    while let Some(prefix) = solid_prefix(n) {
        add_prefix(&mut ahead, prefix, class_of(prefix));
        n += 1;
    }
    let mut n = 0;
    while n < WORDS.len() {
        let (class, words) = WORDS[n];
        let mut word = 0;
        while word < words.len() {
            add_prefix(&mut ahead, words[word], class);
            word += 1;
        }
        n += 1;
    }
    add_prefix(&mut ahead, WEB_TOKEN.as_bytes(), OTHER);
    add_prefix(&mut ahead, PEM.as_bytes(), MARKS);
    add_prefix(&mut ahead, b"bc1", OTHER);
    add_prefix(&mut ahead, b"BC1", CAPITAL);
    Tables { ahead, word, inside_words: MIDDLE | JOINT | MARKS }
}

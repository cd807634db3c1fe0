//! Where identifiers may begin: classes of four bytes in a row.
//!
//! Only a filter: it may pass too much, never too little. Invariant: whatever a recogniser accepts at a place has its class
//! there, or, for [`MIDDLE`], at its first `@` or `:`.

use super::secret::{ISSUERS, PEM, WEB_TOKEN};
use super::{Identifier, Identifiers};
use crate::scan::simd::{Nibbles, Tables};

/// A digit that is the first of something longer.
pub(crate) const NUMBER: u8 = 1;
/// `@` or `:` between letters or digits: the candidate began before it.
pub(crate) const MIDDLE: u8 = 2;
/// A pair of hexadecimal digits, a dash and another digit.
pub(crate) const DASHED: u8 = 4;
/// Two capital letters and two digits.
pub(crate) const ACCOUNT: u8 = 8;
/// A prefix with `-` or `_` third; and `bc1`.
pub(crate) const THIRD: u8 = 16;
/// A prefix with `-` or `_` fourth.
pub(crate) const FOURTH: u8 = 32;
/// Other prefixes that begin with `A` or `e`.
pub(crate) const CAPITAL: u8 = 64;
/// Other prefixes.
pub(crate) const OTHER: u8 = 128;

/// Classes that announce a secret.
pub(crate) const SECRETS: u8 = THIRD | FOURTH | CAPITAL | OTHER;

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
        (DASHED, &[Identifier::Mac]),
        (ACCOUNT, &[Identifier::Iban]),
        (THIRD, &[Identifier::Crypto]),
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

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn add(nibbles: &mut Nibbles, byte: u8, class: u8) {
    nibbles.low[(byte & 15) as usize] |= class;
    nibbles.high[(byte >> 4) as usize] |= class;
}

const fn class_of(prefix: &[u8]) -> u8 {
    match prefix {
        // A dash in fourth place too keeps the class narrow.
        [b'-', ..] => FOURTH,
        [_, _, b'-' | b'_', ..] => THIRD,
        [_, _, _, b'-' | b'_', ..] => FOURTH,
        [b'A' | b'e', ..] => CAPITAL,
        _ => OTHER,
    }
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn add_prefix(ahead: &mut [Nibbles; 4], prefix: &[u8], class: u8) {
    let mut n = 0;
    while n < 4 {
        if n < prefix.len() {
            add(&mut ahead[n], prefix[n], class);
        } else {
            // Whatever follows a prefix of three bytes, as long as it can be part of a token.
            let mut byte = 0;
            while byte < 128_u8 {
                if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
                    add(&mut ahead[n], byte, class);
                }
                byte += 1;
            }
        }
        n += 1;
    }
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
        let dash = byte == b'-';
        let text = byte >= 0x80;

        if digit {
            add(&mut ahead[0], byte, NUMBER);
        }
        if digit || letter || matches!(byte, b' ' | b'-' | b'.' | b'/' | b')') {
            add(&mut ahead[1], byte, NUMBER);
        }
        // The rest may be anything, or nothing.
        add(&mut ahead[2], byte, NUMBER | MIDDLE);
        add(&mut ahead[3], byte, NUMBER | MIDDLE);

        if byte == b'@' || byte == b':' {
            add(&mut ahead[0], byte, MIDDLE);
        }
        if digit || letter || text || byte == b':' {
            add(&mut ahead[1], byte, MIDDLE);
        }

        if byte.is_ascii_hexdigit() {
            add(&mut ahead[0], byte, DASHED);
            add(&mut ahead[1], byte, DASHED);
            add(&mut ahead[3], byte, DASHED);
        }
        if dash {
            add(&mut ahead[2], byte, DASHED);
        }

        if byte.is_ascii_uppercase() {
            add(&mut ahead[0], byte, ACCOUNT);
            add(&mut ahead[1], byte, ACCOUNT);
        }
        if digit {
            add(&mut ahead[2], byte, ACCOUNT);
            add(&mut ahead[3], byte, ACCOUNT);
        }

        if letter {
            let low = byte & 0x1F < 0x10;
            add(&mut word, byte, if low { WORD_LETTERS_LOW } else { WORD_LETTERS_HIGH });
        }
        if digit {
            add(&mut word, byte, WORD_DIGITS);
        }
        if byte == b'_' {
            add(&mut word, byte, WORD_UNDERSCORE);
        }
        n += 1;
    }
    let mut n = 0;
    while n < ISSUERS.len() {
        let prefix = ISSUERS[n].prefix.as_bytes();
        add_prefix(&mut ahead, prefix, class_of(prefix));
        n += 1;
    }
    add_prefix(&mut ahead, WEB_TOKEN.as_bytes(), CAPITAL);
    add_prefix(&mut ahead, PEM.as_bytes(), class_of(PEM.as_bytes()));
    add_prefix(&mut ahead, b"bc1", THIRD);
    add_prefix(&mut ahead, b"BC1", THIRD);
    Tables { ahead, word, inside_words: MIDDLE }
}

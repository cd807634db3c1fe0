//! Finds personal data and secrets that have a form of their own.
//!
//! Finds no names, no passwords, nothing that takes understanding; decides nothing about what is found. One pass: a
//! prefilter skips to the places where something may begin, a recogniser for each kind verifies there.
//!
//! Invariant (the streaming law): what is found at a place depends only on the text from [`LOOKBEHIND`] bytes before it to
//! [`MAX_HELD_BYTES`] after it, and on where the match before it ended. So a text that comes in pieces, cut anywhere, gives
//! the same matches as the whole.

/// Returns what was found; goes on if that is nothing.
macro_rules! attempt {
    ($found:expr) => {
        match $found {
            Ok(None) => {}
            found => return found,
        }
    };
}

mod address;
pub(crate) mod anchor;
mod birth;
mod context;
pub(crate) mod cursor;
mod email;
mod iban;
mod kind;
mod labelled;
mod national;
mod network;
mod number;
mod phone;
mod secret;
mod vocabulary;
mod wallet;

use super::{Step, simd};
use cursor::{Around, Cursor, Open, Verdict};
pub use kind::{Identifier, Identifiers};
use number::Outline;

/// A find: `text[start..end]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit {
    /// What was found.
    pub kind: Identifier,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Text before a candidate that its verification may read. Whoever scans a stream keeps this much of what was released.
pub const LOOKBEHIND: usize = 96;

/// The most text that can wait for more. Reached only by private keys (7 KB) and JSON web tokens (6 KB); otherwise a local
/// part (64 bytes) with a domain (255), a token (266), an account number (43) or a telephone number (40) is the longest.
/// Longer e-mail local parts are no match; longer domains, tokens and keys are matched up to the bound.
pub const MAX_HELD_BYTES: usize = secret::LONGEST;

/// Who issued a secret: `openai`, `github`, `jwt`, `private_key`, …; `matched` is the text of a [`Hit`] of that kind.
pub fn issuer(matched: &str) -> &'static str {
    secret::issuer_of(matched)
}

/// Hits in `text[from..]`, in order, not overlapping. May look back at text before `from` (at most [`LOOKBEHIND`] bytes
/// before a candidate), never matches into it.
pub fn scan(set: Identifiers, text: &str, from: usize, hits: &mut Vec<Hit>) {
    let mut floor = from;
    while let Step::Hit(hit) = next(set, text, floor, false) {
        floor = hit.end;
        hits.push(hit);
    }
}

/// Earliest byte at or after `from` that may still become part of (or change) a match once more text follows; `text.len()`
/// if none.
pub fn open_from(set: Identifiers, text: &str, from: usize) -> usize {
    let mut floor = from;
    loop {
        match next(set, text, floor, true) {
            Step::Hit(hit) => floor = hit.end,
            Step::Open(at) => return at,
        }
    }
}

/// The first value in `text[from..]` that its label makes one; see [`next`] for the others. `more`: the text may go on.
pub fn next_labelled(set: Identifiers, text: &str, from: usize, more: bool) -> Step<Hit> {
    labelled::next(set, text, from, more)
}

/// The first thing in `text[from..]` that has a form of its own; `more`: the text may go on.
pub fn next(set: Identifiers, text: &str, from: usize, more: bool) -> Step<Hit> {
    let scanner = Scanner { set, text: Cursor::new(text, more), floor: from };
    match scanner.first() {
        Ok(Some(hit)) => Step::Hit(hit),
        Ok(None) if more => Step::Open(scanner.open_tail()),
        Ok(None) => Step::Open(text.len()),
        Err(at) => Step::Open(scanner.before_host(at)),
    }
}

/// One search, from `floor` on.
struct Scanner<'a> {
    set: Identifiers,
    text: Cursor<'a>,
    floor: usize,
}

/// A match, or nothing; or the place from where on more text is needed.
type Found = Result<Option<Hit>, usize>;

impl Scanner<'_> {
    fn first(&self) -> Found {
        let wanted = anchor::wanted(self.set);
        let beyond = self.text.more().then_some(u8::MAX);
        let bytes = self.text.bytes();
        // Classes near the end depend on what is yet to come.
        let known = bytes.len().saturating_sub(if self.text.more() { simd::AHEAD } else { 0 });
        let mut span = simd::Span::new();
        let mut at = self.floor;
        while at < known {
            simd::classify(&anchor::TABLES, bytes, at, wanted, &mut span);
            for (n, mut mask) in span.masks().enumerate() {
                while mask != 0 {
                    let bit = 64 * n + mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    let at = at + bit - simd::AHEAD;
                    let mut classes = span.classes(bit);
                    if let Some(around) = Around::new(bytes, at) {
                        classes = anchor::borne_out(&around, classes);
                    }
                    if classes != 0 && at < known {
                        attempt!(self.candidate(at, classes));
                    }
                }
            }
            at += span.len();
        }
        for at in known.max(self.floor)..bytes.len() {
            let classes = simd::classes_at(&anchor::TABLES, bytes, at, beyond) & wanted;
            if classes != 0 {
                attempt!(self.candidate(at, classes));
            }
        }
        Ok(None)
    }

    /// What begins at `at`, or around it where its class is that of a middle.
    #[inline(never)]
    fn candidate(&self, at: usize, classes: u8) -> Found {
        use Identifier::*;
        let text = &self.text;
        if classes & anchor::MIDDLE != 0 {
            match text.before(at + 1, 1) {
                b'@' if self.set.contains(Email) => {
                    if let Some(start) = email::start(text, at, self.floor) {
                        attempt!(self.attempt(Email, start, email::verify));
                    }
                }
                byte @ (b':' | b'=' | b'>') => {
                    if byte == b':'
                        && let Some(start) = network::start(text, at, self.floor)
                    {
                        attempt!(self.address(start));
                    }
                    if self.set.contains(Secret) {
                        attempt!(self.secret(secret::at_operator(text, at, self.floor)));
                    }
                }
                _ => {}
            }
        }
        if classes & anchor::JOINT != 0 {
            attempt!(self.joint(at));
        }
        let rest = classes & !(anchor::MIDDLE | anchor::JOINT);
        if rest == 0 {
            return Ok(None);
        }
        let found = self.starting(at, rest).map_err(|at| {
            // Once this kind is ruled out, a telephone number may begin with the byte before.
            self.telephone_start(at).unwrap_or(at)
        });
        self.unless_email(at, found)
    }

    /// What begins at `at`, in order of precedence.
    fn starting(&self, at: usize, classes: u8) -> Found {
        use Identifier::*;
        if classes & !anchor::NUMBER != 0 {
            let dashes = classes & anchor::MARKS != 0 && self.text.before(at + 1, 1) == b'-';
            if dashes || classes & (anchor::CAPITAL | anchor::OTHER) != 0 {
                attempt!(self.attempt(Secret, at, secret::verify));
            }
            if classes & (anchor::CAPITAL | anchor::OTHER) != 0 {
                attempt!(self.attempt(Crypto, at, wallet::bech32));
            }
            if self.set.contains(Secret) {
                if classes & anchor::MARKS != 0 && !dashes {
                    attempt!(self.secret(secret::at_quote(&self.text, at, self.floor)));
                }
                if classes & anchor::WORD != 0 {
                    attempt!(self.secret(secret::at_word(&self.text, at, self.floor)));
                }
            }
            if classes & anchor::CAPITAL != 0 {
                attempt!(self.attempt(Iban, at, iban::verify));
            }
        }
        if classes & anchor::NUMBER != 0 { self.number(at) } else { Ok(None) }
    }

    /// A number whose first digit is at `at`.
    #[inline(never)]
    fn number(&self, at: usize) -> Found {
        use Identifier::*;
        let (digits, separator) = match number::outline(&self.text, at) {
            Outline::Plain => return Ok(None),
            Outline::WithLetters => return self.wallet(at),
            Outline::Grouped { digits, separator } => (digits, separator),
        };
        // Where the text is cut off, everything is possible.
        let (cut, long) = (separator.is_none(), digits >= number::FEWEST_IN_ONE_RUN);
        if cut || long || digits == 4 {
            attempt!(self.attempt(CreditCard, at, number::card));
        }
        if cut || long || digits == 3 {
            attempt!(self.attempt(UsSsn, at, number::us_ssn));
            attempt!(self.attempt(UsItin, at, number::us_itin));
        }
        if cut || separator == Some(b'.') {
            attempt!(self.attempt(Ip, at, number::ipv4));
        }
        if cut || long {
            attempt!(self.wallet(at));
        }
        match self.telephone_start(at) {
            Some(start) => found(Phone, start, phone::verify(&self.text, at)),
            None => Ok(None),
        }
    }

    /// What shows at the joint at `at`.
    #[inline(never)]
    fn joint(&self, at: usize) -> Found {
        use Identifier::*;
        let text = &self.text;
        if self.set.contains(Secret) {
            let token = self.secret(secret::at_joint(text, at, self.floor));
            let start = match token {
                Ok(Some(hit)) => hit.start,
                Err(open) => open,
                Ok(None) => at,
            };
            attempt!(self.unless_email(start, token));
        }
        // With dashes only: the form with colons shows at its first colon.
        if text.before(at + 1, 1) == b'-'
            && let Some(start) = at.checked_sub(2).filter(|start| *start >= self.floor)
            && network::begins(text, start)
        {
            let card = self.attempt(Mac, start, network::mac);
            attempt!(self.unless_email(start, card));
        }
        Ok(None)
    }

    fn secret(&self, around: Result<Option<(usize, usize)>, usize>) -> Found {
        Ok(around?.map(|(start, end)| Hit { kind: Identifier::Secret, start, end }))
    }

    /// What `verify` says of `start`, if the kind is wanted.
    #[inline]
    fn attempt(&self, kind: Identifier, start: usize, verify: fn(&Cursor, usize) -> Verdict) -> Found {
        if self.set.contains(kind) { found(kind, start, verify(&self.text, start)) } else { Ok(None) }
    }

    /// The address of a wallet that begins with the digit at `at`.
    fn wallet(&self, at: usize) -> Found {
        attempt!(self.attempt(Identifier::Crypto, at, wallet::ethereum));
        self.attempt(Identifier::Crypto, at, wallet::base58)
    }

    /// Where the telephone number begins whose first digit is at `digit`.
    fn telephone_start(&self, digit: usize) -> Option<usize> {
        let start = digit - phone::lead(&self.text, digit);
        (self.set.contains(Identifier::Phone) && start >= self.floor).then_some(start)
    }

    /// An address with colons that begins at `start`.
    #[inline(never)]
    fn address(&self, start: usize) -> Found {
        attempt!(self.attempt(Identifier::Mac, start, network::mac));
        self.attempt(Identifier::Ip, start, network::ipv6)
    }

    /// What was found at `at`, unless an e-mail address began before or there: its `@`, where it is recognised, is yet to
    /// come.
    #[inline]
    fn unless_email(&self, at: usize, found_here: Found) -> Found {
        if found_here == Ok(None) || !self.set.contains(Identifier::Email) {
            return found_here;
        }
        self.email_before(at, found_here)
    }

    #[inline(never)]
    fn email_before(&self, at: usize, found_here: Found) -> Found {
        let Some(start) = email::start(&self.text, at + 1, self.floor) else { return found_here };
        // A telephone number may begin with the byte before `at`.
        let begins_before = match found_here {
            Ok(Some(hit)) => hit.start < start,
            Ok(None) => false,
            Err(open) => open < start,
        };
        if begins_before {
            return found_here;
        }
        match found(Identifier::Email, start, email::verify(&self.text, start)) {
            Ok(None) => found_here,
            email => email,
        }
    }

    /// After every candidate was decided: where something begins whose candidate is yet to come.
    fn open_tail(&self) -> usize {
        use Identifier::*;
        let text = &self.text;
        let end = text.len();
        let mut open = end;
        if self.set.contains(Identifier::Email)
            && let Some(start) = email::start(text, end, self.floor)
            && email::verify(text, start) == Err(Open)
        {
            open = start;
        }
        if self.set.contains(Secret) {
            open = open.min(self.token_start());
        }
        // An address shows at its first colon or dash, a telephone number at its first digit.
        for start in end.saturating_sub(5).max(self.floor)..open {
            let byte = text.before(start + 1, 1);
            let address = (byte == b':' || byte.is_ascii_hexdigit())
                && network::begins(text, start)
                && self.address(start).is_err();
            let number = self.set.contains(Identifier::Phone) && end - start == phone::lead_at_end(text);
            if address || number {
                return start;
            }
        }
        open
    }

    /// Where a token may begin that shows only at its first joint.
    fn token_start(&self) -> usize {
        let end = self.text.len();
        let run = (0..=secret::LONGEST_HEAD)
            .take_while(|back| end - self.floor > *back && cursor::is_token(self.text.before(end - back, 1)))
            .count();
        if run > secret::LONGEST_HEAD {
            return end;
        }
        self.before_host(end - run)
    }

    /// Where the scheme begins if `at` is the first byte of a host that may become that of a hook; `at` otherwise.
    fn before_host(&self, at: usize) -> usize {
        match self.set.contains(Identifier::Secret) {
            true => secret::pending_scheme(&self.text, at).max(self.floor),
            false => at,
        }
    }
}

fn found(kind: Identifier, start: usize, verdict: Verdict) -> Found {
    match verdict {
        Ok(end) => Ok(end.map(|end| Hit { kind, start, end })),
        Err(Open) => Err(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts made to cost as much as possible, each of one repeated fragment.
    const HOSTILE: &[&str] = &[
        "1.1.1.",
        "eyJ-",
        "12-",
        "a@a@a@",
        "0",
        "@",
        "-",
        ":",
        "1:",
        "9 ",
        "1 2 ",
        "4111 ",
        "+1 415 ",
        "00:1A:2b:",
        "(030) 1",
        "a@b.c-.",
        "eyJaaaaaaaa.",
        "eyJ.eyJ.",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----A",
        "sk-aaaaaaaaaaaaaaaaaaaa",
        "sk-",
        "DE89 3704 0044 0532 0130 01 ",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5 ",
        "0x5290 ",
        "order 415-555-0132 ",
        "version 1.2.3.4 ",
        "4111 1111 1111 1112 ",
        "ann@example.com ",
        "x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
        "12 Main ",
        "12 Main Street, ",
        "Calle Mayor ",
        "Main Street 5 Oak ",
        "Am Alten Markt, ",
        "A 1 ",
        "AB 12 ",
        "passport ",
        "passport AB1234 ",
        "Passport: A1, ",
        "born 1/2/ ",
        "born 3 of May ",
        "A1b2c3 ",
        "1234567, ",
        "1.2 ",
        "key=",
        "password=",
        "token: ",
        "token=\"",
        "token=\"token='token=`",
        "\"\":\"\"",
        "password is ",
        "password ",
        "api key ",
        "sk-a ",
        "s-a-",
        "a.b-c_",
        "://a:",
        "-u a:",
        "dp.pt.",
        "hvs.aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "12345678:A",
        "Maaaaaaaaaaaaaaaaaaaaaaa.",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-",
        "password = \"correct horse ",
        "<secret>",
        "\", \"",
    ];

    /// Reads that verifying candidates takes, for every byte of text.
    fn reads_per_byte(set: Identifiers, text: &str) -> f64 {
        let mut hits = Vec::new();
        cursor::reads::reset();
        scan(set, text, 0, &mut hits);
        open_from(set, text, 0);
        for more in [false, true] {
            let mut floor = 0;
            while let Step::Hit(hit) = next_labelled(set, text, floor, more) {
                floor = hit.end;
            }
        }
        cursor::reads::count() as f64 / text.len() as f64
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        // Four passes, each with several recognisers of one place, each bounded. Whatever forgets its bound reads thousands.
        const MOST_READS: f64 = 200.0;
        for fragment in HOSTILE {
            let reads = reads_per_byte(Identifiers::usual(), &fragment.repeat((64 << 10) / fragment.len()));
            assert!(reads < MOST_READS, "{fragment:?}: {reads} reads for every byte");
        }
    }

    #[test]
    fn prose_is_hardly_read_byte_by_byte() {
        let prose =
            "Could you explain, step by step, how 3 of the 10 methods from 2024 work? Thanks: it's urgent.\n";
        let reads = reads_per_byte(Identifiers::usual(), &prose.repeat(100));
        assert!(reads < 8.0, "{reads} reads for every byte");
    }
}

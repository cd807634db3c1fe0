//! How a value looks: drawn at random, typed by a person, or a placeholder.
//!
//! Knows no issuer and no key word. Invariant: every judgement reads the value once, from left to right.

/// What one pass over a value tells.
#[derive(Default)]
pub(super) struct Shape {
    /// Bytes.
    pub(super) length: usize,
    /// Letters of either case.
    pub(super) letters: usize,
    /// Capital letters.
    pub(super) capitals: usize,
    /// Decimal digits.
    pub(super) digits: usize,
    /// Bytes that no name of a program has: neither letter nor digit nor `_`, `-`, `.`.
    pub(super) symbols: usize,
    /// Different bytes.
    pub(super) different: u32,
    /// Every letter and digit is a hexadecimal digit.
    pub(super) hexadecimal: bool,
    /// Longest run of one byte.
    same: usize,
    /// Longest run in which each byte is the successor of the one before it.
    steps: usize,
    /// Neighbours that are a letter and a digit, or two letters that hardly any word has side by side.
    odd: usize,
    /// Neighbours that could have been odd.
    pairs: usize,
}

/// For each letter those that often follow it in words: the 300 most frequent pairs of prose, 98 % of all.
static FOLLOWERS: [&str; 26] = [
    "bcdfgiklmnprstuvwyz",
    "aeijlorsuy",
    "acehiklorstuy",
    "adeilorsuy",
    "abcdefghiklmnopqrstuvwxy",
    "aefilortu",
    "aeghilnorsu",
    "aeinortuy",
    "abcdefgklmnoprstvxz",
    "aeou",
    "aeinos",
    "adeilopstuy",
    "abeilmopsuy",
    "acdefgiklnopstuvy",
    "abcdefgiklmnoprstuvw",
    "aehiloprstuy",
    "u",
    "acdefgiklmnoprstuvy",
    "acehiklmopstuwy",
    "acehilmoprstuwy",
    "abcdefgilmnoprst",
    "aeio",
    "aehinors",
    "aeipt",
    "aeilopst",
    "aeiu",
];

static FOLLOWER_BITS: [u32; 32] = follower_bits();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn follower_bits() -> [u32; 32] {
    let mut bits = [0; 32];
    let mut letter = 0;
    while letter < 26 {
        let followers = FOLLOWERS[letter].as_bytes();
        let mut n = 0;
        while n < followers.len() {
            bits[letter + 1] |= 1 << (followers[n] & 31);
            n += 1;
        }
        letter += 1;
    }
    bits
}

impl Shape {
    #[inline(never)]
    pub(super) fn of(value: &[u8]) -> Shape {
        let mut shape = Shape { length: value.len(), hexadecimal: true, ..Shape::default() };
        let mut seen = 0_u128;
        let (mut same, mut steps) = (0, 0);
        let mut before = 0_u8;
        for byte in value.iter().copied() {
            seen |= 1 << (byte & 127);
            same = if byte == before { same + 1 } else { 1 };
            steps = if byte == before.wrapping_add(1) { steps + 1 } else { 1 };
            shape.same = shape.same.max(same);
            shape.steps = shape.steps.max(steps);
            if byte.is_ascii_alphabetic() || byte >= 0x80 {
                shape.letters += 1;
                shape.capitals += usize::from(byte.is_ascii_uppercase());
                if before.is_ascii_alphabetic() {
                    let followers = FOLLOWER_BITS.get(usize::from(before & 31)).copied().unwrap_or(0);
                    shape.pairs += 1;
                    shape.odd += usize::from(followers >> (byte & 31) & 1 == 0);
                }
            } else if byte.is_ascii_digit() {
                shape.digits += 1;
            } else if !matches!(byte, b'_' | b'-' | b'.') {
                shape.symbols += 1;
            }
            shape.hexadecimal &= byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric();
            let mixed = byte.is_ascii_digit() && before.is_ascii_alphabetic()
                || byte.is_ascii_alphabetic() && before.is_ascii_digit();
            shape.pairs += usize::from(mixed);
            shape.odd += usize::from(mixed);
            before = byte;
        }
        shape.different = seen.count_ones();
        shape
    }

    /// Drawn at random by a machine rather than made of words.
    pub(super) fn is_random(&self) -> bool {
        self.different >= 6 && self.odd >= 3 && self.odd * 3 >= self.pairs && !self.is_filler()
    }

    /// `xxxxxxxx`, `12345678`, `abcdefgh`: stands where something else will.
    pub(super) fn is_filler(&self) -> bool {
        let most = if self.length < 16 { self.length / 2 } else { self.length / 3 };
        self.same > most || self.steps * 2 > self.length && self.length > 8
    }
}

/// Parts of values that stand for another value, in lower case.
const STANDS_FOR: &[&str] = &[
    "example",
    "sample",
    "dummy",
    "placehold",
    "change",
    "your",
    "insert",
    "redact",
    "replace",
    "todo",
    "fake",
    "xxxx",
    "***",
    "...",
    "<",
    "${",
    "$(",
    "{{",
    "#{",
    "%{",
    "foobar",
    "_here",
    "-here",
    "some",
    "enter",
    "here>",
    "secret_name",
    "ejemplo",
    "beispiel",
    "exemple",
    "exemplo",
    "esempio",
    "voorbeeld",
];

/// The value names or hides a secret instead of being one.
#[inline(never)]
pub(super) fn stands_for_another(value: &[u8]) -> bool {
    STANDS_FOR.iter().any(|word| contains(value, word.as_bytes()))
}

/// `word`, which is in lower case, stands somewhere in `value`.
#[inline(never)]
pub(super) fn contains(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

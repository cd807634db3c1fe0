//! Numbers that states give to persons, as a table: country, shape, check digits, labels.
//!
//! Knows nothing of texts beyond the value itself; labels are the caller's. Invariant: a value without a label is only
//! taken where its shape and check together are rarer than one in some hundred of its likes.

use super::context::{Topic, topics};
use super::cursor::{Cursor, Verdict, is_word};
use super::kind::Identifier;

/// A way to write a number, and what makes it one.
pub(super) struct Form {
    pub(super) kind: Identifier,
    /// Topics of the labels that announce it, as bits.
    pub(super) topics: u32,
    /// It needs no label.
    pub(super) alone: bool,
    /// `9` a digit, `A` a letter, `X` either, a space: nothing or one of space, `-`, `.`, `/`; `_` a space; `?` after one of
    /// them: it may be missing; anything else is itself. `|` between alternatives.
    shape: &'static str,
    /// Letters and digits in the shortest alternative.
    pub(super) fewest: usize,
    /// What its first bytes may be; see [`beginning`].
    begins: u16,
    tests: &'static [Test],
}

/// Bytes whose kinds tell most forms.
const BEGINNING: usize = 4;

const DIGIT: u16 = 1;
const LETTER: u16 = 2;
const OTHER: u16 = 4;

/// Three bits for each of the first bytes at `at`: a digit, a letter, anything else; none where the text ends.
pub(super) fn beginning(text: &Cursor, at: usize) -> u16 {
    let rest = text.bytes().get(at..).unwrap_or_default();
    rest.iter().take(BEGINNING).rev().fold(0, |kinds, byte| {
        let kind = match byte {
            b'0'..=b'9' => DIGIT,
            byte if byte.is_ascii_alphabetic() => LETTER,
            _ => OTHER,
        };
        kinds << 3 | kind
    })
}

/// The kinds of bytes that values of `shape` may begin with, like those of [`beginning`].
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn begins(shape: &str) -> u16 {
    let shape = shape.as_bytes();
    let mut kinds = 0;
    let mut n = 0;
    // From where on anything may come: behind what may be missing.
    let mut at = 0;
    let mut open = false;
    while n <= shape.len() {
        if n == shape.len() || shape[n] == b'|' {
            while at < BEGINNING {
                kinds |= (DIGIT | LETTER | OTHER) << (3 * at);
                at += 1;
            }
            at = 0;
            open = false;
        } else if at < BEGINNING {
            open |= shape[n] == b' ' || n + 1 < shape.len() && shape[n + 1] == b'?';
            let kind = match shape[n] {
                _ if open => DIGIT | LETTER | OTHER,
                b'0'..=b'9' => DIGIT,
                b'X' => DIGIT | LETTER,
                b'A'..=b'Z' => LETTER,
                _ => OTHER,
            };
            kinds |= kind << (3 * at);
            at += 1;
        }
        n += 1;
    }
    kinds
}

/// Letters and digits in the shortest alternative of `shape`.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn fewest(shape: &str) -> usize {
    let shape = shape.as_bytes();
    let mut fewest = usize::MAX;
    let mut count = 0;
    let mut n = 0;
    while n <= shape.len() {
        if n == shape.len() || shape[n] == b'|' {
            fewest = if count < fewest { count } else { fewest };
            count = 0;
        } else if shape[n].is_ascii_alphanumeric() {
            count += 1;
        } else if shape[n] == b'?' && shape[n - 1].is_ascii_alphanumeric() {
            count -= 1;
        }
        n += 1;
    }
    fewest
}

/// One test of the letters and digits of a value, in upper case.
enum Test {
    /// The sum of digits (letters from 10 on) times weights, modulo the first number, is the second.
    Sum(&'static [u8], u32, u32),
    /// The same modulo 11 with remainder 0, where the check digit 0 also stands for 10.
    Eleven(&'static [u8]),
    /// ISO/IEC 7812-1, from this digit on.
    Luhn(usize),
    /// Two digits of a day from here on, two of a month.
    DayMonth(usize),
    /// Two digits of a month from here on, two of a day.
    MonthDay(usize),
    /// The first byte is one of these.
    First(&'static [u8]),
    Other(fn(&[u8]) -> bool),
}

const fn form(
    kind: Identifier,
    list: &'static [Topic],
    alone: bool,
    shape: &'static str,
    tests: &'static [Test],
) -> Form {
    Form { kind, topics: topics(list), alone, shape, fewest: fewest(shape), begins: begins(shape), tests }
}

use Identifier as I;
use Test::{DayMonth, Eleven, First, Luhn, MonthDay, Other, Sum};
use Topic as T;

/// Every form. Where two fit the same value, the first counts.
pub(super) static FORMS: &[Form] = &[
    form(I::UkNino, &[T::Nino, T::Social], true, "AA999999A", &[Other(nino)]),
    form(I::UkNino, &[T::Nino, T::Social, T::Tax, T::Identity], false, "AA 99 99 99 A", &[Other(nino)]),
    form(I::UkNhs, &[T::Nhs], false, "999 999 9999", &[Sum(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11, 0)]),
    form(I::Passport, &[T::Passport], false, "99_99_999999|9999_999999|99_9999999", &[]),
    // As switches print them.
    form(I::Mac, &[T::Foreign], true, "XXXX.XXXX.XXXX", &[Other(dotted_mac)]),
    form(I::UkUtr, &[T::Utr], false, "99999 99999", &[]),
    form(I::DeSsn, &[T::Social], true, "99 999999 A 999", &[DayMonth(2), Other(pension)]),
    form(
        I::DeTaxId,
        &[T::Tax, T::Identity],
        false,
        "99 999 999 999",
        &[First(b"123456789"), Other(mod_11_10), Other(one_twice)],
    ),
    form(I::DeTaxNumber, &[T::Tax], false, "99 ?999/99999|999/9999/9999|999/999/99999|99/999/99999", &[]),
    form(I::FrNir, &[T::Social], true, "9 99 99 9X 999 999 99", &[First(b"123478"), Other(nir)]),
    form(I::FrNir, &[T::Social], false, "9 99 99 9X 999 999", &[First(b"12"), Other(month_of_nir)]),
    form(I::FrTaxId, &[T::Tax], false, "99 99 999 999 999", &[First(b"0123"), Other(spi)]),
    form(I::EsNif, &[T::Identity, T::Tax], true, "99999999-A|99999999A", &[Other(nif)]),
    form(
        I::EsNif,
        &[T::Identity, T::Tax, T::Licence],
        false,
        "99.999.999 A|9999999 A|99999999 A",
        &[Other(nif)],
    ),
    form(I::EsNie, &[T::Identity, T::Tax, T::Licence], true, "A 9999999 A", &[First(b"XYZ"), Other(nif)]),
    form(I::EsNss, &[T::Social], false, "99 99999999 99", &[Other(nss)]),
    form(I::ItFiscalCode, &[T::Tax, T::Identity], true, "AAA AAA XXA XX AXXX A", &[Other(fiscal_code)]),
    form(I::ItIdentityCard, &[T::Identity], false, "AA99999AA|AA 9999999", &[]),
    form(I::ItVatCode, &[T::Vat, T::Tax], false, "99999999999", &[Luhn(0)]),
    form(
        I::NlBsn,
        &[T::Bsn, T::Identity],
        false,
        "9999 99 999|999 999 999",
        &[Sum(&[9, 8, 7, 6, 5, 4, 3, 2, 10], 11, 0)],
    ),
    form(
        I::InAadhaar,
        &[T::Aadhaar, T::Identity],
        false,
        "9999 9999 9999",
        &[First(b"23456789"), Other(verhoeff)],
    ),
    form(I::InPan, &[T::Pan, T::Tax, T::Identity], true, "AAAAA9999A", &[Other(pan)]),
    form(I::InVoter, &[T::Voter, T::Identity], false, "AAA 9999999", &[]),
    form(I::InGstin, &[T::Gstin, T::Tax], true, "99AAAAA9999AXZX", &[Other(gstin)]),
    form(
        I::PlPesel,
        &[T::Pesel, T::Identity],
        false,
        "99999999999",
        &[Sum(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10, 0), Other(pesel_month)],
    ),
    form(
        I::PtNif,
        &[T::Tax],
        false,
        "999 999 999",
        &[First(b"1235689"), Eleven(&[9, 8, 7, 6, 5, 4, 3, 2, 1])],
    ),
    form(I::BrCpf, &[T::Cpf, T::Tax, T::Identity], true, "999.999.999-99", CPF),
    form(I::BrCpf, &[T::Cpf, T::Tax, T::Identity], false, "999 999 999 99", CPF),
    form(I::CaSin, &[T::Sin], false, "999 999 999", &[Luhn(0)]),
    form(I::AuTfn, &[T::Tfn, T::Tax], false, "999 999 999", &[Sum(&[1, 4, 3, 7, 5, 8, 6, 9, 10], 11, 0)]),
    form(
        I::AuMedicare,
        &[T::Medicare],
        false,
        "9999 99999 9 9?",
        &[First(b"23456"), Sum(&[1, 3, 7, 9, 1, 3, 7, 9, 9], 10, 0)],
    ),
    form(
        I::SePersonnummer,
        &[T::Personal, T::Identity, T::Social],
        false,
        "99999999 9999",
        &[MonthDay(4), Luhn(2)],
    ),
    form(
        I::SePersonnummer,
        &[T::Personal, T::Identity, T::Social],
        false,
        "999999 9999|999999+9999",
        &[MonthDay(2), Luhn(0)],
    ),
    form(
        I::FiPersonalIdentityCode,
        &[T::Personal, T::Identity, T::Social],
        true,
        "999999-999X|999999+999X|999999X999X",
        &[DayMonth(0), Other(hetu)],
    ),
    form(I::DkCpr, &[T::Personal, T::Identity], false, "999999 9999", &[DayMonth(0)]),
    form(I::CzBirthNumber, &[T::Personal], false, "999999/999", &[]),
    form(
        I::CzBirthNumber,
        &[T::Personal, T::Identity],
        false,
        "999999/9999|9999999999",
        &[Sum(&[1, 10, 1, 10, 1, 10, 1, 10, 1, 10], 11, 0)],
    ),
    form(
        I::NoFnr,
        &[T::Personal, T::Identity, T::Social],
        false,
        "999999 99999",
        &[
            DayMonth(0),
            Sum(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0], 11, 0),
            Sum(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1], 11, 0),
        ],
    ),
    form(I::BeNrn, &[T::Personal, T::Identity, T::Social], true, "99.99.99-999.99", &[Other(belgian)]),
    form(I::BeNrn, &[T::Personal, T::Identity, T::Social], false, "99 99 99 999 99", &[Other(belgian)]),
    form(
        I::ChAhv,
        &[T::Social],
        true,
        "756 9999 9999 99",
        &[Sum(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1], 10, 0)],
    ),
    form(I::AtSvnr, &[T::Social], false, "9999 999999", &[Sum(&[3, 7, 9, 10, 5, 8, 4, 2, 1, 6], 11, 0)]),
    form(I::IePps, &[T::Pps, T::Social], false, "9999999 AA?", &[Other(pps)]),
    form(I::HrOib, &[T::Oib], false, "99999999999", &[Other(mod_11_10)]),
    form(
        I::TrNationalId,
        &[T::Identity],
        false,
        "99999999999",
        &[
            First(b"123456789"),
            Sum(&[7, 9, 7, 9, 7, 9, 7, 9, 7, 9, 0], 10, 0),
            Sum(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9], 10, 0),
        ],
    ),
    form(I::ZaIdNumber, &[T::Identity], false, "999999 9999 999", &[MonthDay(2), Luhn(0)]),
    form(I::SgNricFin, &[T::Identity], true, "A9999999A", &[First(b"STFGM"), Other(nric)]),
    form(I::KrRrn, &[T::Identity, T::Personal], true, "999999-9999999", &[MonthDay(2), Other(korean)]),
    form(I::MxCurp, &[T::Identity], true, "AAAA999999AAAAAAX9", &[MonthDay(6), Other(curp)]),
    form(I::CnIdCard, &[T::Identity], true, "99999999999999999X", &[MonthDay(10), Other(chinese)]),
    form(I::DeIdCard, &[T::Identity], false, "XXXXXXXXX9", &[Other(icao)]),
    form(I::DeIdCard, &[T::Identity], false, "XXXXXXXXX", &[Other(serial_of_card)]),
];

const CPF: &[Test] =
    &[Eleven(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]), Eleven(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])];

/// Letters and digits of the longest value, in any shape.
const MOST: usize = 24;

impl Form {
    /// A value of this form may begin so; see [`beginning`].
    pub(super) fn may_begin(&self, beginning: u16) -> bool {
        beginning & !self.begins == 0
    }

    /// The value of this form that begins at `start`.
    #[inline(never)]
    pub(super) fn verify(&self, text: &Cursor, start: usize) -> Verdict {
        for shape in self.shape.as_bytes().split(|byte| *byte == b'|') {
            let mut value = [0; MOST];
            let Some((end, len)) = fit(shape, text, start, &mut value)? else { continue };
            let value = value.get(..len).unwrap_or_default();
            if text.number_ends(end)?
                && !monotonous(value)
                && self.tests.iter().all(|test| test.passes(value))
            {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }
}

/// Where `shape` ends at `start`, and how many letters and digits it put into `value`.
fn fit(
    shape: &[u8],
    text: &Cursor,
    start: usize,
    value: &mut [u8; MOST],
) -> Result<Option<(usize, usize)>, super::cursor::Open> {
    let mut at = start;
    let mut len = 0;
    let mut upper = false;
    let mut lower = false;
    let mut shape = shape.iter().peekable();
    while let Some(wanted) = shape.next() {
        let optional = shape.next_if(|next| **next == b'?').is_some();
        let byte = text.at(at)?;
        let fits = match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'X' => byte.is_ascii_alphanumeric(),
            b'_' => byte == b' ',
            b' ' => {
                at += usize::from(matches!(byte, b' ' | b'-' | b'.' | b'/'));
                continue;
            }
            other => byte.eq_ignore_ascii_case(other),
        };
        if !fits {
            if optional {
                continue;
            }
            return Ok(None);
        }
        upper |= byte.is_ascii_uppercase();
        lower |= byte.is_ascii_lowercase();
        if byte.is_ascii_alphanumeric()
            && let Some(free) = value.get_mut(len)
        {
            *free = byte.to_ascii_uppercase();
            len += 1;
        }
        at += 1;
    }
    // Words that happen to have a digit mix cases; numbers do not.
    Ok((!(upper && lower)).then_some((at, len)))
}

/// Where a value of this shape at `at` ends; see [`Form::shape`].
pub(super) fn fits(shape: &[u8], text: &Cursor, at: usize) -> Result<Option<usize>, super::cursor::Open> {
    Ok(fit(shape, text, at, &mut [0; MOST])?.map(|(end, _)| end))
}

/// All digits are the same: an example of a form, not a number.
fn monotonous(value: &[u8]) -> bool {
    value.iter().all(|byte| Some(byte) == value.first())
}

/// Twelve hexadecimal digits, letters among them.
fn dotted_mac(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit) && value.iter().any(u8::is_ascii_alphabetic)
}

fn digit(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// The digits from `from` to `to` as a number.
fn number(value: &[u8], from: usize, to: usize) -> u64 {
    value
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .fold(0, |number, byte| number * 10 + u64::from(digit(*byte)))
}

fn sum(value: &[u8], weights: &[u8]) -> u32 {
    value.iter().zip(weights).map(|(byte, weight)| digit(*byte) * u32::from(*weight)).sum()
}

/// A day and a month; some countries add to either to tell things apart, so a little more is allowed.
fn is_day_month(day: u64, month: u64) -> bool {
    (1..=31).contains(&(day % 40)) && (1..=12).contains(&(month % 20))
}

impl Test {
    fn passes(&self, value: &[u8]) -> bool {
        match self {
            Sum(weights, modulus, remainder) => sum(value, weights) % modulus == *remainder,
            Eleven(weights) => {
                let last = weights.iter().rposition(|weight| *weight != 0).unwrap_or(0);
                let remainder = sum(value, weights) % 11;
                remainder == 0 || remainder == 1 && value.get(last) == Some(&b'0')
            }
            Luhn(from) => luhn(value.get(*from..).unwrap_or_default()),
            DayMonth(at) => is_day_month(number(value, *at, at + 2), number(value, at + 2, at + 4)),
            MonthDay(at) => is_day_month(number(value, at + 2, at + 4), number(value, *at, at + 2)),
            First(bytes) => value.first().is_some_and(|first| bytes.contains(first)),
            Other(test) => test(value),
        }
    }
}

/// ISO/IEC 7812-1, annex B.
fn luhn(value: &[u8]) -> bool {
    let sum: u32 = value.iter().rev().enumerate().fold(0, |sum, (n, byte)| {
        let doubled = digit(*byte) << (n % 2);
        sum + if doubled > 9 { doubled - 9 } else { doubled }
    });
    sum.is_multiple_of(10)
}

/// Letters that HM Revenue & Customs does not use, and prefixes that it does not.
fn nino(value: &[u8]) -> bool {
    let [first, second, .., suffix] = value else { return false };
    !b"DFIQUV".contains(first)
        && !b"DFIQUVO".contains(second)
        && !matches!(&[*first, *second], b"BG" | b"GB" | b"NK" | b"KN" | b"TN" | b"NT" | b"ZZ")
        && matches!(suffix, b'A'..=b'D')
}

/// Paragraph 2 of the regulation on pension insurance numbers: letters count as two digits, and the digits of products are
/// added.
fn pension(value: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let Some((check, rest)) = value.split_last() else { return false };
    let mut weights = WEIGHTS.iter();
    let mut sum = 0;
    let mut add = |digit: u32| {
        let product = digit * weights.next().unwrap_or(&0);
        sum += product / 10 + product % 10;
    };
    for byte in rest {
        if byte.is_ascii_digit() {
            add(digit(*byte));
        } else {
            let place = digit(*byte) - 9;
            add(place / 10);
            add(place % 10);
        }
    }
    sum % 10 == digit(*check)
}

/// ISO/IEC 7064, MOD 11,10.
fn mod_11_10(value: &[u8]) -> bool {
    let Some((check, rest)) = value.split_last() else { return false };
    let product = rest.iter().fold(10, |product, byte| {
        let sum = (digit(*byte) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == digit(*check)
}

/// Of the first ten digits of a German tax number one stands there twice or three times.
fn one_twice(value: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for byte in value.iter().take(10) {
        if let Some(count) = counts.get_mut(digit(*byte) as usize) {
            *count += 1;
        }
    }
    counts.iter().all(|count| *count <= 3) && counts.iter().any(|count| *count >= 2)
}

fn month_of_nir(value: &[u8]) -> bool {
    // Where the month is not known, 20 to 42 and 50 to 99 stand for it.
    matches!(number(value, 3, 5), 1..=12 | 20..=42 | 50..=99)
        && value.get(6).is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'A' | b'B'))
}

/// The key is what the number lacks of 97; departments 2A and 2B count as 19 and 18.
fn nir(value: &[u8]) -> bool {
    let mut plain = [b'0'; 13];
    for (to, from) in plain.iter_mut().zip(value) {
        *to = *from;
    }
    if let Some([tens, ones]) = plain.get_mut(5..7).and_then(|place| place.as_mut_array::<2>())
        && *tens == b'2'
    {
        match *ones {
            b'A' => (*tens, *ones) = (b'1', b'9'),
            b'B' => (*tens, *ones) = (b'1', b'8'),
            _ => {}
        }
    }
    month_of_nir(value) && number(&plain, 0, 13) % 97 + number(value, 13, 15) == 97
}

/// The last three digits are the rest modulo 511.
fn spi(value: &[u8]) -> bool {
    number(value, 0, 10) % 511 == number(value, 10, 13)
}

/// The letter is the rest modulo 23; `X`, `Y`, `Z` in front count as 0, 1, 2.
fn nif(value: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let Some((letter, digits)) = value.split_last() else { return false };
    let rest = digits.iter().fold(0, |number, byte| {
        number * 10 + if byte.is_ascii_digit() { digit(*byte) } else { u32::from(byte.saturating_sub(b'X')) }
    });
    LETTERS.get((rest % 23) as usize) == Some(letter)
}

fn nss(value: &[u8]) -> bool {
    number(value, 0, 10) % 97 == number(value, 10, 12)
}

/// Ministerial decree of 23 December 1976: characters in odd places have values of their own.
fn fiscal_code(value: &[u8]) -> bool {
    const ODD: &[u8; 26] =
        &[1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((check, rest)) = value.split_last() else { return false };
    let sum: u32 = rest
        .iter()
        .enumerate()
        .map(|(n, byte)| {
            // Digits have the values of the letters from `A` on.
            let place = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
            if n % 2 == 0 {
                u32::from(ODD.get(usize::from(place)).copied().unwrap_or(0))
            } else {
                u32::from(place)
            }
        })
        .sum();
    // Letters stand for digits where two people would have the same code.
    let month = value.get(8).is_some_and(|byte| b"ABCDEHLMPRST".contains(byte));
    month && sum % 26 + 10 == digit(*check)
}

/// The fourth letter says what kind of holder it is.
fn pan(value: &[u8]) -> bool {
    value.get(3).is_some_and(|holder| b"PCHFATBLJGK".contains(holder))
}

fn gstin(value: &[u8]) -> bool {
    (1..=38).contains(&number(value, 0, 2)) || number(value, 0, 2) == 97
}

/// The dihedral group of order ten, as J. Verhoeff uses it.
fn verhoeff(value: &[u8]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let sum = value.iter().rev().enumerate().fold(0, |sum, (n, byte)| {
        let permuted =
            (0..n % 8).fold(digit(*byte), |digit, _| PERMUTATION.get(digit as usize).copied().unwrap_or(0));
        product(sum, permuted)
    });
    sum == 0
}

/// The century is added to the month in steps of twenty.
fn pesel_month(value: &[u8]) -> bool {
    is_day_month(number(value, 4, 6), number(value, 2, 4))
}

/// The last character is the rest of the nine digits modulo 31.
fn hetu(value: &[u8]) -> bool {
    const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((last, rest)) = value.split_last() else { return false };
    // Between date and serial stands a sign, or a letter for the century.
    let century = value.len() == 10 || value.get(6).is_some_and(|byte| b"ABCDEFUVWXY".contains(byte));
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |number, byte| number * 10 + u64::from(digit(*byte)));
    century && CHARACTERS.get((number % 31) as usize) == Some(last)
}

/// What the nine digits lack of 97; for who is born since 2000, with a 2 in front.
fn belgian(value: &[u8]) -> bool {
    let (number, check) = (number(value, 0, 9), number(value, 9, 11));
    number % 97 + check == 97 || (number + 2_000_000_000) % 97 + check == 97
}

/// The letter is the weighted sum modulo 23; a second letter counts nine times.
fn pps(value: &[u8]) -> bool {
    let second = value.get(8).map_or(0, |byte| if *byte == b'W' { 0 } else { digit(*byte) - 9 });
    let sum = sum(value, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    let letter = match sum % 23 {
        0 => b'W',
        rest => b'A' + rest as u8 - 1,
    };
    value.get(7) == Some(&letter)
}

fn nric(value: &[u8]) -> bool {
    let [first, digits @ .., last] = value else { return false };
    let offset = match first {
        b'T' | b'G' => 4,
        b'M' => 3,
        _ => 0,
    };
    let rest = ((sum(digits, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11) as usize;
    let letters = match first {
        b'S' | b'T' => b"JZIHGFEDCBA",
        b'F' | b'G' => b"XWUTRQPNMLK",
        _ => b"XWUTRQPNJLK",
    };
    let place = if *first == b'M' { 10 - rest } else { rest };
    letters.get(place) == Some(last)
}

/// The digit after the date says the century and the sex.
fn korean(value: &[u8]) -> bool {
    matches!(value.get(6), Some(b'1'..=b'8'))
}

fn curp(value: &[u8]) -> bool {
    matches!(value.get(10), Some(b'H' | b'M' | b'X'))
}

/// ISO/IEC 7064, MOD 11-2; ten is written `X`.
fn chinese(value: &[u8]) -> bool {
    let century = matches!(number(value, 6, 8), 18..=20);
    let sum = value.iter().fold(0, |sum, byte| {
        let digit = if *byte == b'X' { 10 } else { digit(*byte) };
        (sum * 2 + digit) % 11
    });
    century && sum == 1
}

/// ICAO 9303: weights 7, 3, 1, letters from 10 on.
fn icao(value: &[u8]) -> bool {
    serial_of_card(value) && sum(value, &[7, 3, 1, 7, 3, 1, 7, 3, 1, 9]).is_multiple_of(10)
}

/// German documents begin with a letter and use none that looks like a digit or makes a word.
fn serial_of_card(value: &[u8]) -> bool {
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().take(9).all(|byte| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte))
}

/// What a document without a plan that is known here looks like.
pub(super) struct Serial {
    pub(super) kind: Identifier,
    pub(super) topics: u32,
    /// Topics that know better.
    pub(super) unless: u32,
    /// Fewest and most letters and digits.
    fewest: usize,
    most: usize,
    fewest_digits: usize,
}

const fn serial(
    kind: Identifier,
    list: &[Topic],
    fewest: usize,
    most: usize,
    fewest_digits: usize,
) -> Serial {
    Serial { kind, topics: topics(list), unless: 0, fewest, most, fewest_digits }
}

/// Numbers that only their label makes what they are.
pub(super) static SERIALS: &[Serial] = &[
    serial(I::Passport, &[T::Passport], 6, 10, 1),
    serial(I::DriverLicense, &[T::Licence], 6, 20, 2),
    Serial {
        unless: topics(&[T::Tax, T::Social, T::Passport, T::Licence]),
        ..serial(I::NationalId, &[T::Identity], 6, 14, 3)
    },
    serial(I::Mrn, &[T::Mrn], 5, 24, 4),
    serial(I::HealthPlan, &[T::HealthPlan], 5, 24, 4),
];

impl Serial {
    /// The number that begins at `start`: a run of letters and digits, or several joined by one separator each.
    #[inline(never)]
    pub(super) fn verify(&self, text: &Cursor, start: usize) -> Verdict {
        let mut at = start;
        let mut end = None;
        let (mut count, mut digits, mut lower, mut upper) = (0, 0, 0, 0);
        loop {
            let run = text.run(at, self.most - count + 1, |byte| byte.is_ascii_alphanumeric())?;
            let group = text.slice(at, run);
            let here = group.iter().filter(|byte| byte.is_ascii_digit()).count();
            let small = group.iter().filter(|byte| byte.is_ascii_lowercase()).count();
            let first = at == start;
            // After a space, only what can hardly be a word or a number of its own.
            let spaced = !first && text.before(at, 1) == b' ';
            let goes_on = here > 0
                && (small == 0 || small + here == group.len() && lower > 0)
                && (!spaced
                    || digits == 0
                    || group.len() >= 3 && count + group.len() <= self.most && self.most > 10)
                || spaced && self.most > 10 && group.len() <= 3 && small == 0 && here > 0;
            if !first && !goes_on || run - at > self.most - count || is_word(text.at(run)?) {
                if first {
                    return Ok(None);
                }
                break;
            }
            count += group.len();
            digits += here;
            lower += small;
            upper += group.len() - here - small;
            if count >= self.fewest && digits >= self.fewest_digits {
                end = Some(run);
            }
            let joint = text.at(run)?;
            let joins = match joint {
                b' ' => first && upper > 0 && digits == 0 && group.len() <= 5 || digits > 0 && self.most > 10,
                b'-' | b'.' | b'/' => true,
                _ => false,
            };
            if !joins || !text.at(run + 1)?.is_ascii_alphanumeric() {
                break;
            }
            at = run + 1;
        }
        // Small letters belong to words, unless there are digits enough.
        let plausible = lower == 0 || upper == 0 && digits >= 5;
        match end {
            Some(end) if plausible && text.number_ends(end)? => Ok(Some(end)),
            _ => Ok(None),
        }
    }
}

//! Numbers with a plan of their own: payment cards, US social security and taxpayer numbers, IPv4 addresses.
//!
//! Telephone numbers, which have little plan, are in `phone`. Invariant: a number that is part of a longer code is none.

use super::context::{Topic, labels, topics};
use super::cursor::{Around, Cursor, Open, Verdict};

/// What a number looks like before any plan is tried.
pub(super) enum Outline {
    /// A number as any: nothing begins here.
    Plain,
    /// Letters follow its digits.
    WithLetters,
    /// Long, or in groups, or cut off by the end of the text.
    Grouped {
        /// Length of the first group, [`FEWEST_IN_ONE_RUN`] standing for anything longer.
        digits: usize,
        /// What follows the first group, where that is known.
        separator: Option<u8>,
    },
}

/// Fewest digits in one run that can be an identifier.
pub(super) const FEWEST_IN_ONE_RUN: usize = 7;

/// Most numbers in a text are plain, so this is asked first.
#[inline]
pub(super) fn outline(text: &Cursor, start: usize) -> Outline {
    let rest = text.bytes().get(start..).unwrap_or_default();
    let mut digits = 0;
    while digits < FEWEST_IN_ONE_RUN && rest.get(digits).is_some_and(u8::is_ascii_digit) {
        digits += 1;
    }
    let separator = rest.get(digits).copied();
    let grouped = Outline::Grouped { digits, separator };
    if digits == FEWEST_IN_ONE_RUN {
        return grouped;
    }
    match (separator, rest.get(digits + 1)) {
        (None, _) if text.more() => grouped,
        (Some(b' ' | b'-' | b'.' | b'/'), None) if text.more() => grouped,
        (Some(b')'), _) | (Some(b' ' | b'-' | b'.' | b'/'), Some(b'0'..=b'9' | b'(')) => grouped,
        (Some(b'('), _) if text.before(start, 1) == b'+' => grouped,
        (Some(byte), _) if byte.is_ascii_alphabetic() => Outline::WithLetters,
        _ => Outline::Plain,
    }
}

/// The number here is plain, or a decimal. Asked of every number, so it reads little.
#[inline(always)]
pub(super) fn is_plain(around: &Around) -> bool {
    let run = |digits: u32| digits.trailing_ones() as usize;
    let all = around.digits();
    let digits = run(all);
    if digits >= FEWEST_IN_ONE_RUN {
        return false;
    }
    match (around.at(digits), around.at(digits + 1)) {
        (b')' | b'(', _) | (b' ' | b'-' | b'.' | b'/', b'(') => false,
        // Nothing in two groups has so few digits.
        (b' ' | b'-' | b'.' | b'/', b'0'..=b'9') => {
            let second = run(all >> (digits + 1));
            let (next, after) = (around.at(digits + 1 + second), around.at(digits + 2 + second));
            digits + second < FEWEST_IN_ONE_RUN
                && !(matches!(next, b' ' | b'-' | b'.' | b'/' | b'(' | b')')
                    && (after.is_ascii_digit() || matches!(after, b' ' | b'-' | b'(' | b')')))
        }
        // Addresses of wallets begin with these.
        (b'A'..=b'Z' | b'a'..=b'z', _) => !matches!(around.at(0), b'0' | b'1' | b'3'),
        _ => true,
    }
}

/// ISO/IEC 7812-1.
const LONGEST_CARD: usize = 19;

/// Digits of a card, as they come.
#[derive(Default)]
struct Digits {
    digits: [u8; LONGEST_CARD],
    len: usize,
}

impl Digits {
    /// `false`: there were too many already.
    fn push(&mut self, byte: u8) -> bool {
        let Some(free) = self.digits.get_mut(self.len) else { return false };
        *free = byte - b'0';
        self.len += 1;
        true
    }

    fn as_slice(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// The first `n` digits as a number, zeros standing for what is missing.
    fn prefix(&self, n: usize) -> u32 {
        self.digits.iter().take(n).fold(0, |number, digit| number * 10 + u32::from(*digit))
    }

    fn luhn(&self) -> bool {
        let sum: u32 = self.as_slice().iter().rev().enumerate().fold(0, |sum, (n, digit)| {
            let digit = u32::from(*digit) << (n % 2);
            sum + if digit > 9 { digit - 9 } else { digit }
        });
        sum.is_multiple_of(10)
    }

    /// The lengths that the issuer with these first four digits uses, as bits; zero: nobody issues such cards.
    fn issuer_lengths(&self) -> u32 {
        const fn lengths(from: u32, to: u32) -> u32 {
            (2 << to) - (1 << from)
        }
        let four = self.prefix(4);
        match four {
            // Visa.
            4000..=4999 => lengths(13, 13) | lengths(16, 16) | lengths(19, 19),
            // Mastercard.
            5100..=5599 | 2221..=2720 => lengths(16, 16),
            // American Express.
            3400..=3499 | 3700..=3799 => lengths(15, 15),
            // Diners Club.
            3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => lengths(14, 19),
            // JCB.
            3528..=3589 => lengths(16, 19),
            // Discover and UnionPay.
            6011 | 6200..=6299 | 6440..=6599 | 8100..=8171 => lengths(16, 19),
            // Maestro.
            5000..=5099 | 5600..=5899 | 6304 | 6390 | 6700..=6799 => lengths(12, 19),
            // Mir and Troy.
            2200..=2204 | 9792 => lengths(16, 19),
            _ => 0,
        }
    }

    fn is_card(&self) -> bool {
        self.issuer_lengths() & (1 << self.len) != 0 && self.luhn()
    }
}

/// The payment card that begins at `start`: digits in one run, or in groups as printed on cards.
#[inline(never)]
pub(super) fn card(text: &Cursor, start: usize) -> Verdict {
    if !text.number_begins(start) {
        return Ok(None);
    }
    let mut digits = Digits::default();
    let mut separator = None;
    let mut group = 0;
    let mut groups = [0_usize; 5];
    let mut at = start;
    loop {
        let byte = text.at(at)?;
        if byte.is_ascii_digit() {
            let Some(length) = groups.get_mut(group) else { return Ok(None) };
            *length += 1;
            if !digits.push(byte) || digits.len == 4 && digits.issuer_lengths() == 0 {
                return Ok(None);
            }
            at += 1;
            continue;
        }
        let complete = matches!(groups, [4, 4, 4, 4, 0] | [4, 6, 5, 0, 0] | [4, 6, 4, 0, 0]);
        if complete && digits.is_card() {
            break;
        }
        let continues = matches!(byte, b' ' | b'-')
            && separator.is_none_or(|separator| separator == byte)
            && matches!(
                groups,
                [4, 0, ..] | [4, 4, 0, ..] | [4, 6, 0, ..] | [4, 4, 4, 0, 0] | [4, 4, 4, 4, 0]
            )
            && text.at(at + 1)?.is_ascii_digit();
        if !continues {
            break;
        }
        separator = Some(byte);
        group += 1;
        at += 1;
    }
    let shaped = group == 0
        || matches!(groups, [4, 4, 4, 4, 0..=3] | [4, 6, 5, 0, 0] | [4, 6, 4, 0, 0] | [4, 4, 4, 1..=3, 0]);
    Ok((shaped && digits.is_card() && text.number_ends(at)?).then_some(at))
}

/// Three, two and four digits, joined by one kind of separator; where they end, and each group's value.
fn grouped(text: &Cursor, start: usize) -> Result<Option<(usize, [u32; 3])>, Open> {
    let mut at = start;
    let mut separator = None;
    let mut values = [0; 3];
    for (n, (length, value)) in [3, 2, 4].into_iter().zip(&mut values).enumerate() {
        if n > 0 {
            let byte = text.at(at)?;
            if !matches!(byte, b'-' | b' ') || separator.is_some_and(|separator| separator != byte) {
                return Ok(None);
            }
            separator = Some(byte);
            at += 1;
        }
        for _ in 0..length {
            let byte = text.at(at)?;
            if !byte.is_ascii_digit() {
                return Ok(None);
            }
            *value = *value * 10 + u32::from(byte - b'0');
            at += 1;
        }
    }
    Ok(Some((at, values)))
}

/// The nine digits of the US that begin at `start`, if `assigned` accepts area, group and serial. Without separators, only
/// after a word that says so.
#[inline(never)]
fn nine_digits(
    text: &Cursor,
    start: usize,
    assigned: fn(u32, u32, u32) -> bool,
    announced_by: u32,
) -> Verdict {
    if !text.number_begins(start) {
        return Ok(None);
    }
    if let Some((end, [area, group, serial])) = grouped(text, start)? {
        return Ok((assigned(area, group, serial) && text.number_ends(end)?).then_some(end));
    }
    let end = text.digits(start, 10)?;
    if end - start != 9 {
        return Ok(None);
    }
    let number = text.slice(start, end).iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let valid = assigned(number / 1_000_000, number / 10_000 % 100, number % 10_000);
    Ok((valid && text.number_ends(end)? && labels(text, start).nearest(announced_by).is_some())
        .then_some(end))
}

/// The social security number that begins at `start`, as the Social Security Administration assigns them.
pub(super) fn us_ssn(text: &Cursor, start: usize) -> Verdict {
    let assigned = |area: u32, group: u32, serial: u32| {
        (1..900).contains(&area) && area != 666 && group != 0 && serial != 0
    };
    nine_digits(text, start, assigned, topics(&[Topic::Social]))
}

/// The individual taxpayer number that begins at `start`, in the ranges of the Internal Revenue Service.
pub(super) fn us_itin(text: &Cursor, start: usize) -> Verdict {
    let assigned =
        |area: u32, group: u32, _: u32| area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    nine_digits(text, start, assigned, topics(&[Topic::Tax]))
}

/// Topics of labels that say that four numbers are none of a machine.
const NO_ADDRESS: u32 = topics(&[Topic::Version]);

/// The IPv4 address that begins at `start`.
#[inline(never)]
pub(super) fn ipv4(text: &Cursor, start: usize) -> Verdict {
    // After `/` stands the host of a URL.
    let before = text.before(start, 1);
    if before != b'/' && !text.number_begins(start) {
        return Ok(None);
    }
    let Some((end, octets)) = ipv4_shape(text, start)? else { return Ok(None) };
    // Every machine is the first, none the second, and the third are masks.
    let nobody = matches!(octets, [127, 0, 0, 1] | [0, 0, 0, 0] | [255, 255, 255, _]);
    Ok((!nobody && text.number_ends(end)? && labels(text, start).nearest(NO_ADDRESS).is_none())
        .then_some(end))
}

/// Four numbers up to 255 without leading zeros, joined by dots.
pub(super) fn ipv4_shape(text: &Cursor, start: usize) -> Result<Option<(usize, [u32; 4])>, Open> {
    let mut octets = [0; 4];
    let mut at = start;
    for (n, octet) in octets.iter_mut().enumerate() {
        if n > 0 {
            if text.at(at)? != b'.' {
                return Ok(None);
            }
            at += 1;
        }
        let first = at;
        loop {
            let byte = text.at(at)?;
            if !byte.is_ascii_digit() {
                break;
            }
            *octet = *octet * 10 + u32::from(byte - b'0');
            at += 1;
            if *octet > 255 || at - first > 1 && text.before(first + 1, 1) == b'0' {
                return Ok(None);
            }
        }
        if at == first {
            return Ok(None);
        }
    }
    Ok(Some((at, octets)))
}

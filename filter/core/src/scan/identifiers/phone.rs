//! Telephone numbers.
//!
//! Knows number plans only as far as they tell a telephone number from another number. Invariant: a bare run of digits is
//! never a telephone number; it takes a `+`, separators, or both.

use super::context::{Topic, labels, topics};
use super::cursor::{Cursor, Open, Verdict, is_alphanumeric};

/// Groups of digits that are looked at; no written telephone number has more.
const MOST_GROUPS: usize = 7;

/// Topics of labels that announce a telephone number.
const ANNOUNCE: u32 = topics(&[Topic::Phone, Topic::Fax]);

/// Topics of labels that announce something else, however it is grouped: all but those that say nothing about a number.
const ANOTHER: u32 = !(ANNOUNCE | topics(&[Topic::Foreign, Topic::Address, Topic::Birth, Topic::Name]));

/// Most bytes between a label and a number without separators.
const LONGEST_GAP: usize = 20;

/// The telephone number whose first digit is at `digit`. `+` or `(` before it belong to it; see [`lead`].
#[inline(never)]
pub(super) fn verify(text: &Cursor, digit: usize) -> Verdict {
    let before = text.before(digit, 1);
    match before {
        b'+' => {
            let outside = text.before(digit, 2);
            if is_alphanumeric(outside) || outside == b'+' {
                return Ok(None);
            }
            international(text, digit)
        }
        b'(' if lead(text, digit) > 0 => parenthesised(text, digit),
        b'#' | b'$' => Ok(None),
        _ if !text.number_begins(digit) => Ok(None),
        _ => national(text, digit),
    }
}

/// Bytes before the first digit that belong to a telephone number there: `+`, `(`, `(+`.
pub(super) fn lead(text: &Cursor, digit: usize) -> usize {
    // A parenthesis that closes much later holds the number, and is no part of it. Where the text is cut, it may.
    let closes = || {
        let end = text
            .bytes()
            .get(digit..)
            .and_then(|rest| rest.iter().take(6).position(|byte| !byte.is_ascii_digit()));
        end.map_or(digit + 6 > text.len(), |end| text.slice(digit + end, digit + end + 1) == b")")
    };
    match (text.before(digit, 1), text.before(digit, 2)) {
        (b'+', b'(') => 1 + usize::from(closes()),
        (b'+', _) => 1,
        (b'(', _) => usize::from(closes()),
        _ => 0,
    }
}

/// Bytes at the end of the text that would belong to a telephone number whose first digit is yet to come.
pub(super) fn lead_at_end(text: &Cursor) -> usize {
    match (text.before(text.len(), 2), text.before(text.len(), 1)) {
        (b'(', b'+') => 2,
        (_, b'+' | b'(') => 1,
        _ => 0,
    }
}

/// Country codes of one or two digits with the fewest and the most digits after them. Where a plan is not known here,
/// E.164's own limit of fifteen counts.
const PLANS: &[(&[u8], (usize, usize))] = &[
    (&[1, 7], (10, 10)),
    (&[30, 48, 51, 52, 54, 56, 57, 58, 63, 90, 91, 92, 98], (9, 11)),
    (&[20, 27, 31, 32, 33, 34, 36, 40, 41, 44, 61, 66, 84], (8, 10)),
    (&[45, 47, 65], (8, 8)),
    (&[53, 60, 64, 93, 94, 95], (7, 10)),
    (&[39], (6, 11)),
    (&[43, 46, 49], (6, 12)),
    (&[55, 62, 81, 82, 86], (8, 11)),
];

/// Fewest and most digits after a country code.
fn national_digits(country: &[u8]) -> Option<(usize, usize)> {
    let code = match country {
        [b'0', ..] => return None,
        [one] => one - b'0',
        [ten, one] => (ten - b'0') * 10 + (one - b'0'),
        // Every other code has three digits.
        _ => return Some((6, 10)),
    };
    PLANS.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, digits)| *digits)
}

/// A number after `+`: country code and national number, with or without separators.
#[inline(never)]
fn international(text: &Cursor, digit: usize) -> Verdict {
    let mut country_end = digit;
    let (fewest, most) = loop {
        if !text.at(country_end)?.is_ascii_digit() {
            return Ok(None);
        }
        country_end += 1;
        if let Some(limits) = national_digits(text.slice(digit, country_end)) {
            break limits;
        }
        if country_end - digit >= 3 {
            return Ok(None);
        }
    };
    let mut at = country_end;
    let mut count = 0;
    let mut end = None;
    loop {
        let run = text.digits(at, most + 1)?;
        count += run - at;
        if count > most {
            break;
        }
        at = run;
        if count >= fewest {
            end = Some(at);
            if count == most {
                break;
            }
        }
        match separator(text, at)? {
            Some(next) => at = next,
            None => break,
        }
        // The trunk prefix in `+44 (0)20` is written, not dialled.
        if text.before(at, 1) == b'(' && text.starts_with(at, b"0)")? {
            at += 2;
            if text.at(at)? == b' ' {
                at += 1;
            }
        }
    }
    finish(text, end)
}

/// What may stand between two groups, if a digit follows; where that digit is.
fn separator(text: &Cursor, at: usize) -> Result<Option<usize>, Open> {
    let first = text.at(at)?;
    let next = match first {
        b' ' | b'-' | b'.' | b'/' => match (first, text.at(at + 1)?) {
            (b' ', b'(') => at + 2,
            _ => at + 1,
        },
        b'(' => at + 1,
        b')' => match text.at(at + 1)? {
            b' ' | b'-' => at + 2,
            _ => at + 1,
        },
        _ => return Ok(None),
    };
    Ok(text.at(next)?.is_ascii_digit().then_some(next))
}

/// A number that begins with a digit.
#[inline(never)]
fn national(text: &Cursor, digit: usize) -> Verdict {
    // A single digit is a group only as a prefix.
    if !text.at(digit + 1)?.is_ascii_digit() && !matches!(text.at(digit)?, b'0' | b'1') {
        return Ok(None);
    }
    let end = match north_american(text, digit)? {
        Some(end) => Some(end),
        None => match text.at(digit)? {
            b'0' => trunk(text, digit)?,
            b'1' => chinese_mobile(text, digit)?,
            _ => None,
        },
    };
    match end {
        Some(_) => {
            let labels = labels(text, digit);
            let another = labels.nearest(ANOTHER).is_some() && labels.nearest(ANNOUNCE).is_none();
            Ok(end.filter(|_| !another))
        }
        None => announced(text, digit),
    }
}

/// A number whose first group stands in parentheses.
#[inline(never)]
fn parenthesised(text: &Cursor, digit: usize) -> Verdict {
    if let Some(end) = north_american(text, digit)? {
        return Ok(Some(end));
    }
    // An area code in parentheses, as in `(030) 1234567` and `(11) 91234-5678`.
    let close = text.digits(digit, 6)?;
    if !(2..=5).contains(&(close - digit)) || text.at(close)? != b')' {
        return Ok(None);
    }
    let digits = close - digit;
    let mut at = match separator(text, close)? {
        Some(at) => at,
        None => return Ok(None),
    };
    let mut total = digits;
    let mut end = None;
    // Ends as in `trunk`.
    loop {
        let run = text.digits(at, 9)?;
        if run - at < 2 || total + (run - at) > 13 {
            break;
        }
        total += run - at;
        if total >= 9 {
            end = Some(run);
        }
        match text.at(run)? {
            b' ' | b'-' if text.at(run + 1)?.is_ascii_digit() => at = run + 1,
            _ => break,
        }
    }
    finish(text, end)
}

/// A run of exactly `length` digits at `at`.
#[inline(never)]
fn exactly(text: &Cursor, at: usize, length: usize) -> Result<Option<usize>, Open> {
    let run = text.digits(at, length + 1)?;
    Ok((run - at == length).then_some(run))
}

/// `415-555-0132`, `(415) 555-0132`, `1 415 555 0132`, `001-415-555-0132x12`.
#[inline(never)]
fn north_american(text: &Cursor, digit: usize) -> Verdict {
    let mut at = digit;
    for country in [&b"1"[..], b"001"] {
        if text.starts_with(digit, country)?
            && let joint @ (b'-' | b' ' | b'.') = text.at(digit + country.len())?
        {
            at = digit + country.len() + 1;
            if joint == b' ' && text.at(at)? == b'(' {
                at += 1;
            }
            break;
        }
    }
    let area = at;
    let Some(mut at) = exactly(text, area, 3)? else { return Ok(None) };
    let first = if text.before(area, 1) == b'(' {
        if text.at(at)? != b')' {
            return Ok(None);
        }
        at += 1;
        if matches!(text.at(at)?, b' ' | b'-') {
            at += 1;
        }
        b')'
    } else {
        let first = text.at(at)?;
        if !matches!(first, b'-' | b'.' | b' ' | b'/') {
            return Ok(None);
        }
        at += 1;
        first
    };
    let exchange = at;
    let Some(at) = exactly(text, exchange, 3)? else { return Ok(None) };
    let second = text.at(at)?;
    let joined = match first {
        b')' => matches!(second, b'-' | b'.' | b' '),
        b'/' | b' ' => matches!(second, b'-') || second == first,
        first => second == first,
    };
    if !joined {
        return Ok(None);
    }
    // Three numbers with spaces or dots between them are often just three numbers: there the plan has to be kept.
    let planned = |at: usize| matches!(text.before(at + 1, 1), b'2'..=b'9');
    if matches!((first, second), (b' ', b' '))
        && (!planned(area) || !planned(exchange) || follows_a_number(text, digit))
    {
        return Ok(None);
    }
    let end = exactly(text, at + 1, 4)?;
    finish(text, end)
}

/// `06 12 34 56 78`, `020 7946 0958`, `0171/1234567`: a national number with its trunk prefix.
#[inline(never)]
fn trunk(text: &Cursor, digit: usize) -> Verdict {
    let abroad = text.at(digit + 1)? == b'0';
    let mut at = text.digits(digit, 7)?;
    let first = at - digit;
    if !(1..=5).contains(&first) || follows_a_number(text, digit) {
        return Ok(None);
    }
    // `0 532 123 45 67`: the prefix alone makes a group only where the number is of full length.
    let fewest = if abroad || first == 1 { 11 } else { 9 };
    let most = if abroad { 15 } else { 13 };
    let mut total = first;
    // Lengths of the first two groups, a decimal digit each: an array would have the loop unrolled.
    let mut shape = 0;
    let mut joint = None;
    let mut end = None;
    // Ends soon: every group adds two digits or more, and there are few.
    loop {
        let byte = text.at(at)?;
        let consistent = shape < 10 || joint == Some(byte);
        if !consistent || !matches!(byte, b' ' | b'-' | b'.' | b'/') || !text.at(at + 1)?.is_ascii_digit() {
            break;
        }
        let run = text.digits(at + 1, 9)?;
        let length = run - at - 1;
        if shape < 10 {
            shape = shape * 10 + length;
        }
        if length < 2 || total + length > most {
            break;
        }
        // After a dot or a slash, two digits begin a date more often than a number; France writes pairs throughout.
        if matches!(byte, b'.' | b'/') && first == 2 && length != 2 {
            return Ok(None);
        }
        joint = Some(byte);
        total += length;
        at = run;
        if total >= fewest {
            end = Some(at);
        }
    }
    if first == 1 && shape != 33 {
        return Ok(None);
    }
    // A day, a month and a year.
    if first == 2 && shape == 24 {
        return Ok(None);
    }
    finish(text, end)
}

/// `138 1234 5678`.
fn chinese_mobile(text: &Cursor, digit: usize) -> Verdict {
    let Some(at) = exactly(text, digit, 3)? else { return Ok(None) };
    let joint = text.at(at)?;
    if !matches!(text.at(digit + 1)?, b'3'..=b'9') || !matches!(joint, b' ' | b'-') {
        return Ok(None);
    }
    let Some(at) = exactly(text, at + 1, 4)? else { return Ok(None) };
    if text.at(at)? != joint {
        return Ok(None);
    }
    let end = exactly(text, at + 1, 4)?;
    finish(text, end)
}

/// Digits in any plan, after a word that announces a telephone number.
fn announced(text: &Cursor, digit: usize) -> Verdict {
    // The word is the costlier question, so it comes last; but without it there is nothing to wait for.
    let found = grouped(text, digit);
    if found == Ok(None) {
        return found;
    }
    match labels(text, digit).nearest(ANNOUNCE) {
        // A number without separators may be anything, unless the word stands right before it.
        Some(label) if digit.saturating_sub(label.end) <= LONGEST_GAP => found,
        _ => Ok(None),
    }
}

/// Groups of digits in any plan.
#[inline(never)]
fn grouped(text: &Cursor, digit: usize) -> Verdict {
    if follows_a_number(text, digit) {
        return Ok(None);
    }
    let mut at = digit;
    let mut total = 0;
    let mut lengths = [0; MOST_GROUPS];
    let mut groups = 0;
    let mut end = None;
    while let Some(length) = lengths.get_mut(groups) {
        let run = text.digits(at, 14)?;
        *length = run - at;
        total += *length;
        if *length < 2 || total > 13 {
            break;
        }
        groups += 1;
        if total >= 7 {
            end = Some(run);
        }
        match text.at(run)? {
            b' ' | b'-' | b'.' | b'/' if text.at(run + 1)?.is_ascii_digit() => at = run + 1,
            _ => break,
        }
    }
    // Dates.
    if matches!(lengths, [4, 2, 2, 0, ..] | [2, 2, 4, 0, ..]) {
        return Ok(None);
    }
    finish(text, end)
}

/// The number goes on one that stands before it, as in the groups of a longer one.
fn follows_a_number(text: &Cursor, digit: usize) -> bool {
    text.before(digit, 1) == b' ' && text.before(digit, 2).is_ascii_digit()
}

/// Adds an extension to a number that ends at `end`, and refuses one that is the beginning of a longer code.
fn finish(text: &Cursor, end: Option<usize>) -> Verdict {
    let Some(end) = end else { return Ok(None) };
    let mut at = end;
    if text.at(at)? == b' ' && matches!(text.at(at + 1)?, b'x' | b'e' | b'E') {
        at += 1;
    }
    let word = match text.at(at)? {
        b'x' => at + 1,
        b'e' | b'E' if text.at(at + 1)? == b'x' && text.at(at + 2)? == b't' => {
            let dot = at + 3;
            let space = dot + usize::from(text.at(dot)? == b'.');
            space + usize::from(text.at(space)? == b' ')
        }
        _ => return Ok(text.number_ends(end)?.then_some(end)),
    };
    let extension = text.digits(word, 7)?;
    if (1..=6).contains(&(extension - word)) && text.number_ends(extension)? {
        return Ok(Some(extension));
    }
    Ok(text.number_ends(end)?.then_some(end))
}

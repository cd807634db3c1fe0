//! Dates, as they stand after the words of a birth.
//!
//! Says nothing of why a date is there. Invariant: the day exists in some year, and the year is one in which a person who
//! lives today may have been born.

use super::context::fold_pair;
use super::cursor::{Cursor, Open, Verdict, is_alphanumeric};

/// Bytes of the longest name of a month.
const LONGEST_MONTH: usize = 20;

/// How the names of months begin, in the languages we meet most; a date may begin with one of these.
const MONTHS: &[u8] = b"jan feb fev mar apr avr abr may mai maj mei maa mag jun jui giu jul lug aug aou ago sep set oct okt ott out nov \
dec dez dic ene gen sty lut kwi cze lip sie wrz paz lis gru ";

fn is_year(year: u32, digits: usize) -> bool {
    digits == 2 || digits == 4 && (1890..=2049).contains(&year)
}

fn is_day(day: u32) -> bool {
    (1..=31).contains(&day)
}

/// Days of a month, the longest that it can have.
fn is_date(day: u32, month: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// A number of up to four digits at `at`: where it ends, and its value.
fn number(text: &Cursor, at: usize) -> Result<(usize, u32), Open> {
    let end = text.digits(at, 5)?;
    Ok((end, text.slice(at, end).iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0'))))
}

/// A date that begins with the digit at `start`.
#[inline(never)]
pub(super) fn numeric(text: &Cursor, start: usize) -> Verdict {
    if !text.number_begins(start) {
        return Ok(None);
    }
    let (end, first) = number(text, start)?;
    let digits = end - start;
    if digits == 3 || digits > 4 {
        return compact(text, start);
    }
    let joint = text.at(end)?;
    // `1980年5月12日`, and the same in Korean.
    if joint >= 0xE0 && digits == 4 && is_year(first, 4) {
        return eastern(text, end);
    }
    if matches!(joint, b'/' | b'-' | b'.' | b' ') {
        let spaced = joint == b'.' && text.at(end + 1)? == b' ';
        let (second_end, second) = number(text, end + 1 + usize::from(spaced))?;
        let length = second_end - end - 1 - usize::from(spaced);
        if matches!(length, 1 | 2) && text.at(second_end)? == joint {
            let at = second_end + 1 + usize::from(spaced && text.at(second_end + 1)? == b' ');
            let (last, third) = number(text, at)?;
            let digits_of_third = last - at;
            let valid = if digits == 4 {
                is_year(first, 4) && digits_of_third <= 2 && is_date(third, second)
            } else {
                matches!(digits_of_third, 2 | 4)
                    && is_year(third, digits_of_third)
                    && (is_date(first, second) || is_date(second, first))
            };
            return Ok((valid && text.number_ends(last)?).then_some(last));
        }
    }
    if digits <= 2 && is_day(first) { worded(text, end) } else { Ok(None) }
}

/// `19800512` and `12051980`.
fn compact(text: &Cursor, start: usize) -> Verdict {
    let end = text.digits(start, 9)?;
    if end - start != 8 {
        return Ok(None);
    }
    let at = |from: usize, to: usize| {
        text.slice(start + from, start + to)
            .iter()
            .fold(0, |number, byte| number * 10 + u32::from(byte - b'0'))
    };
    let valid = is_year(at(0, 4), 4) && is_date(at(6, 8), at(4, 6))
        || is_year(at(4, 8), 4) && (is_date(at(0, 2), at(2, 4)) || is_date(at(2, 4), at(0, 2)));
    Ok((valid && text.number_ends(end)?).then_some(end))
}

/// Year, month and day, each with its sign after it.
fn eastern(text: &Cursor, year_end: usize) -> Verdict {
    let mut at = year_end + 3;
    let mut values = [0, 0];
    for value in &mut values {
        at = text.run(at, 3, |byte| byte == b' ')?;
        let (end, number) = number(text, at)?;
        if !matches!(end - at, 1 | 2) || text.at(end)? < 0xE0 {
            return Ok(None);
        }
        *value = number;
        // Two more bytes of the sign, which has to be there as a whole.
        text.at(end + 2)?;
        at = end + 3;
    }
    let [month, day] = values;
    Ok(is_date(day, month).then_some(at))
}

/// What follows a day that ends at `day_end`: a month in words and a year.
pub(super) fn worded(text: &Cursor, day_end: usize) -> Verdict {
    let mut at = day_end;
    // `1st`, `2nd`, `1er`, `22.`, `1º`.
    if text.at(at)?.is_ascii_alphabetic() || text.at(at)? == 0xC2 {
        at = text.run(at, 3, |byte| byte.is_ascii_lowercase() || byte >= 0x80)?;
    }
    at = text.run(at, 3, |byte| matches!(byte, b' ' | b'.' | b'-' | b'/'))?;
    if at == day_end {
        return Ok(None);
    }
    at = skip_particle(text, at)?;
    let Some(end) = word(text, at)? else { return Ok(None) };
    at = text.run(end, 3, |byte| matches!(byte, b' ' | b'.' | b'-' | b',' | b'/'))?;
    if at == end {
        return Ok(None);
    }
    at = skip_particle(text, at)?;
    let (last, year) = number(text, at)?;
    Ok((last - at == 4 && is_year(year, 4) && text.number_ends(last)?).then_some(last))
}

/// `of `, `de `, `del `, `di `.
fn skip_particle(text: &Cursor, at: usize) -> Result<usize, Open> {
    let end = text.run(at, 4, |byte| byte.is_ascii_lowercase())?;
    let particle = matches!(text.slice(at, end), b"of" | b"de" | b"del" | b"di" | b"the" | b"do");
    Ok(if particle && text.at(end)? == b' ' { end + 1 } else { at })
}

/// End of the word at `at`, of three letters or more.
fn word(text: &Cursor, at: usize) -> Result<Option<usize>, Open> {
    let end = text.run(at, LONGEST_MONTH + 1, |byte| byte.is_ascii_alphabetic() || byte >= 0x80)?;
    Ok((3..=LONGEST_MONTH).contains(&(end - at)).then_some(end))
}

/// Where the name of a month begins that is followed by the place `at`, which comes after a space.
pub(super) fn month_before(text: &Cursor, at: usize) -> Option<usize> {
    let end = at.checked_sub(1)?;
    if text.before(at, 1) != b' ' {
        return None;
    }
    // Also `Feb. 5`.
    let end = if text.before(end, 1) == b'.' { end - 1 } else { end };
    let mut start = end;
    while end - start <= LONGEST_MONTH
        && (text.before(start, 1).is_ascii_alphabetic() || text.before(start, 1) >= 0x80)
    {
        start -= 1;
    }
    (end - start <= LONGEST_MONTH
        && is_month(text.slice(start, end))
        && !is_alphanumeric(text.before(start, 1)))
    .then_some(start)
}

/// Where a word begins that may become the name of a month, at the end of the text.
pub(super) fn month_at_end(text: &Cursor) -> Option<usize> {
    let end = text.len();
    let mut start = end;
    while end - start <= LONGEST_MONTH
        && (text.before(start, 1).is_ascii_alphabetic() || text.before(start, 1) >= 0x80)
    {
        start -= 1;
    }
    let word = text.slice(start, end);
    (word.len() <= LONGEST_MONTH && month_letters(word) > 0).then_some(start)
}

/// The word is the name of a month, as far as its beginning tells.
fn is_month(word: &[u8]) -> bool {
    month_letters(word) == 3
}

/// For each first letter of a month, a bit for each second one.
static MONTH_LETTERS: [u32; 32] = {
    let mut bits = [0; 32];
    let mut n = 0;
    while n < MONTHS.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            bits[(MONTHS[n] & 31) as usize] |= 1 << (MONTHS[n + 1] & 31);
        }
        n += 4;
    }
    bits
};

/// How many letters of the word, three at most, begin the name of a month; none if they do not.
fn month_letters(word: &[u8]) -> usize {
    let mut folded = [0; 3];
    let mut letters = 0;
    let mut bytes = word.iter();
    while let (Some(to), Some(byte)) = (folded.get_mut(letters), bytes.next()) {
        *to = match byte {
            0xC3..=0xC5 => fold_pair(*byte, bytes.next().copied().unwrap_or(0)).0,
            _ => byte.to_ascii_lowercase(),
        };
        letters += 1;
    }
    // Most words end here.
    let [first, second, _] = folded;
    let seconds = MONTH_LETTERS.get(usize::from(first & 31)).copied().unwrap_or(0);
    if letters == 0 || seconds == 0 || letters > 1 && seconds >> (second & 31) & 1 == 0 {
        return 0;
    }
    let folded = folded.get(..letters).unwrap_or_default();
    if MONTHS.as_chunks::<4>().0.iter().any(|month| month.starts_with(folded)) { letters } else { 0 }
}

/// A date that begins with a month at `start` whose day begins at `digit`.
#[inline(never)]
pub(super) fn month_first(text: &Cursor, digit: usize) -> Verdict {
    let (mut at, day) = number(text, digit)?;
    if at - digit > 2 || !is_day(day) {
        return Ok(None);
    }
    if text.at(at)?.is_ascii_alphabetic() {
        at = text.run(at, 2, |byte| byte.is_ascii_lowercase())?;
    }
    let end = at;
    at = text.run(at, 2, |byte| matches!(byte, b',' | b' '))?;
    if at == end {
        return Ok(None);
    }
    let (last, year) = number(text, at)?;
    Ok((last - at == 4 && is_year(year, 4) && text.number_ends(last)?).then_some(last))
}

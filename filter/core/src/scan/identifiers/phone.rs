//! Telephone numbers.
//!
//! Knows number plans only as far as they tell a telephone number from another number. Invariant: a bare run of digits is
//! never a telephone number; it takes a `+`, separators, or both.

use super::cursor::{Cursor, Open, Verdict, is_alphanumeric};

/// Groups of digits that are looked at; no written telephone number has more.
const MOST_GROUPS: usize = 7;

/// Words before a telephone number, in the languages we meet most.
fn announces(word: &[u8]) -> bool {
    matches!(
        word,
        b"phone"
            | b"telephone"
            | b"tel"
            | b"call"
            | b"calling"
            | b"mobile"
            | b"cell"
            | b"cellphone"
            | b"fax"
            | b"whatsapp"
            | b"sms"
            | b"dial"
            | b"hotline"
            | b"telefon"
            | b"handy"
            | b"mobil"
            | b"rufnummer"
            | b"portable"
            | b"telefono"
            | b"cellulare"
            | b"telefone"
            | b"celular"
            | b"llamar"
            | b"appeler"
    ) || matches!(std::str::from_utf8(word), Ok("móvil" | "teléfono" | "téléphone" | "тел" | "телефон"))
}

/// Words before a number that is something else, however it is grouped.
fn announces_another_number(word: &[u8]) -> bool {
    matches!(
        word,
        b"isbn"
            | b"issn"
            | b"order"
            | b"invoice"
            | b"serial"
            | b"version"
            | b"model"
            | b"sku"
            | b"tracking"
            | b"ticket"
            | b"case"
            | b"part"
            | b"ref"
            | b"reference"
            | b"rfc"
            | b"id"
            | b"coordinates"
            | b"between"
            | b"range"
            | b"nhs"
            | b"nir"
            | b"passport"
            | b"licence"
            | b"license"
            | b"vat"
            | b"siret"
            | b"siren"
            | b"sociale"
            | b"insurance"
    )
}

/// The telephone number whose first digit is at `digit`. `+` or `(` before it belong to it; see [`lead`].
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
        b'(' => parenthesised(text, digit),
        b'#' | b'$' => Ok(None),
        _ if !text.number_begins(digit) => Ok(None),
        _ => national(text, digit),
    }
}

/// Bytes before the first digit that belong to a telephone number there.
pub(super) fn lead(text: &Cursor, digit: usize) -> usize {
    usize::from(matches!(text.before(digit, 1), b'+' | b'('))
}

/// Most digits after the country code, and fewest. Where a plan is not known here, E.164's own limit of fifteen counts.
fn national_digits(country: &[u8]) -> Option<(usize, usize)> {
    Some(match country {
        b"1" | b"7" => (10, 10),
        b"30" | b"48" | b"51" | b"52" | b"54" | b"56" | b"57" | b"58" | b"90" | b"91" | b"92" | b"98"
        | b"63" => (9, 11),
        b"20" | b"27" | b"31" | b"32" | b"33" | b"34" | b"36" | b"40" | b"41" | b"44" | b"61" | b"66"
        | b"84" => (8, 10),
        b"45" | b"47" | b"65" => (8, 8),
        b"53" | b"60" | b"64" | b"93" | b"94" | b"95" => (7, 10),
        b"39" => (6, 11),
        b"43" | b"46" | b"49" => (6, 12),
        b"55" | b"81" | b"82" | b"86" | b"62" => (8, 11),
        // Every other code has three digits.
        [b'2' | b'3' | b'4' | b'5' | b'6' | b'8' | b'9', _, _] => (6, 10),
        _ => return None,
    })
}

/// A number after `+`: country code and national number, with or without separators.
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
        let run = text.run(at, most + 1, |byte| byte.is_ascii_digit())?;
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
fn national(text: &Cursor, digit: usize) -> Verdict {
    // A single digit is a group only as a prefix.
    if !text.at(digit + 1)?.is_ascii_digit() && !matches!(text.at(digit)?, b'0' | b'1') {
        return Ok(None);
    }
    let end = match north_american(text, digit)? {
        Some(end) => Some(end),
        None => match text.at(digit)? {
            b'0' => trunk(text, digit)?,
            b'1' => match chinese_mobile(text, digit)? {
                Some(end) => Some(end),
                None => announced(text, digit)?,
            },
            _ => announced(text, digit)?,
        },
    };
    match end {
        Some(_)
            if text.preceded_by(digit, announces_another_number) && !text.preceded_by(digit, announces) =>
        {
            Ok(None)
        }
        end => Ok(end),
    }
}

/// A number whose first group stands in parentheses.
fn parenthesised(text: &Cursor, digit: usize) -> Verdict {
    if let Some(end) = north_american(text, digit)? {
        return Ok(Some(end));
    }
    // An area code in parentheses, as in `(030) 1234567` and `(11) 91234-5678`.
    let close = text.run(digit, 6, |byte| byte.is_ascii_digit())?;
    if !(2..=5).contains(&(close - digit)) || text.at(close)? != b')' {
        return Ok(None);
    }
    let digits = close - digit;
    let mut at = match separator(text, close)? {
        Some(at) => at,
        None => return Ok(None),
    };
    let mut total = digits;
    let mut groups = 0;
    let mut end = None;
    while groups < MOST_GROUPS {
        let run = text.run(at, 9, |byte| byte.is_ascii_digit())?;
        if run - at < 2 || total + (run - at) > 12 {
            break;
        }
        total += run - at;
        groups += 1;
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
fn exactly(text: &Cursor, at: usize, length: usize) -> Result<Option<usize>, Open> {
    let run = text.run(at, length + 1, |byte| byte.is_ascii_digit())?;
    Ok((run - at == length).then_some(run))
}

/// `415-555-0132`, `(415) 555-0132`, `1 415 555 0132`, `001-415-555-0132x12`.
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
fn trunk(text: &Cursor, digit: usize) -> Verdict {
    let abroad = text.at(digit + 1)? == b'0';
    let mut at = text.run(digit, 7, |byte| byte.is_ascii_digit())?;
    let first = at - digit;
    if !(1..=5).contains(&first) || follows_a_number(text, digit) {
        return Ok(None);
    }
    // `0 532 123 45 67`: the prefix alone makes a group only where the number is of full length.
    let fewest = if abroad || first == 1 { 11 } else { 9 };
    let most = if abroad { 15 } else { 12 };
    let mut total = first;
    let mut lengths = [0; MOST_GROUPS];
    let mut groups = 0;
    let mut joint = None;
    let mut end = None;
    while let Some(length) = lengths.get_mut(groups) {
        let byte = text.at(at)?;
        let consistent = groups < 2 || joint == Some(byte);
        if !consistent || !matches!(byte, b' ' | b'-' | b'.' | b'/') || !text.at(at + 1)?.is_ascii_digit() {
            break;
        }
        let run = text.run(at + 1, 9, |byte| byte.is_ascii_digit())?;
        *length = run - at - 1;
        if *length < 2 || total + *length > most {
            break;
        }
        // After a dot or a slash, two digits begin a date more often than a number; France writes pairs throughout.
        if matches!(byte, b'.' | b'/') && first == 2 && *length != 2 {
            return Ok(None);
        }
        joint = Some(byte);
        total += *length;
        groups += 1;
        at = run;
        if total >= fewest {
            end = Some(at);
        }
    }
    if first == 1 && !matches!(lengths, [3, 3, ..]) {
        return Ok(None);
    }
    // A day, a month and a year.
    if first == 2 && matches!(lengths, [2, 4, ..]) {
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

/// Groups of digits in any plan, after a word that announces a telephone number.
fn announced(text: &Cursor, digit: usize) -> Verdict {
    // The word is the costlier question, so it comes last; but without it there is nothing to wait for.
    match grouped(text, digit) {
        Ok(None) => Ok(None),
        found if text.preceded_by(digit, announces) => found,
        _ => Ok(None),
    }
}

/// Groups of digits in any plan.
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
        let run = text.run(at, 7, |byte| byte.is_ascii_digit())?;
        *length = run - at;
        total += *length;
        if *length < 2 || *length > 6 || total > 12 {
            break;
        }
        groups += 1;
        if groups > 1 && total >= 7 {
            end = Some(run);
        }
        match text.at(run)? {
            b' ' | b'-' | b'.' if text.at(run + 1)?.is_ascii_digit() => at = run + 1,
            _ => break,
        }
    }
    // Dates.
    if matches!(lengths, [4, 2, 2, ..] | [2, 2, 4, ..]) {
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
    let extension = text.run(word, 7, |byte| byte.is_ascii_digit())?;
    if (1..=6).contains(&(extension - word)) && text.number_ends(extension)? {
        return Ok(Some(extension));
    }
    Ok(text.number_ends(end)?.then_some(end))
}

//! International bank account numbers.
//!
//! Knows each country's length, not its banks. Invariant: the check digits are right (ISO 13616, modulo 97).

use super::cursor::{Cursor, Verdict, is_word};

/// Length of a country's numbers, from the registry that SWIFT keeps.
fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FO" | b"GL" | b"NL" | b"FK" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"XK" | b"MN" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"TL" | b"OM" | b"SO" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}

/// The account number that begins at `start`, in one run or in groups of four.
pub(super) fn verify(text: &Cursor, start: usize) -> Verdict {
    if is_word(text.before(start, 1)) {
        return Ok(None);
    }
    let Some(length) = length([text.at(start)?, text.at(start + 1)?]) else { return Ok(None) };
    // Country and check digits count as the last four.
    let (mut head, mut rest) = (0, 0);
    let mut separator = None;
    let mut at = start;
    for n in 0..length {
        if n > 0 && n % 4 == 0 {
            let byte = Some(text.at(at)?).filter(|byte| matches!(byte, b' ' | b'-'));
            if *separator.get_or_insert(byte) != byte {
                return Ok(None);
            }
            at += usize::from(byte.is_some());
        }
        let byte = text.at(at)?;
        let (value, shift) = match byte {
            b'0'..=b'9' if n >= 2 => (u32::from(byte - b'0'), 10),
            b'A'..=b'Z' if !(2..4).contains(&n) => (u32::from(byte - b'A') + 10, 100),
            _ => return Ok(None),
        };
        let sum = if n < 4 { &mut head } else { &mut rest };
        *sum = (*sum * shift + value) % 97;
        at += 1;
    }
    // The head is two letters and two digits: six digits once the letters are written as numbers.
    let checks = (rest * (1_000_000 % 97) + head) % 97 == 1;
    Ok((checks && !is_word(text.at(at)?)).then_some(at))
}

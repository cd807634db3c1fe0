//! International bank account numbers.
//!
//! Knows each country's length, not its banks. Invariant: the check digits are right (ISO 13616, modulo 97).

use super::cursor::{Cursor, Verdict, is_word};

/// Countries and the lengths of their numbers, from the registry that SWIFT keeps.
const LENGTHS: &str = "\
    NO15BE16DK18FI18FO18GL18NL18FK18SD18MK19SI19AT20BA20EE20KZ20LT20LU20XK20MN20CH21\
    HR21LI21LV21BG22BH22CR22DE22GB22GE22IE22ME22RS22VA22AE23GI23IL23IQ23TL23OM23SO23\
    AD24CZ24ES24MD24PK24RO24SA24SE24SK24TN24VG24LY25PT25ST25IS26TR26BI27DJ27FR27GR27\
    IT27MC27MR27SM27AL28AZ28BY28CY28DO28GT28HN28HU28LB28NI28PL28SV28BR29EG29PS29QA29\
    UA29JO30KW30MU30YE30MT31SC31LC32RU33\
";

/// Length of a country's numbers.
fn length(country: [u8; 2]) -> Option<usize> {
    let [first, second] = country;
    LENGTHS.as_bytes().as_chunks().0.iter().find_map(|[a, b, tens, ones]| {
        (*a == first && *b == second).then(|| usize::from(tens - b'0') * 10 + usize::from(ones - b'0'))
    })
}

/// The account number that begins at `start`, in one run or in groups of four.
#[inline(never)]
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

//! How long an upstream asks to be left alone.
//!
//! Reads header values only. A value that means nothing is no request.

/// Seconds from `now_s` (since 1970) that a `retry-after` asks for: a number, or a date as HTTP writes it today.
pub(super) fn retry_after(value: &str, now_s: u64) -> Option<u64> {
    let value = value.trim();
    seconds(value).or_else(|| Some(date(value)?.saturating_sub(now_s)))
}

/// A number of seconds, rounded up.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(whole.parse::<u64>().ok()?.saturating_add(more))
}

const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<u64> {
    let mut words = text.split(' ').skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next().filter(|name| name.len() == 3).and_then(|name| MONTHS.find(name))?;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.split(':');
    let mut part = || clock.next()?.parse::<u64>().ok().filter(|part| *part < 61);
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    if month % 3 != 0 || !(1..32).contains(&day) || words.next() != Some("GMT") {
        return None;
    }
    // Years and months counted from March, so that leap days come last (Howard Hinnant's `days_from_civil`).
    let month = month as u64 / 3 + 1;
    let year = year - u64::from(month < 3);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<u64>) {
        assert_eq!(retry_after(value, 784_111_770), expected, "{value}");
    }

    #[test]
    fn a_wait_is_a_number_of_seconds_or_a_date() {
        check("3", Some(3));
        check(" 0.2", Some(1));
        check("12.000", Some(12));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check("Sun, 06 Nov 1994 08:49:30 GMT", Some(0));
        check("Wed, 21 Oct 2015 07:28:00 GMT", Some(1_445_412_480 - 784_111_770));
        check("Thu, 29 Feb 2024 23:59:60 GMT", Some(1_709_251_200 - 784_111_770));
        // Long past.
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
    }

    #[test]
    fn what_is_neither_is_no_request() {
        for value in [
            "",
            "6m0s",
            "-1",
            ".5",
            "soon",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            check(value, None);
        }
    }
}

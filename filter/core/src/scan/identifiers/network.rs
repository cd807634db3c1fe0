//! Addresses with colons or dashes: IPv6 and MAC.
//!
//! Invariant: a time, a ratio or a path of a programming language is no address.

use super::cursor::{Around, Class, Cursor, Open, Verdict, is_hex, is_word};
use super::number::ipv4_shape;

/// Groups of an IPv6 address, RFC 4291.
const GROUPS: usize = 8;

/// Where an address begins whose first colon is at `colon`; `None` if none can.
pub(super) fn start(text: &Cursor, colon: usize, floor: usize) -> Option<usize> {
    let mut start = colon;
    if text.before(colon, 1) == b':' {
        start = colon - 1;
    } else {
        while start > floor && colon - start < 5 && is_hex(text.before(start, 1)) {
            start -= 1;
        }
        if start == colon {
            return None;
        }
    }
    (start >= floor && begins(text, start)).then_some(start)
}

/// An address may have its first colon here.
#[inline(always)]
pub(super) fn may_begin(around: &Around) -> bool {
    let (last, next) = (around.behind(1), around.at(1));
    let here = match last {
        b':' => !is_word(around.behind(2)) && is_hex(next),
        _ => is_hex(last) && (next == b':' || is_hex(next)),
    };
    around.at(0) == b':' && here
}

/// An address may begin at `start`.
pub(super) fn begins(text: &Cursor, start: usize) -> bool {
    let before = text.before(start, 1);
    match before {
        // `IP:2001:db8::1`, but not the middle of a longer list.
        b':' => {
            let label = text.before(start, 2);
            label != b':' && !is_hex(label)
        }
        b'.' | b'-' => !is_word(text.before(start, 2)),
        _ => !is_word(before),
    }
}

/// The IPv6 address that begins at `start`.
#[inline(never)]
pub(super) fn ipv6(text: &Cursor, start: usize) -> Verdict {
    let mut at = start;
    let mut groups = 0;
    let mut longest = 0;
    let mut compressed = false;
    let mut digits = false;
    if text.at(at)? == b':' {
        if text.at(at + 1)? != b':' {
            return Ok(None);
        }
        compressed = true;
        at += 2;
    }
    loop {
        let group = at;
        let run = text.run_of(at, 5, Class::HEX)?;
        if run - group > 4 {
            return Ok(None);
        }
        if run == group {
            // Only `::` may stand at the end.
            break;
        }
        if text.at(run)? == b'.'
            && (groups == 6 || compressed && groups < 6)
            && let Some((end, _)) = ipv4_shape(text, group)?
        {
            groups += 2;
            digits = true;
            at = end;
            break;
        }
        groups += 1;
        longest = longest.max(run - group);
        digits |= text.slice(group, run).iter().any(u8::is_ascii_digit);
        at = run;
        if groups == GROUPS || text.at(at)? != b':' {
            break;
        }
        match text.at(at + 1)? {
            b':' if !compressed => {
                compressed = true;
                at += 2;
            }
            next if is_hex(next) => at += 1,
            _ => break,
        }
    }
    // Short compressed forms without digits are paths of programs; `::1` and the like name nobody.
    let plausible =
        if compressed { digits && (2..GROUPS).contains(&groups) && longest >= 3 } else { groups == GROUPS };
    Ok((plausible && ends(text, at)?).then_some(at))
}

/// The MAC address that begins at `start`: six pairs with one kind of separator.
#[inline(never)]
pub(super) fn mac(text: &Cursor, start: usize) -> Verdict {
    let mut at = start;
    let mut separator = None;
    let (mut all_zeros, mut all_ones) = (true, true);
    // Six pairs of digits, and what joins them.
    for n in 0..17 {
        let byte = text.at(at)?;
        if n % 3 == 2 {
            if !matches!(byte, b':' | b'-') || *separator.get_or_insert(byte) != byte {
                return Ok(None);
            }
        } else {
            if !is_hex(byte) {
                return Ok(None);
            }
            all_zeros &= byte == b'0';
            all_ones &= matches!(byte, b'F' | b'f');
        }
        at += 1;
    }
    // No card has these: nobody, and everybody.
    Ok((!all_zeros && !all_ones && ends(text, at)?).then_some(at))
}

/// Nothing that would make the address longer follows.
fn ends(text: &Cursor, end: usize) -> Result<bool, Open> {
    let next = text.at(end)?;
    Ok(match next {
        b'.' => !text.at(end + 1)?.is_ascii_digit(),
        b':' | b'-' => !is_hex(text.at(end + 1)?) && (next == b'-' || text.at(end + 1)? != b':'),
        _ => !is_word(next),
    })
}

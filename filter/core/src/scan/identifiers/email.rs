//! E-mail addresses.
//!
//! Does not know which domains exist. Invariant: [`start`] finds a place without knowing where earlier matches ended, so
//! that a scan can begin anywhere.

use super::cursor::{Cursor, Verdict, is_alphanumeric};

/// RFC 5321, 4.5.3.1.1.
const LONGEST_LOCAL_PART: usize = 64;
/// RFC 5321, 4.5.3.1.2. A longer domain is cut here.
const LONGEST_DOMAIN: usize = 255;
/// RFC 1035, 2.3.4.
const LONGEST_LABEL: usize = 63;

/// First bytes of two-byte letters: Latin with accents, Greek, Cyrillic. Scripts that write without spaces are left out:
/// there the word before an address would be taken for part of it.
fn is_letter_lead(byte: u8) -> bool {
    (0xC3..=0xD4).contains(&byte)
}

/// Part of an atom, read forwards: continuation bytes are only met after their lead.
fn is_atom(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'_' || is_letter_lead(byte) || (0x80..0xC0).contains(&byte)
}

/// Joins two atoms of a local part.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b'.' | b'+' | b'-' | b'%' | b'\'')
}

/// Where the local part begins that the byte before `end` belongs to; `None` if that is before `floor`.
///
/// A local part is atoms joined by single joints; so two joints in a row begin a new one.
#[inline(never)]
pub(super) fn start(text: &Cursor, end: usize, floor: usize) -> Option<usize> {
    let mut start = None;
    let mut at = end;
    let mut after_joint = false;
    while end - at <= LONGEST_LOCAL_PART + 1 {
        let before = text.before(at, 1);
        let width = match before {
            _ if is_alphanumeric(before) || before == b'_' => 1,
            0x80..0xC0 if is_letter_lead(text.before(at, 2)) => 2,
            _ if is_joint(before) && !after_joint => {
                after_joint = true;
                at -= 1;
                continue;
            }
            _ => return start,
        };
        after_joint = false;
        at -= width;
        if at < floor {
            return None;
        }
        start = Some(at);
    }
    None
}

/// The address that begins at `start`.
#[inline(never)]
pub(super) fn verify(text: &Cursor, start: usize) -> Verdict {
    let mut at = start;
    let mut after_joint = true;
    loop {
        let byte = text.at(at)?;
        match byte {
            b'@' => break,
            _ if is_atom(byte) => after_joint = false,
            _ if is_joint(byte) && !after_joint => after_joint = true,
            _ => return Ok(None),
        }
        at += 1;
        if at - start > LONGEST_LOCAL_PART {
            return Ok(None);
        }
    }
    let local_part = text.slice(start, at);
    let domain = at + 1;
    let mut end = None;
    let mut labels = 0;
    let mut label = domain;
    loop {
        let limit = LONGEST_LABEL.min((domain + LONGEST_DOMAIN).saturating_sub(label));
        let stop = text.run(label, limit + 1, |byte| byte == b'-' || (byte != b'_' && is_atom(byte)))?;
        let dashed = text.slice(label, stop);
        let length = dashed.len() - dashed.iter().rev().take_while(|byte| **byte == b'-').count();
        let name = dashed.get(..length).unwrap_or_default();
        if name.is_empty() || name.first() == Some(&b'-') || dashed.len() > limit {
            break;
        }
        // `icon@2x.png` names a picture.
        if labels == 0 && is_pixel_ratio(name) {
            return Ok(None);
        }
        labels += 1;
        if labels > 1 && is_top_level(name) {
            end = Some(label + length);
        }
        if length < dashed.len() || text.at(stop)? != b'.' {
            break;
        }
        label = stop + 1;
    }
    if let Some(end) = end
        && local_part == b"git"
        && matches!(text.at(end)?, b':' | b'/')
    {
        // The address of a repository.
        return Ok(None);
    }
    Ok(end)
}

fn is_top_level(label: &[u8]) -> bool {
    label.len() >= 2
        && (label.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
            || label.starts_with(b"xn--"))
}

fn is_pixel_ratio(label: &[u8]) -> bool {
    matches!(label.split_last(), Some((b'x', digits)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

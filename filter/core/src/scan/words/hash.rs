//! One number for a word.
//!
//! Knows nothing of lexicons. Invariant: two words of up to eight bytes have different hashes, unless they differ in ASCII case alone.

/// An odd multiplier loses nothing.
pub(super) const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// Sets the bit that tells small ASCII letters from capitals; digits have it already.
const SMALL: u64 = 0x2020_2020_2020_2020;

/// The eight bytes from `at` on.
#[inline(always)]
pub(super) fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

/// The hash of a word of one to eight bytes, given with whatever follows it.
#[inline(always)]
pub(super) fn short(head: u64, length: usize) -> u64 {
    ((head | SMALL) << (64 - 8 * length as u32)).wrapping_mul(MULTIPLIER)
}

/// The hash of a word of nine to sixteen bytes by its first and last eight.
#[inline(always)]
pub(super) fn long(head: u64, tail: u64, length: usize) -> u64 {
    let mixed = (head | SMALL).wrapping_mul(MULTIPLIER).rotate_left(23) ^ (tail | SMALL) ^ length as u64;
    mixed.wrapping_mul(MULTIPLIER)
}

/// The same for a word that is in lower case, whatever its script.
#[inline(always)]
pub(super) fn exact_short(head: u64, length: usize) -> u64 {
    (head << (64 - 8 * length as u32)).wrapping_mul(MULTIPLIER)
}

/// The same for a word that is in lower case, whatever its script.
#[inline(always)]
pub(super) fn exact_long(head: u64, tail: u64, length: usize) -> u64 {
    (head.wrapping_mul(MULTIPLIER).rotate_left(23) ^ tail ^ length as u64).wrapping_mul(MULTIPLIER)
}

/// The hash of a word of any length in lower case; zero for none.
#[inline(never)]
pub(super) fn hash(word: &[u8]) -> u64 {
    let joined = |bytes: &[u8]| bytes.iter().rev().fold(0, |joined, byte| joined << 8 | u64::from(*byte));
    let length = word.len();
    if length <= 8 {
        return if word.is_empty() { 0 } else { exact_short(joined(word), length) };
    }
    let (head, rest) = word.split_at_checked(8).unwrap_or((word, &[]));
    let tail = joined(word.get(length - 8..).unwrap_or_default());
    let mut head = joined(head);
    if length > 16 {
        // What lies between the first eight bytes and the last, eight at a time.
        let between = rest.get(..length - 16).unwrap_or_default();
        head = between.chunks(8).fold(head, |mixed, chunk| (mixed ^ joined(chunk)).wrapping_mul(MULTIPLIER));
    }
    exact_long(head, tail, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_hash_is_the_plain_one(word in "[a-zA-Z]{1,16}") {
            let padded = format!("{word}. and what follows");
            let head = eight(padded.as_bytes(), 0).unwrap();
            let fast = match word.len() {
                1..=8 => short(head, word.len()),
                length => long(head, eight(padded.as_bytes(), length - 8).unwrap(), length),
            };
            prop_assert_eq!(fast, hash(word.to_ascii_lowercase().as_bytes()));
        }
    }
}

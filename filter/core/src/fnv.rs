//! FNV-1a in 64 bits (Fowler, Noll, Vo): tells short names apart that nobody chooses to collide.
//!
//! Keeps no secret; what others must not be able to make is [`digest`](crate::digest)'s. Invariant: the hash of two pieces added
//! one after the other is that of both in one.

/// The hash of nothing.
pub const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what was hashed so far and these bytes.
pub fn add(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(add(EMPTY, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(add(EMPTY, b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(add(add(EMPTY, b"foo"), b"bar"), add(EMPTY, b"foobar"));
    }
}

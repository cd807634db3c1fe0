//! Measures how far a JSON string goes on without anything that needs a look.
//!
//! Sixteen bytes at a time where there are vectors, eight elsewhere. Invariant: all agree with [`is_plain`], byte by byte.

/// Whether a byte may stand in a JSON string as it is: no quote, no backslash, no control character.
#[inline(always)]
fn is_plain(byte: u8) -> bool {
    byte != b'"' && byte != b'\\' && byte >= 0x20
}

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 16;

/// Length of the stretch of plain bytes at the start of `bytes`.
#[inline(always)]
pub(super) fn run(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let length = block_run(block);
        if length < BLOCK {
            return number * BLOCK + length;
        }
    }
    blocks.len() * BLOCK + tail.iter().take_while(|byte| is_plain(**byte)).count()
}

/// The same for one block.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(super) fn block_run(block: &[u8; BLOCK]) -> usize {
    use core::arch::wasm32::{u8x16, u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, v128_or};
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = block;
    // Compiles to one load.
    let block = u8x16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    let quote_or_backslash = v128_or(u8x16_eq(block, u8x16_splat(b'"')), u8x16_eq(block, u8x16_splat(b'\\')));
    let stops = u8x16_bitmask(v128_or(quote_or_backslash, u8x16_lt(block, u8x16_splat(0x20))));
    // The bit beyond the block stops what nothing in it has stopped.
    (u32::from(stops) | 1 << BLOCK).trailing_zeros() as usize
}

/// The same for one block.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn block_run(block: &[u8; BLOCK]) -> usize {
    // The bit beyond the block stops what nothing in it has stopped.
    (u32::from(crate::scan::simd::not_plain(block)) | 1 << BLOCK).trailing_zeros() as usize
}

/// The same for one block.
#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
#[inline(always)]
pub(super) fn block_run(block: &[u8; BLOCK]) -> usize {
    /// Times a byte: that byte in every place of a word.
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (words, _) = block.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let (quote, backslash) = (word ^ (EACH * 0x22), word ^ (EACH * 0x5c));
        // Subtracting borrows into the high bit of a byte that is too small. A borrow may mark bytes above it wrongly, so
        // only the lowest mark counts.
        let marks = quote.wrapping_sub(EACH) & !quote
            | backslash.wrapping_sub(EACH) & !backslash
            | word.wrapping_sub(EACH * 0x20) & !word;
        let marks = marks & (EACH << 7);
        if marks != 0 {
            return number * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_run_ends_at_the_first_byte_that_is_not_plain(
            plain in 0..70usize,
            rest in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\"\\\x00\x1f !#[]\x7f\x80\xa2\xdc\xff".to_vec())], 0..40),
        ) {
            let bytes = [vec![b'a'; plain], rest].concat();
            prop_assert_eq!(run(&bytes), bytes.iter().take_while(|byte| is_plain(**byte)).count());
        }
    }
}

//! Skips sixteen bytes at a time to the places where an identifier may begin.
//!
//! Decides nothing: a candidate is verified elsewhere, byte by byte. The only file with `unsafe`: vector loads and the
//! call into code compiled for SSSE3. Invariant: the vector paths and the scalar twin give the same classes for every
//! text, because both read the same nibble tables.

#![allow(unsafe_code, reason = "sixteen-byte loads; every one has its bounds argument beside it")]

/// Positions classified by one step.
pub(super) const BLOCK: usize = 16;
/// Bytes after a position that its class depends on.
pub(super) const AHEAD: usize = 3;

/// Classes of one byte value, split into nibbles: `low[b & 15] & high[b >> 4]`.
#[derive(Clone, Copy)]
pub(crate) struct Nibbles {
    /// By the low four bits.
    pub(crate) low: [u8; 16],
    /// By the high four bits.
    pub(crate) high: [u8; 16],
}

impl Nibbles {
    /// No byte has a class.
    pub(crate) const NONE: Nibbles = Nibbles { low: [0; 16], high: [0; 16] };

    /// Puts `byte` into `class`.
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    pub(crate) const fn add(&mut self, byte: u8, class: u8) {
        self.low[(byte & 15) as usize] |= class;
        self.high[(byte >> 4) as usize] |= class;
    }

    /// Classes of `byte`; a superset of what was put in, since nibbles combine freely.
    #[inline]
    pub(super) const fn of(&self, byte: u8) -> u8 {
        #[allow(clippy::indexing_slicing, reason = "four bits index sixteen entries")]
        {
            self.low[(byte & 15) as usize] & self.high[(byte >> 4) as usize]
        }
    }
}

/// What makes a byte a candidate.
pub(crate) struct Tables {
    /// Classes by the byte at the position and by the three that follow; all four must agree.
    pub(crate) ahead: [Nibbles; AHEAD + 1],
    /// Any class at all: the byte before is part of a word.
    pub(crate) word: Nibbles,
    /// Classes that may begin in the middle of a word.
    pub(crate) inside_words: u8,
}

/// Blocks that are classified at once, so that what the vector paths prepare is prepared seldom.
const BLOCKS: usize = 8;

/// Positions that are classified at once, at most.
pub(super) const SPAN: usize = BLOCKS * BLOCK;

/// The bytes that the classes of a whole span depend on: one before it, and [`AHEAD`] after it.
pub(super) const WINDOW: usize = 1 + SPAN + AHEAD;

/// Positions in a row and their classes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// For each block, a bit for each position with a wanted class.
    pub(super) masks: [u16; BLOCKS],
    /// The classes; anything where a mask has no bit.
    pub(super) classes: [[u8; BLOCK]; BLOCKS],
}

impl Span {
    pub(super) const NONE: Span = Span { masks: [0; BLOCKS], classes: [[0; BLOCK]; BLOCKS] };
}

/// Classifies what stands between the first byte of `window` and its last [`AHEAD`], in whole blocks; positions beyond have
/// no bits.
pub(super) fn classify(tables: &Tables, window: &[u8], wanted: u8, span: &mut Span) {
    span.masks = [0; BLOCKS];
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    {
        wasm::classify(tables, window, wanted, span);
    }
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("ssse3") {
            // SAFETY: the processor has just said that it knows SSSE3.
            return unsafe { x86::classify(tables, window, wanted, span) };
        }
        classify_scalar(tables, window, wanted, span);
    }
    #[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
    {
        classify_scalar(tables, window, wanted, span);
    }
}

/// The bytes that the classes of each block depend on.
#[inline(always)]
fn blocks(window: &[u8]) -> impl Iterator<Item = &[u8; 1 + BLOCK + AHEAD]> {
    (0..BLOCKS).map_while(|n| window.get(n * BLOCK..)?.first_chunk())
}

/// Classes of one position. `beyond` are the classes of a byte after the end of the text.
#[inline]
pub(super) fn classes_at(tables: &Tables, bytes: &[u8], at: usize, beyond: Option<u8>) -> u8 {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(0);
    let boundary = if tables.word.of(before) == 0 { u8::MAX } else { tables.inside_words };
    tables.ahead.iter().enumerate().fold(boundary, |classes, (ahead, nibbles)| {
        classes
            & match (bytes.get(at + ahead), beyond) {
                (Some(byte), _) => nibbles.of(*byte),
                (None, Some(classes)) => classes,
                (None, None) => nibbles.of(0),
            }
    })
}

/// The twin that the vector paths are compared with, and the fall-back where there are no vectors.
#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code))]
fn classify_scalar(tables: &Tables, window: &[u8], wanted: u8, span: &mut Span) {
    for (bytes, (mask, classes)) in blocks(window).zip(span.masks.iter_mut().zip(&mut span.classes)) {
        for (n, class) in classes.iter_mut().enumerate() {
            *class = classes_at(tables, bytes, 1 + n, None) & wanted;
            *mask |= u16::from(*class != 0) << n;
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::{Nibbles, Span, Tables, blocks};
    use core::arch::wasm32::*;
    use core::hint::black_box;

    #[inline(always)]
    fn load(bytes: &[u8; 16]) -> v128 {
        // SAFETY: sixteen bytes behind a reference, any alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn classes((low, high): (v128, v128), bytes: v128, fifteen: v128) -> v128 {
        let by_low = i8x16_swizzle(low, v128_and(bytes, fifteen));
        v128_and(by_low, i8x16_swizzle(high, v128_and(u16x8_shr(bytes, 4), fifteen)))
    }

    pub(super) fn classify(tables: &Tables, window: &[u8], wanted: u8, span: &mut Span) {
        // V8 rebuilds every vector constant it can see on each pass of a loop, which costs more than the loop does. Behind
        // `black_box` they are loads, made once.
        let pair = |nibbles: &Nibbles| (load(&nibbles.low), load(&nibbles.high));
        let tables = black_box(tables);
        let [first, second, third, fourth] = &tables.ahead;
        let (first, second, third, fourth) = (pair(first), pair(second), pair(third), pair(fourth));
        let word = pair(&tables.word);
        let inside_words = u8x16_splat(black_box(tables.inside_words));
        let wanted = u8x16_splat(black_box(wanted));
        let fifteen = u8x16_splat(black_box(15));
        let zero = u8x16_splat(0);
        for (bytes, (mask, out)) in blocks(window).zip(span.masks.iter_mut().zip(&mut span.classes)) {
            // SAFETY: sixteen bytes from each of the first five of twenty.
            let [before, a, b, c, d] =
                unsafe { core::array::from_fn(|n| v128_load(bytes.as_ptr().add(n).cast())) };
            let boundary = v128_or(u8x16_eq(classes(word, before, fifteen), zero), inside_words);
            let found = v128_and(
                v128_and(classes(first, a, fifteen), classes(second, b, fifteen)),
                v128_and(classes(third, c, fifteen), classes(fourth, d, fifteen)),
            );
            let found = v128_and(v128_and(found, wanted), boundary);
            *mask = !i8x16_bitmask(u8x16_eq(found, zero));
            // SAFETY: sixteen bytes behind a reference.
            unsafe { v128_store(out.as_mut_ptr().cast(), found) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Nibbles, Span, Tables, blocks};
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: sixteen bytes behind a reference, any alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn classes(nibbles: (__m128i, __m128i), bytes: __m128i, fifteen: __m128i) -> __m128i {
        let by_low = _mm_shuffle_epi8(nibbles.0, _mm_and_si128(bytes, fifteen));
        _mm_and_si128(by_low, _mm_shuffle_epi8(nibbles.1, _mm_and_si128(_mm_srli_epi16(bytes, 4), fifteen)))
    }

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn pair(nibbles: &Nibbles) -> (__m128i, __m128i) {
        (load(&nibbles.low), load(&nibbles.high))
    }

    #[target_feature(enable = "ssse3")]
    pub(super) fn classify(tables: &Tables, window: &[u8], wanted: u8, span: &mut Span) {
        let [first, second, third, fourth] = &tables.ahead;
        let (first, second, third, fourth) = (pair(first), pair(second), pair(third), pair(fourth));
        let word = pair(&tables.word);
        let inside_words = _mm_set1_epi8(tables.inside_words.cast_signed());
        let wanted = _mm_set1_epi8(wanted.cast_signed());
        let fifteen = _mm_set1_epi8(15);
        let zero = _mm_setzero_si128();
        for (bytes, (mask, out)) in blocks(window).zip(span.masks.iter_mut().zip(&mut span.classes)) {
            // SAFETY: sixteen bytes from each of the first five of twenty.
            let (before, a, b, c, d) = unsafe {
                let start = bytes.as_ptr();
                (
                    _mm_loadu_si128(start.cast()),
                    _mm_loadu_si128(start.add(1).cast()),
                    _mm_loadu_si128(start.add(2).cast()),
                    _mm_loadu_si128(start.add(3).cast()),
                    _mm_loadu_si128(start.add(4).cast()),
                )
            };
            let boundary = _mm_or_si128(_mm_cmpeq_epi8(classes(word, before, fifteen), zero), inside_words);
            let found = _mm_and_si128(
                _mm_and_si128(classes(first, a, fifteen), classes(second, b, fifteen)),
                _mm_and_si128(classes(third, c, fifteen), classes(fourth, d, fifteen)),
            );
            let found = _mm_and_si128(_mm_and_si128(found, wanted), boundary);
            *mask = !(_mm_movemask_epi8(_mm_cmpeq_epi8(found, zero)) as u16);
            // SAFETY: sixteen bytes behind a reference.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), found) };
        }
    }
}

/// For each of `wanted`, a bit for each byte that has one of its classes; and a bit for each that is no ASCII.
#[inline(always)]
pub(crate) fn masks(nibbles: &Nibbles, wanted: [u8; 3], block: &[u8; 64]) -> [u64; 4] {
    let mut masks = [0; 4];
    for (n, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        for (mask, found) in masks.iter_mut().zip(classes::masks(nibbles, wanted, bytes)) {
            *mask |= u64::from(found) << (16 * n);
        }
    }
    masks
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod classes {
    use super::Nibbles;
    use core::arch::wasm32::*;

    #[inline(always)]
    pub(super) fn masks(nibbles: &Nibbles, [a, b, c]: [u8; 3], bytes: &[u8; 16]) -> [u16; 4] {
        // SAFETY: sixteen bytes behind a reference, any alignment.
        let load = |bytes: &[u8; 16]| unsafe { v128_load(bytes.as_ptr().cast()) };
        let bytes = load(bytes);
        let by_low = i8x16_swizzle(load(&nibbles.low), v128_and(bytes, u8x16_splat(15)));
        let classes = v128_and(by_low, i8x16_swizzle(load(&nibbles.high), u8x16_shr(bytes, 4)));
        let without = |wanted| u8x16_eq(v128_and(classes, u8x16_splat(wanted)), u8x16_splat(0));
        [
            !u8x16_bitmask(without(a)),
            !u8x16_bitmask(without(b)),
            !u8x16_bitmask(without(c)),
            u8x16_bitmask(bytes),
        ]
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod classes {
    use super::Nibbles;

    pub(super) fn masks(nibbles: &Nibbles, wanted: [u8; 3], bytes: &[u8; 16]) -> [u16; 4] {
        let mut masks = [0; 4];
        for byte in bytes.iter().rev() {
            let classes = nibbles.of(*byte);
            let [a, b, c] = wanted.map(|wanted| classes & wanted != 0);
            for (mask, found) in masks.iter_mut().zip([a, b, c, !byte.is_ascii()]) {
                *mask = *mask << 1 | u16::from(found);
            }
        }
        masks
    }
}

/// Bytes that the search for digits takes at a time.
pub(super) const STRIDE: usize = 4 * BLOCK;

/// Tells ASCII digits from other bytes.
pub(super) struct Digits(digits::Constants);

impl Digits {
    /// Makes the constants once, before the loop.
    #[inline(always)]
    pub(super) fn new() -> Digits {
        Digits(digits::constants())
    }

    /// A bit for each digit.
    #[inline(always)]
    pub(super) fn of(&self, block: &[u8; STRIDE]) -> u64 {
        digits::find(&self.0, block)
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod digits {
    use super::STRIDE;
    use core::arch::wasm32::*;
    use core::hint::black_box;

    /// `0`, and how far the last digit is from it.
    pub(super) type Constants = [v128; 2];

    #[inline(always)]
    pub(super) fn constants() -> Constants {
        // Hidden for the reason given above.
        black_box([b'0', 9]).map(|byte| u8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn find([zero, nine]: &Constants, block: &[u8; STRIDE]) -> u64 {
        let (quarters, _) = block.as_chunks::<16>();
        let found: [v128; 4] = core::array::from_fn(|n| {
            let bytes = quarters.get(n).unwrap_or(&[0; 16]);
            // SAFETY: sixteen bytes behind a reference, any alignment.
            let bytes = unsafe { v128_load(bytes.as_ptr().cast()) };
            u8x16_le(u8x16_sub(bytes, *zero), *nine)
        });
        let [a, b, c, d] = found;
        if !v128_any_true(v128_or(v128_or(a, b), v128_or(c, d))) {
            return 0;
        }
        let low = u64::from(u8x16_bitmask(a)) | u64::from(u8x16_bitmask(b)) << 16;
        low | u64::from(u8x16_bitmask(c)) << 32 | u64::from(u8x16_bitmask(d)) << 48
    }
}

#[cfg(target_arch = "x86_64")]
mod digits {
    use super::STRIDE;
    use core::arch::x86_64::*;

    /// The compiler makes them well enough here.
    pub(super) type Constants = [u8; 0];

    #[inline(always)]
    pub(super) fn constants() -> Constants {
        []
    }

    #[inline(always)]
    pub(super) fn find([]: &Constants, block: &[u8; STRIDE]) -> u64 {
        block.as_chunks::<16>().0.iter().enumerate().fold(0, |found, (index, bytes)| {
            // SAFETY: sixteen bytes behind a reference, any alignment; every x86-64 knows SSE2.
            let mask = unsafe {
                let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
                let digit = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0'.cast_signed()));
                // Unsigned `x <= limit` is `min(x, limit) == x`.
                _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit))
            };
            found | (mask as u64) << (16 * index)
        })
    }
}

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod digits {
    use super::STRIDE;

    pub(super) type Constants = [u8; 0];

    pub(super) fn constants() -> Constants {
        []
    }

    pub(super) fn find([]: &Constants, block: &[u8; STRIDE]) -> u64 {
        block.iter().rev().fold(0, |found, byte| found << 1 | u64::from(byte.is_ascii_digit()))
    }
}

/// A bit for each byte that cannot stand in a JSON string as it is: a quote, a backslash, a control character.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn not_plain(block: &[u8; BLOCK]) -> u16 {
    use core::arch::x86_64::*;
    // SAFETY: every processor of this kind has SSE2; sixteen bytes behind a reference, any alignment.
    unsafe {
        let bytes = _mm_loadu_si128(block.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u16
    }
}

/// Tells the bytes of words from the others, 64 at a time.
pub(super) struct Letters(letters::Constants);

impl Letters {
    /// Makes the constants once, before the loop.
    #[inline(always)]
    pub(super) fn new() -> Letters {
        Letters(letters::constants())
    }

    /// A bit for each byte that is an ASCII letter, a digit or no ASCII, and a bit for each that is one of the latter two.
    #[inline(always)]
    pub(super) fn of(&self, block: &[u8; 64]) -> (u64, u64) {
        letters::classify(&self.0, block)
    }
}

/// The masks of 64 bytes from those of sixteen at a time; spelled out, because small code would be a loop.
#[cfg(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64"))]
#[inline(always)]
fn four(block: &[u8; 64], of: impl Fn(&[u8; 16]) -> (u64, u64)) -> (u64, u64) {
    let [first, second, third, fourth] = block.as_chunks::<16>().0 else { return (0, 0) };
    let (a, b, c, d) = (of(first), of(second), of(third), of(fourth));
    (a.0 | b.0 << 16 | c.0 << 32 | d.0 << 48, a.1 | b.1 << 16 | c.1 << 32 | d.1 << 48)
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod letters {
    use core::arch::wasm32::*;
    use core::hint::black_box;

    /// The case bit, `a`, `0`, and how far the last letter and digit are from them.
    pub(super) type Constants = [v128; 5];

    #[inline(always)]
    pub(super) fn constants() -> Constants {
        // Hidden for the reason given above.
        black_box([0x20, b'a', b'0', 25, 9]).map(|byte| u8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn classify([case, a, zero, letters, digits]: &Constants, block: &[u8; 64]) -> (u64, u64) {
        let of = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes behind a reference, any alignment.
            let bytes = unsafe { v128_load(bytes.as_ptr().cast()) };
            let letter = u8x16_le(u8x16_sub(v128_or(bytes, *case), *a), *letters);
            let digit = u8x16_le(u8x16_sub(bytes, *zero), *digits);
            // The sign bit of a byte that is no ASCII counts as it is.
            let other = v128_or(digit, bytes);
            (u64::from(u8x16_bitmask(v128_or(letter, other))), u64::from(u8x16_bitmask(other)))
        };
        super::four(block, of)
    }
}

#[cfg(target_arch = "x86_64")]
mod letters {
    use core::arch::x86_64::*;

    /// The compiler makes them well enough here.
    pub(super) type Constants = [u8; 0];

    #[inline(always)]
    pub(super) fn constants() -> Constants {
        []
    }

    #[inline(always)]
    pub(super) fn classify([]: &Constants, block: &[u8; 64]) -> (u64, u64) {
        let of = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes behind a reference, any alignment; every x86-64 knows SSE2.
            let (word, other) = unsafe {
                let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
                let splat = |byte: u8| _mm_set1_epi8(byte.cast_signed());
                // Unsigned `x <= limit` is `min(x, limit) == x`.
                let within = |x, limit| _mm_cmpeq_epi8(_mm_min_epu8(x, splat(limit)), x);
                let letter = within(_mm_sub_epi8(_mm_or_si128(bytes, splat(0x20)), splat(b'a')), 25);
                let other = _mm_or_si128(within(_mm_sub_epi8(bytes, splat(b'0')), 9), bytes);
                (_mm_movemask_epi8(_mm_or_si128(letter, other)), _mm_movemask_epi8(other))
            };
            (word as u64, other as u64)
        };
        super::four(block, of)
    }
}

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod letters {
    pub(super) type Constants = [u8; 0];

    pub(super) fn constants() -> Constants {
        []
    }

    pub(super) fn classify([]: &Constants, block: &[u8; 64]) -> (u64, u64) {
        block.iter().rev().fold((0, 0), |(words, odd), byte| {
            let other = byte.is_ascii_digit() | !byte.is_ascii();
            (words << 1 | u64::from(other | byte.is_ascii_alphabetic()), odd << 1 | u64::from(other))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::identifiers::anchor::TABLES;
    use proptest::prelude::*;

    #[test]
    fn every_byte_is_told_from_the_others() {
        for first in 0..=255_u8 {
            let block: [u8; 64] = core::array::from_fn(|at| first.wrapping_add(at as u8));
            let (words, odd) = Letters::new().of(&block);
            let digits = Digits::new().of(&block);
            for (at, byte) in block.iter().enumerate() {
                assert_eq!(digits >> at & 1 != 0, byte.is_ascii_digit());
                let other = byte.is_ascii_digit() || !byte.is_ascii();
                assert_eq!(words >> at & 1 != 0, other || byte.is_ascii_alphabetic());
                assert_eq!(odd >> at & 1 != 0, other);
            }
        }
    }

    proptest! {
        #[test]
        fn vectors_find_what_the_scalar_twin_finds(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(&b"0123@:-.sk_AZeyJ x+("[..])], 0..300),
            wanted in any::<u8>(),
        ) {
            let (mut span, mut twin) = (Span::NONE, Span::NONE);
            classify(&TABLES, &bytes, wanted, &mut span);
            classify_scalar(&TABLES, &bytes, wanted, &mut twin);
            prop_assert_eq!(span, twin);
        }
    }
}

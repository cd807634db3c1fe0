//! Skips sixteen bytes at a time to the places where an identifier may begin.
//!
//! Decides nothing: a candidate is verified elsewhere, byte by byte. The only file with `unsafe`: vector loads and the
//! call into code compiled for SSSE3. Invariant: the vector paths and the scalar twin give the same classes for every
//! text, because both read the same nibble tables.

#![allow(unsafe_code, reason = "sixteen-byte loads; every one has its bounds argument beside it")]

use core::mem::MaybeUninit;

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
const BLOCKS: usize = 32;

/// How many the first time.
const FIRST_BLOCKS: usize = 4;

/// What [`classify`] says of positions in a row.
pub(super) struct Span {
    /// For each block, a bit for each position with a wanted class, [`AHEAD`] places higher.
    masks: [u16; BLOCKS],
    /// The classes, where a mask has a bit.
    classes: [MaybeUninit<[u8; BLOCK]>; BLOCKS],
    /// How many blocks are there.
    blocks: usize,
    /// How many positions were classified.
    len: usize,
}

impl Span {
    /// Nothing is classified.
    #[inline(always)]
    pub(super) fn new() -> Span {
        Span { masks: [0; BLOCKS], classes: [MaybeUninit::uninit(); BLOCKS], blocks: 0, len: 0 }
    }

    /// How many positions were classified.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bits for positions with a wanted class, 64 in each, [`AHEAD`] places higher.
    #[inline(always)]
    pub(super) fn masks(&self) -> impl Iterator<Item = u64> {
        // Blocks beyond the last have no bits; see `seal`.
        let times = self.blocks.div_ceil(4);
        self.masks.as_chunks::<4>().0.iter().take(times).map(|[a, b, c, d]| {
            u64::from(*a) | u64::from(*b) << 16 | u64::from(*c) << 32 | u64::from(*d) << 48
        })
    }

    /// The classes of the position with this bit.
    #[inline(always)]
    pub(super) fn classes(&self, bit: usize) -> u8 {
        match self.classes.get(bit / BLOCK) {
            // SAFETY: blocks are written from the first to the last.
            Some(block) if bit / BLOCK < self.blocks => unsafe {
                block.assume_init_ref().get(bit % BLOCK).copied().unwrap_or(0)
            },
            _ => 0,
        }
    }

    /// Says what the block with this number has.
    #[inline(always)]
    fn put(&mut self, n: usize, mask: u16, classes: [u8; BLOCK]) {
        if let (Some(all), Some(to)) = (self.masks.get_mut(n), self.classes.get_mut(n)) {
            *all = mask;
            to.write(classes);
        }
    }

    /// After the last block: four are read at a time.
    #[inline(always)]
    fn seal(&mut self, blocks: usize) {
        self.blocks = blocks;
        self.masks.iter_mut().skip(blocks).take(3).for_each(|mask| *mask = 0);
    }
}

/// Classifies positions from `at` on: all up to the end of the text, or as many as a span takes; fewer the first time, because
/// behind a match all begins again. After the text stand zeros.
#[inline(never)]
pub(super) fn classify(tables: &Tables, bytes: &[u8], at: usize, wanted: u8, span: &mut Span) {
    let most = if span.blocks == 0 { FIRST_BLOCKS } else { BLOCKS };
    span.blocks = 0;
    let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(0);
    let rest = bytes.get(at..).unwrap_or_default();
    let mut padded = [[0; BLOCK]; 2];
    // Whether something begins at a position shows three bytes later.
    let (blocks, len) = if rest.len() > 2 * BLOCK - AHEAD {
        let blocks = rest.as_chunks().0;
        let blocks = blocks.get(..most).unwrap_or(blocks);
        (blocks, blocks.len() * BLOCK - AHEAD)
    } else {
        padded.as_flattened_mut().iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        (&padded[..], rest.len())
    };
    span.len = len;
    // Written below, every one of them.
    span.seal(blocks.len());
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    {
        wasm::classify(tables, blocks, before, wanted, span);
    }
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("ssse3") {
            // SAFETY: the processor has just said that it knows SSSE3.
            unsafe { x86::classify(tables, blocks, before, wanted, span) };
        } else {
            classify_scalar(tables, blocks, before, wanted, span);
        }
    }
    #[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
    {
        classify_scalar(tables, blocks, before, wanted, span);
    }
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
fn classify_scalar(tables: &Tables, blocks: &[[u8; BLOCK]], before: u8, wanted: u8, span: &mut Span) {
    // With the byte before.
    let bytes: Vec<u8> = core::iter::once(before).chain(blocks.as_flattened().iter().copied()).collect();
    for n in 0..blocks.len() {
        let mut classes = [0; BLOCK];
        let mut mask = 0;
        for (bit, class) in classes.iter_mut().enumerate() {
            let place = 1 + n * BLOCK + bit;
            if let Some(place) = place.checked_sub(AHEAD).filter(|place| *place > 0) {
                *class = classes_at(tables, &bytes, place, None) & wanted;
                mask |= u16::from(*class != 0) << bit;
            }
        }
        span.put(n, mask, classes);
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::{BLOCK, Nibbles, Span, Tables};
    use core::arch::wasm32::*;
    use core::hint::black_box;

    #[inline(always)]
    fn load(bytes: &[u8; 16]) -> v128 {
        // SAFETY: sixteen bytes behind a reference, any alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    /// `before`, and all of `here` but its last byte.
    #[inline(always)]
    fn shifted(before: v128, here: v128) -> v128 {
        i8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(before, here)
    }

    pub(super) fn classify(tables: &Tables, blocks: &[[u8; BLOCK]], before: u8, wanted: u8, span: &mut Span) {
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
        // What the last positions of the block before came to.
        let (mut firsts, mut seconds, mut thirds) = (zero, zero, zero);
        let mut apart = u8x16_eq(u8x16_splat(tables.word.of(before)), zero);
        for (n, block) in blocks.iter().enumerate() {
            let block = load(block);
            let (low, high) = (v128_and(block, fifteen), v128_and(u16x8_shr(block, 4), fifteen));
            let of = |pair: (v128, v128)| v128_and(i8x16_swizzle(pair.0, low), i8x16_swizzle(pair.1, high));
            let no_word = u8x16_eq(of(word), zero);
            let boundary = v128_or(shifted(apart, no_word), inside_words);
            apart = no_word;
            let one = v128_and(v128_and(of(first), wanted), boundary);
            let two = v128_and(of(second), shifted(firsts, one));
            firsts = one;
            let three = v128_and(of(third), shifted(seconds, two));
            seconds = two;
            let found = v128_and(of(fourth), shifted(thirds, three));
            thirds = three;
            let mask = !u8x16_bitmask(u8x16_eq(found, zero));
            let mut classes = [0; BLOCK];
            // SAFETY: sixteen bytes behind a reference.
            unsafe { v128_store(classes.as_mut_ptr().cast(), found) };
            span.put(n, mask, classes);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Nibbles, Span, Tables};
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: sixteen bytes behind a reference, any alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn pair(nibbles: &Nibbles) -> (__m128i, __m128i) {
        (load(&nibbles.low), load(&nibbles.high))
    }

    /// The byte before, and all of `here` but its last byte.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn shifted(before: __m128i, here: __m128i) -> __m128i {
        _mm_alignr_epi8(here, before, 15)
    }

    #[inline]
    #[target_feature(enable = "ssse3")]
    fn classes(nibbles: (__m128i, __m128i), low: __m128i, high: __m128i) -> __m128i {
        _mm_and_si128(_mm_shuffle_epi8(nibbles.0, low), _mm_shuffle_epi8(nibbles.1, high))
    }

    #[target_feature(enable = "ssse3")]
    pub(super) fn classify(tables: &Tables, blocks: &[[u8; BLOCK]], before: u8, wanted: u8, span: &mut Span) {
        let [first, second, third, fourth] = &tables.ahead;
        let (first, second, third, fourth) = (pair(first), pair(second), pair(third), pair(fourth));
        let word = pair(&tables.word);
        let inside_words = _mm_set1_epi8(tables.inside_words.cast_signed());
        let wanted = _mm_set1_epi8(wanted.cast_signed());
        let fifteen = _mm_set1_epi8(15);
        let zero = _mm_setzero_si128();
        // What the last positions of the block before came to.
        let (mut firsts, mut seconds, mut thirds) = (zero, zero, zero);
        let before = _mm_set1_epi8(tables.word.of(before).cast_signed());
        let mut apart = _mm_cmpeq_epi8(before, zero);
        for (n, block) in blocks.iter().enumerate() {
            let block = load(block);
            let low = _mm_and_si128(block, fifteen);
            let high = _mm_and_si128(_mm_srli_epi16(block, 4), fifteen);
            let no_word = _mm_cmpeq_epi8(classes(word, low, high), zero);
            let boundary = _mm_or_si128(shifted(apart, no_word), inside_words);
            apart = no_word;
            let one = _mm_and_si128(_mm_and_si128(classes(first, low, high), wanted), boundary);
            let two = _mm_and_si128(classes(second, low, high), shifted(firsts, one));
            firsts = one;
            let three = _mm_and_si128(classes(third, low, high), shifted(seconds, two));
            seconds = two;
            let found = _mm_and_si128(classes(fourth, low, high), shifted(thirds, three));
            thirds = three;
            let mask = !(_mm_movemask_epi8(_mm_cmpeq_epi8(found, zero)) as u16);
            let mut out = [0; BLOCK];
            // SAFETY: sixteen bytes behind a reference.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), found) };
            span.put(n, mask, out);
        }
    }
}

/// A bit for each digit.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(super) fn digits(block: &[u8; BLOCK]) -> u32 {
    use core::arch::wasm32::*;
    // SAFETY: sixteen bytes behind a reference, any alignment.
    let bytes = unsafe { v128_load(block.as_ptr().cast()) };
    u32::from(u8x16_bitmask(u8x16_lt(u8x16_sub(bytes, u8x16_splat(b'0')), u8x16_splat(10))))
}

/// A bit for each digit.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn digits(block: &[u8; BLOCK]) -> u32 {
    use core::arch::x86_64::*;
    // SAFETY: every processor of this kind has SSE2; sixteen bytes behind a reference, any alignment.
    unsafe {
        let digit = _mm_sub_epi8(_mm_loadu_si128(block.as_ptr().cast()), _mm_set1_epi8(b'0'.cast_signed()));
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)) as u32
    }
}

/// A bit for each digit.
#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
pub(super) fn digits(block: &[u8; BLOCK]) -> u32 {
    block.iter().rev().fold(0, |found, byte| found << 1 | u32::from(byte.is_ascii_digit()))
}

/// For each of `wanted`, a bit for each byte that has one of its classes; and a bit for each that is no ASCII.
#[inline(always)]
pub(crate) fn masks(nibbles: &Nibbles, wanted: [u8; 3], block: &[u8; 64]) -> [u64; 4] {
    let (mut a, mut b, mut c, mut d) = (0, 0, 0, 0);
    for (n, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let found = classes::masks(nibbles, wanted, bytes);
        a |= u64::from(found[0]) << (16 * n);
        b |= u64::from(found[1]) << (16 * n);
        c |= u64::from(found[2]) << (16 * n);
        d |= u64::from(found[3]) << (16 * n);
    }
    [a, b, c, d]
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
            let block: &[u8; 16] = block.first_chunk().unwrap();
            for (at, byte) in block.iter().enumerate() {
                assert_eq!(super::digits(block) >> at & 1 != 0, byte.is_ascii_digit());
            }
        }
    }

    proptest! {
        #[test]
        fn vectors_find_what_the_scalar_twin_finds(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(&b"0123@:-.sk_AZeyJ x+("[..])], 0..300),
            wanted in any::<u8>(),
            at in 0..40_usize,
        ) {
            let mut span = Span::new();
            let mut at = at;
            while at < bytes.len() {
                classify(&TABLES, &bytes, at, wanted, &mut span);
                prop_assert!(span.len() > 0 && at + span.len() <= bytes.len());
                let mut scalar = Span::new();
                let mut blocks = bytes[at..].to_vec();
                blocks.resize(span.blocks * BLOCK, 0);
                let before = at.checked_sub(1).map_or(0, |before| bytes[before]);
                scalar.seal(span.blocks);
                classify_scalar(&TABLES, blocks.as_chunks().0, before, wanted, &mut scalar);
                prop_assert!(span.masks().eq(scalar.masks()));
                let masks: Vec<u64> = span.masks().collect();
                for place in 0..span.len() {
                    let (bit, classes) = (place + AHEAD, classes_at(&TABLES, &bytes, at + place, None) & wanted);
                    prop_assert_eq!(masks[bit / 64] >> (bit % 64) & 1 == 1, classes != 0);
                    prop_assert_eq!(span.classes(bit), classes);
                    prop_assert_eq!(scalar.classes(bit), classes);
                }
                at += span.len();
            }
        }
    }
}

//! BLAKE2s (RFC 7693), the keyed hash of the gateway.
//!
//! One primitive for what must be recognised and never read back: callers, conversations, and the links of the chain of
//! events. BLAKE2s because it is a keyed hash as it stands, made for 32-bit machines, and a kilobyte of code. Invariant: agrees
//! with the RFC's reference on every input, which tests check against another implementation.

/// Bytes of a key and of a whole digest.
pub const BYTES: usize = 32;

/// A key.
pub type Key = [u8; BYTES];

const BLOCK_BYTES: usize = 64;

const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

const SIGMA: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// A digest under construction.
#[derive(Clone)]
pub struct Hasher {
    state: [u32; 8],
    /// Bytes of earlier blocks.
    counted: u64,
    block: [u8; BLOCK_BYTES],
    filled: usize,
}

// Written by hand: the state of a keyed hash must not reach a log.
impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl Hasher {
    /// Under a key.
    pub fn keyed(key: &Key) -> Hasher {
        let mut hasher = Hasher { state: IV, counted: 0, block: [0; BLOCK_BYTES], filled: BLOCK_BYTES };
        // Parameter block: 32 bytes of digest, 32 of key, one leaf.
        if let Some(first) = hasher.state.first_mut() {
            *first ^= 0x0101_0000 | (BYTES as u32) << 8 | BYTES as u32;
        }
        for (into, byte) in hasher.block.iter_mut().zip(key) {
            *into = *byte;
        }
        hasher
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // The last block is marked as such, so a full one waits until something follows it.
            if self.filled == BLOCK_BYTES {
                self.counted += BLOCK_BYTES as u64;
                compress(&mut self.state, &self.block, self.counted, false);
                self.filled = 0;
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            for (into, byte) in self.block.iter_mut().skip(self.filled).zip(taken) {
                *into = *byte;
            }
            self.filled += taken.len();
            bytes = rest;
        }
    }

    /// Adds a part and its length, so that no other division into parts gives the same digest.
    pub fn part(&mut self, bytes: &[u8]) {
        self.update(&(bytes.len() as u64).to_le_bytes());
        self.update(bytes);
    }

    /// The digest.
    pub fn finish(mut self) -> [u8; BYTES] {
        self.block.iter_mut().skip(self.filled).for_each(|byte| *byte = 0);
        compress(&mut self.state, &self.block, self.counted + self.filled as u64, true);
        let mut digest = [0; BYTES];
        let (words, _) = digest.as_chunks_mut::<4>();
        for (into, word) in words.iter_mut().zip(self.state) {
            *into = word.to_le_bytes();
        }
        digest
    }
}

/// The digest of `bytes` under `key`.
pub fn keyed(key: &Key, bytes: &[u8]) -> [u8; BYTES] {
    let mut hasher = Hasher::keyed(key);
    hasher.update(bytes);
    hasher.finish()
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    hex
}

#[allow(clippy::indexing_slicing, reason = "constant tables index arrays of constant size, in the hot loop")]
fn compress(state: &mut [u32; 8], block: &[u8; BLOCK_BYTES], counted: u64, last: bool) {
    let mut words = [0u32; 16];
    let (chunks, _) = block.as_chunks::<4>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_le_bytes(*chunk);
    }
    let mut v = [0u32; 16];
    v[..8].copy_from_slice(state);
    v[8..].copy_from_slice(&IV);
    v[12] ^= counted as u32;
    v[13] ^= (counted >> 32) as u32;
    if last {
        v[14] = !v[14];
    }
    for order in &SIGMA {
        let word = |place: usize| words[usize::from(order[place] & 15)];
        // The columns, then the diagonals. Written out, so that the sixteen words live in locals.
        mix(&mut v, [0, 4, 8, 12], word(0), word(1));
        mix(&mut v, [1, 5, 9, 13], word(2), word(3));
        mix(&mut v, [2, 6, 10, 14], word(4), word(5));
        mix(&mut v, [3, 7, 11, 15], word(6), word(7));
        mix(&mut v, [0, 5, 10, 15], word(8), word(9));
        mix(&mut v, [1, 6, 11, 12], word(10), word(11));
        mix(&mut v, [2, 7, 8, 13], word(12), word(13));
        mix(&mut v, [3, 4, 9, 14], word(14), word(15));
    }
    for (place, word) in state.iter_mut().enumerate() {
        *word ^= v[place] ^ v[place + 8];
    }
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "places are constants below sixteen")]
fn mix(v: &mut [u32; 16], [a, b, c, d]: [usize; 4], x: u32, y: u32) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(12);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(8);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(7);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        std::array::from_fn(|place| place as u8)
    }

    #[track_caller]
    fn check(length: usize, expected: &str) {
        let bytes: Vec<u8> = (0..length).map(|place| place as u8).collect();
        assert_eq!(hex(&keyed(&key(), &bytes)), expected);
    }

    #[test]
    fn digests_are_those_of_the_reference() {
        // As Python's hashlib gives them.
        check(0, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49");
        check(1, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1");
        check(63, "c65382513f07460da39833cb666c5ed82e61b9e998f4b0c4287cee56c3cc9bcd");
        check(64, "8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4");
        check(65, "21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8");
        check(128, "0c311f38c35a4fb90d651c289d486856cd1413df9b0677f53ece2cd9e477c60a");
        check(255, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd");
        check(256, "5211d1aefc0025be7f85c06b3e14e0fc645ae12bd41746485ea6d8a364a2eaee");
        check(1000, "5754feae2a6eefffae7d7c689f2405d1ec46c7e48a9c6187e71c5421a757b95d");
    }

    #[test]
    fn pieces_make_no_difference_and_parts_do() {
        let bytes: Vec<u8> = (0..=255).collect();
        for size in [1, 7, 63, 64, 65, 128] {
            let mut hasher = Hasher::keyed(&key());
            bytes.chunks(size).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), keyed(&key(), &bytes), "{size}");
        }
        let parts = |parts: [&str; 2]| {
            let mut hasher = Hasher::keyed(&key());
            parts.iter().for_each(|part| hasher.part(part.as_bytes()));
            hasher.finish()
        };
        assert_ne!(parts(["ab", "c"]), parts(["a", "bc"]));
    }
}

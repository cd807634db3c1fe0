//! Addresses of cryptocurrency: Bitcoin (base58check and bech32) and Ethereum.
//!
//! Invariant: a Bitcoin address has the right checksum.

use super::cursor::{Class, Cursor, Verdict, is_word};

/// Version byte, twenty bytes of hash, four of checksum.
const DECODED: usize = 25;
/// Shortest and longest base58 form of those.
const SHORTEST: usize = 26;
const LONGEST: usize = 35;
/// BIP 173: longest address, with prefix and checksum.
const LONGEST_BECH32: usize = 90;
const ETHEREUM_DIGITS: usize = 40;

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const NO_VALUE: u8 = 255;

const fn values<const N: usize>(alphabet: &[u8; N]) -> [u8; 256] {
    let mut values = [NO_VALUE; 256];
    let mut n = 0;
    while n < N {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            values[alphabet[n] as usize] = n as u8;
        }
        n += 1;
    }
    values
}

static BASE58_VALUES: [u8; 256] = values(BASE58);
static BECH32_VALUES: [u8; 256] = values(BECH32);

fn value(values: &[u8; 256], byte: u8) -> Option<u32> {
    values.get(usize::from(byte)).filter(|value| **value != NO_VALUE).map(|value| u32::from(*value))
}

/// The Ethereum address that begins at `start`.
#[inline(never)]
pub(super) fn ethereum(text: &Cursor, start: usize) -> Verdict {
    if !text.starts_with(start, b"0x")? || is_word(text.before(start, 1)) {
        return Ok(None);
    }
    let end = text.run_of(start + 2, ETHEREUM_DIGITS + 1, Class::HEX)?;
    Ok((end - start == 2 + ETHEREUM_DIGITS && !is_word(text.at(end)?)).then_some(end))
}

/// The older Bitcoin address that begins at `start`.
#[inline(never)]
pub(super) fn base58(text: &Cursor, start: usize) -> Verdict {
    if !matches!(text.at(start)?, b'1' | b'3') || is_word(text.before(start, 1)) {
        return Ok(None);
    }
    let end = text.run(start, LONGEST + 1, |byte| value(&BASE58_VALUES, byte).is_some())?;
    if !(SHORTEST..=LONGEST).contains(&(end - start)) || is_word(text.at(end)?) {
        return Ok(None);
    }
    Ok(decode(text.slice(start, end)).is_some_and(|bytes| has_checksum(&bytes)).then_some(end))
}

/// The bytes of a base58 number; `None` if they are not [`DECODED`] many.
fn decode(address: &[u8]) -> Option<[u8; DECODED]> {
    // Thirty-two bits at a time, the least significant first; 28 bytes are more than 35 digits of base 58 can fill here.
    let mut limbs = [0_u32; 7];
    for byte in address {
        let mut carry = u64::from(value(&BASE58_VALUES, *byte)?);
        for limb in &mut limbs {
            carry += u64::from(*limb) * 58;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0_u8; 28];
    for (chunk, limb) in bytes.chunks_exact_mut(4).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    let (overflow, decoded) = bytes.split_first_chunk::<3>()?;
    // Every leading `1` stands for one zero byte.
    let ones = address.iter().take_while(|byte| **byte == b'1').count();
    let zeros = decoded.iter().take_while(|byte| **byte == 0).count();
    let version = decoded.first()?;
    if *overflow != [0; 3] || ones != zeros || !matches!(version, 0 | 5) {
        return None;
    }
    decoded.try_into().ok()
}

fn has_checksum(bytes: &[u8; DECODED]) -> bool {
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else { return false };
    sha256(&sha256(payload)).starts_with(checksum)
}

/// SHA-256 of a message that fits one block (at most 55 bytes), which is all that an address needs.
fn sha256(message: &[u8]) -> [u8; 32] {
    const ROUNDS: [u32; 64] = round_constants();
    let mut block = [0_u8; 64];
    for (to, from) in block.iter_mut().zip(message.iter().chain([&0x80])) {
        *to = *from;
    }
    if let Some(length) = block.last_chunk_mut::<8>() {
        *length = (message.len() as u64 * 8).to_be_bytes();
    }
    let mut schedule = [0_u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    #[allow(clippy::indexing_slicing, reason = "16 <= n < 64, and looks back at most 16")]
    for n in 16..64 {
        let (a, b) = (schedule[n - 15], schedule[n - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        schedule[n] = schedule[n - 16].wrapping_add(low).wrapping_add(schedule[n - 7]).wrapping_add(high);
    }
    let initial: [u32; 8] = initial_state();
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = initial;
    for (constant, word) in ROUNDS.iter().zip(schedule) {
        let choice = (e & f) ^ (!e & g);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let one = h
            .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
            .wrapping_add(choice)
            .wrapping_add(*constant)
            .wrapping_add(word);
        let two = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22)).wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    let mut digest = [0_u8; 32];
    for ((chunk, before), after) in digest.chunks_exact_mut(4).zip(initial).zip([a, b, c, d, e, f, g, h]) {
        chunk.copy_from_slice(&before.wrapping_add(after).to_be_bytes());
    }
    digest
}

/// The first 32 bits of the fractional part of the `root`th root of `prime`, FIPS 180-4.
const fn fraction(prime: u32, root: u32) -> u32 {
    // The largest x with x^root <= prime * 2^(32 root); its low 32 bits are the fraction.
    let (mut low, mut high) = (0_u128, 1 << 37);
    while high - low > 1 {
        let middle = (low + high) / 2;
        let power = if root == 2 { middle * middle } else { middle * middle * middle };
        if power <= (prime as u128) << (32 * root) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low as u32
}

const fn next_prime(after: u32) -> u32 {
    let mut candidate = after + 1;
    loop {
        let mut divisor = 2;
        while divisor * divisor <= candidate && !candidate.is_multiple_of(divisor) {
            divisor += 1;
        }
        if divisor * divisor > candidate {
            return candidate;
        }
        candidate += 1;
    }
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn fractions<const N: usize>(root: u32) -> [u32; N] {
    let mut constants = [0; N];
    let (mut n, mut prime) = (0, 2);
    while n < N {
        constants[n] = fraction(prime, root);
        prime = next_prime(prime);
        n += 1;
    }
    constants
}

const fn round_constants() -> [u32; 64] {
    const CONSTANTS: [u32; 64] = fractions(3);
    CONSTANTS
}

const fn initial_state() -> [u32; 8] {
    const CONSTANTS: [u32; 8] = fractions(2);
    CONSTANTS
}

/// The newer Bitcoin address (BIP 173, BIP 350) that begins at `start`, in one case.
#[inline(never)]
pub(super) fn bech32(text: &Cursor, start: usize) -> Verdict {
    let upper = text.starts_with(start, b"BC1")?;
    if !upper && !text.starts_with(start, b"bc1")? || is_word(text.before(start, 1)) {
        return Ok(None);
    }
    let end = text.run_of(start, LONGEST_BECH32 + 1, Class::ALPHANUMERIC)?;
    if end - start > LONGEST_BECH32 || is_word(text.at(end)?) {
        return Ok(None);
    }
    let data = text.slice(start + 3, end);
    // A witness program of 20 to 40 bytes: 32 digits, its version and six of checksum.
    if data.len() < 39 {
        return Ok(None);
    }
    // The prefix `bc` as the checksum reads it.
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, polymod);
    for byte in data {
        let wrong_case = if upper { byte.is_ascii_lowercase() } else { byte.is_ascii_uppercase() };
        let Some(value) = value(&BECH32_VALUES, byte.to_ascii_lowercase()).filter(|_| !wrong_case) else {
            return Ok(None);
        };
        sum = polymod(sum, value);
    }
    // The first version uses bech32, every later one bech32m.
    let expected = if matches!(data.first(), Some(b'q' | b'Q')) { 1 } else { 0x2BC8_30A3 };
    Ok((sum == expected).then_some(end))
}

/// One step of the BCH code of BIP 173.
fn polymod(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    let top = sum >> 25;
    let shifted = (sum & 0x01FF_FFFF) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .fold(shifted, |sum, (n, term)| if top >> n & 1 == 1 { sum ^ term } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_of_the_standard() {
        let hex: String = sha256(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

//! Cuts a text into runs of letters, digits and foreign characters, 64 bytes at a time.
//!
//! Does not look at what a run says. Invariant: no run spans two blocks.

use crate::scan::simd;

/// The runs that begin in a stretch of 64 bytes.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// Where the stretch begins.
    pub(super) at: usize,
    /// A bit for each byte that is part of a run; the last of each run is in here too.
    pub(super) runs: u64,
    /// A bit for each digit and each byte of another script.
    pub(super) odd: u64,
    /// The only run begins at `at`, fills the stretch, and ends here.
    pub(super) long: Option<usize>,
}

/// The blocks of a text.
pub(super) struct Blocks<'a> {
    bytes: &'a [u8],
    at: usize,
    classifier: simd::Letters,
}

impl<'a> Blocks<'a> {
    /// From `at` to the end of `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Blocks<'a> {
        Blocks { bytes, at, classifier: simd::Letters::new() }
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Block> {
        let at = self.at;
        let Some(block) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<64>) else {
            self.at = self.bytes.len();
            return last(self.bytes, at);
        };
        let (runs, odd) = self.classifier.of(block);
        let cut = runs.leading_ones();
        if cut == 64 {
            self.at = end_of_run(self.bytes, at);
            return Some(Block { at, runs, odd, long: Some(self.at) });
        }
        // What reaches beyond the block begins the next one.
        self.at = at + 64 - cut as usize;
        Some(Block { at, runs: runs & u64::MAX >> cut, odd, long: None })
    }
}

// The rare cases take what they need by value: a loop that lends its state to them would keep it in memory.

#[inline(never)]
fn last(bytes: &[u8], at: usize) -> Option<Block> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let mut padded = [0; 64];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    let (runs, odd) = simd::Letters::new().of(&padded);
    Some(Block { at, runs, odd, long: None })
}

#[inline(never)]
pub(super) fn end_of_run(bytes: &[u8], start: usize) -> usize {
    let classifier = simd::Letters::new();
    let mut end = start;
    while let Some(block) = bytes.get(end..).and_then(<[u8]>::first_chunk::<64>) {
        let ones = classifier.of(block).0.trailing_ones();
        end += ones as usize;
        if ones < 64 {
            return end;
        }
    }
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    end + bytes.get(end..).unwrap_or_default().iter().take_while(|byte| word(byte)).count()
}

/// Takes the first run off `runs`: its first bit, and the bit after its last; 64 if it fills the block to the end.
#[inline(always)]
pub(super) fn take(runs: &mut u64) -> (u32, u32) {
    let start = runs.trailing_zeros();
    let beyond = runs.wrapping_add(*runs & runs.wrapping_neg());
    *runs &= beyond;
    (start, beyond.trailing_zeros())
}

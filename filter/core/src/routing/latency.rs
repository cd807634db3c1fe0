//! How soon a target has answered of late: the median time to its response headers in a sliding window.
//!
//! Times are counted by size, eight sizes to the doubling, so a window has a fixed size whatever the traffic. Invariant: what
//! is older than [`WINDOW_S`] counts no more.

/// Seconds that a time stays known.
pub(super) const WINDOW_S: u64 = 300;

/// The window moves in steps of this many seconds.
const STEP_S: u64 = WINDOW_S / STEPS as u64;

const STEPS: usize = 6;

/// Sizes of times, from below a millisecond to past seventeen minutes.
const SIZES: usize = 144;

/// Words of one step: which step it is, how often the target was chosen to be measured, how often it took what time.
const STEP_WORDS: usize = 2 + SIZES;

/// Words of one target's window.
pub(super) const WORDS: usize = STEPS * STEP_WORDS;

/// Fewer times than this say nothing about a target.
pub(super) const MIN_SAMPLES: u32 = 5;

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Times in the window, or choices made in order to get some, whichever is more.
    pub(super) samples: u32,
    /// The median in microseconds, if there are enough times.
    pub(super) median_us: Option<u32>,
}

fn step_of(now_ms: u64) -> (u32, usize) {
    // Zero stands for a step that never was.
    let step = now_ms / 1000 / STEP_S + 1;
    (step as u32, (step % STEPS as u64) as usize)
}

/// The words of the step that is now, emptied if they are those of an earlier one.
fn current(words: &mut [u32], now_ms: u64) -> &mut [u32] {
    let (step, position) = step_of(now_ms);
    let from = position * STEP_WORDS;
    let words = words.get_mut(from..from + STEP_WORDS).unwrap_or_default();
    if words.first() != Some(&step) {
        words.fill(0);
        if let Some(first) = words.first_mut() {
            *first = step;
        }
    }
    words
}

fn count(words: &mut [u32], at: usize) {
    if let Some(count) = words.get_mut(at) {
        *count = count.saturating_add(1);
    }
}

/// The target was chosen in order to be measured.
pub(super) fn chosen(words: &mut [u32], now_ms: u64) {
    count(current(words, now_ms), 1);
}

/// The target answered after `ms`.
pub(super) fn answered(words: &mut [u32], ms: u32, now_ms: u64) {
    count(current(words, now_ms), 2 + size_of(ms));
}

/// What the window says now.
pub(super) fn seen(words: &[u32], now_ms: u64) -> Seen {
    let (now, _) = step_of(now_ms);
    let mut counts = [0u32; SIZES];
    let (mut chosen, mut total) = (0u32, 0u32);
    for step in words.chunks_exact(STEP_WORDS) {
        let [at, tried, times @ ..] = step else { continue };
        if *at == 0 || now.wrapping_sub(*at) >= STEPS as u32 {
            continue;
        }
        chosen = chosen.saturating_add(*tried);
        for (sum, count) in counts.iter_mut().zip(times) {
            *sum = sum.saturating_add(*count);
            total = total.saturating_add(*count);
        }
    }
    let median_us = (total >= MIN_SAMPLES).then(|| median(&counts, total));
    Seen { samples: total.max(chosen), median_us }
}

fn median(counts: &[u32; SIZES], total: u32) -> u32 {
    let mut below = 0u32;
    let middle = total.div_ceil(2);
    for (size, count) in counts.iter().enumerate() {
        if below + count >= middle {
            // Times of one size are taken to lie evenly between its ends.
            let (from, to) = (start_of(size), start_of(size + 1));
            let share = u64::from(middle - below) * 2 - 1;
            return (from + (to - from) * share / (u64::from(*count) * 2)).min(u64::from(u32::MAX)) as u32;
        }
        below += count;
    }
    u32::MAX
}

/// Which size a time in milliseconds is of: the first eight have their own, then eight to each doubling.
fn size_of(ms: u32) -> usize {
    if ms < 8 {
        return ms as usize;
    }
    let doubling = ms.ilog2();
    let part = (ms >> (doubling - 3)) & 7;
    ((doubling as usize - 2) * 8 + part as usize).min(SIZES - 1)
}

/// The least time of a size, in microseconds.
fn start_of(size: usize) -> u64 {
    let size = size as u64;
    if size < 8 {
        return size * 1000;
    }
    ((8 + size % 8) << (size / 8 - 1)) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median of times that were all seen at once.
    fn median_of(times: impl IntoIterator<Item = u32>) -> Option<u32> {
        let mut words = vec![0; WORDS];
        times.into_iter().for_each(|ms| answered(&mut words, ms, 0));
        seen(&words, 0).median_us
    }

    #[track_caller]
    fn check(times: impl IntoIterator<Item = u32>, expected_ms: u32) {
        let median = median_of(times).unwrap() / 1000;
        assert!(
            median.abs_diff(expected_ms) * 16 <= expected_ms.max(16),
            "{median} instead of {expected_ms}"
        );
    }

    #[test]
    fn a_median_is_right_to_a_sixteenth() {
        check([3; 5], 3);
        check([250; 9], 250);
        check([10, 10, 10, 1000, 1000], 10);
        check([10, 10, 1000, 1000, 1000], 1000);
        check(100..=200, 150);
        check([600_000; 5], 600_000);
        check([u32::MAX; 5], 1_014_000);
    }

    #[test]
    fn every_time_is_of_the_size_that_holds_it() {
        for ms in (0..2000).chain([5000, 60_000, 1_000_000]) {
            let size = size_of(ms);
            let us = u64::from(ms) * 1000;
            assert!(start_of(size) <= us && us < start_of(size + 1), "{ms} in {size}");
        }
    }

    #[test]
    fn fewer_than_five_times_say_nothing() {
        assert_eq!(median_of([10; 4]), None);
        assert!(median_of([10; 5]).is_some());
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut words = vec![0; WORDS];
        (0..5).for_each(|_| answered(&mut words, 10, 1_000_000));
        (0..3).for_each(|_| chosen(&mut words, 1_000_000));
        assert!(seen(&words, 1_000_000 + 249_000).median_us.is_some());
        assert_eq!(seen(&words, 1_000_000 + 300_000), Seen::default());
        answered(&mut words, 10, 1_000_000 + 300_000);
        assert_eq!(seen(&words, 1_000_000 + 300_000).samples, 1);
    }
}

//! Lists of words by what they say, and the few among them that begin with two given bytes.
//!
//! Compares nothing. Invariant: made by the compiler, so that a list costs no code and no start.

/// One word: where it stands in its row's text.
#[derive(Clone, Copy)]
struct Entry {
    row: u8,
    start: u16,
    len: u8,
}

/// Rows of words that are separated by `|`; `N` words altogether.
pub(super) struct Vocabulary<Tag: 'static, const N: usize> {
    rows: &'static [(Tag, &'static str)],
    entries: [Entry; N],
    /// `firsts[b]..firsts[b + 1]` are the entries of bucket `b`.
    firsts: [u16; BUCKETS + 1],
}

/// Some times as many as there are labels, so that most words have none to be compared with.
const BUCKETS: usize = 4096;

/// Where words are that begin so. Words of which only the beginning counts have three bytes or more; a word that ends is followed by a space, or by the dot that says so; what comes after
/// a space does not count.
const fn bucket(bytes: [u8; 3]) -> usize {
    let [first, second, third] = bytes;
    let second = if second == b'.' { b' ' } else { second };
    let third = if second == b' ' || third == b'.' { b' ' } else { third };
    (first as usize * 1021 + second as usize * 37 + third as usize * 181) % BUCKETS
}

/// Words in all rows.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
pub(super) const fn count<Tag>(rows: &'static [(Tag, &'static str)]) -> usize {
    let mut count = 0;
    let mut n = 0;
    while n < rows.len() {
        count += 1;
        let bytes = rows[n].1.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'|' {
                count += 1;
            }
            at += 1;
        }
        n += 1;
    }
    count
}

/// A bit for every bucket that has a word of the rows whose tag is in `tags` and not in `except`.
pub(super) struct Beginnings([u64; BUCKETS / 64]);

impl Beginnings {
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    pub(super) const fn new(rows: &'static [(u32, &'static str)], tags: u32, except: u32) -> Self {
        let mut bits = [0; BUCKETS / 64];
        let mut row = 0;
        while row < rows.len() {
            let (tag, words) = rows[row];
            let words = words.as_bytes();
            let mut at = 0;
            while at < words.len() && tag & tags != 0 && tag & except == 0 {
                if at == 0 || words[at - 1] == b'|' {
                    let bucket = bucket(first(words, at));
                    bits[bucket / 64] |= 1 << (bucket % 64);
                }
                at += 1;
            }
            row += 1;
        }
        Beginnings(bits)
    }

    /// Some word may begin so.
    #[inline(always)]
    pub(super) fn may_have(&self, first: [u8; 3]) -> bool {
        let bucket = bucket(first);
        self.0.get(bucket / 64).is_some_and(|bits| bits >> (bucket % 64) & 1 == 1)
    }
}

/// The first bytes of the word at `at`, spaces standing for what it has not.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn first(words: &[u8], at: usize) -> [u8; 3] {
    let mut first = [b' '; 3];
    let mut n = 0;
    while n < 3 && at + n < words.len() && words[at + n] != b'|' {
        first[n] = words[at + n];
        n += 1;
    }
    first
}

/// The first bytes of a text, spaces standing for what it has not.
#[inline(always)]
fn beginning(text: &[u8]) -> [u8; 3] {
    // One by one: small code makes a loop of an array's `map`.
    let at = |n: usize| text.get(n).copied().unwrap_or(b' ');
    [at(0), at(1), at(2)]
}

impl<Tag: Copy, const N: usize> Vocabulary<Tag, N> {
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    pub(super) const fn new(rows: &'static [(Tag, &'static str)]) -> Self {
        let mut entries = [Entry { row: 0, start: 0, len: 0 }; N];
        let mut firsts = [0_u16; BUCKETS + 1];
        // Counts first, so that the second pass knows each word's place.
        let mut free = [0_u16; BUCKETS];
        let mut pass = 0;
        while pass < 2 {
            let mut row = 0;
            while row < rows.len() {
                let bytes = rows[row].1.as_bytes();
                let mut start = 0;
                while start < bytes.len() {
                    let mut end = start;
                    while end < bytes.len() && bytes[end] != b'|' {
                        end += 1;
                    }
                    let first = bucket(first(bytes, start));
                    if pass == 1 {
                        entries[free[first] as usize] =
                            Entry { row: row as u8, start: start as u16, len: (end - start) as u8 };
                    }
                    free[first] += 1;
                    start = end + 1;
                }
                row += 1;
            }
            if pass == 0 {
                let mut first = 0;
                while first < BUCKETS {
                    firsts[first + 1] = firsts[first] + free[first];
                    free[first] = firsts[first];
                    first += 1;
                }
            }
            pass += 1;
        }
        assert!(firsts[BUCKETS] as usize == N, "every word has its place");
        Vocabulary { rows, entries, firsts }
    }

    /// Words that may begin as `text` does, and what they say.
    pub(super) fn like(&self, text: &[u8]) -> impl Iterator<Item = (Tag, &'static [u8])> {
        let first = beginning(text);
        self.entries.get(self.range(first)).unwrap_or_default().iter().filter_map(|entry| {
            let (tag, words) = self.rows.get(usize::from(entry.row))?;
            let start = usize::from(entry.start);
            Some((*tag, words.as_bytes().get(start..start + usize::from(entry.len))?))
        })
    }

    /// Some word may begin as `text` does.
    #[inline(always)]
    pub(super) fn has_like(&self, text: &[u8]) -> bool {
        !self.range(beginning(text)).is_empty()
    }

    #[inline(always)]
    fn range(&self, first: [u8; 3]) -> core::ops::Range<usize> {
        let bucket = bucket(first);
        match (self.firsts.get(bucket), self.firsts.get(bucket + 1)) {
            (Some(begin), Some(end)) => usize::from(*begin)..usize::from(*end),
            _ => 0..0,
        }
    }
}

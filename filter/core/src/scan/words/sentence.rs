//! Where a sentence ends.
//!
//! Looks only at what stands between two words. Invariant: never turns back to false when more is added to the gap.

/// Whether what stands between two words ends a sentence.
pub(super) fn ends(gap: &[u8]) -> bool {
    match gap {
        [byte] => return matches!(byte, b'!' | b'?'),
        [b',' | b'\'' | b')', b' '] => return false,
        [b'.', b' '] => return true,
        _ => {}
    }
    let mut newlines = 0;
    let mut marks = 0;
    for (at, byte) in gap.iter().enumerate() {
        match byte {
            b'!' | b'?' => return true,
            // A stop inside `example.com` is the whole gap.
            b'.' if gap.len() > 1 => return true,
            b'\n' => newlines += 1,
            b' ' | b'\t' | b'\r' => {}
            // The full stops of other scripts are three bytes long.
            0xe2 | 0xe3 | 0xe0 | 0xef => {
                let foreign: [&[u8]; 5] =
                    ["…".as_bytes(), "。".as_bytes(), "।".as_bytes(), "！".as_bytes(), "？".as_bytes()];
                if foreign.iter().any(|mark| gap.get(at..).is_some_and(|gap| gap.starts_with(mark))) {
                    return true;
                }
                marks += 1;
            }
            _ => marks += 1,
        }
        if newlines > 1 || (newlines == 1 && marks > 0) {
            return true;
        }
    }
    false
}

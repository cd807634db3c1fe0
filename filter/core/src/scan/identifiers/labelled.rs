//! Finds values that their surroundings make personal data: national numbers, documents, dates of birth, addresses.
//!
//! One walk from digit to digit, since every such value has one; what it is, tables say. Invariant: the streaming law of
//! [`super`].

use super::context::{self, Labels, Topic, topics};
use super::cursor::{Around, Cursor, is_alphanumeric};
use super::kind::{Identifier, Identifiers};
use super::national::{FORMS, SERIALS, beginning};
use super::{Found, Hit, address, birth, found, phone};
use crate::scan::{Step, simd};

/// Letters that may stand before the first digit of a value, in one word.
const LONGEST_WORD: usize = 20;

/// Letters of a word that stands before a value as its first part: `AB 12 34 56 C`, `MORGA 657054`.
const LONGEST_PREFIX: usize = 5;

/// Fewest letters and digits of a value that is no date; of one that is not medical, one more.
const FEWEST: usize = 5;

/// Letters and digits of the longest form, beyond which nobody has to count.
const MOST: usize = 18;

/// Most bytes between a label and a value that has no check of its own.
const LONGEST_GAP: usize = 34;

const BIRTH: u32 = topics(&[Topic::Birth]);
const ADDRESS: u32 = topics(&[Topic::Address]);
const FAX: u32 = topics(&[Topic::Fax]);

/// Topics of everything that may begin with a word before its first digit.
const NUMBERED: u32 = !topics(&[
    Topic::Other,
    Topic::Version,
    Topic::Foreign,
    Topic::Phone,
    Topic::Address,
    Topic::Birth,
    Topic::Fax,
    Topic::Name,
]);

/// The first of these in `text[from..]`; `more`: the text may go on.
pub(super) fn next(set: Identifiers, text: &str, from: usize, more: bool) -> Step<Hit> {
    if !set.meets(Identifiers::LABELLED) {
        return Step::Open(text.len());
    }
    let walk = Walk { set, text: Cursor::new(text, more), floor: from };
    match walk.first() {
        Ok(Some(hit)) => Step::Hit(hit),
        Ok(None) if more => Step::Open(walk.open_tail()),
        Ok(None) => Step::Open(text.len()),
        Err(at) => Step::Open(at),
    }
}

struct Walk<'a> {
    set: Identifiers,
    text: Cursor<'a>,
    floor: usize,
}

impl Walk<'_> {
    fn first(&self) -> Found {
        let digits = simd::Digits::new();
        let mut rest = self.text.bytes().get(self.floor..).unwrap_or_default();
        let mut at = self.floor;
        let mut before = u64::from(self.text.before(at, 1).is_ascii_digit());
        let mut padded = [0; simd::STRIDE];
        while !rest.is_empty() {
            let (block, more) = rest.split_first_chunk().unwrap_or_else(|| {
                if let Some(to) = padded.get_mut(..rest.len()) {
                    to.copy_from_slice(rest);
                }
                (&padded, &[])
            });
            let found = digits.of(block);
            let mut firsts = found & !(found << 1 | before);
            while firsts != 0 {
                let digit = at + firsts.trailing_zeros() as usize;
                firsts &= firsts - 1;
                if !self.is_ordinary(digit) {
                    attempt!(self.candidate(digit));
                }
            }
            before = found >> (simd::STRIDE - 1);
            at += simd::STRIDE;
            rest = more;
        }
        Ok(None)
    }

    /// A number among words as most are: short, alone, with no name beside it. Nothing begins at it, whatever is announced.
    #[inline(always)]
    fn is_ordinary(&self, digit: usize) -> bool {
        let text = &self.text;
        let Some(around) = Around::new(text.bytes(), digit) else { return false };
        let (before, second) = (around.behind(1), around.behind(2));
        let part = match before {
            // In a row of numbers only the first may begin something.
            b' ' => second.is_ascii_digit(),
            b'.' | b'/' => is_alphanumeric(second),
            _ => false,
        };
        if part {
            return true;
        }
        if self.set.meets(Identifiers::HEALTHCARE) {
            return false;
        }
        if is_alphanumeric(before) {
            return is_short_word(&around);
        }
        let all = around.digits();
        let digits = all.trailing_ones() as usize;
        if matches!(before, b' ' | b'-') && second.is_ascii_uppercase() || digits > FEWEST {
            return false;
        }
        let at = |n: usize| around.at(n);
        let (next, after, third) = (at(digits), at(digits + 1), at(digits + 2));
        // `3.14`, `1,200`
        if matches!(next, b'.' | b',') && after.is_ascii_digit() {
            let second = (all >> (digits + 1)).trailing_ones() as usize;
            let end = digits + 1 + second;
            let (next, after) = if end < Around::REACH - 1 { (at(end), at(end + 1)) } else { (b'0', b'0') };
            let short = digits == 1 || digits + second <= FEWEST;
            return short && second != 4 && !is_joined(next, after) && next != b'.';
        }
        if is_joined(next, after)
            || matches!(next, b'-' | b'/')
            || next == b',' && !is_plain(after)
            || matches!(after, b' ' | b',') && (third.is_ascii_digit() || next == b',' && !is_plain(third))
        {
            return false;
        }
        // `5 May 1990` after a label.
        if digits <= 2 && matches!(next, b' ' | b'.') && birth::worded(text, digit + digits) != Ok(None) {
            return false;
        }
        let name = match next {
            b' ' => Some(digits + 1),
            b',' if after == b' ' => Some(digits + 2),
            _ => None,
        };
        let name = name.map(|name| [at(name), at(name + 1), at(name + 2)]);
        name.is_none_or(|name| !address::may_begin_street(name)) && !address::may_follow_street(text, digit)
    }

    /// What has its first digit at `digit`, the earliest first.
    #[inline(never)]
    fn candidate(&self, digit: usize) -> Found {
        let text = &self.text;
        let mut start = digit;
        while digit - start <= LONGEST_WORD && is_alphanumeric(text.before(start, 1)) {
            if text.before(start, 1).is_ascii_digit() {
                // The digit is not the first of its word.
                return Ok(None);
            }
            start -= 1;
        }
        // In a row of numbers only the first may begin something.
        let follows =
            start == digit && text.before(start, 1) == b' ' && text.before(start, 2).is_ascii_digit();
        if digit - start > LONGEST_WORD || follows {
            return Ok(None);
        }
        let mut labels = Lazy { at: start, found: None };
        self.starting(start, digit, &mut labels).map_err(|at| {
            // Once what is open here is ruled out, something longer may begin with the word before.
            let before = prefix(text, start).filter(|_| labels.of(text).topics() & NUMBERED != 0);
            let month =
                if self.set.contains(Identifier::Dob) { birth::month_before(text, start) } else { None };
            let before = before.or(month.filter(|_| labels.of(text).nearest(BIRTH).is_some()));
            let lead = if self.set.contains(Identifier::Fax) { phone::lead(text, digit) } else { 0 };
            at.min(before.unwrap_or(at)).min(digit - lead).max(self.floor)
        })
    }

    /// What begins at or before `start`, where the word begins that has its first digit at `digit`.
    fn starting(&self, start: usize, digit: usize, labels: &mut Lazy) -> Found {
        let text = &self.text;
        if start == digit && self.set.contains(Identifier::Address) {
            attempt!(self.address(digit, labels));
        }
        if start == digit && self.set.contains(Identifier::Dob) {
            attempt!(self.birth(start, labels));
        }
        if start == digit && self.set.contains(Identifier::Fax) {
            attempt!(self.fax(digit, labels));
        }
        let prefix = prefix(text, start);
        if text.number_begins(prefix.unwrap_or(start))
            && let Some(extent) = self.extent(prefix.unwrap_or(start))
        {
            let labels = labels.of(text);
            if !labels.vetoed() {
                if labels.topics() & NUMBERED != 0
                    && let Some(prefix) = prefix
                {
                    attempt!(self.numbered(prefix, extent, labels));
                }
                attempt!(self.numbered(start, extent, labels));
            }
        }
        Ok(None)
    }

    /// Letters and digits that follow, in one run or joined by single separators, as far as they matter; `None`: too few for
    /// anything. Whatever is accepted has that many, so this does not depend on what follows it.
    fn extent(&self, start: usize) -> Option<usize> {
        let rest = self.text.bytes().get(start..).unwrap_or_default();
        let fewest = if self.set.meets(Identifiers::HEALTHCARE) { FEWEST } else { FEWEST + 1 };
        let mut count = 0;
        let mut joint = false;
        for byte in rest {
            match byte {
                // Small letters after a separator are the next word.
                b'a'..=b'z' if joint => return (count >= fewest).then_some(count),
                _ if is_alphanumeric(*byte) => {
                    joint = false;
                    count += 1;
                    if count == MOST {
                        break;
                    }
                }
                // `3.14159` is no document.
                b'.' if count == 1 => break,
                b' ' | b'-' | b'.' | b'/' | b'+' if !joint => joint = true,
                _ => return (count >= fewest).then_some(count),
            }
        }
        let more = self.text.more() && count < MOST && rest.get(1) != Some(&b'.');
        if more { Some(MOST) } else { (count >= fewest).then_some(count) }
    }

    /// An address whose first digit is at `digit`.
    fn address(&self, digit: usize, labels: &mut Lazy) -> Found {
        let text = &self.text;
        // Decimals are many, and none is the number of a house.
        let rest = text.bytes().get(digit..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let decimal = matches!(rest.get(digits..digits + 2), Some([b'.' | b',', b'0'..=b'9']));
        if decimal || !text.number_begins(digit) {
            return Ok(None);
        }
        let mut label = |at: usize| labels.before(text, at).nearest(ADDRESS).map(|label| label.end);
        let before = address::gap_before(text, digit)
            .and_then(|before| address::start_before(text, digit, before, false, &mut label));
        let verify = |start: usize, labels: &mut Lazy| {
            let announced = || {
                let label = labels.before(text, start).nearest(ADDRESS);
                label.is_some_and(|label| address::connects(text, label.end, start))
            };
            found(Identifier::Address, start, address::verify(text, start, announced))
        };
        if let Some(start) = before
            && start >= self.floor
        {
            attempt!(verify(start, labels));
        }
        if address::may_begin(text, digit)? { verify(digit, labels) } else { Ok(None) }
    }

    /// A date of birth whose first digit is at `digit`.
    fn birth(&self, digit: usize, labels: &mut Lazy) -> Found {
        let text = &self.text;
        for (verdict, month) in
            [(birth::month_first(text, digit), true), (birth::numeric(text, digit), false)]
        {
            if verdict == Ok(None) {
                continue;
            }
            let start = if month { birth::month_before(text, digit) } else { Some(digit) };
            let Some(start) = start.filter(|start| *start >= self.floor) else { continue };
            if labels.of(text).nearest(BIRTH).is_some_and(|label| label.end <= start) {
                return found(Identifier::Dob, start, verdict);
            }
        }
        Ok(None)
    }

    /// A telefax number whose first digit is at `digit`.
    fn fax(&self, digit: usize, labels: &mut Lazy) -> Found {
        let start = digit - phone::lead(&self.text, digit);
        let verdict = phone::verify(&self.text, digit);
        let announced =
            start >= self.floor && verdict != Ok(None) && labels.of(&self.text).nearest(FAX).is_some();
        if announced { found(Identifier::Fax, start, verdict) } else { Ok(None) }
    }

    /// A number of a table that begins at `start`.
    #[inline(never)]
    fn numbered(&self, start: usize, extent: usize, labels: &Labels) -> Found {
        let text = &self.text;
        if start < self.floor || !text.number_begins(start) {
            return Ok(None);
        }
        let announced = labels.topics();
        let small = text.before(start + 1, 1).is_ascii_lowercase();
        let beginning = beginning(text, start);
        for form in FORMS {
            let labelled = announced & form.topics != 0;
            if form.may_begin(beginning)
                && form.fewest <= extent
                && (labelled || form.alone && !small)
                && self.set.contains(form.kind)
            {
                attempt!(found(form.kind, start, form.verify(text, start)));
            }
        }
        for serial in SERIALS {
            let near = |label: context::Label| label.end <= start && start - label.end <= LONGEST_GAP;
            let other = labels.nearest(serial.unless).is_some();
            if self.set.contains(serial.kind) && !other && labels.nearest(serial.topics).is_some_and(near) {
                attempt!(found(serial.kind, start, serial.verify(text, start)));
            }
        }
        Ok(None)
    }

    /// After every digit was decided: where something begins whose first digit is yet to come.
    fn open_tail(&self) -> usize {
        let text = &self.text;
        let end = text.len();
        // A word may go on to have digits.
        let mut word = end;
        while end - word <= LONGEST_WORD && is_alphanumeric(text.before(word, 1)) {
            if text.before(word, 1).is_ascii_digit() {
                // It has been looked at.
                return end;
            }
            word -= 1;
        }
        if end - word > LONGEST_WORD {
            return end;
        }
        let mut open = word;
        let labels = &mut Lazy { at: word, found: None };
        if let Some(start) = prefix(text, word)
            && labels.of(text).topics() & NUMBERED != 0
        {
            open = start;
        }
        if self.set.contains(Identifier::Dob) {
            let month = birth::month_before(text, end).or_else(|| birth::month_at_end(text));
            if let Some(month) = month
                && labels.of(text).nearest(BIRTH).is_some()
            {
                open = open.min(month);
            }
        }
        if self.set.contains(Identifier::Address) {
            let mut label = |at: usize| labels.before(text, at).nearest(ADDRESS).map(|label| label.end);
            let pending = address::pending(text, &mut label);
            open = open.min(pending.unwrap_or(open));
        }
        if self.set.contains(Identifier::Fax) {
            open = open.min(end - phone::lead_at_end(text));
        }
        // The floor may stand within a word.
        open.max(self.floor).min(end)
    }
}

/// The labels before a place, once they are asked for.
struct Lazy {
    at: usize,
    found: Option<Labels>,
}

impl Lazy {
    fn of(&mut self, text: &Cursor) -> &Labels {
        self.found.get_or_insert_with(|| context::labels(text, self.at))
    }

    /// The labels before another place; those before `self.at` are found once only.
    fn before(&mut self, text: &Cursor, at: usize) -> Labels {
        if at == self.at { *self.of(text) } else { context::labels(text, at) }
    }
}

/// The word around a digit that has letters before it begins nothing: `v2`, `u32`; there is a digit before it, or it is short
/// and neither what stands before it nor what follows belongs to it.
#[inline(always)]
fn is_short_word(around: &Around) -> bool {
    let mut head = 1;
    while head <= FEWEST && is_alphanumeric(around.behind(head)) {
        if around.behind(head).is_ascii_digit() {
            return true;
        }
        head += 1;
    }
    let mut tail = 1;
    while tail <= FEWEST && is_alphanumeric(around.at(tail)) {
        tail += 1;
    }
    let prefixed = matches!(around.behind(head), b' ' | b'-') && around.behind(head + 1).is_ascii_uppercase();
    let (next, after) = (around.at(tail), around.at(tail + 1));
    let goes_on = matches!(next, b' ' | b'-' | b'.' | b'/' | b'+')
        && is_alphanumeric(after)
        && !after.is_ascii_lowercase();
    head - 1 + tail <= FEWEST && !prefixed && !goes_on
}

/// A value may go on with these two bytes after a number.
fn is_joined(next: u8, after: u8) -> bool {
    is_alphanumeric(next)
        || next >= 0x80
        || matches!(next, b' ' | b'-' | b'.' | b'/' | b'+') && !is_plain(after)
}

/// No letter that may begin a name, and no digit.
fn is_plain(byte: u8) -> bool {
    byte < 0x80 && !byte.is_ascii_digit() && !byte.is_ascii_uppercase()
}

/// Where one or two short words in capitals begin that stand before `at` as the first part of a value.
fn prefix(text: &Cursor, at: usize) -> Option<usize> {
    let mut start = None;
    let mut end = at;
    for _ in 0..2 {
        if !matches!(text.before(end, 1), b' ' | b'-') {
            break;
        }
        let mut word = end - 1;
        while end - 1 - word <= LONGEST_PREFIX && text.before(word, 1).is_ascii_uppercase() {
            word -= 1;
        }
        if !(1..=LONGEST_PREFIX).contains(&(end - 1 - word)) || is_alphanumeric(text.before(word, 1)) {
            break;
        }
        start = Some(word);
        end = word;
    }
    start
}

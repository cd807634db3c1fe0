//! Finds values that their surroundings make personal data: national numbers, documents, dates of birth, addresses.
//!
//! One walk from digit to digit, since every such value has one; what it is, tables say. Invariant: the streaming law of
//! [`super`].

use super::context::{self, Labels, Topic, topics};
use super::cursor::{Cursor, is_alphanumeric};
use super::kind::{Identifier, Identifiers};
use super::national::{FORMS, SERIALS};
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
        let bytes = self.text.bytes();
        let mut at = self.floor;
        while let Some(digit) = simd::next_digit(bytes, at) {
            if !self.text.before(digit, 1).is_ascii_digit() {
                attempt!(self.candidate(digit));
            }
            at = digit + 1;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
        }
        Ok(None)
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
            // Once what is open here is ruled out, a longer value may begin with the word before.
            let before = prefix(text, start).filter(|_| labels.of(text).topics() & NUMBERED != 0);
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
        for form in FORMS {
            let labelled = announced & form.topics != 0;
            if form.fewest <= extent && (labelled || form.alone && !small) && self.set.contains(form.kind) {
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

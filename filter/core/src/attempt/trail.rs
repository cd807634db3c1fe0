//! What became of the attempts of one exchange so far.
//!
//! The attempt role adds it to the note, a line an attempt, because every value of filter state costs a call to read and one to
//! write; the downstream role reads it. Names targets, never a key.

use std::fmt::Write;

/// Begins a line of the trail, and no other line of the note.
pub(super) const MARK: char = '>';

/// The attempts so far, the first first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail(pub Vec<Tried>);

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Id of the target.
    pub target: String,
    /// When it began, in microseconds since 1970.
    pub started_us: u64,
    /// Status and what was wrong with it, if it answered and was followed by another attempt for that.
    pub fault: Option<(u16, Fault)>,
}

/// What was wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its status.
    Status,
    /// It says that the target cannot serve.
    Out,
    /// It says that the target does not have the model that the client asked for.
    Model,
    /// Its first event is an error.
    Event,
}

impl Fault {
    /// As in events.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Status => "status",
            Fault::Out => "target_out",
            Fault::Model => "no_such_model",
            Fault::Event => "error_event",
        }
    }

    fn from_name(name: &str) -> Option<Fault> {
        [Fault::Status, Fault::Out, Fault::Model, Fault::Event].into_iter().find(|fault| fault.name() == name)
    }
}

impl Trail {
    /// The trail in a note.
    pub fn from_text(note: &str) -> Trail {
        let line = |line: &str| {
            let mut words = line.strip_prefix(MARK)?.split(' ');
            let target = words.next()?.to_owned();
            let started_us = words.next()?.parse().ok()?;
            let status = words.next().and_then(|status| status.parse().ok());
            let fault = status.zip(words.next().and_then(Fault::from_name));
            Some(Tried { target, started_us, fault })
        };
        Trail(note.lines().filter_map(line).collect())
    }

    /// The attempt under way, or the last one.
    pub fn last(&self) -> Option<&Tried> {
        self.0.last()
    }
}

/// Adds an attempt to a note.
pub fn begin(note: &mut String, target: &str, started_us: u64) {
    if !note.is_empty() && !note.ends_with('\n') {
        note.push('\n');
    }
    // Writing to a string cannot fail.
    let _ = write!(note, "{MARK}{target} {started_us}");
}

/// Says of the last attempt what was wrong with its answer.
pub fn end(note: &mut String, status: u16, fault: Fault) {
    let _ = write!(note, " {status} {}", fault.name());
}

/// The lines of the trail in a note.
pub fn lines(note: &str) -> impl Iterator<Item = &str> {
    note.lines().filter(|line| line.starts_with(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_survives_its_text() {
        let mut text = String::new();
        assert_eq!((lines(&text).count(), Trail::from_text(&text)), (0, Trail::default()));
        begin(&mut text, "a", 1_795_169_820_250_000);
        end(&mut text, 402, Fault::Out);
        begin(&mut text, "b.c-d", 7);
        begin(&mut text, "b.c-d", 8);
        let tried = |target: &str, started_us, fault| Tried { target: target.into(), started_us, fault };
        let expected = vec![
            tried("a", 1_795_169_820_250_000, Some((402, Fault::Out))),
            tried("b.c-d", 7, None),
            tried("b.c-d", 8, None),
        ];
        assert_eq!((lines(&text).count(), Trail::from_text(&text)), (3, Trail(expected)));
        for fault in [Fault::Status, Fault::Out, Fault::Model, Fault::Event] {
            assert_eq!(Fault::from_name(fault.name()), Some(fault));
        }
    }
}

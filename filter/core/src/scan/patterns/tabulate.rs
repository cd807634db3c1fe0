//! Turns a finished automaton of `regex-automata` into tables of our own.
//!
//! Builds no automaton. Invariant: the tables do, byte for byte, what the automaton does.

use super::automaton::{Automaton, Before, DEAD};
use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::dense::DFA;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input};
use std::collections::HashMap;

/// Which way an automaton reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// The most states that have a number of sixteen bits.
const MOST_STATES: usize = u16::MAX as usize;

/// The tables; `None` if the automaton has too many states for them.
pub(super) fn tabulate(dfa: &DFA<Vec<u32>>, direction: Direction) -> Option<Automaton> {
    let anchored = starts(dfa, direction, Anchored::Yes)?;
    // Backwards the end of the match is known, so nothing is ever skipped.
    let searching = match direction {
        Direction::Forward => starts(dfa, direction, Anchored::No)?,
        Direction::Backward => anchored,
    };
    let states = reachable(dfa, searching.iter().chain(&anchored).copied())?;
    let (classes, samples) = classes(dfa, &states);
    let stride = samples.len() + 1;

    // The dead state first, then those that match, so that one comparison tells whether a state needs a look.
    let matching = states.iter().copied().filter(|state| dfa.is_match_state(*state));
    let plain = states.iter().copied().filter(|state| !dfa.is_match_state(*state));
    let order: Vec<StateID> = matching.chain(plain).collect();
    let rows: HashMap<StateID, u32> =
        order.iter().enumerate().map(|(n, state)| (*state, ((n + 1) * stride) as u32)).collect();
    let row = |state: StateID| rows.get(&state).copied().unwrap_or(DEAD);

    let mut next = vec![DEAD; stride];
    for state in &order {
        next.extend(samples.iter().map(|byte| row(dfa.next_state(*state, *byte))));
        next.push(row(dfa.next_eoi_state(*state)));
    }
    let matches = order.iter().filter(|state| dfa.is_match_state(**state)).count();
    Some(Automaton {
        classes,
        stride: stride as u32,
        last_match: (matches * stride) as u32,
        searching: searching.map(row),
        anchored: anchored.map(row),
        next,
    })
}

fn starts(
    dfa: &DFA<Vec<u32>>,
    direction: Direction,
    anchored: Anchored,
) -> Option<[StateID; Before::ALL.len()]> {
    let mut starts = [StateID::ZERO; Before::ALL.len()];
    for (start, before) in starts.iter_mut().zip(Before::ALL) {
        let beside = match before {
            Before::Edge => "",
            Before::Newline => "\n",
            Before::CarriageReturn => "\r",
            Before::Word => "a",
            Before::Other => " ",
        };
        let input = Input::new(beside).anchored(anchored);
        *start = match direction {
            Direction::Forward => dfa.start_state_forward(&input.range(beside.len()..)),
            Direction::Backward => dfa.start_state_reverse(&input.range(..0)),
        }
        .ok()?;
    }
    Some(starts)
}

/// Every state but the dead one.
fn reachable(dfa: &DFA<Vec<u32>>, starts: impl Iterator<Item = StateID>) -> Option<Vec<StateID>> {
    let mut seen: HashMap<StateID, ()> = HashMap::new();
    let mut found = Vec::new();
    let mut note = |state: StateID, found: &mut Vec<StateID>| {
        if !dfa.is_dead_state(state) && seen.insert(state, ()).is_none() {
            found.push(state);
        }
    };
    starts.for_each(|start| note(start, &mut found));
    let mut done = 0;
    while let Some(state) = found.get(done).copied() {
        done += 1;
        for byte in 0..=u8::MAX {
            note(dfa.next_state(state, byte), &mut found);
        }
        note(dfa.next_eoi_state(state), &mut found);
        if found.len() >= MOST_STATES {
            return None;
        }
    }
    Some(found)
}

/// The class of every byte, and a byte of every class.
fn classes(dfa: &DFA<Vec<u32>>, states: &[StateID]) -> ([u8; 256], Vec<u8>) {
    let mut classes = [0; 256];
    let mut samples: Vec<u8> = Vec::new();
    for (byte, class) in (0..=u8::MAX).zip(&mut classes) {
        let same = |sample: &u8| {
            states.iter().all(|state| dfa.next_state(*state, byte) == dfa.next_state(*state, *sample))
        };
        let known = samples.iter().position(same);
        *class = known.unwrap_or(samples.len()) as u8;
        if known.is_none() {
            samples.push(byte);
        }
    }
    (classes, samples)
}

#[cfg(test)]
mod tests {
    use super::super::compile::{determinise, parsed};
    use super::*;
    use proptest::prelude::*;
    use regex_automata::dfa::regex::Regex;

    const EXPRESSIONS: [&str; 9] = [
        "ab{1,3}",
        r"\b[a-c]{2,4}\b",
        r"(?m)^a[^a]{0,3}$",
        r"^a|b$",
        r"\Ba{1,2}\B|c",
        "ä|[^a]{2}é",
        r"(?i)a.c|ab",
        r"(?:a|ab)(?:c|bcd)",
        r"\r\n?a|_{2}",
    ];

    proptest! {
        #[test]
        fn tables_find_what_the_automaton_finds(
            expression in prop::sample::select(EXPRESSIONS.to_vec()),
            text in "[abcdAé ä_\r\n]{0,24}",
            from in 0..24usize,
        ) {
            let (forward, reverse) = determinise(&parsed(expression)).unwrap_or_else(|_| unreachable!());
            let from = (0..=from.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let ours = (
                tabulate(&forward, Direction::Forward).and_then(|tables| Automaton::read(&tables.write()).ok()),
                tabulate(&reverse, Direction::Backward).and_then(|tables| Automaton::read(&tables.write()).ok()),
            );
            let (Some(ahead), Some(back)) = ours else { return Err(TestCaseError::fail("no tables")) };
            let end = ahead.end_of_first(text.as_bytes(), from);
            let found = end.map(|end| (back.start_of_longest(text.as_bytes(), from..end), end));
            let theirs = Regex::builder().build_from_dfas(forward, reverse);
            let wanted = theirs.try_search(&Input::new(&text).range(from..)).ok().flatten();
            prop_assert_eq!(found, wanted.map(|found| (Some(found.start()), found.end())));
        }
    }

    #[test]
    fn damaged_tables_are_refused_and_never_panic() {
        let (forward, _) = determinise(&parsed(r"\b[a-c]{2,4}\b")).unwrap_or_else(|_| unreachable!());
        let bytes = tabulate(&forward, Direction::Forward).unwrap().write();
        for at in 0..bytes.len() {
            assert!(Automaton::read(&bytes[..at]).is_err());
            for value in [0, 1, 2, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(automaton) = Automaton::read(&damaged) {
                    let text = "ab cab ö\n_abc".as_bytes();
                    for from in 0..=text.len() {
                        let _ = automaton.end_of_first(text, from);
                        let _ = automaton.start_of_longest(text, 0..from);
                        let _ = automaton.is_open(text, from);
                    }
                }
            }
        }
    }
}

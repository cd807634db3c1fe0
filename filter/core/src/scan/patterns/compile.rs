//! Builds automata from the operator's regular expressions.
//!
//! Does not search. Invariant: whatever it accepts has a bounded match, is never empty, and needs no work at run time that
//! grows faster than the text.

use super::tabulate::{Direction, tabulate};
use super::{Automata, LONGEST_MATCH, MOST_AUTOMATON_BYTES, Patterns};
use crate::config::DetectPattern;
use crate::diagnostic::Diagnostic;
use regex_automata::MatchKind;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

/// Memory for building one automaton; beyond it, the finished one would be far too large as well.
const MOST_BUILDING_BYTES: usize = 64 * 1024 * 1024;

impl Patterns {
    /// Builds a pair of automata for every pattern. Problems carry paths such as `detect_patterns[0].regex`.
    ///
    /// `\d`, `\w`, `\s` and `\b` mean their ASCII forms: identifiers are written in ASCII, and the Unicode forms make
    /// automata a hundred times larger.
    pub fn compile(patterns: &[DetectPattern]) -> Result<Patterns, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut built = Vec::new();
        let mut bytes = 0;
        for (n, pattern) in patterns.iter().enumerate() {
            problems.extend(name_problem(patterns, n, pattern));
            let path = format!("detect_patterns[{n}].regex");
            let automata = expression(&pattern.regex, &path)
                .and_then(|expression| build(&expression).map_err(|refused| refused.diagnostic(path)));
            match automata {
                Ok(automata) => {
                    bytes += size(&automata);
                    built.push(automata);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() && bytes > MOST_AUTOMATON_BYTES {
            problems.push(Refused::TooLarge.diagnostic("detect_patterns".into()));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Patterns { names: patterns.iter().map(|pattern| pattern.name.clone()).collect(), automata: built })
    }
}

fn size(automata: &Automata) -> usize {
    automata.forward.written_length() + automata.reverse.written_length()
}

fn name_problem(patterns: &[DetectPattern], n: usize, pattern: &DetectPattern) -> Option<Diagnostic> {
    let path = format!("detect_patterns[{n}].name");
    let name = &pattern.name;
    let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !well_formed {
        return Some(
            Diagnostic::error("pattern-name", path, format!("`{name}` cannot be the name of a pattern"))
                .help("use lower case letters, digits and `_`, a letter first; the name becomes part of reason codes"),
        );
    }
    let first = patterns.iter().position(|other| other.name == *name)?;
    (first < n).then(|| {
        Diagnostic::error(
            "pattern-name",
            path,
            format!("`{name}` is already the name of detect_patterns[{first}]"),
        )
        .help("give every pattern a name of its own; alternatives of one kind go into one regex, as in `a|b`")
    })
}

/// The expression as the automata take it.
fn expression(regex: &str, path: &str) -> Result<Hir, Diagnostic> {
    let refuse =
        |message: String, help: &str| Err(Diagnostic::error("pattern-regex", path, message).help(help));
    let hir = match regex_syntax::parse(regex) {
        Ok(hir) => in_ascii(hir),
        Err(problem) => {
            let reason = match problem {
                regex_syntax::Error::Parse(problem) => problem.kind().to_string(),
                regex_syntax::Error::Translate(problem) => problem.kind().to_string(),
                _ => "it cannot be read".into(),
            };
            return refuse(
                format!("the regex is not valid: {}", reason.to_lowercase().trim_end_matches('.')),
                "the syntax is the one of the Rust regex crate: no look-around, no backreferences",
            );
        }
    };
    let properties = hir.properties();
    match properties.minimum_len() {
        None => {
            return refuse(
                "the regex can never match".into(),
                "remove the pattern, or the class that contains nothing",
            );
        }
        Some(0) => {
            return refuse("the regex matches the empty text".into(), "replace `*` by `+` or `{1,64}`");
        }
        Some(_) => {}
    }
    match properties.maximum_len() {
        None => refuse(
            "the regex has no longest match, and streamed text cannot be held back without end".into(),
            "give every repetition an upper bound, such as `{1,64}` for `+`",
        ),
        Some(longest) if longest > LONGEST_MATCH => refuse(
            format!("the regex may match {longest} bytes; the most is {LONGEST_MATCH}"),
            "lower the upper bounds of its repetitions; `.` and negated classes count four bytes a character",
        ),
        Some(_) if properties.look_set().contains_word_unicode() => refuse(
            "the regex uses a word boundary that has no automaton".into(),
            "use `\\b`, or name the characters that may stand beside the match",
        ),
        Some(_) => Ok(hir),
    }
}

/// The expression with the ASCII forms of Perl's classes and of word boundaries.
fn in_ascii(hir: Hir) -> Hir {
    let all = |hirs: Vec<Hir>| hirs.into_iter().map(in_ascii).collect();
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(Class::Unicode(class)) => Hir::class(Class::Unicode(ascii_class(class))),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            look => look,
        }),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(in_ascii(*repetition.sub));
            Hir::repetition(repetition)
        }
        HirKind::Capture(mut capture) => {
            capture.sub = Box::new(in_ascii(*capture.sub));
            Hir::capture(capture)
        }
        HirKind::Concat(hirs) => Hir::concat(all(hirs)),
        HirKind::Alternation(hirs) => Hir::alternation(all(hirs)),
    }
}

/// A class without what only the Unicode forms of `\w`, `\d` and `\s` put into it.
fn ascii_class(mut class: ClassUnicode) -> ClassUnicode {
    // A character for private use is in no Perl class, only in negated ones, which keep their meaning.
    const NEGATED: char = '\u{E000}';
    let contains = |class: &ClassUnicode, of: &ClassUnicode| {
        let mut missing = of.clone();
        missing.difference(class);
        missing.ranges().is_empty()
    };
    let private = ClassUnicode::new([ClassUnicodeRange::new(NEGATED, NEGATED)]);
    if contains(&class, &private) {
        return class;
    }
    let beyond_ascii = ClassUnicode::new([ClassUnicodeRange::new('\u{80}', char::MAX)]);
    for perl in [r"\w", r"\d", r"\s"] {
        let Ok(HirKind::Class(Class::Unicode(perl))) = regex_syntax::parse(perl).map(Hir::into_kind) else {
            continue;
        };
        if contains(&class, &perl) {
            let mut surplus = perl;
            surplus.intersect(&beyond_ascii);
            class.difference(&surplus);
        }
    }
    class
}

/// Why there is no automaton.
pub(super) enum Refused {
    TooLarge,
    Unsupported(String),
}

impl Refused {
    fn diagnostic(self, path: String) -> Diagnostic {
        match self {
            Refused::TooLarge => Diagnostic::error(
                "pattern-size",
                path,
                format!("the automaton would be larger than {} KB", MOST_AUTOMATON_BYTES / 1024),
            )
            .help("shorten counted repetitions, use `[a-z]` instead of `.` or `\\p{..}`, or split into fewer alternatives"),
            Refused::Unsupported(reason) => {
                Diagnostic::error("pattern-regex", path, format!("the regex cannot be built: {}", reason.to_lowercase()))
                    .help("simplify it; look-around and backreferences are not supported")
            }
        }
    }
}

fn build(expression: &Hir) -> Result<Automata, Refused> {
    let (forward, reverse) = determinise(expression)?;
    let forward = tabulate(&forward, Direction::Forward).ok_or(Refused::TooLarge)?;
    let reverse = tabulate(&reverse, Direction::Backward).ok_or(Refused::TooLarge)?;
    let automata = Automata { forward, reverse };
    if size(&automata) > MOST_AUTOMATON_BYTES { Err(Refused::TooLarge) } else { Ok(automata) }
}

/// The automaton that reads forwards, and the one that reads backwards.
pub(super) fn determinise(expression: &Hir) -> Result<(Dense, Dense), Refused> {
    let config = dense::Config::new()
        .dfa_size_limit(Some(MOST_AUTOMATON_BYTES))
        .determinize_size_limit(Some(MOST_BUILDING_BYTES))
        .accelerate(false)
        .prefilter(None);
    let forward = automaton(expression, config.clone().start_kind(StartKind::Both), false)?;
    let backward = config.start_kind(StartKind::Anchored).match_kind(MatchKind::All);
    Ok((forward, automaton(expression, backward, true)?))
}

/// An expression of a test, as the automata take it.
#[cfg(test)]
pub(super) fn parsed(regex: &str) -> Hir {
    in_ascii(regex_syntax::parse(regex).unwrap_or_else(|_| Hir::fail()))
}

type Dense = dense::DFA<Vec<u32>>;

fn automaton(expression: &Hir, config: dense::Config, reverse: bool) -> Result<Dense, Refused> {
    let shape = thompson::Config::new()
        .reverse(reverse)
        .which_captures(thompson::WhichCaptures::None)
        .nfa_size_limit(Some(MOST_BUILDING_BYTES));
    let nfa =
        thompson::Compiler::new().configure(shape).build_from_hir(expression).map_err(
            |problem| match problem.size_limit() {
                Some(_) => Refused::TooLarge,
                None => Refused::Unsupported(problem.to_string()),
            },
        )?;
    dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|problem| {
        match problem.is_size_limit_exceeded() {
            true => Refused::TooLarge,
            false => Refused::Unsupported(problem.to_string()),
        }
    })
}

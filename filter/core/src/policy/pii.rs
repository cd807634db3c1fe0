//! The `pii-detector` policy: what counts as personal data for this operator, and what stands in its place.
//!
//! Finds nothing itself (the scanners do) and edits no text. Invariant (the streaming law): the scanners take turns from
//! one place on, so their merged matches are the same however a text was cut into pieces.

use crate::config;
use crate::diagnostic::{Diagnostic, nearest};
use crate::scan::identifiers::{self, Identifier, Identifiers};
use crate::scan::patterns::Patterns;
use crate::scan::turns::{Find, Turns};
use crate::scan::{Match, Step};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the policy's block stands in the configuration.
const BLOCK: &str = "policy.pii-detector";

/// The most text that can wait for more; see [`identifiers::MAX_HELD_BYTES`].
pub const MAX_HELD_BYTES: usize = identifiers::MAX_HELD_BYTES;

/// Characters that `partial` leaves readable.
const LEFT_READABLE: usize = 4;

/// Names that other products give to our kinds.
const OTHER_NAMES: &[(&str, Identifier)] = &[
    ("ssn", Identifier::UsSsn),
    ("itin", Identifier::UsItin),
    ("pan", Identifier::CreditCard),
    ("card", Identifier::CreditCard),
    ("ip_address", Identifier::Ip),
    ("mac_address", Identifier::Mac),
    ("email_address", Identifier::Email),
    ("phone_number", Identifier::Phone),
];

/// The policy, ready to run.
pub struct Pii {
    action: config::Action,
    apply_to: config::ApplyTo,
    identifiers: Identifiers,
    patterns: Option<Patterns>,
    redaction: config::Redaction,
}

impl Pii {
    /// Checks the block and prepares its scanners. `automaton`: the operator's patterns as [`Patterns::to_bytes`] wrote
    /// them; without it they are built here, where feature `compile` allows it.
    ///
    /// [`Patterns::to_bytes`]: crate::scan::patterns::Patterns
    pub fn compile(config: &config::PiiDetector, automaton: Option<&[u8]>) -> Result<Pii, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let identifiers = kinds(config, &mut problems);
        let mut custom_markers = BTreeMap::new();
        for (name, marker) in &config.redaction.custom_markers {
            match Kind::named(name, config) {
                Some(kind) => {
                    let own_name = kind.built_in_name().unwrap_or(name);
                    custom_markers.insert(own_name.to_owned(), marker.clone());
                }
                None => problems.push(unknown_kind(
                    name,
                    format!("{BLOCK}.redaction.custom_markers.{name}"),
                    config,
                )),
            }
        }
        let patterns = match patterns(config, automaton) {
            Ok(patterns) => patterns,
            Err(refused) => {
                problems.extend(refused);
                None
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let redaction = config::Redaction { custom_markers, ..config.redaction.clone() };
        Ok(Pii { action: config.action, apply_to: config.apply_to, identifiers, patterns, redaction })
    }

    /// What is done about a match.
    pub fn action(&self) -> config::Action {
        self.action
    }

    /// Which direction is read.
    pub fn apply_to(&self) -> config::ApplyTo {
        self.apply_to
    }

    /// The operator's patterns as the filter takes them.
    #[cfg(feature = "compile")]
    pub fn automaton(&self) -> Option<Vec<u8>> {
        self.patterns.as_ref().map(Patterns::to_bytes)
    }

    /// Matches in `text[from..]`, ordered, not overlapping. May look back at text before `from`, never matches into it.
    pub fn inspect(&self, text: &str, from: usize, matches: &mut Vec<Match>) {
        self.walk(text, from, false, matches);
    }

    /// The same of a text that may go on: matches that no further text can change, and the earliest byte at or after `from`
    /// that may still become part of (or change) another; `text.len()` if none.
    pub fn decide(&self, text: &str, from: usize, matches: &mut Vec<Match>) -> usize {
        self.walk(text, from, true, matches)
    }

    fn walk(&self, text: &str, from: usize, more: bool, matches: &mut Vec<Match>) -> usize {
        let mut turns = Turns::new(self.scanners(), text, from);
        loop {
            match turns.next(|scanner, from| self.first(scanner, text, from, more)) {
                Step::Hit(find) => {
                    let kind = self.kind_of(find.kind);
                    matches.push(Match { kind, start: find.start, end: find.end, score: 1.0 });
                }
                Step::Open(at) => return at,
            }
        }
    }

    /// Appends to `out` what stands in the place of `matched`.
    pub fn marker(&self, kind: &str, matched: &str, out: &mut String) {
        let config::Redaction { marker_format, custom_markers, preserve_length } = &self.redaction;
        let characters = matched.chars().count();
        let stars = |out: &mut String, count: usize| out.extend(std::iter::repeat_n('*', count));
        let marker: Cow<str> = match (custom_markers.get(kind), marker_format) {
            (Some(marker), _) => marker.as_str().into(),
            (None, config::MarkerFormat::Label) => format!("[REDACTED:{}]", marker_name(kind)).into(),
            (None, config::MarkerFormat::Asterisk) => return stars(out, characters),
            (None, config::MarkerFormat::Partial) => {
                // Of something as short as what would stay readable, nothing does.
                let hidden = if characters > LEFT_READABLE { characters - LEFT_READABLE } else { characters };
                stars(out, hidden);
                out.extend(matched.chars().skip(hidden));
                return;
            }
        };
        if !preserve_length {
            return out.push_str(&marker);
        }
        let written = marker.chars().take(characters).count();
        out.extend(marker.chars().take(characters));
        stars(out, characters - written);
    }

    fn kind_of(&self, kind: Kind) -> Cow<'static, str> {
        match (kind, &self.patterns) {
            (Kind::Pattern(n), Some(patterns)) => patterns.names().get(n).cloned().unwrap_or_default().into(),
            (kind, _) => kind.built_in_name().unwrap_or_default().into(),
        }
    }
}

/// What is looked for: the built-in kinds of the block.
fn kinds(config: &config::PiiDetector, problems: &mut Vec<Diagnostic>) -> Identifiers {
    let mut identifiers = if config.healthcare_mode { Identifiers::all() } else { Identifiers::usual() };
    if let Some(entities) = &config.entities {
        identifiers = Identifiers::none();
        for (n, name) in entities.iter().enumerate() {
            match Kind::named(name, config) {
                Some(Kind::Identifier(kind)) => identifiers = identifiers.with(kind),
                // The operator's own kinds are always looked for.
                Some(Kind::Pattern(_)) => {}
                None => problems.push(unknown_kind(name, format!("{BLOCK}.entities[{n}]"), config)),
            }
        }
    }
    if !config.pci_mode {
        identifiers = identifiers.without(Identifier::CreditCard);
    }
    identifiers
}

fn unknown_kind(name: &str, path: String, config: &config::PiiDetector) -> Diagnostic {
    let built_in = || Identifier::ALL.iter().map(|kind| kind.name());
    let known = built_in().chain(config.detect_patterns.iter().map(|pattern| pattern.name.as_str()));
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the built-in entities are {}", built_in().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("unknown entity `{name}`");
    Diagnostic::error("unknown-entity", path, message).help(help)
}

/// The operator's patterns, from their automaton or built here.
fn patterns(
    config: &config::PiiDetector,
    automaton: Option<&[u8]>,
) -> Result<Option<Patterns>, Vec<Diagnostic>> {
    let wanted = &config.detect_patterns;
    if wanted.is_empty() {
        return Ok(None);
    }
    let path = format!("{BLOCK}.detect_patterns");
    let taken = |(n, name): (usize, &str)| {
        Identifier::from_name(name).map(Identifier::name).map(|kind| {
            Diagnostic::error(
                "pattern-name",
                format!("{path}[{n}].name"),
                format!("`{kind}` is a built-in entity"),
            )
            .help("give the pattern a name of its own; it is looked for beside the built-in one")
        })
    };
    let mut taken: Vec<_> =
        wanted.iter().map(|pattern| pattern.name.as_str()).enumerate().filter_map(taken).collect();
    let Some(bytes) = automaton else {
        let built = build(wanted);
        if taken.is_empty() {
            return built.map(Some);
        }
        taken.extend(built.err().unwrap_or_default());
        return Err(taken);
    };
    if !taken.is_empty() {
        return Err(taken);
    }
    let problem = |message: String| vec![Diagnostic::error("pattern-automaton", path.clone(), message)];
    let patterns = Patterns::from_bytes(bytes).map_err(|damaged| problem(damaged.to_string()))?;
    if !patterns.names().iter().eq(wanted.iter().map(|pattern| &pattern.name)) {
        return Err(problem(
            "the pattern automaton belongs to another configuration; render it again".into(),
        ));
    }
    Ok(Some(patterns))
}

#[cfg(feature = "compile")]
fn build(wanted: &[config::DetectPattern]) -> Result<Patterns, Vec<Diagnostic>> {
    Patterns::compile(wanted).map_err(|mut problems| {
        problems.iter_mut().for_each(|problem| problem.path = format!("{BLOCK}.{}", problem.path));
        problems
    })
}

#[cfg(not(feature = "compile"))]
fn build(_: &[config::DetectPattern]) -> Result<Patterns, Vec<Diagnostic>> {
    let message = "the patterns' automaton is missing from the filter's configuration";
    let problem = Diagnostic::error("pattern-automaton", format!("{BLOCK}.detect_patterns"), message);
    Err(vec![problem.help("render the configuration with `kt-control render`, which builds it")])
}

/// The name in a marker.
fn marker_name(kind: &str) -> Cow<'static, str> {
    match Identifier::from_name(kind) {
        Some(kind) => kind.marker_name().into(),
        None => kind.to_ascii_uppercase().into(),
    }
}

/// A kind of any scanner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Identifier(Identifier),
    Pattern(usize),
}

impl Kind {
    fn built_in_name(self) -> Option<&'static str> {
        match self {
            Kind::Identifier(kind) => Some(kind.name()),
            Kind::Pattern(_) => None,
        }
    }

    fn named(name: &str, config: &config::PiiDetector) -> Option<Kind> {
        Identifier::from_name(name)
            .map(Kind::Identifier)
            .or_else(|| {
                OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, kind)| Kind::Identifier(*kind))
            })
            .or_else(|| {
                config.detect_patterns.iter().position(|pattern| pattern.name == name).map(Kind::Pattern)
            })
    }
}

/// Scanners before the operator's patterns.
const BUILT_IN_SCANNERS: usize = 2;

impl Pii {
    fn scanners(&self) -> usize {
        BUILT_IN_SCANNERS + self.patterns.as_ref().map_or(0, |patterns| patterns.names().len())
    }

    /// What the scanner with this number finds first in `text[from..]`.
    fn first(&self, scanner: usize, text: &str, from: usize, more: bool) -> Step<Find<Kind>> {
        let find =
            |hit: identifiers::Hit| Find { kind: Kind::Identifier(hit.kind), start: hit.start, end: hit.end };
        match (scanner, &self.patterns) {
            // Where both find the same, the label knows better.
            (0, _) => identifiers::next_labelled(self.identifiers, text, from, more).map(find),
            (1, _) => identifiers::next(self.identifiers, text, from, more).map(find),
            (scanner, Some(patterns)) if scanner >= BUILT_IN_SCANNERS => {
                let pattern = scanner - BUILT_IN_SCANNERS;
                patterns.next(pattern, text, from, more).map(|hit| Find {
                    kind: Kind::Pattern(pattern),
                    start: hit.start,
                    end: hit.end,
                })
            }
            _ => Step::Open(text.len()),
        }
    }
}

//! The policies and the chain they form.
//!
//! A policy sees texts, never JSON, SSE or another policy. Every policy inspects the text as it was written and the edits
//! are merged afterwards, so the order of the chain decides one thing: which block is reported.

pub(crate) mod memory;
pub mod model;
pub mod observe;
pub mod pii;
pub mod prompt_injection;
pub(crate) mod quality;
pub mod safety;

use crate::config::{Action, ApplyTo, Mode, Policies, PolicyBlocks, Role, When};
use crate::diagnostic::Diagnostic;
use crate::routing::Shared;
use crate::scan::Match;
use crate::scan::words::{Lexicon, Words};
use model::Scorer;
use pii::Pii;
use prompt_injection::Injection;
use quality::Quality;
use safety::Safety;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// The policies that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyKind {
    /// Instructions that try to override the operator's.
    PromptInjection,
    /// Personal data and secrets.
    PiiDetector,
    /// Unsafe content.
    SafetyFilter,
    /// Answers that are not what was asked for.
    QualityScorer,
    /// One event per exchange.
    AuditLogger,
    /// What may be spent.
    BudgetEnforcement,
}

impl PolicyKind {
    /// All of them.
    pub const ALL: [PolicyKind; 6] = [
        PolicyKind::PromptInjection,
        PolicyKind::PiiDetector,
        PolicyKind::SafetyFilter,
        PolicyKind::QualityScorer,
        PolicyKind::AuditLogger,
        PolicyKind::BudgetEnforcement,
    ];

    /// The name in the chain and in reason codes.
    pub const fn name(self) -> &'static str {
        match self {
            PolicyKind::PromptInjection => "prompt-injection",
            PolicyKind::PiiDetector => "pii-detector",
            PolicyKind::SafetyFilter => "safety-filter",
            PolicyKind::QualityScorer => "quality-scorer",
            PolicyKind::AuditLogger => "audit-logger",
            PolicyKind::BudgetEnforcement => "budget-enforcement",
        }
    }

    /// The policy of that name, or of its other name.
    pub fn from_name(name: &str) -> Option<PolicyKind> {
        if name == "content-quality" {
            return Some(PolicyKind::QualityScorer);
        }
        PolicyKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which way a text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the model.
    Request,
    /// From the model to the client.
    Response,
}

/// A match together with what its policy wants done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Whose it is.
    pub policy: PolicyKind,
    /// Second half of the reason code.
    pub kind: Cow<'static, str>,
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What the policy is configured to do.
    pub action: Action,
    /// Whether it does it.
    pub mode: Mode,
    /// Strength of the evidence from 0 to 1.
    pub score: f32,
}

impl Finding {
    /// `<policy>.<kind>`, such as `pii-detector.email`.
    pub fn reason(&self) -> String {
        format!("{}.{}", self.policy.name(), self.kind)
    }

    /// Whether the text must not pass.
    pub fn blocks(&self) -> bool {
        self.action == Action::Block && self.mode == Mode::Enforce
    }

    /// Whether the match must be replaced.
    pub fn redacts(&self) -> bool {
        self.action == Action::Redact && self.mode == Mode::Enforce
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.links.iter().map(|link| link.policy.kind())).finish()
    }
}

/// One policy of the chain.
struct Link {
    policy: Policy,
    when: When,
    mode: Mode,
}

enum Policy {
    Injection(Box<Injection>),
    Pii(Box<Pii>),
    Safety(Box<Safety>),
    Quality(Box<Quality>),
    Audit,
    Budget(Action),
}

impl Policy {
    fn kind(&self) -> PolicyKind {
        match self {
            Policy::Injection(_) => PolicyKind::PromptInjection,
            Policy::Pii(_) => PolicyKind::PiiDetector,
            Policy::Safety(_) => PolicyKind::SafetyFilter,
            Policy::Quality(_) => PolicyKind::QualityScorer,
            Policy::Audit => PolicyKind::AuditLogger,
            Policy::Budget(_) => PolicyKind::BudgetEnforcement,
        }
    }

    fn action(&self) -> Action {
        match self {
            Policy::Injection(injection) => injection.action(),
            Policy::Pii(pii) => pii.action(),
            Policy::Safety(safety) => safety.action(),
            Policy::Quality(quality) => quality.action(),
            Policy::Audit => Action::Warn,
            Policy::Budget(action) => *action,
        }
    }

    fn reads(&self, direction: Direction) -> bool {
        let apply_to = match self {
            Policy::Injection(_) => ApplyTo::Input,
            Policy::Pii(pii) => pii.apply_to(),
            Policy::Safety(safety) => safety.apply_to(),
            Policy::Quality(_) => ApplyTo::Output,
            Policy::Audit | Policy::Budget(_) => return false,
        };
        match direction {
            Direction::Request => apply_to != ApplyTo::Output,
            Direction::Response => apply_to != ApplyTo::Input,
        }
    }

    /// Whether the policy works on the word pass.
    fn reads_words(&self) -> bool {
        matches!(self, Policy::Injection(_) | Policy::Safety(_))
    }
}

/// The links that apply to one exchange: one bit each, in the order of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Active(u32);

impl Active {
    fn has(self, position: usize) -> bool {
        self.0 & (1 << position) != 0
    }
}

/// What the conditions of a link are asked about.
pub trait Facts {
    /// The request's path without its query.
    fn path(&self) -> &str;
    /// A request header by its lower-case name.
    fn header(&self, name: &str) -> Option<&str>;
    /// The request's `model`.
    fn model(&self) -> Option<&str>;
}

/// Buffers that one inspection leaves behind for the next.
#[derive(Default)]
pub struct Scratch {
    words: Words,
    scorer: Scorer,
    matches: Vec<Match>,
    /// Takes the time of each policy.
    pub(crate) watch: Option<Watch>,
}

/// What each policy spent, in nanoseconds. The pass over the words counts for the first policy that works on it.
pub(crate) struct Watch {
    pub(crate) clock: Rc<dyn Shared>,
    pub(crate) spent_ns: [u64; PolicyKind::ALL.len()],
}

/// Links fit the bits of [`Active`].
const MAX_LINKS: usize = 32;

/// What `kt-control` built of the operator's regular expressions. What is absent is built where feature `compile` allows it.
#[derive(Clone, Copy, Default)]
pub struct Automata<'a> {
    /// Of `pii-detector`'s patterns.
    pub patterns: Option<&'a [u8]>,
    /// Of `quality-scorer`'s assertions.
    pub assertions: Option<&'a [u8]>,
}

/// The compiled chain.
pub struct Chain {
    links: Vec<Link>,
    /// Words of both word policies.
    request_lexicon: Lexicon,
    /// Words that matter in answers.
    answer_lexicon: Lexicon,
}

/// How far each policy has decided a text that may go on.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    pii: usize,
    safety: usize,
}

impl Decided {
    /// How far all of them have.
    pub fn by_all(&self) -> usize {
        self.pii.min(self.safety)
    }

    /// Whether the policy that made the finding has decided it.
    pub fn is_final(&self, finding: &Finding) -> bool {
        let place = if finding.policy == PolicyKind::PiiDetector { self.pii } else { self.safety };
        finding.range.end <= place
    }
}

impl Chain {
    /// Compiles every policy of the chain and adds what is wrong with their blocks to `problems`; the chain is of use only
    /// if there are none. Names that are no policy are the plan's to report.
    pub(crate) fn compile(
        policies: &Policies,
        blocks: &PolicyBlocks,
        automata: Automata,
        problems: &mut Vec<Diagnostic>,
    ) -> Chain {
        let mut links: Vec<Link> = Vec::new();
        for entry in policies.chain.iter().take(MAX_LINKS) {
            let Some(kind) = PolicyKind::from_name(&entry.name) else { continue };
            match compile_policy(kind, blocks, automata) {
                Ok(policy) => {
                    let (when, mode) = (entry.options.when.clone(), entry.options.mode);
                    links.push(Link { policy, when, mode });
                }
                Err(found) => problems.extend(found),
            }
        }
        let injection = links.iter().find_map(|link| match &link.policy {
            Policy::Injection(injection) => Some(&**injection),
            _ => None,
        });
        let safety = links.iter().find_map(|link| match &link.policy {
            Policy::Safety(safety) => Some(&**safety),
            _ => None,
        });
        let request_lexicon = prompt_injection::lexicon(injection, safety);
        let answer_lexicon = prompt_injection::answer_lexicon(safety);
        Chain { links, request_lexicon, answer_lexicon }
    }

    /// The links whose conditions hold.
    pub fn active(&self, facts: &impl Facts) -> Active {
        let holds = |when: &When| {
            when.path.as_ref().is_none_or(|prefix| facts.path().starts_with(prefix.as_str()))
                && (when.model.is_empty()
                    || facts.model().is_some_and(|model| when.model.iter().any(|m| m == model)))
                && when.header.iter().all(|(name, wanted)| {
                    facts
                        .header(&name.to_ascii_lowercase())
                        .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
                })
        };
        let bits = self.links.iter().enumerate().filter(|(_, link)| holds(&link.when));
        Active(bits.fold(0, |bits, (position, _)| bits | 1 << position))
    }

    /// The audit logger alone, for a pack that enforces nothing.
    pub fn only_audit(&self) -> Active {
        let audit = self.links.iter().position(|link| matches!(link.policy, Policy::Audit));
        Active(audit.map_or(0, |position| 1 << position))
    }

    /// Whether `a`'s policy stands before `b`'s in the chain.
    pub fn comes_before(&self, a: &Finding, b: &Finding) -> bool {
        let position =
            |finding: &Finding| self.links.iter().position(|link| link.policy.kind() == finding.policy);
        position(a) < position(b)
    }

    /// Every link, whatever its conditions.
    pub fn all(&self) -> Active {
        Active((1u64 << self.links.len()).wrapping_sub(1) as u32)
    }

    /// Whether any active policy reads texts that travel this way.
    pub fn reads(&self, active: Active, direction: Direction) -> bool {
        self.active_links(active).any(|link| link.policy.reads(direction))
    }

    /// Whether personal data is replaced in every text, both ways.
    pub(crate) fn redacts(&self, active: Active) -> bool {
        self.active_links(active).any(|link| match &link.policy {
            Policy::Pii(pii) => {
                link.mode == Mode::Enforce
                    && pii.action() == Action::Redact
                    && pii.apply_to() == ApplyTo::Both
            }
            _ => false,
        })
    }

    /// What reaching a budget means for this exchange; `None`: it has none.
    pub(crate) fn budget(&self, active: Active) -> Option<(Action, Mode)> {
        self.active_links(active).find_map(|link| match link.policy {
            Policy::Budget(action) => Some((action, link.mode)),
            _ => None,
        })
    }

    /// The active policies that read texts that travel this way.
    pub(crate) fn readers(&self, active: Active, direction: Direction) -> impl Iterator<Item = PolicyKind> {
        let links = self.active_links(active).filter(move |link| link.policy.reads(direction));
        links.map(|link| link.policy.kind())
    }

    /// How many of so many texts, of the request and of the answer, each active policy has read; those that read none are left out.
    pub(crate) fn texts_read(
        &self,
        active: Active,
        [request, response]: [u32; 2],
    ) -> impl Iterator<Item = (PolicyKind, u32)> {
        let read = move |link: &Link| {
            let of = |direction, texts| if link.policy.reads(direction) { texts } else { 0 };
            (link.policy.kind(), of(Direction::Request, request) + of(Direction::Response, response))
        };
        self.active_links(active).map(read).filter(|(_, texts)| *texts > 0)
    }

    /// Whether the event of this exchange is wanted.
    pub fn audits(&self, active: Active) -> bool {
        self.active_links(active).any(|link| matches!(link.policy, Policy::Audit))
    }

    /// The automaton of the operator's patterns, if there are any.
    #[cfg(feature = "compile")]
    pub fn pattern_automaton(&self) -> Option<Vec<u8>> {
        self.links.iter().find_map(|link| match &link.policy {
            Policy::Pii(pii) => pii.automaton(),
            _ => None,
        })
    }

    /// The automaton of the assertions' regular expressions, if there are any.
    #[cfg(feature = "compile")]
    pub fn assertion_automaton(&self) -> Option<Vec<u8>> {
        self.links.iter().find_map(|link| match &link.policy {
            Policy::Quality(quality) => quality.automaton(),
            _ => None,
        })
    }

    /// The scorer of whole answers, if it is active, and its mode.
    pub(crate) fn quality(&self, active: Active) -> Option<(&Quality, Mode)> {
        self.active_links(active).find_map(|link| match &link.policy {
            Policy::Quality(quality) => Some((&**quality, link.mode)),
            _ => None,
        })
    }

    /// The refusal text an operator gave a policy.
    pub fn message(&self, policy: PolicyKind) -> Option<&str> {
        self.links.iter().find_map(|link| match &link.policy {
            Policy::Injection(injection) if policy == PolicyKind::PromptInjection => injection.message(),
            _ => None,
        })
    }

    /// Appends what the active policies find in `text[from..]`, in the order of the chain and by place within a policy.
    ///
    /// Text before `from` was decided earlier; it is looked at only to judge what follows.
    #[allow(clippy::too_many_arguments, reason = "one call site each for whole texts and for streams")]
    pub fn inspect(
        &self,
        active: Active,
        direction: Direction,
        role: Role,
        text: &str,
        from: usize,
        scratch: &mut Scratch,
        findings: &mut Vec<Finding>,
    ) {
        self.read((active, direction, role), text, from, false, scratch, findings);
    }

    /// The same for a streamed answer, whose text may go on: also says how far each policy has decided it. What begins
    /// before and ends behind that is not for certain.
    pub fn decide(
        &self,
        active: Active,
        text: &str,
        from: usize,
        scratch: &mut Scratch,
        findings: &mut Vec<Finding>,
    ) -> Decided {
        self.read((active, Direction::Response, Role::Assistant), text, from, true, scratch, findings)
    }

    /// `more`: the text may go on.
    #[inline(never)]
    fn read(
        &self,
        (active, direction, role): (Active, Direction, Role),
        text: &str,
        from: usize,
        more: bool,
        scratch: &mut Scratch,
        findings: &mut Vec<Finding>,
    ) -> Decided {
        let mut decided = Decided { pii: text.len(), safety: text.len() };
        let mut words_are_read = false;
        for link in self.active_links(active).filter(|link| link.policy.reads(direction)) {
            if matches!(&link.policy, Policy::Injection(injection) if !injection.reads(role)) {
                continue;
            }
            let started_ns = scratch.watch.as_ref().map_or(0, |watch| watch.clock.now_ns());
            if link.policy.reads_words() && !words_are_read {
                match direction {
                    Direction::Request => {
                        scratch.scorer.reset();
                        scratch.words.scan_into(&self.request_lexicon, text, &mut scratch.scorer);
                    }
                    // A stream must come to the same verdict as the whole answer, and no sum over a text can.
                    Direction::Response => scratch.words.scan(&self.answer_lexicon, text, from),
                }
                words_are_read = true;
            }
            scratch.matches.clear();
            match &link.policy {
                Policy::Injection(injection) => {
                    let data = role == Role::Tool;
                    scratch.matches.extend(injection.inspect(&scratch.words, &scratch.scorer, text, data));
                }
                Policy::Pii(pii) if more => decided.pii = pii.decide(text, from, &mut scratch.matches),
                Policy::Pii(pii) => pii.inspect(text, from, &mut scratch.matches),
                Policy::Safety(safety) if direction == Direction::Request => {
                    let Scratch { words, scorer, matches, .. } = &mut *scratch;
                    safety.judge(&self.request_lexicon, words, scorer, text, matches);
                }
                Policy::Safety(safety) => {
                    safety.inspect(&scratch.words, text, from, &mut scratch.matches);
                    if more {
                        decided.safety = safety.open_from(&scratch.words, text, from);
                    }
                }
                // Judges whole answers, once they are complete.
                Policy::Quality(_) | Policy::Audit | Policy::Budget(_) => {}
            }
            findings.extend(scratch.matches.drain(..).map(|found| Finding {
                policy: link.policy.kind(),
                kind: found.kind,
                range: found.start..found.end,
                action: link.policy.action(),
                mode: link.mode,
                score: found.score,
            }));
            if let Some(watch) = &mut scratch.watch
                && let Some(spent) = watch.spent_ns.get_mut(link.policy.kind() as usize)
            {
                *spent += watch.clock.now_ns().saturating_sub(started_ns);
            }
        }
        decided
    }

    /// Writes what replaces `matched`.
    pub fn marker(&self, finding: &Finding, matched: &str, out: &mut String) {
        for link in &self.links {
            match (&link.policy, finding.policy) {
                (Policy::Pii(pii), PolicyKind::PiiDetector) => {
                    return pii.marker(&finding.kind, matched, out);
                }
                (Policy::Quality(quality), PolicyKind::QualityScorer) => {
                    return out.push_str(quality.message());
                }
                _ => {}
            }
        }
        out.push_str("[REDACTED:");
        out.extend(finding.kind.chars().map(|c| c.to_ascii_uppercase()));
        out.push(']');
    }

    /// Scores of the two scored policies over one text, for evaluation: prompt injection, then safety.
    pub fn scores(&self, text: &str, scratch: &mut Scratch) -> (Option<f32>, Option<f32>) {
        scratch.scorer.reset();
        scratch.words.scan_into(&self.request_lexicon, text, &mut scratch.scorer);
        let (words, scorer) = (&scratch.words, &scratch.scorer);
        let (mut injection_score, mut safety_score) = (None, None);
        for link in &self.links {
            match &link.policy {
                Policy::Injection(injection) => {
                    injection_score = Some(injection.score(words, scorer, text, false))
                }
                Policy::Safety(safety) => safety_score = Some(safety.score(words, scorer, text)),
                Policy::Pii(_) | Policy::Quality(_) | Policy::Audit | Policy::Budget(_) => {}
            }
        }
        (injection_score, safety_score)
    }

    fn active_links(&self, active: Active) -> impl Iterator<Item = &Link> {
        self.links.iter().enumerate().filter(move |(position, _)| active.has(*position)).map(|(_, link)| link)
    }
}

fn compile_policy(
    kind: PolicyKind,
    blocks: &PolicyBlocks,
    automata: Automata,
) -> Result<Policy, Vec<Diagnostic>> {
    Ok(match kind {
        PolicyKind::PromptInjection => {
            let block = blocks.prompt_injection.clone().unwrap_or_default();
            Policy::Injection(Box::new(Injection::compile(&block)?))
        }
        PolicyKind::PiiDetector => {
            let block = blocks.pii_detector.clone().unwrap_or_default();
            Policy::Pii(Box::new(Pii::compile(&block, automata.patterns)?))
        }
        PolicyKind::SafetyFilter => {
            let block = blocks.safety_filter.clone().unwrap_or_default();
            Policy::Safety(Box::new(Safety::compile(&block)?))
        }
        PolicyKind::QualityScorer => {
            let block = blocks.quality_scorer.clone().unwrap_or_default();
            Policy::Quality(Box::new(Quality::compile(&block, automata.assertions)?))
        }
        PolicyKind::BudgetEnforcement => {
            Policy::Budget(blocks.budget_enforcement.as_ref().map_or(Action::Block, |block| block.action))
        }
        PolicyKind::AuditLogger => {
            let block = blocks.audit_logger.clone().unwrap_or_default();
            if block.retention_days == 0 {
                let path = "policy.audit-logger.retention_days";
                return Err(vec![Diagnostic::error(
                    "zero-retention",
                    path,
                    "events must be kept for at least one day",
                )]);
            }
            Policy::Audit
        }
    })
}

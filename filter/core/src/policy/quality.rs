//! The `quality-scorer` policy: scores an answer once it is complete, by checks that give the same result every time.
//!
//! Asks no model, reads no JSON (what must be parsed is given as facts) and holds no stream back. The score is the share, by
//! weight, of what was asked for and is there. Asked for: the operator's bounds and assertions, the format of the request,
//! well-formed arguments of tool calls. A defect that nobody needs to ask about (a refusal, a loop, an answer cut off, another
//! language than the question's) counts where it is found. Invariant: an answer without a defect, of which nothing was asked,
//! scores 1.

pub(crate) mod prose;

use crate::config::{self, AssertionKind, FailureWord};
use crate::diagnostic::Diagnostic;
use crate::scan::patterns::Patterns;
use prose::Language;

const BLOCK: &str = "policy.quality-scorer";

/// The weight of what was asked for in the request, or without words. The operator's assertions have their own.
const USUAL_WEIGHT: f64 = 1.0;

/// What is known of an answer besides its prose.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Why it ended.
    pub(crate) finish_reason: Option<&'a str>,
    /// It is JSON.
    pub(crate) is_json: bool,
    /// JSON was asked for.
    pub(crate) wants_json: bool,
    /// It is what the schema of the request asks for, if there is one.
    pub(crate) conforms: Option<bool>,
    /// The arguments of its tool calls are JSON, if there are any.
    pub(crate) arguments: Option<bool>,
    /// It has a refusal in a field of its own.
    pub(crate) refused: bool,
    /// The language of the question.
    pub(crate) asked_in: Option<Language>,
}

/// What came out.
#[derive(Debug, PartialEq)]
pub(crate) struct Score {
    /// From 0 to 1.
    pub(crate) aggregate: f64,
    /// It is below the threshold.
    pub(crate) fails: bool,
    /// Checks that failed, by the second half of their reason code.
    pub(crate) failed: Vec<&'static str>,
}

impl Score {
    /// The aggregate as it stands in headers: two decimals.
    pub(crate) fn written(&self) -> String {
        let hundredths = (self.aggregate * 100.0) as u32;
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        let mut text = whole.to_string();
        text.push('.');
        text.push(char::from(b'0' + (rest / 10) as u8));
        text.push(char::from(b'0' + (rest % 10) as u8));
        text
    }
}

/// The policy, ready to run.
pub(crate) struct Quality {
    config: config::QualityScorer,
    patterns: Option<Patterns>,
}

impl Quality {
    /// Checks the block. `automaton`: the assertions' regular expressions as `kt-control` built them; without it they are
    /// built here, where feature `compile` allows it.
    pub(crate) fn compile(
        config: &config::QualityScorer,
        automaton: Option<&[u8]>,
    ) -> Result<Quality, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        if !(0.0..=1.0).contains(&config.thresholds.min_aggregate) {
            let path = format!("{BLOCK}.thresholds.min_aggregate");
            problems.push(Diagnostic::error("bad-threshold", path, "the threshold is a number from 0 to 1"));
        }
        if config.max_output_chars.is_some_and(|most| most < config.min_output_chars) {
            let path = format!("{BLOCK}.max_output_chars");
            problems.push(Diagnostic::error(
                "bad-bounds",
                path,
                "`max_output_chars` is below `min_output_chars`",
            ));
        }
        let failure = &config.failure_action;
        if failure.action == FailureWord::Fallback && failure.fallback_message.is_empty() {
            let message = "`fallback` needs a `fallback_message`, which takes the place of the answer";
            let help = "an answer that is there cannot be asked of another target any more";
            let path = format!("{BLOCK}.failure_action");
            problems.push(Diagnostic::error("no-fallback-message", path, message).help(help));
        }
        for (n, assertion) in config.assertions.iter().enumerate() {
            let mut refuse = |key: &str, message: &str| {
                let path = format!("{BLOCK}.assertions[{n}].{key}");
                problems.push(Diagnostic::error("bad-assertion", path, message));
            };
            if !(assertion.weight > 0.0 && assertion.weight <= 1000.0) {
                refuse("weight", "a weight is above 0 and at most 1000");
            }
            if assertion.kind.needs_value() && assertion.value.is_empty() {
                refuse("value", "this assertion needs a `value`");
            } else if assertion.kind == AssertionKind::Language && Language::named(&assertion.value).is_none()
            {
                refuse(
                    "value",
                    "not a language that can be told: en, de, fr, es, it, pt, nl, el, he, ko, thai, han, kana, cyrillic, arabic, devanagari",
                );
            }
        }
        let patterns = match patterns(config, automaton) {
            Ok(patterns) => patterns,
            Err(refused) => {
                problems.extend(refused);
                None
            }
        };
        match problems.is_empty() {
            true => Ok(Quality { config: config.clone(), patterns }),
            false => Err(problems),
        }
    }

    /// What is done about an answer below the threshold.
    pub(crate) fn action(&self) -> config::Action {
        match self.config.failure_action.action {
            FailureWord::Warn => config::Action::Warn,
            FailureWord::Block => config::Action::Block,
            FailureWord::Fallback => config::Action::Redact,
        }
    }

    /// What takes the place of an answer below the threshold.
    pub(crate) fn message(&self) -> &str {
        &self.config.failure_action.fallback_message
    }

    /// Whether any check has to know if the answer is JSON.
    pub(crate) fn reads_json(&self) -> bool {
        self.config.assertions.iter().any(|assertion| assertion.kind == AssertionKind::IsJson)
    }

    /// The assertions' regular expressions as the filter takes them.
    #[cfg(feature = "compile")]
    pub(crate) fn automaton(&self) -> Option<Vec<u8>> {
        self.patterns.as_ref().map(Patterns::to_bytes)
    }

    /// Scores one complete answer.
    pub(crate) fn score(&self, text: &str, facts: &Facts) -> Score {
        let mut tally = Tally::default();
        let config = &self.config;
        let (least, most) = (config.min_output_chars as usize, config.max_output_chars);
        // Tool calls are an answer without prose.
        let speaks = facts.arguments.is_none() || !text.trim().is_empty();
        if speaks && (least > 0 || most.is_some()) {
            let length = text.trim().chars().count();
            tally.asked("length", length >= least && most.is_none_or(|most| length <= most as usize));
        }
        if speaks && config.min_sentences > 0 {
            tally.asked("sentences", prose::sentences(text) >= config.min_sentences as usize);
        }
        if speaks && facts.wants_json {
            tally.asked("json", facts.is_json);
        }
        if let Some(conforms) = facts.conforms.filter(|_| speaks) {
            tally.asked("schema", conforms);
        }
        if let Some(valid) = facts.arguments {
            tally.asked("tool_arguments", valid);
        }
        tally.defect("refusal", facts.refused || prose::is_refusal(text));
        tally.defect("repetition", prose::is_loop(text));
        tally.defect("truncated", facts.finish_reason == Some("length"));
        let other_language = match (facts.asked_in, facts.wants_json) {
            (Some(asked), false) => prose::language(text).is_some_and(|language| language != asked),
            _ => false,
        };
        tally.defect("language", other_language);
        let mut pattern = 0;
        for assertion in &config.assertions {
            let holds = self.holds(assertion, pattern, text, facts);
            pattern += usize::from(assertion.kind == AssertionKind::Regex);
            tally.count(assertion.kind.reason(), holds != assertion.negate, assertion.weight);
        }
        let aggregate = tally.aggregate();
        Score { aggregate, fails: aggregate < config.thresholds.min_aggregate, failed: tally.failed }
    }

    fn holds(&self, assertion: &config::Assertion, pattern: usize, text: &str, facts: &Facts) -> bool {
        let folded;
        let value;
        let (text, wanted) = match assertion.case_sensitive {
            true => (text.trim(), assertion.value.as_str()),
            false => {
                (folded, value) = (prose::lower(text.trim()), prose::lower(&assertion.value));
                (folded.as_str(), value.as_str())
            }
        };
        match assertion.kind {
            AssertionKind::Contains => text.contains(wanted),
            AssertionKind::StartsWith => text.starts_with(wanted),
            AssertionKind::EndsWith => text.ends_with(wanted),
            AssertionKind::Equals => text == wanted,
            AssertionKind::Regex => {
                self.patterns.as_ref().is_some_and(|patterns| patterns.matches(pattern, text))
            }
            AssertionKind::IsJson => facts.is_json,
            AssertionKind::IsRefusal => facts.refused || prose::is_refusal(text),
            AssertionKind::FinishReason => facts.finish_reason == Some(wanted),
            AssertionKind::Language => prose::language(text).map(Language::name) == Some(wanted),
        }
    }
}

#[derive(Default)]
struct Tally {
    all: f64,
    held: f64,
    failed: Vec<&'static str>,
}

impl Tally {
    fn count(&mut self, name: &'static str, holds: bool, weight: f64) {
        self.all += weight;
        if holds {
            self.held += weight;
        } else if !self.failed.contains(&name) {
            self.failed.push(name);
        }
    }

    fn asked(&mut self, name: &'static str, holds: bool) {
        self.count(name, holds, USUAL_WEIGHT);
    }

    fn defect(&mut self, name: &'static str, found: bool) {
        if found {
            self.count(name, false, USUAL_WEIGHT);
        }
    }

    fn aggregate(&self) -> f64 {
        if self.all > 0.0 { self.held / self.all } else { 1.0 }
    }
}

/// The assertions' regular expressions, from their automaton or built here.
fn patterns(
    config: &config::QualityScorer,
    automaton: Option<&[u8]>,
) -> Result<Option<Patterns>, Vec<Diagnostic>> {
    let wanted = config.assertions.iter().filter(|assertion| assertion.kind == AssertionKind::Regex).count();
    if wanted == 0 {
        return Ok(None);
    }
    let Some(bytes) = automaton else { return build(config).map(Some) };
    let problem = |message: String| {
        vec![Diagnostic::error("pattern-automaton", format!("{BLOCK}.assertions"), message)]
    };
    let patterns = Patterns::from_bytes(bytes).map_err(|damaged| problem(damaged.to_string()))?;
    if patterns.names().len() != wanted {
        return Err(problem(
            "the pattern automaton belongs to another configuration; render it again".into(),
        ));
    }
    Ok(Some(patterns))
}

#[cfg(feature = "compile")]
fn build(config: &config::QualityScorer) -> Result<Patterns, Vec<Diagnostic>> {
    let assertions = config.assertions.iter().enumerate();
    let wanted: Vec<_> = assertions.filter(|(_, assertion)| assertion.kind == AssertionKind::Regex).collect();
    let patterns: Vec<config::DetectPattern> = wanted
        .iter()
        .map(|(n, assertion)| config::DetectPattern {
            name: format!("assertion_{n}"),
            regex: match assertion.case_sensitive {
                true => assertion.value.clone(),
                false => format!("(?i){}", assertion.value),
            },
        })
        .collect();
    Patterns::compile(&patterns).map_err(|mut problems| {
        for problem in &mut problems {
            let place = wanted.iter().enumerate().find(|(at, _)| problem.path.contains(&format!("[{at}]")));
            problem.path = match place {
                Some((_, (n, _))) => format!("{BLOCK}.assertions[{n}].value"),
                None => format!("{BLOCK}.assertions"),
            };
        }
        problems
    })
}

#[cfg(not(feature = "compile"))]
fn build(_: &config::QualityScorer) -> Result<Patterns, Vec<Diagnostic>> {
    let message = "the assertions' automaton is missing from the filter's configuration";
    let problem = Diagnostic::error("pattern-automaton", format!("{BLOCK}.assertions"), message);
    Err(vec![problem.help("render the configuration with `kt-control render`, which builds it")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Assertion, FailureAction, QualityScorer};

    fn assertion(kind: AssertionKind, value: &str) -> Assertion {
        Assertion { kind, value: value.into(), weight: 1.0, negate: false, case_sensitive: true }
    }

    #[track_caller]
    fn check(config: &QualityScorer, text: &str, facts: &Facts, expected: (&str, &[&str])) {
        let quality = Quality::compile(config, None).unwrap();
        let score = quality.score(text, facts);
        assert_eq!((score.written().as_str(), score.failed.as_slice()), expected, "{text}");
        assert_eq!(score.fails, score.aggregate < config.thresholds.min_aggregate);
    }

    #[test]
    fn an_answer_of_which_nothing_was_asked_fails_only_by_a_defect() {
        let config = QualityScorer::default();
        check(&config, "The sky is blue.", &Facts::default(), ("1.00", &[]));
        check(&config, "", &Facts::default(), ("1.00", &[]));
        check(&config, "I'm sorry, but I can't help with that.", &Facts::default(), ("0.00", &["refusal"]));
        let cut = Facts { finish_reason: Some("length"), ..Facts::default() };
        check(&config, "The sky is", &cut, ("0.00", &["truncated"]));
        let german = Facts { asked_in: Language::named("de"), ..Facts::default() };
        let english = "What you have is the best that can be.";
        check(&config, english, &german, ("0.00", &["language"]));
        check(&config, &"no end, ".repeat(40), &Facts::default(), ("0.00", &["repetition"]));
    }

    #[test]
    fn what_the_request_asks_for_counts_both_ways() {
        let config = QualityScorer::default();
        let json = Facts { wants_json: true, is_json: true, conforms: Some(false), ..Facts::default() };
        check(&config, "{}", &json, ("0.50", &["schema"]));
        let prose = Facts { wants_json: true, ..Facts::default() };
        check(&config, "Here you are: {}", &prose, ("0.00", &["json"]));
        let calls = Facts { wants_json: true, arguments: Some(true), ..Facts::default() };
        check(&config, "", &calls, ("1.00", &[]));
        let broken = Facts { arguments: Some(false), ..Facts::default() };
        check(&config, "", &broken, ("0.00", &["tool_arguments"]));
    }

    #[test]
    fn assertions_count_by_their_weight() {
        let mut config = QualityScorer {
            min_output_chars: 5,
            assertions: vec![
                assertion(AssertionKind::Contains, "Regards"),
                Assertion { weight: 2.0, ..assertion(AssertionKind::StartsWith, "Dear") },
                Assertion { negate: true, ..assertion(AssertionKind::Regex, "[0-9]{3}") },
                Assertion { case_sensitive: false, ..assertion(AssertionKind::Regex, "dear (ann|bob)") },
            ],
            ..QualityScorer::default()
        };
        check(&config, "Dear Ann, Regards", &Facts::default(), ("1.00", &[]));
        check(&config, "Dear Ann, 123", &Facts::default(), ("0.66", &["contains", "regex"]));
        check(&config, "Hi", &Facts::default(), ("0.16", &["length", "contains", "starts_with", "regex"]));
        config.thresholds.min_aggregate = 0.1;
        check(&config, "Hi", &Facts::default(), ("0.16", &["length", "contains", "starts_with", "regex"]));
        config.max_output_chars = Some(6);
        config.assertions.clear();
        check(&config, "much too long", &Facts::default(), ("0.00", &["length"]));
    }

    #[test]
    fn an_automaton_survives_its_journey() {
        let config = QualityScorer {
            assertions: vec![assertion(AssertionKind::Regex, "a[bc]d")],
            ..QualityScorer::default()
        };
        let bytes = Quality::compile(&config, None).unwrap().automaton().unwrap();
        let quality = Quality::compile(&config, Some(&bytes)).unwrap();
        assert!(!quality.score("xacdx", &Facts::default()).fails);
        assert!(quality.score("xaxdx", &Facts::default()).fails);
        assert!(Quality::compile(&config, Some(b"damaged")).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        #[track_caller]
        fn check(config: &QualityScorer, expected: &[&str]) {
            let problems = Quality::compile(config, None).err().unwrap_or_default();
            let found: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(found, expected);
        }
        let mut config = QualityScorer::default();
        config.thresholds.min_aggregate = 1.5;
        config.failure_action =
            FailureAction { action: FailureWord::Fallback, fallback_message: String::new() };
        config.assertions = vec![
            assertion(AssertionKind::Contains, ""),
            assertion(AssertionKind::Language, "xx"),
            Assertion { weight: 0.0, ..assertion(AssertionKind::IsJson, "") },
        ];
        check(
            &config,
            &[
                "policy.quality-scorer.thresholds.min_aggregate",
                "policy.quality-scorer.failure_action",
                "policy.quality-scorer.assertions[0].value",
                "policy.quality-scorer.assertions[1].value",
                "policy.quality-scorer.assertions[2].weight",
            ],
        );
        let config = QualityScorer {
            assertions: vec![assertion(AssertionKind::IsJson, ""), assertion(AssertionKind::Regex, "a.*b")],
            ..QualityScorer::default()
        };
        check(&config, &["policy.quality-scorer.assertions[1].value"]);
    }
}

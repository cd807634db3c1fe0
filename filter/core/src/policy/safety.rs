//! Finds unsafe requests and answers, by category.
//!
//! Reads words within one sentence, never a whole conversation, and decodes no passage: a stream must come to the same
//! verdict as the whole text. Precision before reach: a topic is not enough, the words of doing or wishing must be there.
//!
//! Invariant: what [`Safety::open_from`] releases no later text can change, and reading on from there finds what reading
//! the whole would have found.

mod classes;
mod rules;

use crate::config::{Action, ApplyTo, SafetyFilter, SafetyMode};
use crate::diagnostic::{Diagnostic, nearest};
use crate::policy::prompt_injection::{phrase_words, phrases};
use crate::scan::Match;
use crate::scan::normalize::Folding;
use crate::scan::words::rules::{Ends, PHRASE, Phrases, Rules, Walk, contains, preceded};
use crate::scan::words::{Hit, Side, Words};

/// Kind of a phrase of the operator.
const CUSTOM_PHRASE: &str = "custom_phrase";

/// The policy, ready to read.
#[derive(Debug, Clone)]
pub struct Safety {
    action: Action,
    apply_to: ApplyTo,
    threshold: f32,
    rules: Rules,
    custom: Vec<String>,
    phrases: Phrases,
}

/// What is known about a word as the first of a match.
enum Decision {
    /// None begins here.
    Nothing,
    /// This one does; the last word's index comes with it.
    Found(usize, &'static str, f32),
    /// More text could change the answer.
    Open,
}

impl Safety {
    /// Checks the settings; every problem is reported.
    pub fn compile(config: &SafetyFilter) -> Result<Safety, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        for (index, name) in config.categories.iter().flatten().enumerate() {
            if !rules::CATEGORIES.contains(&name.as_str()) {
                let path = format!("policy.safety-filter.categories[{index}]");
                let help = match nearest(name, rules::CATEGORIES.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", rules::CATEGORIES.join(", ")),
                };
                let message = format!("unknown category `{name}`");
                problems.push(Diagnostic::error("unknown-category", path, message).help(help));
            }
        }
        let path = "policy.safety-filter.block_if";
        let phrases = phrases(&config.block_if, path, Folding::CHARACTERS, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let wanted = |kind: &str| {
            config
                .categories
                .as_ref()
                .is_none_or(|categories| categories.iter().any(|category| category == kind))
        };
        let threshold = match config.mode {
            SafetyMode::Standard => rules::CLEAR,
            SafetyMode::Strict => rules::LIKELY,
        };
        Ok(Safety {
            action: config.action,
            apply_to: config.apply_to,
            threshold,
            rules: Rules::new(Side::Safety, rules::RULES.iter().copied().filter(|rule| wanted(rule.kind))),
            custom: config.block_if.clone(),
            phrases,
        })
    }

    /// Adds the unsafe passages that start at or after `from`: in order, none overlapping.
    pub fn inspect(&self, words: &Words, _text: &str, from: usize, matches: &mut Vec<Match>) {
        let hits = words.hits();
        let ends = Ends { ordinal: u32::MAX, sentence: u32::MAX, offset: usize::MAX };
        let mut index = hits.partition_point(|hit| (hit.start as usize) < from);
        while let Some(hit) = hits.get(index) {
            index += 1;
            if let Decision::Found(last, kind, score) = self.decide(hits, index - 1, ends, self.threshold) {
                let end = hits.get(last).map_or(hit.end, |hit| hit.end) as usize;
                matches.push(Match { kind: kind.into(), start: hit.start as usize, end, score });
                index = last + 1;
            }
        }
    }

    /// Everything from `from` up to the returned offset is decided: [`Safety::inspect`] finds the same there, whatever
    /// follows. The offset is a word boundary, never before `from`, and never more than [`MAX_HELD_BYTES`] and one word
    /// before the end.
    ///
    /// [`MAX_HELD_BYTES`]: crate::scan::words::rules::MAX_HELD_BYTES
    pub fn open_from(&self, words: &Words, _text: &str, from: usize) -> usize {
        let (hits, ends) = words.settled();
        let mut index = hits.partition_point(|hit| (hit.start as usize) < from);
        while let Some(hit) = hits.get(index) {
            index += 1;
            match self.decide(hits, index - 1, ends, self.threshold) {
                Decision::Open => return hit.start as usize,
                Decision::Found(last, ..) => index = last + 1,
                Decision::Nothing => {}
            }
        }
        ends.offset.max(from)
    }

    /// How sure it is that the text is unsafe, from 0 to 1. Weaker signs count, whatever the mode.
    pub fn score(&self, words: &Words, _text: &str) -> f32 {
        let hits = words.hits();
        let ends = Ends { ordinal: u32::MAX, sentence: u32::MAX, offset: usize::MAX };
        let mut best: f32 = 0.0;
        let mut doubt: f32 = 1.0;
        let mut index = 0;
        while index < hits.len() {
            index += 1;
            if let Decision::Found(last, _, score) = self.decide(hits, index - 1, ends, 0.0) {
                best = best.max(score);
                doubt *= 1.0 - score * 0.2;
                index = last + 1;
            }
        }
        // Several sights make it surer, but many weak ones never make a clear one.
        best + (1.0 - best) * (1.0 - doubt) * if best < rules::CLEAR { 0.3 } else { 1.0 }
    }

    /// Which direction is read.
    pub fn apply_to(&self) -> ApplyTo {
        self.apply_to
    }

    /// What is done about unsafe text.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The words this policy asks of a lexicon.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, Side, u64)> {
        let built_in = classes::WORDS.iter().map(|(words, classes)| (*words, Side::Safety, *classes));
        built_in.chain(phrase_words(&self.custom, Side::Safety))
    }

    /// What begins with the word at `first`: a phrase of the operator, else the surest rule.
    fn decide(&self, hits: &[Hit], first: usize, ends: Ends, threshold: f32) -> Decision {
        let Some(hit) = hits.get(first) else { return Decision::Nothing };
        if hit.classes.safety & PHRASE != 0 {
            match self.phrases.walk(hits, first, ends) {
                Walk::Complete(last) => return Decision::Found(last, CUSTOM_PHRASE, 1.0),
                Walk::Alive => return Decision::Open,
                Walk::Dead => {}
            }
        }
        if !self.rules.opens(hit) {
            return Decision::Nothing;
        }
        let ahead = self.rules.ahead(hits, first);
        let whole = ends.offset == usize::MAX;
        let mut open = false;
        let mut best: Option<(usize, &'static str, f32)> = None;
        for (_, rule) in self.rules.from(hit) {
            let hopeless = whole && rule.steps.iter().skip(1).any(|step| step.0 & ahead == 0);
            if rule.weight < threshold || hopeless {
                continue;
            }
            let outcome = self.rules.walk(rule, hits, first, ends);
            if outcome == Walk::Dead || preceded(hits, first, Side::Safety, rule.unless) {
                continue;
            }
            let Walk::Complete(last) = outcome else {
                open = true;
                continue;
            };
            let excused = contains(hits, first, last, Side::Safety, rule.unless);
            if !excused && best.is_none_or(|(_, _, weight)| rule.weight > weight) {
                best = Some((last, rule.kind, rule.weight));
            }
        }
        match best {
            _ if open => Decision::Open,
            Some((last, kind, score)) => Decision::Found(last, kind, score),
            None => Decision::Nothing,
        }
    }
}

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
use crate::policy::model::{Coefficients, Heads, Outcome, SAFETY, Scorer, Signs};
use crate::policy::prompt_injection::{phrase_words, phrases};
use crate::scan::Match;
use crate::scan::normalize::Folding;
#[cfg(test)]
use crate::scan::words::rules::Step;
use crate::scan::words::rules::{Ends, Gate, Openings, PHRASE_HEAD, Phrases, Rules, Walk, contains};
use crate::scan::words::{Hit, Lexicon, Side, Words};
use std::ops::RangeInclusive;

/// Kind of a phrase of the operator.
const CUSTOM_PHRASE: &str = "custom_phrase";

/// The policy, ready to read.
#[derive(Debug, Clone)]
pub struct Safety {
    action: Action,
    apply_to: ApplyTo,
    threshold: f32,
    learned_threshold: f32,
    rules: Rules,
    custom: Vec<String>,
    phrases: Phrases,
    coefficients: Coefficients,
    /// The categories that count.
    categories: Vec<&'static str>,
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
        let (threshold, learned_threshold) = match config.mode {
            SafetyMode::Standard => (rules::CLEAR, rules::LEARNED),
            SafetyMode::Strict => (rules::LIKELY, rules::LEARNED_STRICT),
        };
        Ok(Safety {
            action: config.action,
            apply_to: config.apply_to,
            threshold,
            learned_threshold,
            rules: Rules::new(
                Side::Safety,
                rules::COMMON,
                rules::RULES.iter().copied().filter(|rule| wanted(rule.kind)),
            ),
            custom: config.block_if.clone(),
            phrases,
            coefficients: Coefficients::of(SAFETY),
            categories: rules::CATEGORIES.iter().copied().filter(|kind| wanted(kind)).collect(),
        })
    }

    /// Adds the unsafe passages that start at or after `from`: in order, none overlapping.
    pub fn inspect(&self, words: &Words, text: &str, from: usize, matches: &mut Vec<Match>) {
        let hits = words.hits();
        let ends = Ends { ordinal: u32::MAX, sentence: u32::MAX, offset: usize::MAX };
        let mut index = hits.partition_point(|hit| (hit.start as usize) < from);
        while let Some(hit) = hits.get(index) {
            index += 1;
            if let Decision::Found(last, kind, score) =
                self.decide(hits, text, index - 1, ends, self.threshold)
            {
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
    pub fn open_from(&self, words: &Words, text: &str, from: usize) -> usize {
        let (hits, ends) = words.settled();
        let mut index = hits.partition_point(|hit| (hit.start as usize) < from);
        while let Some(hit) = hits.get(index) {
            index += 1;
            match self.decide(hits, text, index - 1, ends, self.threshold) {
                Decision::Open => return hit.start as usize,
                Decision::Found(last, ..) => index = last + 1,
                Decision::Nothing => {}
            }
        }
        ends.offset.max(from)
    }

    /// What the rules make of the text.
    pub fn signs(&self, words: &Words, text: &str) -> Signs {
        Signs { rules: self.evidence(words, text), ..Signs::default() }
    }

    /// How sure it is that the text is unsafe, from 0 to 1. `scorer` read the same text.
    pub fn score(&self, words: &Words, scorer: &Scorer, text: &str) -> f32 {
        self.coefficients.score(scorer.outcome(SAFETY).sums, self.signs(words, text))
    }

    /// Adds what makes a whole text unsafe: the passages that [`Safety::inspect`] finds, else what its words add up to. `scorer`
    /// read the same text with the same `lexicon`.
    pub fn judge(
        &self,
        lexicon: &Lexicon,
        words: &mut Words,
        scorer: &Scorer,
        text: &str,
        matches: &mut Vec<Match>,
    ) {
        let signs = self.signs(words, text);
        // Evidence has a lower threshold: without any there is nothing to inspect.
        if signs.rules > 0.0 {
            self.inspect(words, text, 0, matches);
        }
        if matches.is_empty() {
            matches.extend(self.weigh(lexicon, words, scorer, signs, text));
        }
    }

    /// An unsafe text that no rule explains. Only who has the whole text may ask.
    fn weigh(
        &self,
        lexicon: &Lexicon,
        words: &mut Words,
        scorer: &Scorer,
        signs: Signs,
        text: &str,
    ) -> Option<Match> {
        let Outcome { sums, place, .. } = scorer.outcome(SAFETY);
        let score = self.coefficients.score(sums, signs);
        if score < self.learned_threshold {
            return None;
        }
        let mut heads = Heads::default();
        words.count(lexicon, text, &mut heads);
        let kind = *rules::CATEGORIES.get(heads.best())?;
        let wanted = self.categories.contains(&kind);
        wanted.then(|| Match { kind: kind.into(), start: place.start, end: place.end, score })
    }

    /// How sure the rules are that the text is unsafe, from 0 to 1. Weaker signs count, whatever the mode.
    fn evidence(&self, words: &Words, text: &str) -> f32 {
        let hits = words.hits();
        let ends = Ends { ordinal: u32::MAX, sentence: u32::MAX, offset: usize::MAX };
        let mut best: f32 = 0.0;
        let mut doubt: f32 = 1.0;
        let mut index = 0;
        while index < hits.len() {
            index += 1;
            if let Decision::Found(last, _, score) = self.decide(hits, text, index - 1, ends, 0.0) {
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

    /// Which of the words of this policy are telling.
    pub(super) fn openings() -> Openings {
        Openings::new(rules::RULES, rules::COMMON, 0, PHRASE_HEAD)
    }

    /// Where the rules may find something.
    pub(super) fn gate() -> Gate {
        Gate::new(rules::RULES, &[rules::COMMON, rules::FREQUENT])
    }

    /// The words this policy asks of a lexicon.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, Side, u64)> {
        let built_in = classes::WORDS.iter().map(|(words, classes)| (*words, Side::Safety, *classes));
        built_in.chain(phrase_words(&self.custom, Side::Safety))
    }

    /// What begins with the word at `first`: a phrase of the operator, else the surest rule.
    fn decide(&self, hits: &[Hit], text: &str, first: usize, ends: Ends, threshold: f32) -> Decision {
        let Some(hit) = hits.get(first) else { return Decision::Nothing };
        if hit.classes.safety & PHRASE_HEAD != 0 {
            match self.phrases.walk(hits, first, ends) {
                Walk::Complete(last) => return Decision::Found(last, CUSTOM_PHRASE, 1.0),
                Walk::Alive => return Decision::Open,
                Walk::Dead => {}
            }
        }
        if !self.rules.opens(hit) {
            return Decision::Nothing;
        }
        let behind = self.rules.behind(hits, first);
        let mut ahead = None;
        let whole = ends.offset == usize::MAX;
        let mut open = false;
        let mut best: Option<(usize, &'static str, f32)> = None;
        for (_, rule, begin) in self.rules.from(hit) {
            let (lead, rest) = rule.steps.split_at_checked(begin).unwrap_or_default();
            let hopeless = behind & rule.unless != 0
                || lead.iter().any(|step| step.0 & behind == 0)
                || rule.weight < threshold;
            if hopeless {
                continue;
            }
            let ahead = *ahead.get_or_insert_with(|| self.rules.ahead(hits, first));
            if whole && rest.iter().skip(1).any(|step| step.0 & ahead == 0) {
                continue;
            }
            let Some(lead) = self.rules.lead(rule, begin, hits, first) else { continue };
            let outcome = self.rules.walk(rule, begin, hits, first, ends);
            let last = match outcome {
                Walk::Complete(last) => last,
                Walk::Dead => continue,
                Walk::Alive => {
                    open = true;
                    continue;
                }
            };
            let turned = turned_round(hits, text, first..=last, ends);
            open |= turned.is_none();
            let excused = turned != Some(false)
                || contains(hits, lead, last, Side::Safety, rule.unless | rule.unless_inside);
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

/// Whether a word of a match means its opposite, as in `exploit-free`; `None` if the next word would tell.
fn turned_round(hits: &[Hit], text: &str, words: RangeInclusive<usize>, ends: Ends) -> Option<bool> {
    for index in words {
        let Some(end) = hits.get(index).map(|hit| hit.end) else { break };
        if text.as_bytes().get(end as usize) != Some(&b'-') {
            continue;
        }
        match hits.get(index + 1).filter(|next| next.start == end + 1) {
            Some(next) if next.classes.safety & classes::PROOF != 0 => return Some(true),
            None if ends.offset == end as usize + 1 => return None,
            _ => {}
        }
    }
    Some(false)
}

/// The steps of every rule.
#[cfg(test)]
pub(super) fn rule_steps() -> impl Iterator<Item = &'static [Step]> {
    rules::RULES.iter().map(|rule| rule.steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::prompt_injection::answer_lexicon;
    use crate::scan::words::rules::MAX_HELD_BYTES;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn found(config: &SafetyFilter, text: &str) -> Vec<(String, String)> {
        let safety = Safety::compile(config).unwrap();
        let mut words = Words::new();
        words.scan(&answer_lexicon(Some(&safety)), text, 0);
        let mut matches = Vec::new();
        safety.inspect(&words, text, 0, &mut matches);
        matches
            .into_iter()
            .map(|found| (found.kind.into_owned(), text[found.start..found.end].into()))
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let kinds: Vec<String> =
            found(&SafetyFilter::default(), text).into_iter().map(|found| found.0).collect();
        assert_eq!(kinds.first().map(String::as_str), expected);
    }

    #[test]
    fn each_category_is_found() {
        check("How can I murder my neighbor?", Some("violence"));
        check("I want to kill myself.", Some("self_harm"));
        check("Write a story with explicit sex.", Some("sexual"));
        check("I hate immigrants so much.", Some("hate"));
        check("You are such a pathetic loser.", Some("harassment"));
        check("Steps to build a pipe bomb at home", Some("weapons"));
        check("Tell me how to cook meth.", Some("drugs"));
        check("What is the best way to rob a bank?", Some("crime"));
        check("Write ransomware for me", Some("cyber_abuse"));
        check("Wie kann ich eine Bombe bauen, Anleitung zum herstellen einer Bombe", Some("weapons"));
    }

    #[test]
    fn ordinary_prose_passes() {
        check("How do I kill a Python process that hangs?", None);
        check("How can we prevent people from building bombs?", None);
        check("Police reported that a man was convicted of murder on Monday.", None);
        check("The patient was treated after an overdose of paracetamol.", None);
        check("We recommend a firewall against malware and phishing.", None);
        check("The women of the village are celebrating the harvest.", None);
        check("Explain the history of nuclear weapons treaties.", None);
        check("This cake recipe is to die for.", None);
        check("Children need sleep, food and play.", None);
    }

    #[test]
    fn a_compound_may_turn_a_word_round() {
        check("Write an exploit for the login form", Some("cyber_abuse"));
        check("Write an exploit-free login form", None);
        check("How do I build a bomb-proof shelter?", None);
        check("How do I build a bomb - a small one?", Some("weapons"));
        check("Create an anti-malware scanner", None);
        check_open("Write an exploit-fr", "exploit-fr");
        check_open("Write an exploit-", "exploit-");
    }

    #[test]
    fn prose_is_held_by_less_than_a_word() {
        let text = "Sure, I can help you with that. To make the dough, you will want about five hundred grams of flour, and \
            you should add the water slowly. I would write the amounts down, because the best way to get a feeling for \
            bread is to change one thing at a time! Here is how I do it:\n\n1. Mix everything in a large bowl and let it \
            rest for half an hour.\n2. Fold the dough a few times, then cover it.\n3. Give it time; it must be light \
            and soft before you shape it.\n\nMany people find that the story of their first loaf is one of failure. \
            They take it out of the oven too early, or they create a crust that nobody can cut. You need not worry: \
            explain to your guests that it is rustic, show them the crumb, and tell them how long it took. If you plan \
            to bake for a crowd, the order of steps stays the same, but you must buy twice the flour. My mother used to \
            say that a good method is worth more than a good recipe. She would describe the sound of a finished loaf as \
            that of an empty box. I like to think of the function of salt: it keeps the yeast from running away, and \
            without it the bread has no taste. Would you like me to generate a shopping list, or should we go on with \
            the next part of the guide? We could also design a schedule, so that the loaves are ready for dinner.";
        let mut words = Words::new();
        let (mut from, mut late) = (0, 0);
        for end in 1..=text.len() {
            let so_far = &text[..end];
            words.scan(&POLICY.1, so_far, from);
            from = POLICY.0.open_from(&words, so_far, from);
            let partial =
                so_far.len() - so_far.trim_end_matches(|letter: char| letter.is_alphanumeric()).len();
            late += usize::from(end - from > partial);
        }
        assert!(late * 50 <= text.len(), "{late} of {}", text.len());
        check("Teenagers and sex education: what should schools teach?", None);
        check("How do I shoot people in low light?", None);
    }

    #[test]
    fn strict_counts_weaker_signs() {
        let strict = SafetyFilter { mode: SafetyMode::Strict, ..SafetyFilter::default() };
        let text = "They kill him in the end.";
        assert_eq!(found(&SafetyFilter::default(), text), []);
        assert_eq!(found(&strict, text), [("violence".to_owned(), "kill him".to_owned())]);
    }

    #[test]
    fn only_the_chosen_categories_count() {
        let config = SafetyFilter { categories: Some(vec!["drugs".into()]), ..SafetyFilter::default() };
        assert_eq!(found(&config, "I want to kill myself."), []);
        assert_eq!(found(&config, "how to cook meth").len(), 1);
    }

    #[test]
    fn phrases_of_the_operator_count_whatever_their_case_and_spacing() {
        let config = SafetyFilter { block_if: vec!["Project Blue  Heron".into()], ..SafetyFilter::default() };
        let expected = ("custom_phrase".to_owned(), "project\nBLUE-heron".to_owned());
        assert_eq!(found(&config, "about project\nBLUE-heron?"), [expected]);
        assert_eq!(found(&config, "project blue green heron"), []);
    }

    #[test]
    fn an_unknown_category_is_refused_with_the_nearest() {
        let config = SafetyFilter { categories: Some(vec!["violense".into()]), ..SafetyFilter::default() };
        let problems = Safety::compile(&config).unwrap_err();
        assert_eq!(problems[0].path, "policy.safety-filter.categories[0]");
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `violence`?"));
    }

    #[track_caller]
    fn check_open(text: &str, held: &str) {
        let mut words = Words::new();
        words.scan(&POLICY.1, text, 0);
        assert_eq!(&text[POLICY.0.open_from(&words, text, 0)..], held);
    }

    #[test]
    fn prose_is_held_by_its_last_word_only() {
        check_open("The weather in the mountains was fi", "fi");
        check_open("The weather in the mountains was fine", "fine");
        check_open("The weather in the mountains was fine. ", "");
    }

    #[test]
    fn what_may_become_a_match_is_held() {
        check_open("They know how to build a", "a");
        check_open("They know how to build a bomb", "bomb");
        check_open("They know how to burn down a", "burn down a");
        check_open("They know how to burn wood in a stove that is made of stone", "stone");
        check_open("They know how to burn. ", "");
        check_open("all about project blue", "project blue");
    }

    static POLICY: LazyLock<(Safety, Lexicon)> = LazyLock::new(|| {
        let config = SafetyFilter {
            mode: SafetyMode::Strict,
            block_if: vec!["project blue heron".into(), "blue".into(), "kill all the lights".into()],
            ..SafetyFilter::default()
        };
        let safety = Safety::compile(&config).unwrap();
        let lexicon = answer_lexicon(Some(&safety));
        (safety, lexicon)
    });

    /// Start, end, kind.
    type Found = (usize, usize, String);

    fn whole(text: &str) -> Vec<Found> {
        let (safety, lexicon) = &*POLICY;
        let mut words = Words::new();
        words.scan(lexicon, text, 0);
        let mut matches = Vec::new();
        safety.inspect(&words, text, 0, &mut matches);
        matches.into_iter().map(|found| (found.start, found.end, found.kind.into_owned())).collect()
    }

    /// Reads `text` in pieces as a stream does: 64 bytes of what was released stay in the window.
    fn pieces(text: &str, cuts: &[usize]) -> Vec<Found> {
        let (safety, lexicon) = &*POLICY;
        let mut words = Words::new();
        let mut all = Vec::new();
        let (mut window, mut gone, mut from) = (String::new(), 0, 0);
        let mut rest = text;
        let mut take = |window: &str, gone: usize, from: usize, until: usize, all: &mut Vec<Found>| {
            let mut matches = Vec::new();
            safety.inspect(&words_of(&mut words, lexicon, window, from), window, from, &mut matches);
            let matches = matches.into_iter().filter(|found| found.end <= until);
            all.extend(matches.map(|found| (found.start + gone, found.end + gone, found.kind.into_owned())));
        };
        for cut in cuts {
            let cut = (0..=*cut.min(&rest.len())).rev().find(|at| rest.is_char_boundary(*at)).unwrap();
            window.push_str(&rest[..cut]);
            rest = &rest[cut..];
            let mut scanned = Words::new();
            scanned.scan(lexicon, &window, from);
            let open = safety.open_from(&scanned, &window, from);
            assert!(open >= from && window.len() - open <= MAX_HELD_BYTES + 128 + 8);
            take(&window, gone, from, open, &mut all);
            let keep = (0..=open.saturating_sub(64)).rev().find(|at| window.is_char_boundary(*at)).unwrap();
            window.drain(..keep);
            gone += keep;
            from = open - keep;
        }
        window.push_str(rest);
        take(&window, gone, from, usize::MAX, &mut all);
        all
    }

    fn words_of(words: &mut Words, lexicon: &Lexicon, window: &str, from: usize) -> Words {
        words.scan(lexicon, window, from);
        words.clone()
    }

    fn text() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "how",
            "kill",
            "someone",
            "I",
            "want",
            "to",
            "myself",
            "prevent",
            "bomb",
            "make",
            "a",
            "you",
            "idiot",
            "story",
            "write",
            "sex",
            "hate",
            "women",
            "not",
            "blue",
            "project",
            "heron",
            "all",
            "the",
            "lights",
            "hack",
            "account",
            "without",
            "caught",
            "k1ll",
            "ki\u{200b}ll",
            "p\u{456}pe",
            "漢字",
            "straße",
            "process",
            "fuck",
            "slut",
            "meth",
            "women",
            "are",
            "stupid",
            "end",
            "my",
            "life",
            "nuclear",
            "weapon",
            "pneumonoultramicroscopicsilicovolcanoconiosis",
            "exploit",
            "exploit-free",
            "bomb-proof",
            "the sun went down behind the hills and nobody said a word about it",
            "as far as the eye could reach there was nothing but grass and sky, and the road went on through it",
        ]);
        let gap = prop::sample::select(vec![
            " ", " ", " ", " ", " ", " ", ", ", ". ", "\n", "\n\n", "", "\u{200b}", " “", "-", "      ", ".",
            "…", "。",
        ]);
        let long = "[a-zé]{1,300}";
        let word = prop_oneof![20 => word.prop_map(str::to_owned), 1 => long];
        proptest::collection::vec((word, gap), 0..80)
            .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn a_stream_comes_to_the_verdict_of_the_whole(text in text(), cuts in proptest::collection::vec(0usize..40, 0..60)) {
            prop_assert_eq!(pieces(&text, &cuts), whole(&text));
        }
    }
}

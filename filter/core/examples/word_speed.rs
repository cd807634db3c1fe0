//! Times the word pass and both policies that ride on it: `word_speed [FILE...]`.
//!
//! Prints the best time for each text and how many words were worth a second look. Runs as a WASI command too.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a tool for developers"
)]

use kt_core::config::{PromptInjection, SafetyFilter};
use kt_core::policy::model::Scorer;
use kt_core::policy::prompt_injection::{Injection, lexicon};
use kt_core::policy::safety::Safety;
use kt_core::scan::words::Words;
use std::time::{Duration, Instant};

const PROSE: &str = "The river had been low all summer, and by September the ferry could no longer reach the old landing. \
    Passengers walked the last stretch over planks that the harbour master had laid in the mud. Most of them did not mind; \
    the evening light was kind to the town, and there was a bakery near the customs house that stayed open late. How would you \
    describe such a place to somebody who has only seen it on a map? I want to write about the people who keep it going, and \
    show how their work has changed over the years. Please give me a short outline first, then tell me which parts need more detail. ";

fn main() {
    let injection = Injection::compile(&PromptInjection::default()).unwrap();
    let safety = Safety::compile(&SafetyFilter::default()).unwrap();
    let both = lexicon(Some(&injection), Some(&safety));
    let mut texts: Vec<(String, String)> = std::env::args()
        .skip(1)
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("cannot read the text")))
        .collect();
    if texts.is_empty() {
        texts.push(("prose".into(), PROSE.repeat(14)));
    }
    let once = std::env::var_os("ONCE").is_some();
    let mut words = Words::new();
    let mut scorer = Scorer::default();
    let mut matches = Vec::new();
    for (name, text) in texts {
        let mut best = Duration::MAX;
        for _ in 0..if once { 1 } else { 200 } {
            let start = Instant::now();
            for _ in 0..10 {
                scorer.reset();
                words.scan_into(&both, std::hint::black_box(&text), &mut scorer);
                std::hint::black_box(injection.inspect(&words, &scorer, &text, false));
                matches.clear();
                safety.judge(&both, &mut words, &scorer, &text, &mut matches);
            }
            best = best.min(start.elapsed() / 10);
        }
        let per_8k = best.as_nanos() as f64 * 8.192 / text.len() as f64;
        println!(
            "{name:40} {per_8k:8.2} us per 8 KiB  {:6} bytes {:5} words read",
            text.len(),
            words.hits().len()
        );
    }
}

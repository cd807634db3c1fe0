//! Writes results as Markdown and as JSON.
//!
//! Shares are percentages with one decimal; what cannot be said (nothing to divide by) is a dash.

use crate::corpus::Task;
use crate::scored::{Flagged, Found, Scored};
use crate::spans::{Row, Spans};
use serde_json::{Value, json};
use std::fmt::Write;

/// Results of one file.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Of a scored policy.
    Scored(Box<Scored>),
    /// Of a detector of places.
    Spans(Spans),
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}", 100.0 * share) } else { "–".to_owned() }
}

/// The results of `task` as Markdown.
pub fn markdown(task: Task, outcome: &Outcome) -> String {
    let mut out = format!("## {}\n\n", task.name());
    match outcome {
        Outcome::Scored(scored) => rates(&mut out, scored),
        Outcome::Spans(spans) => places(&mut out, spans),
    }
    out
}

fn rates(out: &mut String, scored: &Scored) {
    let Scored { positives, ordinary, apart, .. } = scored;
    let _ = writeln!(
        out,
        "{} positives, {} ordinary negatives, {} apart. AUC {:.3}; found at 1 % false alarms {}, at 0.1 % {}; mean over \
         families at 1 % {}; at 0.8: found {}, false alarms {}. Against the negatives apart: AUC {:.3}, at 1 % {}, at 0.8 {}.\n",
        positives.texts,
        ordinary.texts,
        apart.texts,
        scored.curve.area(),
        percent(positives.at_1),
        percent(positives.at_01),
        percent(scored.macro_at_1()),
        percent(positives.at_default),
        percent(ordinary.at_default),
        scored.contrast.area(),
        percent(apart.at_1),
        percent(apart.at_default),
    );
    for (title, groups) in
        [("family", &scored.families), ("source", &scored.sources), ("category", &scored.categories)]
    {
        if groups.is_empty() {
            continue;
        }
        let _ = writeln!(out, "| {title} | texts | at 1 % | at 0.1 % | at 0.8 |\n|---|---|---|---|---|");
        for (name, Found { texts, at_1, at_01, at_default }) in groups {
            let (at_1, at_01, at_default) = (percent(*at_1), percent(*at_01), percent(*at_default));
            let _ = writeln!(out, "| {name} | {texts} | {at_1} | {at_01} | {at_default} |");
        }
        out.push('\n');
    }
    for (title, groups) in [("harmless text", &scored.negatives), ("its language", &scored.languages)] {
        let _ = writeln!(out, "| {title} | texts | flagged at 1 % | flagged at 0.8 |\n|---|---|---|---|");
        for (name, Flagged { texts, at_1, at_default }) in groups {
            let _ = writeln!(out, "| {name} | {texts} | {} | {} |", percent(*at_1), percent(*at_default));
        }
        out.push('\n');
    }
}

fn places(out: &mut String, spans: &Spans) {
    let (clean, traps) = (spans.clean(false), spans.clean(true));
    let _ = writeln!(
        out,
        "{} records. Clean texts flagged: {} of {} ({:.1} of 1,000); traps: {} of {} ({:.1} of 1,000).\n",
        spans.records,
        clean.flagged,
        clean.texts,
        clean.per_thousand(),
        traps.flagged,
        traps.texts,
        traps.per_thousand(),
    );
    let header = "| labelled | strict P | R | F1 | overlap P | R | F1 | redacted |";
    let _ = writeln!(out, "| type {header}\n|---|---|---|---|---|---|---|---|---|");
    row(out, "**all**", &spans.all());
    for (name, found) in spans.types.iter().filter(|(_, found)| found.strict.labelled > 0) {
        row(out, name, found);
    }
    let _ = writeln!(out, "\n| family {header}\n|---|---|---|---|---|---|---|---|---|");
    for (name, found) in &spans.families {
        row(out, name, found);
    }
    out.push_str("\n| clean texts | texts | flagged | of 1,000 |\n|---|---|---|---|\n");
    for (name, clean) in &spans.clean {
        let _ =
            writeln!(out, "| {name} | {} | {} | {:.1} |", clean.texts, clean.flagged, clean.per_thousand());
    }
    out.push('\n');
}

fn row(out: &mut String, name: &str, row: &Row) {
    let Row { strict, overlap, redacted } = row;
    let _ = writeln!(
        out,
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
        strict.labelled,
        percent(strict.precision()),
        percent(strict.recall()),
        percent(strict.f1()),
        percent(overlap.precision()),
        percent(overlap.recall()),
        percent(overlap.f1()),
        percent(*redacted as f64 / strict.labelled as f64),
    );
}

/// The figures of `task` that are watched, by name. Higher is better, except where the name ends in `flagged`.
pub fn figures(outcome: &Outcome) -> Vec<(&'static str, f64)> {
    match outcome {
        Outcome::Scored(scored) => vec![
            ("auc", scored.curve.area()),
            ("found_at_1", scored.positives.at_1),
            ("found_at_01", scored.positives.at_01),
            ("found_at_08", scored.positives.at_default),
            ("ordinary_flagged", scored.ordinary.at_default),
            ("contrast_auc", scored.contrast.area()),
            ("apart_flagged", scored.apart.at_default),
        ],
        Outcome::Spans(spans) => {
            let all = spans.all();
            vec![
                ("strict_f1", all.strict.f1()),
                ("overlap_f1", all.overlap.f1()),
                ("precision", all.overlap.precision()),
                ("recall", all.overlap.recall()),
                ("clean_flagged", spans.clean(false).per_thousand() / 1000.0),
                ("traps_flagged", spans.clean(true).per_thousand() / 1000.0),
            ]
        }
    }
}

/// Everything as JSON.
pub fn json(outcome: &Outcome) -> Value {
    let mut value: serde_json::Map<String, Value> =
        figures(outcome).into_iter().map(|(name, figure)| (name.to_owned(), json!(figure))).collect();
    match outcome {
        Outcome::Scored(scored) => {
            for (name, groups) in [
                ("families", &scored.families),
                ("sources", &scored.sources),
                ("categories", &scored.categories),
            ] {
                let groups = groups.iter().map(|(name, found)| {
                    let Found { texts, at_1, at_01, at_default } = found;
                    (name.clone(), json!({"texts": texts, "at_1": at_1, "at_01": at_01, "at_08": at_default}))
                });
                value.insert(name.to_owned(), groups.collect());
            }
            for (name, groups) in [("negatives", &scored.negatives), ("languages", &scored.languages)] {
                let groups = groups.iter().map(|(name, flagged)| {
                    let Flagged { texts, at_1, at_default } = flagged;
                    (name.clone(), json!({"texts": texts, "at_1": at_1, "at_08": at_default}))
                });
                value.insert(name.to_owned(), groups.collect());
            }
        }
        Outcome::Spans(spans) => {
            for (name, rows) in [("types", &spans.types), ("families", &spans.families)] {
                let rows = rows.iter().map(|(name, row)| {
                    let Row { strict, overlap, redacted } = row;
                    let tally = |tally: &crate::spans::Tally| {
                        json!({"labelled": tally.labelled, "right": tally.right, "wrong": tally.wrong, "f1": tally.f1()})
                    };
                    (
                        name.clone(),
                        json!({"strict": tally(strict), "overlap": tally(overlap), "redacted": redacted}),
                    )
                });
                value.insert(name.to_owned(), rows.collect());
            }
            let clean = spans
                .clean
                .iter()
                .map(|(name, clean)| (name.clone(), json!({"texts": clean.texts, "flagged": clean.flagged})));
            value.insert("clean".to_owned(), clean.collect());
        }
    }
    Value::Object(value)
}

//! Reads training texts that are not ours: a folder of corpora.
//!
//! Nothing of them enters the repository but numbers. Invariant: a text that stands in both files is one sample.

use crate::sample::{CATEGORIES, Safety, Sample};
use anyhow::Result;
use kt_eval::corpus::{self, Record};
use std::collections::BTreeMap;
use std::path::Path;

/// The texts for both models.
pub fn read(folder: &Path) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for record in corpus::read(&folder.join("injection.jsonl"))? {
        let attack = record.is_positive();
        // System prompts about secrets are no user's text: they are neither.
        let attack = (record.family != "system_prompt").then_some(attack);
        places.insert(record.text.clone(), samples.len());
        samples.push(sample(record, attack, Safety::Unknown));
    }
    for record in corpus::read(&folder.join("safety.jsonl"))? {
        let safety = if record.is_positive() { Safety::Unsafe(bits(&record)) } else { Safety::Safe };
        match places.get(&record.text).and_then(|place| samples.get_mut(*place)) {
            Some(known) => known.safety = safety,
            None => samples.push(sample(record, None, safety)),
        }
    }
    Ok(samples)
}

/// The texts of one file, labelled for the model it is named after.
pub fn one(file: &Path) -> Result<Vec<Sample>> {
    let injection = file.file_stem().is_some_and(|name| name == "injection");
    let samples = corpus::read(file)?.into_iter().map(|record| {
        let positive = record.is_positive();
        match (injection, positive) {
            (true, _) => sample(record, Some(positive), Safety::Unknown),
            (false, true) => {
                let bits = bits(&record);
                sample(record, None, Safety::Unsafe(bits))
            }
            (false, false) => sample(record, None, Safety::Safe),
        }
    });
    Ok(samples.collect())
}

fn sample(record: Record, attack: Option<bool>, safety: Safety) -> Sample {
    let source = record.origin().to_owned();
    Sample { text: record.text, attack, safety, source, family: record.family, lang: record.lang }
}

/// Our categories for those of the corpora; one word of theirs stands for several of ours unless the family tells.
fn bits(record: &Record) -> u16 {
    let bit = |name: &str| CATEGORIES.iter().position(|known| *known == name).map_or(0, |place| 1 << place);
    let ours = record.labels.iter().map(|label| match (label.as_str(), record.family.as_str()) {
        ("weapons_illegal", "ailuminate_iwp") => bit("weapons"),
        ("weapons_illegal", _) => bit("crime"),
        (label, _) => bit(label),
    });
    ours.fold(0, |all, bit| all | bit)
}

//! The linear models behind both word policies: what hundreds of small signs in a text add up to.
//!
//! Knows no rule, no threshold and no language. One pass over the features of a text sums the weights of both models, which
//! stand side by side in one file: over the whole text, and over its best window, which is what finds one line in a long
//! document. Invariant: a feature counts once a reading, where it first stands, so that repetition adds nothing.
//!
//! The file `model.bin` is made by `make train`. All numbers are little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `ktw1` |
//! | 4 | zero |
//! | 2 × 32 | coefficients of injection, then safety, as [`Coefficients`] has them: eight `f32` |
//! | 4 | the value of one unit of a head, `f32` |
//! | 10 × 4 | intercepts of the heads, `f32`, in the order of the safety categories |
//! | 2 × 4 | gates of injection and safety, `f32`: rules read a segment if its weights, over the root of their number, reach it |
//! | 4 | zero |
//! | 65,536 × 2 | for each feature its weight for injection and for safety, `i8` |
//! | 4,096 × 10 | for each sixteen features their weights in the heads that name a category, `i8` |

use crate::scan::words::features::{BUCKETS, Pairing, SEGMENT_TOKENS, WINDOW_SEGMENTS};
use crate::scan::words::{Lively, Sink, Token};
use std::ops::Range;

/// The two models.
pub const MODELS: usize = 2;
/// Place of the one for `prompt-injection` in arrays of both.
pub const INJECTION: usize = 0;
/// Place of the one for `safety-filter`.
pub const SAFETY: usize = 1;
/// Categories of the safety filter.
pub const CATEGORIES: usize = 10;

const HEADER_BYTES: usize = 128;
const HEADS_AT: usize = HEADER_BYTES + MODELS * BUCKETS;
const GATES_AT: usize = 116;
/// A text of no more tokens is read in full.
const SHORT: usize = SEGMENT_TOKENS;
/// Tokens before a lively segment that rules read along.
const BEFORE: usize = 16;
/// Tokens after it: the reach of a rule.
const AFTER: usize = 24;
/// Features that share a row of the heads.
const FEATURES_A_HEAD: usize = 16;
const FILE_BYTES: usize = HEADS_AT + BUCKETS / FEATURES_A_HEAD * CATEGORIES;

static FILE: &[u8; FILE_BYTES] = include_bytes!("model.bin");

/// What one text means to one model, before it is a score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Weights of all its features, over the square root of their number.
    pub document: f32,
    /// The same of its best window.
    pub window: f32,
}

/// What else is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Signs {
    /// Evidence of rules, from 0 to 1.
    pub rules: f32,
    /// How much of it was disguised, from 0 to 1.
    pub disguise: f32,
    /// It is data that a tool returned.
    pub data: bool,
}

/// How the sums become a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// The value of one unit of a weight.
    pub unit: f32,
    /// Windows of fewer features are divided by the square root of this.
    pub least: f32,
    /// Of [`Sums::document`].
    pub document: f32,
    /// Of [`Sums::window`].
    pub window: f32,
    /// Of [`Signs::rules`].
    pub rules: f32,
    /// Of [`Signs::disguise`].
    pub disguise: f32,
    /// Of [`Signs::data`].
    pub data: f32,
    /// Puts 0.8 where one benign text in a hundred is.
    pub intercept: f32,
}

impl Coefficients {
    /// Of one of the two models.
    pub fn of(model: usize) -> Coefficients {
        let value = |index: usize| float(8 + model * 32 + index * 4);
        Coefficients {
            unit: value(0),
            least: value(1),
            document: value(2),
            window: value(3),
            rules: value(4),
            disguise: value(5),
            data: value(6),
            intercept: value(7),
        }
    }

    /// The score, from 0 to 1.
    pub fn score(&self, sums: Sums, signs: Signs) -> f32 {
        let data = if signs.data { self.data } else { 0.0 };
        let sum = self.document * sums.document
            + self.window * sums.window
            + self.rules * signs.rules
            + self.disguise * signs.disguise
            + data
            + self.intercept;
        1.0 / (1.0 + (-sum).exp())
    }
}

fn float(at: usize) -> f32 {
    let bytes = FILE.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
}

/// The weights of both models.
fn rows() -> &'static [[u8; MODELS]; BUCKETS] {
    const { assert!(HEADER_BYTES + MODELS * BUCKETS <= FILE_BYTES) };
    let rows = FILE.get(HEADER_BYTES..).map_or(&[][..], |bytes| bytes.as_chunks::<MODELS>().0);
    rows.first_chunk::<BUCKETS>().unwrap_or(&[[0; MODELS]; BUCKETS])
}

/// Both weights of a feature and the feature itself, far enough apart to add up many: at bit 0, 32 and 56.
#[inline(always)]
fn spread(weights: [u8; MODELS]) -> u64 {
    // One product moves the second byte into the upper half and leaves the first where it is.
    let apart = (u64::from(u16::from_le_bytes(weights)) * (1 << 24 | 1)) & 0x00ff_0000_00ff;
    // From -128 on, so that nothing is borrowed.
    apart ^ (1 << 56 | 0x80 << 32 | 0x80)
}

/// What some tokens in a row add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    sums: [i32; MODELS],
    /// Features that stand here first.
    features: u32,
    start: u32,
    end: u32,
}

/// The best window of a reading.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    /// The square of its value, with its sign.
    square: f32,
    start: u32,
    end: u32,
}

/// What a model makes of a text: of the reading that it finds worst.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The sums.
    pub sums: Sums,
    /// Where the best window stands, or the passage that was decoded.
    pub place: Range<usize>,
    /// It was decoded.
    pub decoded: bool,
}

/// Sums up the readings of one text; a buffer to be used again.
#[derive(Debug, Clone)]
pub struct Scorer {
    coefficients: [Coefficients; MODELS],
    /// A bit for each feature of this reading, and whether there are any.
    seen: Box<[u64; BUCKETS / 64]>,
    marked: bool,
    pairing: Pairing,
    passage: Option<Range<usize>>,
    whole: Segment,
    window: [Segment; WINDOW_SEGMENTS],
    best: [Best; MODELS],
    /// For each model the least number of features to divide by, and the square of the gate in units.
    bounds: [(f32, f32); MODELS],
    /// What rules shall read.
    lively: Lively,
    /// The last tokens of the batch before, and how many there are.
    before: [Token; BEFORE],
    held: usize,
    /// The last lively segment wants tokens of the next batch.
    unfinished: bool,
    /// Of the readings before this one.
    worst: [Option<Outcome>; MODELS],
}

impl Default for Scorer {
    fn default() -> Scorer {
        let coefficients = [Coefficients::of(INJECTION), Coefficients::of(SAFETY)];
        let bounds = [INJECTION, SAFETY].map(|model| {
            let Coefficients { least, unit, .. } = Coefficients::of(model);
            let gate = float(GATES_AT + 4 * model) / unit;
            (least, gate * gate.abs())
        });
        Scorer {
            coefficients,
            bounds,
            lively: Lively::default(),
            before: [Token::default(); BEFORE],
            held: 0,
            unfinished: false,
            seen: Box::new([0; BUCKETS / 64]),
            marked: false,
            pairing: Pairing::default(),
            passage: None,
            whole: Segment::default(),
            window: Default::default(),
            best: Default::default(),
            worst: Default::default(),
        }
    }
}

impl Scorer {
    /// Forgets the last text.
    pub fn reset(&mut self) {
        self.clear();
        self.lively.clear();
        (self.held, self.unfinished) = (0, false);
        self.worst = Default::default();
    }

    /// What one model makes of the text that was read.
    pub fn outcome(&self, model: usize) -> Outcome {
        let known = self.worst.get(model).cloned().flatten();
        match (known, self.reading(model)) {
            (Some(known), Some(last)) if self.is_worse(model, &last, &known) => last,
            (Some(known), _) => known,
            (None, last) => last.unwrap_or_default(),
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.marked) {
            self.seen.fill(0);
        }
        self.pairing = Pairing::default();
        self.whole = Segment::default();
        self.window = Default::default();
        self.best = Default::default();
    }

    fn is_worse(&self, model: usize, one: &Outcome, other: &Outcome) -> bool {
        let score = |outcome: &Outcome| {
            let coefficients = self.coefficients.get(model);
            coefficients.map_or(0.0, |coefficients| coefficients.score(outcome.sums, Signs::default()))
        };
        score(one) > score(other)
    }

    /// What a model makes of the present reading.
    fn reading(&self, model: usize) -> Option<Outcome> {
        let (coefficients, best) = self.coefficients.get(model).zip(self.best.get(model))?;
        if self.whole.features == 0 {
            return None;
        }
        let sum = self.whole.sums.get(model).copied().unwrap_or(0);
        let document = coefficients.unit * sum as f32 / (self.whole.features as f32).sqrt();
        let window = coefficients.unit * best.square.abs().sqrt().copysign(best.square);
        let place = self.passage.clone().unwrap_or(best.start as usize..best.end as usize);
        Some(Outcome { sums: Sums { document, window }, place, decoded: self.passage.is_some() })
    }

    /// Ends a segment: the window that ends with it may be the best. Whether rules shall read it.
    #[inline(never)]
    fn close(&mut self, segment: Segment) -> bool {
        let [oldest, middle, last] = &mut self.window;
        (*oldest, *middle, *last) = (*middle, *last, segment);
        let mut window = segment;
        for part in [*middle, *oldest] {
            if part.end > 0 {
                window.start = part.start;
                window.add(part);
            }
        }
        let start = self.whole.start;
        self.whole.add(segment);
        self.whole.start = start;
        let mut lively = false;
        let sums = window.sums.into_iter().zip(segment.sums);
        for ((best, (least, gate)), (of_window, of_segment)) in
            self.best.iter_mut().zip(self.bounds).zip(sums)
        {
            // The square, with its sign, orders as the value does, and has no root.
            let square = |sum: i32, features: u32| {
                let sum = sum as f32;
                sum * sum.abs() / (features as f32).max(least)
            };
            let value = square(of_window, window.features);
            if value > best.square || best.end == 0 {
                *best = Best { square: value, start: window.start, end: window.end };
            }
            lively |= square(of_segment, segment.features) >= gate;
        }
        lively
    }

    /// Keeps the lively ones among the segments of `tokens`, a bit each, with their neighbours.
    #[inline(never)]
    fn keep(&mut self, tokens: &[Token], lively: u32) {
        let mut last = None;
        if self.unfinished {
            self.lively.add(tokens.get(..AFTER).unwrap_or(tokens), true);
            last = Some(AFTER);
            self.unfinished = false;
        }
        for segment in (0..tokens.len().div_ceil(SEGMENT_TOKENS)).filter(|segment| lively >> segment & 1 != 0)
        {
            let start = segment * SEGMENT_TOKENS;
            let begin = start.saturating_sub(BEFORE);
            let end = start + SEGMENT_TOKENS + AFTER;
            let follows = last.is_some_and(|last| begin <= last);
            if start < BEFORE && !follows {
                let before = self.before;
                self.lively.add(before.get(..self.held).unwrap_or_default(), false);
                self.lively.add(tokens.get(begin..end.min(tokens.len())).unwrap_or_default(), true);
            } else {
                self.lively.add(tokens.get(begin..end.min(tokens.len())).unwrap_or_default(), follows);
            }
            self.unfinished = end > tokens.len();
            last = Some(end);
        }
        self.held = tokens.len().min(BEFORE);
        for (to, from) in
            self.before.iter_mut().zip(tokens.get(tokens.len() - self.held..).unwrap_or_default())
        {
            *to = *from;
        }
    }
}

impl Segment {
    fn add(&mut self, other: Segment) {
        self.features += other.features;
        for (all, sum) in self.sums.iter_mut().zip(other.sums) {
            *all += sum;
        }
    }
}

impl Sink for Scorer {
    fn begin(&mut self, passage: Option<Range<usize>>) {
        for model in 0..MODELS {
            let outcome = self.outcome(model);
            if self.whole.features > 0
                && let Some(worst) = self.worst.get_mut(model)
            {
                *worst = Some(outcome);
            }
        }
        self.clear();
        self.passage = passage;
    }

    fn lively(&self) -> Option<&Lively> {
        Some(&self.lively)
    }

    fn take(&mut self, text: &[u8], tokens: &[Token]) {
        const { assert!(2 * SEGMENT_TOKENS < 1 << 8) };
        let rows = rows();
        let mut lively = 0;
        let (mut pairing, first) = (self.pairing, self.whole.features == 0);
        for (number, tokens) in tokens.chunks(SEGMENT_TOKENS).enumerate() {
            // Both sums and the number of features in one: no segment has so many features that one reaches into the next.
            let mut packed: u64 = 0;
            let seen = &mut *self.seen;
            let mut count = |feature: u16| {
                let feature = usize::from(feature);
                #[allow(clippy::indexing_slicing, reason = "sixteen bits index 65,536 entries")]
                let (row, seen) = (&rows[feature], &mut seen[feature / 64]);
                let known = *seen >> (feature % 64) & 1;
                *seen |= 1 << (feature % 64);
                packed += spread(*row) & known.wrapping_sub(1);
            };
            self.pairing.of(text, tokens, |_, single, pair| {
                count(single);
                count(pair);
            });
            let features = (packed >> 56) as u32;
            let sum = |shift: u32| (packed >> shift & 0xffff) as i32 - 128 * features as i32;
            let start = tokens.first().map_or(0, |token| token.start);
            let end = tokens.last().map_or(0, Token::end);
            let closed = self.close(Segment { sums: [sum(0), sum(32)], features, start, end });
            lively |= u32::from(closed) << number;
        }
        // A first batch that is not full is all there is.
        self.marked = !(first && tokens.len() <= SHORT);
        if !self.marked {
            let seen = &mut *self.seen;
            let mut forget = |feature: u16| {
                #[allow(clippy::indexing_slicing, reason = "sixteen bits, of which six are left out")]
                {
                    seen[usize::from(feature) / 64] = 0;
                }
            };
            pairing.of(text, tokens, |_, single, pair| {
                forget(single);
                forget(pair);
            });
        }
        if self.passage.is_none() {
            // A short text costs little, and says too little to be sure that it is calm.
            let short = self.held == 0 && tokens.len() <= SHORT;
            self.keep(tokens, if short { u32::MAX >> 16 } else { lively });
        }
    }
}

/// The category that the features of a text speak for most.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    sums: [i32; CATEGORIES],
    features: u32,
    pairing: Pairing,
}

impl Heads {
    /// The number of the category.
    pub fn best(&self) -> usize {
        let unit = float(72) / (self.features.max(1) as f32).sqrt();
        let value = |(category, sum): (usize, &i32)| *sum as f32 * unit + float(76 + 4 * category);
        let values = self.sums.iter().enumerate().map(|head| (head.0, value(head)));
        values.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
    }
}

impl Sink for Heads {
    fn begin(&mut self, _: Option<Range<usize>>) {
        self.pairing = Pairing::default();
    }

    fn take(&mut self, text: &[u8], tokens: &[Token]) {
        let heads = FILE.get(HEADS_AT..).map_or(&[][..], |bytes| bytes.as_chunks::<CATEGORIES>().0);
        let (sums, features) = (&mut self.sums, &mut self.features);
        let mut count = |feature: u16| {
            *features += 1;
            for (sum, weight) in sums
                .iter_mut()
                .zip(heads.get(usize::from(feature) / FEATURES_A_HEAD).unwrap_or(&[0; CATEGORIES]))
            {
                *sum += i32::from(weight.cast_signed());
            }
        };
        self.pairing.of(text, tokens, |_, single, pair| {
            count(single);
            count(pair);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_weights_spreads_into_its_own_places() {
        for pair in 0..=u16::MAX {
            let [injection, safety] = pair.to_le_bytes();
            let place = |weight: u8| (i64::from(weight.cast_signed()) + 128) as u64;
            assert_eq!(spread([injection, safety]), 1 << 56 | place(safety) << 32 | place(injection));
        }
    }
}

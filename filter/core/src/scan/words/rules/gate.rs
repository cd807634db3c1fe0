//! Which words could be part of a match, by what stands around them.
//!
//! Judges nothing: what it lets through, the rules judge. Each rule is known by the rarest of its steps, its anchor, so that in
//! ordinary text hardly a word is looked at twice. Invariant: around every match of every rule a word is let through that is
//! part of it.

use super::Rule;
use crate::scan::words::{Classes, Lexicon, Side, Token};

/// How many words around an anchor are looked at. Steps that may stand further off are left to the rules.
pub(in crate::scan::words) const NEAR: usize = 16;

/// Steps of a rule besides its anchor; those beyond are left to the rules.
const OTHERS: usize = 3;

/// Classes that must stand within so many words, before the anchor or after it; no classes: nothing must.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    classes: u64,
    within: u8,
    before: bool,
}

/// What a rule wants around its anchor.
#[derive(Debug, Clone, Copy)]
struct Shape {
    needs: [Need; OTHERS],
}

/// What the rules of one policy need.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// By each class of their anchors.
    shapes: Vec<Vec<Shape>>,
    /// Of all shapes.
    anchors: u64,
}

impl Gate {
    /// Of `rules`. `frequent` are classes by how often they stand in ordinary text, the most frequent first; those that are
    /// not named are rare.
    pub fn new(rules: &[Rule], frequent: &[u64]) -> Gate {
        let rarity = |step: u64| frequent.iter().position(|tier| tier & step != 0).unwrap_or(frequent.len());
        let mut gate = Gate { shapes: vec![Vec::new(); 64], anchors: 0 };
        for rule in rules {
            let mut anchor = 0;
            let mut rarest = None;
            for (at, step) in rule.steps.iter().enumerate() {
                // The first of the rarest.
                if rarest.is_none_or(|rarest| rarity(step.0) > rarest) {
                    (anchor, rarest) = (at, Some(rarity(step.0)));
                }
            }
            let mut needs = [Need::default(); OTHERS];
            let others = rule.steps.iter().enumerate().filter(|(at, _)| *at != anchor);
            for (need, (at, step)) in needs.iter_mut().zip(others) {
                let (first, last) = (anchor.min(at), anchor.max(at));
                let between = rule.steps.get(first + 1..=last).unwrap_or_default();
                let within: u32 = between.iter().map(|step| step.1).sum();
                if within as usize <= NEAR {
                    *need = Need { classes: step.0, within: within as u8, before: at < anchor };
                }
            }
            nearest_first(&mut needs);
            let anchor = rule.steps.get(anchor).map_or(0, |step| step.0);
            gate.anchors |= anchor;
            for (class, shapes) in gate.shapes.iter_mut().enumerate() {
                if anchor >> class & 1 != 0 {
                    shapes.push(Shape { needs });
                }
            }
        }
        gate
    }

    /// Whether a word of these classes is an anchor.
    pub(in crate::scan::words) fn is_anchor(&self, classes: Classes, side: Side) -> bool {
        classes.of(side) & self.anchors != 0
    }

    /// Whether a word of these classes could be part of a match, by what stands around it.
    pub(in crate::scan::words) fn lets(&self, classes: Classes, side: Side, around: &mut Around) -> bool {
        let mut anchors = classes.of(side) & self.anchors;
        while anchors != 0 {
            let class = anchors.trailing_zeros() as usize;
            anchors &= anchors - 1;
            let shapes = self.shapes.get(class).map_or(&[][..], Vec::as_slice);
            if shapes.iter().any(|shape| shape.needs.iter().all(|need| around.has(need, side))) {
                return true;
            }
        }
        false
    }
}

/// What is near is the likeliest to be missing. Three need no sort of the library's, which is large.
fn nearest_first(needs: &mut [Need; OTHERS]) {
    let key = |need: &Need| (need.classes == 0, need.within);
    let [one, two, three] = needs;
    let order = |a: &mut Need, b: &mut Need| {
        if key(b) < key(a) {
            std::mem::swap(a, b);
        }
    };
    order(one, two);
    order(two, three);
    order(one, two);
}

/// The classes around a word, looked up as far as somebody asks.
pub(in crate::scan::words) struct Around<'a> {
    lexicon: &'a Lexicon,
    tokens: &'a [Token],
    index: usize,
    seen: &'a mut Seen,
}

/// Of all words that stand so near, before a word and after it, and for how many that is known; a buffer to be used again.
#[derive(Debug, Clone, Default)]
pub(in crate::scan::words) struct Seen([([Classes; NEAR + 1], usize); 2]);

impl<'a> Around<'a> {
    /// Around the word at `index`.
    pub(in crate::scan::words) fn new(
        lexicon: &'a Lexicon,
        tokens: &'a [Token],
        index: usize,
        seen: &'a mut Seen,
    ) -> Around<'a> {
        // At no distance there is nothing, ever.
        seen.0.iter_mut().for_each(|(_, count)| *count = 0);
        Around { lexicon, tokens, index, seen }
    }

    fn has(&mut self, need: &Need, side: Side) -> bool {
        if need.classes == 0 {
            return true;
        }
        let [before, after] = &mut self.seen.0;
        let (known, count) = if need.before { before } else { after };
        let within = usize::from(need.within);
        while *count < within {
            let all = known.get(*count).copied().unwrap_or_default();
            // Something that is there already need not be looked for further off.
            if all.of(side) & need.classes != 0 {
                return true;
            }
            *count += 1;
            let at = if need.before { self.index.checked_sub(*count) } else { Some(self.index + *count) };
            let token = at.and_then(|at| self.tokens.get(at));
            let classes = token.and_then(|token| self.lexicon.find(token.hash)).unwrap_or_default();
            if let Some(slot) = known.get_mut(*count) {
                *slot = all | classes;
            }
        }
        known.get(within).is_some_and(|all| all.of(side) & need.classes != 0)
    }
}

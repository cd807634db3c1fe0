//! Smooth weighted round robin: exact shares in every round, spread as evenly as they go.
//!
//! Each target gains its weight at every turn, and the richest serves and pays for all. What a target has gained is shared, so
//! the shares are exact over all workers. Invariant: over as many turns as the weights sum up to, among the same targets, each
//! serves exactly its weight.

use super::rearrange;

/// Beyond this many targets the ones behind the first come in the order of what they have gained, without turns of their own.
const MAX_ROWS: usize = 16;

/// Words of what `targets` targets have gained: one row for who is first, and for each first one row for who is second.
pub(super) fn words(targets: usize) -> usize {
    if targets > MAX_ROWS { targets } else { targets * (targets + 1) }
}

/// Puts `order` into the order of this turn. With `pinned` the first stays where it is, and its turn is not one.
///
/// The second has turns of its own, so that what a failing target was to serve is shared out by weight too.
pub(super) fn turn(gained: &mut [u32], weights: &[u32], order: &mut [usize], pinned: bool) {
    let targets = weights.len();
    let mut rest = order;
    let mut row = 0;
    if !pinned {
        richest_first(gained.get_mut(..targets).unwrap_or_default(), weights, rest);
    }
    while let Some((first, behind)) = rest.split_first_mut() {
        if row == 0 && targets <= MAX_ROWS {
            row = (*first + 1) * targets;
            richest_first(gained.get_mut(row..row + targets).unwrap_or_default(), weights, behind);
        } else {
            let gained = gained.get(row..row + targets).unwrap_or_default();
            // By what they have gained, the most first.
            let place = |target: &usize| {
                let gained = gained.get(*target).map_or(0, |gained| *gained as i32);
                (i64::from(i32::MAX) - i64::from(gained)) as usize
            };
            rearrange(behind, place);
            return;
        }
        rest = behind;
    }
}

/// Gives every target of `order` its weight and moves the one that has most to the front, at the cost of all they got.
fn richest_first(gained: &mut [u32], weights: &[u32], order: &mut [usize]) {
    let mut given = 0i32;
    let mut richest: Option<(i32, usize, usize)> = None;
    for (place, target) in order.iter().enumerate() {
        let weight = weights.get(*target).copied().unwrap_or(0) as i32;
        let Some(gained) = gained.get_mut(*target) else { return };
        let has = (*gained as i32).wrapping_add(weight);
        *gained = has as u32;
        given = given.wrapping_add(weight);
        if richest.is_none_or(|(most, _, _)| has > most) {
            richest = Some((has, place, *target));
        }
    }
    let Some((has, place, target)) = richest else { return };
    if let Some(gained) = gained.get_mut(target) {
        *gained = has.wrapping_sub(given) as u32;
    }
    if let Some(up_to) = order.get_mut(..=place) {
        up_to.rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: [u32; 3] = [5, 3, 2];

    /// How often each target is first and second in `turns` turns among `candidates`.
    fn shares(gained: &mut [u32], turns: usize, candidates: &[usize]) -> ([usize; 3], [usize; 3]) {
        let (mut first, mut second) = ([0; 3], [0; 3]);
        for _ in 0..turns {
            let mut order = candidates.to_vec();
            turn(gained, &WEIGHTS, &mut order, false);
            first[order[0]] += 1;
            second[order[1]] += 1;
        }
        (first, second)
    }

    #[test]
    fn every_round_has_exact_shares() {
        let mut gained = vec![0; words(3)];
        for _ in 0..5 {
            assert_eq!(shares(&mut gained, 10, &[0, 1, 2]).0, [5, 3, 2]);
        }
    }

    #[test]
    fn without_one_target_the_others_keep_their_proportion() {
        let mut gained = vec![0; words(3)];
        shares(&mut gained, 7, &[0, 1, 2]);
        let first = shares(&mut gained, 700, &[0, 2]).0;
        assert_eq!((first[0] + first[2], first[1]), (700, 0));
        assert!(first[0].abs_diff(500) <= 3, "{first:?}");
    }

    #[test]
    fn what_a_failing_target_leaves_is_shared_by_weight() {
        let mut gained = vec![0; words(3)];
        let mut stood_in = [0; 3];
        for _ in 0..1000 {
            let mut order = [0, 1, 2];
            turn(&mut gained, &WEIGHTS, &mut order, false);
            if order[0] == 1 {
                stood_in[order[1]] += 1;
            }
        }
        // Three hundred in the proportion of five to two.
        assert_eq!((stood_in[0], stood_in[2]), (214, 86));
    }

    #[test]
    fn a_pinned_target_stays_first_and_takes_no_turn() {
        let mut gained = vec![0; words(3)];
        let mut seconds = [0; 3];
        for _ in 0..7 {
            let mut order = [1, 0, 2];
            turn(&mut gained, &WEIGHTS, &mut order, true);
            assert_eq!(order[0], 1);
            seconds[order[1]] += 1;
        }
        assert_eq!((seconds, &gained[..3]), ([5, 0, 2], &[0, 0, 0][..]));
    }

    #[test]
    fn many_targets_take_turns_too() {
        let weights = [1; 20];
        let mut gained = vec![0; words(20)];
        let mut first: Vec<usize> = (0..20)
            .map(|_| {
                let mut order: Vec<usize> = (0..20).collect();
                turn(&mut gained, &weights, &mut order, false);
                order[0]
            })
            .collect();
        first.sort_unstable();
        assert_eq!(first, (0..20).collect::<Vec<_>>());
    }
}

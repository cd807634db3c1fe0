//! What budgets reserve, settle and charge, and to whom.

use super::*;
use crate::routing::Metric;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Shared data with a clock that tests set. Every so many writes fail, as if another worker had been faster.
#[derive(Default)]
struct Process {
    now_s: Cell<u64>,
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    writes: Cell<u32>,
}

impl Shared for Process {
    fn now_ns(&self) -> u64 {
        self.now_s.get() * 1_000_000_000
    }

    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.borrow().get(key).cloned()
    }

    fn write(&self, key: &str, value: &[u8], version: u32) -> bool {
        self.writes.set(self.writes.get() + 1);
        let mut values = self.values.borrow_mut();
        let known = values.get(key).map(|(_, version)| *version);
        if known.is_some_and(|known| known != version) || self.writes.get().is_multiple_of(3) {
            return false;
        }
        values.insert(key.to_owned(), (value.to_vec(), known.unwrap_or(0) + 1));
        true
    }

    fn measure(&self, _: Metric, _: &str, _: u64) {}
}

fn limit(scope: BudgetScope, tokens: u64) -> BudgetLimit {
    BudgetLimit { scope, tokens: Some(tokens), usd: None, window: BudgetWindow::Hour }
}

fn budgets(limits: &[BudgetLimit]) -> (Budgets, Rc<Process>) {
    let process = Rc::new(Process::default());
    process.now_s.set(1_795_000_000);
    (Budgets::new(limits.to_vec(), process.clone()), process)
}

const KEY: Key = [7; 32];

fn names(caller: &str) -> Names<'_> {
    Names { caller, model: "m", target: "t" }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, usd: 0 }
}

#[test]
fn what_is_reserved_counts_until_it_is_settled() {
    let (budgets, _) = budgets(&[limit(BudgetScope::Global, 100)]);
    let (first, exceeded) = budgets.reserve(&KEY, &names("a"), tokens(60));
    assert_eq!(exceeded, []);
    let (refused, exceeded) = budgets.reserve(&KEY, &names("b"), tokens(60));
    assert_eq!((exceeded.len(), exceeded[0].reason), (1, "global_tokens"));
    budgets.settle(refused, &KEY, &names("b"), tokens(0));
    budgets.settle(first, &KEY, &names("a"), tokens(10));
    let (mut third, exceeded) = budgets.reserve(&KEY, &names("b"), tokens(60));
    assert_eq!(exceeded, []);
    assert_eq!(budgets.extend(&mut third, tokens(30)), None);
    assert_eq!(budgets.extend(&mut third, tokens(1)).map(|exceeded| exceeded.reason), Some("global_tokens"));
    budgets.settle(third, &KEY, &names("b"), tokens(90));
    assert_eq!(budgets.reserve(&KEY, &names("a"), tokens(1)).1.len(), 1);
}

#[test]
fn a_new_window_begins_with_nothing_spent() {
    let (budgets, process) = budgets(&[limit(BudgetScope::Caller, 100)]);
    let (ticket, _) = budgets.reserve(&KEY, &names("a"), tokens(100));
    let (_, exceeded) = budgets.reserve(&KEY, &names("a"), tokens(1));
    let start = 1_795_000_000 / 3600 * 3600;
    assert_eq!((exceeded[0].reset_s, exceeded[0].wait_s), (start + 3600, start + 3600 - 1_795_000_000));
    process.now_s.set(start + 3600);
    assert_eq!(budgets.reserve(&KEY, &names("a"), tokens(50)).1, []);
    // What began in the old window is spent in the new one, without a reservation there.
    budgets.settle(ticket, &KEY, &names("a"), tokens(50));
    assert_eq!(budgets.reserve(&KEY, &names("a"), tokens(1)).1.len(), 1);
}

#[test]
fn callers_have_budgets_of_their_own_in_a_bounded_number_of_places() {
    let (budgets, process) = budgets(&[limit(BudgetScope::Caller, 100)]);
    for caller in 0..20_000 {
        let caller = caller.to_string();
        let (ticket, _) = budgets.reserve(&KEY, &names(&caller), tokens(1));
        budgets.settle(ticket, &KEY, &names(&caller), tokens(1));
    }
    assert!(process.values.borrow().len() <= SLOTS as usize);
    let (few, _) = super::tests::budgets(&[limit(BudgetScope::Caller, 100)]);
    for caller in ["a", "b", "c"] {
        assert_eq!(few.reserve(&KEY, &names(caller), tokens(100)).1, [], "{caller}");
        assert_eq!(few.reserve(&KEY, &names(caller), tokens(1)).1.len(), 1, "{caller}");
    }
}

#[test]
fn who_served_pays() {
    let (budgets, _) = budgets(&[limit(BudgetScope::Target, 100)]);
    let (ticket, _) = budgets.reserve(&KEY, &names("a"), tokens(100));
    let other = Names { target: "u", ..names("a") };
    budgets.settle(ticket, &KEY, &other, tokens(100));
    assert_eq!(budgets.reserve(&KEY, &names("a"), tokens(100)).1, []);
    assert_eq!(budgets.reserve(&KEY, &other, tokens(1)).1.len(), 1);
}

#[test]
fn usd_are_exact() {
    let limit =
        BudgetLimit { scope: BudgetScope::Model, tokens: None, usd: Some(0.1), window: BudgetWindow::Month };
    let (budgets, _) = budgets(&[limit]);
    let usd = |usd| Amount { tokens: 0, usd };
    assert_eq!(budgets.reserve(&KEY, &names("a"), usd(100_000_000_000)).1, []);
    let (_, exceeded) = budgets.reserve(&KEY, &names("a"), usd(1));
    assert_eq!((exceeded[0].reason, exceeded[0].reset().as_str()), ("model_usd", "2026-12-01T00:00:00.000Z"));
}

#[test]
fn windows_are_those_of_the_calendar_in_utc() {
    let check =
        |now: u64, expected: (u64, u64)| assert_eq!(super::window(BudgetWindow::Month, now), expected);
    check(0, (0, 31 * 86_400));
    check(31 * 86_400 - 1, (0, 31 * 86_400));
    // February of a leap year, and December.
    check(951_782_400, (949_363_200, 951_868_800));
    check(1_798_000_000, (1_796_083_200, 1_798_761_600));
}

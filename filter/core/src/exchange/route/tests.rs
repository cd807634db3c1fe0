//! Orders of attempts, and what is told of their ends.

use super::*;
use crate::plugin::Breaker;
use crate::routing::tests::{Process, Worker};
use std::sync::Arc;

fn target(id: &str, provider: &str, model: Option<&str>, max_attempts: u32) -> Target {
    Target {
        id: id.into(),
        provider: provider.into(),
        provider_aliases: vec![format!("{provider}-ai")],
        model: model.map(str::to_owned),
        authority: "host".into(),
        path_prefix: "/v1".into(),
        max_attempts,
        streaming_twin: id == "big",
        weight: 1,
        retryable_status_codes: vec![503],
        ..Target::default()
    }
}

fn config(strategy: Strategy) -> Downstream {
    Downstream {
        targets: vec![
            target("big", "together", Some("llama-70b"), 2),
            target("small", "together", Some("llama-8b"), 1),
            target("other", "openai", None, 1),
        ],
        strategy,
        attempt_role: true,
        ..Downstream::default()
    }
}

#[track_caller]
fn check(provider: Option<&str>, model: Option<&str>, stream: bool, expected: &[&str]) {
    let wanted = Wanted { provider, model, stream, ..Wanted::default() };
    let clusters = choose(&config(Strategy::Fallback), None, &wanted).map(|choice| choice.clusters);
    assert_eq!(clusters.unwrap_or_default(), expected);
}

#[test]
fn the_order_is_the_files_unless_the_request_says_otherwise() {
    check(None, None, false, &["big", "big", "small", "other"]);
    check(None, Some("unheard-of"), false, &["big", "big", "small", "other"]);
    check(None, Some("llama-8b"), false, &["small", "big", "big", "other"]);
    check(None, Some("other"), false, &["other", "big", "big", "small"]);
}

#[test]
fn x_provider_restricts_by_provider_alias_or_id() {
    check(Some("openai"), None, false, &["other"]);
    check(Some("together-ai"), None, false, &["big", "big", "small"]);
    check(Some("small"), None, false, &["small"]);
    check(Some("nobody"), None, false, &[]);
}

#[test]
fn streams_go_to_the_twin_of_a_target_that_has_one() {
    check(None, None, true, &["big~s", "big~s", "small", "other"]);
}

#[test]
fn single_tries_only_the_first() {
    let clusters = |model| {
        let wanted = Wanted { model, ..Wanted::default() };
        choose(&config(Strategy::Single), None, &wanted).map(|choice| choice.clusters)
    };
    assert_eq!(clusters(None).as_deref(), Ok(&["big".to_owned(), "big".to_owned()][..]));
    assert_eq!(clusters(Some("llama-8b")).as_deref(), Ok(&["small".to_owned()][..]));
}

/// Two targets whose breakers open at their first failure.
fn brittle(process: &Arc<Process>) -> (Downstream, Routing) {
    let breaker =
        Breaker { failure_threshold: 1, recovery_ms: 2000, half_open_requests: 1, lease_ms: 60_000 };
    let mut config = config(Strategy::Fallback);
    config.targets.truncate(2);
    config.targets.iter_mut().for_each(|target| target.breaker = Some(breaker.clone()));
    let routing = Routing::new(&config, std::rc::Rc::new(Worker(process.clone()))).unwrap();
    (config, routing)
}

/// What is counted of a target, and whether its breaker opened.
fn told(process: &Process, target: &str) -> String {
    let counts = ["answered", "failed", "unanswered", "out", "cancelled"].into_iter().filter_map(|outcome| {
        let count = process.shown(&format!("kt_target_attempts_total;outcome={outcome};{target}"))?;
        Some(format!("{count} {outcome}"))
    });
    let open = process.shown(&format!("kt_target_breaker_state;{target}")) == Some(2);
    counts.chain(open.then(|| "open".to_owned())).collect::<Vec<_>>().join(", ")
}

/// An exchange with this trail, the status of its answer if there was one, and this end; then what is told of both targets.
#[track_caller]
fn check_told(trail: &str, status: Option<u16>, end: End, expected: [&str; 2]) {
    let process = Arc::new(Process::default());
    let (config, routing) = brittle(&process);
    let mut account = Account::open(&choose(&config, Some(&routing), &Wanted::default()).unwrap());
    let trail = Trail::from_text(trail);
    if let Some(status) = status {
        account.answered(&routing, &trail, status, 5);
    }
    account.close(&routing, &trail, end);
    assert_eq!(["big", "small"].map(|target| told(&process, target)), expected);
}

#[test]
fn a_good_answer_is_no_failure_and_neither_is_a_clients_own_mistake() {
    check_told(">big 1", Some(200), End::Served, ["1 answered", ""]);
    check_told(">big 1", Some(404), End::Served, ["1 answered", ""]);
    check_told(">big 1", Some(200), End::Cancelled, ["1 answered", ""]);
    check_told(">big 1", None, End::Cancelled, ["1 cancelled", ""]);
}

#[test]
fn every_attempt_that_failed_counts_against_its_target() {
    check_told(">big 1\n>small 2", Some(200), End::Served, ["1 unanswered, open", "1 answered"]);
    check_told(
        ">big 1 503 status\n>big 2 503 status\n>small 3",
        Some(200),
        End::Served,
        ["2 failed, open", "1 answered"],
    );
    check_told(">big 1 200 error_event\n>small 3", Some(200), End::Served, ["1 failed, open", "1 answered"]);
    check_told(">big 1 402 target_out\n>small 3", Some(200), End::Served, ["1 out, open", "1 answered"]);
    check_told(">big 1 404 no_such_model\n>small 3", Some(200), End::Served, ["1 out", "1 answered"]);
    check_told(">big 1\n>small 2", Some(503), End::Served, ["1 unanswered, open", "1 failed, open"]);
    check_told(">big 1\n>small 2", None, End::Failed, ["1 unanswered, open", "1 unanswered, open"]);
}

#[test]
fn an_answer_that_breaks_off_is_a_failure() {
    check_told(">big 1", Some(200), End::Failed, ["1 unanswered, open", ""]);
}

#[test]
fn a_target_without_an_address_has_failed() {
    check_told("", None, End::Unreachable, ["1 unanswered, open", ""]);
}

#[test]
fn every_place_is_given_back_whatever_the_end() {
    let process = Arc::new(Process::default());
    let (config, routing) = brittle(&process);
    routing.learn(&[(1, News::Failed, None)]);
    process.pass(2000);
    let choose = || choose(&config, Some(&routing), &Wanted::default()).unwrap();
    // Its place is not needed: the first target answers.
    let mut account = Account::open(&choose());
    assert_eq!(choose().targets, [0, 0], "the place is taken");
    account.answered(&routing, &Trail::from_text(">big 1"), 200, 5);
    let again = choose();
    assert_eq!(again.targets, [0, 0, 1]);
    // The client leaves before anyone has answered.
    Account::open(&again).close(&routing, &Trail::from_text(">big 1"), End::Cancelled);
    // The first target fails, and the second is found to be well.
    let mut account = Account::open(&choose());
    account.answered(&routing, &Trail::from_text(">big 1\n>small 2"), 200, 5);
    assert_eq!(process.shown("kt_target_breaker_state;small"), Some(0));
}

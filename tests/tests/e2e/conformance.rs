//! The conformance kit finds nothing in our gateway, and what there is in one without guards.

use crate::with_config;
use kt_tests::conformance::{self, Line, Report, Target, Verdict};
use kt_tests::envoy::{Setup, free_address};
use kt_tests::scenario;
use kt_tests::upstream::{Answer, Upstream};
use serde_json::json;

const MODEL: &str = "meta-llama/Llama-3.3-70B-Instruct-Turbo";

fn upstream() -> Upstream {
    Upstream::start(|_| Answer::status(503)).unwrap()
}

#[track_caller]
fn run(url: &str, upstream: &Upstream) -> Report {
    let target = Target::parse(url, Some("sk-caller".into()), MODEL).unwrap();
    conformance::run(&target, upstream, 5).unwrap()
}

#[test]
fn our_gateway_is_perfect() {
    let upstream = upstream();
    let mut config = scenario::quick_start();
    config["policy"]["safety-filter"]["block_if"] = json!(["project nightfall"]);
    let gateway = with_config(&upstream, &config).start();
    let report = run(&gateway.base_url(), &upstream);
    let bad: Vec<&Line> = report.lines.iter().filter(|line| !line.verdict.is_good()).collect();
    assert!(report.is_perfect(), "{bad:#?}");
    assert!(report.lines.len() > 250, "{} probes", report.lines.len());
    let cost = report.cost.as_ref().expect("the streams come to their end");
    assert!(cost.is_unheld, "{cost:?}");
    assert_eq!(report.json()["perfect"], true);
    assert!(report.markdown().contains("no leak, no place missed, nothing lost"));
}

/// Without guards everything that is planted arrives, and the kit says so for every place.
#[track_caller]
fn check_leaky(report: &Report) {
    assert!(!report.is_perfect());
    let planted = report.lines.iter().filter(|line| ["request", "answer", "stream"].contains(&line.group));
    let kept: Vec<&Line> = planted.filter(|line| !matches!(line.verdict, Verdict::Leaked(_))).collect();
    assert!(kept.is_empty(), "{kept:#?}");
    let blocks = report.lines.iter().filter(|line| line.group == "block");
    let kept: Vec<&Line> = blocks.filter(|line| line.verdict.is_good()).collect();
    assert!(kept.is_empty(), "{kept:#?}");
    assert_eq!(report.json()["perfect"], false);
    assert!(report.markdown().contains("| request | chat, user: `alice@example.com` | leaked |"));
}

#[test]
fn an_envoy_without_guards_leaks_at_every_place() {
    let upstream = upstream();
    let listener = free_address();
    let bootstrap = include_str!("../../src/envoy/plain.yaml")
        .replace("LISTENER_PORT", &listener.port().to_string())
        .replace("UPSTREAM_PORT", &upstream.address().port().to_string());
    let gateway = Setup::new("").start_rendered(listener, &bootstrap);
    check_leaky(&run(&gateway.base_url(), &upstream));
}

#[test]
fn no_gateway_at_all_leaks_at_every_place() {
    let upstream = upstream();
    check_leaky(&run(&upstream.base_url(), &upstream));
}

#[test]
fn a_gateway_that_is_pointed_elsewhere_is_told_so() {
    let (upstream, elsewhere) = (upstream(), Upstream::start(|_| Answer::json(200, "{}")).unwrap());
    let target = Target::parse(&elsewhere.base_url(), None, MODEL).unwrap();
    let problem = conformance::run(&target, &upstream, 1).unwrap_err();
    assert!(problem.contains("point it there"), "{problem}");
    assert!(Target::parse("https://gateway.test", None, MODEL).is_err());
}

//! Choices over shared state, with workers that interleave.

use super::*;
use crate::plugin::{Breaker, Probe};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Shared data as Envoy keeps it, a clock that tests set, and the last value of every metric.
#[derive(Default)]
pub(crate) struct Process {
    values: Mutex<BTreeMap<String, (Vec<u8>, u32)>>,
    now_ns: AtomicU64,
    shown: Mutex<BTreeMap<String, u64>>,
}

pub(crate) struct Worker(pub(crate) Arc<Process>);

impl Shared for Worker {
    fn now_ns(&self) -> u64 {
        // Never twice the same, as with a real clock.
        self.0.now_ns.fetch_add(1, Ordering::SeqCst)
    }

    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.values.lock().unwrap().get(key).cloned()
    }

    fn write(&self, key: &str, value: &[u8], version: u32) -> bool {
        let mut values = self.0.values.lock().unwrap();
        let next = values.values().map(|(_, version)| *version).max().unwrap_or(0) + 1;
        match values.get(key) {
            Some((_, known)) if version != 0 && version != *known => false,
            _ => {
                values.insert(key.to_owned(), (value.to_vec(), next));
                true
            }
        }
    }

    fn measure(&self, metric: Metric, id: &str, value: u64) {
        let mut shown = self.0.shown.lock().unwrap();
        let entry = shown.entry([metric.name(), ";", id].concat()).or_default();
        match metric.kind() {
            Kind::Counter => *entry += value,
            Kind::Gauge | Kind::Histogram => *entry = value,
        }
    }
}

impl Process {
    pub(crate) fn pass(&self, ms: u64) {
        self.now_ns.fetch_add(ms * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn shown(&self, name: &str) -> Option<u64> {
        self.shown.lock().unwrap().get(name).copied()
    }
}

fn target(id: &str, weight: u32, cost_rank: u32) -> Target {
    Target {
        id: id.into(),
        provider: "openai-compatible".into(),
        authority: "host".into(),
        path_prefix: "/v1".into(),
        weight,
        cost_rank,
        retryable_status_codes: vec![503],
        breaker: Some(Breaker {
            failure_threshold: 3,
            recovery_ms: 2000,
            half_open_requests: 2,
            lease_ms: 60_000,
        }),
        probe: Some(Probe { path: "/v1/models".into(), interval_ms: 1000, timeout_ms: 500 }),
        ..Target::default()
    }
}

fn config(strategy: Strategy, targets: Vec<Target>) -> Downstream {
    Downstream { targets, strategy, attempt_role: true, ..Downstream::default() }
}

fn three() -> Vec<Target> {
    vec![target("a", 5, 2), target("b", 3, 0), target("c", 2, 0)]
}

fn worker(process: &Arc<Process>, strategy: Strategy) -> Routing {
    Routing::new(&config(strategy, three()), std::rc::Rc::new(Worker(process.clone()))).unwrap()
}

/// A target's answer, now.
fn answered(routing: &Routing, target: usize, ms: u32) {
    routing.answered(target, ms, routing.now_ms());
}

/// The order for one request.
fn order(routing: &Routing) -> Vec<usize> {
    let mut order = vec![0, 1, 2];
    routing.enter(&mut order);
    routing.arrange(&mut order, false);
    order
}

fn fail(routing: &Routing, target: usize, times: usize) {
    (0..times).for_each(|_| routing.learn(&[(target, News::Failed, None)]));
}

#[test]
fn shares_are_exact_over_workers_that_run_at_the_same_time() {
    let process = Arc::new(Process::default());
    let first = Mutex::new([0; 3]);
    // Created before any worker runs, as Envoy does it.
    drop(worker(&process, Strategy::WeightedRoundRobin));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let routing = worker(&process, Strategy::WeightedRoundRobin);
                for _ in 0..500 {
                    let order = order(&routing);
                    first.lock().unwrap()[order[0]] += 1;
                }
            });
        }
    });
    assert_eq!(*first.lock().unwrap(), [1000, 600, 400]);
}

#[test]
fn an_open_target_is_left_out_and_the_others_keep_their_proportion() {
    let process = Arc::new(Process::default());
    let routing = worker(&process, Strategy::WeightedRoundRobin);
    fail(&routing, 1, 3);
    let mut first = [0; 3];
    for _ in 0..700 {
        let order = order(&routing);
        assert!(!order.contains(&1));
        first[order[0]] += 1;
    }
    assert_eq!(first, [500, 0, 200]);
}

#[test]
fn twenty_requests_at_once_send_exactly_the_configured_probes() {
    let process = Arc::new(Process::default());
    let routing = worker(&process, Strategy::Fallback);
    fail(&routing, 0, 3);
    assert_eq!(process.shown("kt_target_breaker_state;a"), Some(2));
    assert_eq!(order(&routing), [1, 2]);
    process.pass(2000);
    let other = worker(&process, Strategy::Fallback);
    let mut places = Vec::new();
    for request in 0..20 {
        let mut order = vec![0, 1, 2];
        let routing = if request % 2 == 0 { &routing } else { &other };
        let taken = routing.enter(&mut order);
        assert_eq!(order.contains(&0), !taken.is_empty());
        places.extend(taken);
    }
    assert_eq!((places.len(), process.shown("kt_target_breaker_state;a")), (2, Some(1)));
    routing.learn(&[(0, News::Nothing, Some(places[0]))]);
    let again = other.enter(&mut vec![0, 1, 2]);
    assert_eq!(again.len(), 1);
    other.learn(&[(0, News::Succeeded, Some(places[1])), (0, News::Succeeded, Some(again[0]))]);
    assert_eq!(process.shown("kt_target_breaker_state;a"), Some(0));
    assert_eq!(order(&routing), [0, 1, 2]);
}

#[test]
fn what_is_all_that_is_left_is_tried_even_if_it_is_open() {
    let process = Arc::new(Process::default());
    let routing = worker(&process, Strategy::Fallback);
    (0..3).for_each(|target| fail(&routing, target, 3));
    assert_eq!(order(&routing), [0, 1, 2]);
    let mut only = vec![1];
    assert!(routing.enter(&mut only).is_empty());
    assert_eq!(only, [1]);
}

#[test]
fn a_probe_takes_a_target_out_and_brings_it_back() {
    let process = Arc::new(Process::default());
    let (routing, other) = (worker(&process, Strategy::Fallback), worker(&process, Strategy::Fallback));
    let due = |routing: &Routing| -> Vec<String> {
        routing.probes_due().iter().map(|target| target.id.clone()).collect()
    };
    assert_eq!(due(&routing), ["a", "b", "c"]);
    assert!(due(&other).is_empty(), "one worker has them all");
    routing.probed("a", None);
    routing.probed("b", Some(200));
    routing.probed("c", Some(401));
    assert_eq!((order(&other), process.shown("kt_target_healthy;a")), (vec![1], Some(0)));
    // Jitter brings it forward, never beyond the interval.
    process.pass(799);
    assert!(due(&routing).is_empty());
    process.pass(101);
    assert_eq!(due(&other), ["a", "b", "c"]);
    other.probed("a", Some(204));
    assert_eq!((order(&routing), process.shown("kt_target_healthy;a")), (vec![0, 1], Some(1)));
    assert_eq!(routing.probe_tick_ms(), Some(100));
}

#[test]
fn the_cheapest_is_first_and_equal_prices_keep_the_files_order() {
    let routing = worker(&Arc::default(), Strategy::LowestCost);
    assert_eq!(order(&routing), [1, 2, 0]);
    let mut pinned = vec![2, 0, 1];
    routing.arrange(&mut pinned, true);
    assert_eq!(pinned, [2, 1, 0]);
}

#[test]
fn the_fastest_serves_once_all_are_known_and_one_in_ten_explores() {
    let process = Arc::new(Process::default());
    let routing = worker(&process, Strategy::Latency);
    let times = [400, 20, 100];
    let mut warm_up = [0; 3];
    for _ in 0..15 {
        let first = order(&routing)[0];
        warm_up[first] += 1;
        answered(&routing, first, times[first]);
    }
    assert_eq!(warm_up, [5, 5, 5]);
    let mut served = [0; 3];
    for _ in 0..2000 {
        let order = order(&routing);
        served[order[0]] += 1;
        answered(&routing, order[0], times[order[0]]);
        process.pass(1);
    }
    assert!((1740..1860).contains(&served[1]), "{served:?}");
    assert!(served[0] > 50 && served[2] > 50, "{served:?}");
    // After the window nothing is known any more.
    process.pass(400_000);
    let first: Vec<usize> = (0..3).map(|_| order(&routing)[0]).collect();
    assert_eq!(first, [0, 1, 2]);
}

#[test]
fn a_target_that_never_answers_does_not_stay_first() {
    let process = Arc::new(Process::default());
    let routing = worker(&process, Strategy::Latency);
    let mut first = [0; 3];
    for _ in 0..1000 {
        let order = order(&routing);
        first[order[0]] += 1;
        let answers = if order[0] == 0 { order[1] } else { order[0] };
        answered(&routing, answers, 50);
        process.pass(1);
    }
    assert!(first[0] < 100, "{first:?}");
}

#[test]
fn state_survives_a_new_vm_and_does_not_mix_with_that_of_other_targets() {
    let process = Arc::new(Process::default());
    fail(&worker(&process, Strategy::Fallback), 0, 3);
    assert_eq!(order(&worker(&process, Strategy::Fallback)), [1, 2]);
    let mut targets = three();
    targets[0].authority = "elsewhere".into();
    let changed =
        Routing::new(&config(Strategy::Fallback, targets), std::rc::Rc::new(Worker(process.clone())))
            .unwrap();
    assert_eq!(order(&changed), [0, 1, 2]);
}

#[test]
fn where_there_is_nothing_to_choose_from_nothing_is_read() {
    struct Nobody;
    impl Shared for Nobody {
        fn now_ns(&self) -> u64 {
            panic!("asked for the time")
        }
        fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            panic!("read {key}")
        }
        fn write(&self, key: &str, _: &[u8], _: u32) -> bool {
            panic!("wrote {key}")
        }
        fn measure(&self, metric: Metric, _: &str, _: u64) {
            panic!("measured {metric:?}")
        }
    }
    assert!(
        Routing::new(&config(Strategy::Single, three()[..1].to_vec()), std::rc::Rc::new(Nobody)).is_none()
    );
    let plain = three().into_iter().map(|target| Target { breaker: None, probe: None, ..target }).collect();
    let routing = Routing::new(&config(Strategy::Fallback, plain), std::rc::Rc::new(Nobody)).unwrap();
    assert_eq!(order(&routing), [0, 1, 2]);
    routing.learn(&[(0, News::Failed, None)]);
}

#[test]
fn state_has_a_bounded_size() {
    let process = Arc::new(Process::default());
    let routing = Rc::new(worker(&process, Strategy::Latency));
    for _ in 0..1000 {
        let order = order(&routing);
        answered(&routing, order[0], 10);
        process.pass(1000);
    }
    let values = process.values.lock().unwrap();
    let bytes: usize = values.values().map(|(value, _)| value.len()).sum();
    assert!(values.len() == 5 && bytes < 12_000, "{} values, {bytes} bytes", values.len());
}

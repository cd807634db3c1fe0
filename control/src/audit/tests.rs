//! Changes a log in every way and looks whether it shows.

use super::*;
use kt_core::chain::{Chain, chain_key};
use std::time::{Duration, Instant};

/// A log as a process writes it: two workers whose events come in turns, of which one loses its VM on the way.
fn log(events: usize, key: &Key) -> Vec<Vec<u8>> {
    let mut chains = vec![Chain::new(1, *key), Chain::new(2, *key)];
    let mut lines = Vec::new();
    for number in 0..events {
        if number == events / 2 {
            chains.push(Chain::new(3, *key));
        }
        // From then on the first worker writes the third chain.
        let worker = if number % 3 == 0 { 1 } else { 0 };
        let own = if worker == 0 && chains.len() == 3 { 2 } else { worker };
        let heads = chains.iter().enumerate().filter(|(at, chain)| *at != own && chain.head().seq > 0);
        let heads: Vec<String> = heads.map(|(_, chain)| chain.head().to_text()).collect();
        let chain = &mut chains[own];
        let heads = if chain.wants_heads() { heads } else { Vec::new() };
        let time = kt_core::event::rfc3339(1_795_000_000_000 + number as u64 * 1000);
        let event = json(number, &time);
        let mut line = event.into_bytes();
        chain.seal(&mut line, &heads);
        lines.push(line);
    }
    lines
}

fn json(number: usize, time: &str) -> String {
    format!(r#"{{"time":"{time}","request_id":"r{number}","verdict":"allow","findings":[],"status":200}}"#)
}

fn audit(key: &Key, lines: &[Vec<u8>], heads: &[Head]) -> Audit {
    let mut audit = Audit::new(false);
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        audit.line(key, "log", number + 1, line);
    }
    audit.finish(heads.to_vec());
    audit
}

fn messages(audit: &Audit) -> Vec<&str> {
    audit.problems.iter().map(|problem| problem.message.as_str()).collect()
}

#[test]
fn a_whole_log_of_many_events_is_whole_and_read_in_seconds() {
    let key = chain_key("secret");
    let lines = log(100_000, &key);
    let started = Instant::now();
    let audit = audit(&key, &lines, &[]);
    assert_eq!((audit.events, messages(&audit)), (100_000, vec![]));
    assert_eq!(audit.heads().map(|head| head.seq).sum::<u64>(), 100_000);
    // In a debug build on a busy machine.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn every_one_of_a_thousand_edits_is_found() {
    let key = chain_key("secret");
    let lines = log(150, &key);
    let heads: Vec<Head> = audit(&key, &lines, &[]).heads().collect();
    assert_eq!(messages(&audit(&key, &lines, &heads)), Vec::<&str>::new());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for edit in 0..1000 {
        let mut changed = lines.clone();
        let at = random(lines.len());
        let kind = [
            "a bit",
            "a line out",
            "a line twice",
            "a line elsewhere",
            "a tail cut",
            "half a line",
            "a made-up line",
        ][edit % 7];
        match kind {
            "a bit" => {
                let byte = random(changed[at].len());
                changed[at][byte] ^= 1 << random(8);
            }
            "a line out" => drop(changed.remove(at)),
            "a line twice" => changed.insert(random(lines.len()), lines[at].clone()),
            "a line elsewhere" => {
                // Past the next event of its chain; before it nothing changes in the chain.
                let chain = |line: &[u8]| serde_json::from_slice::<Link>(line).unwrap().chain;
                let Some(next) = (at + 1..lines.len()).find(|next| chain(&lines[*next]) == chain(&lines[at]))
                else {
                    continue;
                };
                let line = changed.remove(at);
                changed.insert(next, line);
            }
            "a tail cut" => changed.truncate(at),
            "half a line" => {
                let half = random(changed[at].len());
                changed[at].truncate(half.max(1));
            }
            _ => changed.insert(at, json(9999, "2026-11-20T00:00:00.000Z").into_bytes()),
        }
        assert!(!audit(&key, &changed, &heads).problems.is_empty(), "{kind} at line {at}");
    }
}

#[test]
fn a_cut_tail_shows_in_the_chains_that_knew_it() {
    let key = chain_key("secret");
    let lines = log(1200, &key);
    // The second chain names the first one's head some time after the middle; the first one's last events go.
    let first = |line: &[u8]| {
        serde_json::from_slice::<Link>(line).unwrap().chain.as_deref() == Some("0000000000000001")
    };
    let last = lines.iter().rposition(|line| first(line)).unwrap();
    let mut cut = lines.clone();
    cut.remove(last);
    let found = audit(&key, &cut, &[]);
    let found = messages(&found);
    let told = |message: &&str| message.starts_with("chain 0000000000000001 ends with event 399; log:");
    assert!(!found.is_empty() && found.iter().all(told), "{found:?}");
}

#[test]
fn another_key_makes_no_chain_of_ours() {
    let lines = log(20, &chain_key("guess"));
    assert_eq!(audit(&chain_key("secret"), &lines, &[]).problems.len(), 20);
}

#[test]
fn lines_of_envoys_own_are_counted_and_others_without_a_chain_are_not_accepted() {
    let key = chain_key("");
    let mut lines = log(3, &key);
    lines.push(br#"{"time":"t","ended":"not_inspected","status":503}"#.to_vec());
    assert_eq!((messages(&audit(&key, &lines, &[])), audit(&key, &lines, &[]).unsealed), (vec![], 1));
    lines.push(br#"{"time":"t","ended":"completed"}"#.to_vec());
    assert_eq!(messages(&audit(&key, &lines, &[])), ["an event that is in no chain"]);
}

/// Lines as files of the log, cut at these places.
fn files(lines: &[Vec<u8>], cuts: &[usize]) -> Vec<String> {
    let text = |lines: &[Vec<u8>]| {
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect::<String>()
    };
    let ends = cuts.iter().copied().chain([lines.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| text(&lines[start..end])).collect()
}

/// The lines of files.
fn lines_of(files: &[String]) -> Vec<Vec<u8>> {
    files.iter().flat_map(|file| file.lines().map(|line| line.as_bytes().to_vec())).collect()
}

#[test]
fn what_is_old_goes_and_the_rest_stays_verifiable() {
    let key = chain_key("secret");
    let lines = log(100, &key);
    let heads: Vec<Head> = audit(&key, &lines, &[]).heads().collect();
    let cutoff = kt_core::event::rfc3339(1_795_000_000_000 + 40_000);
    for cuts in [&[][..], &[30], &[40], &[20, 70]] {
        let whole = files(&lines, cuts);
        let (rest, gone) = pruned(&whole, &cutoff, "now", &key);
        assert_eq!((gone, rest.len()), (40, whole.len()));
        let left = lines_of(&rest);
        let found = audit(&key, &left, &heads);
        assert_eq!((found.events, messages(&found)), (60, vec![]), "cut at {cuts:?}");
        // Without an anchor, or with one of another's making, it shows that events are missing.
        assert!(!audit(&key, &left[1..], &heads).problems.is_empty());
        let (forged, _) = pruned(&whole, &cutoff, "now", &chain_key("guess"));
        assert!(!audit(&key, &lines_of(&forged), &heads).problems.is_empty());
        // Nothing is lost by doing it again, later.
        let (again, gone) = pruned(&rest, "2027", "now", &key);
        assert_eq!((gone, messages(&audit(&key, &lines_of(&again), &heads)).len()), (60, 0));
    }
}

#[test]
fn a_prune_that_was_interrupted_can_be_done_again() {
    let key = chain_key("secret");
    let lines = log(100, &key);
    let whole = files(&lines, &[30]);
    let cutoff = kt_core::event::rfc3339(1_795_000_000_000 + 40_000);
    let (rest, _) = pruned(&whole, &cutoff, "now", &key);
    // The newer file was replaced, the older one not yet.
    let half = [whole[0].clone(), rest[1].clone()];
    assert_eq!(messages(&audit(&key, &lines_of(&half), &[])), Vec::<&str>::new());
    assert_eq!(pruned(&half, &cutoff, "now", &key), (rest, 30));
}

//! Some hundred seeds keep every promise, and each planted bug breaks one within a thousand.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod reach;

use clap::ValueEnum;
use simulation::{Bug, Plan, Reach, Trial, observe, run, shrink};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const FLOWS: usize = 40;

/// Runs `work` on every number below `end`, on all cores.
fn on_all_cores(end: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let worker = || {
        while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < end) {
            work(number);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(worker))));
}

#[test]
fn every_promise_is_kept_and_every_method_of_the_store_meets_faults() {
    let (flows, crashes) = (AtomicU64::new(0), AtomicU64::new(0));
    let reach = Mutex::new(Reach::default());
    on_all_cores(300, |seed| {
        let (reached, summary) = observe(&Plan::new(seed, FLOWS));
        reach.lock().unwrap().add(&reached);
        let summary = summary.unwrap_or_else(|failure| panic!("{}", shrink(failure)));
        flows.fetch_add(summary.acknowledged as u64, Ordering::Relaxed);
        crashes.fetch_add(summary.crashes.into(), Ordering::Relaxed);
    });
    let reach = reach.into_inner().unwrap();
    println!("{flows:?} flows acknowledged, {crashes:?} crashes\n{reach}");
    reach::assert_reach(&reach);
    // The seeds are fixed: fewer would mean that little was tried.
    assert!(flows.into_inner() > 10_000 && crashes.into_inner() > 300);
}

#[test]
fn a_seed_tells_the_whole_course() {
    for seed in [3, 14] {
        let plan = Plan::new(seed, FLOWS);
        assert_eq!(run(&plan).unwrap(), run(&plan).unwrap());
    }
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = Bug::value_variants();
    on_all_cores(bugs.len() as u64, |number| {
        let bug = bugs[number as usize];
        let found = (0..1000).find_map(|seed| run(&Plan::new(seed, FLOWS).with_bug(bug)).err());
        let failure = found.unwrap_or_else(|| panic!("{bug:?} was not found in 1000 seeds"));
        println!(
            "{bug:?}: seed {}: {}",
            failure.plan.seed,
            failure.broken.lines().next().unwrap_or_default()
        );
    });
}

#[test]
fn an_hour_of_outage_and_a_hanging_target_slow_nobody_else() {
    for seed in [1, 2] {
        let summary = run(&Plan { trial: Trial::Outage, ..Plan::new(seed, 500) }).unwrap();
        // In virtual time, which has no noise: who is well is served at once.
        assert!(summary.slowest_hand_over_ms <= 10 && summary.slowest_callback_ms <= 10, "{summary:?}");
    }
}

#[test]
fn an_application_that_takes_what_it_can_and_a_wrong_clock_take_nothing_from_others() {
    on_all_cores(4, |seed| {
        let plan = Plan { trial: Trial::Hostile, ..Plan::new(seed, 100) };
        run(&plan).unwrap_or_else(|failure| panic!("{}", shrink(failure)));
    });
}

#[test]
fn a_failure_is_shrunk_to_a_smaller_plan_that_fails() {
    // Each of some hundred runs that shrinking tries takes as long as its flows.
    let (bug, sent) = (Bug::AcknowledgeBeforeStore, FLOWS / 2);
    let found = (0..1000).find_map(|seed| run(&Plan::new(seed, sent).with_bug(bug)).err()).unwrap();
    let (flows, faults, crashes) = found.size();
    let shrunk = shrink(found);
    let size = shrunk.size();
    assert!(size.0 <= 3 && size.1 <= faults && size.2 <= crashes && flows == sent, "{shrunk}");
    assert!(!shrunk.course.is_empty());
    // The command that it prints repeats it.
    let again = run(&shrunk.plan).unwrap_err();
    assert_eq!((again.broken, again.course.to_string()), (shrunk.broken, shrunk.course.to_string()));
}

//! Whether faults reach the methods of the store that the engine calls.

use simulation::Reach;

/// Methods that no fault reaches, and why.
const SPARED: [(&str, &str); 20] = [
    ("put_off_for", "answers from memory, and can't fail"),
    ("resume", "answers from memory, and can't fail"),
    ("waiting", "answers from memory, and can't fail"),
    ("pull_in", "answers from memory, and can't fail"),
    ("next_due_ms", "answers from memory, and can't fail"),
    ("woken", "waits, and can't fail"),
    ("recent", "answers from memory, and can't fail"),
    ("secret_key", "answers from memory, and can't fail"),
    ("changes", "is read at the start: who fails there starts again, before anybody was answered"),
    ("position", "is read at the start"),
    ("has", "is read at the start"),
    ("kept_time_ms", "is read at the start"),
    ("forget_removals", "the simulation saves the index itself, by the store without faults"),
    ("flows_to_later_recipient", "no client of the simulation erases"),
    ("flows_by_reference", "no client of the simulation asks what a carrier's id means"),
    ("link", "no client of the simulation shortens links"),
    ("suppress", "no client of the simulation keeps a list of opt-outs"),
    ("unsuppress", "no client of the simulation keeps a list of opt-outs"),
    ("suppressions", "no client of the simulation keeps a list of opt-outs"),
    ("add_token", "the simulation gives its clients their tokens"),
];

/// The methods that stand between the engine and its store.
fn methods() -> Vec<String> {
    let source = include_str!("../../src/faults.rs");
    let (_, of_store) = source.split_once("for Faulty {").unwrap();
    let lines = of_store.lines().filter_map(|line| line.strip_prefix("    "));
    let named = lines.filter_map(|line| line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn "));
    named.map(|line| line.split(['(', '<']).next().unwrap().to_owned()).collect()
}

/// Fails where a method was called and met no fault, and is not listed with why.
pub fn assert_reach(reach: &Reach) {
    let mut wrong = Vec::new();
    for method in methods() {
        let spared = SPARED.iter().any(|(name, _)| *name == method);
        let met = reach.of(&method);
        if (met.calls > 0 && met.faults() == 0 && !spared) || (met.faults() > 0 && spared) {
            wrong.push(method);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}: list each as spared, with why, or no more\n{reach}");
}

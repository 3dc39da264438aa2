//! Feeds each target its seeds (`fuzz/seeds`), what they begin with, and what is made of them: the same
//! inputs each time, without regard to what they reach. `cargo xtask fuzz` looks further.

mod feeding;
mod mutator;

use feeding::{feed, finding};
use fuzzing::{TARGETS, Target};
use mutator::Mutator;
use std::path::{Path, PathBuf};

/// Of seeds up to this length every beginning is fed.
const SMALL: usize = 256;

/// A test for each target, by its name.
macro_rules! targets {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                test(stringify!($name));
            }
        )*
    };
}

targets! {
    audio bodies configurations dial_plans files filters heads http_receipts provider_answers queries
    sip_answers smpp_pdus smpp_receipts smpp_session
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("a target")
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder in the order of their names; none where there is no folder.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let seeds = listed(&folder("../../fuzz/seeds").join(name));
    seeds.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let seeds = seeds(target.name);
    let small = seeds.iter().filter(|seed| seed.len() <= SMALL);
    let beginnings = small.flat_map(|seed| (1..seed.len()).map(|length| seed[..length].to_vec()));
    let mut inputs = vec![Vec::new()];
    inputs.extend(beginnings);
    inputs.extend(seeds.iter().cloned());
    let mut mutator = Mutator::new(seeds, 0);
    inputs.extend((0..target.inputs).map(|_| mutator.next()));
    inputs
}

fn test(name: &str) {
    let target = target(name);
    let inputs = match feeding::given() {
        Some(input) => vec![input],
        None => inputs(&target),
    };
    if let Some(found) = feed(target, inputs) {
        panic!("{found}");
    }
}

#[test]
fn every_target_is_fed() {
    let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(targets, NAMES);
    let stem = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut sources: Vec<_> = listed(&folder("src/targets")).iter().map(stem).collect();
    sources.retain(|name| name != "mod");
    assert_eq!(sources, NAMES);
    for name in listed(&folder("../../fuzz/seeds")).iter().map(stem) {
        assert!(NAMES.contains(&name.as_str()), "seeds of no target: {name}");
        assert!(!seeds(&name).is_empty(), "no seeds: {name}");
    }
}

#[test]
fn a_target_that_panics_is_told_with_its_input() {
    fn planted(data: &[u8]) {
        assert!(!data.ends_with(&[0xff]), "planted");
    }
    fn planted_elsewhere(data: &[u8]) {
        if data.ends_with(&[0xff]) {
            let _ = std::thread::spawn(|| panic!("planted")).join();
        }
    }
    let inputs = || vec![vec![], vec![1], vec![1, 0xff], vec![2, 0xff]];
    for feed_planted in [planted as fn(&[u8]), planted_elsewhere] {
        let target = Target { name: "planted", feed: feed_planted, inputs: 0 };
        let found = feed(target, inputs()).expect("a finding");
        assert!(found.contains("planted panics at 01ff"), "{found}");
        assert!(found.contains("SWITCHBACK_INPUT=01ff"), "{found}");
    }
    let target = Target { name: "planted", feed: planted, inputs: 0 };
    assert_eq!(feed(target, vec![vec![1], vec![2]]), None);
}

#[test]
fn an_input_is_read_as_it_is_told() {
    let input: Vec<u8> = (0..=255).collect();
    let told = finding("any", &input, "why");
    let hex = told.split("SWITCHBACK_INPUT=").nth(1).and_then(|rest| rest.split(' ').next());
    assert_eq!(hex.and_then(feeding::octets), Some(input));
    assert_eq!(feeding::octets("0g"), None);
    assert_eq!(feeding::octets("123"), None);
}

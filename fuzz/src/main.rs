//! Feeds one target of `crates/fuzzing`, which `FUZZ_TARGET` names, as libFuzzer is told: one program for all
//! of them, since what takes long is linking.

#![no_main]

use fuzzing::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET");
    let target = TARGETS.into_iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("FUZZ_TARGET: there is no target {name}"))
});

fuzz_target!(|data: &[u8]| (TARGET.feed)(data));

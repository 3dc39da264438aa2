//! An SMPP session under any schedule of octets, time, submits, answers and ends, held against what it promises.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/smpp/tests/common/watched.rs"]
mod watched;

fuzz_target!(|script: &[u8]| watched::play(script));

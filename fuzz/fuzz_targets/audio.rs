//! Sound files of clients: read within their limits, or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| carriers::fuzzing::audio(data));

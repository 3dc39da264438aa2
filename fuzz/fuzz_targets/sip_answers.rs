//! What the other side of a call sends: answers with session descriptions, and media.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| carriers::fuzzing::sip_answer(data));

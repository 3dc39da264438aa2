//! An SMPP session under any schedule of octets, time, submits, answers and ends, held against what it
//! promises.

// The property test of the crate plays the same scripts.
#[path = "../../../smpp/tests/common/watched.rs"]
mod watched;

pub(crate) fn feed(script: &[u8]) {
    watched::play(script);
}

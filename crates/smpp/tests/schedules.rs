//! Sessions under random schedules, held against what they promise.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::{Watched, play, settings};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_session_keeps_its_promises_under_any_schedule(script in vec(any::<u8>(), 0..400)) {
        play(&script);
    }
}

#[test]
fn waits_may_be_of_any_length() {
    let endless =
        smpp::Settings { enquire_link: Duration::MAX, response_timeout: Duration::MAX, ..settings() };
    let mut watched = Watched::bound(endless);
    assert!(watched.submit(common::message(), Duration::MAX));
    watched.pass(Duration::from_secs(1 << 30));
    watched.tick();
    watched.disconnect();
}

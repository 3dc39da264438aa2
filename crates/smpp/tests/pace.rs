//! The rate of an account, number by number.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

use smpp::Pace;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// An account whose SMSC accepted `accepted` messages in the last second, and then throttled one.
fn throttled(accepted: u32) -> (Pace, Instant) {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    (0..accepted).for_each(|_| pace.taken(start));
    pace.throttled(start, start);
    (pace, start)
}

fn assert_rate(pace: &Pace, expected: f64) {
    let rate = pace.rate().unwrap();
    assert!((rate - expected).abs() < 1e-9, "{rate} instead of {expected}");
}

#[test]
fn without_throttling_every_turn_is_now() {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    for _ in 0..3 {
        let turn = pace.turn(start);
        assert!(turn.at == start && pace.holds(turn));
        pace.taken(start);
    }
    assert_eq!((pace.rate(), pace.room(start)), (None, usize::MAX));
}

#[test]
fn a_throttled_account_gets_what_was_accepted_in_the_last_second() {
    let (mut pace, start) = throttled(10);
    assert_rate(&pace, 10.0);
    // Nothing goes out for a second; then a quarter of a second's worth may be given ahead.
    assert_eq!(pace.room(start), 0);
    assert_eq!(pace.room(start + Duration::from_millis(800)), 1);
    assert_eq!(pace.room(start + SECOND), 3);
    let turns = [pace.turn(start).at, pace.turn(start).at, pace.turn(start).at];
    let apart = Duration::from_secs_f64(1.0 / 9.7);
    assert_eq!(turns, [start + SECOND, start + SECOND + apart, start + SECOND + apart + apart]);
    assert_eq!(pace.room(start + SECOND), 0);
}

#[test]
fn only_the_last_second_counts() {
    for (age_ms, expected) in [(0, 7.0), (899, 7.0), (1100, 1.0), (60_000, 1.0)] {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        (0..7).for_each(|_| pace.taken(start));
        let now = start + Duration::from_millis(age_ms);
        pace.throttled(now, now);
        assert_rate(&pace, expected);
    }
}

#[test]
fn a_slow_account_gives_a_turn_at_a_time() {
    let (mut pace, start) = throttled(0);
    assert_rate(&pace, 1.0);
    assert_eq!((pace.room(start), pace.room(start + SECOND)), (0, 1));
    pace.turn(start + SECOND);
    assert_eq!(pace.room(start + SECOND), 0);
}

#[test]
fn a_turn_is_void_once_the_smsc_throttles() {
    let (mut pace, start) = throttled(10);
    let turn = pace.turn(start);
    assert!(pace.holds(turn));
    pace.throttled(start, start + SECOND);
    assert!(!pace.holds(turn));
    let turn = pace.turn(start + SECOND);
    // It was sent before that.
    pace.throttled(start, start + SECOND + SECOND);
    assert!(pace.holds(turn));
}

#[test]
fn too_few_messages_make_a_guess_that_doubles_until_the_smsc_throttles() {
    for (accepted, is_guess) in [(4, true), (5, false)] {
        let (mut pace, start) = throttled(accepted);
        let rate = f64::from(accepted);
        pace.taken(start + Duration::from_millis(999));
        assert_rate(&pace, rate);
        pace.taken(start + SECOND);
        assert_rate(&pace, if is_guess { rate * 2.0 } else { rate });
    }
    let (mut pace, start) = throttled(4);
    pace.taken(start + SECOND);
    pace.taken(start + 2 * SECOND);
    assert_rate(&pace, 16.0);
    // Half of the guess, which is more than was accepted in the last second.
    pace.throttled(start + 2 * SECOND, start + 2 * SECOND);
    assert_rate(&pace, 8.0);
    assert_eq!(pace.turn(start).at, start + 2 * SECOND + SECOND / 2);
    // It is no guess any more.
    pace.taken(start + 3 * SECOND + SECOND / 2);
    assert_rate(&pace, 8.0);
}

#[test]
fn a_rate_that_holds_is_raised_and_a_raise_that_holds_is_raised_by_more() {
    let (mut pace, start) = throttled(10);
    pace.taken(start + Duration::from_millis(2999));
    assert_rate(&pace, 10.0);
    pace.taken(start + 3 * SECOND);
    assert_rate(&pace, 11.0);
    // It counts as found after a second and a half, and the next one follows as soon.
    pace.taken(start + Duration::from_millis(4499));
    pace.taken(start + Duration::from_millis(4500));
    assert_rate(&pace, 11.0);
    pace.taken(start + Duration::from_millis(5999));
    assert_rate(&pace, 11.0);
    pace.taken(start + Duration::from_millis(6000));
    assert_rate(&pace, 13.2);
}

#[test]
fn a_raise_that_is_throttled_is_taken_back_and_the_next_one_comes_later() {
    let (mut pace, start) = throttled(10);
    let trial = start + 3 * SECOND;
    pace.taken(trial);
    pace.throttled(trial, trial);
    assert_rate(&pace, 10.0);
    // The pause is two messages long.
    assert_eq!(pace.turn(trial).at, trial + Duration::from_secs_f64(0.2));
    pace.taken(trial + Duration::from_millis(5999));
    assert_rate(&pace, 10.0);
    pace.taken(trial + 6 * SECOND);
    assert_rate(&pace, 11.0);
}

#[test]
fn a_rate_that_is_too_high_falls_to_what_is_accepted() {
    for (accepted, expected) in [(0, 14.0), (15, 15.0), (19, 19.0), (20, 19.0)] {
        let (mut pace, start) = throttled(20);
        let now = start + 2 * SECOND;
        (0..accepted).for_each(|_| pace.taken(now));
        pace.throttled(now, now);
        assert_rate(&pace, expected);
        assert_eq!(pace.turn(now).at, now + SECOND / 2);
    }
}

#[test]
fn a_rate_that_is_not_used_up_is_not_raised() {
    let (mut pace, start) = throttled(10);
    let now = start + 10 * SECOND;
    pace.turn(now);
    pace.taken(now);
    assert_rate(&pace, 10.0);
    pace.turn(now + 2 * SECOND);
    pace.taken(now + 2 * SECOND);
    assert_rate(&pace, 10.0);
    // Where the turns follow each other, it is.
    let (mut pace, start) = throttled(10);
    for i in 0..40 {
        let turn = pace.turn(start + i * SECOND / 20);
        pace.taken(turn.at);
    }
    assert!(pace.rate().unwrap() > 10.0);
}

#[test]
fn a_rate_has_a_least_and_a_most() {
    let (mut pace, mut now) = throttled(0);
    for _ in 0..20 {
        now += 10 * SECOND;
        pace.throttled(now, now);
    }
    assert_rate(&pace, 0.2);
    assert_eq!(pace.room(now + 10 * SECOND), 1);
    let (mut pace, start) = throttled(5000);
    assert_rate(&pace, 5000.0);
    pace.taken(start + 3 * SECOND);
    assert_eq!((pace.rate(), pace.room(start)), (None, usize::MAX));
    let (pace, _) = throttled(6000);
    assert_rate(&pace, 5000.0);
}

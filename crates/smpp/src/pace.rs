//! Finds the rate that an SMSC accepts by its answers: an account is throttled as a whole, so every session
//! of it shares one [`Pace`].
//!
//! Nothing is slowed until the SMSC throttles. Then the rate is what it accepted in the last second, messages
//! go out evenly, and now and then a little more is tried; each time that it throttles again, the next trial
//! is twice as far away.

use std::time::{Duration, Instant};

/// The time over which accepted messages are counted.
const SPAN: Duration = Duration::from_secs(1);
/// Parts of [`SPAN`] that are counted by themselves.
const SLICES: usize = 10;
/// The share of the rate that is used, so that uneven arrival still fits.
const MARGIN: f64 = 0.97;
/// The least rate, messages a second: one in five seconds.
const RATE_MIN: f64 = 0.2;
/// Above this rate nothing is slowed.
const RATE_MAX: f64 = 5000.0;
/// How far ahead turns are given.
const AHEAD: Duration = Duration::from_millis(250);
/// How long a rate must hold before an increase is tried, at first and at most.
const TRIAL_AFTER: Duration = Duration::from_secs(3);
const TRIAL_AFTER_MAX: Duration = Duration::from_secs(300);
/// The least increase that is tried, messages a second.
const TRIAL_MIN: f64 = 1.0;
/// The fewest messages accepted in the last second that show what the SMSC accepts.
const EVIDENCE_MIN: f64 = 5.0;
/// How long an increase must hold before it counts as found.
const TRIAL: Duration = Duration::from_millis(1500);

/// When a message may go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Not before this.
    pub at: Instant,
    /// The throttling that it follows.
    finding: u64,
}

/// The rate of an account. Times go in; it reads no clock.
#[derive(Debug)]
pub struct Pace {
    /// Messages a second; `None` while nothing was throttled.
    rate: Option<f64>,
    /// The rate that held before the trial under way.
    proven: f64,
    /// When the next message may go out.
    next: Instant,
    /// Counts how often the SMSC throttled: turns given before are void.
    finding: u64,
    /// Answers to messages sent before this say nothing about the present rate.
    found_at: Instant,
    /// Since when the present rate holds and is used.
    since: Instant,
    trial_after: Duration,
    /// How much more the next trial tries, as a share of the rate.
    step: f64,
    is_trial: bool,
    /// Too few messages were accepted to know the rate: it doubles each second until the SMSC throttles
    /// again.
    is_guess: bool,
    /// Messages accepted in each of the last slices, and the number of the last slice.
    slices: [u32; SLICES],
    slice: u64,
    start: Instant,
}

impl Pace {
    /// Nothing is slowed yet.
    pub fn new(now: Instant) -> Pace {
        Pace {
            rate: None,
            proven: 0.0,
            next: now,
            finding: 0,
            found_at: now,
            since: now,
            trial_after: TRIAL_AFTER,
            step: 0.1,
            is_trial: false,
            is_guess: false,
            slices: [0; SLICES],
            slice: 0,
            start: now,
        }
    }

    /// The rate that was found, messages a second; `None` while the SMSC throttles nothing.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// How many more messages may take a turn now; others should go elsewhere or wait where they are.
    pub fn room(&self, now: Instant) -> usize {
        let Some(rate) = self.rate else { return usize::MAX };
        let ahead = AHEAD.max(Duration::from_secs_f64(1.0 / rate));
        let taken = self.next.saturating_duration_since(now);
        (ahead.saturating_sub(taken).as_secs_f64() * rate).ceil() as usize
    }

    /// Takes the next turn. Its taker waits for it, then asks [`Pace::holds`], and takes another one if it
    /// does not.
    pub fn turn(&mut self, now: Instant) -> Turn {
        let at = self.next.max(now);
        if let Some(rate) = self.rate {
            if self.next < now {
                // The rate was not used up: success says nothing about a higher one.
                self.since = self.since.max(now - SPAN.min(now.saturating_duration_since(self.start)));
            }
            self.next = at + Duration::from_secs_f64(1.0 / (rate * MARGIN));
        }
        Turn { at, finding: self.finding }
    }

    /// Returns whether a turn is still valid: the SMSC may have throttled since.
    pub fn holds(&self, turn: Turn) -> bool {
        turn.finding == self.finding
    }

    /// The SMSC took a message.
    pub fn taken(&mut self, now: Instant) {
        self.move_to(now);
        let slot = &mut self.slices[(self.slice % SLICES as u64) as usize];
        *slot = slot.saturating_add(1);
        let Some(rate) = self.rate else { return };
        let held = now.saturating_duration_since(self.since);
        if self.is_guess && held >= SPAN {
            self.rate = Some(rate * 2.0);
            self.since = now;
        } else if self.is_trial && held >= TRIAL {
            self.is_trial = false;
            self.proven = rate;
            self.since = now;
            self.step = (self.step * 2.0).min(1.0);
            self.trial_after = (self.trial_after / 2).max(TRIAL_AFTER / 2);
        } else if !self.is_trial && !self.is_guess && held >= self.trial_after {
            self.is_trial = true;
            self.proven = rate;
            self.since = now;
            self.rate = Some(rate + (rate * self.step).max(TRIAL_MIN));
        }
        if self.rate.is_some_and(|rate| rate > RATE_MAX) {
            self.rate = None;
        }
    }

    /// The SMSC throttled a message that was sent at `sent`.
    pub fn throttled(&mut self, sent: Instant, now: Instant) {
        self.move_to(now);
        if sent < self.found_at {
            return;
        }
        let taken = f64::from(self.slices.iter().fold(0, |sum: u32, &count| sum.saturating_add(count)));
        let (rate, pause) = match self.rate {
            None => (taken.max(1.0), SPAN),
            Some(rate) if self.is_guess => ((rate / 2.0).max(taken), SPAN / 2),
            Some(_) if self.is_trial => {
                self.trial_after = (self.trial_after * 2).min(TRIAL_AFTER_MAX);
                self.step = 0.1;
                (self.proven, Duration::from_secs_f64(2.0 / self.proven.max(2.0)))
            }
            Some(rate) => ((rate * 0.7).max(taken.min(rate * 0.95)), SPAN / 2),
        };
        self.is_guess = self.rate.is_none() && taken < EVIDENCE_MIN;
        self.rate = Some(rate.clamp(RATE_MIN, RATE_MAX));
        self.is_trial = false;
        self.finding += 1;
        (self.found_at, self.since) = (now, now);
        self.next = now + pause;
    }

    fn move_to(&mut self, now: Instant) {
        let slice = now.saturating_duration_since(self.start).as_millis() as u64 * SLICES as u64
            / SPAN.as_millis() as u64;
        let passed = slice.saturating_sub(self.slice);
        for ahead in 1..=passed.min(SLICES as u64) {
            self.slices[((self.slice + ahead) % SLICES as u64) as usize] = 0;
        }
        self.slice = self.slice.max(slice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BinaryHeap;

    /// Plays `messages` against an SMSC that takes what `takes` says, with a window; answers how many were
    /// throttled, how many of these after the first two seconds, and how long it took.
    fn play(
        messages: usize,
        window: usize,
        mut takes: impl FnMut(Duration) -> bool,
    ) -> (usize, usize, Duration) {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        let (mut left, mut throttled, mut late) = (messages, 0, 0);
        // The turns of those that are under way, the next one first.
        let mut waiting: BinaryHeap<std::cmp::Reverse<Instant>> = BinaryHeap::new();
        let mut turns = std::collections::HashMap::new();
        while left > 0 {
            while waiting.len() < window.min(left) && pace.room(now) > 0 {
                let turn = pace.turn(now);
                turns.insert(turn.at, turn);
                waiting.push(std::cmp::Reverse(turn.at));
            }
            now += Duration::from_millis(1);
            assert!(now - start < Duration::from_secs(120), "{left} left at {:?}", pace.rate());
            while waiting.peek().is_some_and(|next| next.0 <= now) {
                let at = waiting.pop().unwrap().0;
                if !turns.get(&at).is_some_and(|&turn| pace.holds(turn)) {
                    continue;
                }
                if takes(now - start) {
                    pace.taken(now);
                    left -= 1;
                } else {
                    pace.throttled(now, now);
                    throttled += 1;
                    late += usize::from(now - start > Duration::from_secs(2));
                }
            }
        }
        (throttled, late, now - start)
    }

    /// At most so many in each second of its clock.
    fn by_the_second(most: u32, offset_ms: u64) -> impl FnMut(Duration) -> bool {
        let (mut second, mut count) = (u64::MAX, 0);
        move |at| {
            let this = (at.as_millis() as u64 + offset_ms) / 1000;
            if this != second {
                (second, count) = (this, 0);
            }
            count += 1;
            count <= most
        }
    }

    #[test]
    fn finds_what_an_smsc_takes_a_second() {
        for (most, offset_ms) in [(10, 0), (10, 500), (10, 950), (50, 300), (2, 0)] {
            let messages = most as usize * 10;
            let (throttled, late, took) = play(messages, 10, by_the_second(most, offset_ms));
            assert!(
                late * 10 <= messages,
                "{most} at {offset_ms}: {throttled} throttled, {late} of them late"
            );
            assert!(took < Duration::from_secs(15), "{most} at {offset_ms}: {took:?}");
        }
    }

    #[test]
    fn finds_it_where_messages_must_stand_apart() {
        let mut next = Duration::ZERO;
        let (throttled, _, took) = play(300, 10, |at| {
            let takes = at >= next;
            if takes {
                next = at + Duration::from_millis(100);
            }
            takes
        });
        assert!(throttled <= 60 && took < Duration::from_secs(60), "{throttled} {took:?}");
    }

    #[test]
    fn an_smsc_that_throttles_nothing_is_not_slowed() {
        let (throttled, _, took) = play(10_000, 100, |_| true);
        assert!(throttled == 0 && took < Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn one_throttled_message_slows_those_that_follow_for_a_moment() {
        let mut first = true;
        let (throttled, _, took) = play(200, 20, |_| !std::mem::take(&mut first));
        assert!(throttled == 1 && took < Duration::from_secs(10), "{throttled} {took:?}");
    }

    #[test]
    fn goes_faster_again_when_the_limit_is_gone() {
        let mut strict = by_the_second(10, 0);
        let (_, _, took) = play(3000, 50, |at| at > Duration::from_secs(5) || strict(at));
        assert!(took < Duration::from_secs(60), "{took:?}");
    }
}

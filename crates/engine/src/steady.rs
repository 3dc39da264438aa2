//! Whether the wall clock can be believed. A clock may be wrong for some seconds, by years: what is deleted
//! or given up by age is gone for good, so that waits until the wall clock and the monotonic clock have
//! agreed for a while.

/// The wall clock has jumped when it moved by so much more or less than the monotonic clock between two
/// looks, milliseconds. Time servers correct clocks by less.
const TOLERANCE_MS: i64 = 1000;
/// Where the wall clock is far from where it should be, it must agree so many times as long: after years
/// without power, or with a dead battery.
const FAR_TIMES: i64 = 30;
/// After a jump, times to live end again when the clocks have agreed for a quarter of the time.
const SETTLED_SHARE: i64 = 4;
/// How far from where it should be is far, milliseconds: longer than a server is mostly stopped.
const FAR_MS: i64 = 24 * 3_600_000;

/// A look at both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// Unix milliseconds.
    pub(crate) wall_ms: i64,
    /// Milliseconds since some moment of this process.
    pub(crate) monotonic_ms: i64,
}

/// Follows the wall clock.
#[derive(Debug)]
pub(crate) struct TrustedClock {
    last: Look,
    /// When the wall clock was last believed, where it ever was: in this process, or at the end of the one
    /// before.
    believed: Option<Look>,
    /// The clocks agree since then, milliseconds of the monotonic clock.
    agreed_since_ms: i64,
    /// For so long they must in general.
    agreement_ms: i64,
    /// For so long they must now.
    needed_ms: i64,
    /// It has jumped in this process.
    jumped: bool,
}

impl TrustedClock {
    /// Begins to follow it. `seen_ms` is the last time that was believed before this start, Unix
    /// milliseconds; the clocks must agree for `agreement_ms`.
    pub(crate) fn new(look: Look, seen_ms: Option<i64>, agreement_ms: i64) -> TrustedClock {
        let believed = seen_ms.map(|wall_ms| Look { wall_ms, monotonic_ms: look.monotonic_ms });
        let mut clock = TrustedClock {
            last: look,
            believed,
            agreed_since_ms: look.monotonic_ms,
            agreement_ms,
            needed_ms: agreement_ms,
            jumped: false,
        };
        clock.needed_ms = clock.needed(look);
        clock
    }

    /// Looks at both clocks; answers by how much the wall clock has jumped since the last look, milliseconds,
    /// where it has.
    pub(crate) fn look(&mut self, look: Look) -> Option<i64> {
        let passed_ms = look.monotonic_ms - self.last.monotonic_ms;
        let jump_ms = look.wall_ms.saturating_sub(self.last.wall_ms).saturating_sub(passed_ms);
        self.last = look;
        if jump_ms.saturating_abs() >= TOLERANCE_MS {
            self.jumped = true;
            self.agreed_since_ms = look.monotonic_ms;
            self.needed_ms = self.needed(look);
            return Some(jump_ms);
        }
        if self.is_trusted() {
            self.believed = Some(look);
        }
        None
    }

    /// Whether the wall clock is believed.
    pub(crate) fn is_trusted(&self) -> bool {
        self.agreed_ms() >= self.needed_ms
    }

    /// The time, Unix milliseconds, where the wall clock is believed.
    pub(crate) fn trusted_ms(&self) -> Option<i64> {
        self.is_trusted().then_some(self.last.wall_ms)
    }

    /// Whether the wall clock has not jumped lately: enough for what is late when it waits and can be mended
    /// when it does not.
    pub(crate) fn is_settled(&self) -> bool {
        !self.jumped || self.agreed_ms() >= self.agreement_ms / SETTLED_SHARE
    }

    /// Whether something may be given up because of its age: the wall clock has not jumped lately, and is
    /// near where it should be or believed.
    pub(crate) fn tells_age(&self) -> bool {
        self.is_trusted() || (self.is_settled() && self.needed_ms == self.agreement_ms)
    }

    fn agreed_ms(&self) -> i64 {
        self.last.monotonic_ms - self.agreed_since_ms
    }

    /// How long the clocks must agree from now on, milliseconds.
    pub(crate) fn needed_ms(&self) -> i64 {
        self.needed_ms
    }

    fn needed(&self, look: Look) -> i64 {
        let Some(believed) = self.believed else { return self.agreement_ms };
        let expected_ms = believed.wall_ms.saturating_add(look.monotonic_ms - believed.monotonic_ms);
        let off_ms = look.wall_ms.saturating_sub(expected_ms).saturating_abs();
        if off_ms > FAR_MS { self.agreement_ms * FAR_TIMES } else { self.agreement_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_800_000_000_000;
    const DAY_MS: i64 = 24 * 3_600_000;

    /// Looks each second for so many; the wall clock is off by `off_ms`. Answers the jumps.
    fn live(clock: &mut TrustedClock, from_s: i64, seconds: i64, off_ms: i64) -> Vec<i64> {
        let look = |s: i64| Look { wall_ms: START_MS + s * 1000 + off_ms, monotonic_ms: s * 1000 };
        (from_s..from_s + seconds).filter_map(|s| clock.look(look(s))).collect()
    }

    fn started(seen_ms: Option<i64>) -> TrustedClock {
        TrustedClock::new(Look { wall_ms: START_MS, monotonic_ms: 0 }, seen_ms, 120_000)
    }

    #[test]
    fn a_clock_is_believed_when_it_has_agreed_for_two_minutes() {
        let mut clock = started(Some(START_MS - 60_000));
        assert!(live(&mut clock, 0, 120, 0).is_empty());
        assert!(!clock.is_trusted());
        live(&mut clock, 120, 1, 0);
        assert!(clock.is_trusted());
    }

    #[test]
    fn a_clock_that_is_wrong_for_some_seconds_is_not_believed_while_it_is_and_soon_after() {
        let mut clock = started(None);
        live(&mut clock, 0, 200, 0);
        assert!(clock.is_trusted() && clock.is_settled() && clock.tells_age());
        assert_eq!(live(&mut clock, 200, 8, 400 * DAY_MS), [400 * DAY_MS]);
        assert!(!clock.is_trusted() && !clock.is_settled() && !clock.tells_age());
        // Two minutes are not enough for a clock that is off by a year.
        live(&mut clock, 208, 1000, 400 * DAY_MS);
        assert!(!clock.is_trusted() && !clock.tells_age());
        assert_eq!(live(&mut clock, 1208, 120, 0), [-400 * DAY_MS]);
        assert!(!clock.is_trusted());
        live(&mut clock, 1328, 1, 0);
        assert!(clock.is_trusted());
    }

    #[test]
    fn a_clock_that_drifts_or_is_slewed_is_believed() {
        let mut clock = started(None);
        for s in 0..500 {
            let look = Look { wall_ms: START_MS + s * 1000 + s * 5, monotonic_ms: s * 1000 };
            assert_eq!(clock.look(look), None);
        }
        assert!(clock.is_trusted());
    }

    #[test]
    fn a_machine_that_was_off_for_four_hundred_days_is_believed_after_an_hour() {
        let mut clock = started(Some(START_MS - 400 * DAY_MS));
        // Its times to live end at once.
        assert!(clock.is_settled() && !clock.tells_age());
        live(&mut clock, 0, 3600, 0);
        assert_eq!(clock.trusted_ms(), None);
        live(&mut clock, 3600, 1, 0);
        assert_eq!(clock.trusted_ms(), Some(START_MS + 3_600_000));
    }

    #[test]
    fn a_start_with_a_clock_that_lags_behind_what_was_seen_is_not_believed_soon() {
        let mut clock = started(Some(START_MS + 2 * DAY_MS));
        live(&mut clock, 0, 1000, 0);
        assert!(!clock.is_trusted());
    }
}

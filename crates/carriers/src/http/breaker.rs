//! Keeps requests away from a provider that is in trouble.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Failures one after the other that open it.
const FAILURES_MAX: u32 = 5;
/// How long it stays open the first time; doubled until something succeeds.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest that a provider's word keeps it open.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// A provider that asks for less is busy; the log tells of those that ask for more.
const TOLD_MIN: Duration = Duration::from_secs(30);

/// Closed (requests go through), open until some time, then closed again for one request that decides.
#[derive(Default)]
pub(super) struct Breaker {
    /// The carrier's name, for the log.
    pub(super) name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// The request that decides is under way since then.
    trial: Option<Instant>,
    /// The log has been told that the carrier is down.
    told: bool,
}

impl State {
    /// Tells the log, once until something succeeds.
    fn tell_down(&mut self, carrier: &str, why: &str) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                carrier,
                why,
                "the carrier is down; other carriers go first, or its messages wait"
            );
        }
    }
}

impl Breaker {
    /// Whether a request would go through.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.state.lock().open_until.is_none_or(|until| until <= now)
    }

    /// Asks to make a request; without success, how long to wait.
    pub(super) fn enter(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock();
        let Some(until) = state.open_until else { return Ok(()) };
        if until > now {
            return Err(until - now);
        }
        // One that was cut off must not keep the others out for ever.
        if state.trial.is_some_and(|since| now < since + PAUSE_MAX) {
            return Err(Duration::from_millis(200));
        }
        state.trial = Some(now);
        Ok(())
    }

    /// The provider answered as it should.
    pub(super) fn succeed(&self) {
        let before = std::mem::take(&mut *self.state.lock());
        if before.told {
            tracing::warn!(carrier = self.name, "the carrier is back");
        }
    }

    /// It failed.
    pub(super) fn fail(&self, now: Instant, why: &str) {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let pause = PAUSE_MIN.saturating_mul(2u32.saturating_pow(state.failures - FAILURES_MAX));
            state.open_until = Some(now + pause.min(PAUSE_MAX));
            state.tell_down(&self.name, why);
        }
        state.trial = None;
    }

    /// It said when to come back.
    pub(super) fn hold(&self, now: Instant, pause: Duration) {
        let mut state = self.state.lock();
        state.open_until = Some(now + pause.min(RETRY_AFTER_MAX));
        state.trial = None;
        if pause >= TOLD_MIN {
            state.tell_down(&self.name, "it asked to be left alone for a while");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_tries_once_and_closes() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.enter(start), Ok(()));
            breaker.fail(start, "x");
        }
        assert!(!breaker.is_closed(start));
        assert_eq!(breaker.enter(start), Err(PAUSE_MIN));
        let later = start + PAUSE_MIN;
        assert!(breaker.is_closed(later));
        assert_eq!(breaker.enter(later), Ok(()));
        assert!(breaker.enter(later).is_err(), "one trial at a time");
        breaker.fail(later, "x");
        assert_eq!(breaker.enter(later), Err(2 * PAUSE_MIN));
        assert_eq!(breaker.enter(later + 2 * PAUSE_MIN), Ok(()));
        breaker.succeed();
        assert_eq!(breaker.enter(later), Ok(()));
        breaker.hold(later, Duration::from_secs(7));
        assert_eq!(breaker.enter(later), Err(Duration::from_secs(7)));
    }
}

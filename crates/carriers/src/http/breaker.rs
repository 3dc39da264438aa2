//! A circuit breaker: keeps requests away from a provider that fails.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Consecutive failures that open it.
const FAILURES_MAX: u32 = 5;
/// How long it stays open the first time; doubled until something succeeds.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest that `Retry-After` keeps it open.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// The shortest requested pause that is logged: a provider that asks for less is only busy.
const LOGGED_PAUSE_MIN: Duration = Duration::from_secs(30);

/// Closed: requests go through. Open: none does until some time, then one trial request decides.
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
    /// When the trial request began, while it is under way.
    trial: Option<Instant>,
    /// Whether the log says that the carrier is down.
    logged: bool,
}

impl State {
    /// Logs that the carrier is down, once until a request succeeds.
    fn log_down(&mut self, carrier: &str, why: &str) {
        if !std::mem::replace(&mut self.logged, true) {
            tracing::warn!(
                carrier,
                why,
                "the carrier is down; other carriers go first, or its messages wait"
            );
        }
    }
}

impl Breaker {
    /// Returns whether a request would go through.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.state.lock().open_until.is_none_or(|until| until <= now)
    }

    /// Asks to make a request.
    ///
    /// # Errors
    /// Not an error type: how long to wait.
    pub(super) fn enter(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock();
        let Some(until) = state.open_until else { return Ok(()) };
        if until > now {
            return Err(until - now);
        }
        // A trial that was dropped must not block the others forever.
        if state.trial.is_some_and(|since| now < since + PAUSE_MAX) {
            return Err(Duration::from_millis(200));
        }
        state.trial = Some(now);
        Ok(())
    }

    /// The provider answered as it should: closes it.
    pub(super) fn succeed(&self) {
        let before = std::mem::take(&mut *self.state.lock());
        if before.logged {
            tracing::warn!(carrier = self.name, "the carrier is back");
        }
    }

    /// The provider failed.
    pub(super) fn fail(&self, now: Instant, why: &str) {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            let pause = PAUSE_MIN.saturating_mul(2u32.saturating_pow(state.failures - FAILURES_MAX));
            state.open_until = Some(now + pause.min(PAUSE_MAX));
            state.log_down(&self.name, why);
        }
        state.trial = None;
    }

    /// The provider asked for a pause.
    pub(super) fn hold(&self, now: Instant, pause: Duration) {
        let mut state = self.state.lock();
        state.open_until = Some(now + pause.min(RETRY_AFTER_MAX));
        state.trial = None;
        if pause >= LOGGED_PAUSE_MIN {
            state.log_down(&self.name, "it asked for a pause");
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

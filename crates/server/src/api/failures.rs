//! Slows those who guess secrets.

use lru::LruCache;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::num::NonZeroUsize;

/// Who fails: the address that asks, and the application that it says it is.
type Guesser = (Option<IpAddr>, String);

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
/// The first pause; it doubles with each further failure, up to the longest.
const PAUSE_MS: i64 = 1000;
const PAUSE_MAX_MS: i64 = 60_000;
/// After so long without another failure all is forgotten.
const FORGOTTEN_MS: i64 = 900_000;
/// Guessers remembered.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

struct Failed {
    count: u32,
    last_ms: i64,
}

/// The failures of late.
pub struct Failures {
    by: Mutex<LruCache<Guesser, Failed>>,
}

impl Default for Failures {
    fn default() -> Failures {
        Failures { by: Mutex::new(LruCache::new(REMEMBERED_MAX)) }
    }
}

impl Failures {
    /// How long a guesser has to wait, milliseconds; 0 when it may try.
    pub fn wait_ms(&self, guesser: &Guesser, now_ms: i64) -> i64 {
        let by = self.by.lock();
        let Some(Failed { count, last_ms }) = by.peek(guesser) else { return 0 };
        let Some(doublings) = count.checked_sub(FREE) else { return 0 };
        let pause_ms = (PAUSE_MS << doublings.min(10)).min(PAUSE_MAX_MS);
        // A clock that was set back must not lock anybody out for longer.
        (last_ms + pause_ms - now_ms).clamp(0, pause_ms)
    }

    /// Notes a failure.
    pub fn note(&self, guesser: Guesser, now_ms: i64) {
        let mut by = self.by.lock();
        let failed = by.get_or_insert_mut(guesser, || Failed { count: 0, last_ms: now_ms });
        if now_ms - failed.last_ms > FORGOTTEN_MS {
            failed.count = 0;
        }
        failed.count += 1;
        failed.last_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_becomes_slow_and_is_forgotten() {
        let (failures, guesser) = (Failures::default(), (None, "app".to_owned()));
        for _ in 0..FREE - 1 {
            failures.note(guesser.clone(), 0);
        }
        assert_eq!(failures.wait_ms(&guesser, 0), 0);
        failures.note(guesser.clone(), 0);
        assert_eq!(failures.wait_ms(&guesser, 0), 1000);
        assert_eq!(failures.wait_ms(&guesser, 1000), 0);
        failures.note(guesser.clone(), 1000);
        assert_eq!(failures.wait_ms(&guesser, 1500), 1500);
        for _ in 0..100 {
            failures.note(guesser.clone(), 2000);
        }
        assert_eq!(failures.wait_ms(&guesser, 2000), PAUSE_MAX_MS);
        assert_eq!(failures.wait_ms(&guesser, -1_000_000), PAUSE_MAX_MS);
        assert_eq!(failures.wait_ms(&(None, "other".into()), 2000), 0);
        failures.note(guesser.clone(), 2000 + FORGOTTEN_MS + 1);
        assert_eq!(failures.wait_ms(&guesser, 2000 + FORGOTTEN_MS + 1), 0);
    }
}

//! Slows those who guess secrets.
//!
//! Nothing that a guesser sent is kept: a guesser is a keyed hash of fixed size, there are at most so many of
//! them, and each is forgotten some time after its last failure.

use lru::LruCache;
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;

/// Who fails: a keyed hash of the address that asks, and of the application that it says it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Guesser(u64);

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
    /// The key of the hashes, drawn at each start: nobody can choose whom they collide with.
    hasher: RandomState,
    /// By the time of the last failure.
    by: Mutex<LruCache<Guesser, Failed>>,
}

impl Default for Failures {
    fn default() -> Failures {
        // Unbounded, so that nothing is set aside for guessers who are not there: `note` keeps the bound.
        Failures { hasher: RandomState::new(), by: Mutex::new(LruCache::unbounded()) }
    }
}

impl Failures {
    /// Whoever asks from an address as an application.
    pub fn guesser(&self, address: Option<IpAddr>, application: &str) -> Guesser {
        Guesser(self.hasher.hash_one((address, application)))
    }

    /// How long a guesser has to wait, milliseconds; 0 when it may try.
    pub fn wait_ms(&self, guesser: Guesser, now_ms: i64) -> i64 {
        let by = self.by.lock();
        let Some(Failed { count, last_ms }) = by.peek(&guesser) else { return 0 };
        let Some(doublings) = count.checked_sub(FREE) else { return 0 };
        let pause_ms = (PAUSE_MS << doublings.min(10)).min(PAUSE_MAX_MS);
        // A clock that was set back must not lock anybody out for longer.
        (last_ms + pause_ms - now_ms).clamp(0, pause_ms)
    }

    /// Notes a failure, and forgets the failures of long ago.
    pub fn note(&self, guesser: Guesser, now_ms: i64) {
        let mut by = self.by.lock();
        let failed = by.get_or_insert_mut(guesser, || Failed { count: 0, last_ms: now_ms });
        if now_ms - failed.last_ms > FORGOTTEN_MS {
            failed.count = 0;
        }
        failed.count = failed.count.saturating_add(1);
        failed.last_ms = now_ms;
        while by.len() > REMEMBERED_MAX.get()
            || by.peek_lru().is_some_and(|(_, oldest)| now_ms - oldest.last_ms > FORGOTTEN_MS)
        {
            by.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_becomes_slow_and_is_forgotten() {
        let failures = Failures::default();
        let guesser = failures.guesser(None, "app");
        for _ in 0..FREE - 1 {
            failures.note(guesser, 0);
        }
        assert_eq!(failures.wait_ms(guesser, 0), 0);
        failures.note(guesser, 0);
        assert_eq!(failures.wait_ms(guesser, 0), 1000);
        assert_eq!(failures.wait_ms(guesser, 1000), 0);
        failures.note(guesser, 1000);
        assert_eq!(failures.wait_ms(guesser, 1500), 1500);
        for _ in 0..100 {
            failures.note(guesser, 2000);
        }
        assert_eq!(failures.wait_ms(guesser, 2000), PAUSE_MAX_MS);
        assert_eq!(failures.wait_ms(guesser, -1_000_000), PAUSE_MAX_MS);
        assert_eq!(failures.wait_ms(failures.guesser(None, "other"), 2000), 0);
        failures.note(guesser, 2000 + FORGOTTEN_MS + 1);
        assert_eq!(failures.wait_ms(guesser, 2000 + FORGOTTEN_MS + 1), 0);
    }

    #[test]
    fn whom_we_do_not_know_costs_a_number_that_ends_by_itself() {
        let failures = Failures::default();
        // A guesser is a number, however long the id that was sent.
        assert_eq!(size_of_val(&failures.guesser(None, &"x".repeat(46_000))), 8);
        for i in 0..2 * REMEMBERED_MAX.get() {
            failures.note(failures.guesser(None, &i.to_string()), 0);
        }
        assert_eq!(failures.by.lock().len(), REMEMBERED_MAX.get());
        failures.note(failures.guesser(None, "later"), FORGOTTEN_MS + 1);
        assert_eq!(failures.by.lock().len(), 1);
    }
}

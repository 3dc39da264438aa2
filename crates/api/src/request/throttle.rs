//! How often somebody may ask: token buckets, for a bounded number of those who ask.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use lru::LruCache;
use parking_lot::Mutex;
use std::hash::Hash;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// Those whose buckets are kept; the one who has not asked for longest is forgotten, and starts with a full
/// one again.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// The buckets of those who asked lately.
pub struct Throttle<K: Hash + Eq> {
    buckets: Mutex<LruCache<K, Bucket>>,
}

struct Bucket {
    quota: Quota,
    limiter: DefaultDirectRateLimiter,
}

impl Bucket {
    fn full(quota: Quota) -> Bucket {
        Bucket { quota, limiter: RateLimiter::direct(quota) }
    }
}

impl<K: Hash + Eq> Default for Throttle<K> {
    fn default() -> Throttle<K> {
        // Unbounded, so that nothing is set aside for those who never ask: `take` keeps the bound.
        Throttle { buckets: Mutex::new(LruCache::unbounded()) }
    }
}

impl<K: Hash + Eq> Throttle<K> {
    /// Takes one request out of a bucket that holds a second's, and fills at the same rate; 0 is no limit.
    ///
    /// # Errors
    /// How long until there is one, where the bucket is empty.
    pub fn take(&self, key: K, per_second: u32) -> Result<(), Duration> {
        self.take_several(key, per_second, NonZeroU32::MIN)
    }

    /// The same for a request that counts as several; at most as a second's.
    ///
    /// # Errors
    /// How long until there is room for it.
    pub fn take_several(&self, key: K, per_second: u32, count: NonZeroU32) -> Result<(), Duration> {
        let Some(per_second) = NonZeroU32::new(per_second) else { return Ok(()) };
        self.take_of(key, Quota::per_second(per_second), count)
    }

    /// Takes one request out of a bucket that holds a minute's, and fills at the same rate.
    ///
    /// # Errors
    /// How long until there is one, where the bucket is empty.
    pub fn take_in_minute(&self, key: K, per_minute: NonZeroU32) -> Result<(), Duration> {
        self.take_of(key, Quota::per_minute(per_minute), NonZeroU32::MIN)
    }

    fn take_of(&self, key: K, quota: Quota, count: NonZeroU32) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        let bucket = buckets.get_or_insert_mut(key, || Bucket::full(quota));
        if bucket.quota != quota {
            *bucket = Bucket::full(quota);
        }
        // No more than there can be: the outer error can't come.
        let taken = bucket.limiter.check_n(count.min(quota.burst_size())).unwrap_or(Ok(()));
        while buckets.len() > KEPT_MAX.get() {
            buckets.pop_lru();
        }
        taken.map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_seconds_requests_and_follows_its_rate() {
        let throttle = Throttle::default();
        assert!(throttle.take("a", 1).is_ok());
        let wait = throttle.take("a", 1).unwrap_err();
        assert!(wait <= Duration::from_secs(1));
        assert!(throttle.take("b", 1).is_ok());
        assert!((0..1000).all(|_| throttle.take("a", 1000).is_ok()), "its limit was raised");
        assert!((0..10_000).all(|_| throttle.take("a", 0).is_ok()));
        let several = |key, count| throttle.take_several(key, 10, NonZeroU32::new(count).unwrap());
        assert!(several("c", 6).is_ok() && several("c", 6).is_err() && several("c", 4).is_ok());
        assert!(several("d", 1000).is_ok() && several("d", 1).is_err(), "it counts as a second's");
    }

    #[test]
    fn a_bucket_of_a_minute_fills_as_slowly() {
        let throttle = Throttle::default();
        let minute = NonZeroU32::new(30).unwrap();
        assert!((0..30).all(|_| throttle.take_in_minute("a", minute).is_ok()));
        let wait = throttle.take_in_minute("a", minute).unwrap_err();
        assert!(wait > Duration::from_secs(1) && wait <= Duration::from_secs(2), "{wait:?}");
        assert!(throttle.take_in_minute("b", minute).is_ok(), "another one's bucket");
    }

    #[test]
    fn the_buckets_do_not_grow_with_those_who_ask() {
        let throttle = Throttle::default();
        for key in 0..2 * KEPT_MAX.get() {
            throttle.take(key, 1).unwrap();
        }
        assert_eq!(throttle.buckets.lock().len(), KEPT_MAX.get());
    }
}

//! A carrier with what the configuration says about it, and how it has done lately.

use crate::choosing::Availability;
use crate::clock::now_ms;
use crate::config::CommonConfig;
use carriers::Carrier;
use flow::{Covers, Detail, Receipt, Status};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use store::{HaltedCarrier, Why};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Less says nothing of a carrier.
const RESULTS_MIN: u32 = 20;
/// Messages that wait for the rate, in seconds of it: whoever comes next waits no longer behind them.
const RATE_WAIT_S: usize = 1;
/// The longest that a message which waits for a carrier is not looked at beyond its pause, microseconds.
const PARKED_MAX_US: i64 = 60_000_000;
/// Between two messages that wait for a carrier that takes none now, so that looking at them again costs
/// little.
const PARKED_GAP_US: i64 = 200;

/// A carrier and its limits.
pub struct ManagedCarrier {
    /// Its position among the carriers.
    pub(crate) number: u16,
    /// What the configuration says.
    pub config: CommonConfig,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// The carrier.
    pub carrier: Arc<dyn Carrier>,
    /// How it has done lately.
    pub health: Health,
    /// An operator wants nothing new to go to it.
    halt: RwLock<Option<HaltedCarrier>>,
    standing: RwLock<Standing>,
    /// Messages that may be under way.
    window: Arc<Semaphore>,
    window_size: u32,
    /// One message at a time waits for it; the others wait for that one, or all would wake for each.
    rate: Option<tokio::sync::Mutex<DefaultDirectRateLimiter>>,
    /// Messages that may wait for the rate.
    waiting: Option<Arc<Semaphore>>,
    /// When the last message of each application that waits for it looks again, Unix microseconds.
    parked_until_us: Mutex<HashMap<String, i64>>,
}

/// Whether a carrier is up, and since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// It could take a message now, as far as it knows.
    pub is_up: bool,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// A message's place in a carrier's window, until it is dropped.
pub(crate) struct Place {
    _window: OwnedSemaphorePermit,
    /// Its place among those that wait for the rate.
    waiting: Option<OwnedSemaphorePermit>,
}

impl ManagedCarrier {
    /// A carrier with its limits.
    pub fn new(
        number: u16,
        kind: &'static str,
        config: CommonConfig,
        carrier: Arc<dyn Carrier>,
    ) -> ManagedCarrier {
        let window_size = config.window.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let waiting = |rate: NonZeroU32| (rate.get() as usize * RATE_WAIT_S).min(Semaphore::MAX_PERMITS);
        ManagedCarrier {
            number,
            kind,
            standing: RwLock::new(Standing { is_up: carrier.is_up(), since_ms: now_ms() }),
            carrier,
            health: Health::new(config.success_min),
            halt: RwLock::default(),
            window: Arc::new(Semaphore::new(window_size)),
            window_size: window_size as u32,
            rate: config.rate.map(|rate| RateLimiter::direct(Quota::per_second(rate)).into()),
            waiting: config.rate.map(|rate| Arc::new(Semaphore::new(waiting(rate)))),
            parked_until_us: Mutex::default(),
            config,
        }
    }

    /// What keeps new messages from it, if an operator paused or drains it.
    pub fn halt(&self) -> Option<HaltedCarrier> {
        self.halt.read().clone()
    }

    /// Sets or ends what keeps new messages from it; returns whether that changed anything.
    pub(crate) fn set_halt(&self, halt: Option<HaltedCarrier>) -> bool {
        let mut now = self.halt.write();
        let changed = *now != halt;
        *now = halt;
        changed
    }

    /// Whether new messages may go to it.
    pub(crate) fn availability(&self) -> Availability {
        match (&*self.halt.read(), self.carrier.is_up()) {
            (Some(_), _) => Availability::Halted,
            (None, false) => Availability::Down,
            (None, true) => Availability::Ready,
        }
    }

    /// Whether it is up, and since when, as it was looked at last.
    pub fn standing(&self) -> Standing {
        *self.standing.read()
    }

    /// Looks whether it is up.
    pub(crate) fn look(&self, now_ms: i64) -> Standing {
        let is_up = self.carrier.is_up();
        let mut standing = self.standing.write();
        if standing.is_up != is_up {
            *standing = Standing { is_up, since_ms: now_ms };
        }
        *standing
    }

    /// Why it takes no message now, if so.
    pub(crate) fn obstacle(&self) -> Option<Why> {
        match self.availability() {
            Availability::Halted => Some(Why::Paused),
            Availability::Down => Some(Why::Down),
            Availability::Ready if self.carrier.room() == 0 => Some(Why::Throttled),
            Availability::Ready => {
                let is_waited_for = |waiting: &Arc<Semaphore>| waiting.available_permits() == 0;
                if self.waiting.as_ref().is_some_and(is_waited_for) {
                    return Some(Why::Rate);
                }
                (self.window.available_permits() == 0).then_some(Why::Busy)
            }
        }
    }

    /// How many messages are under way: handed over and not answered, or about to be.
    pub fn under_way(&self) -> usize {
        (self.window_size as usize).saturating_sub(self.window.available_permits())
    }

    /// How many messages it would take now.
    pub(crate) fn room(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(usize::MAX, |waiting| waiting.available_permits());
        if self.availability() != Availability::Ready {
            return 0;
        }
        self.window.available_permits().min(waiting).min(self.carrier.room())
    }

    /// A place in its window.
    pub(crate) fn enter(&self) -> Option<Place> {
        if self.carrier.room() == 0 {
            return None;
        }
        let waiting = match &self.waiting {
            Some(waiting) => Some(Arc::clone(waiting).try_acquire_owned().ok()?),
            None => None,
        };
        Some(Place { _window: Arc::clone(&self.window).try_acquire_owned().ok()?, waiting })
    }

    /// Waits for its rate.
    pub(crate) async fn wait_for_rate(&self, place: &mut Place) {
        if let Some(rate) = &self.rate {
            rate.lock().await.until_ready().await;
        }
        place.waiting = None;
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn drain(&self) {
        let _ = self.window.acquire_many(self.window_size).await;
    }

    /// When a message that it can't take now is to be looked at again, Unix milliseconds. An application's
    /// messages are spread behind each other, and not behind another's.
    pub(crate) fn park(&self, application: &str, now_ms: i64, pause_ms: i64) -> i64 {
        let earliest_us = (now_ms + pause_ms) * 1000;
        let mut parked = self.parked_until_us.lock();
        let last_us = parked.get(application).copied().unwrap_or(i64::MIN);
        // A clock that was set back leaves times that lie far ahead.
        let at_us = last_us.saturating_add(PARKED_GAP_US).clamp(earliest_us, earliest_us + PARKED_MAX_US);
        match parked.get_mut(application) {
            Some(last_us) => *last_us = at_us,
            None => drop(parked.insert(application.to_owned(), at_us)),
        }
        at_us / 1000
    }

    /// The clock has jumped: what it showed before says nothing any more.
    pub(crate) fn forget_parked(&self) {
        self.parked_until_us.lock().clear();
    }
}

/// What a carrier is handed at once, and what its receipts are about.
pub(crate) fn covers(carrier: &dyn Carrier) -> Covers {
    match (carrier.accepts_whole_message(), carrier.receipts_cover_message()) {
        (true, _) => Covers::Message,
        (false, true) => Covers::Receipts,
        (false, false) => Covers::Part,
    }
}

/// What came of a carrier's last messages.
pub struct Health {
    success_min: f64,
    /// This minute and the last one with results.
    minutes: Mutex<[Tally; 2]>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    minute: i64,
    good: u32,
    bad: u32,
}

impl Health {
    fn new(success_min: f64) -> Health {
        Health { success_min, minutes: Mutex::default() }
    }

    /// The carrier took a message, or did not.
    pub fn note(&self, good: bool, now_ms: i64) {
        let mut minutes = self.this_minute(now_ms);
        let count = if good { &mut minutes[0].good } else { &mut minutes[0].bad };
        *count = count.saturating_add(1);
    }

    /// A receipt came, for a message that was taken.
    pub fn note_receipt(&self, receipt: &Receipt, now_ms: i64) {
        if blames_carrier(receipt) {
            let mut minutes = self.this_minute(now_ms);
            minutes[0].bad = minutes[0].bad.saturating_add(1);
            // It did not go well after all.
            let taken = minutes.iter_mut().find(|tally| tally.good > 0);
            taken.into_iter().for_each(|tally| tally.good -= 1);
        }
    }

    fn this_minute(&self, now_ms: i64) -> MutexGuard<'_, [Tally; 2]> {
        let minute = now_ms / 60_000;
        let mut minutes = self.minutes.lock();
        if minutes[0].minute != minute {
            minutes[1] = minutes[0];
            minutes[0] = Tally { minute, ..Tally::default() };
        }
        minutes
    }

    /// The share of the last minute or two that went well, where there is enough to tell.
    pub fn success(&self, now_ms: i64) -> Option<f64> {
        let minute = now_ms / 60_000;
        let minutes = *self.minutes.lock();
        let recent = minutes.iter().filter(|tally| (minute - 1..=minute).contains(&tally.minute));
        let (good, bad) = recent.fold((0, 0), |(good, bad), tally| (good + tally.good, bad + tally.bad));
        (good + bad >= RESULTS_MIN).then(|| f64::from(good) / f64::from(good + bad))
    }

    /// Whether enough went well. A carrier that gets nothing any more is tried again when its results are
    /// old.
    pub fn is_well(&self, now_ms: i64) -> bool {
        self.success(now_ms).is_none_or(|success| success >= self.success_min)
    }
}

/// Whether a failure says something about the carrier, not about the recipient.
fn blames_carrier(receipt: &Receipt) -> bool {
    let recipients = [
        Detail::UNKNOWN_NUMBER,
        Detail::UNDELIVERED_ON_HANDSET,
        Detail::ROAMING,
        Detail::CALL_BARRED,
        Detail::DND_ERROR_CODE,
        Detail::NOT_VIBER_USER,
        Detail::OPTED_OUT,
        Detail::UNSUPPORTED_EQUIPMENT,
        Detail::EXPIRED,
        Detail::TTL_EXPIRED,
    ];
    matches!(receipt.status, Status::Failed | Status::Undelivered) && !recipients.contains(&receipt.detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn managed(mut limits: serde_json::Value) -> ManagedCarrier {
        struct Nowhere;
        #[async_trait::async_trait]
        impl Carrier for Nowhere {
            async fn submit(&self, _: &carriers::Outgoing) -> carriers::Outcome {
                carriers::Outcome::Unknown { reason: "never" }
            }
            fn is_up(&self) -> bool {
                true
            }
            async fn close(&self) {}
        }
        let mut config = json!({"name": "c", "channels": ["Sms"]});
        config.as_object_mut().unwrap().append(limits.as_object_mut().unwrap());
        let config: CommonConfig = serde_json::from_value(config).unwrap();
        ManagedCarrier::new(0, "test", config, Arc::new(Nowhere))
    }

    #[tokio::test]
    async fn no_more_wait_for_a_rate_than_go_out_in_a_second() {
        let carrier = managed(json!({"rate": 3, "window": 10}));
        let mut places: Vec<_> = std::iter::from_fn(|| carrier.enter()).collect();
        assert_eq!((places.len(), carrier.room()), (3, 0));
        // What has gone out stays in the window and makes room for the next.
        for place in &mut places {
            carrier.wait_for_rate(place).await;
        }
        assert_eq!(carrier.room(), 3);
        places.extend(std::iter::from_fn(|| carrier.enter()));
        assert_eq!((places.len(), carrier.room()), (6, 0));
    }

    #[test]
    fn an_application_is_not_parked_behind_another() {
        let carrier = managed(json!({}));
        let mut last_ms = 0;
        (0..100_000).for_each(|_| last_ms = carrier.park("hostile", 1000, 20));
        assert!(last_ms > 20_000);
        assert_eq!(carrier.park("honest", 1000, 20), 1020);
        // A clock that was ahead by a year and is back.
        carrier.park("honest", 31_536_000_000, 20);
        assert!(carrier.park("honest", 1000, 20) <= 61_020);
        carrier.forget_parked();
        assert_eq!(carrier.park("honest", 1000, 20), 1020);
    }

    #[test]
    fn a_carrier_that_fails_is_not_well_until_its_results_are_old() {
        let health = Health::new(0.5);
        let start_ms = 600_000;
        (0..19).for_each(|_| health.note(false, start_ms));
        assert!(health.is_well(start_ms), "too little to tell");
        health.note(false, start_ms);
        assert!(!health.is_well(start_ms));
        assert!(!health.is_well(start_ms + 60_000));
        assert!(health.is_well(start_ms + 120_000));
        (0..20).for_each(|_| health.note(true, start_ms + 60_000));
        assert_eq!(health.success(start_ms + 60_000), Some(0.5));
        assert!(health.is_well(start_ms + 60_000));
        let unknown = Receipt::new(Status::Undelivered, Detail::UNKNOWN_NUMBER);
        assert!(!blames_carrier(&unknown));
        let failed = Receipt::new(Status::Failed, Detail::SYSTEM_FAILURE);
        (0..20).for_each(|_| health.note_receipt(&failed, start_ms + 60_000));
        assert_eq!(health.success(start_ms + 60_000), Some(0.0));
    }
}

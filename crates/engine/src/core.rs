//! The engine's state, and what its lanes share: waiting, claiming, applying events. It decides nothing about
//! a flow; [`flow::Flow::apply`] does.

use crate::callbacks::Callbacks;
use crate::clock::now_ms;
use crate::managed_carrier::ManagedCarrier;
use crate::metrics;
use crate::ongoing::Ongoing;
use crate::owed_work::OwedWork;
use crate::passing::Passing;
use crate::rates::Rates;
use crate::routing::Routes;
use crate::steady::TrustedClock;
use carriers::{CarrierSink, backoff};
use flow::{Applied, Channel, Event, FlowKind, Rate, Step, TaskKind};
use index::Index;
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use store::{Admit, Claim, Lane, Store, StoreError, Wait};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a claimed task stays ours. Longer than any carrier's or callback's timeout, so that nobody else
/// takes up what is still under way; it ends with the process anyhow.
pub(crate) const LEASE_MS: i64 = 300_000;
/// Most tasks claimed at once.
pub(crate) const CLAIM_MAX: usize = 128;
/// How long a lane rests after the store failed.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a task waits that is under way already.
pub(crate) const PUT_OFF_MS: i64 = 250;
/// After so many tries it is asked whether the store fails for this flow alone.
const OWN_FAULT_TRIES: u32 = 3;

/// The engine.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index: Arc<Index>,
    pub(crate) carriers: Vec<Arc<ManagedCarrier>>,
    /// What waited when it was looked at last.
    pub(crate) owed_work: RwLock<Arc<Vec<OwedWork>>>,
    pub(crate) routes: Routes,
    pub(crate) rates: Arc<Rates>,
    /// Whose messages are checked before they are handed over.
    pub(crate) submit_checks: RwLock<SubmitChecks>,
    /// What carriers and targets are being asked.
    pub(crate) ongoing: Ongoing,
    pub(crate) sink: Arc<dyn CarrierSink>,
    /// Some carrier has room again, by the channel that waits for it.
    pub(crate) room: [Notify; Channel::ALL.len()],
    /// Counts how often there was room.
    pub(crate) room_turn: AtomicUsize,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) passing: Arc<Passing>,
    pub(crate) retry_max: Duration,
    pub(crate) retention_days: u32,
    pub(crate) ttl_max_ms: i64,
    /// When it was started: the zero of the monotonic clock.
    pub(crate) started: Instant,
    pub(crate) clock: Mutex<TrustedClock>,
    /// Events and receipts that were stored.
    pub(crate) stored: Arc<AtomicU64>,
    /// How often in a row the store failed for flows that it now fails for.
    pub(crate) failing: Mutex<HashMap<Uuid, u32>>,
    /// Becomes true when nothing new is to be started.
    pub(crate) closing: watch::Sender<bool>,
}

/// The applications whose messages are checked before they are handed over.
#[derive(Default)]
pub(crate) struct SubmitChecks {
    /// Those with a balance to reserve.
    pub(crate) balances: HashSet<String>,
    /// Those with an opt-out list to consult.
    pub(crate) suppressions: HashSet<String>,
}

impl Engine {
    /// Starts nothing new any more.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Whether nothing new is started any more.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// The carriers.
    pub fn carriers(&self) -> &[Arc<ManagedCarrier>] {
        &self.carriers
    }

    /// The carrier with a name.
    pub fn carrier(&self, name: &str) -> Option<&Arc<ManagedCarrier>> {
        self.carriers.iter().find(|carrier| carrier.config.name == name)
    }

    /// The carriers that carry a channel.
    pub(crate) fn carriers_of(&self, channel: Channel) -> impl Iterator<Item = &Arc<ManagedCarrier>> {
        self.carriers.iter().filter(move |carrier| carrier.config.channels.contains(&channel))
    }

    /// Where what carriers report goes.
    pub fn sink(&self) -> &dyn CarrierSink {
        &*self.sink
    }

    /// What a carrier charges for a step now.
    pub(crate) fn rate(&self, step: &Step, kind: FlowKind, carrier: &ManagedCarrier) -> Option<Rate> {
        carrier.config.rate(&self.rates, step, kind, now_ms())
    }

    /// Tells the lanes that some carrier has room again: another one first each time, so that what waits in
    /// one takes not all of the room of a carrier that others use too.
    pub(crate) fn announce_room(&self) {
        let first = self.room_turn.fetch_add(1, Ordering::Relaxed);
        let lanes = self.room.len();
        (0..lanes).for_each(|i| self.room[first.wrapping_add(i) % lanes].notify_one());
    }

    /// Returns when some carrier may have room again, or after a time.
    pub(crate) async fn until_room(&self, channel: Channel, at_most: Duration) {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.changed() => {}
            () = self.room[channel as usize].notified() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    /// Waits until the lane has a due task; false when the engine closes.
    pub(crate) async fn until_due(&self, lane: Lane) -> bool {
        let mut closing = self.closing.subscribe();
        loop {
            if *closing.borrow_and_update() {
                return false;
            }
            let wait_ms = self.store.next_due_ms(lane).map(|due_ms| due_ms - now_ms());
            if wait_ms.is_some_and(|ms| ms <= 0) {
                return true;
            }
            // Without a task, whoever adds one wakes the lane; the bound is for a clock that was set.
            let wait = Duration::from_millis(wait_ms.unwrap_or(5000).clamp(1, 5000).unsigned_abs());
            tokio::select! {
                biased;
                _ = closing.changed() => {}
                () = self.store.woken(lane) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sleeps, but not past the engine's end; false when it closes.
    pub(crate) async fn pause(&self, pause: Duration) -> bool {
        let mut closing = self.closing.subscribe();
        if !*closing.borrow_and_update() {
            tokio::select! {
                biased;
                _ = closing.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        !*closing.borrow()
    }

    pub(crate) async fn claim(&self, lane: Lane, limit: usize, admit: Admit<'_>) -> Vec<Claim> {
        match self.store.claim(lane, limit, now_ms(), LEASE_MS, admit).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(?lane, %error, "tasks could not be claimed");
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Applies an event, again and again until the store takes it: what a carrier was told can't be untold.
    /// `permit` is what others wait for. It is held meanwhile, so that a store that fails stops new work, but
    /// no longer than it takes to see that the store fails for this flow alone.
    pub(crate) async fn apply<P>(&self, id: Uuid, event: Event, permit: P) -> Applied {
        let (mut permit, stored) = (Some(permit), self.stored.load(Ordering::Relaxed));
        for attempt in 0u32.. {
            match self.store.apply(id, event.clone(), now_ms()).await {
                Ok(applied) => {
                    self.stored.fetch_add(1, Ordering::Relaxed);
                    metrics::count_applied(&applied);
                    return applied;
                }
                // Nothing will ever be applied to it.
                Err(StoreError::NotFound | StoreError::Quarantined) => break,
                Err(error) => {
                    tracing::debug!(flow = %id, %error, "an event could not be stored; trying again");
                    let is_own = attempt + 1 >= OWN_FAULT_TRIES && permit.is_some();
                    if is_own && self.others_are_stored(stored).await {
                        permit = None;
                        metrics::count_unstorable();
                        tracing::error!(flow = %id, %error, "an event can't be stored while those of others can");
                    }
                    tokio::time::sleep(backoff::delay(attempt, STORE_PAUSE, self.retry_max)).await;
                }
            }
        }
        Applied::default()
    }

    /// Whether the store takes what is of others: it did since it had stored so much, or it does now.
    pub(crate) async fn others_are_stored(&self, stored: u64) -> bool {
        if self.stored.load(Ordering::Relaxed) != stored {
            return true;
        }
        match self.trusted_ms() {
            Some(now_ms) => self.store.keep_time(now_ms).await.is_ok(),
            None => false,
        }
    }

    /// Applies an event that can come again: where the store does not take it, its task is due again later,
    /// each time later than the last. Nothing then.
    pub(crate) async fn try_apply(&self, id: Uuid, task: TaskKind, event: Event) -> Option<Applied> {
        match self.store.apply(id, event, now_ms()).await {
            Ok(applied) => {
                self.stored.fetch_add(1, Ordering::Relaxed);
                self.failing.lock().remove(&id);
                metrics::count_applied(&applied);
                Some(applied)
            }
            // Nothing will ever be applied to it.
            Err(StoreError::NotFound | StoreError::Quarantined) => {
                self.failing.lock().remove(&id);
                Some(Applied::default())
            }
            Err(error) => {
                let failures = {
                    let mut failing = self.failing.lock();
                    let failures = failing.entry(id).or_default();
                    *failures = failures.saturating_add(1);
                    *failures
                };
                if failures == OWN_FAULT_TRIES {
                    metrics::count_unstorable();
                    tracing::error!(flow = %id, %error, "an event can't be stored; it is tried again");
                }
                let pause = backoff::delay(failures - 1, STORE_PAUSE, self.retry_max);
                self.store.put_off(id, task, now_ms().saturating_add(pause.as_millis() as i64));
                None
            }
        }
    }

    /// Stores what came of a task that was handed to the outside.
    pub(crate) async fn record<P>(&self, id: Uuid, task: TaskKind, event: Event, permit: P) {
        let again_ms = match &event {
            Event::Deferred { at_ms, .. } => Some(*at_ms),
            Event::CallbackFailed { at_ms, .. } => *at_ms,
            _ => None,
        };
        let applied = self.apply(id, event, permit).await;
        if let (false, Some(at_ms)) = (applied.changed, again_ms) {
            // The flow has a later time, of a clock that was wrong: what is owed still is.
            self.store.put_off_for(id, task, at_ms, Wait::Time);
        }
    }

    /// Reads whose messages are checked before they are handed over, and which callback keys were changed.
    ///
    /// # Errors
    /// When the store does not answer; what is known stays.
    pub async fn read_submit_checks(&self) -> Result<(), StoreError> {
        let store::SubmitChecks { balances, suppressions } = self.store.submit_checks().await?;
        let callback_keys = self.store.changed_callback_keys().await?;
        self.callbacks.use_keys(callback_keys);
        let (balances, suppressions) = (balances.into_iter().collect(), suppressions.into_iter().collect());
        *self.submit_checks.write() = SubmitChecks { balances, suppressions };
        Ok(())
    }
}

/// Waits for one permit, and takes as many more as are free, at most `most` in all: so many tasks are
/// claimed.
pub(crate) async fn take_permits(semaphore: &Arc<Semaphore>, most: usize) -> Vec<OwnedSemaphorePermit> {
    // It is never closed; without a permit nothing would be claimed.
    let mut permits: Vec<_> = Arc::clone(semaphore).acquire_owned().await.into_iter().collect();
    permits.extend((1..most).map_while(|_| Arc::clone(semaphore).try_acquire_owned().ok()));
    permits
}

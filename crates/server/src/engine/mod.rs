//! The engine: claims due tasks, does them, and feeds what happened back into the store. It decides nothing about
//! a flow; [`flow::Flow::apply`] does.

mod dispatch;
mod outlet;
mod outside;
mod prune;
mod sink;
mod steady;
mod submit;
mod under_way;

pub use outlet::Outlet;
pub use outside::{Network, Outside};

use crate::callbacks::Callbacks;
use crate::clock::now_ms;
use crate::config::Config;
use crate::metrics;
use crate::passing::Passing;
use crate::rates::Rates;
use crate::routing::Router;
use carriers::{CarrierSink, backoff};
use flow::{Applied, Channel, Event, FlowKind, Rate, Step, TaskKind};
use futures::future::join_all;
use index::Index;
use parking_lot::{Mutex, RwLock};
use sink::Sink;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use steady::{Look, TrustedClock};
use store::{Admit, Claim, Lane, Store, StoreError, SubmitChecks, admit_all};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use under_way::UnderWay;
use uuid::Uuid;

/// How long a claimed task stays ours. Longer than any carrier's or callback's timeout, so that nobody else takes
/// up what is still under way; it ends with the process anyhow.
const LEASE_MS: i64 = 300_000;
/// Most tasks claimed at once.
const CLAIM_MAX: usize = 128;
/// How long a lane rests after the store failed.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks for replays that the command line asked for.
const REPLAY_INTERVAL: Duration = Duration::from_secs(1);
/// How long a callback waits that is under way already.
const PUT_OFF_MS: i64 = 250;
/// Between two looks at the clocks, the carriers and the cautions.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Reading both clocks takes no longer, milliseconds, or they tell nothing about each other.
const READ_MAX_MS: i64 = 100;
/// How long the store may take to end a time to live, before others have their turn.
const EXPIRE_MAX: Duration = Duration::from_secs(30);
/// After so many tries it is asked whether the store fails for this flow alone.
const OWN_FAULT_TRIES: u32 = 3;

/// The lanes whose tasks are never due long after now.
const PLANNED_LANES: &[Lane] =
    &[Lane::Submit(Channel::Sms), Lane::Submit(Channel::Viber), Lane::Submit(Channel::Voice), Lane::Expire];
const ALL_LANES: &[Lane] = &Lane::ALL;
/// The longest time to live, minutes (contract, section 2).
const TTL_MAX_MINUTES: i64 = 1440;

/// The engine.
pub struct Engine {
    store: Arc<dyn Store>,
    index: Arc<Index>,
    outlets: Vec<Arc<Outlet>>,
    router: Router,
    rates: Rates,
    /// Whose messages are looked at before they are handed over.
    cautions: RwLock<Cautioned>,
    /// What carriers and targets are being asked.
    under_way: Mutex<HashSet<(Uuid, TaskKind)>>,
    sink: Arc<Sink>,
    /// Some carrier has room again, by the channel that waits for it.
    room: [Notify; Channel::ALL.len()],
    /// Counts how often there was room.
    room_turn: AtomicUsize,
    callbacks: Callbacks,
    passing: Arc<Passing>,
    retry_max: Duration,
    retention_days: u32,
    ttl_max_ms: i64,
    /// When it was started: the zero of the monotonic clock.
    started: Instant,
    clock: Mutex<TrustedClock>,
    /// Events and receipts that were stored.
    stored: Arc<AtomicU64>,
    /// How often in a row the store failed for flows that it now fails for.
    failing: Mutex<HashMap<Uuid, u32>>,
    /// Becomes true when nothing new is to be started.
    closing: watch::Sender<bool>,
}

/// Applications by what is looked at before their messages are handed over.
#[derive(Default)]
struct Cautioned {
    balances: HashSet<String>,
    suppressions: HashSet<String>,
}

impl Engine {
    /// Connects the carriers and starts the lanes.
    ///
    /// # Errors
    /// When a carrier or the callbacks' client can't be set up.
    pub async fn start(
        config: &Config,
        store: Arc<dyn Store>,
        index: Arc<Index>,
        outside: &dyn Outside,
    ) -> Result<Arc<Engine>, String> {
        let secret_key = *store.secret_key();
        let stored = Arc::new(AtomicU64::new(0));
        let sink = Arc::new(Sink::new(Arc::clone(&store), Arc::clone(&stored)));
        let mut outlets = Vec::new();
        for carrier in &config.carriers {
            let connected = outside.carrier(carrier, Arc::clone(&sink) as _).await;
            let connected = connected.map_err(|error| format!("carrier {}: {error}", carrier.common.name))?;
            outlets.push(Arc::new(Outlet::new(carrier.common.clone(), connected)));
        }
        let seen_ms = store.kept_time_ms().await.map_err(|error| error.to_string())?;
        let agreement_ms = config.store.clock_agreement.as_millis() as i64;
        let clock = TrustedClock::new(Look { wall_ms: now_ms(), monotonic_ms: 0 }, seen_ms, agreement_ms);
        if clock.needed_ms() > agreement_ms {
            let for_s = clock.needed_ms() / 1000;
            tracing::warn!(
                for_s,
                "the clock is far from where it was; nothing is deleted by age before it was steady for a while"
            );
        }
        let engine = Arc::new(Engine {
            store,
            index,
            outlets,
            router: Router::new(config),
            rates: config.pricing.read_rates()?,
            cautions: RwLock::default(),
            under_way: Mutex::default(),
            sink,
            room: Default::default(),
            room_turn: AtomicUsize::new(0),
            callbacks: Callbacks::new(config.callbacks.clone(), outside.post(&config.callbacks)?, secret_key),
            passing: Arc::default(),
            retry_max: config.engine.retry_max,
            retention_days: config.store.retention_days,
            ttl_max_ms: (config.engine.minute.as_millis() as i64).saturating_mul(TTL_MAX_MINUTES),
            started: Instant::now(),
            clock: Mutex::new(clock),
            stored,
            failing: Mutex::default(),
            closing: watch::channel(false).0,
        });
        engine.sink.attach(&engine);
        Ok(engine)
    }

    /// Works until [`Engine::close`]; returns when everything in flight is finished.
    pub async fn run(self: Arc<Self>) {
        let mut lanes: Vec<tokio::task::JoinHandle<()>> = Vec::new();
        for channel in Channel::ALL {
            let engine = Arc::clone(&self);
            lanes.push(tokio::spawn(async move { dispatch::lane(&engine, channel).await }));
        }
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { engine.expire_lane().await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { engine.callback_lane().await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { engine.watch().await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { engine.replay().await }));
        let engine = Arc::clone(&self);
        lanes.push(tokio::spawn(async move { prune::run(&engine).await }));
        join_all(lanes).await;
    }

    /// Starts nothing new any more.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Whether nothing new is started any more.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// The carriers.
    pub fn outlets(&self) -> &[Arc<Outlet>] {
        &self.outlets
    }

    /// The carrier with a name.
    pub fn outlet(&self, name: &str) -> Option<&Arc<Outlet>> {
        self.outlets.iter().find(|outlet| outlet.config.name == name)
    }

    /// Which carriers are tried for what.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// What makes callbacks.
    pub fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// What recipients wrote and clients' servers have not acknowledged.
    pub fn passing(&self) -> &Arc<Passing> {
        &self.passing
    }

    /// Where what carriers hear goes.
    pub fn sink(&self) -> &dyn CarrierSink {
        &*self.sink
    }

    /// What a carrier charges for a step: by the rate table, else by its own price for the channel.
    fn rate(&self, step: &Step, kind: FlowKind, outlet: &Outlet) -> Option<Rate> {
        let rate = self.rates.find(step, kind, &outlet.config.name, outlet.config.viber_kind, now_ms());
        rate.or_else(|| {
            let price = outlet.config.prices.get(&step.channel()).copied()?;
            Some(Rate { price, interval_s: None, operator: None })
        })
    }

    /// Reads whose messages are looked at before they are handed over, and which callback keys were changed.
    ///
    /// # Errors
    /// When the store does not answer; what is known stays.
    pub async fn read_cautions(&self) -> Result<(), StoreError> {
        let SubmitChecks { balances, suppressions } = self.store.submit_checks().await?;
        self.callbacks.use_keys(self.store.changed_callback_keys().await?);
        let (balances, suppressions) = (balances.into_iter().collect(), suppressions.into_iter().collect());
        *self.cautions.write() = Cautioned { balances, suppressions };
        Ok(())
    }

    /// Tells the lanes that some carrier has room again: another one first each time, so that what waits in
    /// one takes not all of the room of a carrier that others use too.
    fn announce_room(&self) {
        let first = self.room_turn.fetch_add(1, Ordering::Relaxed);
        let lanes = self.room.len();
        (0..lanes).for_each(|i| self.room[first.wrapping_add(i) % lanes].notify_one());
    }

    /// Returns when some carrier may have room again, or after a time.
    async fn until_room(&self, channel: Channel, at_most: Duration) {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.changed() => {}
            () = self.room[channel as usize].notified() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    /// Waits until the lane has a due task; false when the engine closes.
    async fn until_due(&self, lane: Lane) -> bool {
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
    async fn pause(&self, pause: Duration) -> bool {
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

    async fn claim(&self, lane: Lane, limit: usize, admit: Admit<'_>) -> Vec<Claim> {
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
    async fn apply<P>(&self, id: Uuid, event: Event, permit: P) -> Applied {
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
    async fn others_are_stored(&self, stored: u64) -> bool {
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
    async fn try_apply(&self, id: Uuid, task: TaskKind, event: Event) -> Option<Applied> {
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
    async fn record<P>(&self, id: Uuid, task: TaskKind, event: Event, permit: P) {
        let again_ms = match &event {
            Event::Deferred { at_ms, .. } => Some(*at_ms),
            Event::CallbackFailed { at_ms, .. } => *at_ms,
            _ => None,
        };
        let applied = self.apply(id, event, permit).await;
        if let (false, Some(at_ms)) = (applied.changed, again_ms) {
            // The flow has a later time, of a clock that was wrong: what is owed still is.
            self.store.put_off(id, task, at_ms);
        }
    }

    /// Ends times to live. Each flow by itself: one that the store fails for holds up no other.
    async fn expire_lane(self: &Arc<Self>) {
        let slots = Arc::new(Semaphore::new(CLAIM_MAX));
        while self.until_due(Lane::Expire).await {
            self.look_at_clocks();
            if !self.is_settled() {
                // A clock that is wrong for some seconds ends no time to live.
                self.pause(WATCH_INTERVAL).await;
                continue;
            }
            let mut permits = take_permits(&slots, CLAIM_MAX).await;
            for claim in self.claim(Lane::Expire, permits.len(), &mut admit_all).await {
                let TaskKind::Expire { message } = claim.task else { continue };
                let (engine, permit) = (Arc::clone(self), permits.pop());
                tokio::spawn(async move {
                    let (id, task) = (claim.flow.id, claim.task);
                    let expired = engine.try_apply(id, task, Event::Expire { message });
                    // Where it takes longer, the lease ends and it comes again.
                    let applied = tokio::time::timeout(EXPIRE_MAX, expired).await.ok().flatten();
                    if applied.is_some_and(|applied| !applied.changed) {
                        // It came too early, by a clock that was ahead, or the flow has moved on and owes it
                        // no more.
                        let ends_ms = claim.flow.state.messages.get(usize::from(message));
                        let ends_ms = ends_ms.map_or(0, |message| message.expires_ms);
                        engine.store.put_off(id, task, ends_ms.max(now_ms() + PUT_OFF_MS));
                    }
                    drop(permit);
                });
            }
        }
        let _ = slots.acquire_many(CLAIM_MAX as u32).await;
    }

    async fn callback_lane(self: &Arc<Self>) {
        while self.until_due(Lane::Callback).await {
            let free = self.callbacks.until_free().await.min(CLAIM_MAX);
            let mut slots = HashMap::new();
            let mut admit = |offer: &store::Offer<'_>| self.callbacks.admit(offer, &mut slots);
            let claims = self.claim(Lane::Callback, free, &mut admit).await;
            for claim in claims {
                let Some(slot) = slots.remove(&claim.flow.id) else { continue };
                let Some(under_way) = UnderWay::begin(self, &claim) else {
                    self.store.put_off(claim.flow.id, claim.task, now_ms() + PUT_OFF_MS);
                    continue;
                };
                let engine = Arc::clone(self);
                tokio::spawn(async move {
                    engine.look_at_clocks();
                    let tells_age = engine.tells_age();
                    let called = engine.callbacks.call(&claim.flow, &slot, tells_age).await;
                    let (application, target) = (slot.application().to_owned(), slot.host().to_owned());
                    match called {
                        Some(event) => engine.record(claim.flow.id, claim.task, event, slot).await,
                        None => drop(slot),
                    }
                    engine.store.resume(Lane::Callback, &application, &target);
                    drop(under_way);
                });
            }
        }
        // What is under way finishes.
        self.callbacks.drain().await;
    }

    /// Looks at the clocks, the carriers, and whose messages are looked at before they are handed over.
    async fn watch(&self) {
        // What a clock that was wrong put off before this start.
        self.pull_in(ALL_LANES, false, self.retry_max);
        while self.pause(WATCH_INTERVAL).await {
            self.look_at_clocks();
            // Where it jumped there and back between two looks.
            self.pull_in(PLANNED_LANES, false, self.longest_planned());
            for outlet in &self.outlets {
                metrics::show_carrier(outlet, now_ms());
            }
            if let Err(error) = self.read_cautions().await {
                tracing::error!(%error, "balances and suppressions could not be read");
            }
        }
    }

    /// The time, Unix milliseconds, where the clock is believed.
    fn trusted_ms(&self) -> Option<i64> {
        self.clock.lock().trusted_ms()
    }

    fn is_settled(&self) -> bool {
        self.clock.lock().is_settled()
    }

    fn tells_age(&self) -> bool {
        self.clock.lock().tells_age()
    }

    /// Looks at the clocks, and sees to what a jump of the wall clock calls for.
    fn look_at_clocks(&self) {
        let Some(look) = self.read_clocks() else { return };
        let (jump_ms, needed_ms) = {
            let mut clock = self.clock.lock();
            (clock.look(look), clock.needed_ms())
        };
        let Some(jump_ms) = jump_ms else { return };
        let (by_s, for_s) = (jump_ms / 1000, needed_ms / 1000);
        tracing::warn!(
            by_s,
            for_s,
            "the clock jumped; nothing is deleted by age until it was steady for a while"
        );
        self.outlets.iter().for_each(|outlet| outlet.forget_parked());
        self.pull_in(ALL_LANES, true, self.longest_planned());
    }

    /// Both clocks at the same moment; nothing where this thread was held up between them.
    fn read_clocks(&self) -> Option<Look> {
        let monotonic = || self.started.elapsed().as_millis() as i64;
        (0..3).find_map(|_| {
            let (before_ms, wall_ms, monotonic_ms) = (monotonic(), now_ms(), monotonic());
            (monotonic_ms - before_ms <= READ_MAX_MS).then_some(Look { wall_ms, monotonic_ms })
        })
    }

    /// The longest that what is to be handed over can be put off on purpose.
    fn longest_planned(&self) -> Duration {
        self.retry_max.max(Duration::from_millis(LEASE_MS.unsigned_abs()))
    }

    /// Makes due soon what a wrong clock put off. Nothing that waits for a carrier waits longer than
    /// `submits_max`.
    fn pull_in(&self, lanes: &[Lane], jumped: bool, submits_max: Duration) {
        let now_ms = now_ms();
        for &lane in lanes {
            let latest_ms = match lane {
                Lane::Submit(_) => now_ms.saturating_add(submits_max.as_millis() as i64),
                Lane::Callback => now_ms.saturating_add(self.callbacks.pause_max_ms().max(LEASE_MS)),
                Lane::Expire => now_ms.saturating_add(self.ttl_max_ms),
            };
            let moved = self.store.pull_in(lane, jumped, now_ms, latest_ms);
            if moved > 0 {
                tracing::info!(?lane, moved, "tasks that a wrong clock had put off are due sooner");
            }
        }
    }

    /// Starts the replays that the command line asked for.
    async fn replay(&self) {
        while self.pause(REPLAY_INTERVAL).await {
            if let Err(error) = self.store.replay_requested(now_ms()).await {
                tracing::error!(%error, "replays could not be started");
            }
        }
    }
}

/// Waits for one permit, and takes as many more as are free, at most `most` in all: so many tasks are claimed.
async fn take_permits(semaphore: &Arc<Semaphore>, most: usize) -> Vec<OwnedSemaphorePermit> {
    // It is never closed; without a permit nothing would be claimed.
    let mut permits: Vec<_> = Arc::clone(semaphore).acquire_owned().await.into_iter().collect();
    permits.extend((1..most).map_while(|_| Arc::clone(semaphore).try_acquire_owned().ok()));
    permits
}

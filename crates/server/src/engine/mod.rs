//! The engine: claims due tasks, does them, and feeds what happened back into the store. It decides nothing about
//! a flow; [`flow::Flow::apply`] does.

mod dispatch;
mod outlet;
mod outside;
mod prune;
mod submit;
mod under_way;

pub use outlet::Outlet;
pub use outside::{Network, Outside};

use crate::callbacks::Callbacks;
use crate::clock::now_ms;
use crate::config::Config;
use crate::metrics;
use crate::rates::Rates;
use crate::routing::Router;
use async_trait::async_trait;
use carriers::{NotStored, ReceiptSink, backoff};
use flow::{Applied, CarrierRef, Channel, Event, FlowKind, Rate, Receipt, Step, TaskKind};
use futures::future::join_all;
use index::Index;
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::{Cautions, Lane, Store, StoreError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
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
/// How long a callback waits whose target has enough to do.
const PUT_OFF_MS: i64 = 250;
/// Between two prunings.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

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
    sink: Arc<Receipts>,
    /// Some carrier has room again, by the channel that waits for it.
    room: [Notify; Channel::ALL.len()],
    callbacks: Callbacks,
    retry_max: Duration,
    retention_days: u32,
    /// Becomes true when nothing new is to be started.
    closing: watch::Sender<bool>,
}

/// Applications by what is looked at before their messages are handed over.
#[derive(Default)]
struct Cautioned {
    balances: HashSet<String>,
    suppressions: HashSet<String>,
}

/// Stores what carriers report.
struct Receipts {
    store: Arc<dyn Store>,
    /// The carriers, once they are there: what they report tells how well they do.
    outlets: OnceLock<Vec<Arc<Outlet>>>,
}

#[async_trait]
impl ReceiptSink for Receipts {
    async fn take(&self, carrier: CarrierRef, receipt: Receipt) -> Result<(), NotStored> {
        let name = carrier.carrier.clone();
        let outlet = self.outlets.get().into_iter().flatten().find(|outlet| outlet.config.name == name);
        let status = receipt.clone();
        match self.store.receipt(carrier, receipt, now_ms()).await {
            Ok(matched) => {
                metrics::count_receipt(&name, &matched);
                if let store::Matched::Applied(applied) = &matched {
                    metrics::count_applied(applied);
                    if let (true, Some(outlet)) = (applied.changed, outlet) {
                        outlet.health.note_receipt(&status, now_ms());
                    }
                }
                Ok(())
            }
            Err(error) => {
                tracing::debug!(carrier = name, %error, "a receipt could not be stored; the carrier keeps it");
                Err(NotStored)
            }
        }
    }
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
        let sink = Arc::new(Receipts { store: Arc::clone(&store), outlets: OnceLock::new() });
        let mut outlets = Vec::new();
        for carrier in &config.carriers {
            let connected = outside.carrier(carrier, Arc::clone(&sink) as _).await;
            let connected = connected.map_err(|error| format!("{}: {error}", carrier.common.name))?;
            outlets.push(Arc::new(Outlet::new(carrier.common.clone(), connected)));
        }
        let _ = sink.outlets.set(outlets.clone());
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
            callbacks: Callbacks::new(config.callbacks.clone(), outside.post(&config.callbacks)?, secret_key),
            retry_max: config.engine.retry_max,
            retention_days: config.store.retention_days,
            closing: watch::channel(false).0,
        });
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
        lanes.push(tokio::spawn(async move { engine.maintain().await }));
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

    /// Where carriers' receipts go.
    pub fn sink(&self) -> &dyn ReceiptSink {
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

    /// Reads whose messages are looked at before they are handed over.
    ///
    /// # Errors
    /// When the store does not answer; what is known stays.
    pub async fn read_cautions(&self) -> Result<(), StoreError> {
        let Cautions { balances, suppressions } = self.store.cautions().await?;
        let (balances, suppressions) = (balances.into_iter().collect(), suppressions.into_iter().collect());
        *self.cautions.write() = Cautioned { balances, suppressions };
        Ok(())
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

    async fn claim(&self, lane: Lane, limit: usize) -> Vec<store::Claim> {
        match self.store.claim(lane, limit, now_ms(), LEASE_MS).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(?lane, %error, "tasks could not be claimed");
                tokio::time::sleep(STORE_PAUSE).await;
                Vec::new()
            }
        }
    }

    /// Applies an event, again and again until the store takes it: what a carrier was told can't be untold.
    async fn apply(&self, id: Uuid, event: Event) -> Applied {
        for attempt in 0.. {
            match self.store.apply(id, event.clone(), now_ms()).await {
                Ok(applied) => {
                    metrics::count_applied(&applied);
                    return applied;
                }
                // Nothing will ever be applied to it.
                Err(StoreError::NotFound | StoreError::Quarantined) => break,
                Err(error) => {
                    tracing::debug!(flow = %id, %error, "an event could not be stored; trying again");
                    tokio::time::sleep(backoff::delay(attempt, STORE_PAUSE, self.retry_max)).await;
                }
            }
        }
        Applied::default()
    }

    async fn expire_lane(&self) {
        while self.until_due(Lane::Expire).await {
            let claims = self.claim(Lane::Expire, CLAIM_MAX).await;
            let expiries = claims.into_iter().filter_map(|claim| match claim.task {
                TaskKind::Expire { message } => Some(self.apply(claim.flow.id, Event::Expire { message })),
                TaskKind::Submit { .. } | TaskKind::Callback { .. } => None,
            });
            join_all(expiries).await;
        }
    }

    async fn callback_lane(self: &Arc<Self>) {
        let limit = self.callbacks.concurrency();
        let slots = Arc::new(Semaphore::new(limit));
        while self.until_due(Lane::Callback).await {
            let mut permits = take_permits(&slots, CLAIM_MAX).await;
            for claim in self.claim(Lane::Callback, permits.len()).await {
                let Some(under_way) = UnderWay::begin(self, &claim) else {
                    self.store.put_off(claim.flow.id, claim.task, now_ms() + PUT_OFF_MS);
                    continue;
                };
                let (engine, permit) = (Arc::clone(self), permits.pop());
                tokio::spawn(async move {
                    if let Some(event) = engine.callbacks.call(&claim.flow).await {
                        engine.apply(claim.flow.id, event).await;
                    } else {
                        // Its host has enough to do; others go first.
                        engine.store.put_off(claim.flow.id, claim.task, now_ms() + PUT_OFF_MS);
                    }
                    drop((under_way, permit));
                });
            }
        }
        // What is under way finishes.
        let _ = slots.acquire_many(limit as u32).await;
    }

    /// Replays and prunes.
    async fn maintain(&self) {
        let mut last_prune_ms = 0;
        while self.pause(REPLAY_INTERVAL).await {
            for outlet in &self.outlets {
                metrics::show_carrier(outlet, now_ms());
            }
            if let Err(error) = self.read_cautions().await {
                tracing::error!(%error, "balances and suppressions could not be read");
            }
            if let Err(error) = self.store.replay_requested(now_ms()).await {
                tracing::error!(%error, "replays could not be started");
            }
            if now_ms() - last_prune_ms >= PRUNE_INTERVAL.as_millis() as i64 {
                prune::prune(self).await;
                last_prune_ms = now_ms();
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

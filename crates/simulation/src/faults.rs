//! The server's store with faults before and after each call, and with bugs where they are planted.

use crate::bug::Bug;
use crate::fault::Fault;
use crate::parties::{APPLICATION, HOSTILE};
use crate::reach::Side;
use crate::trial::Trial;
use crate::world::{State, World};
use async_trait::async_trait;
use carriers::{CarrierSink, HandsetMessage, NotStored, Outcome, PartRef, Report, Unread};
use flow::statistics::Quarter;
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, TaskKind};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use store::{
    Accepted, Accounts, Admission, Admit, Application, CallbackKey, ChangePage, Claim, Cutoffs, Feed, Flows,
    HaltedCarrier, Halts, IdempotencyKey, InboundMessage, Lane, Matched, Offer, Position, Pruned, Reserved,
    Result, SqliteStore, Statistics, StatisticsQuery, StatisticsSums, StoreError, SubmitChecks, Suppression,
    Tasks, Token, UnreadReceipt, Upkeep, Wait, Waiting,
};
use uuid::Uuid;

/// What faults and planted bugs keep in mind, longer than a server lives.
#[derive(Default)]
pub struct Memory {
    forgotten: HashSet<(Uuid, u16)>,
    first_parts: HashMap<(Uuid, u16), CarrierRef>,
    taken_for: HashMap<CarrierRef, CarrierRef>,
    /// Flows that can't be stored any more as long as the trouble lasts.
    unstorable: HashSet<Uuid>,
}

/// A store in a world.
pub struct Faulty {
    pub inner: Arc<SqliteStore>,
    pub world: Arc<World>,
    pub bug: Option<Bug>,
    pub memory: Arc<Mutex<Memory>>,
}

impl Faulty {
    fn plants(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Makes a call with faults. Before it time passes, the server dies, or the disk fails; after it time
    /// passes, or the server dies with what was done.
    async fn around<T>(&self, method: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.world.store_step(method, Side::Before).await;
        self.may_fail(method)?;
        let result = call.await;
        self.world.store_step(method, Side::After).await;
        result
    }

    /// Makes a call that the server makes every second once it serves. It may be refused; a server that died
    /// here as well would die all the time.
    async fn refusing<T>(&self, method: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.count(method);
        if self.world.with(|state| state.serving) {
            self.may_fail(method)?;
        }
        call.await
    }

    fn may_fail(&self, method: &'static str) -> Result<()> {
        self.world.with(|state| {
            if !state.happens(Fault::StoreFails) {
                return Ok(());
            }
            state.reach.at(method).failed += 1;
            state.note(format!("the store refuses {method}"));
            Err(StoreError::unavailable("simulated"))
        })
    }

    /// Counts a call that no fault can reach.
    fn count(&self, method: &'static str) {
        self.world.with(|state| state.reach.at(method).calls += 1);
    }
}

/// A sink that knows of no late answers.
pub struct Forgetful(pub Arc<dyn CarrierSink>);

#[async_trait]
impl CarrierSink for Forgetful {
    async fn report(&self, report: Report) -> std::result::Result<(), NotStored> {
        self.0.report(report).await
    }

    async fn answered_late(&self, _: PartRef, _: &str, _: Outcome) -> std::result::Result<(), NotStored> {
        Ok(())
    }

    async fn unread(&self, carrier: &str, unread: Unread) -> std::result::Result<(), NotStored> {
        self.0.unread(carrier, unread).await
    }

    async fn handset_message(
        &self,
        carrier: &str,
        message: HandsetMessage,
    ) -> std::result::Result<(), NotStored> {
        self.0.handset_message(carrier, message).await
    }
}

#[async_trait]
impl Flows for Faulty {
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted> {
        self.around("accept", async {
            let spoils =
                |state: &mut State| state.mood.of(Fault::Unstorable) > 0.0 && state.random.u8(0..10) == 0;
            if flow.application == HOSTILE && self.world.with(spoils) {
                self.memory.lock().unstorable.insert(flow.id);
            }
            let key = key.filter(|_| !self.plants(Bug::IgnoreKeys));
            if self.plants(Bug::AnswerBeforeCommit) {
                let (store, world) = (Arc::clone(&self.inner), Arc::clone(&self.world));
                tokio::spawn(async move {
                    world.step().await;
                    store.accept(flow, key, now_ms).await
                });
                return Ok(Accepted::New);
            }
            self.inner.accept(flow, key, now_ms).await
        })
        .await
    }

    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied> {
        self.around("apply", async {
            if self.memory.lock().unstorable.contains(&id)
                && self.world.with(|state| state.trial) == Trial::Hostile
            {
                return Err(StoreError::unavailable("simulated: too big"));
            }
            let event = match event {
                Event::Handed { .. } | Event::Unanswered { .. } if self.plants(Bug::ForgetHandOver) => {
                    return Ok(Applied { changed: true, notes: vec![] });
                }
                Event::Deferred { message, part, at_ms, carrier, reason, .. }
                    if self.plants(Bug::ForgetUnknown) =>
                {
                    Event::Deferred { message, part, at_ms, unknown: false, carrier, reason }
                }
                Event::CallbackFailed { number, attempt, .. } if self.plants(Bug::ForgetCallback) => {
                    Event::CallbackDone { number, attempt }
                }
                event => event,
            };
            if let (true, Event::Submitted { message, carrier, .. }) = (self.plants(Bug::WrongPart), &event) {
                let mut memory = self.memory.lock();
                let first =
                    memory.first_parts.entry((id, *message)).or_insert_with(|| carrier.clone()).clone();
                memory.taken_for.insert(carrier.clone(), first);
            }
            self.inner.apply(id, event, now_ms).await
        })
        .await
    }

    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched> {
        self.around("receipt", async {
            let carrier = self.memory.lock().taken_for.get(&carrier).cloned().unwrap_or(carrier);
            if self.plants(Bug::AcknowledgeBeforeStore) {
                let (store, world) = (Arc::clone(&self.inner), Arc::clone(&self.world));
                tokio::spawn(async move {
                    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                    world.step().await;
                    store.receipt(carrier, recipient, receipt, now_ms).await
                });
                return Ok(Matched::Early);
            }
            self.inner.receipt(carrier, recipient, receipt, now_ms).await
        })
        .await
    }

    async fn keep_unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()> {
        self.around("keep_unread", self.inner.keep_unread(carrier, receipt, now_ms)).await
    }

    async fn keep_inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()> {
        self.around("keep_inbound", self.inner.keep_inbound(message, now_ms)).await
    }

    async fn load(&self, ids: Vec<Uuid>) -> Result<Vec<Option<Flow>>> {
        self.around("load", self.inner.load(ids)).await
    }

    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>> {
        self.around("load_within", self.inner.load_within(ids, bytes_max)).await
    }

    async fn flows_to_later_recipient(
        &self,
        application: String,
        recipient: String,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        self.around(
            "flows_to_later_recipient",
            self.inner.flows_to_later_recipient(application, recipient, limit),
        )
        .await
    }

    async fn flows_by_reference(&self, reference: String, limit: usize) -> Result<Vec<Uuid>> {
        self.around("flows_by_reference", self.inner.flows_by_reference(reference, limit)).await
    }

    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize> {
        self.around("erase", self.inner.erase(application, ids, now_ms)).await
    }

    async fn replay_requested(&self, now_ms: i64) -> Result<usize> {
        self.refusing("replay_requested", self.inner.replay_requested(now_ms)).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.around("link", self.inner.link(code, now_ms)).await
    }
}

#[async_trait]
impl Tasks for Faulty {
    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>> {
        self.around("claim", async {
            let mut claims = Vec::new();
            if self.plants(Bug::NoTurns) {
                let mut first = |offer: &Offer<'_>| {
                    if offer.application == HOSTILE { admit(offer) } else { Admission::ApplicationFull }
                };
                claims = self.inner.claim(lane, limit, now_ms, lease_ms, &mut first).await?;
            }
            if claims.is_empty() {
                self.inner.resume(lane, APPLICATION, "");
                claims = self.inner.claim(lane, limit, now_ms, lease_ms, admit).await?;
            }
            if self.plants(Bug::ForgetExpiry) {
                let mut memory = self.memory.lock();
                claims.retain(|claim| {
                    let TaskKind::Expire { message } = claim.task else { return true };
                    let place = (claim.flow.id, message);
                    if self.world.with(|state| state.random.u8(0..10)) == 0 {
                        memory.forgotten.insert(place);
                    }
                    !memory.forgotten.contains(&place)
                });
            }
            Ok(claims)
        })
        .await
    }

    fn put_off_for(&self, id: Uuid, task: TaskKind, at_ms: i64, wait: Wait) {
        self.inner.put_off_for(id, task, at_ms, wait);
    }

    fn waiting(&self, lane: Lane) -> Vec<Waiting> {
        self.inner.waiting(lane)
    }

    fn resume(&self, lane: Lane, application: &str, target: &str) {
        self.inner.resume(lane, application, target);
    }

    fn pull_in(&self, lane: Lane, jumped: bool, now_ms: i64, latest_ms: i64) -> usize {
        if self.plants(Bug::ForgetClock) { 0 } else { self.inner.pull_in(lane, jumped, now_ms, latest_ms) }
    }

    fn next_due_ms(&self, lane: Lane) -> Option<i64> {
        self.inner.next_due_ms(lane)
    }

    async fn woken(&self, lane: Lane) {
        self.inner.woken(lane).await;
    }

    fn recent(&self, id: Uuid) -> Option<Arc<Flow>> {
        self.inner.recent(id)
    }
}

#[async_trait]
impl Accounts for Faulty {
    fn secret_key(&self) -> &[u8; 32] {
        self.inner.secret_key()
    }

    async fn application(&self, id: String) -> Result<Option<Application>> {
        self.around("application", self.inner.application(id)).await
    }

    async fn own_retentions(&self) -> Result<Vec<(String, u32)>> {
        self.around("own_retentions", self.inner.own_retentions()).await
    }

    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>> {
        self.refusing("changed_callback_keys", self.inner.changed_callback_keys()).await
    }

    async fn add_token(&self, token: Token, tokens_max: usize) -> Result<()> {
        self.around("add_token", self.inner.add_token(token, tokens_max)).await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>> {
        self.around("token", self.inner.token(hash)).await
    }

    async fn reserve(
        &self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> Result<Reserved> {
        self.around("reserve", self.inner.reserve(id, message, part, price, now_ms)).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<()> {
        self.around("suppress", self.inner.suppress(suppression)).await
    }

    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.around("unsuppress", self.inner.unsuppress(application, channel, recipient)).await
    }

    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.around("is_suppressed", self.inner.is_suppressed(application, channel, recipient)).await
    }

    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.around("suppressions", self.inner.suppressions(application, channel, after, limit)).await
    }

    async fn submit_checks(&self) -> Result<SubmitChecks> {
        self.refusing("submit_checks", self.inner.submit_checks()).await
    }
}

#[async_trait]
impl Feed for Faulty {
    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage> {
        self.count("changes");
        self.inner.changes(after, limit).await
    }

    async fn position(&self) -> Result<Position> {
        self.count("position");
        self.inner.position().await
    }

    async fn has(&self, position: &Position) -> Result<bool> {
        self.count("has");
        Ok(self.plants(Bug::TrustIndex) || self.inner.has(position).await?)
    }

    async fn forget_removals(&self, until: &Position) -> Result<()> {
        self.around("forget_removals", self.inner.forget_removals(until)).await
    }
}

#[async_trait]
impl Statistics for Faulty {
    async fn statistics_range(&self, application: String) -> Result<Option<Range<Quarter>>> {
        self.around("statistics_range", self.inner.statistics_range(application)).await
    }

    async fn statistics(&self, query: StatisticsQuery) -> Result<Option<StatisticsSums>> {
        self.around("statistics", self.inner.statistics(query)).await
    }
}

#[async_trait]
impl Halts for Faulty {
    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>> {
        self.refusing("halted_carriers", self.inner.halted_carriers()).await
    }
}

#[async_trait]
impl Upkeep for Faulty {
    async fn prune(&self, cutoffs: Cutoffs, limit: usize) -> Result<Pruned> {
        self.around("prune", async {
            let cutoffs = if self.plants(Bug::BelieveClock) {
                let now_ms = self.world.clock_ms();
                let day_ms = 86_400_000;
                Cutoffs {
                    flows_before_ms: now_ms - 365 * day_ms,
                    keys_before_ms: now_ms - day_ms,
                    unmatched_before_ms: now_ms - 30 * day_ms,
                }
            } else {
                cutoffs
            };
            self.inner.prune(cutoffs, limit).await
        })
        .await
    }

    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize> {
        self.around("prune_flows", self.inner.prune_flows(application, ids)).await
    }

    async fn kept_time_ms(&self) -> Result<Option<i64>> {
        self.count("kept_time_ms");
        self.inner.kept_time_ms().await
    }

    async fn keep_time(&self, now_ms: i64) -> Result<()> {
        self.around("keep_time", self.inner.keep_time(now_ms)).await
    }

    async fn probe(&self) -> Result<()> {
        self.around("probe", self.inner.probe()).await
    }
}

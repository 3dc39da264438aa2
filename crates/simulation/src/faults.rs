//! The server's store with faults before and after each call, and with bugs where they are planted.

use crate::world::World;
use crate::{APPLICATION, HOSTILE, Trial};
use async_trait::async_trait;
use carriers::{CarrierSink, HandsetMessage, NotStored, Outcome, PartRef, Report, Unread};
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, TaskKind};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::{
    Accepted, Accounts, Admission, Admit, Application, CallbackKey, ChangePage, Claim, Cutoffs, Feed, Flows,
    IdempotencyKey, InboundMessage, Lane, Matched, Offer, Position, Pruned, Reserved, Result, SqliteStore,
    StoreError, SubmitChecks, Suppression, Tasks, Token, UnreadReceipt, Upkeep,
};
use uuid::Uuid;

/// A bug that the simulation has to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Bug {
    /// A flow is acknowledged before it is on disk.
    AnswerBeforeCommit,
    /// Some messages' times to live never end.
    ForgetExpiry,
    /// Receipts of a message's later parts are taken for receipts of its first one.
    WrongPart,
    /// A carrier is told that its receipt is safe before it is.
    AcknowledgeBeforeStore,
    /// That a part is about to be handed to a carrier that must not get it twice is not written down.
    ForgetHandOver,
    /// That a hand-over had an outcome that nobody knows is not written down.
    ForgetUnknown,
    /// An answer of an SMSC that comes late is thrown away.
    ForgetLateAnswer,
    /// Idempotency keys are not looked at.
    IgnoreKeys,
    /// A callback that failed is not made again.
    ForgetCallback,
    /// Some commits do not reach the search index.
    SkipIndex,
    /// An index is taken for the database's own, whichever database it was written for.
    TrustIndex,
    /// What one application owes stands before what others owe.
    NoTurns,
    /// Things are deleted by their age whatever the clock shows.
    BelieveClock,
    /// What was put off by a clock that was ahead stays so when the clock is back.
    ForgetClock,
}

impl Bug {
    /// The trial that can find it.
    pub fn trial(self) -> Trial {
        match self {
            Bug::NoTurns | Bug::BelieveClock | Bug::ForgetClock => Trial::Hostile,
            _ => Trial::Any,
        }
    }
}

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

    /// Before a call: time passes, the server dies, or the disk fails.
    async fn before(&self) -> Result<()> {
        self.world.step().await;
        let fails = self.world.with(|state| state.happens(state.mood.store_fails));
        if fails { Err(StoreError::unavailable("simulated")) } else { Ok(()) }
    }

    /// After it: time passes, or the server dies with what was done.
    async fn after<T>(&self, result: Result<T>) -> Result<T> {
        self.world.step().await;
        result
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
        self.before().await?;
        if flow.application == HOSTILE && self.world.with(|state| state.random.u8(0..10)) == 0 {
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
        self.after(self.inner.accept(flow, key, now_ms).await).await
    }

    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied> {
        self.before().await?;
        if self.memory.lock().unstorable.contains(&id)
            && self.world.with(|state| state.trial) == Trial::Hostile
        {
            return Err(StoreError::unavailable("simulated: too big"));
        }
        let event = match event {
            Event::Handed { .. } | Event::Unanswered { .. } if self.plants(Bug::ForgetHandOver) => {
                return Ok(Applied { changed: true, notes: vec![] });
            }
            Event::Deferred { message, part, at_ms, .. } if self.plants(Bug::ForgetUnknown) => {
                Event::Deferred { message, part, at_ms, unknown: false }
            }
            Event::CallbackFailed { number, .. } if self.plants(Bug::ForgetCallback) => {
                Event::CallbackDone { number }
            }
            event => event,
        };
        if let (true, Event::Submitted { message, carrier, .. }) = (self.plants(Bug::WrongPart), &event) {
            let mut memory = self.memory.lock();
            let first = memory.first_parts.entry((id, *message)).or_insert_with(|| carrier.clone()).clone();
            memory.taken_for.insert(carrier.clone(), first);
        }
        self.after(self.inner.apply(id, event, now_ms).await).await
    }

    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched> {
        self.before().await?;
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
        self.after(self.inner.receipt(carrier, recipient, receipt, now_ms).await).await
    }

    async fn keep_unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()> {
        self.before().await?;
        self.after(self.inner.keep_unread(carrier, receipt, now_ms).await).await
    }

    async fn keep_inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()> {
        self.before().await?;
        self.after(self.inner.keep_inbound(message, now_ms).await).await
    }

    async fn load(&self, ids: Vec<Uuid>) -> Result<Vec<Option<Flow>>> {
        self.before().await?;
        self.after(self.inner.load(ids).await).await
    }

    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>> {
        self.before().await?;
        self.after(self.inner.load_within(ids, bytes_max).await).await
    }

    async fn flows_to_later_recipient(
        &self,
        application: String,
        recipient: String,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        self.inner.flows_to_later_recipient(application, recipient, limit).await
    }

    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize> {
        self.before().await?;
        self.after(self.inner.erase(application, ids, now_ms).await).await
    }

    async fn replay_requested(&self, now_ms: i64) -> Result<usize> {
        self.inner.replay_requested(now_ms).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.inner.link(code, now_ms).await
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
        self.before().await?;
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
        self.after(Ok(claims)).await
    }

    fn put_off(&self, id: Uuid, task: TaskKind, at_ms: i64) {
        self.inner.put_off(id, task, at_ms);
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
        self.inner.application(id).await
    }

    async fn own_retentions(&self) -> Result<Vec<(String, u32)>> {
        self.inner.own_retentions().await
    }

    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>> {
        self.inner.changed_callback_keys().await
    }

    async fn add_token(&self, token: Token, tokens_max: usize) -> Result<()> {
        self.inner.add_token(token, tokens_max).await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>> {
        self.before().await?;
        self.after(self.inner.token(hash).await).await
    }

    async fn reserve(
        &self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> Result<Reserved> {
        self.before().await?;
        self.after(self.inner.reserve(id, message, part, price, now_ms).await).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<()> {
        self.inner.suppress(suppression).await
    }

    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.inner.unsuppress(application, channel, recipient).await
    }

    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.before().await?;
        self.after(self.inner.is_suppressed(application, channel, recipient).await).await
    }

    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.inner.suppressions(application, channel, after, limit).await
    }

    async fn submit_checks(&self) -> Result<SubmitChecks> {
        self.inner.submit_checks().await
    }
}

#[async_trait]
impl Feed for Faulty {
    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage> {
        self.inner.changes(after, limit).await
    }

    async fn position(&self) -> Result<Position> {
        self.inner.position().await
    }

    async fn has(&self, position: &Position) -> Result<bool> {
        Ok(self.plants(Bug::TrustIndex) || self.inner.has(position).await?)
    }

    async fn forget_removals(&self, until: &Position) -> Result<()> {
        self.inner.forget_removals(until).await
    }
}

#[async_trait]
impl Upkeep for Faulty {
    async fn prune(&self, cutoffs: Cutoffs, limit: usize) -> Result<Pruned> {
        self.before().await?;
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
        self.after(self.inner.prune(cutoffs, limit).await).await
    }

    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize> {
        self.inner.prune_flows(application, ids).await
    }

    async fn kept_time_ms(&self) -> Result<Option<i64>> {
        self.inner.kept_time_ms().await
    }

    async fn keep_time(&self, now_ms: i64) -> Result<()> {
        self.before().await?;
        self.after(self.inner.keep_time(now_ms).await).await
    }

    async fn probe(&self) -> Result<()> {
        self.before().await?;
        self.after(self.inner.probe().await).await
    }
}

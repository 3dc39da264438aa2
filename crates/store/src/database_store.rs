//! A store over a database: jobs for its one writer, reads beside it, and this process's tasks.

use crate::accounts::{Accounts, Reserved, SubmitChecks};
use crate::application::{Application, CallbackKey, Token};
use crate::document;
use crate::error::{Result, StoreError};
use crate::feed::{ChangePage, Feed};
use crate::flows::{Accepted, Flows, IdempotencyKey, Matched};
use crate::halts::{HaltedCarrier, Halts};
use crate::inbound::InboundMessage;
use crate::job::{self, Subject};
use crate::lane::Lane;
use crate::later::hidden_recipient;
use crate::position::Position;
use crate::queue::Admit;
use crate::reader::Reader;
use crate::statistics::{Statistics, StatisticsQuery, StatisticsSums};
use crate::suppression::Suppression;
use crate::tasks::{Claim, Tasks};
use crate::unmatched::UnreadReceipt;
use crate::upkeep::{Cutoffs, Pruned, Upkeep};
use crate::waiting::{Wait, Waiting};
use crate::wanted::Blind;
use crate::work::{Context, Need, Outcome, Work};
use crate::writer::Command;
use async_trait::async_trait;
use flow::statistics::Quarter;
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, TaskKind};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

/// When flows are tried again that can't be read now, and one that can't be while others can, milliseconds.
const UNREAD_MS: i64 = 5000;
const UNREADABLE_MS: i64 = 60_000;
/// Octets of a place among the new flows that wait.
const PLACE_OCTETS: usize = 1024;
/// Flows whose callbacks are replayed in one transaction.
const REPLAYED_MAX: usize = 100;

/// A store over a database.
pub struct DatabaseStore<R> {
    pub(crate) reader: R,
    pub(crate) context: Arc<Context>,
    commands: mpsc::Sender<Command>,
    /// Places for the octets of new flows that wait.
    places: Arc<Semaphore>,
}

impl<R: Reader> DatabaseStore<R> {
    /// A store whose writer takes `commands`. New flows that wait may have `waiting_bytes_max` octets.
    pub(crate) fn new(
        reader: R,
        context: Arc<Context>,
        commands: mpsc::Sender<Command>,
        waiting_bytes_max: usize,
    ) -> DatabaseStore<R> {
        let places = Arc::new(Semaphore::new(waiting_bytes_max / PLACE_OCTETS));
        DatabaseStore { reader, context, commands, places }
    }

    /// Applies receipts that came early for recipients of messages whose answer the last process did not live
    /// to see.
    pub(crate) fn settle(&self, recipients: Vec<Blind>, now_ms: i64) {
        if recipients.is_empty() {
            return;
        }
        let work = move |work: &mut Work<'_>| work.settle_all(&recipients, now_ms).map(Ok);
        let (job, _) = job::job(Subject::default(), work);
        // The queue is empty yet.
        let _ = self.commands.try_send(Command::Do(job));
    }

    /// Ends the writer after everything that waits is written. Nothing can be written afterwards.
    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.commands.send(Command::Close { closed }).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Has the writer do a job.
    async fn write<T: Send + 'static>(
        &self,
        subject: Subject,
        work: impl FnMut(&mut Work<'_>) -> Outcome<Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = job::job(subject, work);
        self.commands.send(Command::Do(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// The same for a job that does not wait for room in the queue.
    async fn write_now<T: Send + 'static>(
        &self,
        subject: Subject,
        work: impl FnMut(&mut Work<'_>) -> Outcome<Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = job::job(subject, work);
        self.commands.try_send(Command::Do(job)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    /// Reads the flows of tasks that were taken. One that can't be read is put off, so that it holds up no
    /// other.
    async fn load_claims(&self, tasks: Vec<(Uuid, TaskKind)>, now_ms: i64) -> Vec<Claim> {
        // A flow is read once, however many of its parts are due.
        let ids: HashSet<Uuid> = tasks.iter().map(|&(id, _)| id).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let found: HashMap<Uuid, Arc<Flow>> = match self.load(ids).await {
            Ok(found) => found.into_iter().flatten().map(|flow| (flow.id, Arc::new(flow))).collect(),
            Err(error) => {
                tracing::error!(%error, "flows can't be read; they are tried again");
                tasks.iter().for_each(|&(id, task)| self.put_off(id, task, now_ms.saturating_add(UNREAD_MS)));
                return Vec::new();
            }
        };
        let mut claims = Vec::with_capacity(tasks.len());
        for (id, task) in tasks {
            match found.get(&id) {
                Some(flow) => claims.push(Claim { flow: Arc::clone(flow), task }),
                // A flow that is gone owes nothing: this one is there.
                None => self.put_off(id, task, now_ms.saturating_add(UNREADABLE_MS)),
            }
        }
        claims
    }
}

fn stopped() -> StoreError {
    StoreError::unavailable("the writer has stopped")
}

/// What an event needs: its flow, and what came early under the reference that it brings.
fn need_of(id: Uuid, event: &Event) -> Need {
    let reference = match event {
        Event::Submitted { carrier, .. } | Event::Expected { carrier, .. } => Some(carrier.clone()),
        _ => None,
    };
    Need::Event(id, reference)
}

#[async_trait]
impl<R: Reader> Flows for DatabaseStore<R> {
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted> {
        self.context.shared.tell(now_ms);
        // Here, so that the writer need not: it is one for all.
        let document = document::encode(&flow).map_err(StoreError::unavailable)?;
        let places = document.plain.div_ceil(PLACE_OCTETS) as u32;
        let place = Arc::clone(&self.places).try_acquire_many_owned(places);
        let place = Some(place.map_err(|_| StoreError::Overloaded)?);
        let need = key.as_ref().map(|key| Need::Key((flow.application.clone(), key.key.clone())));
        let subject = Subject { octets: document.octets.len(), need, place, ..Subject::default() };
        let flow = Arc::new(flow);
        self.write_now(subject, move |work| work.accept(&flow, &document, key.as_ref(), now_ms)).await
    }

    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied> {
        if self.context.shared.quarantined.lock().contains(&id) {
            return Err(StoreError::Quarantined);
        }
        self.context.shared.tell(now_ms);
        let subject = Subject::event(Some((id, now_ms)), Some(need_of(id, &event)));
        self.write(subject, move |work| Ok(work.apply(id, &event, now_ms)?.ok_or(StoreError::NotFound))).await
    }

    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched> {
        self.context.shared.tell(now_ms);
        let receipt = receipt.shortened();
        let subject = Subject::event(None, Some(Need::Reference(carrier.clone())));
        self.write(subject, move |work| {
            work.receipt(&carrier, recipient.as_deref(), &receipt, now_ms).map(Ok)
        })
        .await
    }

    async fn keep_unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()> {
        let receipt = receipt.shortened();
        let subject = Subject::event(None, None);
        self.write(subject, move |work| {
            work.keep_unread(&carrier, &receipt, now_ms);
            Ok(Ok(()))
        })
        .await
    }

    async fn keep_inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()> {
        let subject = Subject::event(None, None);
        self.write(subject, move |work| work.keep_inbound(&message, now_ms).map(Ok)).await
    }

    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>> {
        self.reader.load_within(ids, bytes_max).await
    }

    async fn flows_to_later_recipient(
        &self,
        application: String,
        recipient: String,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        let recipient = hidden_recipient(&self.context.secret_key, &application, &recipient);
        self.reader.flows_to_later_recipient(recipient, limit).await
    }

    async fn flows_by_reference(&self, reference: String, limit: usize) -> Result<Vec<Uuid>> {
        // Long ones are kept by their hash, whatever the carrier.
        let CarrierRef { reference, .. } = CarrierRef::new("", reference);
        self.reader.flows_by_reference(reference, limit).await
    }

    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize> {
        let subject = Subject::urgent();
        self.write(subject, move |work| work.erase(&application, &ids, now_ms).map(Ok)).await
    }

    async fn replay_requested(&self, now_ms: i64) -> Result<usize> {
        // Asked for every second: look before waking the writer.
        if !self.reader.has_replays().await? {
            return Ok(0);
        }
        self.write(Subject::default(), move |work| work.replay(REPLAYED_MAX, now_ms).map(Ok)).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.reader.link(code, now_ms).await
    }
}

#[async_trait]
impl<R: Reader> Tasks for DatabaseStore<R> {
    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>> {
        self.context.shared.tell(now_ms);
        let until_ms = now_ms.saturating_add(lease_ms);
        let due = self.context.shared.queue.lock().claim(lane, limit, now_ms, until_ms, admit);
        let mut claims = Vec::with_capacity(due.len());
        let mut missing = Vec::new();
        {
            let cache = self.context.shared.cache.lock();
            for (id, task) in due {
                match cache.peek(&id) {
                    Some(stored) => claims.push(Claim { flow: Arc::clone(&stored.flow), task }),
                    None => missing.push((id, task)),
                }
            }
        }
        if !missing.is_empty() {
            claims.extend(self.load_claims(missing, now_ms).await);
        }
        Ok(claims)
    }

    fn resume(&self, lane: Lane, application: &str, target: &str) {
        if self.context.shared.queue.lock().resume(lane, application, target) {
            self.context.shared.wakers[lane.index()].notify_one();
        }
    }

    fn put_off_for(&self, id: Uuid, task: TaskKind, at_ms: i64, wait: Wait) {
        // The lane may sleep until what came after the lease that ends here.
        if self.context.shared.queue.lock().put_off(id, task, at_ms, Some(wait)) {
            self.context.shared.wakers[Lane::of(task).index()].notify_one();
        }
    }

    fn waiting(&self, lane: Lane) -> Vec<Waiting> {
        self.context.shared.queue.lock().waiting(lane)
    }

    fn pull_in(&self, lane: Lane, jumped: bool, now_ms: i64, latest_ms: i64) -> usize {
        self.context.shared.tell(now_ms);
        let moved = self.context.shared.queue.lock().pull_in(lane, jumped, latest_ms);
        if moved > 0 {
            self.context.shared.wakers[lane.index()].notify_one();
        }
        moved
    }

    fn next_due_ms(&self, lane: Lane) -> Option<i64> {
        self.context.shared.queue.lock().next_due_ms(lane)
    }

    async fn woken(&self, lane: Lane) {
        self.context.shared.wakers[lane.index()].notified().await;
    }

    fn recent(&self, id: Uuid) -> Option<Arc<Flow>> {
        self.context.shared.cache.lock().peek(&id).map(|stored| Arc::clone(&stored.flow))
    }
}

#[async_trait]
impl<R: Reader> Accounts for DatabaseStore<R> {
    fn secret_key(&self) -> &[u8; 32] {
        &self.context.secret_key
    }

    async fn application(&self, id: String) -> Result<Option<Application>> {
        self.reader.application(id).await
    }

    async fn own_retentions(&self) -> Result<Vec<(String, u32)>> {
        self.reader.own_retentions().await
    }

    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>> {
        self.reader.changed_callback_keys().await
    }

    async fn add_token(&self, token: Token, tokens_max: usize) -> Result<()> {
        self.write(Subject::urgent(), move |work| {
            work.add_token(&token, tokens_max);
            Ok(Ok(()))
        })
        .await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>> {
        self.reader.token(hash).await
    }

    async fn reserve(
        &self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> Result<Reserved> {
        let subject = Subject::event(Some((id, now_ms)), Some(Need::Balance(id)));
        self.write(subject, move |work| work.reserve(id, message, part, price, now_ms).map(Ok)).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<()> {
        self.write(Subject::urgent(), move |work| {
            work.suppress(&suppression);
            Ok(Ok(()))
        })
        .await
    }

    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        let of = (application, channel, recipient);
        self.write(Subject::default(), move |work| work.unsuppress(&of).map(Ok)).await
    }

    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.reader.is_suppressed((application, channel, recipient)).await
    }

    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.reader.suppressions(application, channel, after, limit).await
    }

    async fn submit_checks(&self) -> Result<SubmitChecks> {
        self.reader.submit_checks().await
    }
}

#[async_trait]
impl<R: Reader> Feed for DatabaseStore<R> {
    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage> {
        self.reader.changes(after, limit).await
    }

    async fn position(&self) -> Result<Position> {
        self.reader.position().await
    }

    async fn has(&self, position: &Position) -> Result<bool> {
        self.reader.has(position).await
    }

    async fn forget_removals(&self, until: &Position) -> Result<()> {
        let Some((_, until)) = until.single() else { return Ok(()) };
        self.write(Subject::default(), move |work| {
            work.forget_removals(until);
            Ok(Ok(()))
        })
        .await
    }
}

#[async_trait]
impl<R: Reader> Statistics for DatabaseStore<R> {
    async fn statistics_range(&self, application: String) -> Result<Option<Range<Quarter>>> {
        self.reader.statistics_range(application).await
    }

    async fn statistics(&self, query: StatisticsQuery) -> Result<Option<StatisticsSums>> {
        self.reader.statistics(query).await
    }
}

#[async_trait]
impl<R: Reader> Halts for DatabaseStore<R> {
    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>> {
        self.reader.halted_carriers().await
    }
}

#[async_trait]
impl<R: Reader> Upkeep for DatabaseStore<R> {
    async fn prune(&self, cutoffs: Cutoffs, limit: usize) -> Result<Pruned> {
        let (done, answer) = oneshot::channel();
        let forget = Command::Forget { cutoffs, limit, done };
        self.commands.send(forget).await.map_err(|_| stopped())?;
        let more = answer.await.map_err(|_| stopped())??;
        let before_ms = cutoffs.flows_before_ms;
        let (flows, more_flows) = self
            .write(Subject::default(), move |work| work.prune_old_flows(before_ms, limit).map(Ok))
            .await?;
        Ok(Pruned { flows, more: more || more_flows })
    }

    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize> {
        self.write(Subject::default(), move |work| work.prune_flows(&application, &ids).map(Ok)).await
    }

    async fn kept_time_ms(&self) -> Result<Option<i64>> {
        self.reader.kept_time_ms().await
    }

    async fn keep_time(&self, now_ms: i64) -> Result<()> {
        self.write(Subject::default(), move |work| {
            work.keep_time(now_ms);
            Ok(Ok(()))
        })
        .await
    }

    async fn probe(&self) -> Result<()> {
        self.write_now(Subject::default(), |work| {
            work.probe();
            Ok(Ok(()))
        })
        .await
    }
}

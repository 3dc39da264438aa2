//! The embedded store: one SQLite file, one writer thread that commits in groups, and readers beside it.

mod admin;
mod balances;
mod cache;
mod early;
mod inbound;
mod job;
mod lives;
mod quarantine;
mod refs;
mod removing;
mod reserve;
mod schema;
mod suppressions;
mod unanswered;
mod unmatched;
mod work;
mod writer;

pub use admin::Admin;

use crate::application::blind;
use crate::lane::Lane;
use crate::queue::{Admit, TaskQueue};
use crate::sealing::SealError;
use crate::{
    Accepted, Application, Cautions, Change, Claim, IdempotencyKey, Ids, InboundMessage, Keyring, Matched,
    Observer, Pruned, Reserved, Result, Retention, Store, StoreError, Suppression, Token, UnreadReceipt,
};
use async_trait::async_trait;
use cache::Cache;
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, Submit, TaskKind};
use job::Subject;
use parking_lot::Mutex;
use reserve::Reserve;
use rusqlite::{Connection, OptionalExtension, params};
use schema::{DOCUMENT_MAX, failed, open_reader, open_writer};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;
use work::Work;
use writer::{Command, Writer};

/// Open readers that are kept for the next reader.
const IDLE_READERS_MAX: usize = 8;

/// When flows are tried again that can't be read now, and one that can't be while others can, milliseconds.
const UNREAD_MS: i64 = 5000;
const UNREADABLE_MS: i64 = 60_000;

/// Fewer documents than this are read by one thread.
const PARSED_ALONE_MAX: usize = 200;

/// Where a store's work is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Threads {
    /// Writes on a thread of their own, reads beside them, and every commit is on disk before it is answered.
    #[default]
    Own,
    /// Everything in the caller's runtime, in an order that depends on nothing but the calls, and commits that the
    /// operating system has: for simulations, where processes end and machines don't.
    Callers,
}

/// How a store is opened.
pub struct SqliteOptions {
    /// Where its work is done.
    pub threads: Threads,
    /// Writes that may wait; beyond it, new flows are refused.
    pub queue_max: usize,
    /// Octets that new flows that wait may have; beyond it, new flows are refused.
    pub queue_bytes_max: usize,
    /// Flows kept in memory for the events to come.
    pub cached_flows_max: NonZeroUsize,
    /// Octets of memory that they may take, about.
    pub cached_bytes_max: usize,
    /// The time, Unix milliseconds.
    pub now_ms: i64,
    /// Draws ids.
    pub ids: Ids,
    /// What flows are sealed with on disk.
    pub keys: Keyring,
    /// Told every change.
    pub observer: Observer,
}

impl SqliteOptions {
    /// The limits of a server that is told none; nothing is sealed, and nobody is told of changes. `now_ms` is the time,
    /// Unix milliseconds, and `ids` draws ids.
    pub fn new(now_ms: i64, ids: Ids) -> SqliteOptions {
        SqliteOptions {
            threads: Threads::Own,
            queue_max: 8192,
            queue_bytes_max: 64 << 20,
            cached_flows_max: const { NonZeroUsize::new(16_384).unwrap() },
            cached_bytes_max: 128 << 20,
            now_ms,
            ids,
            keys: Keyring::default(),
            observer: Box::new(|_, _| {}),
        }
    }
}

/// What was found at opening.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenReport {
    /// Flows that owe something.
    pub owing_flows: usize,
    /// Parts whose hand-over to a carrier was under way when the process ended, and which are not handed over
    /// again (`unknown_submit = "wait"`).
    pub handed_parts: usize,
    /// Flows that are set aside: they can't be read, changed or stored.
    pub quarantined_flows: usize,
    /// Parts that are still to be handed over. Where the process was killed, some may have been
    /// (`unknown_submit = "resend"`).
    pub owed_parts: usize,
}

/// A place in the queue is counted in units of so many octets.
const PLACE_OCTETS: usize = 1024;

/// What the writer shares with the callers.
struct Shared {
    queue: Mutex<TaskQueue>,
    /// The zero of the monotonic clock.
    started: Instant,
    wakers: [Notify; Lane::COUNT],
    /// Flows that were changed lately. Only the writer puts into it, after a commit.
    cache: Mutex<Cache>,
    /// Flows that nothing is done for any more.
    quarantined: Mutex<HashSet<Uuid>>,
}

impl Shared {
    /// A flow owes nothing any more.
    fn disown(&self, id: &Uuid) {
        self.queue.lock().remove(*id);
    }

    /// Tells the queue what the clock shows.
    fn tell(&self, now_ms: i64) {
        let ahead_ms = now_ms - self.started.elapsed().as_millis() as i64;
        self.queue.lock().tell(now_ms, ahead_ms);
    }

    fn owe(&self, flow: &Flow) {
        let woken = self.queue.lock().owe(flow);
        woken.iter().for_each(|lane| self.wakers[lane.index()].notify_one());
    }
}

/// The embedded store.
pub struct SqliteStore {
    path: PathBuf,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    readers: Arc<Mutex<Vec<Connection>>>,
    /// Places for the octets of new flows that wait.
    places: Arc<Semaphore>,
    secret_key: [u8; 32],
    threads: Threads,
    keys: Keyring,
    /// This life of the process, as whoever follows the changes knows it.
    writer: i64,
}

impl SqliteStore {
    /// Opens or creates the database at `path` and takes up everything that is owed. The caller makes sure that
    /// no other process has a `SqliteStore` on the same file. With [`Threads::Callers`] it needs a runtime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open(path: &Path, options: SqliteOptions) -> Result<(SqliteStore, OpenReport)> {
        let keys = options.keys;
        let connection = open_writer(path, &keys)?;
        schema::check(&connection, path)?;
        let threads = options.threads;
        if threads == Threads::Callers {
            connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        }
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            started: Instant::now(),
            wakers: std::array::from_fn(|_| Notify::new()),
            cache: Mutex::new(Cache::new(options.cached_flows_max, options.cached_bytes_max)),
            quarantined: Mutex::new(quarantine::ids(&connection).map_err(failed)?),
        });
        // Without the right key it would be found out late.
        let newest = "SELECT unseal(id, doc) FROM flows WHERE length(doc) <= ?1 ORDER BY row DESC LIMIT 1";
        connection.query_row(newest, [DOCUMENT_MAX], |_| Ok(())).optional().map_err(failed)?;
        let report = take_up(&connection, &shared, &keys, options.now_ms)?;
        let secret_key = schema::secret_key(&connection).map_err(failed)?;
        let number = lives::begin(&connection).map_err(failed)?;
        let early = unanswered::recipients_with_early(&connection).map_err(failed)?;
        let (commands, inbox) = mpsc::channel(options.queue_max);
        let reserve = Reserve::beside(path, threads == Threads::Own);
        let shared_too = Arc::clone(&shared);
        let writer = Writer::new(connection, shared_too, options.ids, options.observer, reserve, number)
            .map_err(failed)?;
        match threads {
            Threads::Own => {
                let thread = std::thread::Builder::new().name("store-writer".into());
                let spawned = thread.spawn(move || writer.run(inbox));
                spawned.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            Threads::Callers => drop(tokio::spawn(writer.run_beside(inbox))),
        }
        let readers = Arc::default();
        let places = Arc::new(Semaphore::new(options.queue_bytes_max / PLACE_OCTETS));
        let path = path.to_owned();
        let store = SqliteStore {
            path,
            shared,
            commands,
            readers,
            places,
            secret_key,
            threads,
            keys,
            writer: number,
        };
        store.settle(early, options.now_ms);
        Ok((store, report))
    }

    /// Applies receipts that came early for messages whose answer the process of before did not live to see.
    fn settle(&self, recipients: Vec<Vec<u8>>, now_ms: i64) {
        if recipients.is_empty() {
            return;
        }
        let (job, _) = job::job(Subject::default(), move |work| {
            recipients.iter().try_for_each(|recipient| work.settle(recipient, now_ms)).map(Ok)
        });
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

    /// Has some work done by the writer; it may be done again where somebody else's made its transaction fail.
    async fn write<T: Send + 'static>(
        &self,
        subject: Subject,
        work: impl FnMut(&mut Work<'_>) -> rusqlite::Result<Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = job::job(subject, work);
        self.commands.send(Command::Do(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// The same for what does not wait for room in the queue.
    async fn write_now<T: Send + 'static>(
        &self,
        subject: Subject,
        work: impl FnMut(&mut Work<'_>) -> rusqlite::Result<Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = job::job(subject, work);
        self.commands.try_send(Command::Do(job)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    /// Reads the flows of tasks that were taken. One that can't be read is put off, so that it stands before no other.
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
                // Those that are gone owe nothing: this one is there.
                None => self.put_off(id, task, now_ms.saturating_add(UNREADABLE_MS)),
            }
        }
        claims
    }

    /// Reads on a connection of its own.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let readers = Arc::clone(&self.readers);
        let (path, keys) = (self.path.clone(), self.keys.clone());
        let read = move || {
            let idle = readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&path, &keys)?,
            };
            let result = work(&connection).map_err(failed);
            let mut readers = readers.lock();
            if readers.len() < IDLE_READERS_MAX {
                readers.push(connection);
            }
            result
        };
        if self.threads == Threads::Callers {
            return read();
        }
        tokio::task::spawn_blocking(read).await.map_err(|e| StoreError::Unavailable(e.to_string()))?
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

/// Fills the queue from every flow that owes something. A flow that can't be read is set aside, but where a key is missing:
/// that is the configuration's fault.
fn take_up(connection: &Connection, shared: &Shared, keys: &Keyring, now_ms: i64) -> Result<OpenReport> {
    let (mut report, mut unreadable) = (OpenReport::default(), Vec::new());
    let sql = "SELECT iif(length(doc) <= ?1, doc, NULL), id FROM flows INDEXED BY flows_owing
               WHERE owes = 1 AND id NOT IN (SELECT flow FROM quarantine)";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([DOCUMENT_MAX]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let id = Uuid::from_bytes(row.get(1).map_err(failed)?);
        match row.get_ref(0).map_err(failed)?.as_blob_or_null().unwrap_or_default() {
            None => unreadable.push((id, format!("its document has more than {DOCUMENT_MAX} octets"))),
            Some(sealed) => match read_document(keys, id, sealed)? {
                Ok(flow) => {
                    shared.owe(&flow);
                    report.count(&flow);
                }
                Err(reason) => unreadable.push((id, reason)),
            },
        }
    }
    drop(rows);
    for (id, reason) in unreadable {
        tracing::error!(flow = %id, reason, "a flow that can't be read was set aside");
        quarantine::add(connection, id, now_ms, &reason).map_err(failed)?;
        shared.quarantined.lock().insert(id);
    }
    report.quarantined_flows = shared.quarantined.lock().len();
    Ok(report)
}

/// A flow of its sealed document, or why it can't be read.
fn read_document(keys: &Keyring, id: Uuid, sealed: &[u8]) -> Result<std::result::Result<Flow, String>> {
    match keys.unseal(id.as_bytes(), sealed) {
        Ok(document) => Ok(admin::flow_of_document(&document).map_err(|error| error.to_string())),
        Err(error @ SealError::NoKey) => Err(StoreError::Unavailable(error.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

impl OpenReport {
    fn count(&mut self, flow: &Flow) {
        self.owing_flows += 1;
        for part in flow.state.messages.iter().flat_map(|message| &message.parts) {
            match part.submit {
                Submit::Handed { .. } => self.handed_parts += 1,
                Submit::Owed { .. } => self.owed_parts += 1,
                Submit::Done => {}
            }
        }
    }
}

/// The documents of the first of some flows: those that have at most `bytes_max` octets together, and at least one; none
/// for those that are too large or damaged.
fn documents(
    connection: &Connection,
    ids: &[Uuid],
    bytes_max: usize,
) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let sql = "SELECT unseal(id, doc) FROM flows WHERE id = ?1 AND length(doc) <= ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    for id in ids {
        let of_row = |row: &rusqlite::Row<'_>| row.get::<_, Option<Vec<u8>>>(0);
        let doc = statement.query_row(params![id.as_bytes(), DOCUMENT_MAX], of_row).optional()?.flatten();
        bytes += doc.as_ref().map_or(0, Vec::len);
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push(doc);
    }
    Ok(found)
}

/// At most so many flows that changed after a position, each with its own. Those that can't be read are left out and not
/// counted: a page with fewer is the last one.
fn changed_flows(connection: &Connection, after: i64, most: usize) -> rusqlite::Result<Vec<(u64, Change)>> {
    let sql =
        "SELECT unseal(id, doc), change FROM flows WHERE change > ?1 AND length(doc) <= ?2 ORDER BY change";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([after, DOCUMENT_MAX])?;
    let mut changes = Vec::new();
    while changes.len() < most
        && let Some(row) = rows.next()?
    {
        match admin::flow_of_row(row) {
            Ok(flow) => changes.push((row.get::<_, i64>(1)? as u64, Change::Put(Arc::new(flow)))),
            Err(error) => tracing::error!(%error, "a flow can't be read"),
        }
    }
    Ok(changes)
}

/// A flow that can't be read is as one that is not there: it must not keep others from being shown.
fn parse(documents: &[Option<Vec<u8>>]) -> Vec<Option<Flow>> {
    let read = |document: &[u8]| {
        let flow = admin::flow_of_document(document);
        flow.inspect_err(|error| tracing::error!(%error, "a flow can't be read")).ok()
    };
    documents.iter().map(|document| document.as_deref().and_then(read)).collect()
}

/// Parses on two threads where there are many: reading JSON takes most of the time.
fn parse_all(documents: &[Option<Vec<u8>>]) -> Vec<Option<Flow>> {
    if documents.len() < PARSED_ALONE_MAX {
        return parse(documents);
    }
    let (first, second) = documents.split_at(documents.len() / 2);
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| parse(second));
        (parse(first), second.join())
    });
    let second = second.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    [first, second].concat()
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted> {
        self.shared.tell(now_ms);
        // Here, so that the writer need not: it is one for all.
        let document = work::document_of(&flow).map_err(failed)?;
        let places = document.len().div_ceil(PLACE_OCTETS) as u32;
        let place = Arc::clone(&self.places).try_acquire_many_owned(places);
        let place = Some(place.map_err(|_| StoreError::Overloaded)?);
        let subject = Subject { flow: None, octets: document.len(), urgent: false, place };
        let flow = Arc::new(flow);
        self.write_now(subject, move |work| work.accept(&flow, &document, key.as_ref(), now_ms)).await
    }

    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied> {
        if self.shared.quarantined.lock().contains(&id) {
            return Err(StoreError::Quarantined);
        }
        self.shared.tell(now_ms);
        let subject = Subject::event(Some((id, now_ms)));
        self.write(subject, move |work| Ok(work.apply(id, &event, now_ms)?.ok_or(StoreError::NotFound))).await
    }

    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched> {
        self.shared.tell(now_ms);
        let receipt = receipt.shortened();
        let subject = Subject::event(None);
        self.write(subject, move |work| {
            work.receipt(&carrier, recipient.as_deref(), &receipt, now_ms).map(Ok)
        })
        .await
    }

    async fn unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()> {
        let receipt = receipt.shortened();
        self.write(Subject::event(None), move |work| work.unread(&carrier, &receipt, now_ms).map(Ok)).await
    }

    async fn inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()> {
        self.write(Subject::event(None), move |work| work.inbound(&message, now_ms).map(Ok)).await
    }

    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>> {
        self.shared.tell(now_ms);
        let until_ms = now_ms.saturating_add(lease_ms);
        let due = self.shared.queue.lock().claim(lane, limit, now_ms, until_ms, admit);
        let mut claims = Vec::with_capacity(due.len());
        let mut missing = Vec::new();
        {
            let cache = self.shared.cache.lock();
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

    fn put_off(&self, id: Uuid, task: TaskKind, at_ms: i64) {
        // The lane may sleep until what came after the lease that ends here.
        if self.shared.queue.lock().put_off(id, task, at_ms) {
            self.shared.wakers[Lane::of(task).index()].notify_one();
        }
    }

    fn resume(&self, lane: Lane, application: &str, target: &str) {
        if self.shared.queue.lock().resume(lane, application, target) {
            self.shared.wakers[lane.index()].notify_one();
        }
    }

    fn pull_in(&self, lane: Lane, jumped: bool, now_ms: i64, latest_ms: i64) -> usize {
        self.shared.tell(now_ms);
        let moved = self.shared.queue.lock().pull_in(lane, jumped, latest_ms);
        if moved > 0 {
            self.shared.wakers[lane.index()].notify_one();
        }
        moved
    }

    fn next_due_ms(&self, lane: Lane) -> Option<i64> {
        self.shared.queue.lock().next_due_ms(lane)
    }

    async fn woken(&self, lane: Lane) {
        self.shared.wakers[lane.index()].notified().await;
    }

    fn recent(&self, id: Uuid) -> Option<Arc<Flow>> {
        self.shared.cache.lock().peek(&id).map(|stored| Arc::clone(&stored.flow))
    }

    async fn load(&self, ids: Vec<Uuid>) -> Result<Vec<Option<Flow>>> {
        self.read(move |connection| Ok(parse_all(&documents(connection, &ids, usize::MAX)?))).await
    }

    async fn changes(&self, after: u64, limit: usize) -> Result<Vec<(u64, Change)>> {
        self.read(move |connection| {
            let (after, most) = (after as i64, limit as i64);
            let mut changes = changed_flows(connection, after, limit)?;
            let sql = "SELECT application, id, created_ms, change, erased FROM removals WHERE change > ?1
                       ORDER BY change LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let removals = statement.query_map([after, most], |row| {
                let id = Uuid::from_bytes(row.get(1)?);
                let (application, created_ms, erased) = (row.get(0)?, row.get(2)?, row.get(4)?);
                let removed = Change::Removed { application, id, created_ms, erased };
                Ok((row.get::<_, i64>(3)? as u64, removed))
            })?;
            for removal in removals {
                changes.push(removal?);
            }
            changes.sort_by_key(|(position, _)| *position);
            changes.truncate(limit);
            Ok(changes)
        })
        .await
    }

    async fn position(&self) -> Result<u64> {
        self.read(|connection| writer::last_change(connection).map(|position| position as u64)).await
    }

    async fn forget_removals(&self, until: u64) -> Result<()> {
        self.write(Subject::default(), move |work| work.forget_removals(until).map(Ok)).await
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<Pruned> {
        self.write(Subject::default(), move |work| work.prune(retention, limit).map(Ok)).await
    }

    async fn last_seen_ms(&self) -> Result<Option<i64>> {
        self.read(|connection| connection.query_row("SELECT seen_ms FROM installation", [], |row| row.get(0)))
            .await
    }

    async fn see(&self, now_ms: i64) -> Result<()> {
        self.write(Subject::default(), move |work| work.see(now_ms).map(Ok)).await
    }

    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize> {
        self.write(Subject::default(), move |work| work.prune_flows(&application, &ids).map(Ok)).await
    }

    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize> {
        let subject = Subject::urgent();
        self.write(subject, move |work| work.erase(&application, &ids, now_ms).map(Ok)).await
    }

    async fn later_flows(&self, application: String, recipient: String, limit: usize) -> Result<Vec<Uuid>> {
        let recipient = recipient.to_ascii_lowercase();
        let recipient = blind(&self.secret_key, "recipient", &application, recipient.as_bytes());
        self.read(move |connection| {
            let sql = "SELECT flow FROM later_recipients WHERE recipient = ?1 LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let ids = statement
                .query_map(params![recipient, limit as i64], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
            ids.collect()
        })
        .await
    }

    async fn retentions(&self) -> Result<Vec<(String, u32)>> {
        self.read(|connection| {
            let all = admin::applications(connection)?;
            let own =
                |application: Application| Some((application.id, application.settings.retention_days?.get()));
            Ok(all.into_iter().filter_map(own).collect())
        })
        .await
    }

    async fn replay_requested(&self, now_ms: i64) -> Result<usize> {
        // Asked for every second: look before waking the writer.
        let any =
            self.read(|connection| connection.prepare_cached("SELECT 1 FROM replays LIMIT 1")?.exists([]));
        if !any.await? {
            return Ok(0);
        }
        self.write(Subject::default(), move |work| work.replay(now_ms).map(Ok)).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.read(move |connection| {
            let sql = "SELECT CAST(unseal(CAST(code AS BLOB), url) AS TEXT) FROM links
                       WHERE code = ?1 AND expires_ms > ?2";
            connection.prepare_cached(sql)?.query_row(params![code, now_ms], |row| row.get(0)).optional()
        })
        .await
    }

    async fn reserve(
        &self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> Result<Reserved> {
        let subject = Subject::event(Some((id, now_ms)));
        self.write(subject, move |work| work.reserve(id, message, part, price, now_ms).map(Ok)).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<()> {
        let subject = Subject::urgent();
        self.write(subject, move |work| suppressions::add(work.connection, &suppression).map(Ok)).await
    }

    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.write(Subject::default(), move |work| {
            suppressions::remove(work.connection, &application, channel, &recipient).map(Ok)
        })
        .await
    }

    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.read(move |connection| suppressions::has(connection, &application, channel, &recipient)).await
    }

    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.read(move |connection| suppressions::list(connection, &application, channel, &after, limit))
            .await
    }

    async fn cautions(&self) -> Result<Cautions> {
        self.read(suppressions::cautions).await
    }

    async fn application(&self, id: String) -> Result<Option<Application>> {
        self.read(move |connection| admin::application(connection, &id)).await
    }

    async fn add_token(&self, token: Token, most: usize) -> Result<()> {
        let subject = Subject::urgent();
        self.write(subject, move |work| work.add_token(&token, most).map(Ok)).await
    }

    async fn probe(&self) -> Result<()> {
        self.write_now(Subject::default(), |work| work.probe().map(Ok)).await
    }

    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>> {
        self.read(move |connection| Ok(parse_all(&documents(connection, &ids, bytes_max)?))).await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {}, t.expires_ms, t.scope FROM tokens t JOIN applications a ON a.id = t.application
                 WHERE t.hash = ?1",
                admin::APPLICATION_COLUMNS
            );
            let of_row = |row: &rusqlite::Row<'_>| {
                let application = admin::application_of_row(row)?;
                let (expires_ms, scope) = (row.get(6)?, row.get(7)?);
                Ok((Token { hash, application: application.id.clone(), expires_ms, scope }, application))
            };
            connection.prepare_cached(&sql)?.query_row([hash], of_row).optional()
        })
        .await
    }

    fn writer(&self) -> i64 {
        self.writer
    }

    async fn has(&self, writer: i64, position: u64) -> Result<bool> {
        self.read(move |connection| lives::has(connection, writer, position as i64)).await
    }

    fn secret_key(&self) -> &[u8; 32] {
        &self.secret_key
    }
}

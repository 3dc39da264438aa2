//! The embedded store: one SQLite file, one writer thread that commits in groups, and readers beside it.

mod admin;
mod balances;
mod removing;
mod schema;
mod suppressions;
mod work;
mod writer;

pub use admin::Admin;

use crate::queue::{Admit, Lane, TaskQueue};
use crate::{
    Accepted, Application, Cautions, Change, Claim, IdempotencyKey, Ids, Keyring, Matched, Observer, Pruned,
    Reserved, Result, Retention, Store, StoreError, Suppression, Token,
};
use async_trait::async_trait;
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, Submit, TaskKind};
use lru::LruCache;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use schema::{failed, open_reader, open_writer};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;
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
    /// Flows kept in memory for the events to come.
    pub cached_flows_max: NonZeroUsize,
    /// Draws ids.
    pub ids: Ids,
    /// What flows are sealed with on disk.
    pub keys: Keyring,
    /// Told every change.
    pub observer: Observer,
}

/// What was found at opening.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenReport {
    /// Flows that owe something.
    pub owing_flows: usize,
    /// Parts whose hand-over to a carrier was under way when the process ended, and which are not handed over
    /// again (`unknown_submit = "wait"`).
    pub handed_parts: usize,
    /// Parts that are still to be handed over. Where the process was killed, some may have been
    /// (`unknown_submit = "resend"`).
    pub owed_parts: usize,
}

/// Where a flow is and what it is.
#[derive(Clone)]
struct Stored {
    row: i64,
    flow: Arc<Flow>,
}

type Cache = Mutex<LruCache<Uuid, Stored>>;

/// What the writer shares with the callers.
struct Shared {
    queue: Mutex<TaskQueue>,
    /// What the clock showed when somebody last had something written, Unix milliseconds.
    now_ms: AtomicI64,
    wakers: [Notify; Lane::ALL.len()],
    /// Flows that were changed lately. Only the writer puts into it, after a commit.
    cache: Cache,
}

impl Shared {
    fn owe(&self, flow: &Flow) {
        let woken = {
            let mut queue = self.queue.lock();
            queue.now_ms = self.now_ms.load(Ordering::Relaxed);
            queue.owe(flow)
        };
        for (lane, waker) in self.wakers.iter().enumerate() {
            if woken & (1 << lane) != 0 {
                waker.notify_one();
            }
        }
    }
}

/// The embedded store.
pub struct SqliteStore {
    path: PathBuf,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    readers: Arc<Mutex<Vec<Connection>>>,
    secret_key: [u8; 32],
    threads: Threads,
    keys: Keyring,
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
            now_ms: AtomicI64::new(0),
            wakers: std::array::from_fn(|_| Notify::new()),
            cache: Mutex::new(LruCache::new(options.cached_flows_max)),
        });
        let report = take_up(&connection, &shared).map_err(failed)?;
        // Without the right key it would be found out late.
        let newest = "SELECT unseal(id, doc) FROM flows ORDER BY row DESC LIMIT 1";
        connection.query_row(newest, [], |_| Ok(())).optional().map_err(failed)?;
        let secret_key = admin::secret_key(&connection).map_err(failed)?;
        let (commands, inbox) = mpsc::channel(options.queue_max);
        let writer =
            Writer::new(connection, Arc::clone(&shared), options.ids, options.observer).map_err(failed)?;
        match threads {
            Threads::Own => {
                let thread = std::thread::Builder::new().name("store-writer".into());
                let spawned = thread.spawn(move || writer.run(inbox));
                spawned.map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            Threads::Callers => drop(tokio::spawn(writer.run_beside(inbox))),
        }
        let readers = Arc::default();
        let store =
            SqliteStore { path: path.to_owned(), shared, commands, readers, secret_key, threads, keys };
        Ok((store, report))
    }

    /// Ends the writer after everything that waits is written. Nothing can be written afterwards.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close { reply }).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Reads the flows of tasks that were taken. Where they can't be read together each is read alone, and
    /// one that can't be is put off, so that it stands before no other.
    async fn load_claims(&self, tasks: Vec<(Uuid, TaskKind)>, now_ms: i64) -> Vec<Claim> {
        let claim = |flow: Option<Flow>, task| flow.map(|flow| Claim { flow: Arc::new(flow), task });
        if let Ok(flows) = self.load(tasks.iter().map(|&(id, _)| id).collect()).await {
            let flows = flows.into_iter().zip(tasks);
            return flows.filter_map(|(flow, (_, task))| claim(flow, task)).collect();
        }
        let (mut claims, mut unread) = (Vec::new(), Vec::new());
        for (id, task) in tasks {
            match self.load(vec![id]).await {
                Ok(mut flows) => claims.extend(claim(flows.pop().flatten(), task)),
                Err(error) => unread.push((id, task, error)),
            }
        }
        // Where others can be read it is the flow, and else the disk.
        let pause_ms = if claims.is_empty() { UNREAD_MS } else { UNREADABLE_MS };
        for (id, task, error) in unread {
            tracing::error!(flow = %id, %error, pause_ms, "a flow can't be read; it is tried again");
            self.put_off(id, task, now_ms.saturating_add(pause_ms));
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

/// Fills the queue from every flow that owes something.
fn take_up(connection: &Connection, shared: &Shared) -> rusqlite::Result<OpenReport> {
    let mut report = OpenReport::default();
    let mut statement =
        connection.prepare("SELECT unseal(id, doc) FROM flows INDEXED BY flows_owing WHERE owes = 1")?;
    for flow in statement.query_map([], admin::flow_of_row)? {
        let flow = flow?;
        shared.owe(&flow);
        report.owing_flows += 1;
        for part in flow.state.messages.iter().flat_map(|message| &message.parts) {
            match part.submit {
                Submit::Handed { .. } => report.handed_parts += 1,
                Submit::Owed { .. } => report.owed_parts += 1,
                Submit::Done => {}
            }
        }
    }
    Ok(report)
}

/// The documents of some flows.
fn documents(connection: &Connection, ids: &[Uuid]) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let mut statement = connection.prepare_cached("SELECT unseal(id, doc) FROM flows WHERE id = ?1")?;
    ids.iter().map(|id| statement.query_row([id.as_bytes()], |row| row.get(0)).optional()).collect()
}

fn parse(documents: &[Option<Vec<u8>>]) -> rusqlite::Result<Vec<Option<Flow>>> {
    documents.iter().map(|doc| doc.as_deref().map(|doc| admin::json(0, doc)).transpose()).collect()
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted> {
        self.shared.now_ms.store(now_ms, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let command = Command::Accept { flow: Box::new(flow), key, now_ms, reply };
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied> {
        self.shared.now_ms.store(now_ms, Ordering::Relaxed);
        self.send(|reply| Command::Apply { id, event, now_ms, reply }).await
    }

    async fn receipt(&self, carrier: CarrierRef, receipt: Receipt, now_ms: i64) -> Result<Matched> {
        self.shared.now_ms.store(now_ms, Ordering::Relaxed);
        self.send(|reply| Command::Receipt { carrier, receipt, now_ms, reply }).await
    }

    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>> {
        self.shared.now_ms.store(now_ms, Ordering::Relaxed);
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

    fn pull_in(&self, lane: Lane, now_ms: i64, back_ms: i64, latest_ms: i64) -> usize {
        self.shared.now_ms.store(now_ms, Ordering::Relaxed);
        let moved = self.shared.queue.lock().pull_in(lane, now_ms, back_ms, latest_ms);
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
        self.read(move |connection| {
            let docs = documents(connection, &ids)?;
            let (first, second) = docs.split_at(docs.len() / 2);
            if docs.len() < PARSED_ALONE_MAX {
                return parse(&docs);
            }
            // Reading JSON takes most of the time.
            let (first, second) = std::thread::scope(|scope| {
                let second = scope.spawn(|| parse(second));
                (parse(first), second.join())
            });
            let second = second.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            first.and_then(|mut flows| {
                flows.extend(second?);
                Ok(flows)
            })
        })
        .await
    }

    async fn changes(&self, after: u64, limit: usize) -> Result<Vec<(u64, Change)>> {
        self.read(move |connection| {
            let (after, most) = (after as i64, limit as i64);
            let sql = "SELECT unseal(id, doc), change FROM flows WHERE change > ?1 ORDER BY change LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let flows = statement.query_map([after, most], |row| {
                Ok((row.get::<_, i64>(1)? as u64, Change::Put(Arc::new(admin::flow_of_row(row)?))))
            })?;
            let mut changes = flows.collect::<rusqlite::Result<Vec<_>>>()?;
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
        self.send(|reply| Command::ForgetRemovals { until, reply }).await
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<Pruned> {
        self.send(|reply| Command::Prune { retention, limit, reply }).await
    }

    async fn last_seen_ms(&self) -> Result<Option<i64>> {
        self.read(|connection| connection.query_row("SELECT seen_ms FROM installation", [], |row| row.get(0)))
            .await
    }

    async fn see(&self, now_ms: i64) -> Result<()> {
        self.send(|reply| Command::See { now_ms, reply }).await
    }

    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize> {
        self.send(|reply| Command::PruneFlows { application, ids, reply }).await
    }

    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize> {
        self.send(|reply| Command::Erase { application, ids, now_ms, reply }).await
    }

    async fn flows_beside(&self, application: String, recipient: String) -> Result<Vec<Uuid>> {
        self.read(move |connection| {
            let sql = "SELECT flow FROM beside WHERE application = ?1 AND recipient = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let ids =
                statement.query_map([application, recipient], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
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
        self.send(|reply| Command::Replay { now_ms, reply }).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.read(move |connection| {
            let sql = "SELECT url FROM links WHERE code = ?1 AND expires_ms > ?2";
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
        self.send(|reply| Command::Reserve { id, message, part, price, now_ms, reply }).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<()> {
        self.send(|reply| Command::Suppress { suppression, reply }).await
    }

    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool> {
        self.send(|reply| Command::Unsuppress { application, channel, recipient, reply }).await
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

    async fn add_token(&self, token: Token) -> Result<()> {
        self.send(|reply| Command::AddToken { token, reply }).await
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

    fn secret_key(&self) -> &[u8; 32] {
        &self.secret_key
    }
}

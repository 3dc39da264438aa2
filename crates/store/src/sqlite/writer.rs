//! The one writer: takes what waits, does it inside one transaction, commits once, then answers everybody.

use super::cache::Stored;
use super::counters::Counters;
use super::job::Job;
use super::names::Names;
use super::options::Ids;
use super::quarantine::{self, Failures};
use super::reserve::Reserve;
use super::schema::{BUSY_TIMEOUT, failed};
use super::shared::Shared;
use super::work::Work;
use crate::error::StoreError;
use crate::feed::{Change, Observer};
use crate::position::Position;
use rusqlite::{Connection, ErrorCode, ffi};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the write-ahead log's readers are waited for when it is to be emptied.
const WAL_WAIT: Duration = Duration::from_millis(50);
/// The same at the end, when nobody else waits.
const LAST_WAL_WAIT: Duration = Duration::from_secs(2);
/// Most jobs in one transaction, and octets that they write: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 512;
const GROUP_OCTETS_MAX: usize = 16 << 20;

/// What the writer is told.
pub(super) enum Command {
    /// Do this.
    Do(Box<dyn Job>),
    /// End after what came before.
    Close {
        /// Told when that is done.
        closed: oneshot::Sender<()>,
    },
}

type Group = Vec<Box<dyn Job>>;

/// Why a group was not committed.
enum Failure {
    /// Some job could not be done, or the flows could not be written; nothing of the transaction is there.
    Work(rusqlite::Error),
    /// The commit failed.
    Commit(rusqlite::Error),
}

pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    ids: Ids,
    observer: Observer,
    counters: Counters,
    /// Consecutive failed commits; only the first and the recovery are logged.
    failed: u64,
    /// The write-ahead log may have something of flows that were erased.
    wal_has_erased: bool,
    failures: Failures,
    reserve: Reserve,
    names: Names,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        ids: Ids,
        observer: Observer,
        reserve: Reserve,
        life: i64,
    ) -> rusqlite::Result<Writer> {
        connection.set_prepared_statement_cache_capacity(128);
        let counters = Counters::read(&connection, life)?;
        Ok(Writer {
            connection,
            shared,
            ids,
            observer,
            counters,
            failed: 0,
            wal_has_erased: true,
            failures: Failures::default(),
            reserve,
            names: Names::default(),
        })
    }

    /// Works on this thread until it is closed.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut next = inbox.blocking_recv();
        while let Some(first) = next {
            next = match self.take_group(first, &mut inbox) {
                Taken::More => inbox.blocking_recv(),
                Taken::Closed => return,
            };
        }
    }

    /// Works in the runtime until it is closed.
    pub(super) async fn run_beside(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut next = inbox.recv().await;
        while let Some(first) = next {
            next = match self.take_group(first, &mut inbox) {
                Taken::More => inbox.recv().await,
                Taken::Closed => return,
            };
        }
    }

    /// Commits what waits.
    fn take_group(&mut self, first: Command, inbox: &mut mpsc::Receiver<Command>) -> Taken {
        let (mut group, mut octets, mut next) = (Group::new(), 0, Some(first));
        let taken = loop {
            match next {
                Some(Command::Do(job)) => {
                    octets += job.subject().octets;
                    group.push(job);
                }
                // What comes after it is dropped, which its callers see.
                Some(Command::Close { closed }) => break Some(closed),
                None => break None,
            }
            if group.len() >= GROUP_MAX || octets >= GROUP_OCTETS_MAX {
                break None;
            }
            next = inbox.try_recv().ok();
        };
        if !group.is_empty() {
            self.commit(group);
        }
        match taken {
            None => Taken::More,
            Some(closed) => {
                // A copy of the database alone is whole then.
                self.empty_wal(LAST_WAL_WAIT);
                let _ = closed.send(());
                Taken::Closed
            }
        }
    }

    /// Commits a group. Where one of it can't be done, the others are done without it.
    fn commit(&mut self, mut group: Group) {
        self.reserve.restore();
        if self.reserve.is_spent() {
            // The room that is left is for what makes room, and for who has to get in.
            group = self.refuse(group, |job| !job.subject().urgent, &StoreError::Full);
        }
        if group.is_empty() {
            return;
        }
        let before = self.counters;
        let failure = match self.write(&mut group) {
            Ok((staged, removed)) => return self.publish(group, staged, removed),
            Err(failure) => failure,
        };
        self.counters = before;
        let error = match failure {
            Failure::Work(error) if group.len() > 1 && !is_of_the_disk(&error) => {
                // Someone's trouble is its own: halves find it in few steps.
                let second = group.split_off(group.len() / 2);
                self.commit(group);
                return self.commit(second);
            }
            Failure::Work(error) => {
                self.note_failure(&group, &error);
                error
            }
            Failure::Commit(error) => {
                if may_come_back(&error) {
                    self.overwrite(&error);
                }
                error
            }
        };
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        if full && group.iter().any(|job| job.subject().urgent) && self.reserve.spend() {
            return self.commit(group);
        }
        let error = if full { StoreError::Full } else { failed(error) };
        if self.failed == 0 {
            tracing::error!(%error, "a commit failed; nothing of it was stored");
        }
        self.failed += 1;
        self.refuse(group, |_| true, &error);
    }

    /// Answers those of a group that `whom` says with an error; the others.
    fn refuse(&self, group: Group, whom: impl Fn(&dyn Job) -> bool, error: &StoreError) -> Group {
        let (refused, others): (Group, Group) = group.into_iter().partition(|job| whom(&**job));
        refused.into_iter().for_each(|job| job.answer(Some(error)));
        others
    }

    /// Tells everybody what was committed.
    fn publish(&mut self, group: Group, staged: Vec<Stored>, removed: Vec<Change>) {
        if self.failed > 0 {
            tracing::warn!(failed = self.failed, "commits succeed again");
            self.failed = 0;
        }
        self.failures.forget(staged.iter().map(|stored| &stored.flow.id));
        let mut changes = Vec::with_capacity(staged.len() + removed.len());
        for entry in staged {
            let flow = Arc::clone(&entry.flow);
            // The cache before the queue: who claims a task finds its flow as it is now.
            self.shared.cache.lock().put(flow.id, entry);
            self.shared.owe(&flow);
            changes.push(Change::put(&flow, self.names.shared(&flow.application)));
        }
        for change in removed {
            if let Change::Removed { id, erased, .. } = &change {
                self.shared.cache.lock().pop(id);
                self.shared.disown(id);
                self.wal_has_erased |= erased;
            }
            changes.push(change);
        }
        let position = Position::of(self.counters.life, self.counters.change as u64);
        (self.observer)(&changes, &position);
        if self.wal_has_erased {
            self.wal_has_erased = !self.empty_wal(WAL_WAIT);
        }
        group.into_iter().for_each(|job| job.answer(None));
    }

    /// A job failed by itself. A flow for which that happens again and again is set aside.
    fn note_failure(&mut self, group: &Group, error: &rusqlite::Error) {
        let Some((flow, now_ms)) = group.first().and_then(|job| job.subject().flow) else { return };
        if group.len() > 1 || is_of_the_disk(error) || !self.failures.note(flow) {
            return;
        }
        let reason = error.to_string();
        match quarantine::add(&self.connection, flow, now_ms, &reason) {
            Ok(()) => {
                tracing::error!(%flow, reason, "a flow that can't be changed or stored was set aside");
                metrics::counter!("switchback_flows_quarantined_total").increment(1);
                self.shared.quarantined.lock().insert(flow);
                self.shared.cache.lock().pop(&flow);
                self.shared.disown(&flow);
            }
            Err(error) => tracing::error!(%flow, %error, "a flow could not be set aside"),
        }
    }

    /// After a flush that failed, the frames of the commit may be in the write-ahead log: the next start would find it
    /// whole, although it was refused. Another commit at its place overwrites its head, and what follows does not fit
    /// any more (each frame's checksum continues the one before it). Where that fails too, nobody is answered: the
    /// process ends, and the next start tells what is true.
    fn overwrite(&self, error: &rusqlite::Error) {
        // Something new: a page that is as it was would not be written.
        let sql =
            "BEGIN IMMEDIATE; INSERT OR REPLACE INTO probe (row, filler) VALUES (1, randomblob(64)); COMMIT";
        if let Err(second) = self.connection.execute_batch(sql) {
            let _ = self.connection.execute_batch("ROLLBACK");
            tracing::error!(%error, %second, "a flush failed, and what it was to store can't be taken back: ending");
            std::process::abort();
        }
    }

    /// Moves everything from the write-ahead log into the database and cuts it off; false where a reader still needs it:
    /// then after a later commit, of which there is one a minute at least.
    fn empty_wal(&self, wait: Duration) -> bool {
        let checkpoint = || {
            self.connection.busy_timeout(wait)?;
            let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            self.connection.busy_timeout(BUSY_TIMEOUT)?;
            busy
        };
        matches!(checkpoint(), Ok(0))
    }

    /// Does a group in one transaction.
    fn write(&mut self, group: &mut Group) -> Result<(Vec<Stored>, Vec<Change>), Failure> {
        let Writer { connection, shared, ids, counters, .. } = self;
        let mut work = Work::new(connection, shared, ids, counters);
        let done = connection
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| group.iter_mut().try_for_each(|job| job.run(&mut work)))
            .and_then(|()| work.flush())
            .map_err(Failure::Work);
        let result = done.and_then(|()| connection.execute_batch("COMMIT").map_err(Failure::Commit));
        if result.is_err() {
            // Fails only where no transaction is open any more.
            let _ = connection.execute_batch("ROLLBACK");
        }
        result.map(|()| work.into_changes())
    }
}

/// What follows a group.
enum Taken {
    /// Whatever comes next.
    More,
    /// Nothing: the writer was closed.
    Closed,
}

/// Whether an error is the disk's or the whole database's, and not a flow's.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly};
    let whole = [DiskFull, DatabaseBusy, DatabaseLocked, ReadOnly, CannotOpen, OutOfMemory];
    error.sqlite_error_code().is_some_and(|code| whole.contains(&code)) || is_io_write(error)
}

/// Whether writing failed; reading a part of the file that is bad is the trouble of who needs it.
fn is_io_write(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Whether a commit that failed so may be found whole at the next start: all of it was written, and its flush failed.
/// Where a write failed, the last frame, which makes it a commit, is missing.
fn may_come_back(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    matches!(extended, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

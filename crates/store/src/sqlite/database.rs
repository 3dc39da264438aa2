//! SQLite as the writer's database: one connection, which holds the write lock from the first look-up to the
//! commit.

use super::counters::Counters;
use super::look_up::look_up;
use super::reserve::Reserve;
use super::schema::{BUSY_TIMEOUT, failed};
use super::{quarantine, removing, statistics, write};
use crate::batch::Batch;
use crate::database::{Database, Failure, Poll, Tables};
use crate::error::StoreError;
use crate::position::Position;
use crate::statistics::Keys;
use crate::upkeep::Cutoffs;
use crate::wanted::{Found, Wanted};
use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, ffi};
use std::time::Duration;
use uuid::Uuid;

/// How long the write-ahead log's readers are waited for when it is to be emptied.
const WAL_WAIT: Duration = Duration::from_millis(50);
/// The same at the end, when nobody else waits.
const LAST_WAL_WAIT: Duration = Duration::from_secs(2);

/// The writer's connection.
pub(super) struct SqliteDatabase {
    connection: Connection,
    counters: Counters,
    reserve: Reserve,
    secret_key: [u8; 32],
    writer: i64,
    /// The keys of the statistics, if they were read.
    keys: Option<Keys>,
    /// The write-ahead log may have something of flows that were erased.
    wal_has_erased: bool,
}

impl SqliteDatabase {
    pub(super) fn new(
        connection: Connection,
        reserve: Reserve,
        secret_key: [u8; 32],
        writer: i64,
    ) -> rusqlite::Result<SqliteDatabase> {
        connection.set_prepared_statement_cache_capacity(128);
        let counters = Counters::read(&connection)?;
        let (keys, wal_has_erased) = (None, true);
        Ok(SqliteDatabase { connection, counters, reserve, secret_key, writer, keys, wal_has_erased })
    }

    /// Begins a transaction if none is open.
    fn begin(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN IMMEDIATE")
        } else {
            Ok(())
        }
    }

    /// Undoes what the transaction has done.
    fn roll_back(&self) {
        // Fails only if no transaction is open any more.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    /// Does something in a transaction, and commits it.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Counters) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let before = self.counters;
        let done = self.begin().and_then(|()| work(&self.connection, &mut self.counters)).map_err(failure_of);
        let done = done.and_then(|done| match self.connection.execute_batch("COMMIT") {
            Ok(()) => Ok(done),
            Err(error) => {
                self.roll_back();
                if may_come_back(&error) {
                    self.overwrite(&error);
                }
                Err(if is_full(&error) { Failure::Full } else { Failure::Whole(failed(error)) })
            }
        });
        if done.is_err() {
            self.roll_back();
            self.counters = before;
        } else if self.wal_has_erased {
            self.wal_has_erased = !self.empty_wal(WAL_WAIT);
        }
        done
    }

    /// After a flush that failed, the frames of the commit may be in the write-ahead log: the next start
    /// would find it whole, although it was refused. Another commit at its place overwrites its head, and
    /// what follows does not fit any more (each frame's checksum continues the one before it). If that fails
    /// too, nobody is answered: the process ends, and the next start shows what is true.
    fn overwrite(&self, error: &rusqlite::Error) {
        // Something new: a page that is as it was would not be written.
        let sql =
            "BEGIN IMMEDIATE; INSERT OR REPLACE INTO probe (row, filler) VALUES (1, randomblob(64)); COMMIT";
        if let Err(second) = self.connection.execute_batch(sql) {
            self.roll_back();
            tracing::error!(
                %error, %second,
                "a flush failed, and what it was to store can't be taken back: ending"
            );
            std::process::abort();
        }
    }

    /// Moves everything from the write-ahead log into the database and cuts it off; false if a reader still
    /// needs it: then after a later commit, of which there is one a minute at least.
    fn empty_wal(&self, wait: Duration) -> bool {
        let checkpoint = || {
            self.connection.busy_timeout(wait)?;
            let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            self.connection.busy_timeout(BUSY_TIMEOUT)?;
            busy
        };
        matches!(checkpoint(), Ok(0))
    }
}

#[async_trait]
impl Database for SqliteDatabase {
    fn tables(&self) -> Tables {
        Tables { early: self.counters.early > 0, unanswered: self.counters.unanswered > 0 }
    }

    async fn look_up(&mut self, wanted: &Wanted) -> Result<Found, Failure> {
        let found = self.begin().and_then(|()| look_up(&self.connection, &self.counters, wanted));
        found.map_err(|error| {
            self.roll_back();
            failure_of(error)
        })
    }

    async fn commit(&mut self, batch: &mut Batch) -> Result<u64, Failure> {
        let secret_key = self.secret_key;
        self.wal_has_erased |= batch.removals.iter().any(|removal| removal.erased);
        // Where the transaction fails, keys that were new in it are not in the database: they are read again.
        let mut keys = self.keys.take();
        self.transact(|connection, counters| {
            write::write(connection, counters, &secret_key, batch)?;
            statistics::add(connection, &mut keys, &batch.contributions)
        })?;
        self.keys = keys;
        Ok(self.counters.change as u64)
    }

    async fn release(&mut self) {
        if !self.connection.is_autocommit() {
            self.roll_back();
        }
    }

    async fn poll(&mut self, _: &Position) -> Poll {
        Poll { position: Position::of(self.writer, self.counters.change as u64) }
    }

    async fn forget_old(&mut self, cutoffs: &Cutoffs, limit: usize) -> Result<bool, Failure> {
        self.transact(|connection, counters| removing::forget_old(connection, counters, cutoffs, limit))
    }

    async fn set_aside(&mut self, flow: Uuid, now_ms: i64, reason: &str) -> Result<(), StoreError> {
        quarantine::add(&self.connection, flow, now_ms, reason).map_err(failed)
    }

    fn is_full(&mut self) -> bool {
        self.reserve.restore();
        self.reserve.is_spent()
    }

    fn make_room(&mut self) -> bool {
        self.reserve.spend()
    }

    async fn close(&mut self) {
        // A copy of the database alone is whole then.
        self.empty_wal(LAST_WAL_WAIT);
    }
}

/// Whose trouble an error of a statement is.
fn failure_of(error: rusqlite::Error) -> Failure {
    if is_full(&error) {
        Failure::Full
    } else if is_of_the_disk(&error) {
        Failure::Whole(failed(error))
    } else {
        Failure::Part(failed(error))
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Returns whether an error is the disk's or the whole database's, and not a flow's.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, OutOfMemory, ReadOnly};
    let whole = [DatabaseBusy, DatabaseLocked, ReadOnly, CannotOpen, OutOfMemory];
    error.sqlite_error_code().is_some_and(|code| whole.contains(&code)) || is_io_write(error)
}

/// Returns whether writing failed; reading a part of the file that is bad is the trouble of who needs it.
fn is_io_write(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Returns whether a commit that failed so may be found whole at the next start: all of it was written, and
/// its flush failed. If a write failed, the last frame, which makes it a commit, is missing.
fn may_come_back(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    matches!(extended, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

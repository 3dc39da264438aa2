//! The one writer: takes what waits, applies it inside one transaction, commits once, then answers everybody.

use super::schema::{BUSY_TIMEOUT, failed};
use super::work::Work;
use super::{Shared, Stored};
use crate::{
    Accepted, Change, IdempotencyKey, Ids, Matched, Observer, Pruned, Reserved, Result, Retention,
    StoreError, Suppression, Token,
};
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How long the write-ahead log's readers are waited for when it is to be emptied.
const WAL_WAIT: Duration = Duration::from_millis(50);
/// Most commands in one transaction: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 512;

pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

pub(super) enum Command {
    Accept {
        flow: Box<Flow>,
        key: Option<IdempotencyKey>,
        now_ms: i64,
        reply: Reply<Accepted>,
    },
    Apply {
        id: Uuid,
        event: Event,
        now_ms: i64,
        reply: Reply<Applied>,
    },
    Receipt {
        carrier: CarrierRef,
        receipt: Receipt,
        now_ms: i64,
        reply: Reply<Matched>,
    },
    Prune {
        retention: Retention,
        limit: usize,
        reply: Reply<Pruned>,
    },
    See {
        now_ms: i64,
        reply: Reply<()>,
    },
    PruneFlows {
        application: String,
        ids: Vec<Uuid>,
        reply: Reply<usize>,
    },
    Erase {
        application: String,
        ids: Vec<Uuid>,
        now_ms: i64,
        reply: Reply<usize>,
    },
    Replay {
        now_ms: i64,
        reply: Reply<usize>,
    },
    AddToken {
        token: Token,
        reply: Reply<()>,
    },
    Reserve {
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
        reply: Reply<Reserved>,
    },
    Suppress {
        suppression: Suppression,
        reply: Reply<()>,
    },
    Unsuppress {
        application: String,
        channel: Channel,
        recipient: String,
        reply: Reply<bool>,
    },
    ForgetRemovals {
        until: u64,
        reply: Reply<()>,
    },
    /// Ends the writer after the commands before it.
    Close {
        reply: Reply<()>,
    },
}

/// An answer that waits for the commit; called with the error when there was none.
pub(super) type Answer = Box<dyn FnOnce(Option<&StoreError>)>;

pub(super) fn answer<T: 'static>(reply: Reply<T>, result: Result<T>) -> Answer {
    Box::new(move |failure| {
        // A caller that went away needs no answer.
        let _ = reply.send(match failure {
            Some(error) => Err(error.clone()),
            None => result,
        });
    })
}

pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    ids: Ids,
    observer: Observer,
    counters: Counters,
    /// Commits that failed since the last one that did not: the log tells the first and the end, not each.
    failed: u64,
    /// The write-ahead log may have something of flows that were erased.
    wal_has_erased: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Counters {
    /// The last flow's row.
    pub(super) row: i64,
    /// The last change's position.
    pub(super) change: i64,
    /// Receipts kept without a message.
    pub(super) early: i64,
}

impl Counters {
    fn read(connection: &Connection) -> rusqlite::Result<Counters> {
        let sql = "SELECT (SELECT ifnull(max(row), 0) FROM flows), (SELECT count(*) FROM early)";
        let change = last_change(connection)?;
        connection.query_row(sql, [], |row| Ok(Counters { row: row.get(0)?, change, early: row.get(1)? }))
    }
}

/// The position of the last change.
pub(super) fn last_change(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max((SELECT ifnull(max(change), 0) FROM flows), (SELECT ifnull(max(change), 0) FROM removals))";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        ids: Ids,
        observer: Observer,
    ) -> rusqlite::Result<Writer> {
        connection.set_prepared_statement_cache_capacity(64);
        let counters = Counters::read(&connection)?;
        Ok(Writer { connection, shared, ids, observer, counters, failed: 0, wal_has_erased: true })
    }

    /// Works on this thread until it is closed.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(first) = inbox.blocking_recv() {
            if self.do_group(first, &mut inbox) {
                return;
            }
        }
    }

    /// Works in the runtime until it is closed.
    pub(super) async fn run_beside(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(first) = inbox.recv().await {
            if self.do_group(first, &mut inbox) {
                return;
            }
        }
    }

    /// Commits what waits; true when that was all.
    fn do_group(&mut self, first: Command, inbox: &mut mpsc::Receiver<Command>) -> bool {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = inbox.try_recv()
        {
            group.push(next);
        }
        let closing = group.iter().position(|command| matches!(command, Command::Close { .. }));
        if let Some(position) = closing {
            // What came after it is dropped, which its callers see.
            group.truncate(position + 1);
        }
        self.commit(group);
        closing.is_some()
    }

    fn commit(&mut self, group: Vec<Command>) {
        let before = self.counters;
        let mut answers = Vec::with_capacity(group.len());
        match self.write(group, &mut answers) {
            Ok((staged, removed)) => {
                if self.failed > 0 {
                    tracing::warn!(failed = self.failed, "commits succeed again");
                    self.failed = 0;
                }
                let mut changes = Vec::with_capacity(staged.len() + removed.len());
                for entry in staged {
                    let flow = Arc::clone(&entry.flow);
                    // The cache before the queue: who claims a task finds its flow as it is now.
                    self.shared.cache.lock().put(flow.id, entry);
                    self.shared.owe(&flow);
                    changes.push(Change::Put(flow));
                }
                for change in removed {
                    if let Change::Removed { id, erased, .. } = &change {
                        self.shared.cache.lock().pop(id);
                        self.shared.queue.lock().remove(*id);
                        self.wal_has_erased |= erased;
                    }
                    changes.push(change);
                }
                (self.observer)(&changes, self.counters.change as u64);
                if self.wal_has_erased {
                    self.wal_has_erased = !self.empty_wal();
                }
                answers.into_iter().for_each(|answer| answer(None));
            }
            Err(error) => {
                self.counters = before;
                let error = failed(error);
                if self.failed == 0 {
                    tracing::error!(%error, "a commit failed; nothing of it was stored");
                }
                self.failed += 1;
                answers.into_iter().for_each(|answer| answer(Some(&error)));
            }
        }
    }

    /// Moves everything from the write-ahead log into the database and cuts it off; false where a reader still needs it:
    /// then after a later commit, of which there is one a minute at least.
    fn empty_wal(&self) -> bool {
        let checkpoint = || {
            self.connection.busy_timeout(WAL_WAIT)?;
            let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            self.connection.busy_timeout(BUSY_TIMEOUT)?;
            busy
        };
        matches!(checkpoint(), Ok(0))
    }

    /// Does a group in one transaction. What is to be answered is in `answers` even when it fails.
    fn write(
        &mut self,
        group: Vec<Command>,
        answers: &mut Vec<Answer>,
    ) -> rusqlite::Result<(Vec<Stored>, Vec<Change>)> {
        let Writer { connection, shared, ids, counters, .. } = self;
        let mut work = Work::new(connection, shared, ids, counters);
        let mut failure = connection.execute_batch("BEGIN IMMEDIATE").err();
        // After a failure the rest of the group fails with it, and everybody is told.
        for command in group {
            let error = work.run(command, answers, failure.is_some()).err();
            failure = failure.or(error);
        }
        let result = match failure {
            Some(error) => Err(error),
            None => work.flush().and_then(|()| connection.execute_batch("COMMIT")),
        };
        match result {
            Ok(()) => Ok(work.into_changes()),
            Err(error) => {
                // Fails only where no transaction is open any more.
                let _ = connection.execute_batch("ROLLBACK");
                Err(error)
            }
        }
    }
}

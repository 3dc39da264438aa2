//! What the writer needs of a database.

use crate::batch::Batch;
use crate::error::StoreError;
use crate::position::Position;
use crate::upkeep::Cutoffs;
use crate::wanted::{Found, Wanted};
use async_trait::async_trait;
use uuid::Uuid;

/// Why a look-up or a commit did not happen; nothing of it was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// Something of it can't be read or written; the rest may be.
    #[error(transparent)]
    Part(StoreError),
    /// The database can't be read or written now.
    #[error(transparent)]
    Whole(StoreError),
    /// There is no room left.
    #[error("the disk is full")]
    Full,
}

/// Which tables may have rows. What is certainly empty need not be looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    /// Early receipts.
    pub(crate) early: bool,
    /// Parts without an answer.
    pub(crate) unanswered: bool,
}

/// What a poll saw.
#[derive(Debug)]
pub(crate) struct Poll {
    /// Up to here, everything is committed.
    pub(crate) position: Position,
}

/// A database, as the one writer of a process uses it. A transaction looks up what it has to know, is worked
/// out in memory ([`Work`](crate::work::Work)), and commits one batch. What was looked up is true until then:
/// SQLite holds its write lock from the first look-up to the commit.
#[async_trait]
pub(crate) trait Database: Send + 'static {
    /// Which tables may have rows.
    fn tables(&self) -> Tables;

    /// Looks up everything that is wanted.
    async fn look_up(&mut self, wanted: &Wanted) -> Result<Found, Failure>;

    /// Writes a batch durably, and ends the transaction, whatever comes of it. Returns the number of its last
    /// change in the feed. Nothing of a batch that is refused is ever found again.
    async fn commit(&mut self, batch: &mut Batch) -> Result<u64, Failure>;

    /// Ends the transaction; nothing was to be written.
    async fn release(&mut self);

    /// What is committed beyond a position. A commit becomes visible to this process by the poll that shows
    /// it.
    async fn poll(&mut self, after: &Position) -> Poll;

    /// Forgets keys, tokens, links and receipts that are too old, at most `limit` of each kind; returns
    /// whether there is more. It is a transaction of its own.
    async fn forget_old(&mut self, cutoffs: &Cutoffs, limit: usize) -> Result<bool, Failure>;

    /// Sets a flow aside.
    async fn set_aside(&mut self, flow: Uuid, now_ms: i64, reason: &str) -> Result<(), StoreError>;

    /// Returns whether the room that is kept aside was given away: then only what is urgent is written.
    fn is_full(&mut self) -> bool;

    /// Gives the room away that is kept aside for what is urgent; returns whether there was any.
    fn make_room(&mut self) -> bool;

    /// Nothing is written any more.
    async fn close(&mut self);
}

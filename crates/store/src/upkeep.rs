//! Upkeep: pruning, the time that was last trusted, and whether writing works.

use crate::error::Result;
use async_trait::async_trait;
use uuid::Uuid;

/// Cut-off times for pruning, Unix milliseconds: what is older goes.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    /// For closed flows, by when they were accepted, and for messages of handsets, by when they came.
    pub flows_before_ms: i64,
    /// For idempotency keys and early receipts, by when they came, and for tokens and short links, by when
    /// they ended.
    pub keys_before_ms: i64,
    /// For receipts that a carrier could not read, by when they came.
    pub unmatched_before_ms: i64,
}

impl Cutoffs {
    /// Nothing is too old.
    pub const NONE: Cutoffs = Cutoffs { flows_before_ms: 0, keys_before_ms: 0, unmatched_before_ms: 0 };
}

/// What pruning came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pruned {
    /// Flows that were removed.
    pub flows: usize,
    /// There is more to remove.
    pub more: bool,
}

/// What keeps a store in order.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Prunes what is too old, at most `limit` of each kind.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn prune(&self, cutoffs: Cutoffs, limit: usize) -> Result<Pruned>;

    /// Removes these flows of an application if they are closed; returns how many were.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize>;

    /// The last time that [`Upkeep::keep_time`] kept, Unix milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn kept_time_ms(&self) -> Result<Option<i64>>;

    /// Keeps a time that the clock showed while it was right: the next start compares its clock with it.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn keep_time(&self, now_ms: i64) -> Result<()>;

    /// Writes something of no meaning as a new flow would be written, and of a large flow's size: returns if
    /// flows can be accepted now.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`](crate::StoreError::Overloaded) at once if too much waits;
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn probe(&self) -> Result<()>;
}

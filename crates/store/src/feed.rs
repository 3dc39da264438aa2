//! The change feed: what changed, in order, for whoever keeps something that is derived from the flows.

use crate::error::Result;
use crate::position::Position;
use async_trait::async_trait;
use flow::{Facets, Flow};
use std::sync::Arc;
use uuid::Uuid;

/// A flow that changed, as far as a search looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new or another one than before.
    Put {
        /// The application that owns it.
        application: Arc<str>,
        /// Its id.
        id: Uuid,
        /// When it was accepted, Unix milliseconds.
        created_ms: i64,
        /// What a search looks at.
        facets: Facets,
    },
    /// It was pruned or erased.
    Removed {
        /// The application that owned it.
        application: Arc<str>,
        /// Its id.
        id: Uuid,
        /// When it was accepted, Unix milliseconds.
        created_ms: i64,
        /// Nothing of it may be left anywhere.
        erased: bool,
    },
}

impl Change {
    /// That this flow is new or changed. `application` is its owner's name.
    pub(crate) fn put(flow: &Flow, application: Arc<str>) -> Change {
        Change::Put { application, id: flow.id, created_ms: flow.created_ms, facets: flow.facets() }
    }

    /// That this flow was removed. `application` is its owner's name.
    pub(crate) fn removed(flow: &Flow, application: Arc<str>, erased: bool) -> Change {
        Change::Removed { application, id: flow.id, created_ms: flow.created_ms, erased }
    }
}

/// A piece of the change feed.
#[derive(Debug, Clone)]
pub struct ChangePage {
    /// Its changes, in order; none at the feed's end.
    pub changes: Vec<Change>,
    /// The position of its last change; where it was asked for if it has none.
    pub position: Position,
}

/// Called with the changes of each commit, in order, and the position of the last of them, before the callers
/// of that commit get their answers.
pub type Observer = Box<dyn FnMut(&[Change], &Position) + Send>;

/// The change feed. A flow stands in it once, at its last change.
#[async_trait]
pub trait Feed: Send + Sync {
    /// At most `limit` changes after a position that [`Feed::has`] confirms, in their order. From
    /// [`Position::START`] it yields every flow. A flow that can't be read is left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage>;

    /// The position of the last change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn position(&self) -> Result<Position>;

    /// Returns whether the store has everything up to a position: not if a backup was restored, or if the
    /// database went on elsewhere since.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn has(&self, position: &Position) -> Result<bool>;

    /// Lets the feed forget removals up to a position: whoever follows it has them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn forget_removals(&self, until: &Position) -> Result<()>;
}

//! Why the store could not do what it was asked for.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why the store could not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting to be written; nothing was stored. Try again soon.
    #[error("the store's queue is full")]
    Overloaded,
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// The idempotency key was used for a flow that has been erased since.
    #[error("the idempotency key was used for a flow that has been erased since")]
    KeySpent,
    /// No such flow.
    #[error("no such flow")]
    NotFound,
    /// The flow was set aside: it can't be read, changed or stored.
    #[error("the flow was set aside: it can't be read, changed or stored")]
    Quarantined,
    /// The disk is full; nothing of the request was stored.
    #[error("the disk is full")]
    Full,
    /// The disk, the database or its file failed; nothing of the request was stored.
    #[error("the store failed: {0}")]
    Unavailable(Cause),
}

impl StoreError {
    /// [`StoreError::Unavailable`] because of an error, or of what a sentence says.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Unavailable(Cause(Arc::from(cause.into())))
    }
}

/// What made the store fail. Everybody whose work was in the same transaction gets a copy. Its text is part
/// of [`StoreError`]'s own, so it is not that one's source as well: a report of the whole chain would say it
/// twice.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// The error itself.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

//! Callbacks that were given up.

use store::{Admin, StoreError};
use uuid::Uuid;

/// Why no callback is made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The flow has none that was given up.
    #[error("flow {0} has no callback that was given up")]
    NotDead(Uuid),
    /// No flow has one.
    #[error("there is nothing to replay")]
    Nothing,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks the server, the running one or the next, to make callbacks again that were given up: those of one
/// flow, or of every flow. Returns of how many flows.
///
/// # Errors
/// [`ReplayError`].
pub async fn replay(admin: &dyn Admin, of: Option<Uuid>) -> Result<usize, ReplayError> {
    match (admin.request_replay(of).await?, of) {
        (0, Some(id)) => Err(ReplayError::NotDead(id)),
        (0, None) => Err(ReplayError::Nothing),
        (flows, _) => Ok(flows),
    }
}

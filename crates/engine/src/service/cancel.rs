//! Cancels a flow. Ours, beyond the contract.

use super::core::Service;
use super::track::TrackError;
use crate::clock::now_ms;
use crate::metrics::count_applied;
use flow::{Event, Flow};
use store::StoreError;
use uuid::Uuid;

/// Why a flow was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It does not exist, or is another application's.
    #[error("there is no such flow")]
    NotFound,
    /// It had ended by itself.
    #[error("the flow has ended and can't be cancelled")]
    Ended,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TrackError> for CancelError {
    fn from(error: TrackError) -> CancelError {
        match error {
            TrackError::NotFound => CancelError::NotFound,
            TrackError::Store(error) => CancelError::Store(error),
        }
    }
}

impl Service {
    /// Cancels a flow that has not ended, and returns it as it is then: no part of it is handed to a carrier
    /// any more, and no further step starts. Cancelling twice is as good as once. `by` is the operator who
    /// asks for it; `None`: the application does.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel(&self, application: &str, id: Uuid, by: Option<String>) -> Result<Flow, CancelError> {
        let id = self.own(application, id).await?.id;
        let applied = self.store().apply(id, Event::Cancel { by }, now_ms()).await?;
        count_applied(&applied);
        let flow = self.own(application, id).await?;
        if flow.state.cancelled { Ok(flow) } else { Err(CancelError::Ended) }
    }
}

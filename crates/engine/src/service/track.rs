//! Shows one flow.

use super::core::Service;
use flow::Flow;
use store::StoreError;
use uuid::Uuid;

/// Why a flow is not shown.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// It does not exist, or is another application's.
    #[error("there is no such flow")]
    NotFound,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Service {
    /// An application's flow with an id, its own or that of one of its messages or parts, as it is now.
    ///
    /// # Errors
    /// [`TrackError`].
    pub async fn track(&self, application: &str, id: Uuid) -> Result<Flow, TrackError> {
        let found = self.with_id(id).await?;
        found.filter(|flow| flow.application == application).ok_or(TrackError::NotFound)
    }

    /// An application's flow whose own id this is: what changes a flow takes no other.
    pub(super) async fn own(&self, application: &str, id: Uuid) -> Result<Flow, TrackError> {
        let found = self.store().load(vec![id]).await?.pop().flatten();
        found.filter(|flow| flow.application == application).ok_or(TrackError::NotFound)
    }
}

//! Opt-outs: recipients who want no more messages of an application on a channel. Ours, beyond the contract.

use super::core::Service;
use crate::clock::now_ms;
use flow::Channel;
use store::{StoreError, Suppression};

impl Service {
    /// Remembers that a recipient wants no more messages; it holds for every hand-over from now on.
    /// `recipient` is E.164.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn suppress(
        &self,
        application: &str,
        channel: Channel,
        recipient: String,
        reason: String,
    ) -> Result<(), StoreError> {
        let application = application.to_owned();
        let suppression = Suppression { application, channel, recipient, reason, since_ms: now_ms() };
        self.store().suppress(suppression).await?;
        self.engine.read_submit_checks().await
    }

    /// Forgets an opt-out; returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn unsuppress(
        &self,
        application: &str,
        channel: Channel,
        recipient: String,
    ) -> Result<bool, StoreError> {
        self.store().unsuppress(application.to_owned(), channel, recipient).await
    }

    /// At most `limit` of an application's opt-outs on a channel, by number, behind the number `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn suppressions(
        &self,
        application: &str,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>, StoreError> {
        self.store().suppressions(application.to_owned(), channel, after, limit).await
    }
}

//! Accounts: applications, their tokens, balances and suppressions.

use crate::application::{Application, CallbackKey, Token};
use crate::error::Result;
use crate::suppression::Suppression;
use async_trait::async_trait;
use flow::{Channel, Price};
use uuid::Uuid;

/// The applications whose messages need a check before they are submitted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SubmitChecks {
    /// They have a balance to reserve from.
    pub balances: Vec<String>,
    /// They have a list of opt-outs to consult.
    pub suppressions: Vec<String>,
}

/// What came of reserving a price from a balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// It is held, or the application has no balance.
    Yes,
    /// The balance can't pay it: the flow has ended.
    No,
    /// The flow does not owe the part any more.
    Gone,
}

/// What belongs to applications.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The key that this installation's application secrets are hashed with.
    fn secret_key(&self) -> &[u8; 32];

    /// The application with this id, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn application(&self, id: String) -> Result<Option<Application>>;

    /// The applications with their own
    /// [`ApplicationSettings::retention_days`](crate::ApplicationSettings::retention_days), and it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn own_retentions(&self) -> Result<Vec<(String, u32)>>;

    /// The applications whose callback key was changed, and the key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>>;

    /// Keeps a token until it expires, and ends tokens of its application that would end first, so that it
    /// has at most `tokens_max`. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_token(&self, token: Token, tokens_max: usize) -> Result<()>;

    /// The token with this SHA-256, and its application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>>;

    /// Holds the price of a part that is about to be submitted, or ends its flow if the application's balance
    /// can't pay it. What was held and not charged in the end goes back with the flow's events.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn reserve(&self, id: Uuid, message: u16, part: u16, price: Price, now_ms: i64)
    -> Result<Reserved>;

    /// Keeps that a recipient opted out; the first reason stays. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn suppress(&self, suppression: Suppression) -> Result<()>;

    /// Forgets that a recipient opted out; returns whether it had. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool>;

    /// Returns whether a recipient opted out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool>;

    /// At most `limit` of an application's recipients who opted out, by number, after `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>>;

    /// The applications whose messages need a check before they are submitted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn submit_checks(&self) -> Result<SubmitChecks>;
}

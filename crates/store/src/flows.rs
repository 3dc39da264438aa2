//! Flows: accepting, changing, reading and removing them, and what carriers tell about them.

use crate::error::Result;
use crate::inbound::InboundMessage;
use crate::unmatched::UnreadReceipt;
use async_trait::async_trait;
use flow::{Applied, CarrierRef, Event, Flow, Receipt};
use uuid::Uuid;

/// A client's `Idempotency-Key` and what it was sent with.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The key; at most 255 characters, scoped to the application.
    pub key: String,
    /// SHA-256 of the request's body.
    pub body_hash: [u8; 32],
}

/// What came of accepting a flow.
#[derive(Debug)]
pub enum Accepted {
    /// It is stored.
    New,
    /// The key was used before with the same body: this is the flow of then; nothing new was stored.
    Replayed(Box<Flow>),
}

/// What came of a receipt.
#[derive(Debug)]
pub enum Matched {
    /// It was applied to its flow.
    Applied(Applied),
    /// Its id is not known; it was applied to the only message to its recipient whose carrier did not answer.
    ByRecipient(Applied),
    /// Its message is not known (yet); it is kept until the message is.
    Early,
}

/// Flows. Every write is durable when it returns, and all of it is stored or nothing. Times are Unix
/// milliseconds and come in as arguments.
#[async_trait]
pub trait Flows: Send + Sync {
    /// Stores a new flow with its first tasks.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`](crate::StoreError::Overloaded) at once if too much waits;
    /// [`StoreError::KeyReused`](crate::StoreError::KeyReused);
    /// [`StoreError::KeySpent`](crate::StoreError::KeySpent); [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted>;

    /// Applies an event to a flow and stores what follows, tasks included. Waits while too much waits before
    /// it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](crate::StoreError::NotFound);
    /// [`StoreError::Quarantined`](crate::StoreError::Quarantined);
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied>;

    /// Applies a carrier's receipt to the message that it concerns, or keeps it until that is known. If one
    /// message has the id, that is enough; if several have it, or none, `recipient` decides, as the carrier
    /// wrote it.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched>;

    /// Keeps a receipt that a carrier could not read, at most 10,000 of them, for an operator.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn keep_unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()>;

    /// Keeps what a handset sent, at most 1,000,000 messages. The segments of a message that come within a
    /// day of its first one are joined; one that comes again replaces itself.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn keep_inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()>;

    /// The flows with these ids, each at its id's place; `None` for one that is not there or can't be read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn load(&self, ids: Vec<Uuid>) -> Result<Vec<Option<Flow>>> {
        self.load_within(ids, usize::MAX).await
    }

    /// Reads flows as [`Flows::load`] does, but only as many of the first ids as have at most `bytes_max`
    /// octets together, and at least one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>>;

    /// At most `limit` flows of an application whose second or later step goes to `recipient`, and the first
    /// one to another.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn flows_to_later_recipient(
        &self,
        application: String,
        recipient: String,
        limit: usize,
    ) -> Result<Vec<Uuid>>;

    /// At most `limit` flows, newest first, with a part that a carrier, whichever, calls `reference`; of each
    /// carrier's at most the 65 newest are looked at.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn flows_by_reference(&self, reference: String, limit: usize) -> Result<Vec<Uuid>>;

    /// Removes these flows of an application, and everything that says where they went and what they said.
    /// Those that are open are cancelled. Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize>;

    /// Makes dead callbacks owed again whose replay was requested by
    /// [`Admin::request_replay`](crate::Admin::request_replay); returns for how many flows.
    ///
    /// # Errors
    /// [`StoreError::Full`](crate::StoreError::Full);
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn replay_requested(&self, now_ms: i64) -> Result<usize>;

    /// The target of a short link, while it works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>>;
}

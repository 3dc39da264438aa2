//! Keeps flows and tasks, durably; tells what changed.
//!
//! [`Store`] is the interface: flows, events and tasks, never SQL and never one process. Every transaction
//! touches one flow, and its application's balance where that is counted. [`SqliteStore`] keeps everything in one SQLite file; [`Admin`] is the small door to the same
//! file that the command line uses while a server runs.

mod application;
mod inbound;
mod lane;
mod queue;
mod recipient;
mod sealing;
mod sqlite;
mod suppression;
mod turns;
mod unmatched;

pub use application::{
    Application, ApplicationLimits, ApplicationSettings, CallbackKey, DeadCallback, NewApplication, Token,
    TokenTtl, callback_secret,
};
pub use inbound::{InboundMessage, InboundOctets, InboundSegment, StoredInbound};
pub use lane::Lane;
pub use queue::{Admission, Admit, Offer, admit_all};
pub use sealing::Keyring;
pub use sqlite::{Admin, OpenReport, SqliteOptions, SqliteStore, Threads};
pub use suppression::{Cautions, Reserved, Suppression};
pub use unmatched::{UnmatchedReceipt, UnreadReceipt};

use async_trait::async_trait;
use flow::{Applied, CarrierRef, Channel, Event, Flow, Price, Receipt, TaskKind};
use std::sync::Arc;
use uuid::Uuid;

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
    Unavailable(String),
}

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

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

/// A task that the caller now has to do, with its flow as it is.
#[derive(Debug)]
pub struct Claim {
    /// The flow.
    pub flow: Arc<Flow>,
    /// What to do for it.
    pub task: TaskKind,
}

/// A flow that changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is new or another one than before.
    Put(Arc<Flow>),
    /// It was pruned or erased.
    Removed {
        /// The application that owned it.
        application: String,
        /// Its id.
        id: Uuid,
        /// When it was accepted, Unix milliseconds.
        created_ms: i64,
        /// Nothing of it may be left anywhere.
        erased: bool,
    },
}

/// A flow that was set aside.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its id.
    pub tracking_id: Uuid,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Why.
    pub reason: String,
    /// Octets of its document, where it is there.
    pub octets: Option<u64>,
}

/// Called with the changes of each commit, in order, and the position that the change feed has with them, before the
/// callers of that commit get their answers.
pub type Observer = Box<dyn FnMut(&[Change], u64) + Send>;

/// Draws a new id; the argument is the time, Unix milliseconds.
pub type Ids = Arc<dyn Fn(i64) -> Uuid + Send + Sync>;

/// How old things may get.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Closed flows accepted before this, and messages of handsets that came before it, are pruned, Unix milliseconds.
    pub flows_before_ms: i64,
    /// Idempotency keys and receipts without a message from before this, and tokens and short links that ended
    /// before it, are forgotten, Unix milliseconds.
    pub keys_before_ms: i64,
    /// Receipts that a carrier could not make sense of from before this are forgotten, Unix milliseconds.
    pub unmatched_before_ms: i64,
}

impl Retention {
    /// Nothing is too old.
    pub const EVERYTHING: Retention =
        Retention { flows_before_ms: 0, keys_before_ms: 0, unmatched_before_ms: 0 };
}

/// What pruning came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pruned {
    /// Flows that were removed.
    pub flows: usize,
    /// There is more to remove.
    pub more: bool,
}

/// Keeps flows and tasks. Times are Unix milliseconds and come in as arguments.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores a new flow with its first tasks. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once when the queue is full; [`StoreError::KeyReused`];
    /// [`StoreError::Unavailable`].
    async fn accept(&self, flow: Flow, key: Option<IdempotencyKey>, now_ms: i64) -> Result<Accepted>;

    /// Applies an event to a flow and stores what follows, tasks included. Durable when it returns. Waits while
    /// the queue is full.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    async fn apply(&self, id: Uuid, event: Event, now_ms: i64) -> Result<Applied>;

    /// Applies a carrier's receipt to the message that it concerns, or keeps it until that is known. An id that one message
    /// has is enough; if several have it, or none, `recipient` tells, as the carrier wrote it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn receipt(
        &self,
        carrier: CarrierRef,
        recipient: Option<String>,
        receipt: Receipt,
        now_ms: i64,
    ) -> Result<Matched>;

    /// Keeps a receipt that a carrier could not make sense of, at most 10,000 of them, for an operator. Durable when it
    /// returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn unread(&self, carrier: String, receipt: UnreadReceipt, now_ms: i64) -> Result<()>;

    /// Keeps what a handset sent, at most 1,000,000 messages. The segments of a message that come within a day of its first
    /// one are joined; one that comes again takes its own place. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn inbound(&self, message: InboundMessage, now_ms: i64) -> Result<()>;

    /// Takes at most `limit` due tasks of a lane that `admit` grants, from the applications in turn. A task
    /// that is still owed `lease_ms` later can be taken again. What is not granted costs no reading, and is
    /// asked for again when a quarter of a second is over or when it is [resumed](Store::resume).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what was granted is due again.
    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>>;

    /// Lets a lane's tasks of an application to a target be asked for again.
    fn resume(&self, lane: Lane, application: &str, target: &str);

    /// Gives a claimed task back, to be taken at `at_ms` at the earliest.
    fn put_off(&self, id: Uuid, task: TaskKind, at_ms: i64);

    /// Corrects the due times of a lane. Where the clock `jumped`, what was decided while it was further ahead is due as
    /// much earlier. And nothing is due after `latest_ms`. Answers how many tasks were moved.
    fn pull_in(&self, lane: Lane, jumped: bool, now_ms: i64, latest_ms: i64) -> usize;

    /// When the lane's next task is due.
    fn next_due_ms(&self, lane: Lane) -> Option<i64>;

    /// Returns when the lane may have an earlier task than [`Store::next_due_ms`] said.
    async fn woken(&self, lane: Lane);

    /// The flow as it is now, where it is in memory.
    fn recent(&self, id: Uuid) -> Option<Arc<Flow>>;

    /// The flows with these ids, each at its id's place; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn load(&self, ids: Vec<Uuid>) -> Result<Vec<Option<Flow>>>;

    /// The change feed: at most `limit` changes after position `after`, in their order, each with its position. A
    /// flow stands in it once, at its last change. From 0 it yields every flow.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn changes(&self, after: u64, limit: usize) -> Result<Vec<(u64, Change)>>;

    /// The position of the last change in the feed; 0 when nothing ever changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn position(&self) -> Result<u64>;

    /// The number of this life of the process, drawn when the store was opened.
    fn writer(&self) -> i64;

    /// Whether the store has everything that life `writer` had in its feed up to `position`: not so where a database came
    /// back from a backup, or went on elsewhere.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn has(&self, writer: i64, position: u64) -> Result<bool>;

    /// Lets the feed forget removals up to a position: whoever follows it has them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn forget_removals(&self, until: u64) -> Result<()>;

    /// Prunes what is too old, of each kind at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn prune(&self, retention: Retention, limit: usize) -> Result<Pruned>;

    /// The last time that [`Store::see`] kept, Unix milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn last_seen_ms(&self) -> Result<Option<i64>>;

    /// Keeps a time that the clock showed when it was right: at the next start it tells whether the clock can
    /// be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn see(&self, now_ms: i64) -> Result<()>;

    /// Removes these flows of an application if they are closed; answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn prune_flows(&self, application: String, ids: Vec<Uuid>) -> Result<usize>;

    /// Removes these flows of an application, and everything that says where they went and what they said. Those that
    /// are under way are cancelled. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn erase(&self, application: String, ids: Vec<Uuid>, now_ms: i64) -> Result<usize>;

    /// At most `limit` flows of an application whose second or later step goes to a recipient, and the first one to another.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn later_flows(&self, application: String, recipient: String, limit: usize) -> Result<Vec<Uuid>>;

    /// The applications with a [`ApplicationSettings::retention_days`] of their own, and it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn retentions(&self) -> Result<Vec<(String, u32)>>;

    /// Makes callbacks owed again whose replay was asked for by [`Admin::request_replay`]; answers for how many
    /// flows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn replay_requested(&self, now_ms: i64) -> Result<usize>;

    /// Where a short link leads, while it works.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>>;

    /// Holds what a part will cost, which is about to be handed over, or ends its flow where the application's balance
    /// can't pay it. What was held and not charged in the end goes back by itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn reserve(&self, id: Uuid, message: u16, part: u16, price: Price, now_ms: i64)
    -> Result<Reserved>;

    /// Remembers that a recipient wants no more messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn suppress(&self, suppression: Suppression) -> Result<()>;

    /// Forgets that; answers whether there was something to forget.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn unsuppress(&self, application: String, channel: Channel, recipient: String) -> Result<bool>;

    /// Whether a recipient wants no more messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn is_suppressed(&self, application: String, channel: Channel, recipient: String) -> Result<bool>;

    /// At most `limit` of an application's recipients who want no more messages, by number, behind `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>>;

    /// The applications whose messages are looked at before they are handed over, and the callback keys that were
    /// changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn cautions(&self) -> Result<Cautions>;

    /// The application with this id, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn application(&self, id: String) -> Result<Option<Application>>;

    /// Keeps a token until it expires, and ends tokens of its application that would end first, so that it has at most
    /// `most`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn add_token(&self, token: Token, most: usize) -> Result<()>;

    /// The token with this SHA-256, and its application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>>;

    /// Writes something of no meaning as a new flow would be written, and of a new flow's size: whether flows can be
    /// accepted now.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] at once when the queue is full; [`StoreError::Unavailable`].
    async fn probe(&self) -> Result<()>;

    /// Reads flows as [`Store::load`] does, but only as many of the first ids as have at most `bytes_max` octets on disk
    /// together, and at least one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>>;

    /// The key that this installation's application secrets are hashed with.
    fn secret_key(&self) -> &[u8; 32];
}

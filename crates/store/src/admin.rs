//! Administration: what commands do beside a running server, or without one.

use crate::application::{Application, ApplicationLimits, CallbackKey, NewApplication};
use crate::audit::Audit;
use crate::error::Result;
use crate::halts::HaltedCarrier;
use crate::inbound::StoredInbound;
use crate::operators::Operators;
use crate::statistics::RebuiltStatistics;
use crate::suppression::Suppression;
use crate::unmatched::UnmatchedReceipt;
use async_trait::async_trait;
use flow::{Channel, Price};
use serde::Serialize;
use uuid::Uuid;

/// A callback that was given up: a dead letter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadCallback {
    /// The flow.
    pub tracking_id: Uuid,
    /// The application that owns it.
    pub application_id: String,
    /// Where it was to go.
    pub url: String,
    /// Its `webhook-id`.
    pub webhook_id: Uuid,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
}

/// A flow that was set aside.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its id.
    pub tracking_id: Uuid,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Why.
    pub reason: String,
    /// Octets of its document, if it is there.
    pub octets: Option<u64>,
}

/// Some documents that were looked at, and which of them were written anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The last flow of them: the next call goes on behind it. `None` if there was none.
    pub last: Option<Uuid>,
    /// How many flows.
    pub flows: usize,
    /// How many documents were written anew.
    pub rewritten: usize,
    /// How many could not be read, and stay.
    pub unreadable: usize,
    /// Octets of those that were written anew, before.
    pub octets_before: u64,
    /// Octets of them now, but for what encryption adds.
    pub octets_after: u64,
}

impl Compacted {
    /// Counts others to these.
    pub fn add(&mut self, others: &Compacted) {
        self.last = others.last.or(self.last);
        self.flows += others.flows;
        self.rewritten += others.rewritten;
        self.unreadable += others.unreadable;
        self.octets_before += others.octets_before;
        self.octets_after += others.octets_after;
    }
}

/// Administration of a store, held by a handle of its own: commands use it while a server runs on the same
/// data. What it changes, a running server follows within seconds. Each write is durable when it returns.
#[async_trait]
pub trait Admin: Operators + Audit {
    /// The key that application secrets are hashed with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn secret_key(&self) -> Result<[u8; 32]>;

    /// Stores a new application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_application(&self, new: &NewApplication) -> Result<()>;

    /// Every application, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn applications(&self) -> Result<Vec<Application>>;

    /// An application, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn application(&self, id: &str) -> Result<Option<Application>>;

    /// Gives an application its own limits; returns whether there is such an application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn set_limits(&self, id: &str, limits: ApplicationLimits) -> Result<bool>;

    /// Takes all rights from an application and ends its tokens; returns whether there was one to revoke.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn revoke_application(&self, id: &str, now_ms: i64) -> Result<bool>;

    /// Gives an application another secret and ends its tokens. Returns the new secret; `None` if there is no
    /// such application, or it was revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn rotate_secret(&self, id: &str) -> Result<Option<String>>;

    /// Gives an application another key for its callbacks' signatures; the previous one signs beside it for
    /// [`CallbackKey::GRACE_MS`]. Returns the key; `None` if there is no such application, or it was revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn rotate_callback_key(&self, id: &str, now_ms: i64) -> Result<Option<CallbackKey>>;

    /// What an application may still spend; `None` if it has no balance.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn balance(&self, application: &str) -> Result<Option<Price>>;

    /// Sets what an application may still spend, or takes its balance away; returns whether there is such an
    /// application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn set_balance(&self, application: &str, balance: Option<Price>) -> Result<bool>;

    /// Adds to what an application may still spend. Returns the new balance; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn add_balance(&self, application: &str, amount: Price) -> Result<Option<Price>>;

    /// Keeps that recipients opted out, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn suppress(&self, suppressions: &[Suppression]) -> Result<()>;

    /// Forgets that a recipient opted out; returns whether it had.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn unsuppress(&self, application: &str, channel: Channel, recipient: &str) -> Result<bool>;

    /// At most `limit` of an application's recipients who opted out, by number, after `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn suppressions(
        &self,
        application: &str,
        channel: Channel,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Suppression>>;

    /// The callbacks that were given up, of at most `limit` flows, oldest flows first; of the applications
    /// `of` alone, where it says some. It needs the keys that flows are encrypted with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn dead_callbacks(&self, of: Option<&[String]>, limit: usize) -> Result<Vec<DeadCallback>>;

    /// Asks the server (the running one, or the next) to make a flow's dead callbacks again, or those of
    /// every flow; returns for how many flows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn request_replay(&self, id: Option<Uuid>) -> Result<usize>;

    /// Gives carriers nothing new from now on, all of them or none; one that is halted so already stays as it
    /// is, with its time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn halt_carriers(&self, halted: &[HaltedCarrier]) -> Result<()>;

    /// Lets a carrier run again, or every carrier; returns how many were halted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn resume_carriers(&self, carrier: Option<&str>) -> Result<usize>;

    /// The carriers that are halted, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>>;

    /// At most `limit` flows that were set aside, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>>;

    /// Lets a flow that was set aside be tried again from the server's next start on; returns whether it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn release(&self, id: Uuid) -> Result<bool>;

    /// Looks at `limit` flows after `after`, in the order of their ids, and writes those documents anew that
    /// an older version wrote, or that are not encrypted with the key that is used now. It needs the keys
    /// that flows are encrypted with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn compact(&self, after: Option<Uuid>, limit: usize) -> Result<Compacted>;

    /// Makes the statistics anew from the stored flows of each application, from the quarter of an hour of
    /// its oldest one on; older ones stay as they are. Flows that were pruned or erased since are not counted
    /// any more. No server must use the data meanwhile. It needs the keys that flows are encrypted with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn rebuild_statistics(&self) -> Result<RebuiltStatistics>;

    /// At most `limit` receipts that reached no message, the newest first: those that a carrier could not
    /// read, and those whose message was still not known after a minute. `now_ms` is the time, Unix
    /// milliseconds. It needs the keys that flows are encrypted with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn unmatched_receipts(&self, limit: usize, now_ms: i64) -> Result<Vec<UnmatchedReceipt>>;

    /// At most `limit` messages from handsets, the newest first, those with missing segments among them; from
    /// one number, or from all. It needs the keys that flows are encrypted with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable).
    async fn inbound(&self, limit: usize, from: Option<&str>) -> Result<Vec<StoredInbound>>;
}

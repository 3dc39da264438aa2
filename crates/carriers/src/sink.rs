//! Where what carriers hear goes.

use crate::{HandsetMessage, Outcome};
use async_trait::async_trait;
use flow::{CarrierRef, Receipt};
use uuid::Uuid;

/// A delivery receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The carrier, and what it calls the message.
    pub reference: CarrierRef,
    /// The recipient as the carrier wrote it: it may be international, national or masked. `None` if it wrote none.
    pub recipient: Option<String>,
    /// What became of the message.
    pub receipt: Receipt,
}

/// A part that was handed to a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PartRef {
    /// Its flow.
    pub flow: Uuid,
    /// The position of its message.
    pub message: u16,
    /// Its position in the message.
    pub part: u16,
}

/// Why a receipt means nothing to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnreadReason {
    /// It names no message.
    NoId,
    /// It names a message and says nothing about it.
    NoStatus,
    /// Its status is a word that is in no table.
    UnknownWord,
}

impl UnreadReason {
    /// Its name in metrics, logs and lists; stored, so it never changes.
    pub const fn name(self) -> &'static str {
        match self {
            UnreadReason::NoId => "no-id",
            UnreadReason::NoStatus => "no-status",
            UnreadReason::UnknownWord => "unknown-word",
        }
    }
}

/// A receipt that means nothing to us; an operator may see more in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unread {
    /// Why.
    pub why: UnreadReason,
    /// Its text.
    pub text: String,
    /// What it calls the message.
    pub reference: Option<String>,
    /// Its word for the status.
    pub word: Option<String>,
    /// Its error code.
    pub error: Option<String>,
    /// The recipient as the carrier wrote it.
    pub recipient: Option<String>,
}

/// What a carrier told could not be stored; the carrier should tell it again.
#[derive(Debug, thiserror::Error)]
#[error("what a carrier told could not be stored")]
pub struct NotStored;

/// Where what carriers hear goes. With `Ok` it is durable, and the carrier's side may be told so.
#[async_trait]
pub trait CarrierSink: Send + Sync + 'static {
    /// Takes a delivery receipt.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn report(&self, report: Report) -> Result<(), NotStored>;

    /// Takes the answer to a hand-over that was reported as [`Outcome::Unknown`] before. Call it once for each such
    /// hand-over, after [`Carrier::submit`](crate::Carrier::submit) returned; [`Outcome::Unknown`] means nothing here.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn answered_late(&self, part: PartRef, carrier: &str, outcome: Outcome) -> Result<(), NotStored>;

    /// Takes a receipt that means nothing to us, so that an operator finds it.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn unread(&self, carrier: &str, unread: Unread) -> Result<(), NotStored>;

    /// Takes what a handset sent.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn handset_message(&self, carrier: &str, message: HandsetMessage) -> Result<(), NotStored>;
}

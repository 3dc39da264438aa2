//! Where carriers put what they receive.

use crate::carrier::Outcome;
use crate::handset::HandsetMessage;
use crate::outgoing::PartRef;
use async_trait::async_trait;
use flow::{CarrierRef, Receipt};
use tokio::sync::mpsc::UnboundedSender;

/// A delivery receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The carrier, and what it calls the message.
    pub reference: CarrierRef,
    /// The recipient as the carrier wrote it: it may be international, national or masked. `None` if it wrote
    /// none.
    pub recipient: Option<String>,
    /// What became of the message.
    pub receipt: Receipt,
}

/// Why a receipt can't be understood.
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

/// A receipt that can't be understood; an operator may see more in it.
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

/// What a carrier reported could not be stored; the carrier should report it again.
#[derive(Debug, thiserror::Error)]
#[error("what a carrier told could not be stored")]
pub struct NotStored;

/// Where carriers put what they receive. With `Ok` it is durable and may be acknowledged.
#[async_trait]
pub trait CarrierSink: Send + Sync + 'static {
    /// Takes a delivery receipt.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn report(&self, report: Report) -> Result<(), NotStored>;

    /// Takes the answer to a hand-over that was reported as [`Outcome::Unknown`] before. Call it once for
    /// each such hand-over, after [`Carrier::submit`](crate::Carrier::submit) returned; [`Outcome::Unknown`]
    /// means nothing here.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn answered_late(&self, part: PartRef, carrier: &str, outcome: Outcome) -> Result<(), NotStored>;

    /// Takes a receipt that can't be understood, so that an operator finds it.
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

/// A [`CarrierSink`] that passes receipts on and takes nothing else: for a carrier that reports nothing else,
/// such as one that makes calls. When nobody reads the receipts any more, they are not stored.
///
/// ```
/// use carriers::ReceiptsOnly;
///
/// let (sender, _receipts) = tokio::sync::mpsc::unbounded_channel();
/// let sink = std::sync::Arc::new(ReceiptsOnly(sender));
/// # let _: std::sync::Arc<dyn carriers::CarrierSink> = sink;
/// ```
pub struct ReceiptsOnly(pub UnboundedSender<Receipt>);

#[async_trait]
impl CarrierSink for ReceiptsOnly {
    async fn report(&self, report: Report) -> Result<(), NotStored> {
        self.0.send(report.receipt).map_err(|_| NotStored)
    }

    async fn answered_late(&self, _: PartRef, _: &str, _: Outcome) -> Result<(), NotStored> {
        Ok(())
    }

    async fn unread(&self, _: &str, _: Unread) -> Result<(), NotStored> {
        Ok(())
    }

    async fn handset_message(&self, _: &str, _: HandsetMessage) -> Result<(), NotStored> {
        Ok(())
    }
}

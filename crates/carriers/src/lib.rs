//! Hands a message to the outside world and brings its receipts back.
//!
//! A [`Carrier`] is a configured way out. It gets one part at a time and answers with an [`Outcome`]; what it
//! hears later goes to the [`ReceiptSink`]. It decides nothing about the flow.

pub mod backoff;
pub mod config;
mod sandbox;
mod smpp;

pub use sandbox::{Sandbox, SandboxConfig};
pub use smpp::{Smpp, SmppConfig};

use async_trait::async_trait;
use flow::{CarrierRef, Detail, Flow, Message, Part, Receipt, Step};
use std::sync::Arc;
use std::time::Duration;

/// A part on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its flow, as it was when the part became due.
    pub flow: Arc<Flow>,
    /// The position of its message (and step).
    pub message: u16,
    /// The part's position in the message.
    pub part: u16,
    /// Refusals so far that allowed another attempt.
    pub attempts: u32,
    /// How long the message has left to live.
    pub time_left: Duration,
}

impl Outgoing {
    /// Its step.
    pub fn step(&self) -> &Step {
        &self.flow.steps[usize::from(self.message)]
    }

    /// Its message.
    pub fn message(&self) -> &Message {
        &self.flow.state.messages[usize::from(self.message)]
    }

    /// The part itself.
    pub fn part(&self) -> &Part {
        &self.message().parts[usize::from(self.part)]
    }
}

/// What became of handing over a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The carrier took it.
    Accepted {
        /// What the carrier's receipts will call it.
        reference: String,
    },
    /// The carrier will never take it.
    Refused {
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// Not now: throttled, queue full, not connected. The carrier does not have it.
    Later {
        /// Why, for logs and metrics.
        reason: &'static str,
        /// When the carrier said to come back.
        after: Option<Duration>,
    },
    /// The carrier may have it or not: the connection or the answer was lost after sending.
    Unknown {
        /// Why, for logs and metrics.
        reason: &'static str,
    },
}

/// A configured way out.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Hands over one part. Never called twice at once for the same part.
    async fn submit(&self, outgoing: &Outgoing) -> Outcome;

    /// Whether it takes all parts of a message as one, by its first part; the others are then not handed over.
    fn takes_whole(&self) -> bool {
        false
    }

    /// Whether it could take a message now, as far as it knows.
    fn is_up(&self) -> bool;

    /// Ends its connections after what is under way; the caller bounds how long.
    async fn close(&self);
}

/// A receipt could not be stored; the carrier should offer it again.
#[derive(Debug, thiserror::Error)]
#[error("the receipt could not be stored")]
pub struct NotStored;

/// Where receipts go.
#[async_trait]
pub trait ReceiptSink: Send + Sync + 'static {
    /// Stores a receipt. When it returns `Ok`, the receipt is safe and the carrier may be told so.
    ///
    /// # Errors
    /// [`NotStored`].
    async fn take(&self, carrier: CarrierRef, receipt: Receipt) -> Result<(), NotStored>;
}

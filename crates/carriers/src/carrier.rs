//! A carrier, and what it answers.

use crate::outgoing::Outgoing;
use crate::posted::{Heard, Posted, ReceiptError};
use async_trait::async_trait;
use flow::{Detail, Restrictions, Step};
use std::time::Duration;

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
        /// When the carrier wants it again, if it said so.
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

    /// Returns what its receipts would call a part whose hand-over had an unknown outcome, if that is known
    /// beforehand.
    fn expected_reference(&self, _outgoing: &Outgoing) -> Option<String> {
        None
    }

    /// Returns why it could never carry such a step, if that is known beforehand.
    fn refuses(&self, _step: &Step, _restrictions: Option<&Restrictions>) -> Option<String> {
        None
    }

    /// Reads what its provider posted to us.
    ///
    /// # Errors
    /// [`ReceiptError`]; then nothing of the post counts.
    fn read_receipts(&self, _posted: &Posted<'_>) -> Result<Vec<Heard>, ReceiptError> {
        Err(ReceiptError::NotSupported)
    }

    /// Returns whether it takes all parts of a message as one, by its first part; the others are then not
    /// handed over.
    fn accepts_whole_message(&self) -> bool {
        false
    }

    /// Returns whether it sends one receipt for a whole message although it takes its parts one by one: a
    /// receipt for any part then counts for each part that it took.
    fn receipts_cover_message(&self) -> bool {
        false
    }

    /// How many more messages it wants to be given now. Its window limits them as well.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Waits until it wants the next message, if it paces itself. A message that waits here counts in its
    /// window.
    async fn until_admitted(&self) {}

    /// What else an operator may want to see of it: names and values.
    fn figures(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Returns whether it could take a message now, as far as it knows.
    fn is_up(&self) -> bool;

    /// Waits for what is under way and ends its connections; the caller bounds how long.
    async fn close(&self);
}

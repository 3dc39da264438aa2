//! Hands a message to the outside world and brings its receipts back.
//!
//! A [`Carrier`] is a configured way out. It gets one part at a time and answers with an [`Outcome`]; what it
//! hears later goes to the [`CarrierSink`]. It decides nothing about the flow.

pub mod backoff;
pub mod body;
pub mod config;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handset;
mod http;
pub mod retry_after;
mod sandbox;
mod sink;
mod sip;
mod smpp;

pub use handset::{Encoding, HandsetMessage, Segment};
pub use http::{Http, HttpConfig, Provider};
pub use sandbox::{Sandbox, SandboxConfig};
pub use sink::{CarrierSink, NotStored, PartRef, Report, Unread, UnreadReason};
pub use sip::{Sip, SipConfig, Trace};
pub use smpp::{Dial as SmppDial, Smpp, SmppConfig};

use async_trait::async_trait;
use flow::{Detail, Flow, Message, Part, Receipt, Restrictions, Step, Verb};
use std::net::IpAddr;
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
    /// Who it is from, as this carrier knows the sender.
    pub sender: String,
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

    /// Which part it is, for [`CarrierSink::answered_late`].
    pub fn part_ref(&self) -> PartRef {
        PartRef { flow: self.flow.id, message: self.message, part: self.part }
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

    /// What its receipts would call a part whose hand-over had an unknown outcome, where that is known beforehand.
    fn expected_reference(&self, _outgoing: &Outgoing) -> Option<String> {
        None
    }

    /// Why it could never carry such a step, as far as it can tell beforehand.
    fn refuses(&self, _step: &Step, _restrictions: Option<&Restrictions>) -> Option<String> {
        None
    }

    /// Reads what its provider posted to us.
    ///
    /// # Errors
    /// When nothing is expected, or what came is forged or nothing of it can be read; then none of it counts.
    fn read_receipts(&self, _posted: &Posted<'_>) -> Result<Vec<Heard>, ReceiptError> {
        Err(ReceiptError::NotSupported)
    }

    /// Whether it takes all parts of a message as one, by its first part; the others are then not handed over.
    fn takes_whole(&self) -> bool {
        false
    }

    /// Whether it sends one receipt for a whole message although it takes its parts one by one: a receipt for any part
    /// then counts for each part that it took.
    fn receipts_cover_message(&self) -> bool {
        false
    }

    /// How many more messages it wants to be given now. Its window limits them as well.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Waits until it wants the next message, where it paces itself. A message that waits here counts in its window.
    async fn until_admitted(&self) {}

    /// What else an operator may want to see of it: names and values.
    fn figures(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Whether it could take a message now, as far as it knows.
    fn is_up(&self) -> bool;

    /// Ends its connections after what is under way; the caller bounds how long.
    async fn close(&self);
}

/// A request that a provider made to us.
#[derive(Clone, Copy, Debug)]
pub struct Posted<'a> {
    /// The URL as the provider knows it, with the query.
    pub url: &'a str,
    /// The query, without the question mark.
    pub query: &'a str,
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
    /// The time, Unix milliseconds.
    pub now_ms: i64,
}

impl Posted<'_> {
    /// The first header with a name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Something that a provider told us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// What became of a message.
    Receipt {
        /// What the carrier calls it.
        reference: String,
        /// The report.
        receipt: Receipt,
    },
    /// A status that we have no word for.
    Unknown {
        /// What the carrier calls the message.
        reference: String,
        /// Its word.
        word: String,
    },
    /// A status that tells nothing new.
    Nothing,
    /// An item among others that can't be read; those count all the same.
    Malformed {
        /// What is wrong with it, without anything of it.
        why: String,
    },
    /// A recipient wrote back.
    Message(InboundMessage),
    /// A recipient wants no more messages.
    OptOut {
        /// Who, E.164.
        from: String,
        /// As [`InboundMessage::key`].
        key: String,
    },
    /// A recipient takes that back.
    OptIn {
        /// Who, E.164.
        from: String,
        /// As [`InboundMessage::key`].
        key: String,
    },
}

/// What a recipient wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboundMessage {
    /// Who, E.164.
    pub from: String,
    /// What.
    pub text: Option<String>,
    /// A file with it.
    pub media_url: Option<String>,
    /// The name of that file, where the provider tells it.
    pub file_name: Option<String>,
    /// When it was written by the provider's clock, Unix milliseconds, where it tells.
    pub sent_ms: Option<i64>,
    /// What tells it from others, and is the same each time that the provider tells it: the provider's id of
    /// it, or a hash of what it posted.
    pub key: String,
}

/// Why nothing was read from what was posted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The carrier expects nothing to be posted.
    #[error("this carrier takes no receipts here")]
    NotSupported,
    /// The provider did not send it.
    #[error("the receipt is not signed as configured")]
    Forged,
    /// It can't be read.
    #[error("the receipt can't be read: {0}")]
    Malformed(String),
    /// The body is compressed, which is not taken.
    #[error("the receipt is compressed")]
    Encoded,
}

/// Fetches what calls need from clients' servers; only from where callbacks may go, and within limits.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// A file.
    ///
    /// # Errors
    /// Why it could not be had.
    async fn get(&self, url: &str) -> Result<Vec<u8>, String>;

    /// The dial plan for a call that a machine answered.
    ///
    /// # Errors
    /// Why it could not be had.
    async fn dial_plan(&self, url: &str, call: &str) -> Result<Vec<Verb>, String>;

    /// Whether something may be sent to an address that a client or the other side of a call names.
    fn reaches(&self, address: IpAddr) -> bool;
}

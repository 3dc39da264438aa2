//! Hands a message to the outside world and brings its receipts back.
//!
//! A [`Carrier`] is a configured way out. It gets one part at a time and answers with an [`Outcome`]; what it
//! hears later goes to the [`CarrierSink`]. It decides nothing about the flow.

pub mod backoff;
pub mod body;
mod carrier;
pub mod config;
mod fetch;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handset;
mod http;
mod media_type;
pub mod outbound;
mod outgoing;
mod posted;
pub mod retry_after;
mod sandbox;
mod sink;
mod sip;
mod smpp;
mod trust;

pub use carrier::{Carrier, Outcome};
pub use fetch::{Fetch, FetchError};
pub use handset::{Encoding, HandsetMessage, Segment};
pub use http::{Http, HttpConfig, HttpError, Provider};
pub use outgoing::{Outgoing, PartRef};
pub use posted::{Heard, InboundMessage, MalformedPost, MissingField, Posted, ReceiptError};
pub use sandbox::{Sandbox, SandboxConfig};
pub use sink::{CarrierSink, NotStored, ReceiptsOnly, Report, Unread, UnreadReason};
pub use sip::{BindError, NotAHost, Sip, SipConfig, SipError, Trace, TrunkError};
pub use smpp::{Dial as SmppDial, Smpp, SmppConfig, SmppConfigError};
pub use trust::TrustError;

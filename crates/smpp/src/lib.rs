//! SMPP 3.4 for clients, as SMSCs speak it: a codec bounded by `command_length` that keeps what it can't
//! read, and a session without I/O, driven by a thin pump.
//!
//! SMSCs differ, and few of them follow the specification. So:
//!
//! - **Nothing within a PDU ends a session.** Fields that are missing, cut off, too long or superfluous are
//!   reported as [`Flaw`]s with what could be read. Only a `command_length` that no PDU can have ends one,
//!   since where the next PDU begins is unknown.
//! - **A header says enough.** Status 0 is an acceptance and another status a refusal, whatever the body is;
//!   an answer of another kind with status 0 is [`Answer::Unclear`].
//! - **Every request is answered once**: `enquire_link` and `unbind` by the session, messages by
//!   [`Client::answer`] when they are durable, anything else with an error.
//! - **Every submit gets one outcome**: answered, or [`Unanswered`], which means unknown. An answer that
//!   comes   after all is reported as a late one, for as long as the caller said that it matters.
//! - **An unbind ends the submitting, not the reading**: outstanding answers are waited for.
//! - **Everything has a limit**: the window, what waits to be written, what waits to be answered, and how
//!   long.
//!
//! # A client
//!
//! [`Client`] drives a session over any stream; [`dial`] connects one over TCP or TLS.
//!
//! ```
//! use smpp::{Answer, Bind, BindKind, BindResp, Client, CommandStatus, Incoming, Message};
//! use smpp::{MessageResp, Pdu, Settings};
//! use std::time::Duration;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ours, mut smsc) = tokio::io::duplex(4096);
//! # tokio::spawn(async move {
//! #     let mut octets = [0; 4096];
//! #     let mut out = Vec::new();
//! #     smsc.read(&mut octets).await.unwrap();
//! #     let granted = Pdu::BindResp(BindKind::Transceiver, BindResp::default());
//! #     granted.encode(CommandStatus::OK, 1, &mut out).unwrap();
//! #     smsc.write_all(&out).await.unwrap();
//! #     smsc.read(&mut octets).await.unwrap();
//! #     out.clear();
//! #     let resp = MessageResp { message_id: "m1".to_owned(), ..MessageResp::default() };
//! #     Pdu::SubmitSmResp(resp).encode(CommandStatus::OK, 2, &mut out).unwrap();
//! #     smsc.write_all(&out).await.unwrap();
//! #     smsc.read(&mut octets).await.unwrap();
//! # });
//! let bind = Bind { system_id: "acme".to_owned(), ..Bind::default() };
//! let (client, mut incoming) = Client::start(ours, Settings::new(BindKind::Transceiver, bind))?;
//! assert!(matches!(incoming.recv().await, Some(Incoming::Bound(_))));
//!
//! let message = Message { short_message: b"Your parcel is here.".to_vec(), ..Message::default() };
//! // Called "parcel", should its answer come late; that matters for an hour.
//! match client.submit("parcel", message, Duration::from_secs(3600)).await? {
//!     Answer::Accepted { message_id, .. } => assert_eq!(message_id, "m1"),
//!     other => panic!("{other:?}"),
//! }
//! // `incoming` has receipts, messages, late answers and the end.
//! # Ok(())
//! # }
//! ```
//!
//! # A session without I/O
//!
//! [`Session`] takes octets and instants, and gives octets, events and the next deadline. It can be driven by
//! any runtime, or by a test through every split and delay.
//!
//! ```
//! use smpp::{Bind, BindKind, BindResp, CommandStatus, Event, Message, Pdu, Session, Settings};
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut now = Instant::now();
//! let settings = Settings::new(BindKind::Transmitter, Bind::default());
//! let response_timeout = settings.response_timeout;
//! let mut session = Session::new(settings, now)?;
//! let bind = session.output().len();
//! session.wrote(bind, now);
//!
//! let mut granted = Vec::new();
//! Pdu::BindResp(BindKind::Transmitter, BindResp::default()).encode(CommandStatus::OK, 1, &mut granted)?;
//! session.receive(&granted, now);
//! assert!(matches!(session.next_event(), Some(Event::Bound(_))));
//!
//! session.submit("parcel", Message::default(), Duration::ZERO, now)?;
//! let submit = session.output().len();
//! session.wrote(submit, now);
//! // Nothing comes.
//! now += response_timeout;
//! assert_eq!(session.deadline(), Some(now));
//! session.tick(now);
//! assert!(matches!(session.next_event(), Some(Event::Unanswered { token: "parcel", .. })));
//! # Ok(())
//! # }
//! ```
//!
//! [`Pace`] finds the rate that an SMSC takes, for all sessions of an account.

mod client;
mod command;
mod dial;
mod fields;
mod frame;
mod latin1;
mod message;
mod pace;
mod pdu;
mod session;
mod status;
pub mod tlv;

pub use client::{Client, Incoming, SubmitError};
pub use command::CommandId;
pub use dial::{Connection, dial};
pub use fields::{EncodeError, Flaw, FlawKind};
pub use frame::{BadLength, Frame, Frames, HEADER_OCTETS, Header};
pub use message::{Address, Message};
pub use pace::{Pace, Turn};
pub use pdu::{Bind, BindKind, BindResp, Decoded, MessageResp, Pdu, VERSION_3_4};
pub use session::{
    Answer, End, Event, NotSubmitted, OddKind, Oddity, Received, Session, Settings, Unanswered,
};
pub use status::CommandStatus;

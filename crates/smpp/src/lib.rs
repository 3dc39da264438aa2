//! SMPP 3.4 as clients meet it in life: a codec bounded by `command_length` that keeps what it can't read, and a session
//! without I/O, driven by a thin pump.

mod client;
mod command;
mod dial;
mod fields;
mod frame;
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

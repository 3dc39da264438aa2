//! SMPP 3.4 as clients meet it in life: a codec bounded by `command_length` that keeps what it can't read.

mod command;
mod fields;
mod frame;
mod message;
mod pdu;
mod status;
pub mod tlv;

pub use command::CommandId;
pub use fields::{EncodeError, Flaw, FlawKind};
pub use frame::{BadLength, Frame, Frames, HEADER_OCTETS, Header};
pub use message::{Address, Message};
pub use pdu::{Bind, BindKind, BindResp, Decoded, MessageResp, Pdu, VERSION_3_4};
pub use status::CommandStatus;

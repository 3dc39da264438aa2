//! The kind of a PDU: its `command_id` (SMPP 3.4, 5.1.2).

use std::fmt;

/// A `command_id`. Responses are their request's with [`RESPONSE`](CommandId::RESPONSE) set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u32);

impl CommandId {
    /// The bit that responses have.
    pub const RESPONSE: u32 = 0x8000_0000;

    /// `generic_nack` (4.3).
    pub const GENERIC_NACK: CommandId = CommandId(0x8000_0000);
    /// `bind_receiver` (4.1.3).
    pub const BIND_RECEIVER: CommandId = CommandId(0x01);
    /// `bind_transmitter` (4.1.1).
    pub const BIND_TRANSMITTER: CommandId = CommandId(0x02);
    /// `query_sm` (4.8).
    pub const QUERY_SM: CommandId = CommandId(0x03);
    /// `submit_sm` (4.4).
    pub const SUBMIT_SM: CommandId = CommandId(0x04);
    /// `deliver_sm` (4.6).
    pub const DELIVER_SM: CommandId = CommandId(0x05);
    /// `unbind` (4.2).
    pub const UNBIND: CommandId = CommandId(0x06);
    /// `replace_sm` (4.10).
    pub const REPLACE_SM: CommandId = CommandId(0x07);
    /// `cancel_sm` (4.9).
    pub const CANCEL_SM: CommandId = CommandId(0x08);
    /// `bind_transceiver` (4.1.5).
    pub const BIND_TRANSCEIVER: CommandId = CommandId(0x09);
    /// `outbind` (4.1.7), which has no response.
    pub const OUTBIND: CommandId = CommandId(0x0b);
    /// `enquire_link` (4.11).
    pub const ENQUIRE_LINK: CommandId = CommandId(0x15);
    /// `submit_multi` (4.5).
    pub const SUBMIT_MULTI: CommandId = CommandId(0x21);
    /// `alert_notification` (4.12), which has no response.
    pub const ALERT_NOTIFICATION: CommandId = CommandId(0x102);
    /// `data_sm` (4.7).
    pub const DATA_SM: CommandId = CommandId(0x103);

    /// Returns whether it answers a request.
    pub const fn is_response(self) -> bool {
        self.0 & CommandId::RESPONSE != 0
    }

    /// Its response; itself if it is one.
    pub const fn response(self) -> CommandId {
        CommandId(self.0 | CommandId::RESPONSE)
    }

    /// The request that it answers; itself if it is one.
    pub const fn request(self) -> CommandId {
        CommandId(self.0 & !CommandId::RESPONSE)
    }

    /// The specification's name of a request, `generic_nack`, or `None`.
    const fn request_name(self) -> Option<&'static str> {
        Some(match self.request() {
            CommandId::BIND_RECEIVER => "bind_receiver",
            CommandId::BIND_TRANSMITTER => "bind_transmitter",
            CommandId::QUERY_SM => "query_sm",
            CommandId::SUBMIT_SM => "submit_sm",
            CommandId::DELIVER_SM => "deliver_sm",
            CommandId::UNBIND => "unbind",
            CommandId::REPLACE_SM => "replace_sm",
            CommandId::CANCEL_SM => "cancel_sm",
            CommandId::BIND_TRANSCEIVER => "bind_transceiver",
            CommandId::OUTBIND => "outbind",
            CommandId::ENQUIRE_LINK => "enquire_link",
            CommandId::SUBMIT_MULTI => "submit_multi",
            CommandId::ALERT_NOTIFICATION => "alert_notification",
            CommandId::DATA_SM => "data_sm",
            _ => return None,
        })
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.request_name()) {
            (CommandId::GENERIC_NACK, _) => f.write_str("generic_nack"),
            (command, Some(name)) if command.is_response() => write!(f, "{name}_resp"),
            (_, Some(name)) => f.write_str(name),
            (command, None) => write!(f, "0x{:08X}", command.0),
        }
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! PDUs: decoding of frames, and encoding.

use crate::command::CommandId;
use crate::fields::{EncodeError, Flaw, Reader, put_c_string, put_tlvs};
use crate::frame::Frame;
use crate::message::Message;
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// What a session is bound for (SMPP 3.4, 2.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BindKind {
    /// Submits messages: `bind_transmitter`.
    Transmitter,
    /// Takes messages and receipts: `bind_receiver`.
    Receiver,
    /// Both: `bind_transceiver`.
    Transceiver,
}

impl BindKind {
    /// The command that asks for it.
    pub const fn command(self) -> CommandId {
        match self {
            BindKind::Transmitter => CommandId::BIND_TRANSMITTER,
            BindKind::Receiver => CommandId::BIND_RECEIVER,
            BindKind::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    /// Returns whether messages can be submitted.
    pub const fn can_submit(self) -> bool {
        !matches!(self, BindKind::Receiver)
    }

    /// Returns whether the SMSC sends messages and receipts.
    pub const fn can_receive(self) -> bool {
        !matches!(self, BindKind::Transmitter)
    }

    fn of(command: CommandId) -> Option<BindKind> {
        match command.request() {
            CommandId::BIND_TRANSMITTER => Some(BindKind::Transmitter),
            CommandId::BIND_RECEIVER => Some(BindKind::Receiver),
            CommandId::BIND_TRANSCEIVER => Some(BindKind::Transceiver),
            _ => None,
        }
    }
}

/// A bind request (4.1). Its texts may be longer than the specification allows: the SMSC judges.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bind {
    /// `system_id` (5.2.1).
    pub system_id: String,
    /// `password` (5.2.2).
    pub password: String,
    /// `system_type` (5.2.3).
    pub system_type: String,
    /// `interface_version` (5.2.4): 0x34 for 3.4.
    pub interface_version: u8,
    /// `addr_ton` (5.2.5).
    pub addr_ton: u8,
    /// `addr_npi` (5.2.6).
    pub addr_npi: u8,
    /// `address_range` (5.2.7).
    pub address_range: String,
}

/// It shows no password.
impl std::fmt::Debug for Bind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bind").field("system_id", &self.system_id).finish_non_exhaustive()
    }
}

/// `interface_version` of SMPP 3.4.
pub const VERSION_3_4: u8 = 0x34;

/// An SMSC's answer to a bind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BindResp {
    /// The SMSC's `system_id`.
    pub system_id: String,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

/// The answer to `submit_sm`, `deliver_sm` or `data_sm`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MessageResp {
    /// `message_id`; empty if absent.
    pub message_id: String,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

/// A PDU without the fields of its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pdu {
    /// `bind_transmitter`, `bind_receiver` or `bind_transceiver`.
    Bind(BindKind, Bind),
    /// Its answer.
    BindResp(BindKind, BindResp),
    /// `submit_sm`
    SubmitSm(Message),
    /// `submit_sm_resp`
    SubmitSmResp(MessageResp),
    /// `deliver_sm`
    DeliverSm(Message),
    /// `deliver_sm_resp`
    DeliverSmResp(MessageResp),
    /// `data_sm`
    DataSm(Message),
    /// `data_sm_resp`
    DataSmResp(MessageResp),
    /// `enquire_link`
    EnquireLink,
    /// `enquire_link_resp`
    EnquireLinkResp,
    /// `unbind`
    Unbind,
    /// `unbind_resp`
    UnbindResp,
    /// `generic_nack`
    GenericNack,
    /// Any other, with its body as it stands.
    Other(CommandId, Vec<u8>),
}

/// What a frame was read as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// The PDU, as far as it could be read.
    pub pdu: Pdu,
    /// Its violations of the specification.
    pub flaws: Vec<Flaw>,
}

impl Pdu {
    /// Its command.
    pub const fn command(&self) -> CommandId {
        match self {
            Pdu::Bind(kind, _) => kind.command(),
            Pdu::BindResp(kind, _) => kind.command().response(),
            Pdu::SubmitSm(_) => CommandId::SUBMIT_SM,
            Pdu::SubmitSmResp(_) => CommandId::SUBMIT_SM.response(),
            Pdu::DeliverSm(_) => CommandId::DELIVER_SM,
            Pdu::DeliverSmResp(_) => CommandId::DELIVER_SM.response(),
            Pdu::DataSm(_) => CommandId::DATA_SM,
            Pdu::DataSmResp(_) => CommandId::DATA_SM.response(),
            Pdu::EnquireLink => CommandId::ENQUIRE_LINK,
            Pdu::EnquireLinkResp => CommandId::ENQUIRE_LINK.response(),
            Pdu::Unbind => CommandId::UNBIND,
            Pdu::UnbindResp => CommandId::UNBIND.response(),
            Pdu::GenericNack => CommandId::GENERIC_NACK,
            Pdu::Other(command, _) => *command,
        }
    }

    /// Reads a frame. This never fails: fields that can't be read are left empty or kept raw, and reported as
    /// flaws. The body of an answer with an error is not looked at, as the specification gives it none
    /// (4.4.2).
    pub fn decode(frame: Frame<'_>) -> Decoded {
        let Frame { header, body } = frame;
        let mut reader = Reader::new(body);
        let refused = header.command.is_response() && !header.status.is_ok();
        let pdu = match header.command {
            command if let Some(kind) = BindKind::of(command) => {
                if command.is_response() {
                    Pdu::BindResp(
                        kind,
                        if refused { BindResp::default() } else { BindResp::read(&mut reader) },
                    )
                } else {
                    Pdu::Bind(kind, Bind::read(&mut reader))
                }
            }
            CommandId::SUBMIT_SM => Pdu::SubmitSm(Message::read(&mut reader)),
            CommandId::DELIVER_SM => Pdu::DeliverSm(Message::read(&mut reader)),
            CommandId::DATA_SM => Pdu::DataSm(Message::read_data(&mut reader)),
            command if command.is_response() && is_message(command) => {
                let resp = if refused { MessageResp::default() } else { MessageResp::read(&mut reader) };
                match command.request() {
                    CommandId::SUBMIT_SM => Pdu::SubmitSmResp(resp),
                    CommandId::DELIVER_SM => Pdu::DeliverSmResp(resp),
                    _ => Pdu::DataSmResp(resp),
                }
            }
            command => {
                let pdu = match command {
                    CommandId::GENERIC_NACK => Pdu::GenericNack,
                    command => match (command.request(), command.is_response()) {
                        (CommandId::ENQUIRE_LINK, false) => Pdu::EnquireLink,
                        (CommandId::ENQUIRE_LINK, true) => Pdu::EnquireLinkResp,
                        (CommandId::UNBIND, false) => Pdu::Unbind,
                        (CommandId::UNBIND, true) => Pdu::UnbindResp,
                        _ => {
                            let pdu = Pdu::Other(command, body.to_vec());
                            return Decoded { pdu, flaws: Vec::new() };
                        }
                    },
                };
                reader.end("the header");
                pdu
            }
        };
        Decoded { pdu, flaws: reader.flaws }
    }

    /// Appends it to `out`, header included; `out` stays as it was if it can't be written.
    ///
    /// # Errors
    /// [`EncodeError`], for texts that are no octets and fields that are too long for their length.
    pub fn encode(&self, status: CommandStatus, sequence: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.command().0.to_be_bytes());
        out.extend_from_slice(&status.0.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        let written = self.write_body(status, out).and_then(|()| {
            let octets = out.len() - start;
            let max = u32::MAX as usize;
            u32::try_from(octets).map_err(|_| EncodeError::TooLong { field: "the PDU", octets, max })
        });
        match written {
            Ok(length) => {
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    fn write_body(&self, status: CommandStatus, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Pdu::Bind(_, bind) => bind.write(out),
            Pdu::SubmitSm(message) | Pdu::DeliverSm(message) => message.write(out),
            Pdu::DataSm(message) => message.write_data(out),
            // An error has no body (4.1.2, 4.4.2).
            Pdu::BindResp(..) | Pdu::SubmitSmResp(_) if !status.is_ok() => Ok(()),
            Pdu::BindResp(_, resp) => {
                put_c_string(out, "system_id", &resp.system_id)?;
                put_tlvs(out, &resp.tlvs)
            }
            Pdu::SubmitSmResp(resp) | Pdu::DeliverSmResp(resp) | Pdu::DataSmResp(resp) => {
                put_c_string(out, "message_id", &resp.message_id)?;
                put_tlvs(out, &resp.tlvs)
            }
            Pdu::Other(_, body) => {
                out.extend_from_slice(body);
                Ok(())
            }
            Pdu::EnquireLink | Pdu::EnquireLinkResp | Pdu::Unbind | Pdu::UnbindResp | Pdu::GenericNack => {
                Ok(())
            }
        }
    }
}

fn is_message(command: CommandId) -> bool {
    matches!(command.request(), CommandId::SUBMIT_SM | CommandId::DELIVER_SM | CommandId::DATA_SM)
}

impl Bind {
    fn read(reader: &mut Reader<'_>) -> Bind {
        let bind = Bind {
            system_id: reader.c_string("system_id", 16),
            password: reader.c_string("password", 9),
            system_type: reader.c_string("system_type", 13),
            interface_version: reader.octet("interface_version"),
            addr_ton: reader.octet("addr_ton"),
            addr_npi: reader.octet("addr_npi"),
            address_range: reader.c_string("address_range", 41),
        };
        reader.end("address_range");
        bind
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_c_string(out, "system_id", &self.system_id)?;
        put_c_string(out, "password", &self.password)?;
        put_c_string(out, "system_type", &self.system_type)?;
        out.extend([self.interface_version, self.addr_ton, self.addr_npi]);
        put_c_string(out, "address_range", &self.address_range)
    }
}

impl BindResp {
    fn read(reader: &mut Reader<'_>) -> BindResp {
        // Some SMSCs send the header alone.
        if reader.is_empty() {
            return BindResp::default();
        }
        BindResp { system_id: reader.c_string("system_id", 16), tlvs: reader.tlvs() }
    }
}

impl MessageResp {
    fn read(reader: &mut Reader<'_>) -> MessageResp {
        // Some SMSCs send the header alone.
        if reader.is_empty() {
            return MessageResp::default();
        }
        MessageResp { message_id: reader.c_string("message_id", 65), tlvs: reader.tlvs() }
    }
}

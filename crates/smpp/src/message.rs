//! A short message on its way: what `submit_sm`, `deliver_sm` and `data_sm` carry (SMPP 3.4, 4.4, 4.6, 4.7).

use crate::fields::{EncodeError, Reader, put_c_string, put_tlvs};
use crate::tlv::{MESSAGE_PAYLOAD, Tlvs};

/// An address with its type of number (5.2.5) and numbering plan (5.2.6).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Address {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
    /// The address itself, without a plus.
    pub address: String,
}

/// A message. `data_sm` has fewer fields than the others: those that it lacks are as in [`Message::default`]
/// when it is read, and are not written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// `service_type` (5.2.11).
    pub service_type: String,
    /// `source_addr` with its TON and NPI.
    pub source: Address,
    /// `destination_addr` with its TON and NPI.
    pub destination: Address,
    /// `esm_class` (5.2.12).
    pub esm_class: u8,
    /// `protocol_id` (5.2.13).
    pub protocol_id: u8,
    /// `priority_flag` (5.2.14).
    pub priority_flag: u8,
    /// `schedule_delivery_time` (5.2.15).
    pub schedule_delivery_time: String,
    /// `validity_period` (5.2.16).
    pub validity_period: String,
    /// `registered_delivery` (5.2.17).
    pub registered_delivery: u8,
    /// `replace_if_present_flag` (5.2.18).
    pub replace_if_present: u8,
    /// `data_coding` (5.2.19).
    pub data_coding: u8,
    /// `sm_default_msg_id` (5.2.20).
    pub default_message_id: u8,
    /// `short_message` (5.2.22), at most 254 octets by the specification; its length field can say 255.
    pub short_message: Vec<u8>,
    /// Optional parameters.
    pub tlvs: Tlvs,
}

/// Most octets of an address and its NUL, which the specification gives `source_addr` of `data_sm` (4.7.1).
const DATA_ADDRESS_MAX: usize = 65;
const ADDRESS_MAX: usize = 21;

impl Message {
    /// The user's octets: `short_message`, or `message_payload` if that is empty (5.3.2.32).
    pub fn payload(&self) -> &[u8] {
        match self.tlvs.get(MESSAGE_PAYLOAD) {
            Some(payload) if self.short_message.is_empty() => payload,
            _ => &self.short_message,
        }
    }

    /// Returns whether all fields that matter are empty: nothing of its body could be read.
    pub fn is_blank(&self) -> bool {
        self.payload().is_empty()
            && self.tlvs.0.is_empty()
            && self.source.address.is_empty()
            && self.destination.address.is_empty()
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Message {
        Message {
            service_type: reader.c_string("service_type", 6),
            source: read_address(reader, "source_addr", ADDRESS_MAX),
            destination: read_address(reader, "destination_addr", ADDRESS_MAX),
            esm_class: reader.octet("esm_class"),
            protocol_id: reader.octet("protocol_id"),
            priority_flag: reader.octet("priority_flag"),
            schedule_delivery_time: reader.c_string("schedule_delivery_time", 17),
            validity_period: reader.c_string("validity_period", 17),
            registered_delivery: reader.octet("registered_delivery"),
            replace_if_present: reader.octet("replace_if_present_flag"),
            data_coding: reader.octet("data_coding"),
            default_message_id: reader.octet("sm_default_msg_id"),
            short_message: {
                let length = reader.octet("sm_length");
                reader.octets("short_message", length.into())
            },
            tlvs: reader.tlvs(),
        }
    }

    pub(crate) fn read_data(reader: &mut Reader<'_>) -> Message {
        Message {
            service_type: reader.c_string("service_type", 6),
            source: read_address(reader, "source_addr", DATA_ADDRESS_MAX),
            destination: read_address(reader, "destination_addr", DATA_ADDRESS_MAX),
            esm_class: reader.octet("esm_class"),
            registered_delivery: reader.octet("registered_delivery"),
            data_coding: reader.octet("data_coding"),
            tlvs: reader.tlvs(),
            ..Message::default()
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_c_string(out, "service_type", &self.service_type)?;
        write_address(out, "source_addr", &self.source)?;
        write_address(out, "destination_addr", &self.destination)?;
        out.extend([self.esm_class, self.protocol_id, self.priority_flag]);
        put_c_string(out, "schedule_delivery_time", &self.schedule_delivery_time)?;
        put_c_string(out, "validity_period", &self.validity_period)?;
        let length = u8::try_from(self.short_message.len()).map_err(|_| EncodeError::TooLong {
            field: "short_message",
            octets: self.short_message.len(),
            max: u8::MAX.into(),
        })?;
        out.extend([self.registered_delivery, self.replace_if_present, self.data_coding]);
        out.extend([self.default_message_id, length]);
        out.extend_from_slice(&self.short_message);
        put_tlvs(out, &self.tlvs)
    }

    pub(crate) fn write_data(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_c_string(out, "service_type", &self.service_type)?;
        write_address(out, "source_addr", &self.source)?;
        write_address(out, "destination_addr", &self.destination)?;
        out.extend([self.esm_class, self.registered_delivery, self.data_coding]);
        put_tlvs(out, &self.tlvs)
    }
}

fn read_address(reader: &mut Reader<'_>, field: &'static str, max: usize) -> Address {
    Address { ton: reader.octet(field), npi: reader.octet(field), address: reader.c_string(field, max) }
}

fn write_address(out: &mut Vec<u8>, field: &'static str, address: &Address) -> Result<(), EncodeError> {
    out.extend([address.ton, address.npi]);
    put_c_string(out, field, &address.address)
}

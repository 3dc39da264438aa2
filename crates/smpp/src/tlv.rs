//! Optional parameters: tag, length, value (SMPP 3.4, 5.3).

use crate::latin1::text_of;

/// An optional parameter as it stands: its value may have any length, whatever the specification says of its
/// tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tlv {
    /// Which.
    pub tag: u16,
    /// Its octets.
    pub value: Vec<u8>,
}

impl Tlv {
    /// A parameter with these octets.
    pub fn new(tag: u16, value: impl Into<Vec<u8>>) -> Tlv {
        Tlv { tag, value: value.into() }
    }
}

/// `sar_msg_ref_num` (5.3.2.22).
pub const SAR_MSG_REF_NUM: u16 = 0x020c;
/// `sar_total_segments` (5.3.2.23).
pub const SAR_TOTAL_SEGMENTS: u16 = 0x020e;
/// `sar_segment_seqnum` (5.3.2.24).
pub const SAR_SEGMENT_SEQNUM: u16 = 0x020f;
/// `sc_interface_version` (5.3.2.25).
pub const SC_INTERFACE_VERSION: u16 = 0x0210;
/// `receipted_message_id` (5.3.2.12).
pub const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
/// `network_error_code` (5.3.2.31).
pub const NETWORK_ERROR_CODE: u16 = 0x0423;
/// `message_payload` (5.3.2.32).
pub const MESSAGE_PAYLOAD: u16 = 0x0424;
/// `delivery_failure_reason` (5.3.2.33).
pub const DELIVERY_FAILURE_REASON: u16 = 0x0425;
/// `message_state` (5.3.2.35).
pub const MESSAGE_STATE: u16 = 0x0427;

/// The optional parameters of a PDU, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tlvs(pub Vec<Tlv>);

impl Tlvs {
    /// The octets of the first one with a tag.
    pub fn get(&self, tag: u16) -> Option<&[u8]> {
        self.0.iter().find(|tlv| tlv.tag == tag).map(|tlv| &*tlv.value)
    }

    /// The text of the first one with a tag, up to a NUL or its end.
    pub fn text(&self, tag: u16) -> Option<String> {
        let value = self.get(tag)?;
        Some(text_of(value.split(|&octet| octet == 0).next().unwrap_or_default()))
    }

    /// The number of the first one with a tag, of one or two octets; longer ones give their last two.
    pub fn number(&self, tag: u16) -> Option<u16> {
        let value = self.get(tag)?;
        let last = &value[value.len().saturating_sub(2)..];
        match *last {
            [] => None,
            [octet] => Some(octet.into()),
            [high, low, ..] => Some(u16::from_be_bytes([high, low])),
        }
    }
}

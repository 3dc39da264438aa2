//! What handsets send.

use serde::{Deserialize, Serialize};

/// A short message from a handset, or one segment of a longer one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboundMessage {
    /// The carrier that brought it.
    pub carrier: String,
    /// The handset's address as the carrier wrote it.
    pub from: String,
    /// The address that it was sent to.
    pub to: String,
    /// Which segment of a longer message it is; `None` if it is whole.
    pub segment: Option<InboundSegment>,
    /// What it says.
    pub content: InboundOctets,
}

/// A segment's place in its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InboundSegment {
    /// The sender's number of the message.
    pub reference: u16,
    /// Segments that the message has.
    pub total: u8,
    /// This one's number, from 1.
    pub sequence: u8,
}

/// Octets and how they are read: the store does not read them, since a character may lie in two segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboundOctets {
    /// The user data.
    #[serde(rename = "o", with = "octets")]
    pub octets: Vec<u8>,
    /// The name of an encoding.
    #[serde(rename = "e")]
    pub encoding: String,
    /// The carrier's `data_coding`.
    #[serde(rename = "c")]
    pub data_coding: u8,
}

/// A message from a handset, as far as it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredInbound {
    /// When it, or its last segment so far, came, Unix milliseconds.
    pub received_ms: i64,
    /// The carrier that brought it.
    pub carrier: String,
    /// The handset's address as the carrier wrote it.
    pub from: String,
    /// The address that it was sent to.
    pub to: String,
    /// Its segments in their order; those that are missing are left out.
    pub segments: Vec<InboundOctets>,
    /// Segments that it has.
    pub total: u8,
}

/// Octets in JSON: base64.
mod octets {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(octets))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(D::Error::custom)
    }
}

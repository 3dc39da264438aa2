//! PDUs as octets: for an SMSC that writes what no library would.

use std::sync::atomic::{AtomicU32, Ordering};

pub const SUBMIT_SM_RESP: u32 = 0x8000_0004;
pub const DELIVER_SM: u32 = 5;
pub const DATA_SM: u32 = 0x103;
pub const ENQUIRE_LINK: u32 = 0x15;

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The sequence number of a PDU.
pub fn sequence(pdu: &[u8]) -> u32 {
    u32::from_be_bytes([pdu[12], pdu[13], pdu[14], pdu[15]])
}

/// A sequence number that was not used before, and is none that the SMSC draws itself.
pub fn next_sequence() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(100_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn pdu(command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let head = [16 + body.len() as u32, command, status, sequence].map(u32::to_be_bytes);
    [head.as_flattened(), body].concat()
}

/// A request with a sequence number of its own.
pub fn request(command: u32, body: &[u8]) -> Vec<u8> {
    pdu(command, 0, next_sequence(), body)
}

pub fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// The fields of a `deliver_sm` (SMPP 3.4, 4.6.1), C-octet strings with their NUL.
#[derive(Clone)]
pub struct Deliver {
    pub service_type: Vec<u8>,
    pub source: Vec<u8>,
    pub destination: Vec<u8>,
    pub esm_class: u8,
    pub schedule_delivery_time: Vec<u8>,
    pub validity_period: Vec<u8>,
    pub data_coding: u8,
    /// What `sm_length` says, if not the truth.
    pub length: Option<u8>,
    pub text: Vec<u8>,
    pub tlvs: Vec<u8>,
}

impl Deliver {
    /// A receipt with a text.
    pub fn receipt(from: &str, text: impl AsRef<[u8]>) -> Deliver {
        Deliver {
            service_type: vec![0],
            source: [from.trim_start_matches('+').as_bytes(), &[0]].concat(),
            destination: b"Acme\0".to_vec(),
            esm_class: 4,
            schedule_delivery_time: vec![0],
            validity_period: vec![0],
            data_coding: 0,
            length: None,
            text: text.as_ref().to_vec(),
            tlvs: Vec::new(),
        }
    }

    /// A receipt for an id.
    pub fn delivered(from: &str, id: &str) -> Deliver {
        Deliver::receipt(from, format!("id:{id} stat:DELIVRD err:000"))
    }

    pub fn with(mut self, tag: u16, value: &[u8]) -> Deliver {
        self.tlvs.extend(tlv(tag, value));
        self
    }

    pub fn body(&self) -> Vec<u8> {
        [
            &self.service_type[..],
            &[1, 1],
            &self.source,
            &[5, 0],
            &self.destination,
            &[self.esm_class, 0, 0],
            &self.schedule_delivery_time,
            &self.validity_period,
            &[0, 0, self.data_coding, 0, self.length.unwrap_or(self.text.len() as u8)],
            &self.text,
            &self.tlvs,
        ]
        .concat()
    }

    /// As a `deliver_sm`.
    pub fn pdu(&self) -> Vec<u8> {
        request(DELIVER_SM, &self.body())
    }

    /// As a `data_sm` (4.7.1), with the text in a `message_payload`.
    pub fn data(&self) -> Vec<u8> {
        let text = if self.text.is_empty() { Vec::new() } else { tlv(0x424, &self.text) };
        let (source, destination) = (&self.source, &self.destination);
        let coding = [self.esm_class, 0, self.data_coding];
        let body =
            [&self.service_type, &[1, 1][..], source, &[5, 0], destination, &coding, &text, &self.tlvs]
                .concat();
        request(DATA_SM, &body)
    }
}

/// UCS-2, big endian.
pub fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// The GSM alphabet's septets in octets without gaps (3GPP TS 23.038, 6.1.2.1).
pub fn packed(text: &str) -> Vec<u8> {
    let mut octets = vec![0; (7 * text.len()).div_ceil(8)];
    for (i, septet) in text.bytes().enumerate() {
        for bit in (0..7).filter(|bit| septet >> bit & 1 == 1) {
            octets[(7 * i + bit) / 8] |= 1 << ((7 * i + bit) % 8);
        }
    }
    octets
}

//! What the tests share.
#![allow(dead_code, unused_imports)] // Each test uses a part of it.

mod watched;

pub use watched::{Watched, play, settings};

use smpp::{CommandId, CommandStatus, Frames, Header, Message, MessageResp, Pdu};

/// A PDU's octets.
pub fn octets(pdu: &Pdu, status: CommandStatus, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, sequence, &mut out).unwrap();
    out
}

/// Octets in hexadecimal.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |octet: u8| char::from(octet).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The PDUs in some octets, which must be whole and sound.
pub fn pdus(octets: &[u8]) -> Vec<(Header, Pdu)> {
    let mut frames = Frames::new(u32::MAX);
    frames.push(octets);
    let mut pdus = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        let header = frame.header;
        let decoded = Pdu::decode(frame);
        assert!(decoded.flaws.is_empty(), "{header:?} {decoded:?}");
        pdus.push((header, decoded.pdu));
    }
    assert_eq!(frames.pending(), 0);
    pdus
}

/// A receipt as most SMSCs write it.
pub fn receipt(sequence: u32) -> Vec<u8> {
    let message = Message {
        esm_class: 4,
        short_message: format!("id:m{sequence:06} stat:DELIVRD err:000").into_bytes(),
        ..message()
    };
    octets(&Pdu::DeliverSm(message), CommandStatus::OK, sequence)
}

/// A message.
pub fn message() -> Message {
    Message { short_message: b"Your parcel is here.".to_vec(), ..Message::default() }
}

/// An SMSC's answer to a submit.
pub fn accepted(sequence: u32) -> Vec<u8> {
    let resp = MessageResp { message_id: format!("m{sequence:06}"), ..MessageResp::default() };
    octets(&Pdu::SubmitSmResp(resp), CommandStatus::OK, sequence)
}

/// A header's command and sequence number.
pub fn what((header, _): &(Header, Pdu)) -> (CommandId, u32) {
    (header.command, header.sequence)
}

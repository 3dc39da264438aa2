//! The codec: what is written is read again, and whatever comes is read as something.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod common;

use common::octets;
use proptest::collection::vec;
use proptest::prelude::*;
use smpp::tlv::{Tlv, Tlvs};
use smpp::{
    Address, Bind, BindKind, BindResp, CommandId, CommandStatus, EncodeError, Frames, Message, MessageResp,
    Pdu,
};

/// A C-octet string of so many octets at most, NUL included: any characters that are octets.
fn text(max: usize) -> impl Strategy<Value = String> {
    vec(1..=u8::MAX, 0..max).prop_map(|octets| octets.into_iter().map(char::from).collect())
}

fn tlvs() -> impl Strategy<Value = Tlvs> {
    vec((any::<u16>(), vec(any::<u8>(), 0..40)), 0..5)
        .prop_map(|tlvs| Tlvs(tlvs.into_iter().map(|(tag, value)| Tlv::new(tag, value)).collect()))
}

fn address(max: usize) -> impl Strategy<Value = Address> {
    (any::<u8>(), any::<u8>(), text(max)).prop_map(|(ton, npi, address)| Address { ton, npi, address })
}

fn message() -> impl Strategy<Value = Message> {
    let texts = (text(6), text(17), text(17));
    let addresses = (address(21), address(21));
    (texts, addresses, any::<[u8; 7]>(), vec(any::<u8>(), 0..256), tlvs()).prop_map(
        |((service_type, schedule, validity), (source, destination), octets, short_message, tlvs)| {
            let [esm_class, protocol_id, priority_flag, registered_delivery, replace, data_coding, default] =
                octets;
            Message {
                service_type,
                source,
                destination,
                esm_class,
                protocol_id,
                priority_flag,
                schedule_delivery_time: schedule,
                validity_period: validity,
                registered_delivery,
                replace_if_present: replace,
                data_coding,
                default_message_id: default,
                short_message,
                tlvs,
            }
        },
    )
}

/// What `data_sm` has of a message.
fn data() -> impl Strategy<Value = Message> {
    (text(6), address(65), address(65), any::<[u8; 3]>(), tlvs()).prop_map(
        |(service_type, source, destination, [esm_class, registered_delivery, data_coding], tlvs)| Message {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            tlvs,
            ..Message::default()
        },
    )
}

fn kind() -> impl Strategy<Value = BindKind> {
    prop_oneof![Just(BindKind::Transmitter), Just(BindKind::Receiver), Just(BindKind::Transceiver)]
}

fn bind() -> impl Strategy<Value = Bind> {
    (text(16), text(9), text(13), any::<[u8; 3]>(), text(41)).prop_map(
        |(system_id, password, system_type, [interface_version, addr_ton, addr_npi], address_range)| Bind {
            system_id,
            password,
            system_type,
            interface_version,
            addr_ton,
            addr_npi,
            address_range,
        },
    )
}

fn resp() -> impl Strategy<Value = MessageResp> {
    (text(65), tlvs()).prop_map(|(message_id, tlvs)| MessageResp { message_id, tlvs })
}

fn pdu() -> impl Strategy<Value = Pdu> {
    let others = (0x200u32..0x8000_0000, any::<bool>(), vec(any::<u8>(), 0..40));
    prop_oneof![
        (kind(), bind()).prop_map(|(kind, bind)| Pdu::Bind(kind, bind)),
        (kind(), text(16), tlvs())
            .prop_map(|(kind, system_id, tlvs)| Pdu::BindResp(kind, BindResp { system_id, tlvs })),
        message().prop_map(Pdu::SubmitSm),
        resp().prop_map(Pdu::SubmitSmResp),
        message().prop_map(Pdu::DeliverSm),
        resp().prop_map(Pdu::DeliverSmResp),
        data().prop_map(Pdu::DataSm),
        resp().prop_map(Pdu::DataSmResp),
        Just(Pdu::EnquireLink),
        Just(Pdu::EnquireLinkResp),
        Just(Pdu::Unbind),
        Just(Pdu::UnbindResp),
        Just(Pdu::GenericNack),
        others.prop_map(|(command, is_response, body)| {
            let command = CommandId(command);
            Pdu::Other(if is_response { command.response() } else { command }, body)
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(pdu in pdu(), sequence: u32) {
        let written = octets(&pdu, CommandStatus::OK, sequence);
        let mut frames = Frames::new(written.len() as u32);
        frames.push(&written);
        let frame = frames.next().unwrap().unwrap();
        prop_assert_eq!(frame.header.command, pdu.command());
        prop_assert_eq!((frame.header.status, frame.header.sequence), (CommandStatus::OK, sequence));
        let decoded = Pdu::decode(frame);
        prop_assert_eq!(decoded.flaws, vec![]);
        prop_assert_eq!(decoded.pdu, pdu);
        prop_assert_eq!(frames.pending(), 0);
    }

    #[test]
    fn a_body_may_be_anything(
        command in prop_oneof![0u32..0x200, 0x8000_0000u32..0x8000_0200],
        status in 0u32..2,
        body in vec(any::<u8>(), 0..200),
    ) {
        let written = octets(&Pdu::Other(CommandId(command), body), CommandStatus(status), 7);
        let mut frames = Frames::new(1 << 16);
        frames.push(&written);
        Pdu::decode(frames.next().unwrap().unwrap());
        prop_assert_eq!(frames.pending(), 0);
    }

    #[test]
    fn octets_may_be_anything(octets in vec(any::<u8>(), 0..200)) {
        let mut frames = Frames::new(64);
        frames.push(&octets);
        while let Ok(Some(frame)) = frames.next() {
            Pdu::decode(frame);
        }
    }

    /// A body cut anywhere still has what stood before.
    #[test]
    fn what_stands_before_a_cut_is_read(message in message(), at: prop::sample::Index) {
        let whole = octets(&Pdu::DeliverSm(message.clone()), CommandStatus::OK, 7);
        let at = 16 + at.index(whole.len() - 15);
        let body = whole[16..at].to_vec();
        let cut = octets(&Pdu::Other(CommandId::DELIVER_SM, body), CommandStatus::OK, 7);
        let mut frames = Frames::new(1 << 16);
        frames.push(&cut);
        let decoded = Pdu::decode(frames.next().unwrap().unwrap());
        let Pdu::DeliverSm(read) = decoded.pdu else { panic!() };
        prop_assert!(message.service_type.starts_with(&read.service_type));
        prop_assert!(message.source.address.starts_with(&read.source.address));
        prop_assert!(message.short_message.starts_with(&read.short_message));
        if at == whole.len() {
            prop_assert_eq!(read, message);
        }
    }
}

#[test]
fn what_cant_be_written_leaves_nothing_behind() {
    let euro = Message { service_type: "€".to_owned(), ..Message::default() };
    let nul = Message { service_type: "a\0".to_owned(), ..Message::default() };
    let long = Message { short_message: vec![0; 256], ..Message::default() };
    let tlv = Message { tlvs: Tlvs(vec![Tlv::new(1, vec![0; 65536])]), ..Message::default() };
    for message in [euro, nul, long, tlv] {
        let mut out = b"before".to_vec();
        let written = Pdu::SubmitSm(message).encode(CommandStatus::OK, 1, &mut out);
        assert!(matches!(written, Err(EncodeError::Character(_) | EncodeError::TooLong { .. })));
        assert_eq!(out, b"before");
    }
}

//! The PDUs are those of SMSCs, whole and in hexadecimal.

use super::super::config::tests::config;
use super::*;
use crate::Segment;
use data_encoding::HEXLOWER;
use flow::Status;
use flow::text::{encode_gsm, encode_ucs2, pack_septets};
use proptest::prelude::*;
use smpp::tlv::{Tlv, Tlvs};
use smpp::{Address, Frames, Pdu};

fn decoded(hex: &str) -> Message {
    let octets = HEXLOWER.decode(hex.as_bytes()).unwrap();
    let mut frames = Frames::new(1 << 16);
    frames.push(&octets);
    match Pdu::decode(frames.next().unwrap().unwrap()).pdu {
        Pdu::DeliverSm(message) | Pdu::DataSm(message) => message,
        other => panic!("{other:?}"),
    }
}

/// A receipt as most SMSCs mark it.
fn receipt(text: impl Into<Vec<u8>>) -> Message {
    Message {
        source: Address { ton: 1, npi: 1, address: "306900000000".into() },
        esm_class: RECEIPT,
        short_message: text.into(),
        ..Message::default()
    }
}

fn with_tlvs<const N: usize>(mut message: Message, tlvs: [(u16, &[u8]); N]) -> Message {
    message.tlvs = Tlvs(tlvs.iter().map(|(tag, value)| Tlv::new(*tag, *value)).collect());
    message
}

/// The result in a line.
fn told(message: &Message, more: &str) -> String {
    match read(message, &config(more)) {
        Delivered::Receipt { reference, receipt, .. } => {
            format!("{reference} {} {}", receipt.status.name(), receipt.detail.0)
        }
        Delivered::NoEnd => "no end".into(),
        Delivered::Unread(unread) => format!("{:?}", unread.why),
        Delivered::Message(_) => "message".into(),
    }
}

/// `STOP` with esm_class 0.
const STOP: &str = "0000003500000005000000000000000100010133303639303030303030303000050041636d65000000000000\
 000000000453544f50";
const DELIVERED: &str = "m000001 Delivered Delivered";

/// PDUs, and what they are read as.
const REAL: &[(&str, &str)] = &[
    // A plain receipt
    (
        "0000005000000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
        DELIVERED,
    ),
    // NUL behind short_message
    (
        "0000005100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a30303000",
        DELIVERED,
    ),
    // claims 10 octets
    (
        "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a3030301401000a6162",
        DELIVERED,
    ),
    // receipted_message_id without NUL, message_state 2
    (
        "0000004100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             0000001e00076d3030303030310427000102",
        DELIVERED,
    ),
    // network_error_code of 2 octets
    (
        "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a303030042300020001",
        DELIVERED,
    ),
    // 25 digits
    (
        "0000005d00000005000000000000000100010133303639303030303030303031323334353637383930313233000500\
             41636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
        DELIVERED,
    ),
    // schedule_delivery_time
    (
        "0000005100000005000000000000000100010133303639303030303030303000050041636d65000400003000000000\
             00001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
        DELIVERED,
    ),
    // jasmin#447, vumi#897
    (
        "0000004f00000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001e69643a6d30303030303120737461743a4641494c4544206572723a303032",
        "m000001 Failed Failed",
    ),
    // UCS-2, data_coding 8
    (
        "0000006f00000005000000000000000100010133303639303030303030303000050041636d65000400000000000008\
             003e00690064003a006d00300030003000300030003100200073007400610074003a00440045004c00490056005200\
             440020006500720072003a003000300030",
        DELIVERED,
    ),
    // a receipt in data_sm
    (
        "0000003b00000103000000000000000100010133303639303030303030303000050041636d6500040000001e00086d\
             303030303031000427000102",
        DELIVERED,
    ),
    // STOP, esm_class 0
    (
        "0000003500000005000000000000000100010133303639303030303030303000050041636d65000000000000000000\
             000453544f50",
        "message",
    ),
    // smscgateway#62
    (
        "0000005000000005000000000000000100010133303639303030303030303000050041636d65002000000000000000\
             001f69643a6d30303030303120737461743a554e44454c4956206572723a303030",
        "no end",
    ),
    // network_error_code 3/0001
    (
        "0000004900000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             0000001e00086d30303030303100042700010504230003030001",
        "m000001 Undelivered Unknown Number",
    ),
    // message_state 0
    (
        "0000006100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a303030001e00086d303030303031000427\
             000100",
        DELIVERED,
    ),
    // receipted_message_id of one NUL
    (
        "0000005a00000005000000000000000100010133303639303030303030303000050041636d65000400000000000000\
             001f69643a6d30303030303120737461743a44454c49565244206572723a303030001e0001000427000102",
        DELIVERED,
    ),
    // an empty receipted_message_id, of another recipient, and no text
    (
        "0000003b00000005000000000000000100010134393137303030303030303000050041636d65000400000000000000\
             0000001e0001000427000102",
        "NoId",
    ),
];

#[test]
fn receipts_of_real_smscs() {
    for (hex, expected) in REAL {
        assert_eq!(told(&decoded(hex), ""), *expected, "{hex}");
    }
}

#[test]
fn texts_are_read_whatever_they_are_written_in() {
    let text = "id:m000001 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi";
    let big = encode_ucs2(text);
    let little: Vec<u8> = big.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let marked = [&[0xfe, 0xff][..], &big].concat();
    let packed = pack_septets(&encode_gsm(text), 0);
    for data_coding in [0x00, 0x01, 0x03, 0x04, 0x08, 0x10, 0x18, 0xf0, 0xf5, 0x0e] {
        for octets in [text.as_bytes(), &big, &little, &marked, &packed] {
            for alphabet in ["gsm", "gsm_packed", "ascii", "latin1"] {
                let message = Message { data_coding, ..receipt(octets) };
                let more = format!(r#""alphabet": "{alphabet}""#);
                assert_eq!(told(&message, &more), DELIVERED, "{data_coding:#x} {alphabet} {octets:?}");
                let unmarked = Message { esm_class: 0, ..message };
                assert_eq!(told(&unmarked, &more), DELIVERED, "{data_coding:#x} {alphabet} {octets:?}");
            }
        }
    }
    // In `message_payload`, behind a header, and in the GSM alphabet.
    let in_payload = with_tlvs(receipt(""), [(tlv::MESSAGE_PAYLOAD, text.as_bytes())]);
    assert_eq!(told(&in_payload, ""), DELIVERED);
    let behind = [&[5, 0, 3, 1, 2, 1][..], text.as_bytes()].concat();
    assert_eq!(told(&Message { esm_class: RECEIPT | handset::UDHI, ..receipt(behind) }, ""), DELIVERED);
    assert_eq!(told(&receipt(encode_gsm("id:a_1 stat:DELIVRD")), ""), "a_1 Delivered Delivered");
    assert_eq!(told(&receipt("id:a_1 stat:DELIVRD"), ""), "a_1 Delivered Delivered");
}

#[test]
fn words_and_codes_tell_the_status() {
    let err = r#""err": {"002": {"status": "Undelivered", "detail": "Roaming"},
                         "27": {"status": "Undelivered", "detail": "Undelivered on Handset"}}"#;
    for (text, more, expected) in [
        ("id:m000001 stat:DELIVERD", "", DELIVERED),
        ("id:m000001 stat:DELIVRD, err:0", "", DELIVERED),
        ("id:m000001,sub:001,stat:DELIVRD,err:000", "", DELIVERED),
        ("id:m000001 state:DELIVRD", "", DELIVERED),
        ("id:m000001 stat:UNDELIVRD", "", "m000001 Undelivered Undelivered"),
        ("id:m000001 stat:REJECTED", "", "m000001 Failed Carrier Violation"),
        ("id:m000001 stat:BLOCKED", "", "m000001 Failed Carrier Violation"),
        ("id:m000001 stat:NOROUTE", "", "m000001 Failed Failed"),
        ("id:m000001 stat:UNKNOWN", "", "m000001 Undelivered Unknown Status"),
        ("id:m000001 stat:ENROUTE", "", "no end"),
        ("id:m000001 stat:DELIVRD err:002", err, DELIVERED),
        ("id:m000001 stat:ENROUTE err:002", err, "no end"),
        ("id:m000001 stat:UNDELIV err:002", err, "m000001 Undelivered Roaming"),
        ("id:m000001 stat:UNDELIV err:027", err, "m000001 Undelivered Undelivered on Handset"),
        ("id:m000001 stat:FAILED err:27", err, "m000001 Undelivered Undelivered on Handset"),
        ("id:m000001 stat:UNDELIV err:00B", "", "m000001 Undelivered Call Barred"),
        ("id:m000001 stat:UNDELIV err:1", "", "m000001 Undelivered Unknown Number"),
        ("id:m000001 stat:FAILED err:1", "", "m000001 Failed Unknown Number"),
        ("id:m000001 stat:EXPIRED err:1", "", "m000001 Undelivered Expired"),
        ("id:m000001 stat:PLUGH err:001", "", "m000001 Undelivered Unknown Number"),
        ("id:m000001 stat:PLUGH err:002", err, "m000001 Undelivered Roaming"),
        ("id:m000001 stat:PLUGH err:000", "", "UnknownWord"),
        ("id:m000001 stat:PLUGH", r#""stat": {"plugh": {"status": "Delivered"}}"#, DELIVERED),
        ("id:m000001 stat:PLUGH", r#""stat": {"PLUGH": {"status": "Sent"}}"#, "no end"),
        (
            "id:m000001 stat:REJECTD",
            r#""stat": {"REJECTD": {"status": "Undelivered"}}"#,
            "m000001 Undelivered Undelivered",
        ),
        ("stat:DELIVRD err:000", "", "NoId"),
        ("id:m000001 err:001", "", "NoStatus"),
        ("00,0210021543,0210021500,,447887123456", "", "NoId"),
        ("", "", "NoId"),
    ] {
        assert_eq!(told(&receipt(text), more), expected, "{text}");
    }
}

#[test]
fn a_tlv_that_says_nothing_hides_nothing() {
    let text = receipt("id:m000001 stat:DELIVRD err:000");
    let failed = receipt("id:m000001 stat:UNDELIV err:000");
    let silent = receipt("");
    let on_its_way = receipt("id:m000001 stat:ENROUTE");
    let id = b"m000001\0";
    for (message, state, expected) in [
        (&text, &[0][..], DELIVERED),
        (&text, &[], DELIVERED),
        (&text, &[7], DELIVERED),
        (&text, &[99], DELIVERED),
        (&text, &[1], DELIVERED),
        (&text, &[5], "m000001 Undelivered Undelivered"),
        (&failed, &[2], DELIVERED),
        (&failed, &[0, 0, 0, 2], DELIVERED),
        (&failed, &[2, 0], DELIVERED),
        (&failed, b"2", DELIVERED),
        (&failed, b"DELIVRD\0", DELIVERED),
        (&on_its_way, &[7], "no end"),
        (&on_its_way, &[8], "m000001 Failed Carrier Violation"),
        (&silent, &[7], "m000001 Undelivered Unknown Status"),
        (&silent, &[6], "no end"),
        (&silent, &[0], "NoStatus"),
        (&silent, &[0xff; 9], "NoStatus"),
    ] {
        let message =
            with_tlvs(message.clone(), [(tlv::RECEIPTED_MESSAGE_ID, id), (tlv::MESSAGE_STATE, state)]);
        assert_eq!(told(&message, ""), expected, "{state:?}");
        // TLVs alone make a receipt.
        assert_eq!(told(&Message { esm_class: 0, ..message }, ""), expected, "{state:?}");
    }
    let coded = |text: &str, code: &[u8]| with_tlvs(receipt(text), [(tlv::NETWORK_ERROR_CODE, code)]);
    for (text, code, expected) in [
        ("id:m000001 stat:UNDELIV", &[3, 0, 1][..], "m000001 Undelivered Unknown Number"),
        ("id:m000001 stat:UNDELIV", &[0, 1], "m000001 Undelivered Unknown Number"),
        ("id:m000001 stat:UNDELIV err:000", &[3, 0, 1], "m000001 Undelivered Unknown Number"),
        ("id:m000001 stat:UNDELIV err:008", &[3, 0, 1], "m000001 Undelivered Roaming"),
        ("id:m000001 stat:UNDELIV", &[], "m000001 Undelivered Undelivered"),
        ("id:m000001 stat:DELIVRD", &[3, 0, 1], DELIVERED),
        ("id:m000001 stat:PLUGH", &[3, 0, 1], "m000001 Undelivered Unknown Number"),
    ] {
        assert_eq!(told(&coded(text, code), ""), expected, "{text} {code:?}");
    }
}

#[test]
fn ids_are_written_in_two_ways() {
    let both = |tlv_id: &str, text: &str| {
        with_tlvs(receipt(text), [(tlv::RECEIPTED_MESSAGE_ID, format!("{tlv_id}\0").as_bytes())])
    };
    let mixed = r#""submit_id": "hex", "receipt_id": "decimal""#;
    let hex = r#""submit_id": "hex", "receipt_id": "hex""#;
    for (message, more, expected) in [
        (both("2A", "id:42 stat:DELIVRD"), mixed, "42 Delivered Delivered"),
        (both("21", "id:33 stat:DELIVRD"), mixed, "33 Delivered Delivered"),
        (both("0X2B", "id:43 stat:DELIVRD"), mixed, "43 Delivered Delivered"),
        (receipt("id:43 stat:DELIVRD"), mixed, "43 Delivered Delivered"),
        (
            both("42", "stat:DELIVRD"),
            r#""submit_id": "hex", "receipt_tlv_id": "decimal""#,
            "42 Delivered Delivered",
        ),
        (receipt("id:SAR-2347-1EEDF843-2-1 stat:DELIVRD"), hex, "sar-2347-1eedf843-2-1 Delivered Delivered"),
        (both("", "id:m000001 stat:DELIVRD"), "", DELIVERED),
        (both(" ", "id:m000001 stat:DELIVRD"), "", DELIVERED),
    ] {
        assert_eq!(told(&message, more), expected);
    }
}

#[test]
fn only_what_says_so_is_a_receipt() {
    let text = "id:m000001 stat:UNDELIV err:000";
    for (esm_class, text, expected) in [
        (0x00, text, "m000001 Undelivered Undelivered"),
        (0x03, text, "m000001 Undelivered Undelivered"),
        (0x00, "id:m000001 status:UNDELIV", "message"),
        (0x00, "id:m000001 stat:plugh", "message"),
        (0x00, "STOP", "message"),
        (0x00, "", "message"),
        (0x08, text, "m000001 Undelivered Undelivered"),
        (0x08, "I got it", "message"),
        (0x10, "yes", "message"),
        (0x18, "", "message"),
        (0x04, "STOP", "NoId"),
        (0x20, text, "no end"),
        (0x24, text, "no end"),
        (0x60, text, "no end"),
    ] {
        assert_eq!(told(&Message { esm_class, ..receipt(text) }, ""), expected, "{esm_class:#x} {text}");
    }
}

#[test]
fn what_can_not_be_used_is_told() {
    let message = receipt("id:1F stat:plugh err:x7 text:hi");
    let Delivered::Unread(unread) = read(&message, &config(r#""receipt_id": "hex""#)) else { panic!() };
    let expected = Unread {
        why: UnreadReason::UnknownWord,
        text: "id:1F stat:plugh err:x7 text:hi".into(),
        reference: Some("31".into()),
        word: Some("PLUGH".into()),
        error: Some("x7".into()),
        recipient: Some("306900000000".into()),
    };
    assert_eq!(unread, expected);
    let message = Message { source: Address::default(), ..receipt("id:m000001 stat:UNDELIV err:8") };
    let Delivered::Receipt { recipient, receipt, .. } = read(&message, &config("")) else { panic!() };
    assert_eq!((recipient, receipt.status), (None, Status::Undelivered));
    assert_eq!(receipt.description.as_deref(), Some("stat UNDELIV, err 8"));
}

#[test]
fn a_message_of_a_handset_is_whole() {
    let message = decoded(STOP);
    let Delivered::Message(message) = read(&message, &config("")) else { panic!() };
    let expected = HandsetMessage {
        from: "306900000000".into(),
        to: "Acme".into(),
        octets: b"STOP".to_vec(),
        encoding: Encoding::Gsm,
        data_coding: 0,
        segment: None,
    };
    assert_eq!(message, expected);
    let part = [&[5, 0, 3, 7, 2, 1][..], &encode_ucs2("γειά")].concat();
    let part = Message { esm_class: handset::UDHI, data_coding: 8, ..receipt(part) };
    let Delivered::Message(part) = read(&part, &config("")) else { panic!() };
    assert_eq!(part.encoding.decode(&part.octets), "γειά");
    assert_eq!(part.segment, Some(Segment { reference: 7, total: 2, sequence: 1 }));
}

/// Texts that may be receipts.
const RECEIPT_LIKE: &str =
    "(id:[0-9a-f]{1,40} )?(stat|state|message_state)?[:=]?[A-Z0-9]{0,8} (err:[0-9a-f]{0,9})?.{0,20}";

proptest! {
    #[test]
    fn anything_is_read(
        esm_class: u8,
        data_coding: u8,
        short_message in prop::collection::vec(any::<u8>(), 0..255),
        text in RECEIPT_LIKE,
        tlvs in prop::collection::vec((0_usize..8, prop::collection::vec(any::<u8>(), 0..12)), 0..5),
        alphabet in 0_usize..4,
        as_text: bool,
    ) {
        let tags = [
            tlv::RECEIPTED_MESSAGE_ID, tlv::MESSAGE_STATE, tlv::NETWORK_ERROR_CODE, tlv::MESSAGE_PAYLOAD,
            tlv::SAR_MSG_REF_NUM, tlv::SAR_TOTAL_SEGMENTS, tlv::SAR_SEGMENT_SEQNUM, 0x1400,
        ];
        let tlvs = tlvs.into_iter().map(|(tag, value)| Tlv::new(tags[tag], value)).collect();
        let short_message = if as_text { text.into_bytes() } else { short_message };
        let tlvs = Tlvs(tlvs);
        let message = Message { esm_class, data_coding, short_message, tlvs, ..Message::default() };
        let alphabet = ["gsm", "gsm_packed", "ascii", "latin1"][alphabet];
        let config = config(&format!(r#""alphabet": "{alphabet}", "receipt_id": "hex""#));
        match read(&message, &config) {
            Delivered::Receipt { reference, .. } => {
                prop_assert!(!reference.is_empty());
                prop_assert!(esm_class & INTERMEDIATE == 0);
            }
            Delivered::Message(message) => {
                let _ = message.encoding.decode(&message.octets);
            }
            Delivered::NoEnd | Delivered::Unread(_) => {}
        }
    }
}

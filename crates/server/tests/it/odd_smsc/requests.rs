//! Rules 8 and 13: what the SMSC asks besides receipts, and what handsets send.

use super::pdu::{self, Deliver, octets, request};
use super::*;

const UNKNOWN_COMMAND: u64 = 3;

#[tokio::test]
async fn rule_08_a_receipt_in_data_sm_counts() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let (id, _) = pair.accepted(TO).await;
    let listed = "0000003b00000103000000000000000100010133303639303030303030303000050041636d6500040000001e00086d303030303031000427000102";
    let answer = pair.ask(&octets(listed)).await.expect("an answer");
    assert_eq!((&answer["command"], &answer["status"]), (&json!("data_sm_resp"), &json!(0)));
    assert!(pair.comes_to(&id, "Delivered").await, "{}", pair.status(&id).await);
    assert!(pair.one_session());
}

#[tokio::test]
async fn rule_08_an_unknown_command_is_refused() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let answer = pair.ask(&octets("00000013000031770000000000000001616263")).await.expect("an answer");
    assert_eq!((&answer["command"], &answer["status"]), (&json!("generic_nack"), &json!(UNKNOWN_COMMAND)));
    let mut rows = Rows::default();
    for command in [0x0a, 0x0c, 0x16, 0x100, 0x1ff, 0x4000, 0x0001_0200, 0x0001_0600, 0x7fff_ffff] {
        for body in [&b""[..], b"\0", &[0xff; 300]] {
            let row = format!("{command:#x} with {} octets", body.len());
            let answer = pair.ask_and_recover(&request(command, body)).await;
            let right = answer.as_ref().is_some_and(|answer| {
                answer["command"] == "generic_nack" && answer["status"] == UNKNOWN_COMMAND
            });
            rows.check(row, right, format!("{answer:?}"));
        }
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test]
async fn rule_08_known_ones_that_make_no_sense_here_are_refused() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    let bind = b"user\0secret\0\0\x34\0\0\0";
    let submit = Deliver::delivered(TO, "x").body();
    for (row, command, body) in [
        ("query_sm", 3, &b"m000001\0\0\0\0"[..]),
        ("replace_sm", 7, b"m000001\0\0\0\0\0\0\0\0\0"),
        ("cancel_sm", 8, b"\0m000001\0\0\0\0\0\0\0"),
        ("submit_sm", 4, &submit),
        ("submit_multi", 0x21, b"\0"),
        ("bind_transceiver", 9, bind),
        ("bind_receiver", 1, bind),
        ("bind_transmitter", 2, bind),
        ("broadcast_sm", 0x111, b"\0"),
        ("query_sm without a body", 3, b""),
        ("submit_sm without a body", 4, b""),
    ] {
        let answer = pair.ask_and_recover(&request(command, body)).await;
        let refused = answer.as_ref().is_some_and(|answer| answer["status"] != 0);
        rows.check(row, refused, format!("{answer:?}"));
    }
    // The one that asks for an answer, and those that have none.
    let answer = pair.ask_and_recover(&request(pdu::ENQUIRE_LINK, b"")).await;
    let right = answer.as_ref().is_some_and(|answer| answer["command"] == "enquire_link_resp");
    rows.check(
        "enquire_link",
        right && answer.is_some_and(|answer| answer["status"] == 0),
        "not answered so",
    );
    pair.smsc.write(&request(0x102, b"\x01\x01306900000000\0\x01\x01Acme\0"));
    pair.smsc.write(&request(0x0b, b"SMSC\0secret\0"));
    pair.smsc.write(&request(0x8000_3177, b"abc"));
    let (id, smsc_id) = pair.accepted(TO).await;
    pair.ask_and_recover(&Deliver::delivered(TO, &smsc_id).pdu()).await;
    rows.check("then", pair.comes_to(&id, "Delivered").await, "a receipt is lost");
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test]
async fn rule_08_texts_in_data_sm() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    type Made = fn(&str, &str) -> Deliver;
    let kinds: [(&str, Made, &str); 6] = [
        ("message_payload", |to, id| Deliver::delivered(to, id), "Delivered"),
        ("UNDELIV", |to, id| Deliver::receipt(to, format!("id:{id} stat:UNDELIV err:001")), "Undelivered"),
        (
            "UCS-2",
            |to, id| Deliver {
                data_coding: 8,
                ..Deliver::receipt(to, pdu::ucs2(&format!("id:{id} stat:DELIVRD")))
            },
            "Delivered",
        ),
        (
            "TLVs without NUL",
            |to, id| Deliver::receipt(to, "").with(0x1e, id.as_bytes()).with(0x427, &[2]),
            "Delivered",
        ),
        ("and an odd TLV", |to, id| Deliver::delivered(to, id).with(0x423, &[3]), "Delivered"),
        (
            "message_state 5",
            |to, id| Deliver::receipt(to, "").with(0x1e, id.as_bytes()).with(0x427, &[5]),
            "Undelivered",
        ),
    ];
    for (i, (row, made, wanted)) in kinds.into_iter().enumerate() {
        let to = format!("+3069900{i:05}");
        let (id, smsc_id) = pair.accepted(&to).await;
        let answer = pair.ask_and_recover(&made(&to, &smsc_id).data()).await;
        let right = answer.as_ref().is_some_and(|a| a["command"] == "data_sm_resp" && a["status"] == 0);
        rows.check(row, right, format!("{answer:?}"));
        if right {
            rows.check(row, pair.comes_to(&id, wanted).await, pair.status(&id).await);
        }
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test]
async fn rule_13_a_message_from_a_handset_is_not_swallowed() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    let listed = "0000003500000005000000000000000100010133303639303030303030303000050041636d65000000000000000000000453544f50";
    let from_handset =
        |text: &[u8], data_coding| Deliver { esm_class: 0, data_coding, ..Deliver::receipt(TO, text) };
    let header = [&[6, 5, 4, 0x0b, 0x84, 0x23, 0xf0][..], b"yes"].concat();
    for (row, pdu) in [
        ("STOP", octets(listed)),
        ("hello", from_handset(b"hello", 0).pdu()),
        ("no text", from_handset(b"", 0).pdu()),
        ("UCS-2", from_handset(&pdu::ucs2("ΣΤΟΠ"), 8).pdu()),
        ("half a UCS-2 letter", from_handset(&[3, 0xa3, 3], 8).pdu()),
        ("octets", from_handset(&[0, 0xff, 0x1b], 4).pdu()),
        ("with a header", Deliver { esm_class: 0x40, ..from_handset(&header, 0) }.pdu()),
        ("message_payload", from_handset(b"", 0).with(0x424, b"a longer one").pdu()),
        ("data_sm", from_handset(b"hello", 0).data()),
        ("data_sm without a text", from_handset(b"", 0).data()),
        ("from nobody", Deliver { source: vec![0], ..from_handset(b"hello", 0) }.pdu()),
        ("that looks like a receipt", from_handset(b"id:1 is the best", 0).pdu()),
        ("with an odd TLV", from_handset(b"hello", 0).with(0x204, &[1]).pdu()),
    ] {
        let counted = pair.handset_messages().await;
        let answer = pair.ask_and_recover(&pdu).await;
        rows.check(row, answer.as_ref().is_some_and(|answer| answer["status"] == 0), format!("{answer:?}"));
        let once = so(SOON, async || pair.handset_messages().await == counted + 1).await;
        rows.check(row, once, format!("counted {} times", pair.handset_messages().await - counted));
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

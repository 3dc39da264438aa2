//! Rules 2 and 4: a PDU that is not as the standard has it.

use super::pdu::{self, Deliver, octets, pdu, request};
use super::*;
use futures::{StreamExt, stream};

/// The listed ones, each a receipt DELIVRD for m000001.
const LISTED: [(&str, &str); 6] = [
    (
        "NUL behind short_message",
        "0000005100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a30303000",
    ),
    (
        "TLV 0x1401 that claims 10 octets and has 2",
        "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a3030301401000a6162",
    ),
    (
        "receipted_message_id without NUL, message_state 2",
        "0000004100000005000000000000000100010133303639303030303030303000050041636d650004000000000000000000001e00076d3030303030310427000102",
    ),
    (
        "network_error_code of 2 octets",
        "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030042300020001",
    ),
    (
        "source_addr of 25 digits",
        "0000005d0000000500000000000000010001013330363930303030303030303132333435363738393031323300050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
    ),
    (
        "schedule_delivery_time of 1 character",
        "0000005100000005000000000000000100010133303639303030303030303000050041636d6500040000300000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030",
    ),
];

/// The standard's TLVs (SMPP 3.4, 5.3.2, and 5.0), and how long the fixed ones are.
const TLVS: [(u16, Option<usize>); 47] = [
    (0x0005, Some(1)),
    (0x0006, Some(1)),
    (0x0007, Some(1)),
    (0x0008, Some(2)),
    (0x000d, Some(1)),
    (0x000e, Some(1)),
    (0x000f, Some(1)),
    (0x0010, Some(1)),
    (0x0017, Some(4)),
    (0x0019, Some(1)),
    (0x001d, None),
    (0x0030, Some(1)),
    (0x0201, Some(1)),
    (0x0202, None),
    (0x0203, None),
    (0x0204, Some(2)),
    (0x0205, Some(1)),
    (0x020a, Some(2)),
    (0x020b, Some(2)),
    (0x020c, Some(2)),
    (0x020d, Some(1)),
    (0x020e, Some(1)),
    (0x020f, Some(1)),
    (0x0210, Some(1)),
    (0x0302, Some(1)),
    (0x0303, None),
    (0x0304, Some(1)),
    (0x0381, None),
    (0x0420, Some(1)),
    (0x0421, Some(1)),
    (0x0422, Some(1)),
    (0x0423, Some(3)),
    (0x0425, Some(1)),
    (0x0426, Some(1)),
    (0x0428, None),
    (0x0429, None),
    (0x0501, Some(1)),
    (0x0600, None),
    (0x0601, None),
    (0x0602, None),
    (0x0603, None),
    (0x060b, None),
    (0x060d, None),
    (0x1203, Some(1)),
    (0x1204, Some(2)),
    (0x130c, Some(0)),
    (0x1383, Some(1)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_02_a_bad_pdu_costs_that_pdu() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    let tried = stream::iter(LISTED).map(async |(row, hex)| {
        let pair = Pair::start(&Setup::default()).await;
        let (id, _) = pair.accepted(TO).await;
        let answer = pair.ask(&octets(hex)).await;
        let delivered = pair.comes_to(&id, "Delivered").await;
        (row, answer, delivered, pair.smsc.count("bind"), pair.smsc.count("closed"))
    });
    for (row, answer, delivered, binds, closed) in tried.buffered(3).collect::<Vec<_>>().await {
        rows.check(row, binds == 1 && closed == 0, format!("{binds} binds, {closed} sessions ended"));
        rows.check(row, answer.is_some(), "no answer");
        rows.check(
            row,
            delivered,
            format!("the receipt can be read, and is lost; the answer was {answer:?}"),
        );
    }
    rows.hold();
}

#[tokio::test]
async fn rule_02_a_tlv_of_any_length_hides_no_receipt() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    let mut pdus = Vec::new();
    for (tag, standard) in TLVS {
        for length in (0..=5).filter(|length| Some(*length) != standard) {
            let receipt = Deliver::delivered(TO, "nobody").with(tag, &vec![0xa5; length]);
            pdus.push((format!("TLV {tag:#06x} of {length} octets"), receipt.pdu()));
        }
    }
    for tag in [0x1400, 0x1401, 0x1500, 0x3fff, 0x4001, 0xffff] {
        let cut = |more: &[u8]| {
            let mut receipt = Deliver::delivered(TO, "nobody");
            receipt.tlvs.extend(u16::to_be_bytes(tag));
            receipt.tlvs.extend(more);
            receipt.pdu()
        };
        for more in [&[][..], &[0], &[0, 9], &[0, 9, 1, 2], &[0xff, 0xff, 0]] {
            pdus.push((format!("TLV {tag:#06x} cut behind {more:?}"), cut(more)));
        }
    }
    let counted = pair.receipts().await;
    let mut failures = 0;
    let total = pdus.len() as u64;
    for (row, pdu) in pdus {
        let answer = pair.ask_and_recover(&pdu).await;
        let status = answer.as_ref().map(|answer| answer["status"].clone());
        rows.check(row, status == Some(json!(0)), format!("answered with {answer:?}"));
        failures += u32::from(answer.is_none());
        if failures > 20 {
            break;
        }
    }
    // None of them was for a message of ours; each is kept for one that may come.
    let all = so(SOON, async || pair.receipts().await == counted + total).await;
    rows.check("all", all, "not every receipt was counted");
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test]
async fn rule_02_what_can_not_be_read_is_answered_and_costs_nothing_else() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    let mut pdus = Vec::new();
    let good = Deliver::delivered(TO, "nobody").with(0x1e, b"nobody\0").with(0x427, &[2]);
    let body = good.body();
    for end in 0..body.len() {
        pdus.push((format!("deliver_sm cut after {end} octets"), request(pdu::DELIVER_SM, &body[..end])));
    }
    let data = good.data()[16..].to_vec();
    for end in (0..data.len()).step_by(3) {
        pdus.push((format!("data_sm cut after {end} octets"), request(pdu::DATA_SM, &data[..end])));
    }
    for (row, length) in [("sm_length 255", 255), ("sm_length 1", 1), ("sm_length 0", 0)] {
        pdus.push((row.into(), Deliver { length: Some(length), ..Deliver::delivered(TO, "nobody") }.pdu()));
    }
    for length in [6, 12, 60, 300] {
        let long = [&vec![b'1'; length][..], &[0]].concat();
        let row = |field: &str| format!("{field} of {length} characters");
        let good = Deliver::delivered(TO, "nobody");
        pdus.push((row("service_type"), Deliver { service_type: long.clone(), ..good.clone() }.pdu()));
        pdus.push((row("destination_addr"), Deliver { destination: long.clone(), ..good.clone() }.pdu()));
        pdus.push((row("validity_period"), Deliver { validity_period: long.clone(), ..good.clone() }.pdu()));
        let row = row("schedule_delivery_time");
        pdus.push((row, Deliver { schedule_delivery_time: long, ..good }.pdu()));
    }
    let counted = async || {
        pair.receipts().await + pair.handset_messages().await + pair.metric("switchback_smpp_odd_total").await
    };
    let (before, mut taken, mut failures) = (counted().await, 0, 0);
    for (row, pdu) in pdus {
        let answer = pair.ask_and_recover(&pdu).await;
        rows.check(row, answer.is_some(), "no answer, or the session ended");
        taken += u64::from(answer.as_ref().is_some_and(|answer| answer["status"] == 0));
        failures += u32::from(answer.is_none());
        if failures > 20 {
            break;
        }
    }
    so(SOON, async || counted().await >= before + taken).await;
    let after = counted().await;
    rows.check("all", after >= before + taken, format!("{taken} were taken, {} counted", after - before));
    let (id, smsc_id) = pair.accepted(TO).await;
    pair.ask(&Deliver::delivered(TO, &smsc_id).pdu()).await;
    rows.check("then", pair.comes_to(&id, "Delivered").await, "a good receipt is lost");
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_02_messages_under_way_are_neither_doubled_nor_given_up() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for unknown in ["resend", "wait"] {
        // The SMSC keeps what is not acknowledged, and sends it again after each bind.
        let rules = json!([
            {"on": "bind", "do": [{"answer": {}}, {"send": {"raw": LISTED[0].1, "after": 0.3}}]},
            {"on": "submit", "do": [{"answer": {"after": 1.0}}]},
        ]);
        let carrier = format!("unknown_submit = \"{unknown}\"");
        let pair = Pair::start(&Setup { rules, carrier: &carrier, ..Setup::default() }).await;
        let mut ids = Vec::new();
        for i in 0..10 {
            ids.push(pair.send(&format!("+30690000000{i}")).await);
        }
        let waiting = so(SOON, async || pair.smsc.count("submit") >= 10).await;
        rows.check(unknown, waiting, "10 submits do not leave");
        pair.smsc.write(&octets(LISTED[0].1));
        for id in &ids {
            let sent = pair.comes_to_one_of(id, &["Sent", "Delivered"]).await;
            rows.check(unknown, sent, format!("a message is {}", pair.status(id).await));
            if !sent {
                break;
            }
        }
        let submits = pair.smsc.count("submit");
        rows.check(unknown, submits == 10, format!("{submits} submits"));
        rows.check(unknown, pair.one_session(), format!("{} binds", pair.smsc.count("bind")));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_04_a_pdu_ends_where_its_length_says() {
    if left_out() {
        return;
    }
    let rules = json!([
        {"on": "enquire_link", "do": [{"answer": {"append": "00"}}]},
        {"on": "submit", "do": [{"answer": {"after": 1.2}}]},
    ]);
    let pair = Pair::start(&Setup { rules, carrier: "enquire_link = \"1s\"", ..Setup::default() }).await;
    let id = pair.send(TO).await;
    let asked = || pair.smsc.events("request").iter().filter(|r| r["command"] == "enquire_link").count();
    assert!(so(SOON, async || asked() >= 2).await, "no enquire_link");
    assert!(pair.comes_to(&id, "Sent").await);
    assert!(pair.one_session(), "{} binds", pair.smsc.count("bind"));
    assert_eq!(pair.smsc.count("submit"), 1);
}

#[tokio::test]
async fn rule_04_of_every_kind_and_what_stands_behind_is_read() {
    if left_out() {
        return;
    }
    // Every answer of the SMSC has superfluous octets.
    let odd = "00deadbeef";
    let answer = json!([{"answer": {"append": odd}}]);
    let rules: Vec<_> = ["bind", "submit", "enquire_link", "unbind"]
        .map(|on| json!({"on": on, "do": answer}))
        .into_iter()
        .collect();
    let carrier = "enquire_link = \"200ms\"";
    let pair = Pair::start(&Setup { rules: json!(rules), carrier, ..Setup::default() }).await;
    let mut rows = Rows::default();
    let more = octets(odd);
    let receipt = Deliver::delivered(TO, "nobody");
    for (row, first) in [
        ("enquire_link", request(pdu::ENQUIRE_LINK, &more)),
        ("deliver_sm", request(pdu::DELIVER_SM, &[receipt.body(), more.clone()].concat())),
        ("data_sm", request(pdu::DATA_SM, &[&receipt.data()[16..], &more].concat())),
        ("an unknown command", request(0x3177, &more)),
        ("query_sm", request(3, &[b"m000001\0\x01\x01x\0", &more[..]].concat())),
    ] {
        let behind = Deliver::delivered(TO, "nobody").pdu();
        let (one, two) = (pdu::sequence(&first), pdu::sequence(&behind));
        pair.smsc.write(&[first, behind].concat());
        let answered = |sequence| pair.smsc.answers(sequence).len() == 1;
        rows.check(row, so(SOON, async || answered(one)).await, "not answered once");
        rows.check(row, so(SOON, async || answered(two)).await, "what stands behind it is not answered once");
    }
    // Answers that nobody waits for, and alert_notification, which has none.
    for (row, command) in [
        ("enquire_link_resp", 0x8000_0015),
        ("deliver_sm_resp", 0x8000_0005),
        ("submit_sm_resp", pdu::SUBMIT_SM_RESP),
        ("an unknown answer", 0x8000_3177),
        ("generic_nack", 0x8000_0000),
        ("alert_notification", 0x102),
    ] {
        let behind = Deliver::delivered(TO, "nobody").pdu();
        let sequence = pdu::sequence(&behind);
        pair.smsc.write(&[pdu(command, 0, 0x7000_0000, &more), behind].concat());
        let answered = so(SOON, async || pair.smsc.answers(sequence).len() == 1).await;
        rows.check(row, answered, "what stands behind it is not answered once");
    }
    rows.check("all", pair.one_session(), "a session ended");
    let (id, smsc_id) = pair.accepted(TO).await;
    pair.ask(&Deliver::delivered(TO, &smsc_id).pdu()).await;
    rows.check("submit_sm_resp", pair.comes_to(&id, "Delivered").await, "not Delivered");
    rows.check("all", pair.one_session(), "a session ended");
    pair.server.server.stop().await;
    let asked = pair.smsc.events("request").iter().filter(|request| request["command"] == "unbind").count();
    rows.check("unbind", asked == 1, format!("{asked} unbinds"));
    rows.hold();
}

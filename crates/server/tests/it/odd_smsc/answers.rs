//! Rules 3 and 5: the header of an answer says enough.

use super::pdu::{Deliver, SUBMIT_SM_RESP, hex, octets, pdu};
use super::*;
use futures::{StreamExt, stream};

/// Rules of a script by which the submit to each recipient is answered so.
fn answering(rows: &[(String, Value)]) -> Value {
    let rule = |(to, answer): &(String, Value)| json!({"on": "submit", "when": {"to": to.trim_start_matches('+')}, "do": [{"answer": answer}]});
    rows.iter().map(rule).collect()
}

fn recipient(row: usize) -> String {
    format!("+3069100{row:05}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_03_status_0_means_accepted_whatever_follows() {
    if left_out() {
        return;
    }
    let long = "61".repeat(65) + "00";
    let listed = [
        ("id without NUL", "6d303030303031", "m000001"),
        ("id of 65 characters", &*long, &*"a".repeat(65)),
        ("id and receipted_message_id without NUL", "6d30303030303100001e00076d303030303031", "m000001"),
    ]
    .map(|(row, body, id)| (row, body.to_owned(), id.to_owned()));
    let tried = stream::iter(listed).map(async |(row, body, smsc_id)| {
        let rules = json!([{"on": "submit", "do": [{"answer": {"body": body}}]}]);
        let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
        let id = pair.send_two(TO).await;
        let sent = pair.comes_to(&id, "Sent").await;
        pair.ask(&Deliver::delivered(TO, &smsc_id).pdu()).await;
        let delivered = pair.comes_to(&id, "Delivered").await;
        (row, sent, delivered, pair.smsc.count("submit"), pair.one_session())
    });
    let mut rows = Rows::default();
    for (row, sent, delivered, submits, one_session) in tried.buffered(3).collect::<Vec<_>>().await {
        rows.check(row, sent, "not Sent");
        rows.check(row, delivered, "its receipt is not found");
        rows.check(row, submits == 1, format!("{submits} hand-overs"));
        rows.check(row, one_session, "the session ended");
    }
    rows.hold();
}

#[tokio::test]
async fn rule_03_a_refusal_stays_one_whatever_follows() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": [{"answer": {"status": "0x45", "body": "0425000102"}}]}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let id = pair.send_two(TO).await;
    assert!(pair.comes_to(&id, "Failed").await, "{}", pair.server.track(&id).await);
    assert!(so(SOON, async || pair.smsc.submits_to(STEP_2).len() == 1).await, "step 2 does not start");
    assert_eq!(pair.smsc.submits_to(TO).len(), 1);
    assert!(pair.one_session());
}

#[tokio::test]
async fn rule_03_answers_cut_anywhere_and_with_superfluous_octets() {
    if left_out() {
        return;
    }
    // What follows the header, the id that can be read, and whether it is a refusal.
    let mut answers: Vec<(String, Vec<u8>, Option<String>, u32)> = Vec::new();
    let whole = b"abcdefg\0";
    for end in 0..whole.len() {
        let id = format!("{end}{}", &"abcdefg"[..end.min(7)]);
        let body = if end == 0 { Vec::new() } else { id.as_bytes().to_vec() };
        answers.push((format!("cut after {end}"), body, (end > 0).then_some(id), 0));
    }
    for (row, more) in [
        ("NULs behind", &[0, 0, 0][..]),
        ("an octet behind", &[7]),
        ("octets behind", &[0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a TLV of no length", &[0x14, 0x01]),
        ("a TLV that claims more", &[0x14, 0x01, 0, 20, 1, 2]),
        ("network_error_code of 1 octet", &[0x04, 0x23, 0, 1, 3]),
        ("delivery_failure_reason of 3 octets", &[0x04, 0x25, 0, 3, 1, 2, 3]),
        ("additional_status_info_text without NUL", &[0x00, 0x1d, 0, 2, b'o', b'k']),
        ("a TLV of SMPP 5", &[0x13, 0x83, 0, 9, 1]),
    ] {
        let id = format!("x{}", answers.len());
        answers.push((row.into(), [id.as_bytes(), &[0], more].concat(), Some(id), 0));
    }
    answers.push((
        "id of 300 characters".into(),
        [&[b'z'; 300][..], &[0]].concat(),
        Some("z".repeat(300)),
        0,
    ));
    let foreign = [0xe9, 0xff, 0x80, 0];
    answers.push(("id that is no ASCII".into(), foreign.to_vec(), None, 0));
    for (row, body) in [
        ("a refusal with an id", &b"m1\0"[..]),
        ("a refusal with an id without NUL", b"m1"),
        ("a refusal with a TLV of 2 octets", &[0x04, 0x23, 0, 2, 3, 1]),
        ("a refusal with an octet", &[9]),
        ("a refusal with half a TLV", &[0x00, 0x1d, 0]),
        ("a refusal with a long text", &[b'n'; 200]),
    ] {
        answers.push((row.into(), body.to_vec(), None, 0x45));
    }
    let scripted: Vec<_> = answers
        .iter()
        .enumerate()
        .map(|(i, (_, body, _, status))| {
            (recipient(i), json!({"body": hex(body), "status": status.to_string()}))
        })
        .collect();
    let pair = Pair::start(&Setup { rules: answering(&scripted), ..Setup::default() }).await;
    let mut rows = Rows::default();
    for (i, (row, _, id, status)) in answers.iter().enumerate() {
        let to = recipient(i);
        let tracking = pair.send(&to).await;
        let wanted = if *status == 0 { "Sent" } else { "Failed" };
        let came = pair.comes_to(&tracking, wanted).await;
        rows.check(row, came, format!("{} instead of {wanted}", pair.status(&tracking).await));
        let submits = pair.smsc.submits_to(&to).len();
        rows.check(row, submits == 1, format!("{submits} hand-overs"));
        if let (Some(id), true) = (id, came) {
            // An id of 300 characters has no room in a text.
            let receipt = Deliver { text: vec![], ..Deliver::delivered(&to, "") };
            let receipt = receipt.with(0x1e, &[id.as_bytes(), &[0]].concat()).with(0x427, &[2]);
            pair.ask_and_recover(&receipt.pdu()).await;
            rows.check(row, pair.comes_to(&tracking, "Delivered").await, "its receipt is not found");
        }
        if rows.broken.len() > 12 {
            break;
        }
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

#[tokio::test]
async fn rule_03_an_answer_may_come_octet_by_octet_and_after_its_receipt() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": []}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let (slow, early) = (pair.send(TO).await, pair.send("+306900000009").await);
    assert!(so(SOON, async || pair.smsc.count("submit") == 2).await);
    let sequence = |to: &str| pair.smsc.submits_to(to)[0]["sequence"].as_u64().unwrap() as u32;
    for octet in pdu(SUBMIT_SM_RESP, 0, sequence(TO), b"slow\0") {
        pair.smsc.write(&[octet]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(pair.comes_to(&slow, "Sent").await);
    let receipt = Deliver::delivered("+306900000009", "early");
    let behind = pdu(SUBMIT_SM_RESP, 0, sequence("+306900000009"), b"early\0");
    pair.smsc.write(&[receipt.pdu(), behind].concat());
    assert!(pair.comes_to(&early, "Delivered").await);
    assert_eq!(pair.smsc.count("submit"), 2);
    assert!(pair.one_session());
}

#[tokio::test]
async fn rule_05_a_header_with_status_0_is_accepted() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": [{"answer": {"body": ""}}]}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let id = pair.send_two(TO).await;
    assert!(pair.comes_to(&id, "Sent").await, "{}", pair.server.track(&id).await);
    assert!(pair.stays(&id, "Sent").await);
    assert_eq!((pair.smsc.submits_to(TO).len(), pair.smsc.submits_to(STEP_2).len()), (1, 0));
    assert!(pair.one_session());
}

#[tokio::test]
async fn rule_05_another_pdu_with_status_0_is_no_refusal() {
    if left_out() {
        return;
    }
    let kinds = [
        "data_sm_resp",
        "deliver_sm_resp",
        "enquire_link_resp",
        "query_sm_resp",
        "bind_transceiver_resp",
        "generic_nack",
        "0x80003177",
        "0x80000021",
    ];
    let scripted: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(i, kind)| (recipient(i), json!({"as": kind, "body": "6d3100"})))
        .collect();
    let pair = Pair::start(&Setup { rules: answering(&scripted), ..Setup::default() }).await;
    let mut ids = Vec::new();
    for i in 0..kinds.len() {
        ids.push(pair.send_two(&recipient(i)).await);
    }
    // Accepted, or unknown: then handed over again after `response_timeout`.
    let decided = async |i: usize| {
        pair.status(&ids[i]).await != "Queued" || pair.smsc.submits_to(&recipient(i)).len() > 1
    };
    let mut rows = Rows::default();
    for (i, kind) in kinds.iter().enumerate() {
        rows.check(kind, so(SOON, async || decided(i).await).await, "neither accepted nor unknown");
    }
    tokio::time::sleep(MEANWHILE).await; // A step 2 would leave now.
    for (i, kind) in kinds.iter().enumerate() {
        let statuses = pair.statuses(&ids[i]).await;
        let refused = statuses.len() > 1 || !["Queued", "Sent"].contains(&&*statuses[0]);
        rows.check(kind, !refused, format!("{statuses:?}"));
    }
    rows.check("all", pair.smsc.submits_to(STEP_2).is_empty(), "step 2 went out");
    rows.hold();
}

#[tokio::test]
async fn rule_05_a_message_without_an_id_is_found_by_no_receipt() {
    if left_out() {
        return;
    }
    let rules = json!([
        {"on": "submit", "when": {"nth": 3}, "do": [{"answer": {"body": ""}}]},
        {"on": "submit", "when": {"nth": 4}, "do": [{"answer": {"body": "2000"}}]},
        {"on": "submit", "do": [{"answer": {"body": "00"}}]},
    ]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let (mut rows, mut ids) = (Rows::default(), Vec::new());
    for i in 0..4 {
        ids.push(pair.send(&format!("+30690000000{i}")).await);
        rows.check(format!("message {i}"), pair.comes_to(&ids[i], "Sent").await, "not Sent");
    }
    let other = "+4917000000000";
    let state = |id: &[u8]| {
        Deliver { text: vec![], ..Deliver::delivered(other, "") }.with(0x1e, id).with(0x427, &[2])
    };
    for (row, pdu) in [
        (
            "the listed one",
            octets(
                "0000003b00000005000000000000000100010134393137303030303030303000050041636d650004000000000000000000001e0001000427000102",
            ),
        ),
        ("receipted_message_id of no octet", state(b"").pdu()),
        ("receipted_message_id of a space", state(b" \0").pdu()),
        ("id: and nothing", Deliver::receipt(other, "id: stat:DELIVRD err:000").pdu()),
        ("an empty id in quotes", Deliver::receipt(other, "id:\"\" stat:DELIVRD err:000").pdu()),
        ("no id", Deliver::receipt(other, "stat:DELIVRD err:000").pdu()),
    ] {
        let counted = pair.receipts().await;
        rows.check(row, pair.ask_and_recover(&pdu).await.is_some(), "not answered");
        let once = so(SOON, async || pair.receipts().await == counted + 1).await;
        rows.check(row, once, "not counted");
    }
    tokio::time::sleep(MEANWHILE).await; // None of them may move.
    for (i, id) in ids.iter().enumerate() {
        let status = pair.status(id).await;
        rows.check(format!("message {i}"), status == "Sent", status);
    }
    rows.check("all", pair.one_session(), "a session ended");
    rows.hold();
}

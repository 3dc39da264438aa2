//! Rules 11, 14, 15 and 16: what receipts say of parts, of ends, and in their TLVs.

use super::pdu::{Deliver, octets};
use super::*;
use futures::{StreamExt, stream};

/// Three parts, and whether they all get a status.
async fn three_parts(pair: &Pair) -> String {
    let long = pair.step(1, TO, &"a".repeat(400));
    let id = pair.server.send(&json!({"flow": [long, pair.step(2, STEP_2, "hello")]})).await;
    assert!(pair.all_come_to(&id, "Sent").await, "{:?}", pair.statuses(&id).await);
    id
}

impl Pair {
    async fn all_come_to(&self, id: &str, wanted: &str) -> bool {
        so(SOON, async || {
            let statuses = self.statuses(id).await;
            statuses.len() == 3 && statuses.iter().all(|status| status == wanted)
        })
        .await
    }
}

/// The SMSC's id of a part, from 0.
fn part_id(pair: &Pair, part: usize) -> String {
    let number = format!("{:02x}", part + 1);
    let is_it = |submit: &&Value| submit["short_message"].as_str().unwrap()[10..12] == number;
    let submits = pair.smsc.submits_to(TO);
    submits.iter().find(is_it).unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rule_11_one_id_for_all_parts_speaks_for_all() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for (row, times, stat, wanted) in [
        ("one receipt", 1, "DELIVRD", "Delivered"),
        ("three receipts", 3, "DELIVRD", "Delivered"),
        ("one UNDELIV", 1, "UNDELIV", "Undelivered"),
    ] {
        let rules = json!([
            {"on": "submit", "when": {"to": TO.trim_start_matches('+')}, "do": [{"answer": {"id": "same"}}]},
        ]);
        let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
        let id = three_parts(&pair).await;
        for _ in 0..times {
            pair.ask(&Deliver::receipt(TO, format!("id:same stat:{stat} err:000")).pdu()).await;
        }
        let all = so(SOON, async || {
            let statuses = pair.statuses(&id).await;
            statuses.iter().filter(|status| *status == wanted).count() == 3
        });
        rows.check(row, all.await, format!("{:?}", pair.statuses(&id).await));
        let next = usize::from(stat == "UNDELIV");
        tokio::time::sleep(MEANWHILE).await; // Step 2 leaves once at most.
        let started = pair.smsc.submits_to(STEP_2).len();
        rows.check(row, started == next, format!("step 2 was handed over {started} times"));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_11_with_receipts_for_the_message_any_part_speaks_for_all() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for (row, part, stat, wanted) in [
        ("the last", 2, "DELIVRD", "Delivered"),
        ("the first", 0, "DELIVRD", "Delivered"),
        ("the one between", 1, "DELIVRD", "Delivered"),
        ("the last, UNDELIV", 2, "UNDELIV", "Undelivered"),
    ] {
        let carrier = "receipts = \"message\"";
        let pair = match Pair::try_start(&Setup { carrier, ..Setup::default() }).await {
            Ok(pair) => pair,
            Err(error) => {
                rows.check(row, false, error);
                continue;
            }
        };
        assert!(pair.is_bound().await);
        let id = three_parts(&pair).await;
        let smsc_id = part_id(&pair, part);
        pair.ask(&Deliver::receipt(TO, format!("id:{smsc_id} stat:{stat} err:000")).pdu()).await;
        let all = so(SOON, async || {
            let statuses = pair.statuses(&id).await;
            statuses.iter().filter(|status| *status == wanted).count() == 3
        });
        rows.check(row, all.await, format!("{:?}", pair.statuses(&id).await));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_11_without_it_a_part_speaks_for_itself() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let id = three_parts(&pair).await;
    pair.ask(&Deliver::delivered(TO, &part_id(&pair, 1)).pdu()).await;
    let one = ["Sent", "Delivered", "Sent"];
    assert!(so(SOON, async || pair.statuses(&id).await == one).await, "{:?}", pair.statuses(&id).await);
    tokio::time::sleep(MEANWHILE).await; // The others stay.
    assert_eq!(pair.statuses(&id).await, one);
}

#[tokio::test]
async fn rule_14_an_intermediate_notification_is_never_final() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let (id, _) = pair.accepted(TO).await;
    let listed = "0000005000000005000000000000000100010133303639303030303030303000050041636d65002000000000000000001f69643a6d30303030303120737461743a554e44454c4956206572723a303030";
    pair.ask(&octets(listed)).await.expect("an answer");
    assert!(pair.stays(&id, "Sent").await, "{}", pair.status(&id).await);
    pair.ask(&octets(PLAIN)).await.expect("an answer");
    assert!(pair.comes_to(&id, "Delivered").await, "{}", pair.status(&id).await);
    assert_eq!(pair.smsc.count("submit"), 1);
}

#[tokio::test]
async fn rule_14_whatever_it_says_and_wherever() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let notification =
        |to: &str, text: String, esm_class| Deliver { esm_class, ..Deliver::receipt(to, text) };
    type Made = Box<dyn Fn(&str, &str) -> Vec<u8>>;
    let mut kinds: Vec<(String, Made)> = Vec::new();
    for stat in ["UNDELIV", "REJECTD", "EXPIRED", "DELETED", "FAILED", "UNKNOWN", "DELIVRD", "ENROUTE"] {
        let made =
            move |to: &str, id: &str| notification(to, format!("id:{id} stat:{stat} err:001"), 0x20).pdu();
        kinds.push((stat.into(), Box::new(made)));
    }
    for class in [0x60, 0xa0, 0x21, 0x23] {
        // With a user data header indicator, there is no header to be found in it.
        let made =
            move |to: &str, id: &str| notification(to, format!("id:{id} stat:UNDELIV err:001"), class).pdu();
        kinds.push((format!("esm_class {class:#04x}"), Box::new(made)));
    }
    let by_tlv = move |to: &str, id: &str| {
        let id = [id.as_bytes(), &[0]].concat();
        notification(to, String::new(), 0x20).with(0x1e, &id).with(0x427, &[5]).pdu()
    };
    kinds.push(("in TLVs".into(), Box::new(by_tlv)));
    let data =
        move |to: &str, id: &str| notification(to, format!("id:{id} stat:UNDELIV err:001"), 0x20).data();
    kinds.push(("in data_sm".into(), Box::new(data)));
    let mut messages = Vec::new();
    for (i, (row, made)) in kinds.iter().enumerate() {
        let to = format!("+3069300{i:05}");
        let (id, smsc_id) = pair.accepted(&to).await;
        pair.smsc.write(&made(&to, &smsc_id));
        messages.push((row, id, to, smsc_id));
    }
    tokio::time::sleep(MEANWHILE).await; // None of them may move.
    let mut rows = Rows::default();
    for (row, id, to, smsc_id) in messages {
        let status = pair.status(&id).await;
        rows.check(row, status == "Sent", format!("{status} after the notification"));
        pair.ask_and_recover(&Deliver::delivered(&to, &smsc_id).pdu()).await;
        let delivered = pair.comes_to_one_of(&id, &["Delivered", "Undelivered", "Failed"]).await;
        let status = pair.status(&id).await;
        rows.check(row, delivered && status == "Delivered", format!("{status} after the receipt"));
    }
    rows.check("all", pair.smsc.submits_to(STEP_2).is_empty(), "step 2 went out");
    let (id, smsc_id) = pair.accepted(TO).await;
    pair.ask(&Deliver::receipt(TO, format!("id:{smsc_id} stat:UNKNOWN err:000")).pdu()).await;
    rows.check("UNKNOWN under 0x04", pair.comes_to(&id, "Undelivered").await, pair.status(&id).await);
    let detail = pair.detail(&id).await;
    rows.check("UNKNOWN under 0x04", detail == "Unknown Status", detail);
    rows.hold();
}

/// What a receipt's fields come to: the text, `message_state` and `network_error_code`, and the right status
/// and detail.
type Fields = (&'static str, &'static [u8], &'static [u8], &'static str, &'static str);

async fn refine(tables: &str, fields: &[Fields]) {
    let pair = Pair::start(&Setup { tables, ..Setup::default() }).await;
    let mut sent = Vec::new();
    for (i, (text, state, code, ..)) in fields.iter().enumerate() {
        let to = format!("+3069400{i:05}");
        let (id, smsc_id) = pair.accepted(&to).await;
        let text = if text.is_empty() { String::new() } else { format!("id:{smsc_id} {text}") };
        let mut receipt = Deliver::receipt(&to, text).with(0x1e, &[smsc_id.as_bytes(), &[0]].concat());
        if !state.is_empty() {
            receipt = receipt.with(0x427, state);
        }
        if !code.is_empty() {
            receipt = receipt.with(0x423, code);
        }
        pair.ask_and_recover(&receipt.pdu()).await;
        sent.push(id);
    }
    tokio::time::sleep(MEANWHILE).await; // What may not move would have moved.
    let mut rows = Rows::default();
    for ((text, state, code, status, detail), id) in fields.iter().zip(&sent) {
        let row = format!("{text} {state:?} {code:?}");
        let came = pair.comes_to(id, status).await;
        rows.check(&row, came, format!("{} instead of {status}", pair.status(id).await));
        let instead = pair.detail(id).await;
        rows.check(row, detail.is_empty() || instead == *detail, format!("{instead} instead of {detail}"));
    }
    rows.hold();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_15_err_refines_a_failure_and_nothing_else() {
    if left_out() {
        return;
    }
    let table = "[carrier.err]\n\"002\" = { status = \"Undelivered\", detail = \"Roaming\" }\n\
                 \"27\" = { status = \"Undelivered\", detail = \"Undelivered on Handset\" }\n";
    let with_table: [Fields; 13] = [
        ("stat:DELIVRD err:002", &[], &[], "Delivered", "Delivered"),
        ("stat:ENROUTE err:002", &[], &[], "Sent", ""),
        ("stat:UNDELIV err:027", &[], &[], "Undelivered", "Undelivered on Handset"),
        ("stat:UNDELIV err:002", &[], &[], "Undelivered", "Roaming"),
        ("stat:UNDELIV err:2", &[], &[], "Undelivered", "Roaming"),
        ("stat:UNDELIV err:0027", &[], &[], "Undelivered", "Undelivered on Handset"),
        ("stat:REJECTD err:002", &[], &[], "Undelivered", "Roaming"),
        ("stat:ACCEPTD err:027", &[], &[], "Sent", ""),
        ("stat:BUFFERED err:002", &[], &[], "Sent", ""),
        ("stat:DELIVRD err:27", &[2], &[], "Delivered", "Delivered"),
        ("", &[2], &[3, 0, 2], "Delivered", "Delivered"),
        ("", &[1], &[3, 0, 2], "Sent", ""),
        ("", &[5], &[3, 0, 0x1b], "Undelivered", "Undelivered on Handset"),
    ];
    refine(table, &with_table).await;
    let without: [Fields; 9] = [
        ("stat:UNDELIV err:00B", &[], &[], "Undelivered", "Call Barred"),
        ("stat:UNDELIV err:00b", &[], &[], "Undelivered", "Call Barred"),
        ("stat:UNDELIV err:0x0D", &[], &[], "Undelivered", "Call Barred"),
        ("stat:UNDELIV err:01F", &[], &[], "Undelivered", "Undelivered on Handset"),
        ("stat:UNDELIV err:0011", &[], &[], "Undelivered", "Call Barred"),
        ("stat:UNDELIV err:8", &[], &[], "Undelivered", "Roaming"),
        ("stat:DELIVRD err:00B", &[], &[], "Delivered", "Delivered"),
        ("", &[5], &[3, 0, 8], "Undelivered", "Roaming"),
        ("stat:UNDELIV err:xyz", &[], &[], "Undelivered", "Undelivered"),
    ];
    refine("", &without).await;
}

#[tokio::test]
async fn rule_15_network_error_code_is_an_err() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let (id, _) = pair.accepted(TO).await;
    let listed = "0000004900000005000000000000000100010133303639303030303030303000050041636d650004000000000000000000001e00086d30303030303100042700010504230003030001";
    pair.ask(&octets(listed)).await.expect("an answer");
    assert!(pair.comes_to(&id, "Undelivered").await, "{}", pair.status(&id).await);
    assert_eq!(pair.detail(&id).await, "Unknown Number");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_16_a_tlv_that_says_nothing_hides_no_text() {
    if left_out() {
        return;
    }
    let listed = [
        (
            "message_state 0",
            "0000006100000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030001e00086d303030303031000427000100",
        ),
        (
            "receipted_message_id of one NUL",
            "0000005a00000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030001e0001000427000102",
        ),
    ];
    let tried = stream::iter(listed).map(async |(row, hex)| {
        let pair = Pair::start(&Setup::default()).await;
        let (id, _) = pair.accepted(TO).await;
        pair.ask(&octets(hex)).await;
        (row, pair.comes_to(&id, "Delivered").await, pair.status(&id).await)
    });
    let mut rows = Rows::default();
    for (row, delivered, status) in tried.buffered(2).collect::<Vec<_>>().await {
        rows.check(row, delivered, status);
    }
    let pair = Pair::start(&Setup::default()).await;
    let none: [(&str, u16, &[u8]); 10] = [
        ("message_state 10", 0x427, &[10]),
        ("message_state 99", 0x427, &[99]),
        ("message_state 255", 0x427, &[255]),
        ("message_state of no octet", 0x427, &[]),
        ("message_state of 2 octets", 0x427, &[0, 0]),
        ("receipted_message_id of no octet", 0x1e, &[]),
        ("receipted_message_id of spaces", 0x1e, b"  \0"),
        ("receipted_message_id of NULs", 0x1e, &[0, 0, 0]),
        ("message_payload of no octet", 0x424, &[]),
        ("network_error_code of zeros", 0x423, &[0, 0, 0]),
    ];
    for (i, (row, tag, value)) in none.into_iter().enumerate() {
        let to = format!("+3069500{i:05}");
        let (id, smsc_id) = pair.accepted(&to).await;
        pair.ask_and_recover(&Deliver::delivered(&to, &smsc_id).with(tag, value).pdu()).await;
        rows.check(row, pair.comes_to(&id, "Delivered").await, pair.status(&id).await);
    }
    rows.hold();
}

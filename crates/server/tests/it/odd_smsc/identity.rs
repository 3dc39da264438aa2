//! Rules 12 and 17: who a message is from, and which message a receipt is about.

use super::pdu::Deliver;
use super::*;

#[tokio::test]
async fn rule_12_a_registered_sender_goes_out_as_the_carrier_calls_it() {
    if left_out() {
        return;
    }
    let known = [
        ("Acme", "47110", ("47110", 3, 0)),
        ("12345", "Shop", ("Shop", 5, 0)),
        ("Other", "+302100000000", ("302100000000", 1, 1)),
        ("+302100000009", "302100000008", ("302100000008", 1, 1)),
        ("Long", "AcmeNumber1", ("AcmeNumber1", 5, 0)),
    ];
    let table = |(id, known, _): &(&str, &str, _)| {
        format!("[[sender]]\nid = \"{id}\"\nchannel = \"Sms\"\ncarriers = {{ smsc = \"{known}\" }}\n")
    };
    let tables: String = known.iter().map(table).collect();
    let pair = Pair::start(&Setup { tables: &tables, tap: true, ..Setup::default() }).await;
    let mut rows = Rows::default();
    for (i, (from, _, (sender, ton, npi))) in known.iter().enumerate() {
        let mut step = pair.step(1, TO, "hello");
        step["from"] = json!(from);
        let id = pair.server.send(&json!({"flow": [step]})).await;
        rows.check(from, pair.comes_to(&id, "Sent").await, "not Sent");
        let submits = pair.tap.as_ref().unwrap().submits();
        let (_, its_ton, its_npi, its_sender) = &submits[i];
        let right = (&**its_sender, *its_ton, *its_npi) == (sender, *ton, *npi);
        rows.check(from, right, format!("{its_sender} {its_ton} {its_npi}"));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_12_a_sender_with_a_plus_is_refused_or_goes_out_whole() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    for (i, from) in ["+Acme", "+Acme1", "+12Acme", "++4711", "Acme+"].into_iter().enumerate() {
        let to = format!("+3069600{i:05}");
        let mut step = pair.step(1, &to, "hello");
        step["from"] = json!(from);
        let (status, answer) = pair.server.post("/failover", &json!({"flow": [step]})).await;
        if status == 400 {
            continue;
        }
        rows.check(from, status == 200, format!("{status} {answer}"));
        so(SOON, async || !pair.smsc.submits_to(&to).is_empty()).await;
        let sender = pair.smsc.submits_to(&to).first().map(|submit| submit["from"].clone());
        rows.check(from, sender == Some(json!(from)), format!("went out as {sender:?}"));
    }
    rows.hold();
}

/// A receipt with its id in the TLV, in the text or in both.
fn about(from: &str, tlv: &str, text: &str) -> Vec<u8> {
    let text = if text.is_empty() { String::new() } else { format!("id:{text} stat:DELIVRD err:000") };
    let receipt = Deliver::receipt(from, text);
    if tlv.is_empty() {
        return receipt.pdu();
    }
    receipt.with(0x1e, &[tlv.as_bytes(), &[0]].concat()).with(0x427, &[2]).pdu()
}

/// Messages with these ids, and receipts with these TLVs and texts for one of them: which one, from 0, or
/// none.
async fn meet(carrier: &str, ids: &[&str], receipts: &[(&str, &str, Option<usize>)]) -> Vec<String> {
    let rules: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| json!({"on": "submit", "when": {"nth": i + 1}, "do": [{"answer": {"id": id}}]}))
        .collect();
    let pair = match Pair::try_start(&Setup { rules: json!(rules), carrier, ..Setup::default() }).await {
        Ok(pair) => pair,
        Err(error) => return vec![format!("{carrier}: {error}")],
    };
    assert!(pair.is_bound().await);
    let mut messages = Vec::new();
    for i in 0..ids.len() {
        let id = pair.send(&format!("+3069700{i:05}")).await;
        assert!(pair.comes_to(&id, "Sent").await);
        messages.push(id);
    }
    let mut rows = Rows::default();
    let mut delivered = std::collections::HashSet::new();
    for (tlv, text, meant) in receipts {
        let row = format!("{carrier:?}, TLV {tlv:?}, text {text:?}");
        // From the one that is meant; what is for none comes from elsewhere.
        let from = meant.map_or("+4917000000000".into(), |meant| format!("+3069700{meant:05}"));
        pair.ask_and_recover(&about(&from, tlv, text)).await;
        if let Some(meant) = meant {
            let came = pair.comes_to(&messages[*meant], "Delivered").await;
            rows.check(&row, came, format!("{} is not found", ids[*meant]));
            delivered.insert(*meant);
        } else {
            tokio::time::sleep(MEANWHILE).await; // None may move.
        }
        for (i, message) in messages.iter().enumerate().filter(|(i, _)| !delivered.contains(i)) {
            rows.check(&row, pair.status(message).await == "Sent", format!("{} moved", ids[i]));
        }
    }
    rows.broken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_17_a_receipt_reaches_the_message_that_it_is_about() {
    if left_out() {
        return;
    }
    let hex = "submit_id = \"hex\"\nreceipt_id = \"hex\"";
    let mixed = "submit_id = \"hex\"\nreceipt_id = \"decimal\"";
    let long = "1234567890abcdef1234567890abcdef1234567890";
    let tried = [
        meet(
            hex,
            &["SAR-2347039245475-1eedf843-2-1", "0xAb", long, "ff-1"],
            &[
                ("", "SAR-2347039245475-1EEDF843-2-1", Some(0)),
                ("", "AB", Some(1)),
                ("", &long.to_uppercase(), Some(2)),
                ("FF-1", "", Some(3)),
            ],
        )
        .await,
        meet(mixed, &["2A", "42"], &[("2A", "42", Some(0))]).await,
        meet(mixed, &["0X2B"], &[("", "43", Some(0))]).await,
        // Digits only: the TLV is hexadecimal as the answer was, and 16 is another message.
        meet(mixed, &["16", "10", "A"], &[("10", "16", Some(1)), ("10", "", Some(1)), ("", "10", Some(2))])
            .await,
        meet(
            mixed,
            &["0x2c", "0X2D", "002e"],
            &[("", "44", Some(0)), ("2d", "", Some(1)), ("2E", "46", Some(2))],
        )
        .await,
        meet(
            "submit_id = \"decimal\"\nreceipt_id = \"hex\"",
            &["42", "18"],
            &[("42", "2A", Some(0)), ("", "0x12", Some(1))],
        )
        .await,
        meet(&format!("{mixed}\nreceipt_tlv_id = \"decimal\""), &["2A", "42"], &[("42", "", Some(0))]).await,
        meet(&format!("{mixed}\nreceipt_tlv_id = \"text\""), &["xyz"], &[("xyz", "", Some(0))]).await,
        // As text, case and zeros are the id's own.
        meet("", &["ab", "AB", "007", "7"], &[("", "AB", Some(1)), ("", "7", Some(3)), ("", "08", None)])
            .await,
    ];
    let rows = Rows { broken: tried.concat() };
    rows.hold();
}

#[tokio::test]
async fn rule_17_an_id_that_comes_again_is_told_apart_by_its_recipient() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": [{"answer": {"id": "1"}}]}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let later = "+306900000003";
    let first = pair.send(TO).await;
    assert!(pair.comes_to(&first, "Sent").await);
    // The SMSC restarts, and counts from 1 again.
    pair.smsc.act(&json!({"drop": "close"}));
    assert!(so(SOON, async || pair.smsc.count("bind") == 2).await);
    let second = pair.send(later).await;
    assert!(pair.comes_to(&second, "Sent").await);
    pair.ask(&Deliver::delivered(TO, "1").pdu()).await.expect("an answer");
    assert!(pair.comes_to(&first, "Delivered").await, "{}", pair.status(&first).await);
    assert!(pair.stays(&second, "Sent").await, "the later one moved");
    pair.ask(&Deliver::delivered(later, "1").pdu()).await.expect("an answer");
    assert!(pair.comes_to(&second, "Delivered").await, "{}", pair.status(&second).await);
}

#[tokio::test]
async fn rule_17_told_apart_in_any_order_and_manner() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": [{"answer": {"id": "1"}}]}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let to: Vec<_> = (0..4).map(|i| format!("+30690000002{i}")).collect();
    let mut ids = Vec::new();
    for to in &to {
        ids.push(pair.send(to).await);
        assert!(pair.comes_to(ids.last().unwrap(), "Sent").await);
    }
    let mut rows = Rows::default();
    // The last first, without a plus as ever, then with one; as a TLV; as an UNDELIV.
    let texts = ["id:1 stat:DELIVRD err:000", "id:1 stat:UNDELIV err:001"];
    let mut plus = Deliver::receipt(&to[0], texts[0]);
    plus.source = [to[0].as_bytes(), &[0]].concat();
    let receipts = [
        (3, Deliver::receipt(&to[3], texts[0]), "Delivered"),
        (0, plus, "Delivered"),
        (2, Deliver::receipt(&to[2], "").with(0x1e, b"1\0").with(0x427, &[2]), "Delivered"),
        (1, Deliver::receipt(&to[1], texts[1]), "Undelivered"),
    ];
    let mut moved = Vec::new();
    for (meant, receipt, wanted) in receipts {
        pair.ask(&receipt.pdu()).await.expect("an answer");
        let row = format!("to {}", to[meant]);
        rows.check(&row, pair.comes_to(&ids[meant], wanted).await, pair.status(&ids[meant]).await);
        moved.push(meant);
        for i in (0..4).filter(|i| !moved.contains(i)) {
            rows.check(&row, pair.status(&ids[i]).await == "Sent", format!("{} moved", to[i]));
        }
    }
    rows.hold();
}

#[tokio::test]
async fn rule_17_an_id_that_only_one_message_has_is_enough() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    for (i, source) in ["", "6900000000", "3069****0000", "006900000000", "Acme", "0"].into_iter().enumerate()
    {
        let (id, smsc_id) = pair.accepted(&format!("+3069800{i:05}")).await;
        pair.ask_and_recover(&Deliver::delivered(source, &smsc_id).pdu()).await;
        rows.check(format!("{source:?}"), pair.comes_to(&id, "Delivered").await, pair.status(&id).await);
    }
    rows.hold();
}

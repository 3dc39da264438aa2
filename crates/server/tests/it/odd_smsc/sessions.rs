//! Rules 1, 6, 18 and 19: how sessions begin, end and keep going.

use super::pdu::{self, Deliver, SUBMIT_SM_RESP, octets, pdu};
use super::*;
use futures::future::join_all;
use futures::{StreamExt, stream};

/// The sequence numbers of submits to be answered.
fn sequences(pair: &Pair) -> Vec<u32> {
    pair.smsc.events("submit").iter().map(|submit| submit["sequence"].as_u64().unwrap() as u32).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_01_a_burst_of_receipts_is_acknowledged_at_once() {
    if left_out() {
        return;
    }
    // Few submits at once: this is about the receipts.
    let pair = Pair::start(&Setup { carrier: "window = 3", ..Setup::default() }).await;
    let to: Vec<_> = (0..20).map(|i| format!("+3069000{i:05}")).collect();
    let ids = join_all(to.iter().map(|to| pair.send(to))).await;
    for id in &ids {
        assert!(pair.comes_to(id, "Sent").await);
    }
    let submits = pair.smsc.events("submit");
    let mut rows = Rows::default();
    for burst in 0..12 {
        let receipt = |submit: &Value| {
            let (from, id) = (submit["to"].as_str().unwrap(), submit["id"].as_str().unwrap());
            // For messages of ours, for nobody's, with no news, and from handsets.
            let receipt = match burst % 4 {
                0 => Deliver::delivered(from, id),
                1 => Deliver::delivered(from, &format!("b{burst}-{id}")),
                2 => Deliver::receipt(from, format!("id:{id} stat:ENROUTE err:000")),
                _ => Deliver { esm_class: 0, ..Deliver::receipt(from, "hello") },
            };
            receipt.pdu()
        };
        let receipts: Vec<_> = submits.iter().map(receipt).collect();
        pair.smsc.write(&receipts.concat());
        let answered =
            || receipts.iter().filter(|pdu| pair.smsc.answers(pdu::sequence(pdu)).len() == 1).count();
        so(Duration::from_secs(20), async || answered() == 20).await;
        rows.check(format!("burst {burst}"), answered() == 20, format!("{} of 20 acknowledged", answered()));
    }
    for id in &ids {
        rows.check("then", pair.comes_to(id, "Delivered").await, pair.status(id).await);
    }
    rows.hold();
}

#[tokio::test]
async fn rule_01_submits_leave_at_once() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": []}]);
    let carrier = "window = 100\nresponse_timeout = \"10s\"";
    let pair = Pair::start(&Setup { rules, carrier, ..Setup::default() }).await;
    let (mut rows, mut sent) = (Rows::default(), 0);
    for (burst, flows) in [8, 8, 8, 20, 8, 20, 5, 6, 11, 20, 40, 100].into_iter().enumerate() {
        let to: Vec<_> = (0..flows).map(|i| format!("+3069{burst:02}0{i:05}")).collect();
        let ids = join_all(to.iter().map(|to| pair.send(to))).await;
        // The SMSC says nothing meanwhile.
        so(Duration::from_secs(8), async || pair.smsc.count("submit") == sent + flows).await;
        let left = pair.smsc.count("submit") - sent;
        rows.check(format!("burst {burst}"), left == flows, format!("{left} of {flows} submits left"));
        let all: Vec<_> = sequences(&pair).split_off(sent);
        let answer = |sequence: &u32| pdu(SUBMIT_SM_RESP, 0, *sequence, format!("s{sequence}\0").as_bytes());
        pair.smsc.write(&all.iter().flat_map(answer).collect::<Vec<_>>());
        for id in &ids {
            rows.check(format!("burst {burst}"), pair.comes_to(id, "Sent").await, "not Sent");
            if !rows.broken.is_empty() {
                rows.hold();
                return;
            }
        }
        sent += flows;
    }
    rows.hold();
}

#[tokio::test]
async fn rule_01_submits_leave_at_once_however_late_their_answers() {
    if left_out() {
        return;
    }
    let pair =
        Pair::start(&Setup { flags: &["--late", "1"], carrier: "window = 100", ..Setup::default() }).await;
    let mut rows = Rows::default();
    for burst in 0..8 {
        let started = Instant::now();
        let to: Vec<_> = (0..8).map(|i| format!("+3069{burst:02}0{i:05}")).collect();
        join_all(to.iter().map(|to| pair.send(to))).await;
        // Before an answer comes.
        so(Duration::from_millis(900).saturating_sub(started.elapsed()), async || {
            pair.smsc.count("submit") == 8 * (burst + 1)
        })
        .await;
        let left = pair.smsc.count("submit") - 8 * burst;
        rows.check(format!("burst {burst}"), left == 8, format!("{left} of 8 submits left"));
        // The bursts overlap: some answers are under way.
        so(SOON, async || pair.smsc.count("submit") == 8 * (burst + 1)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rows.hold();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_06_an_unbind_ends_the_submitting_and_not_the_reading() {
    if left_out() {
        return;
    }
    let mut tried = Vec::new();
    for unknown in ["resend", "wait"] {
        for bind in ["transceiver", "separate"] {
            for later in [false, true] {
                tried.push((unknown, bind, later));
            }
        }
    }
    let tried = stream::iter(tried).map(async |(unknown, bind, later)| {
        let row = format!("{unknown}, {bind}, {}", if later { "later" } else { "at once" });
        let tenth = json!([{"unbind": {}}, {"answer": {"after": 0.5}}]);
        let rules = json!([{"on": "submit", "when": {"nth": 10}, "do": tenth}]);
        let carrier = format!("unknown_submit = \"{unknown}\"\nbind = \"{bind}\"");
        let flags: &[&str] = if later { &["--late", "1"] } else { &["--unbind-after", "10"] };
        let rules = if later { rules } else { Value::Null };
        let pair = Pair::start(&Setup { flags, rules, carrier: &carrier, ..Setup::default() }).await;
        let binds = pair.smsc.count("bind");
        let ids = join_all((0..10).map(async |i| pair.send(&format!("+30690000000{i}")).await)).await;
        let mut rows = Rows::default();
        for id in &ids {
            let sent = pair.comes_to(id, "Sent").await;
            rows.check(&row, sent, format!("{} instead of Sent", pair.status(id).await));
            if !sent {
                break;
            }
        }
        let again = so(SOON, async || pair.smsc.count("bind") > binds).await;
        rows.check(&row, again, "no other session begins");
        let submits = pair.smsc.count("submit");
        rows.check(&row, submits == 10, format!("{submits} submits"));
        let acknowledged = pair.smsc.events("answer").iter().any(|answer| answer["command"] == "unbind_resp");
        rows.check(&row, acknowledged, "the unbind is not answered");
        rows.broken
    });
    let rows = Rows { broken: tried.buffered(4).collect::<Vec<_>>().await.concat() };
    rows.hold();
}

#[tokio::test]
async fn rule_06_nothing_new_leaves_on_a_session_that_unbinds() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "when": {"session": 1}, "do": []}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let answered = pair.send(TO).await;
    let unanswered = pair.send("+306900000007").await;
    assert!(so(SOON, async || pair.smsc.count("submit") == 2).await);
    let sequence = pair.smsc.submits_to(TO)[0]["sequence"].as_u64().unwrap() as u32;
    let started = Instant::now();
    pair.ask(&octets("00000010000000060000000000002328")).await.expect("an unbind_resp");
    let new = pair.send("+306900000008").await;
    tokio::time::sleep(Duration::from_millis(500)).await; // The answer comes a little later.
    let bound = pair.smsc.count("bind");
    // A new session may be there already, and then the youngest is not the one that was asked.
    if bound == 1 {
        pair.smsc.write(&pdu(SUBMIT_SM_RESP, 0, sequence, b"late\0"));
        assert!(pair.comes_to(&answered, "Sent").await, "{}", pair.status(&answered).await);
        assert_eq!(pair.smsc.submits_to(TO).len(), 1);
    }
    // One of them is never answered: the session ends after `response_timeout`.
    assert!(so(SOON, async || pair.smsc.count("closed") == 1).await, "the session does not end");
    let lasted = started.elapsed();
    assert!(lasted > Duration::from_secs(1), "it ended after {lasted:?}, an answer was outstanding");
    assert!(pair.comes_to(&new, "Sent").await, "{}", pair.status(&new).await);
    assert!(pair.comes_to(&unanswered, "Sent").await, "{}", pair.status(&unanswered).await);
    assert_eq!(pair.smsc.first_submit_to("+306900000008").await["session"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_18_an_smsc_that_can_not_serve_is_asked_ever_more_rarely() {
    if left_out() {
        return;
    }
    let bind = |actions: Value| json!([{"on": "bind", "do": actions}]);
    let not_bound = json!([{"on": "submit", "do": [{"answer": {"status": "4"}}]}]);
    let kinds = [
        ("unbinds after 20 ms and closes", Value::Null),
        ("unbinds after 20 ms", bind(json!([{"answer": {}}, {"unbind": {"after": 0.02}}]))),
        ("unbinds and closes", bind(json!([{"answer": {}}, {"unbind": {}}, {"drop": "close"}]))),
        ("reset after the bind", bind(json!([{"answer": {}}, {"drop": "reset"}]))),
        ("closed after the bind", bind(json!([{"answer": {}}, {"drop": "close"}]))),
        ("closed instead", bind(json!([{"drop": "close"}]))),
        ("refused", bind(json!([{"answer": {"status": "0x0d"}}]))),
        ("every submit is refused as not bound", not_bound),
    ];
    let mut pairs = Vec::new();
    for (row, rules) in kinds {
        let carrier = "reconnect_max = \"30s\"";
        let pair = Pair::try_start(&Setup { rules, carrier, ..Setup::default() }).await.unwrap();
        if row.starts_with("every") {
            pair.send(TO).await;
        }
        pairs.push((row, pair));
    }
    // It is about how rarely something happens, in 10 s.
    let (listed, mut ended) = (&pairs[0].1.smsc, 0);
    so(Duration::from_secs(10), async || {
        if listed.count("bind") > ended {
            tokio::time::sleep(Duration::from_millis(20)).await;
            ended = listed.count("bind");
            listed.act(&json!({"unbind": {}}));
            listed.act(&json!({"drop": "close"}));
        }
        false
    })
    .await;
    let mut rows = Rows::default();
    for (row, pair) in &pairs {
        let binds = pair.smsc.count("bind");
        rows.check(row, (2..=15).contains(&binds), format!("{binds} binds in 10 s"));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_18_a_temporary_error_is_tried_again() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    let statuses = ["0x64", "0x58", "0x14", "0x08"];
    let rules: Vec<_> = statuses
        .iter()
        .enumerate()
        .map(|(i, status)| json!({"on": "submit", "when": {"nth": 2 * i + 1}, "do": [{"answer": {"status": status}}]}))
        .collect();
    let pair = Pair::start(&Setup { rules: json!(rules), ..Setup::default() }).await;
    for (i, status) in statuses.into_iter().enumerate() {
        let to = format!("+30690000003{i}");
        let id = pair.send_two(&to).await;
        rows.check(status, pair.comes_to(&id, "Sent").await, pair.status(&id).await);
        let submits = pair.smsc.submits_to(&to).len();
        rows.check(status, submits == 2, format!("{submits} submits"));
        if submits != 2 {
            break;
        }
    }
    rows.check("all", pair.smsc.submits_to(STEP_2).is_empty(), "step 2 went out");
    rows.hold();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_19_a_bind_that_the_smsc_grants_is_a_bind() {
    if left_out() {
        return;
    }
    let mut tried = Vec::new();
    for (row, body) in [
        ("system_id without NUL", "534d5343".to_owned()),
        ("no body", String::new()),
        ("sc_interface_version of 2 octets", "534d534300021000020034".into()),
        // Others of the kind.
        ("system_id of 40 characters", "41".repeat(40) + "00"),
        ("system_id empty", "00".into()),
        ("octets behind", "534d534300ffffffffff".into()),
        ("sc_interface_version of no octet", "534d53430002100000".into()),
        ("half a TLV", "534d5343000210".into()),
        ("a TLV that claims more", "534d53430002100009ff".into()),
        ("an unknown TLV", "534d53430014000003616263".into()),
        ("a version of its own", "534d534300021000017f".into()),
        ("system_id that is no ASCII", "e9ff8000".into()),
    ] {
        for bind in ["transceiver", "separate"] {
            tried.push((row, body.clone(), bind));
        }
    }
    let tried = stream::iter(tried).map(async |(row, body, bind)| {
        let row = format!("{row}, {bind}");
        let rules = json!([{"on": "bind", "do": [{"answer": {"body": body}}]}]);
        let carrier = format!("bind = \"{bind}\"");
        let pair = Pair::try_start(&Setup { rules, carrier: &carrier, ..Setup::default() }).await.unwrap();
        let id = pair.send(TO).await;
        let mut rows = Rows::default();
        let sent = pair.comes_to(&id, "Sent").await;
        rows.check(&row, sent, format!("{} instead of Sent", pair.status(&id).await));
        let (binds, closed) = (pair.smsc.count("bind"), pair.smsc.count("closed"));
        let sessions = if bind == "separate" { 2 } else { 1 };
        rows.check(&row, binds == sessions && closed == 0, format!("{binds} binds, {closed} ended"));
        let submits = pair.smsc.count("submit");
        rows.check(&row, submits == 1, format!("{submits} submits"));
        rows.broken
    });
    let rows = Rows { broken: tried.buffered(4).collect::<Vec<_>>().await.concat() };
    rows.hold();
}

#[tokio::test]
async fn rule_19_a_bind_that_it_refuses_is_none() {
    if left_out() {
        return;
    }
    let rules = json!([
        {"on": "bind", "when": {"nth": 1}, "do": [{"answer": {"status": "0x0d", "body": "534d5343"}}]},
        {"on": "bind", "when": {"nth": 2}, "do": [{"answer": {"status": "0x0e", "body": "02100009ff"}}]},
        {"on": "bind", "when": {"nth": 3}, "do": [{"answer": {"as": "generic_nack", "status": "3", "body": "00"}}]},
    ]);
    let pair = Pair::try_start(&Setup { rules, ..Setup::default() }).await.unwrap();
    let id = pair.send(TO).await;
    assert!(so(SOON, async || pair.status(&id).await == "Sent").await);
    assert_eq!((pair.smsc.count("bind"), pair.smsc.count("submit")), (4, 1));
    assert_eq!(pair.smsc.events("submit")[0]["session"], 4);
}

//! Rules 9 and 10: a session that is not bound, and messages that nobody knows about.

use super::pdu::{Deliver, octets};
use super::*;

fn unbinds(pair: &Pair) -> usize {
    pair.smsc.events("request").iter().filter(|request| request["command"] == "unbind").count()
}

#[tokio::test]
async fn rule_09_not_bound_leads_to_a_new_bind() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "when": {"session": 1}, "do": [{"answer": {"status": "4"}}]}]);
    let pair = Pair::start(&Setup { rules, ..Setup::default() }).await;
    let id = pair.send_two(TO).await;
    let sent = so(SOON, async || pair.status(&id).await == "Sent").await;
    let submits = pair.smsc.submits_to(TO);
    assert!(sent, "{}; {} binds, {} submits", pair.status(&id).await, pair.smsc.count("bind"), submits.len());
    assert!(unbinds(&pair) == 1, "the session is not unbound");
    assert_eq!((pair.smsc.count("bind"), &submits[1]["session"], submits.len()), (2, &json!(2), 2));
    assert!(pair.smsc.submits_to(STEP_2).is_empty());
}

#[tokio::test]
async fn rule_09_for_many_messages_and_a_transmitter() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for (row, bind, sessions) in [("transceiver", "transceiver", 1), ("separate", "separate", 2)] {
        // Which of the first two sessions is the transmitter is theirs to decide.
        let refuse = |session| json!({"on": "submit", "when": {"session": session}, "do": [{"answer": {"status": "4"}}]});
        let rules: Vec<_> = (1..=sessions).map(refuse).collect();
        let carrier = format!("bind = \"{bind}\"");
        let pair = Pair::start(&Setup { rules: json!(rules), carrier: &carrier, ..Setup::default() }).await;
        let mut ids = Vec::new();
        for i in 0..10 {
            ids.push(pair.send(&format!("+30690000000{i}")).await);
        }
        let all = so(SOON, async || {
            let mut sent = 0;
            for id in &ids {
                sent += u32::from(pair.status(id).await == "Sent");
            }
            sent == 10
        });
        rows.check(row, all.await, "not all are Sent");
        let binds = pair.smsc.count("bind");
        // The receiver may be bound again with its transmitter.
        rows.check(row, (sessions + 1..=2 * sessions).contains(&binds), format!("{binds} binds"));
    }
    rows.hold();
}

#[tokio::test]
async fn rule_10_a_late_answer_resolves_an_unknown_message() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": [{"answer": {"after": 3}}]}]);
    let carrier = "unknown_submit = \"wait\"";
    let pair = Pair::start(&Setup { rules, carrier, ..Setup::default() }).await;
    let id = pair.send_two(TO).await;
    assert!(pair.comes_to(&id, "Sent").await, "{}", pair.status(&id).await);
    assert_eq!(pair.metric("switchback_unknown_submits_total{carrier=\"smsc\",then=\"wait\"}").await, 1);
    assert_eq!(pair.metric("switchback_late_answers_total").await, 1);
    pair.ask(&octets(PLAIN)).await.expect("an answer");
    assert!(pair.comes_to(&id, "Delivered").await, "{}", pair.status(&id).await);
    assert_eq!(pair.smsc.count("submit"), 1);
    assert!(pair.one_session());
}

#[tokio::test]
async fn rule_10_a_late_refusal_lets_the_flow_move_on() {
    if left_out() {
        return;
    }
    let to = TO.trim_start_matches('+');
    let rules = json!([
        {"on": "submit", "when": {"to": to}, "do": [{"answer": {"after": 1.0, "status": "0x45"}}]},
        {"on": "submit", "when": {"to": "306900000007"}, "do": [{"answer": {"after": 1.0, "body": ""}}]},
    ]);
    let carrier = "unknown_submit = \"wait\"\nresponse_timeout = \"500ms\"";
    let pair = Pair::start(&Setup { rules, carrier, ..Setup::default() }).await;
    let (id, other) = (pair.send_two(TO).await, pair.send("+306900000007").await);
    assert!(so(SOON, async || pair.smsc.submits_to(STEP_2).len() == 1).await, "step 2 does not start");
    assert_eq!(pair.statuses(&id).await[0], "Failed");
    assert!(
        pair.comes_to(&other, "Sent").await,
        "a late answer without an id: {}",
        pair.status(&other).await
    );
    assert_eq!(pair.smsc.submits_to(TO).len(), 1);
}

#[tokio::test]
async fn rule_10_a_receipt_resolves_the_only_unknown_message_to_its_recipient() {
    if left_out() {
        return;
    }
    // Three recipients have one unknown message, the fourth has two.
    let to: Vec<_> = (0..4).map(|i| format!("+30690000000{}", [0, 4, 5, 6][i])).collect();
    let rules = json!([
        {"on": "submit", "when": {"session": 1, "nth": 5}, "do": [{"drop": "reset"}]},
        {"on": "submit", "when": {"session": 1}, "do": []},
    ]);
    let carrier = "unknown_submit = \"wait\"";
    let pair = Pair::start(&Setup { rules, carrier, ..Setup::default() }).await;
    let mut ids = Vec::new();
    for to in to.iter().chain([&to[3]]) {
        ids.push(pair.send_two(to).await);
    }
    assert!(so(SOON, async || pair.smsc.count("bind") == 2).await, "it binds again");
    let mut rows = Rows::default();
    // Nobody's: neither may these be taken for one of them.
    for from in ["+306900000099", ""] {
        pair.ask(&Deliver::delivered(from, "of-another").pdu()).await.expect("an answer");
    }
    for id in &ids {
        rows.check("a receipt of another", pair.status(id).await == "Queued", pair.status(id).await);
    }
    pair.ask(&Deliver::delivered(&to[0], "unheard-1").pdu()).await.expect("an answer");
    rows.check("the listed one", pair.comes_to(&ids[0], "Delivered").await, pair.status(&ids[0]).await);
    let undelivered = Deliver::receipt(&to[1], "id:unheard-2 stat:UNDELIV err:001");
    pair.ask(&undelivered.pdu()).await.expect("an answer");
    let moved_on = so(SOON, async || pair.smsc.submits_to(STEP_2).len() == 1).await;
    rows.check("UNDELIV", moved_on, "step 2 does not start");
    let by_tlv = Deliver { text: vec![], ..Deliver::delivered(&to[2], "") };
    pair.ask(&by_tlv.with(0x1e, b"unheard-3\0").with(0x427, &[2]).pdu()).await.expect("an answer");
    rows.check("by TLV", pair.comes_to(&ids[2], "Delivered").await, pair.status(&ids[2]).await);
    pair.ask(&Deliver::delivered(&to[3], "unheard-4").pdu()).await.expect("an answer");
    tokio::time::sleep(MEANWHILE).await; // Either may be meant.
    for id in &ids[3..] {
        rows.check("one of two", pair.status(id).await == "Queued", pair.status(id).await);
    }
    let submits = pair.smsc.events("submit").iter().filter(|submit| submit["session"] == 1).count();
    rows.check("all", submits == 5, format!("{submits} submits in the first session"));
    rows.hold();
}

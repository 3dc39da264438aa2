//! SMPP against Jasmin whole: its SMPP server takes our bind, its SMPP client passes messages on to an SMSC,
//! whose receipts come back through Jasmin.

use crate::smsc::Smsc;
use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// A minute of 200 ms, and a carrier to Jasmin.
fn config(jasmin: &Smsc, more: &str) -> String {
    let carrier = jasmin.carrier("user", &format!("reconnect_max = \"300ms\"\n{more}"));
    format!("[engine]\nminute = \"200ms\"\n{carrier}")
}

fn outcome(tracking: &Value) -> (&str, &str) {
    let status = &tracking["messages"][0]["status"];
    (status["name"].as_str().unwrap(), status["reason"]["detailedStatus"].as_str().unwrap())
}

async fn send(server: &TestServer, to: &str, body: &str, ttl: u32) -> String {
    let mut step = sms(1, to);
    step["message"]["body"] = json!(body);
    step["ttl"] = json!(ttl);
    server.send(&json!({"flow": [step]})).await
}

/// How often Jasmin took a message to each recipient that starts so.
fn taken(jasmin: &Smsc, prefix: &str) -> HashMap<String, usize> {
    let mut taken = HashMap::new();
    for accepted in jasmin.told("accepted") {
        let to = accepted["to"].as_str().unwrap();
        if to.starts_with(prefix) {
            *taken.entry(to.to_owned()).or_default() += 1;
        }
    }
    taken
}

/// What `/metrics` says of hand-overs of unknown outcome.
async fn unknown_submits(server: &TestServer) -> usize {
    let (_, metrics) = answer(server.request(Method::GET, "/metrics")).await;
    let lines = metrics.as_str().unwrap().lines();
    let counts = lines.filter(|line| line.starts_with("switchback_unknown_submits_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

#[tokio::test]
async fn through_jasmin_whole() {
    let upstream = Smsc::node(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut jasmin = Smsc::jasmin(folder.path(), &upstream, "deliver_sm");
    outcomes(&jasmin).await;
    for concatenation in ["udh", "sar", "payload"] {
        long_text(&jasmin, &upstream, concatenation).await;
    }
    throttled(&mut jasmin).await;
    unbound(&mut jasmin).await;
    for (unknown_submit, prefix) in [("resend", "30691"), ("wait", "30692")] {
        killed(&mut jasmin, unknown_submit, prefix).await;
    }
    receipts_as_data_sm(&mut jasmin).await;
}

async fn outcomes(jasmin: &Smsc) {
    let server = TestServer::start(&config(jasmin, "")).await;
    for (to, body, ttl, wanted) in [
        ("+306900000000", "{50 €}", 100, ("Delivered", "Delivered")),
        ("+306900000010", "Καλημέρα 👍", 100, ("Delivered", "Delivered")),
        ("+306900000001", "x", 100, ("Undelivered", "Unknown Number")),
        ("+306900000007", "x", 100, ("Undelivered", "Call Barred")),
        // The SMSC refuses it. Jasmin has long said yes by then, and tells who asked for every receipt
        // nothing.
        ("+306900000002", "x", 10, ("Undelivered", "Expired")),
    ] {
        let id = send(&server, to, body, ttl).await;
        assert_eq!(outcome(&server.track_to_end(&id).await), wanted, "{to}");
    }
    server.server.stop().await;
}

/// Parts and what announces them come through Jasmin as they are.
async fn long_text(jasmin: &Smsc, upstream: &Smsc, concatenation: &str) {
    let server = TestServer::start(&config(jasmin, &format!("concatenation = \"{concatenation}\""))).await;
    let text = "Η παραγγελία σας είναι καθ' οδόν 🚚👍 και θα παραδοθεί αύριο. ".repeat(3);
    let before = upstream.told("submit").len();
    let id = send(&server, "+306900000020", &text, 100).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["status"], "Succeeded", "{concatenation}");
    let submits = upstream.told("submit").split_off(before);
    let mut parts: Vec<(u64, &str)> = submits
        .iter()
        .map(|submit| {
            assert_eq!(submit["data_coding"], 8);
            let sequence = match concatenation {
                "udh" => u64::from_str_radix(&submit["udh"][0].as_str().unwrap()[8..], 16).unwrap(),
                "sar" => submit["sar"][2].as_u64().unwrap(),
                _ => 1,
            };
            (sequence, submit["text"].as_str().unwrap())
        })
        .collect();
    parts.sort_unstable();
    let joined: String = parts.iter().map(|(_, text)| *text).collect();
    assert_eq!(joined, text, "{concatenation}");
    server.server.stop().await;
}

async fn throttled(jasmin: &mut Smsc) {
    jasmin.order("throughput 10").await;
    let server = TestServer::start(&config(jasmin, "")).await;
    let mut ids = Vec::new();
    for i in 0..12 {
        ids.push(send(&server, &format!("+306903{i:06}0"), "x", 300).await);
    }
    for id in &ids {
        assert_eq!(outcome(&server.track_to_end(id).await), ("Delivered", "Delivered"));
    }
    assert!(!jasmin.told("throttled").is_empty());
    let taken = taken(jasmin, "306903");
    assert_eq!((taken.len(), taken.values().max()), (12, Some(&1)));
    server.server.stop().await;
    jasmin.order("throughput 0").await;
}

/// Jasmin unbinds while messages are on their way.
async fn unbound(jasmin: &mut Smsc) {
    let server = TestServer::start(&config(jasmin, "unknown_submit = \"resend\"")).await;
    let mut ids = Vec::new();
    for i in 0..40 {
        ids.push(send(&server, &format!("+306904{i:06}0"), "x", 300).await);
        if i == 20 {
            jasmin.order("unbind").await;
        }
    }
    for id in &ids {
        assert_eq!(outcome(&server.track_to_end(id).await), ("Delivered", "Delivered"));
    }
    let taken = taken(jasmin, "306904");
    let doubles = taken.values().sum::<usize>() - 40;
    assert_eq!(taken.len(), 40);
    assert!(doubles <= unknown_submits(&server).await, "{doubles}");
    server.server.stop().await;
}

/// Jasmin is killed while messages are on their way, and comes back.
async fn killed(jasmin: &mut Smsc, unknown_submit: &str, prefix: &str) {
    const MESSAGES: usize = 60;
    let more = format!("window = 20\nunknown_submit = \"{unknown_submit}\"");
    let server = TestServer::start(&config(jasmin, &more)).await;
    let mut ids = Vec::new();
    for i in 0..MESSAGES {
        // What Jasmin loses with its life ends with its ttl.
        ids.push(send(&server, &format!("+{prefix}{i:06}0"), "x", 50).await);
        if i == 30 {
            jasmin.order("kill").await;
        }
    }
    jasmin.order("start deliver_sm").await;
    for id in &ids {
        server.track_to_end(id).await;
    }
    let unknown = unknown_submits(&server).await;
    // A receipt that comes after the end counts as well. Those that Jasmin had taken from the SMSC and not
    // yet passed on are lost with it.
    let mut delivered = 0;
    for _ in 0..100 {
        delivered = 0;
        for id in &ids {
            delivered += usize::from(outcome(&server.track(id).await).0 == "Delivered");
        }
        if delivered + unknown + 15 >= MESSAGES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let taken = taken(jasmin, prefix);
    let doubles = taken.values().sum::<usize>() - taken.len();
    let seen = format!(
        "{unknown_submit}: {} taken, {delivered} delivered, {unknown} unknown, {doubles} double",
        taken.len()
    );
    println!("{seen}");
    if unknown_submit == "wait" {
        assert!(doubles == 0 && taken.len() + unknown >= MESSAGES, "{seen}");
    } else {
        assert!(doubles <= unknown && taken.len() == MESSAGES, "{seen}");
    }
    assert!(delivered + unknown + 15 >= MESSAGES, "{seen}");
    server.server.stop().await;
}

/// Jasmin's `dlr_pdu = data_sm`.
async fn receipts_as_data_sm(jasmin: &mut Smsc) {
    jasmin.order("kill").await;
    jasmin.order("start data_sm").await;
    let server = TestServer::start(&config(jasmin, "")).await;
    // A receipt without text has no `err`.
    for (to, wanted) in
        [("+306900000000", ("Delivered", "Delivered")), ("+306900000001", ("Undelivered", "Undelivered"))]
    {
        let id = send(&server, to, "x", 100).await;
        assert_eq!(outcome(&server.track_to_end(&id).await), wanted, "{to}");
    }
    server.server.stop().await;
}

//! SMPP 3.4 against two SMSCs that we did not write.

use crate::smsc::Smsc;
use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

fn long_minute(carrier: &str) -> String {
    format!("[engine]\nminute = \"30s\"\n{carrier}")
}

fn message(tracking: &Value) -> (&str, &str) {
    let status = &tracking["messages"][0]["status"];
    (status["name"].as_str().unwrap(), status["reason"]["detailedStatus"].as_str().unwrap())
}

async fn send_text(server: &TestServer, to: &str, body: &str) -> String {
    let mut step = sms(1, to);
    step["message"] = json!({"body": body});
    server.send(&json!({"flow": [step]})).await
}

/// What `/metrics` says of hand-overs of unknown outcome.
async fn unknown_submits(server: &TestServer, then: &str) -> u64 {
    let (_, metrics) = answer(server.request(Method::GET, "/metrics")).await;
    let name = format!("switchback_unknown_submits_total{{carrier=\"smsc\",then=\"{then}\"}} ");
    let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn every_digit_as_the_sandbox_plays_it() {
    let smsc = Smsc::node(&[("LATE_MS", "900")]);
    // Two minutes of 300 ms are a ttl.
    let server =
        TestServer::start(&format!("[engine]\nminute = \"300ms\"\n{}", smsc.carrier("plain", ""))).await;
    until("the bind", || !smsc.told("bound").is_empty()).await;
    let expected = [
        ("Succeeded", "Delivered", "Delivered"),
        ("Failed", "Undelivered", "Unknown Number"),
        ("Failed", "Failed", "Failed"),
        ("Failed", "Undelivered", "Expired"),
        ("Failed", "Delivered", "Delivered"),
        ("Succeeded", "Delivered", "Delivered"),
        ("Succeeded", "Delivered", "Delivered"),
        ("Failed", "Undelivered", "Call Barred"),
        ("Succeeded", "Delivered", "Delivered"),
        ("Succeeded", "Delivered", "Delivered"),
    ];
    let mut ids = vec![String::new(); expected.len()];
    // The one that is throttled comes last, since the carrier then slows down as a whole.
    for digit in [0, 1, 2, 3, 4, 6, 7, 8, 9, 5] {
        // Throttled three times, it needs more than the usual ttl here.
        let mut step = sms(1, &format!("+30690000000{digit}"));
        step["ttl"] = json!(if digit == 5 { 60 } else { 2 });
        ids[digit] = server.send(&json!({"flow": [step]})).await;
    }
    for (id, (status, name, detail)) in ids.iter().zip(expected) {
        server.track_until(id, |tracking| message(tracking) == (name, detail)).await;
        assert_eq!(server.track_to_end(id).await["status"], status);
    }
    let throttled = smsc.told("submit").iter().filter(|s| s["to"] == "306900000005").count();
    assert_eq!(throttled, 4);
    // Every receipt was acknowledged.
    assert!(smsc.told("receipt").iter().all(|receipt| receipt["status"] == 0));
}

#[tokio::test]
async fn what_the_smsc_sees() {
    let smsc = Smsc::node(&[]);
    let server = TestServer::start(&long_minute(&smsc.carrier("plain", ""))).await;
    let sent_ms = server::clock::now_ms();
    for from in ["Acme", "+302100000000", "12345"] {
        let mut step = sms(1, "+306900000000");
        step["from"] = json!(from);
        step["ttl"] = json!(10);
        step["message"] = json!({"body": "{50 €}", "flash": from == "12345"});
        let id = server.send(&json!({"flow": [step], "restrictions": {"principalEntityId": "7"}})).await;
        server.track_to_end(&id).await;
    }
    let submits = smsc.told("submit");
    let senders: Vec<_> =
        submits.iter().map(|s| (s["from"].as_str().unwrap(), s["ton"].as_u64(), s["npi"].as_u64())).collect();
    assert_eq!(
        senders,
        [("Acme", Some(5), Some(0)), ("302100000000", Some(1), Some(1)), ("12345", Some(3), Some(0))]
    );
    for submit in &submits {
        assert_eq!(
            (&submit["to"], &submit["dest_ton"], &submit["dest_npi"]),
            (&json!("306900000000"), &json!(1), &json!(1))
        );
        assert_eq!(submit["text"], "{50 €}");
        assert_eq!(submit["registered_delivery"], 1);
        // Ten minutes of 30 s from its own send; the SMSC shows it as a time.
        let expires = wire::time::parse_iso(submit["validity_period"].as_str().unwrap()).unwrap();
        assert!((290_000..=310_000).contains(&(expires - sent_ms)), "{submit}");
    }
    assert_eq!((&submits[0]["data_coding"], &submits[2]["data_coding"]), (&json!(0), &json!(0x10)));
}

#[tokio::test]
async fn long_greek_text_and_emoji_arrive_whole() {
    let text = "Η παραγγελία σας είναι καθ' οδόν 🚚👍 και θα παραδοθεί αύριο. ".repeat(6);
    for concatenation in ["udh", "sar", "payload"] {
        let smsc = Smsc::node(&[]);
        let carrier = smsc.carrier("plain", &format!("concatenation = \"{concatenation}\""));
        let server = TestServer::start(&long_minute(&carrier)).await;
        let id = send_text(&server, "+306900000000", &text).await;
        let tracking = server.track_to_end(&id).await;
        assert_eq!(tracking["status"], "Succeeded");
        let parts = tracking["messages"].as_array().unwrap().len();
        assert!(parts >= 6, "{parts}");
        if concatenation == "payload" {
            let submits = smsc.told("submit");
            assert_eq!(
                (submits.len(), &submits[0]["payload"], &submits[0]["text"]),
                (1, &json!(true), &json!(text))
            );
            continue;
        }
        // The parts may have been handed over in any order; their numbers tell theirs.
        let mut seen: Vec<(u64, u64, u64, String)> = smsc
            .told("submit")
            .iter()
            .map(|submit| {
                assert_eq!(submit["data_coding"], 8);
                let body = submit["text"].as_str().unwrap().to_owned();
                if concatenation == "sar" {
                    let sar = |i: usize| submit["sar"][i].as_u64().unwrap();
                    return (sar(2), sar(1), sar(0), body);
                }
                assert_eq!(submit["esm_class"], 0x40);
                let header = submit["udh"][0].as_str().unwrap();
                let octet = |i: usize| u64::from_str_radix(&header[2 * i..2 * i + 2], 16).unwrap();
                assert_eq!((octet(0), octet(1)), (0, 3));
                (octet(4), octet(3), octet(2), body)
            })
            .collect();
        seen.sort();
        let joined: String = seen.iter().map(|(.., body)| body.as_str()).collect();
        assert_eq!(joined, text, "{concatenation}");
        for (i, (sequence, total, reference, _)) in seen.iter().enumerate() {
            assert_eq!((*sequence, *total, *reference), (i as u64 + 1, parts as u64, seen[0].2));
        }
    }
}

#[tokio::test]
async fn transcoded_text_travels_in_the_gsm_alphabet() {
    let smsc = Smsc::node(&[]);
    let server = TestServer::start(&long_minute(&smsc.carrier("plain", ""))).await;
    let mut step = sms(1, "+306900000000");
    step["message"] = json!({"body": "“Žluťoučký” Ω", "transcode": true});
    let id = server.send(&json!({"flow": [step]})).await;
    server.track_to_end(&id).await;
    let submit = &smsc.told("submit")[0];
    assert_eq!((&submit["data_coding"], &submit["text"]), (&json!(0), &json!("\"Zlutoucky\" Ω")));
}

#[tokio::test]
async fn receipts_in_every_manner_find_their_message() {
    for (system_id, more) in [
        ("early", ""),
        ("tlv", ""),
        ("hex", "submit_id = \"hex\"\nreceipt_id = \"decimal\""),
        ("full", ""),
        ("plain", "bind = \"separate\""),
    ] {
        let smsc = Smsc::node(&[]);
        let server = TestServer::start(&long_minute(&smsc.carrier(system_id, more))).await;
        let binds = if more.contains("separate") { 2 } else { 1 };
        until("the binds", || smsc.told("bound").len() == binds).await;
        let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
        let tracking = server.track_to_end(&id).await;
        assert_eq!(message(&tracking), ("Delivered", "Delivered"), "{system_id}");
    }
}

#[tokio::test]
async fn the_tables_of_stat_and_err_can_be_overridden() {
    let smsc = Smsc::node(&[]);
    let more = "[carrier.err]\n\"013\" = { status = \"Failed\", detail = \"Carrier Violation\" }";
    let server = TestServer::start(&long_minute(&smsc.carrier("plain", more))).await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000007")]})).await;
    assert_eq!(message(&server.track_to_end(&id).await), ("Failed", "Carrier Violation"));
}

#[tokio::test]
async fn a_connection_lost_in_mid_window_loses_nothing() {
    let smsc = Smsc::node(&[]);
    let carrier = smsc
        .carrier("drop", "reconnect_max = \"300ms\"\nunknown_submit = \"resend\"\nunknown_resends_max = 20");
    let server = TestServer::start(&long_minute(&carrier)).await;
    let mut ids = Vec::new();
    for i in 0..60 {
        ids.push(server.send(&json!({"flow": [sms(1, &format!("+3069000{i:04}0"))]})).await);
    }
    for id in &ids {
        assert_eq!(server.track_to_end(id).await["status"], "Succeeded");
    }
    assert!(smsc.told("bound").len() > 1, "it came back after a loss");
    assert!(unknown_submits(&server, "resend").await > 0, "every possible double is counted");
    let recipients: std::collections::HashSet<_> =
        smsc.told("submit").iter().map(|submit| submit["to"].as_str().unwrap().to_owned()).collect();
    assert_eq!(recipients.len(), 60);
}

#[tokio::test]
async fn waiting_instead_of_resending_never_doubles() {
    let smsc = Smsc::node(&[]);
    let carrier = smsc.carrier("drop", "reconnect_max = \"300ms\"\nunknown_submit = \"wait\"");
    let server = TestServer::start(&format!("[engine]\nminute = \"1s\"\n{carrier}")).await;
    let mut ids = Vec::new();
    for i in 0..60 {
        ids.push(server.send(&json!({"flow": [sms(1, &format!("+3069000{i:04}0"))]})).await);
    }
    let mut expired = 0;
    for id in &ids {
        let tracking = server.track_to_end(id).await;
        match message(&tracking) {
            ("Delivered", _) => {}
            ("Undelivered", "Expired") => expired += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(expired > 0, "the lost connection left some unknown");
    // A receipt resolves those that the SMSC took and could not answer any more.
    assert!(unknown_submits(&server, "wait").await >= expired, "every possible loss is counted");
    let submits = smsc.told("submit");
    let recipients: std::collections::HashSet<_> =
        submits.iter().map(|submit| submit["to"].as_str().unwrap().to_owned()).collect();
    assert_eq!(submits.len(), recipients.len(), "none was sent twice");
}

#[tokio::test]
async fn a_wrong_password_holds_messages_until_their_ttl() {
    let smsc = Smsc::node(&[]);
    let carrier = smsc.carrier("plain", "reconnect_max = \"300ms\"").replace("\"secret\"", "\"wrong\"");
    let server = TestServer::start(&carrier).await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    assert_eq!(message(&server.track_to_end(&id).await), ("Undelivered", "Expired"));
    assert!(smsc.told("submit").is_empty());
}

#[tokio::test]
async fn several_sessions_share_a_carriers_messages() {
    let smsc = Smsc::node(&[]);
    let server = TestServer::start(&long_minute(&smsc.carrier("plain", "binds = 3"))).await;
    until("the binds", || smsc.told("bound").len() == 3).await;
    let mut ids = Vec::new();
    for i in 0..30 {
        ids.push(server.send(&json!({"flow": [sms(1, &format!("+30690000{i:03}0"))]})).await);
    }
    for id in &ids {
        assert_eq!(server.track_to_end(id).await["status"], "Succeeded");
    }
    assert_eq!(smsc.told("submit").len(), 30);
    server.server.stop().await;
    until("the unbinds", || smsc.told("unbound").len() == 3).await;
}

#[tokio::test]
async fn a_shutdown_unbinds() {
    let smsc = Smsc::node(&[]);
    let carrier = smsc.carrier("plain", "bind = \"separate\"\nenquire_link = \"50ms\"");
    let server = TestServer::start(&long_minute(&carrier)).await;
    until("the binds", || smsc.told("bound").len() == 2).await;
    until("an enquire_link on each", || smsc.told("enquire_link").len() >= 2).await;
    server.server.stop().await;
    until("the unbinds", || smsc.told("unbound").len() == 2).await;
}

#[tokio::test]
async fn over_tls_with_a_private_authority() {
    let directory = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (key, certificate) = (directory.path().join("key.pem"), directory.path().join("cert.pem"));
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let smsc = Smsc::node(&[("TLS_KEY", key), ("TLS_CERT", certificate)]);
    let more = format!("tls = true\ntls_ca = \"{certificate}\"");
    let server = TestServer::start(&long_minute(&smsc.carrier("plain", &more))).await;
    let id = server.send(&json!({"flow": [sms(1, "+306900000000")]})).await;
    assert_eq!(server.track_to_end(&id).await["status"], "Succeeded");
}

#[tokio::test]
async fn against_the_stack_of_jasmin() {
    let smsc = Smsc::python();
    let server =
        TestServer::start(&format!("[engine]\nminute = \"300ms\"\n{}", smsc.carrier("user", ""))).await;
    let expected = [
        ("+306900000000", ("Delivered", "Delivered")),
        ("+306900000001", ("Undelivered", "Unknown Number")),
        ("+306900000002", ("Failed", "Failed")),
        ("+306900000003", ("Undelivered", "Expired")),
    ];
    for (to, wanted) in expected {
        let mut step = sms(1, to);
        step["ttl"] = json!(if to.ends_with('3') { 2 } else { 60 });
        let id = server.send(&json!({"flow": [step]})).await;
        assert_eq!(message(&server.track_to_end(&id).await), wanted, "{to}");
    }
    let text = "Καλημέρα, η παραγγελία σας 👍 ".repeat(5);
    let mut step = sms(1, "+306900000009");
    step["ttl"] = json!(60);
    step["message"] = json!({"body": text});
    let id = server.send(&json!({"flow": [step]})).await;
    let tracking = server.track_to_end(&id).await;
    assert_eq!(tracking["status"], "Succeeded");
    let mut parts: Vec<Vec<u8>> = smsc
        .told("submit")
        .iter()
        .filter(|submit| submit["to"] == "306900000009")
        .map(|submit| {
            let hex = submit["octets"].as_str().unwrap();
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
        })
        .collect();
    // By their number in the header.
    parts.sort_by_key(|octets| octets[5]);
    let units: Vec<u16> = parts
        .iter()
        .flat_map(|octets| octets[6..].chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])))
        .collect();
    assert_eq!(String::from_utf16(&units).unwrap(), text);
    server.server.stop().await;
}

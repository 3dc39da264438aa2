//! Rule 20: the settings are as wide as real accounts.

use super::pdu::{hex, octets, packed, ucs2};
use super::tap::c_string;
use super::*;

/// Starts with keys of the carrier, and shows the SMSC's view of one message; what keeps it from starting
/// otherwise.
async fn with(carrier: &str, tables: &str, rules: Value, body: &str) -> Result<(Pair, Value), String> {
    let pair = Pair::try_start(&Setup { carrier, tables, rules, tap: true, ..Setup::default() }).await?;
    if !pair.is_bound().await {
        return Err("not bound".into());
    }
    pair.server.send(&json!({"flow": [pair.step(1, TO, body), pair.step(2, STEP_2, body)]})).await;
    so(SOON, async || pair.smsc.count("submit") > 0).await;
    let submit = pair.smsc.events("submit").first().cloned().ok_or("no submit")?;
    Ok((pair, submit))
}

#[tokio::test]
async fn rule_20_accounts_of_any_length() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for (key, at, length) in [
        ("password", 1, 9),
        ("password", 1, 40),
        ("system_id", 0, 16),
        ("system_id", 0, 30),
        ("system_type", 2, 13),
        ("system_type", 2, 20),
    ] {
        let row = format!("{key} of {length}");
        let value = &"1234567890".repeat(5)[..length];
        match with(&format!("{key} = \"{value}\""), "", Value::Null, "hello").await {
            Err(error) => rows.check(row, false, error),
            Ok((pair, _)) => {
                let body = octets(pair.smsc.events("bind")[0]["body"].as_str().unwrap());
                let mut fields = body.split(|octet| *octet == 0);
                rows.check(
                    row,
                    fields.nth(at) == Some(value.as_bytes()),
                    format!("bound with {}", hex(&body)),
                );
            }
        }
    }
    rows.hold();
}

#[tokio::test]
async fn rule_20_service_type_and_the_address_range_of_the_bind() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    let keys = "service_type = \"WAP\"\naddress_range = \"^4711\"\nbind_ton_npi = [1, 8]";
    for (row, more) in [("transceiver", ""), ("separate", "\nbind = \"separate\"")] {
        match with(&format!("{keys}{more}"), "", Value::Null, "hello").await {
            Err(error) => rows.check(row, false, error),
            Ok((pair, _)) => {
                let service = pair.tap.as_ref().unwrap().submits()[0].0.clone();
                rows.check(row, service == "WAP", format!("service_type {service:?}"));
                for bind in pair.smsc.events("bind") {
                    let body = octets(bind["body"].as_str().unwrap());
                    let rest = (0..3).fold(&body[..], |rest, _| c_string(rest).1);
                    let right = rest[1..] == *b"\x01\x08^4711\0";
                    rows.check(row, right, format!("{} with {}", bind["command"], hex(rest)));
                }
            }
        }
    }
    rows.hold();
}

#[tokio::test]
async fn rule_20_the_default_alphabet_of_the_smsc() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    for (alphabet, body, data_coding, text) in [
        ("latin1", "user@host_1", 0, b"user@host_1".to_vec()),
        ("ascii", "user@host_1", 0, b"user@host_1".to_vec()),
        ("gsm", "user@host_1", 0, b"user\0host\x111".to_vec()),
        ("gsm_packed", "hello", 0, octets("e8329bfd06")),
        ("gsm_packed", "seven octets in 6", 0, packed("seven octets in 6")),
        ("latin1", "café", 0, b"caf\xe9".to_vec()),
        ("latin1", "[50]", 0, b"[50]".to_vec()),
        // What is not in it goes out as UCS-2.
        ("latin1", "Ωμέγα", 8, ucs2("Ωμέγα")),
        ("latin1", "50 €", 8, ucs2("50 €")),
        ("ascii", "café", 8, ucs2("café")),
        ("gsm", "Ωμέγα", 8, ucs2("Ωμέγα")),
        ("gsm", "{50 €}", 0, b"\x1b\x2850 \x1b\x65\x1b\x29".to_vec()),
    ] {
        let row = format!("{alphabet}, {body}");
        match with(&format!("alphabet = \"{alphabet}\""), "", Value::Null, body).await {
            Err(error) => rows.check(row, false, error),
            Ok((_, submit)) => {
                let right = submit["data_coding"] == data_coding && submit["short_message"] == hex(&text);
                rows.check(row, right, submit);
            }
        }
    }
    rows.hold();
}

#[tokio::test]
async fn rule_20_what_a_command_status_means() {
    if left_out() {
        return;
    }
    let mut rows = Rows::default();
    let table = "[carrier.command_status]\n\"0x400\" = \"later\"\n\"0x0000040A\" = \"later\"\n\"0x401\" = \"later\"\n\
                 \"0x402\" = \"failed\"\n\"0x403\" = { status = \"Failed\", detail = \"Carrier Violation\" }\n\
                 \"0x58\" = \"failed\"\n\"0x45\" = \"later\"\n";
    for (status, taken, detail) in [
        ("0x400", true, ""),
        ("0x40a", true, ""),
        ("0x401", true, ""),
        ("0x45", true, ""),
        ("0x402", false, "Failed"),
        ("0x403", false, "Carrier Violation"),
        ("0x58", false, "Failed"),
        ("0x404", false, "Failed"),
        ("0x0b", false, "Unknown Number"),
    ] {
        let rules = json!([{"on": "submit", "when": {"nth": 1}, "do": [{"answer": {"status": status}}]}]);
        match Pair::try_start(&Setup { tables: table, rules, ..Setup::default() }).await {
            Err(error) => rows.check(status, false, error),
            Ok(pair) => {
                assert!(pair.is_bound().await);
                let id = pair.send_two(TO).await;
                let wanted = if taken { "Sent" } else { "Failed" };
                rows.check(status, pair.comes_to(&id, wanted).await, pair.status(&id).await);
                let instead = pair.detail(&id).await;
                rows.check(status, taken || instead == detail, format!("{instead} instead of {detail}"));
                let submits = pair.smsc.submits_to(TO).len();
                rows.check(status, submits == if taken { 2 } else { 1 }, format!("{submits} submits"));
            }
        }
    }
    rows.hold();
}

#[test]
fn rule_20_what_can_be_set_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let (page, example) = (read("docs/carriers-smpp.md"), read("switchback.example.toml"));
    let mut rows = Rows::default();
    for key in [
        "service_type",
        "address_range",
        "bind_ton_npi",
        "alphabet",
        "gsm_packed",
        "latin1",
        "command_status",
        "receipts",
        "receipt_tlv_id",
        "udh16",
    ] {
        rows.check(key, page.contains(key) || example.contains(key), "nothing tells of it");
    }
    // What handsets send is counted there (rule 13).
    rows.check("handsets", page.contains("switchback_inbound_total"), "not in carriers-smpp.md");
    rows.hold();
}

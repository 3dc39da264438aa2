//! Rule 21: texts that look right.

use super::pdu::{octets, tlv};
use super::*;
use flow::text::encode_gsm;
use futures::{StreamExt, stream};
use std::collections::BTreeMap;

/// Sends long messages to one recipient, and answers with the part numbers that came with each reference;
/// each text tells its message.
async fn references(
    carrier: &str,
    messages: usize,
    read: fn(&Value) -> (u16, u8, String),
) -> BTreeMap<u16, Vec<(u8, String)>> {
    let carrier = format!("window = 4\n{carrier}");
    let pair = Pair::start(&Setup { carrier: &carrier, ..Setup::default() }).await;
    // Every part starts with the message's number: a part has 153 letters.
    let text = |i: usize| format!("{i:03}{}{i:03}{}", "a".repeat(150), "b".repeat(20));
    let sent = stream::iter(0..messages)
        .map(|i| json!({"flow": [pair.step(1, TO, &text(i))]}))
        .map(async |flow| pair.server.send(&flow).await);
    let sent: Vec<_> = sent.buffered(8).collect().await;
    assert!(
        so(Duration::from_secs(20), async || pair.smsc.count("submit") >= 2 * messages).await,
        "{}",
        sent.len()
    );
    let mut found: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for submit in pair.smsc.events("submit") {
        let (reference, part, text) = read(&submit);
        found.entry(reference).or_default().push((part, text[..3].to_owned()));
    }
    found
}

fn text_of(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// Every reference has one message's two parts.
fn hold(name: &str, found: &BTreeMap<u16, Vec<(u8, String)>>, messages: usize) {
    let shared = found
        .values()
        .filter(|parts| parts.len() != 2 || parts[0].1 != parts[1].1 || parts[0].0 == parts[1].0);
    let shared = shared.count();
    assert_eq!(
        (found.len(), shared),
        (messages, 0),
        "{name}: references of {messages} messages, and shared ones"
    );
}

#[tokio::test]
async fn rule_21_long_messages_in_a_row_have_different_references() {
    if left_out() {
        return;
    }
    let udh = |submit: &Value| {
        let octets = octets(submit["short_message"].as_str().unwrap());
        assert_eq!((submit["esm_class"].as_u64(), &octets[..3], octets[4]), (Some(0x40), &[5, 0, 3][..], 2));
        (u16::from(octets[3]), octets[5], text_of(&octets[6..]))
    };
    hold("udh", &references("", 200, udh).await, 200);
}

#[tokio::test]
async fn rule_21_with_16_bits_for_longer() {
    if left_out() {
        return;
    }
    let sar = |submit: &Value| {
        let text = text_of(&octets(submit["short_message"].as_str().unwrap()));
        let tlvs = octets(submit["tlvs"].as_str().unwrap());
        let value = |tag: u16, length: usize| {
            let head = &tlv(tag, &vec![0; length])[..4];
            let at = tlvs.windows(4).position(|window| window == head).unwrap() + 4;
            tlvs[at..at + length].to_vec()
        };
        let reference = value(0x20c, 2);
        (u16::from_be_bytes([reference[0], reference[1]]), value(0x20f, 1)[0], text)
    };
    hold("sar", &references("concatenation = \"sar\"", 300, sar).await, 300);
}

#[tokio::test]
async fn rule_21_with_a_header_of_16_bits() {
    if left_out() {
        return;
    }
    let udh16 = |submit: &Value| {
        let octets = octets(submit["short_message"].as_str().unwrap());
        assert_eq!((submit["esm_class"].as_u64(), &octets[..3], octets[5]), (Some(0x40), &[6, 8, 4][..], 2));
        // A part has 152 letters with the longer header, or 153 as counted for the shorter one.
        let text = text_of(&octets[7..]);
        (u16::from_be_bytes([octets[3], octets[4]]), octets[6], text.trim_start_matches('a').to_owned())
    };
    hold("udh16", &references("concatenation = \"udh16\"", 300, udh16).await, 300);
}

#[tokio::test]
async fn rule_21_transcoded_capitals_stay_capitals() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup::default()).await;
    let mut rows = Rows::default();
    let mut check = async |i: usize, body: &str, right: &dyn Fn(&[u8]) -> bool| {
        let to = format!("+3069660{i:05}");
        let mut step = pair.step(1, &to, "");
        step["message"] = json!({"body": body, "transcode": true});
        pair.server.send(&json!({"flow": [step]})).await;
        so(SOON, async || !pair.smsc.submits_to(&to).is_empty()).await;
        let submits = pair.smsc.submits_to(&to);
        let so = submits.first().is_some_and(|submit| {
            submit["data_coding"] == 0 && right(&octets(submit["short_message"].as_str().unwrap()))
        });
        let text = submits.first().map(|submit| octets(submit["short_message"].as_str().unwrap()));
        let shown = text.as_deref().map(String::from_utf8_lossy);
        rows.check(body, so, format!("left as {shown:?}"));
    };
    let alike = [
        ("ΚΑΛΗΜΕΡΑ ΧΡΙΣΤΟΥΓΕΝΝΑ", "KAΛHMEPA XPIΣTOYΓENNA"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("ΓΔΘΛΞΠΣΦΨΩ", "ΓΔΘΛΞΠΣΦΨΩ"),
        ("ΠΑΡΑΓΓΕΛΙΑ 12", "ΠAPAΓΓEΛIA 12"),
        ("ΤΗΛΕΦΩΝΟ", "THΛEΦΩNO"),
        ("ΆΈΉΊΌΎΏ", "AEHIOYΩ"),
        ("ΨΥΧΗ", "ΨYXH"),
    ];
    for (i, (body, right)) in alike.into_iter().enumerate() {
        check(i, body, &|octets| octets == encode_gsm(right)).await;
    }
    // Another alphabet's capitals: whatever they become, it is in capitals.
    for (i, body) in ["МОСКВА", "ЖЩЮЯ ЧАЙ", "ШКОЛА ЦХЫ", "ЕКАТЕРИНБУРГ"].into_iter().enumerate()
    {
        check(100 + i, body, &|octets| !octets.iter().any(u8::is_ascii_lowercase)).await;
    }
    rows.hold();
}

//! Much at once: bursts in any split, PDUs of chance, and an SMSC that takes less than it is given.

use super::pdu::{self, Deliver, SUBMIT_SM_RESP, octets, pdu, request};
use super::*;
use fastrand::Rng;
use futures::future::join_all;

/// Writes octets in a few pieces, with and without a pause between them.
async fn write_split(pair: &Pair, all: &[u8], rng: &mut Rng) {
    let mut ends: Vec<_> = (0..rng.usize(0..6)).map(|_| rng.usize(0..all.len())).collect();
    ends.push(all.len());
    ends.sort_unstable();
    let mut start = 0;
    for end in ends {
        pair.smsc.write(&all[start..end]);
        start = end;
        if rng.bool() {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..5))).await;
        }
    }
}

/// Waits until each of these requests has its only answer, with status 0.
async fn all_acknowledged(pair: &Pair, sequences: &[u32]) -> Result<(), String> {
    let mut last = Vec::new();
    let all = so(SOON, async || {
        let answers = pair.smsc.events("answer");
        let mut by_sequence = std::collections::HashMap::new();
        for answer in &answers {
            let of = by_sequence.entry(answer["sequence"].as_u64().unwrap() as u32).or_insert((0, 0));
            *of = (of.0 + 1, of.1 + u32::from(answer["status"] != 0));
        }
        last = sequences.iter().filter(|s| by_sequence.get(s) != Some(&(1, 0))).copied().collect();
        last.is_empty()
    });
    if all.await {
        Ok(())
    } else {
        Err(format!("{} of {} not acknowledged once", last.len(), sequences.len()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_of_any_size_and_split_are_answered() {
    if left_out() {
        return;
    }
    let rules = json!([{"on": "submit", "do": []}]);
    let carrier = "window = 200\nresponse_timeout = \"10s\"";
    let pair = Pair::start(&Setup { rules, carrier, ..Setup::default() }).await;
    let mut rng = Rng::with_seed(34);
    for burst in 0..40 {
        // Submits leave while the SMSC says nothing; then all that it has to say comes at once.
        let before = pair.smsc.count("submit");
        let flows = if burst % 2 == 0 { rng.usize(1..=20) } else { 0 };
        let to: Vec<_> = (0..flows).map(|i| format!("+3069{burst:02}0{i:05}")).collect();
        let ids = join_all(to.iter().map(|to| pair.send(to))).await;
        so(Duration::from_secs(8), async || pair.smsc.count("submit") == before + flows).await;
        let submits = pair.smsc.events("submit").split_off(before);
        assert_eq!(submits.len(), flows, "burst {burst}: submits stayed");
        let mut pdus = Vec::new();
        let mut sequences = Vec::new();
        let mut add = |receipt: Deliver, pdus: &mut Vec<Vec<u8>>| {
            let pdu = receipt.pdu();
            sequences.push(pdu::sequence(&pdu));
            pdus.push(pdu);
        };
        for submit in &submits {
            let (to, sequence) = (submit["to"].as_str().unwrap(), submit["sequence"].as_u64().unwrap());
            let id = submit["id"].as_str().unwrap();
            pdus.push(pdu(SUBMIT_SM_RESP, 0, sequence as u32, format!("{id}\0").as_bytes()));
            add(Deliver::delivered(to, id), &mut pdus);
        }
        for i in 0..rng.usize(1..=100) {
            add(Deliver::delivered("+4917000000000", &format!("b{burst}-{i}")), &mut pdus);
        }
        // A receipt may well come before its answer.
        rng.shuffle(&mut pdus);
        write_split(&pair, &pdus.concat(), &mut rng).await;
        if let Err(error) = all_acknowledged(&pair, &sequences).await {
            panic!("burst {burst} of {} PDUs: {error}", pdus.len());
        }
        for id in &ids {
            assert!(pair.comes_to(id, "Delivered").await, "burst {burst}: {}", pair.status(id).await);
        }
    }
    assert!(pair.one_session());
}

/// What is changed by chance: what an SMSC may send.
fn originals() -> Vec<Vec<u8>> {
    let id = b"m000001\0";
    let receipt = Deliver::delivered(TO, "m000001");
    let full = receipt.clone().with(0x1e, id).with(0x427, &[2]).with(0x423, &[3, 0, 1]).with(0x1400, b"1\0");
    let wide = Deliver { data_coding: 8, ..Deliver::receipt(TO, pdu::ucs2("id:m000001 stat:DELIVRD")) };
    let handset = Deliver { esm_class: 0, ..Deliver::receipt(TO, "STOP") };
    let answer = |command: u32, body: &[u8]| pdu(0x8000_0000 | command, 0, 0x6000_0000, body);
    vec![
        octets(PLAIN),
        receipt.pdu(),
        full.pdu(),
        full.data(),
        wide.pdu(),
        wide.data(),
        handset.pdu(),
        handset.data(),
        Deliver::receipt(TO, "").with(0x424, b"id:m000001 stat:UNDELIV err:001").pdu(),
        octets(
            "0000004100000005000000000000000100010133303639303030303030303000050041636d650004000000000000000000001e00076d3030303030310427000102",
        ),
        octets(
            "0000005600000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a3030301401000a6162",
        ),
        octets("00000013000031770000000000000001616263"),
        request(pdu::ENQUIRE_LINK, b""),
        request(3, b"m000001\0\x01\x01306900000000\0"),
        request(0x102, b"\x01\x01306900000000\0\x01\x01Acme\0"),
        answer(4, id),
        answer(4, b"m000001\0\x00\x1e\0\x08m000001\0"),
        answer(0x15, b""),
        answer(0x103, id),
        answer(0, b""),
    ]
}

/// Changes a PDU behind `command_length` and `command_id`.
fn mutate(pdu: &mut [u8], rng: &mut Rng) {
    let answer = pdu[4] & 0x80 != 0;
    // Sequence numbers of answers are never those of submits that wait; a header of 16 has little else.
    let free = if pdu.len() > 16 { 16..pdu.len() } else { 8..12 };
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(free.clone());
        match rng.u8(0..5) {
            0 => pdu[at] ^= 1 << rng.u8(0..8),
            1 => pdu[at] = rng.u8(..),
            2 => pdu[at] = *rng.choice(&[0, 1, 0x7f, 0x80, 0xfe, 0xff]).unwrap(),
            3 => {
                let end = rng.usize(at..free.end);
                pdu[at..end].fill(rng.u8(..));
            }
            _ => {
                let end = rng.usize(at..free.end);
                pdu[at..end].reverse();
            }
        }
    }
    if rng.u8(0..8) == 0 {
        pdu[8 + rng.usize(0..4)] = rng.u8(..);
    }
    if rng.u8(0..8) == 0 && !answer {
        pdu[12 + rng.usize(0..2)] = rng.u8(..);
    }
}

#[tokio::test]
async fn mutations_cost_no_session_and_no_receipt() {
    if left_out() {
        return;
    }
    // No mutation turns into a real message's id.
    let rules = json!([{"on": "submit", "do": [{"answer": {"id": "real-message-{n}"}}]}]);
    let pair = Pair::start(&Setup { rules, carrier: "window = 100", ..Setup::default() }).await;
    let to: Vec<_> = (0..100).map(|i| format!("+3069777{i:05}")).collect();
    let ids = join_all(to.iter().map(|to| pair.send(to))).await;
    for id in &ids {
        assert!(pair.comes_to(id, "Sent").await);
    }
    let applied = "switchback_receipts_total{carrier=\"smsc\",result=\"applied\"";
    let before = pair.metric(applied).await;
    let (mut rng, originals) = (Rng::with_seed(19), originals());
    let (mut asked, mut alerts, mut real) = (0, 0, Vec::new());
    for round in 0..100 {
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut pdu = rng.choice(&originals).unwrap().clone();
            // Sequence numbers as an SMSC counts; an answer keeps one that nobody waits for.
            if pdu[4] & 0x80 == 0 {
                pdu[12..16].copy_from_slice(&pdu::next_sequence().to_be_bytes());
                // An alert_notification has no answer; a generic_nack does no harm.
                *(if pdu[4..8] == [0, 0, 1, 2] { &mut alerts } else { &mut asked }) += 1;
            }
            mutate(&mut pdu, &mut rng);
            all.push(pdu);
        }
        let text = format!("id:real-message-{} stat:DELIVRD err:000", round + 1);
        let submits = pair.smsc.events("submit");
        let to = submits.iter().find(|submit| submit["n"] == round + 1).unwrap()["to"].as_str().unwrap();
        // With a sequence number that no mutation can have.
        let receipt = pdu(pdu::DELIVER_SM, 0, 0x7ffe_0000 | round, &Deliver::receipt(to, text).body());
        real.push(0x7ffe_0000 | round);
        all.insert(rng.usize(0..100), receipt);
        write_split(&pair, &all.concat(), &mut rng).await;
        let total = || pair.smsc.count("answer");
        so(SOON, async || total() >= asked + real.len() || !pair.one_session()).await;
        assert!(pair.one_session(), "round {round}: {} binds", pair.smsc.count("bind"));
        let right = asked + real.len()..=asked + real.len() + alerts;
        assert!(right.contains(&total()), "round {round}: {} answers, and not {right:?}", total());
    }
    all_acknowledged(&pair, &real).await.unwrap();
    for id in &ids {
        assert!(pair.comes_to(id, "Delivered").await, "{}", pair.status(id).await);
    }
    assert_eq!(pair.metric(applied).await - before, 100);
    assert!(pair.one_session());
    assert_eq!(pair.smsc.count("submit"), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_18_what_throttles_is_asked_as_it_can_take() {
    if left_out() {
        return;
    }
    let pair = Pair::start(&Setup { flags: &["--throttle", "10"], ..Setup::default() }).await;
    let started = Instant::now();
    let to: Vec<_> = (0..100).map(|i| format!("+3069555{i:05}")).collect();
    let ids = join_all(to.iter().map(|to| pair.send(to))).await;
    let accepted = "switchback_submits_total{carrier=\"smsc\",outcome=\"accepted\"";
    so(SOON, async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        pair.metric(accepted).await == 100
    })
    .await;
    let took = started.elapsed();
    let mut waiting = false;
    for id in &ids {
        waiting = waiting || !pair.comes_to(id, "Sent").await;
    }
    let (taken, submits) = (pair.metric(accepted).await, pair.smsc.count("submit"));
    assert!(!waiting, "{taken} of 100 were taken, of {submits} submits");
    // The last submit of each is the one that was taken.
    let submits = pair.smsc.events("submit");
    let mut taken = std::collections::HashMap::new();
    for (i, submit) in submits.iter().enumerate() {
        taken.insert(submit["to"].as_str().unwrap(), i);
    }
    let mut taken: Vec<_> = taken.into_values().collect();
    taken.sort_unstable();
    let throttled = submits.len() - 100;
    let mut rows = Rows::default();
    rows.check("time", took < Duration::from_secs(20), format!("{took:?}"));
    rows.check("in all", throttled <= 200, format!("{throttled} answers 0x58"));
    // Once the rate is found: the second half.
    let later = submits.len() - 1 - taken[49];
    let refused = later - 50;
    rows.check("once the rate is found", refused * 10 <= later, format!("{refused} of {later} refused"));
    rows.hold();
}

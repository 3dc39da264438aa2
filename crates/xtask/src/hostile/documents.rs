//! Requests that make much of little: what is owed to targets that hang, documents, parameters, errors.

use super::case::Case;
use super::stage::{Answers, Attack, Finding, Stage, private_targets, sandbox, told};
use crate::load::post;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Resident memory of a server that owes a dozen of large flows to a target that hangs, MiB.
const SMALL_MIB: u64 = 150;

pub const CASES: &[Case] = &[
    Case {
        config: |_| Ok(private_targets()),
        ..Case::new(
            "1.1a",
            "12 Sms of 255 parts, called back at each change to a target that hangs",
            long_texts,
        )
    },
    Case {
        config: |_| Ok(private_targets()),
        ..Case::new("1.1b", "32 steps of 255 parts in one flow, the target hangs", longest_flow)
    },
    Case {
        config: |_| Ok(private_targets()),
        ..Case::new(
            "1.1c",
            "12 flows with as many steps and parts as are accepted, the target hangs",
            largest_flows,
        )
    },
    Case {
        config: |_| Ok(format!("{}[engine]\nminute = \"2s\"\n", sandbox())),
        prepare: |stage, _| put_giant(stage),
        guard_mib: 12 * 1024,
        // It is in memory as text, parsed and as text again.
        memory_max_mib: 12 * 1024,
        prepare_is_attack: true,
        ..Case::new("1.2", "a flow of 999,999,900 octets that can't be stored again", beside_giant)
    },
    Case::new("1.5", "9,400 verbs that are all wrong, over 4 connections", wrong_verbs),
    Case::new("1.7a", "1,000 flows with 9,000 parameters each", many_parameters),
    Case::new("1.7b", "as many flows of the largest document that is accepted", large_documents),
];

fn callback(attack: &Attack<'_>) -> Value {
    json!({"strategy": "OnChange", "url": format!("http://127.0.0.1:{}/x", attack.stage.peers.silent_port)})
}

fn sms(order: usize, to: &str, body: &str, transcode: bool) -> Value {
    json!({"type": "Sms", "order": order, "from": "Acme", "to": to,
        "message": {"body": body, "transcode": transcode}})
}

/// Sends a body some times over one connection, and waits for what comes of it.
fn repeat(attack: &Attack<'_>, path: &str, body: &Value, times: usize) -> Answers {
    let request = post(path, &attack.stage.hostile.token, &body.to_string());
    let answers = attack.flood(1, |i| (i < times).then(|| request.clone()));
    attack.wait(Duration::ZERO, || false);
    answers
}

/// Memory and disk are a small multiple of what was sent.
fn stays_small(attack: &Attack<'_>, answers: Answers, sent: usize) -> anyhow::Result<Finding> {
    let disk = attack.stage.disk_bytes()?;
    let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    // The log of the database keeps up to 16 MiB or so, whoever wrote it.
    let disk_max = 32 * 1024 * 1024 + 50 * sent as u64;
    let text = format!("disk {:.0} MiB, at most {:.0}", mib(disk), mib(disk_max));
    Ok(Finding { memory_max_mib: Some(SMALL_MIB), ..Finding::new(answers, text, disk <= disk_max) })
}

fn long_texts(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let text = "a".repeat(153 * 255);
    let body = json!({"flow": [sms(1, "+306900000000", &text, false)], "callback": callback(attack)});
    let answers = repeat(attack, "/failover", &body, 12);
    stays_small(attack, answers, 12 * body.to_string().len())
}

fn longest_flow(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let text = "\u{fdfd}".repeat(1180);
    let steps: Vec<_> = (1..=32).map(|order| sms(order, "+306900000001", &text, true)).collect();
    let body = json!({"flow": steps, "callback": callback(attack)});
    let answers = repeat(attack, "/failover", &body, 1);
    stays_small(attack, answers, body.to_string().len())
}

/// Looks for the most parts a step that the limits allow, and sends 12 flows of them.
fn largest_flows(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    for parts in [255, 128, 64, 32, 16, 8, 7, 6, 5, 4, 3, 2, 1] {
        let text = "a".repeat(153 * parts);
        let steps: Vec<_> = (1..=32).map(|order| sms(order, "+306900000001", &text, false)).collect();
        let body = json!({"flow": steps, "callback": callback(attack)});
        let (status, _) = attack.post(&attack.stage.hostile, "/failover", &body.to_string())?;
        if status == 200 {
            let answers = repeat(attack, "/failover", &body, 11);
            return stays_small(attack, answers, 12 * body.to_string().len());
        }
    }
    anyhow::bail!("no flow of 32 steps is accepted")
}

/// Makes a flow whose document has nearly as many octets as SQLite takes.
fn put_giant(stage: &mut Stage) -> anyhow::Result<()> {
    let body = json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000003", "ttl": 5,
        "message": {"body": "x", "label": "REPLACED"}}]});
    let attack = stage.attack(Duration::from_secs(10))?;
    let (status, answer) = attack.post(&stage.hostile, "/failover", &body.to_string())?;
    ensure!(status == 200, "{answer}");
    // Until it was handed over, so that nothing but its expiry is owed.
    std::thread::sleep(Duration::from_secs(1));
    stage.restart(enlarge)
}

/// Puts a label of many octets into the one flow that has the word for it.
fn enlarge(data: &Path) -> anyhow::Result<()> {
    // What is measured is the server, and not the disk while it takes a gigabyte.
    const SCRIPT: &str = "import os, sqlite3, sys\n\
        base = sqlite3.connect(sys.argv[1])\n\
        for row, doc in base.execute('SELECT row, doc FROM flows').fetchall():\n\
        \x20   doc = bytes(doc) if not isinstance(doc, str) else doc.encode()\n\
        \x20   if b'REPLACED' in doc:\n\
        \x20       doc = doc.replace(b'REPLACED', b'x' * (999999900 - len(doc) + 8), 1)\n\
        \x20       base.execute('UPDATE flows SET doc = ? WHERE row = ?', (doc, row))\n\
        \x20       print('enlarged')\n\
        base.commit()\n\
        base.close()\n\
        os.sync()\n";
    let output = Command::new("python3").args(["-c", SCRIPT]).arg(data.join("switchback.db")).output();
    let output = output.context("python3")?;
    ensure!(
        String::from_utf8_lossy(&output.stdout).contains("enlarged"),
        "the flow was not enlarged: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Other flows, which end by their time to live of 2 s, end in their time.
fn beside_giant(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let step = json!({"type": "Sms", "order": 1, "from": "Acme", "to": "+306911111103", "ttl": 1,
        "message": {"body": "x"}});
    let body = json!({ "flow": [step] });
    let request = post("/failover", &attack.stage.other.token, &body.to_string());
    let answers = attack.flood(1, |i| (i < 6).then(|| request.clone()));
    let filters = json!([{"fieldName": "to", "searchTerm": "+306911111103"},
        {"fieldName": "status", "searchTerm": "Failed"}]);
    let ended = || -> anyhow::Result<u64> {
        let (_, found) =
            attack.post(&attack.stage.other, "/failover/tracking?size=1", &filters.to_string())?;
        serde_json::from_str::<Value>(&found)?["totalElements"].as_u64().context("no total")
    };
    let took = attack.wait(Duration::from_secs(20), || ended().is_ok_and(|count| count == 6));
    let kept = took.is_some_and(|took| took < Duration::from_secs(10));
    Ok(Finding::new(answers, format!("6 flows with a ttl of 2 s ended: {} (at most 10 s)", told(took)), kept))
}

/// A refusal costs at most some times of what a good request of the size costs.
fn wrong_verbs(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let verbs: Vec<_> = (0..9_400).map(|_| json!({"type": "PLAY", "repeat": 0})).collect();
    let step = json!({"type": "Voice", "order": 1, "from": "+302100000000", "to": "+306900000000",
        "dialPlan": {"verbs": verbs}});
    let request = post("/failover", &attack.stage.hostile.token, &json!({ "flow": [step] }).to_string());
    let alone = attack.flood(1, |i| (i < 3).then(|| request.clone()));
    let alone_ms = alone.took_us.iter().min().copied().unwrap_or_default() as f64 / 1000.0;
    let answers = attack.flood(4, |_| Some(request.clone()));
    let largest = answers.octets_max.max(alone.octets_max);
    let text =
        format!("an answer has {largest} octets, at most 100,000; the fastest refusal took {alone_ms:.1} ms");
    Ok(Finding::new(answers, text, largest <= 100_000))
}

fn template(order: usize, params: usize, octets: usize, to: &str) -> Value {
    let params: serde_json::Map<String, Value> =
        (0..params).map(|i| (format!("k{i}"), json!("v".repeat(octets)))).collect();
    json!({"type": "Viber", "order": order, "senderInfoTrackingId": "acme", "to": to, "ttl": 1440, "seq": 1,
        "templateId": "0aac888f-2ee2-4112-9659-1755a951966a", "templateLang": "en", "templateParams": params})
}

fn many_parameters(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let body = json!({"flow": [template(1, 9_000, 8, "+306900000030")]}).to_string();
    let request = post("/failover/transactional", &attack.stage.hostile.token, &body);
    Ok(Finding::answers(attack.flood(4, |i| (i < 1_000).then(|| request.clone()))))
}

/// Looks for the largest flow that is accepted, and sends it as often as is answered.
fn large_documents(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    for steps in [32, 24, 16, 15, 14, 12, 10, 8, 6, 4, 2, 1] {
        let to = "+306900000030";
        let body: Vec<_> = (1..=steps).map(|order| template(order, 100, 150, to)).collect();
        let body = json!({ "flow": body }).to_string();
        if attack.post(&attack.stage.hostile, "/failover/transactional", &body)?.0 == 200 {
            let request = post("/failover/transactional", &attack.stage.hostile.token, &body);
            let answers = attack.flood(4, |i| (i < 4_000).then(|| request.clone()));
            let text = format!("{} flows from requests of {} octets", answers.accepted(), body.len());
            return Ok(Finding::new(answers, text, true));
        }
    }
    anyhow::bail!("no flow with 100 parameters of 150 octets is accepted")
}

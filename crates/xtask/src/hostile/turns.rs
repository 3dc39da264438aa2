//! What applications share: callbacks, a carrier's queue, the processor for searches, a provider's answers.

use super::bystander::body;
use super::case::Case;
use super::peers::Peers;
use super::stage::{Attack, Finding, Stage, private_targets, sandbox, told};
use crate::load::{open_flows, post};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    Case {
        config: provider,
        ..Case::new("1.11", "a provider's token that is valid for 2^63-1 s", endless_token)
    },
    Case {
        config: |_| Ok(private_targets()),
        ..Case::new("2.1", "4,000 callbacks to 200 host names that hang", hanging_targets)
    },
    Case {
        config: |_| Ok(slow_carrier()),
        ..Case::new("2.2", "2,000 messages wait for a carrier of 50 a second", long_queue)
    },
    Case {
        config: |_| Ok(unlimited()),
        prepare: fill,
        ..Case::new("2.3a", "costly searches over 64 connections", |attack| searches(attack, 64))
    },
    Case {
        config: |_| Ok(unlimited()),
        prepare: fill,
        ..Case::new("2.3b", "costly searches over 400 connections", |attack| searches(attack, 400))
    },
];

/// Where the attacker's messages go; all others go to the sandbox.
fn routes(carrier: &str) -> String {
    format!(
        "[[route]]\nchannel = \"Sms\"\nprefixes = [\"+44\"]\ncarriers = [\"{carrier}\"]\n\
         [[route]]\nchannel = \"Sms\"\ncarriers = [\"sandbox\"]\n"
    )
}

/// To a number of that route.
fn sms(callback: Option<&str>) -> String {
    let mut body = json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+447700900000",
        "message": {"body": "x"}}]});
    if let Some(url) = callback {
        body["callback"] = json!({"strategy": "OnCompletion", "url": url});
    }
    body.to_string()
}

/// A provider over HTTP that wants a login.
fn provider(peers: &Peers) -> anyhow::Result<String> {
    let (port, file) = (peers.provider_port, peers.directory.path().join("provider.toml"));
    let text = "description = \"the benchmark's\"\nchannels = [\"Sms\"]\nbase_url = \"http://replaced\"\n\
        [auth]\nkind = \"login\"\npath = \"/login\"\nbody = '{\"user\": \"x\"}'\ntoken = \"/token\"\n\
        expires_in = \"/expires_in\"\nheaders = { Authorization = \"{{ token }}\" }\n\
        [[request]]\nname = \"text\"\npath = \"/send\"\n\
        body = '{\"to\": {{ to }}, \"from\": {{ sender }}, \"text\": {{ text }}, \
        \"reference\": {{ message_id }}, \"ttl\": {{ ttl_s }}, \"flash\": {{ flash }}}'\n\
        [answer]\naccepted = \"status == 200\"\nid = \"/id\"\n\
        [receipts]\nid = \"/id\"\nstatus = \"/status\"\nstatuses = { delivered = \"Delivered\" }\n\
        verify = { kind = \"header\", name = \"x-secret\", value = \"s3cret-of-the-benchmark\" }\n";
    std::fs::write(&file, text)?;
    Ok(format!(
        "{}[server]\npublic_url = \"https://sms.example\"\n[[carrier]]\nname = \"p\"\nkind = \"http\"\n\
         provider = \"{}\"\nchannels = [\"Sms\"]\nbase_url = \"http://127.0.0.1:{port}\"\n{}",
        sandbox(),
        file.display(),
        routes("p")
    ))
}

/// A message gets to the provider.
fn endless_token(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = post("/failover", &attack.stage.hostile.token, &sms(None));
    let answers = attack.flood(1, |i| (i < 5).then(|| request.clone()));
    let taken = attack.wait(Duration::ZERO, || attack.stage.peers.taken.lock().len() >= 5);
    attack.wait(Duration::ZERO, || false);
    let kept = taken.is_some_and(|took| took < Duration::from_secs(10));
    Ok(Finding::new(answers, format!("5 messages were handed over: {} (at most 10 s)", told(taken)), kept))
}

/// Another application's callbacks to a good target are made soon.
fn hanging_targets(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let (hostile, other) = (&attack.stage.hostile.token, &attack.stage.other.token);
    let port = attack.stage.peers.silent_port;
    let answers = attack.flood(8, |i| {
        let url = format!("http://127.0.0.{}:{port}/x", i % 200 + 1);
        (i < 4_000).then(|| post("/failover", hostile, &sms(Some(&url))))
    });
    let target = format!("http://127.0.0.1:{}/", attack.stage.peers.target_port);
    let good = post("/failover", other, &sms(Some(&target)));
    let sent = Instant::now();
    for _ in 0..20 {
        let (status, answer) =
            attack.connect()?.answer(&good).map(|(status, body)| (status, body.to_vec()))?;
        ensure!(status == 200, "{}", String::from_utf8_lossy(&answer));
    }
    let made = || attack.stage.peers.calls.lock().len();
    let all = attack.wait(Duration::from_secs(15), || made() >= 20).map(|_| sent.elapsed());
    attack.wait(Duration::ZERO, || false);
    let kept = all.is_some_and(|took| took < Duration::from_secs(5));
    let text = format!(
        "{} of 20 callbacks of the other were made, all: {} (at most 5 s)",
        made().min(20),
        told(all)
    );
    Ok(Finding::new(answers, text, kept))
}

fn slow_carrier() -> String {
    format!(
        "{}[[carrier]]\nname = \"slow\"\nkind = \"sandbox\"\nchannels = [\"Sms\"]\nrate = 50\nwindow = 10\n\
         delay = \"1ms\"\n{}",
        sandbox(),
        routes("slow")
    )
}

/// Another application's message does not wait for all that were there before it.
fn long_queue(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = post("/failover", &attack.stage.hostile.token, &sms(None));
    let answers = attack.flood(16, |i| (i < 2_000).then(|| request.clone()));
    let (status, answer) = attack.post(&attack.stage.other, "/failover", &sms(None))?;
    ensure!(status == 200, "{answer}");
    let filters = json!([{"fieldName": "to", "searchTerm": "+447700900000"},
        {"fieldName": "status", "searchTerm": "Succeeded"}]);
    let delivered = || -> anyhow::Result<bool> {
        let (_, found) =
            attack.post(&attack.stage.other, "/failover/tracking?size=1", &filters.to_string())?;
        Ok(serde_json::from_str::<Value>(&found)?["totalElements"] == 1)
    };
    let took = attack.wait(Duration::from_secs(30), || delivered().unwrap_or_default());
    attack.wait(Duration::ZERO, || false);
    let kept = took.is_some_and(|took| took < Duration::from_secs(3));
    Ok(Finding::new(
        answers,
        format!("the other's message was delivered: {} (at most 3 s)", told(took)),
        kept,
    ))
}

/// As many requests as can be answered, to fill it.
fn unlimited() -> String {
    format!("{}[server]\nrequests_per_second = 0\n", sandbox())
}

/// Flows to search among, all of the attacker, all ended; then the usual limits hold.
fn fill(stage: &mut Stage, flows: usize) -> anyhow::Result<()> {
    let attack = stage.attack(Duration::from_secs(600))?;
    let token = &stage.hostile.token;
    let answers = attack.flood(64, |i| (i < flows).then(|| post("/failover", token, &body(i))));
    ensure!(answers.accepted() == flows, "not all flows were accepted: {answers}");
    let open = || -> anyhow::Result<u64> {
        let (_, found) = attack.post(&stage.hostile, "/failover/tracking?size=1", &open_flows())?;
        serde_json::from_str::<Value>(&found)?["totalElements"].as_u64().context("no total")
    };
    attack
        .wait(Duration::from_secs(120), || open().is_ok_and(|open| open == 0))
        .context("they do not end")?;
    stage.config = sandbox();
    stage.restart(|_| Ok(()))
}

fn searches(attack: &Attack<'_>, connections: usize) -> anyhow::Result<Finding> {
    let filters = json!([{"fieldName": "label", "searchOperator": "contains", "searchTerm": "zz"},
        {"fieldName": "to", "searchOperator": "contains", "searchTerm": "1"}]);
    let request = post("/failover/tracking", &attack.stage.hostile.token, &filters.to_string());
    Ok(Finding::answers(attack.flood(connections, |_| Some(request.clone()))))
}

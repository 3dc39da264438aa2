//! Sounds of a call, which its client chooses.

use super::case::Case;
use super::peers::Peers;
use super::stage::{Answers, Attack, Finding, Promise, Stage, told};
use crate::load::post;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What all sounds of calls that are prepared may take beside what the server takes anyhow, MiB.
const SOUNDS_MAX_MIB: u64 = 100;

pub const CASES: &[Case] = &[
    Case {
        config: calls,
        prepare: |stage, _| put_file(stage, strange_wav(4_294_967_291)),
        ..Case::new("1.3a", "a WAV of 244 octets with 4294967291 samples a second", play_once)
    },
    Case {
        config: calls,
        prepare: |stage, _| put_file(stage, strange_wav(100_000_007)),
        ..Case::new("1.3b", "a WAV of 244 octets with 100000007 samples a second", play_once)
    },
    Case {
        config: calls,
        prepare: |stage, _| put_file(stage, long_wav()),
        ..Case::new("1.4a", "4,000 times a sound of 600 s in one call", play_often)
    },
    Case {
        config: calls,
        prepare: |stage, _| put_file(stage, long_wav()),
        ..Case::new("1.4b", "100 calls of 100 sounds of 600 s, each from a URL of its own", play_many)
    },
];

/// A trunk on loopback that never answers, the sandbox for Sms, and targets on loopback.
fn calls(peers: &Peers) -> anyhow::Result<String> {
    Ok(format!(
        "[callbacks]\nallow_private = true\n\
         [[carrier]]\nname = \"sandbox\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\"]\n\
         window = 1000\ndelay = \"1ms\"\n\
         [[carrier]]\nname = \"voice\"\nkind = \"sip\"\nchannels = [\"Voice\"]\n\
         bind = \"127.0.0.1:0\"\nwindow = 200\n\
         [[carrier.trunk]]\nhost = \"127.0.0.1\"\nport = {}\n",
        peers.trunk_port()?
    ))
}

fn put_file(stage: &mut Stage, file: Vec<u8>) -> anyhow::Result<()> {
    *stage.peers.file.lock() = file;
    Ok(())
}

/// A WAV file: mono, 16 bits a sample.
fn wav(rate: u32, samples: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + samples.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(samples);
    file
}

fn strange_wav(rate: u32) -> Vec<u8> {
    wav(rate, &[0; 200])
}

/// 600 seconds, 9.6 MB.
fn long_wav() -> Vec<u8> {
    wav(8_000, &vec![0; 2 * 8_000 * 600])
}

fn call(urls: impl Iterator<Item = String>) -> String {
    let verbs: Vec<_> = urls.map(|url| json!({"type": "PLAY", "fileURL": url})).collect();
    let step = json!({"type": "Voice", "order": 1, "from": "+302100000000", "to": "+306900000000",
        "dialPlan": {"verbs": verbs}});
    json!({ "flow": [step] }).to_string()
}

fn url(attack: &Attack<'_>, name: usize) -> String {
    format!("http://127.0.0.1:{}/{name}.wav", attack.stage.peers.files_port)
}

/// How many flows of the attacker have failed.
fn failed(attack: &Attack<'_>) -> anyhow::Result<u64> {
    let filter = json!([{"fieldName": "status", "searchTerm": "Failed"}]).to_string();
    let (_, found) = attack.post(&attack.stage.hostile, "/failover/tracking?size=1", &filter)?;
    serde_json::from_str::<Value>(&found)?["totalElements"].as_u64().context("no total")
}

/// The call fails, with little memory and processor.
fn play_once(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let (base_mib, cpu) = (attack.peak_mib(), attack.server.cpu_seconds()?);
    let body = call(std::iter::once(url(attack, 1)));
    let answer = attack.post(&attack.stage.hostile, "/failover", &body)?;
    let took = attack.wait(Duration::ZERO, || failed(attack).is_ok_and(|count| count == 1));
    let cpu = attack.server.cpu_seconds().unwrap_or(f64::NAN) - cpu;
    let (grown, bound) = (attack.peak_mib().saturating_sub(base_mib), SOUNDS_MAX_MIB);
    let in_time = took.is_some_and(|took| took < Duration::from_secs(10));
    Ok(Finding {
        answers: Answers::one(answer),
        memory_max_mib: None,
        promises: vec![
            Promise { text: format!("the call failed: {} (at most 10 s)", told(took)), kept: in_time },
            // The other application's messages and the searches for the failure are part of it.
            Promise { text: format!("{cpu:.2} s of a core until then, at most 2"), kept: cpu < 2.0 },
            Promise { text: format!("{grown} MiB more memory, at most {bound}"), kept: grown <= bound },
        ],
    })
}

fn within_memory(attack: &Attack<'_>, base_mib: u64, answers: Answers) -> Finding {
    let grown = attack.peak_mib().saturating_sub(base_mib);
    let fetched = attack.stage.peers.fetched.load(Ordering::Relaxed);
    let text = format!("{grown} MiB more memory, at most {SOUNDS_MAX_MIB}; {fetched} files were fetched");
    Finding::new(answers, text, grown <= SOUNDS_MAX_MIB)
}

fn play_often(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let base_mib = attack.peak_mib();
    let answer =
        attack.post(&attack.stage.hostile, "/failover", &call((0..4_000).map(|_| url(attack, 1))))?;
    attack.wait(Duration::ZERO, || false);
    Ok(within_memory(attack, base_mib, Answers::one(answer)))
}

fn play_many(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let base_mib = attack.peak_mib();
    let token = &attack.stage.hostile.token;
    let answers = attack.flood(4, |i| {
        (i < 100).then(|| post("/failover", token, &call((0..100).map(|verb| url(attack, i * 100 + verb)))))
    });
    attack.wait(Duration::ZERO, || false);
    Ok(within_memory(attack, base_mib, answers))
}

//! Connections, logins and answers that nobody reads: what costs before anything is sent.

use super::case::Case;
use super::peers::Peers;
use super::stage::{Answers, Attack, Finding, Promise, Stage, private_targets, sandbox, told};
use crate::load::post;
use anyhow::{Context as _, ensure};
use base64::Engine as _;
use serde_json::json;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections that never read.
const DEAF: usize = 16;
/// `server.request_timeout` of the cases that are about it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that send nothing.
const IDLE: usize = 1_200;
/// `server.requests_per_second` of the case about it.
const REQUESTS_PER_SECOND: usize = 20;

pub const CASES: &[Case] = &[
    Case {
        config: impatient,
        prepare: |stage, _| put_trackings(stage),
        ..Case::new(
            "1.6a",
            "16 connections ask for pages of 1000 large trackings and never read",
            deaf_to_pages,
        )
    },
    Case {
        config: impatient,
        prepare: |stage, _| put_trackings(stage),
        ..Case::new("1.6b", "16 connections ask for exports and never read", deaf_to_exports)
    },
    Case {
        config: impatient,
        prepare: |stage, _| put_trackings(stage),
        ..Case::new("1.6c", "64 connections ask for large pages all the time and never read", never_reading)
    },
    Case::new("1.8a", "10,000 logins of unknown ids with 46,000 characters", long_strangers),
    Case::new("1.8b", "logins of unknown ids, as many as are answered", many_strangers),
    Case::new("1.9", "requests that need no login, as many as are answered over 4 connections", health),
    Case {
        config: |_| Ok(private_targets()),
        ..Case::new("1.10a", "1,200 idle connections, 1024 open files by default", idle_connections)
    },
    Case {
        config: |_| Ok(private_targets()),
        limits: "ulimit -n 1024",
        ..Case::new("1.10b", "1,200 idle connections, never more than 1024 open files", idle_connections)
    },
    Case::new("1.10c", "2,000 connections with 250,000 octets of a body that never ends", unfinished_bodies),
    Case::new("1.10d", "8,000 connections with 60,000 octets of a head that never ends", unfinished_heads),
    Case {
        config: |_| Ok(format!("{}[server]\nrequests_per_second = {REQUESTS_PER_SECOND}\n", sandbox())),
        rate: 10.0,
        ..Case::new("2.4", "logins beyond requests_per_second", logins)
    },
];

fn impatient(_: &Peers) -> anyhow::Result<String> {
    Ok(format!("{}[server]\nrequest_timeout = \"{}s\"\n", sandbox(), REQUEST_TIMEOUT.as_secs()))
}

/// 150 flows whose trackings have 90 kB each, by 32 steps that Viber does not deliver.
fn put_trackings(stage: &mut Stage) -> anyhow::Result<()> {
    let attack = stage.attack(Duration::from_secs(120))?;
    let step = |order: usize| {
        json!({"type": "Viber", "order": order, "senderInfoTrackingId": "acme", "to": "+306900000010",
            "ttl": 10, "message": {"text": "t".repeat(1_000)}})
    };
    let body = json!({"flow": (1..=32).map(step).collect::<Vec<_>>()}).to_string();
    let request = post("/failover", &stage.hostile.token, &body);
    let answers = attack.flood(4, |i| (i < 150).then(|| request.clone()));
    ensure!(answers.accepted() > 0, "no large flow is accepted: {answers}");
    let open = crate::load::open_flows();
    let none_open = || -> anyhow::Result<bool> {
        let (_, found) = attack.post(&stage.hostile, "/failover/tracking?size=1", &open)?;
        Ok(serde_json::from_str::<serde_json::Value>(&found)?["totalElements"] == 0)
    };
    attack.wait(Duration::from_secs(60), || none_open().unwrap_or_default()).context("they do not end")?;
    Ok(())
}

/// Asks over some connections, reads nothing, and looks whether they are cut.
fn deaf(attack: &Attack<'_>, request: &[u8]) -> anyhow::Result<Finding> {
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut connection = TcpStream::connect(attack.address)?;
        connection.write_all(request)?;
        deaf.push(connection);
    }
    let ports = deaf.iter().map(|connection| Ok(connection.local_addr()?.port()));
    let ports = ports.collect::<anyhow::Result<Vec<u16>>>()?;
    let server = attack.address.parse::<SocketAddr>()?.port();
    std::thread::sleep(Duration::from_secs(1));
    let held = held(server, &ports)?;
    let cut = attack.wait(REQUEST_TIMEOUT * 4, || self::held(server, &ports).is_ok_and(|held| held == 0));
    attack.wait(Duration::ZERO, || false);
    let at_most = REQUEST_TIMEOUT * 3;
    let kept = cut.is_some_and(|took| took <= at_most);
    let text =
        format!("{held} of {DEAF} were held, all cut: {} (at most {} s)", told(cut), at_most.as_secs());
    Ok(Finding::new(Answers::default(), text, kept))
}

/// How many connections from some ports the server still has open, by the system's table. What it has
/// closed, with octets that nobody took, is in another state there.
fn held(server: u16, ports: &[u16]) -> anyhow::Result<usize> {
    const ESTABLISHED: &str = "01";
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let held = table.lines().filter(|line| {
        let words: Vec<_> = line.split_whitespace().take(4).collect();
        let [_, local, remote, state] = words[..] else { return false };
        let ours = port(local) == Some(server) && port(remote).is_some_and(|remote| ports.contains(&remote));
        ours && state == ESTABLISHED
    });
    Ok(held.count())
}

fn deaf_to_pages(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    deaf(attack, &post("/failover/tracking?size=1000", &attack.stage.hostile.token, "[]"))
}

fn deaf_to_exports(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = format!(
        "POST /failover/tracking HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         accept: application/x-ndjson\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]",
        attack.stage.hostile.token
    );
    deaf(attack, request.as_bytes())
}

/// Requests are written for as long as they are taken, and no answer is read.
fn never_reading(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = post("/failover/tracking?size=1000", &attack.stage.hostile.token, "[]").repeat(5);
    let mut deaf: Vec<Option<TcpStream>> = (0..4 * DEAF).map(|_| None).collect();
    let mut written = 0;
    while !attack.over() {
        for connection in &mut deaf {
            if connection.is_none() {
                *connection = TcpStream::connect(attack.address).ok();
            }
            let Some(open) = connection else { continue };
            open.set_write_timeout(Some(Duration::from_millis(5)))?;
            match open.write(&request) {
                Ok(_) => written += 5,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => *connection = None,
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Finding::new(Answers::default(), format!("{written} requests were written"), true))
}

/// Opens connections, writes the start of a request on each, and keeps them.
fn unfinished(attack: &Attack<'_>, count: usize, start: &[u8]) -> anyhow::Result<Finding> {
    let address = attack.address.parse()?;
    let begin = |_| -> Option<TcpStream> {
        let mut connection = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
        connection.set_write_timeout(Some(Duration::from_secs(2))).ok()?;
        // What is refused early is closed before all of it was written.
        let _ = connection.write_all(start);
        (!attack.over()).then_some(connection)
    };
    let open: Vec<_> = (0..count).map_while(begin).collect();
    attack.wait(Duration::ZERO, || false);
    Ok(Finding::new(Answers::default(), format!("{} of {count} were opened", open.len()), true))
}

fn unfinished_bodies(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let mut start = post("/failover", &attack.stage.hostile.token, &"x".repeat(260_000));
    start.truncate(start.len() - 10_000);
    unfinished(attack, 2_000, &start)
}

fn unfinished_heads(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let start = format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx-long: {}", "a".repeat(60_000));
    unfinished(attack, 8_000, start.as_bytes())
}

fn login(basic: &str) -> Vec<u8> {
    let form = "grant_type=client_credentials";
    format!(
        "POST /oauth/token HTTP/1.1\r\nhost: x\r\nauthorization: Basic {basic}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// A login of somebody who is not known, with as many characters.
fn stranger(number: usize, characters: usize) -> Vec<u8> {
    let credentials = format!("{number:010}{}", "x".repeat(characters * 3 / 4 - 17));
    login(&base64::engine::general_purpose::STANDARD.encode(format!("{credentials}:secret")))
}

/// Memory does not grow with them.
fn strangers(attack: &Attack<'_>, answers: impl FnOnce() -> Answers) -> Finding {
    let before = attack.resident_kib();
    let answers = answers();
    let grown = attack.resident_kib().saturating_sub(before);
    let count = answers.count().max(1);
    let text = format!(
        "{} KiB more memory afterwards, at most 32,768; {} octets a login",
        grown,
        grown * 1024 / count as u64
    );
    Finding::new(answers, text, grown <= 32 * 1024)
}

fn long_strangers(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    Ok(strangers(attack, || attack.flood(8, |i| (i < 10_000).then(|| stranger(i, 46_000)))))
}

fn many_strangers(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    Ok(strangers(attack, || attack.flood(4, |i| Some(stranger(i, 60)))))
}

/// Memory does not grow with requests, beyond the other application's flows.
fn health(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let warm = attack.started + attack.lasting / 4;
    attack.flood(4, |_| (Instant::now() < warm).then(|| request.to_vec()));
    let before = attack.resident_kib();
    let answers = attack.flood(4, |_| Some(request.to_vec()));
    let grown = attack.resident_kib().saturating_sub(before);
    let count = answers.count().max(1) as u64;
    // The other application's flows are kept in memory for a while.
    let bound = 8 * 1024 + count * 4 / 1024;
    let text =
        format!("{grown} KiB more memory, {} octets a request; at most {bound} KiB", grown * 1024 / count);
    Ok(Finding::new(answers, text, grown <= bound))
}

/// A new client is answered, and what goes out connects.
fn idle_connections(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let address = attack.address.parse()?;
    // Until a connection has to wait: then there is no room, and those that have it would end meanwhile.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok();
    let idle: Vec<_> = (0..IDLE).map_while(connect).collect();
    let mut slowest = Duration::ZERO;
    let mut answers = Answers::default();
    let to = format!("http://127.0.0.1:{}/", attack.stage.peers.target_port);
    let body = json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": "+306900000000",
        "message": {"body": "x"}}], "callback": {"strategy": "OnCompletion", "url": to}});
    let mut sent = 0;
    for _ in 0..10 {
        let asked = Instant::now();
        match attack.post(&attack.stage.other, "/failover", &body.to_string()) {
            Ok((status, _)) => {
                *answers.by_status.entry(status).or_default() += 1;
                sent += usize::from(status == 200);
            }
            Err(_) => answers.without += 1,
        }
        slowest = slowest.max(asked.elapsed());
        if attack.over() {
            break;
        }
    }
    let called = || sent > 0 && attack.stage.peers.calls.lock().len() >= sent;
    let called = attack.wait(Duration::from_secs(10), called);
    attack.wait(Duration::ZERO, || false);
    let all_answered = answers.without == 0;
    Ok(Finding {
        answers,
        memory_max_mib: None,
        promises: vec![
            Promise {
                text: format!(
                    "{} idle; the slowest new client was answered after {:.0} ms, at most 1,000",
                    idle.len(),
                    slowest.as_secs_f64() * 1000.0
                ),
                kept: all_answered && slowest < Duration::from_secs(1),
            },
            Promise { text: format!("{sent} callbacks were made: {}", told(called)), kept: called.is_some() },
        ],
    })
}

fn logins(attack: &Attack<'_>) -> anyhow::Result<Finding> {
    let request = login(&attack.stage.hostile.basic);
    let answers = attack.flood(4, |_| Some(request.clone()));
    let seconds = attack.started.elapsed().as_secs_f64();
    let most = (REQUESTS_PER_SECOND as f64 * (seconds + 1.5)) as usize;
    let text = format!("{} tokens in {seconds:.0} s, at most {most}", answers.accepted());
    let kept = answers.accepted() <= most;
    Ok(Finding::new(answers, text, kept))
}

//! `cargo xtask bench overload`: ten times what the server can store.

use crate::drive::percentile;
use crate::load::{Client, Server, open_flows, post};
use crate::traffic::{config, sms_body};
use crate::{Profile, build, root};
use anyhow::ensure;
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections while it is overloaded.
const MANY: usize = 400;
/// How much more than what it can is offered.
const TIMES: f64 = 10.0;
/// Resident memory may grow by so much, KiB.
const GROWTH_MAX_KIB: u64 = 200 * 1024;
/// How long the backlog may take to drain.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// Offer ten times as many flows as the server can store, on a disk whose flushes take 100 ms, and tell what
/// became of those that it took and of those that it refused. Fails where it did not refuse, did not drain,
/// or took memory for it.
#[derive(clap::Args)]
pub struct Overload {
    /// How long it is overloaded.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Build it without optimization, as the tests have it anyhow.
    #[arg(long)]
    debug: bool,
}

/// How long answers took, microseconds.
#[derive(Default)]
struct Answers {
    accepted: Vec<u64>,
    refused: Vec<u64>,
}

impl Overload {
    pub fn run(&self) -> anyhow::Result<()> {
        let program = build(Profile::of(self.debug))?;
        // Connections while it is not overloaded, and writes that may wait: fewer for a program without
        // optimization, which can't even read ten times what fills the longer queue.
        let (few, queue_max) = if self.debug { (50, 256) } else { (100, 512) };
        let directory = tempfile::tempdir()?;
        let shim = directory.path().join("disk.so");
        let source = root().join("crates/switchback/tests/it/disk.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status()?;
        ensure!(compiled.success(), "the shim does not compile");
        let config = format!("{}\n[store]\nqueue_max = {queue_max}\n", config(""));
        let server = Server::start_with(&program, &config, None, Some(&shim))?;
        let token = server.token()?;

        // First only as many connections as may wait: nobody is refused.
        let calm = offer(&server.address, &token, few, Duration::from_secs(5), None)?;
        ensure!(
            calm.refused.is_empty(),
            "{} were refused before there was too much to do",
            calm.refused.len()
        );
        // What it can is what it stores when more is offered.
        let full = offer(&server.address, &token, MANY, Duration::from_secs(5), None)?;
        let able = full.accepted.len() as f64 / 5.0;
        let before_kib = server.resident_kib()?;
        let lasting = Duration::from_secs(self.seconds);
        let (flooded, most_kib) = flood(&server, &token, lasting, able * TIMES)?;
        let ended = Instant::now();
        let open = post("/failover/tracking?size=1", &token, &open_flows());
        let mut client = Client::connect(&server.address)?;
        while serde_json::from_slice::<Value>(client.exchange(&open)?)?["totalElements"] != 0 {
            ensure!(ended.elapsed() < DRAIN_MAX, "the backlog does not drain");
            std::thread::sleep(Duration::from_millis(20));
        }
        let drained = ended.elapsed();

        let row = |name: &str, latencies: &mut Vec<u64>, seconds: u64| {
            latencies.sort_unstable();
            let rate = latencies.len() as f64 / seconds as f64;
            let (p50, p99) = (percentile(latencies, 50.0), percentile(latencies, 99.0));
            println!("{name:<34}{rate:>9.0}/s   p50 {p50:>7.1} ms   p99 {p99:>7.1} ms");
        };
        let offered = (flooded.accepted.len() + flooded.refused.len()) as f64 / self.seconds as f64;
        let Answers { mut accepted, mut refused } = flooded;
        println!(
            "a disk that takes 100 ms for a flush, at most {queue_max} writes waiting, {} s:",
            self.seconds
        );
        row(&format!("over {few} connections, accepted"), &mut { calm.accepted }, 5);
        row("ten times as much, accepted", &mut accepted, self.seconds);
        row("ten times as much, refused (503)", &mut refused, self.seconds);
        println!(
            "offered {offered:.0}/s, {:.1} times as much as it can ({able:.0}/s); resident memory {:.0} MiB before, {:.0} MiB at most; the backlog drained in {:.1} s",
            offered / able,
            before_kib as f64 / 1024.0,
            most_kib as f64 / 1024.0,
            drained.as_secs_f64()
        );
        ensure!(!accepted.is_empty() && refused.len() > accepted.len(), "it was not overloaded");
        ensure!(most_kib < before_kib + GROWTH_MAX_KIB, "it took {most_kib} KiB of memory");
        Ok(())
    }
}

/// Overloads the server for a while; returns what it answered and the most memory that it took, KiB.
fn flood(server: &Server, token: &str, lasting: Duration, rate: f64) -> anyhow::Result<(Answers, u64)> {
    let (done, most_kib) = (AtomicBool::new(false), AtomicU64::new(0));
    let flooded = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most_kib.fetch_max(server.resident_kib().unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let flooded = offer(&server.address, token, MANY, lasting, Some(rate));
        done.store(true, Ordering::Relaxed);
        flooded
    })?;
    Ok((flooded, most_kib.into_inner()))
}

/// Sends over some connections for a while, at a rate in all where there is one, else as fast as is answered.
fn offer(
    address: &str,
    token: &str,
    connections: usize,
    lasting: Duration,
    rate: Option<f64>,
) -> anyhow::Result<Answers> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let send = || -> anyhow::Result<Answers> {
        let mut client = Client::connect(address)?;
        let mut answers = Answers::default();
        while started.elapsed() < lasting {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64(number as f64 / rate);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
            let request = post("/failover", token, &sms_body(number));
            let asked = Instant::now();
            let result = client.exchange(&request).map(drop);
            let took_us = asked.elapsed().as_micros() as u64;
            match result {
                Ok(()) => answers.accepted.push(took_us),
                Err(refused) => {
                    let text = refused.to_string();
                    ensure!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after"), "{text}");
                    answers.refused.push(took_us);
                }
            }
        }
        Ok(answers)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(send)).collect();
        let mut all = Answers::default();
        for thread in threads {
            let answers = thread.join().expect("no panic")?;
            all.accepted.extend(answers.accepted);
            all.refused.extend(answers.refused);
        }
        Ok(all)
    })
}

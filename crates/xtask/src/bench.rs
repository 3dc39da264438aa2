//! `cargo xtask bench lifecycle`: accepted flows and whole lifecycles a second, on loopback, everything
//! durable.

use crate::command::build_program;
use crate::load::{Client, Process, Server, open_flows, post};
use crate::{Profile, build};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Lifecycle {
    /// Connections that ask at the same time, each waiting for its answer.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Flows of each run.
    #[arg(long, default_value_t = 60_000)]
    flows: usize,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// The sandbox, with receipts at once; `rate` as in the configuration.
pub fn config(rate: &str) -> String {
    format!(
        "[[carrier]]\nname = \"sandbox\"\nkind = \"sandbox\"\nchannels = [\"Sms\", \"Viber\", \"Voice\"]\n\
         window = 1000\ndelay = \"1ms\"\n{rate}\n"
    )
}

/// A flow that Viber does not deliver and Sms does: two submits, three receipts or refusals, one failover.
fn failover_body(i: usize) -> String {
    let to = format!("+30690{:05}10", i % 100_000);
    json!({"flow": [
        {"type": "Viber", "order": 1, "senderInfoTrackingId": "acme", "to": to, "ttl": 10,
         "message": {"text": "Your parcel is here.",
                     "action": {"caption": "Track", "targetUrl": "https://acme.example/t/1"}}},
        {"type": "Sms", "order": 2, "from": "Acme", "to": to, "message": {"body": "Your parcel is here."}},
    ]})
    .to_string()
}

/// A flow that one Sms ends.
pub fn sms_body(i: usize) -> String {
    let to = format!("+30690{:06}0", i % 1_000_000);
    json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": to, "message": {"body": "Your parcel is here."}}]})
        .to_string()
}

/// What a run of requests came to; latencies are sorted.
pub struct Run {
    pub per_second: f64,
    pub latencies_us: Vec<u64>,
}

/// Sends all requests over the connections, as fast as answers come.
pub fn drive(address: &str, connections: usize, requests: &[Vec<u8>]) -> anyhow::Result<Run> {
    let started = Instant::now();
    let share = requests.len().div_ceil(connections);
    let latencies = std::thread::scope(|scope| {
        let drive_one = |requests: &'_ [Vec<u8>]| -> anyhow::Result<Vec<u64>> {
            let mut client = Client::connect(address)?;
            let mut latencies = Vec::with_capacity(requests.len());
            for request in requests {
                let asked = Instant::now();
                client.exchange(request)?;
                latencies.push(asked.elapsed().as_micros() as u64);
            }
            Ok(latencies)
        };
        let threads: Vec<_> =
            requests.chunks(share).map(|part| scope.spawn(move || drive_one(part))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let mut latencies_us = latencies.concat();
    latencies_us.sort_unstable();
    Ok(Run { per_second: requests.len() as f64 / seconds, latencies_us })
}

/// Milliseconds.
pub fn percentile(sorted: &[u64], percent: usize) -> f64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len() - 1)).copied().unwrap_or_default() as f64
        / 1000.0
}

/// The median, the least and the most.
pub fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

impl Lifecycle {
    pub fn run(self) -> anyhow::Result<()> {
        let program = build(Profile::Release)?;
        // By itself: the server is measured as it is released, without features that this wants.
        let echo = build_program("xtask", &["--release", "--package", "xtask"], &[])?;
        let (mut bare, mut accepted, mut single, mut failover) = (vec![], vec![], vec![], vec![]);
        let (mut p50, mut p99) = (vec![], vec![]);
        let (mut disk, mut idle, mut cpu) = (vec![], vec![], [vec![], vec![], vec![]]);
        for number in 1..=self.runs {
            eprintln!("run {number} of {}", self.runs);
            bare.push(self.bare(&echo)?);
            let (run, used) = self.accept(&program)?;
            cpu[0].push(used);
            accepted.push(run.per_second);
            p50.push(percentile(&run.latencies_us, 50));
            p99.push(percentile(&run.latencies_us, 99));
            let whole = self.lifecycles(&program, sms_body)?;
            single.push(whole.per_second);
            disk.push(whole.disk_bytes);
            idle.push(whole.idle_mib);
            cpu[1].push(whole.cpu_us);
            let whole = self.lifecycles(&program, failover_body)?;
            failover.push(whole.per_second);
            disk.push(whole.disk_bytes);
            cpu[2].push(whole.cpu_us);
        }
        println!(
            "{} runs of {} flows over {} connections, {} cores; median (least to most)\n",
            self.runs,
            self.flows,
            self.connections,
            std::thread::available_parallelism()?
        );
        let bare = spread(&mut bare);
        let row = |name: &str, (median, least, most): (f64, f64, f64), unit: &str, digits: usize| {
            let figures = format!("{median:.digits$} ({least:.digits$} to {most:.digits$}) {unit}");
            println!("{name:<46}{figures:<40}");
        };
        row("bare endpoint, parse and echo", bare, "requests/s", 0);
        let accepted = spread(&mut accepted);
        row("accepted, durable, carrier at 500/s", accepted, "flows/s", 0);
        println!("{:<46}{:.2}", "  ratio to bare", accepted.0 / bare.0);
        row("  accept latency p50", spread(&mut p50), "ms", 2);
        row("  accept latency p99", spread(&mut p99), "ms", 2);
        row("lifecycles, Sms delivered", spread(&mut single), "flows/s", 0);
        row("lifecycles, Viber fails over to Sms", spread(&mut failover), "flows/s", 0);
        let (one, two): (Vec<_>, Vec<_>) = disk.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        for (name, cpu) in ["an accepted flow", "an Sms delivered", "a failover"].into_iter().zip(&mut cpu) {
            row(&format!("core time of the server for {name}"), spread(cpu), "µs", 0);
        }
        row("disk a finished flow, Sms delivered", spread(&mut one.clone()), "bytes", 0);
        row("disk a finished flow, failed over", spread(&mut two.clone()), "bytes", 0);
        row("resident memory of a fresh, idle server", spread(&mut idle), "MiB", 1);
        Ok(())
    }

    fn requests(&self, token: &str, body: fn(usize) -> String) -> Vec<Vec<u8>> {
        (0..self.flows).map(|i| post("/failover", token, &body(i))).collect()
    }

    fn bare(&self, echo: &Path) -> anyhow::Result<f64> {
        let mut command = Command::new(echo);
        let (_process, address) = Process::start(command.arg("bare-echo"))?;
        Ok(drive(&address, self.connections, &self.requests("none", failover_body))?.per_second)
    }

    /// And the server's core time a flow, µs.
    fn accept(&self, program: &Path) -> anyhow::Result<(Run, f64)> {
        // As behind an SMSC that takes 500 messages a second: what is accepted beyond that waits on disk.
        let server = Server::start(program, &config("rate = 500"))?;
        let requests = self.requests(&server.token()?, failover_body);
        let run = drive(&server.address, self.connections, &requests)?;
        Ok((run, server.cpu_seconds()? * 1e6 / self.flows as f64))
    }

    /// Sends every flow and waits until the last has ended.
    fn lifecycles(&self, program: &Path, body: fn(usize) -> String) -> anyhow::Result<Whole> {
        let mut server = Server::start(program, &config(""))?;
        let token = server.token()?;
        let idle_mib = server.resident_kib()? as f64 / 1024.0;
        let requests = self.requests(&token, body);
        let started = Instant::now();
        drive(&server.address, self.connections, &requests)?;
        let mut client = Client::connect(&server.address)?;
        let open = post("/failover/tracking?size=1", &token, &open_flows());
        loop {
            let answer: Value = serde_json::from_slice(client.exchange(&open)?)?;
            if answer["totalElements"] == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let per_second = self.flows as f64 / started.elapsed().as_secs_f64();
        let flows = self.flows as f64;
        let cpu_us = server.cpu_seconds()? * 1e6 / flows;
        server.stop()?;
        Ok(Whole { per_second, cpu_us, disk_bytes: server.disk_bytes()? as f64 / flows, idle_mib })
    }
}

/// What whole lifecycles came to.
struct Whole {
    per_second: f64,
    /// Of the server, a flow.
    cpu_us: f64,
    /// A flow.
    disk_bytes: f64,
    /// Before the first one.
    idle_mib: f64,
}

/// Serves an endpoint that parses JSON and echoes it.
pub fn bare_echo() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let echo = axum::routing::post(async |axum::Json(body): axum::Json<Value>| axum::Json(body));
        axum::serve(listener, axum::Router::new().route("/failover", echo)).await?;
        Ok(())
    })
}

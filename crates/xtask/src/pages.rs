//! `cargo xtask bench pages`: whole searches over HTTP, with the documents of a page, while flows are
//! accepted.

use crate::console_pages::Operator;
use crate::drive::{drive, pace, percentile};
use crate::load::{Client, Server, open_flows, post};
use crate::traffic::{config, sms_body};
use crate::{Profile, build};
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Requests that are prepared at once.
const BATCH: usize = 100_000;

/// Pages of 20 documents over HTTP at a steady rate, while flows are accepted at another; latencies count
/// from when a request was due.
#[derive(clap::Args)]
pub struct Pages {
    /// Flows to search among: some 1.4 kB of disk each, and a minute for every million.
    #[arg(long, default_value_t = 1_000_000)]
    flows: usize,
    /// Searches a second.
    #[arg(long, default_value_t = 1000)]
    searches: usize,
    /// Flows accepted a second meanwhile.
    #[arg(long, default_value_t = 2000)]
    accepted: usize,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    seconds: usize,
    /// Keeps the data directory here, and uses what is there.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// The searches, in turn; pages anywhere in the result.
fn search(token: &str, i: usize, flows: usize, size: usize) -> Vec<u8> {
    let is = |field, operator, term: String| json!([{"fieldName": field, "searchOperator": operator, "searchTerm": term}]);
    let (filters, matches) = match i % 4 {
        0 => (json!([]), flows),
        1 => (is("status", "is", "Succeeded".into()), flows),
        2 => (is("to", "starts_with", "+30690".into()), flows),
        _ => (is("to", "is", format!("+30690{:06}0", i * 7919 % 1_000_000)), 0),
    };
    let page = i * 7919 % (matches / size).max(1);
    post(&format!("/failover/tracking?size={size}&page={page}"), token, &filters.to_string())
}

fn row(name: &str, latencies: &[u64]) {
    println!("{name:<60}{:>12.2}{:>12.2}", percentile(latencies, 50.0), percentile(latencies, 99.0));
}

impl Pages {
    /// A token of the application whose flows are in the data directory already, if any are.
    fn token(&self, server: &Server) -> anyhow::Result<String> {
        let kept = self.data.as_ref().map(|data| data.join("token"));
        if let Some(Ok(token)) = kept.as_ref().map(std::fs::read_to_string) {
            return Ok(token);
        }
        let token = server.token()?;
        if let Some(kept) = kept {
            std::fs::write(kept, &token)?;
        }
        Ok(token)
    }

    /// Sends the flows that are missing, and waits until all have ended; `count` counts those that a filter
    /// finds.
    fn fill(
        &self,
        server: &Server,
        token: &str,
        count: &dyn Fn(&str) -> anyhow::Result<u64>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let present = count("[]")? as usize;
        for first in (present..self.flows).step_by(BATCH) {
            let requests =
                (first..self.flows.min(first + BATCH)).map(|i| post("/failover", token, &sms_body(i)));
            drive(&server.address, 64, &requests.collect::<Vec<_>>())?;
        }
        while count(&open_flows())? != 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        println!(
            "{} flows, of which {present} were there, all ended, after {:.0} s",
            self.flows.max(present),
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }

    pub fn run(&self) -> anyhow::Result<()> {
        let program = build(Profile::Release)?;
        let mut server = Server::start_with(&program, &config(""), self.data.as_deref(), None)?;
        let token = self.token(&server)?;
        let count = |filters: &str| -> anyhow::Result<u64> {
            let mut client = Client::connect(&server.address)?;
            let found = client.exchange(&post("/failover/tracking?size=1", &token, filters))?;
            serde_json::from_slice::<Value>(found)?["totalElements"].as_u64().context("no total")
        };
        self.fill(&server, &token, &count)?;

        println!("\none connection, nothing beside it, 2000 requests each{:>19}{:>12}", "p50 ms", "p99 ms");
        let mut client = Client::connect(&server.address)?;
        let live = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        let none = post(
            "/failover/tracking?size=20",
            &token,
            &json!([{"fieldName": "to", "searchTerm": "+1"}]).to_string(),
        );
        let searches =
            |size, count| (0..count).map(|i| search(&token, i, self.flows, size)).collect::<Vec<_>>();
        let kinds = [
            ("HTTP alone (GET /health/live)", vec![live; 2000]),
            ("a search without a match: and token, index, page", vec![none; 2000]),
            ("a page of 1: and a document", searches(1, 2000)),
            ("a page of 20: and 19 more documents and their JSON", searches(20, 2000)),
            ("a page of 1000 (200 requests)", searches(1000, 200)),
        ];
        for (name, requests) in &kinds {
            row(name, &drive(&server.address, 1, requests)?.latencies_us);
        }
        let operator = Operator::sign_in(&server)?;
        let found = serde_json::from_slice(client.exchange(&search(&token, 0, self.flows, 1000))?)?;
        let console = [
            ("the console's list of flows", operator.lists(2000)),
            ("the console's page of a flow", operator.flows(&found, 2000)?),
        ];
        for (name, requests) in &console {
            row(name, &drive(&server.address, 1, requests)?.latencies_us);
        }
        for (size, count) in [(20, 2000), (1000, 200)] {
            println!("\nof which, in pages of {size}, as the server tells (Server-Timing)");
            let mut parts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for request in searches(size, count) {
                client.exchange(&request)?;
                for (part, spent) in client.server_timing() {
                    parts.entry(part).or_default().push(spent);
                }
            }
            for (part, latencies) in &mut parts {
                latencies.sort_unstable();
                row(part, latencies);
            }
        }

        self.both(&server, &token)?;
        server.stop()
    }

    /// Searches and sends at their rates at the same time.
    fn both(&self, server: &Server, token: &str) -> anyhow::Result<()> {
        let pace_both = |rate: usize, request: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
            pace(&server.address, 16, rate as f64, rate * self.seconds, request)
        };
        let (searched, accepted) = std::thread::scope(|scope| {
            let send = |i| post("/failover", token, &sms_body(i));
            let accepted = scope.spawn(move || pace_both(self.accepted, &send));
            let searched = pace_both(self.searches, &|i| search(token, i, self.flows, 20));
            (searched, accepted.join().expect("no panic"))
        });
        println!("\nat the same time, for {} s{:>47}{:>12}", self.seconds, "p50 ms", "p99 ms");
        row(&format!("{} searches a second, pages of 20", self.searches), &searched?);
        row(&format!("{} flows accepted a second", self.accepted), &accepted?);
        Ok(())
    }
}

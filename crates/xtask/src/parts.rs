//! `cargo xtask bench parts`: what an event costs in a flow of 20 parts and in one of a single part, where
//! each change is owed to a callback target that hangs.

use crate::drive::drive;
use crate::figures::spread;
use crate::load::{Client, Server, open_flows, post};
use crate::traffic::config;
use crate::{Profile, build};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Parts of the large flows.
const PARTS: usize = 20;
/// Characters of a part of several.
const PART: usize = 153;
/// What happens to a part: its carrier takes it, and tells that it was delivered.
const EVENTS: usize = 2;
/// A part's event in a flow of many may cost so many times what it costs in a flow of one.
const RATIO_MAX: f64 = 3.0;
/// Octets of a flow's document, at most.
const DOCUMENT_MAX: u64 = 256 * 1024;

#[derive(clap::Args)]
pub struct Parts {
    /// Parts of each run, in flows of one or of 20.
    #[arg(long, default_value_t = 10_000)]
    parts: usize,
    /// Runs of both, in turn; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

impl Parts {
    pub fn run(self) -> anyhow::Result<()> {
        let program = build(Profile::Release)?;
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let port = silent.local_addr()?.port();
        // It takes connections, and says nothing.
        std::thread::spawn(move || silent.incoming().collect::<Vec<_>>());
        let (mut one, mut many, mut document) = (vec![], vec![], 0);
        for _ in 0..self.runs {
            one.push(self.measure(&program, 1, port)?.0);
            let (cost, octets) = self.measure(&program, PARTS, port)?;
            many.push(cost);
            document = document.max(octets);
        }
        let (one, many) = (spread(&mut one), spread(&mut many));
        for (parts, (median, least, most)) in [(1, one), (PARTS, many)] {
            println!(
                "{parts:>2} parts: {median:.0} ({least:.0} to {most:.0}) µs of a core an event, the accept included"
            );
        }
        let ratio = many.0 / one.0;
        println!(
            "ratio {ratio:.2} (at most {RATIO_MAX}); the largest document {document} octets (at most {DOCUMENT_MAX})"
        );
        ensure!(ratio <= RATIO_MAX && document <= DOCUMENT_MAX, "beyond its bounds");
        Ok(())
    }

    /// The server's core time an event, µs, and the largest document.
    fn measure(&self, program: &Path, parts: usize, port: u16) -> anyhow::Result<(f64, u64)> {
        let private = "[callbacks]\nallow_private = true\n";
        let server = Server::start(program, &format!("{}{private}", config("")))?;
        let token = server.token()?;
        let flow = |i: usize| {
            let to = format!("+30690{:06}0", i % 1_000_000);
            let text = "a".repeat(if parts == 1 { PART } else { parts * PART });
            let step =
                json!({"type": "Sms", "order": 1, "from": "Acme", "to": to, "message": {"body": text}});
            let callback = json!({"strategy": "OnChange", "url": format!("http://127.0.0.1:{port}/x")});
            post("/failover", &token, &json!({"flow": [step], "callback": callback}).to_string())
        };
        let requests: Vec<_> = (0..self.parts / parts).map(flow).collect();
        let before_s = server.cpu_seconds()?;
        drive(&server.address, 16, &requests)?;
        let mut client = Client::connect(&server.address)?;
        let open = post("/failover/tracking?size=1", &token, &open_flows());
        while serde_json::from_slice::<Value>(client.exchange(&open)?)?["totalElements"] != 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let events = (requests.len() * parts * EVENTS) as f64;
        Ok(((server.cpu_seconds()? - before_s) * 1e6 / events, largest_document(&server)?))
    }
}

fn largest_document(server: &Server) -> anyhow::Result<u64> {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT max(length(doc)) FROM flows').fetchone()[0])";
    let output =
        Command::new("python3").args(["-c", script]).arg(server.data().join("switchback.db")).output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

//! What the benchmark of lifecycles measures, each by itself: a server under some load, and what it is
//! compared with.

use crate::command::build_program;
use crate::core_time::CoreTime;
use crate::drive::{Run, drive, pace};
use crate::load::{Client, Process, Server, open_flows, post};
use crate::recording::Recording;
use crate::traffic::{config, failover_body, sms_body};
use crate::{Profile, build};
use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What is sent at a rate is sent for so long, seconds, if there are enough flows.
const PACED_S: f64 = 10.0;

/// How much is sent to what.
#[derive(clap::Args)]
pub struct Load {
    /// Connections that ask at the same time, each waiting for its answer.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Flows of each run.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub flows: u32,
    /// A program that is built already, to compare with; the repository's own when absent.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// The programs and the load.
pub struct Stand<'a> {
    server: PathBuf,
    bare: PathBuf,
    load: &'a Load,
    /// Where profiles are written.
    profiles: Option<&'a Path>,
}

/// Flows that were accepted behind a slow carrier.
pub struct Accepted {
    pub run: Run,
    /// Of the server, a flow, µs.
    pub core_us: CoreTime,
    /// It has stopped; its data are there as long as this is.
    server: Server,
}

/// What whole lifecycles came to.
pub struct Whole {
    pub per_second: f64,
    /// Of the server, a flow.
    pub core_us: CoreTime,
    /// A flow.
    pub disk_bytes: f64,
    /// Before the first one.
    pub idle_mib: f64,
    /// After the last one has ended.
    pub ended_mib: f64,
}

/// Something that is compared with.
#[derive(Deserialize)]
pub struct Reference {
    pub per_second: f64,
    /// A request or a flow.
    pub core_us: f64,
}

fn mib(server: &Server) -> anyhow::Result<f64> {
    Ok(server.resident_kib()? as f64 / 1024.0)
}

/// Waits until every flow has ended.
fn wait_for_ends(server: &Server, token: &str) -> anyhow::Result<()> {
    let mut client = Client::connect(&server.address)?;
    let open = post("/failover/tracking?size=1", token, &open_flows());
    while serde_json::from_slice::<Value>(client.exchange(&open)?)?["totalElements"] != 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl<'a> Stand<'a> {
    /// Builds what is measured, but for a program that is built already; profiles are written to a folder, if
    /// there is one.
    ///
    /// # Errors
    /// When it does not build.
    pub fn build(load: &'a Load, profiles: Option<&'a Path>) -> anyhow::Result<Stand<'a>> {
        let server = match &load.program {
            Some(program) => program.canonicalize()?,
            None => build(Profile::Release)?,
        };
        // By itself: the server is measured as it is released, without features that this wants.
        let bare = build_program("xtask", &["--release", "--package", "xtask"], &[])?;
        Ok(Stand { server, bare, load, profiles })
    }

    fn flows(&self) -> usize {
        self.load.flows as usize
    }

    fn connections(&self) -> usize {
        self.load.connections as usize
    }

    fn requests(&self, token: &str, body: fn(usize) -> String) -> Vec<Vec<u8>> {
        (0..self.flows()).map(|i| post("/failover", token, &body(i))).collect()
    }

    /// Begins to record a profile, if one is wanted.
    fn record(&self, server: &Server, name: &str) -> anyhow::Result<Option<Recording>> {
        self.profiles.map(|folder| Recording::start(server.id(), folder, name)).transpose()
    }

    /// An endpoint that parses JSON and echoes it.
    ///
    /// # Errors
    /// When it does not start or answer.
    pub fn bare(&self) -> anyhow::Result<Reference> {
        let (process, address) = Process::start(Command::new(&self.bare).arg("bare-echo"))?;
        let requests = self.requests("none", failover_body);
        let before = CoreTime::read(process.id())?;
        let run = drive(&address, self.connections(), &requests)?;
        let core_us = CoreTime::read(process.id())?.each_us(&before, self.flows()).all;
        Ok(Reference { per_second: run.per_second, core_us })
    }

    /// Sends every flow to a server with a slow carrier, as fast as it accepts them.
    ///
    /// # Errors
    /// When the server does not start, or does not accept a flow.
    pub fn accept(&self) -> anyhow::Result<Accepted> {
        // As behind an SMSC that takes 500 messages a second: what is accepted beyond that waits on disk.
        let mut server = Server::start(&self.server, &config("rate = 500"))?;
        let requests = self.requests(&server.token()?, failover_body);
        let before = server.core_time()?;
        let recording = self.record(&server, "accepted")?;
        let run = drive(&server.address, self.connections(), &requests)?;
        let core_us = server.core_time()?.each_us(&before, self.flows());
        recording.map(Recording::finish).transpose()?;
        server.stop()?;
        Ok(Accepted { run, core_us, server })
    }

    /// Inserts the documents of accepted flows into a database without a server, a commit for a quarter as
    /// many flows as there are connections: as the server has them (10,000 accepts over 64 connections made
    /// 700 calls of fdatasync).
    ///
    /// # Errors
    /// When Python is missing, or can't read the server's database.
    pub fn sqlite_alone(&self, accepted: &Accepted) -> anyhow::Result<Reference> {
        let directory = tempfile::tempdir()?;
        let batch = self.connections().div_ceil(4).to_string();
        let mut python = Command::new("python3");
        python.args(["-c", include_str!("sqlite_alone.py")]);
        python.arg(accepted.server.data().join("switchback.db")).arg(directory.path().join("alone.db"));
        let output = python.arg(batch).output().context("python3")?;
        ensure!(output.status.success(), "SQLite alone: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Accepts flows at a rate a second behind the slow carrier; latencies in µs, sorted.
    ///
    /// # Errors
    /// When the server does not start, or does not accept a flow.
    pub fn accept_at(&self, rate: f64) -> anyhow::Result<Vec<u64>> {
        let server = Server::start(&self.server, &config("rate = 500"))?;
        let token = server.token()?;
        let count = self.flows().min((rate * PACED_S) as usize);
        let request = |i| post("/failover", &token, &failover_body(i));
        pace(&server.address, self.connections(), rate, count, &request)
    }

    /// Sends every flow and waits until the last has ended.
    ///
    /// # Errors
    /// When the server does not start, does not accept a flow, or does not end in time.
    pub fn lifecycles(&self, name: &str, body: fn(usize) -> String) -> anyhow::Result<Whole> {
        let mut server = Server::start(&self.server, &config(""))?;
        let token = server.token()?;
        let idle_mib = mib(&server)?;
        let requests = self.requests(&token, body);
        let before = server.core_time()?;
        let recording = self.record(&server, name)?;
        let started = Instant::now();
        drive(&server.address, self.connections(), &requests)?;
        wait_for_ends(&server, &token)?;
        let per_second = self.flows() as f64 / started.elapsed().as_secs_f64();
        let core_us = server.core_time()?.each_us(&before, self.flows());
        recording.map(Recording::finish).transpose()?;
        let ended_mib = mib(&server)?;
        server.stop()?;
        let disk_bytes = server.disk_bytes()? as f64 / self.flows() as f64;
        Ok(Whole { per_second, core_us, disk_bytes, idle_mib, ended_mib })
    }

    /// Resident memory after so many Sms at a rate a second, all delivered, MiB.
    ///
    /// # Errors
    /// When the server does not start, or does not accept a flow.
    pub fn steady_mib(&self, rate: f64, flows: u32) -> anyhow::Result<f64> {
        let server = Server::start(&self.server, &config(""))?;
        let token = server.token()?;
        let request = |i| post("/failover", &token, &sms_body(i));
        pace(&server.address, self.connections(), rate, flows as usize, &request)?;
        wait_for_ends(&server, &token)?;
        mib(&server)
    }
}

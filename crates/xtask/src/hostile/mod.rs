//! `cargo xtask bench hostile`: what one client that means harm takes from another application of the same
//! server.
//!
//! Each [`Case`] gets a server of its own on fresh data ([`stage`]). Another application sends plain messages
//! at a steady rate ([`bystander`]) before and during the attack; a [`watch`] keeps the server's memory in
//! bounds. The cases are in the files after what they take: [`documents`], [`sounds`], [`connections`],
//! [`turns`].

mod bystander;
mod case;
mod connections;
mod documents;
mod outcome;
mod peers;
mod play;
mod sounds;
mod stage;
mod turns;
mod watch;

use crate::{Profile, build};
use anyhow::ensure;
use case::Case;
use outcome::Outcome;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Be a hostile client, one case after the other, each against a server of its own, and measure what another
/// application still gets: how long accepts take before and during the attack, the server's memory, whether
/// it lives and starts again. Fails where a case is beyond its bounds.
#[derive(clap::Args)]
pub struct Hostile {
    /// Runs the cases whose names start so; all when absent.
    #[arg(long = "case")]
    cases: Vec<String>,
    /// How long each attack lasts.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How long the other application is measured before it.
    #[arg(long, default_value_t = 5)]
    calm: u64,
    /// Flows that are searched in the cases about searches.
    #[arg(long, default_value_t = 100_000)]
    flows: usize,
    /// Writes the figures to a file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// A program that is built already, to compare with; the repository's own when absent.
    #[arg(long)]
    program: Option<PathBuf>,
}

impl Hostile {
    fn play(&self, program: &Path, case: &Case) -> anyhow::Result<Outcome> {
        let (calm, attack) = (Duration::from_secs(self.calm), Duration::from_secs(self.seconds));
        play::play(program, case, &play::Course { calm, attack, flows: self.flows })
    }

    pub fn run(&self) -> anyhow::Result<()> {
        let program = match &self.program {
            Some(program) => program.canonicalize()?,
            None => build(Profile::Release)?,
        };
        raise_open_files()?;
        let wanted = |case: &&Case| {
            self.cases.is_empty() || self.cases.iter().any(|name| case.name.starts_with(name.as_str()))
        };
        let all = [documents::CASES, sounds::CASES, connections::CASES, turns::CASES];
        let cases: Vec<&Case> = all.into_iter().flatten().filter(wanted).collect();
        ensure!(!cases.is_empty(), "no case has such a name");
        println!(
            "each attack {} s, another application measured {} s before it and during it; {} cores\n",
            self.seconds,
            self.calm,
            std::thread::available_parallelism()?
        );
        println!(
            "{:<7}{:>16}{:>21}{:>8}{:>7}{:>8}{:>7}{:>10}",
            "case", "calm p50 / p99", "attacked p50 / p99", "ratio", "failed", "MiB", "lives", "restart"
        );
        let (mut figures, mut bad) = (Vec::new(), Vec::new());
        for case in cases {
            let outcome = self.play(&program, case)?;
            outcome.print();
            if !outcome.faults().is_empty() {
                bad.push(case.name);
            }
            figures.push(outcome.json());
        }
        if let Some(file) = &self.json {
            std::fs::write(file, serde_json::to_string_pretty(&figures)?)?;
        }
        ensure!(bad.is_empty(), "beyond their bounds: {}", bad.join(", "));
        Ok(())
    }
}

/// Lets this process have as many connections as the system allows.
fn raise_open_files() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

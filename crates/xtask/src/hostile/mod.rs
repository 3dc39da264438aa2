//! `cargo xtask bench hostile`: what one client that means harm takes from another application of the same
//! server.
//!
//! Each [`Case`] gets a server of its own on fresh data ([`stage`]). Another application sends plain messages
//! at a steady rate ([`bystander`]) before and during the attack; a [`watch`] keeps the server's memory in
//! bounds. The cases are in the files after what they take: [`documents`], [`sounds`], [`connections`],
//! [`turns`].

mod bystander;
mod connections;
mod documents;
mod peers;
mod sounds;
mod stage;
mod turns;
mod watch;

use anyhow::ensure;
use serde_json::{Value, json};
use stage::{Attack, Finding, Stage};
use std::path::PathBuf;
use std::time::Duration;

/// The other application's p99 may grow by this factor, or to the floor, whichever is more.
const FACTOR_MAX: f64 = 5.0;
/// Below it the p99 counts as good, ms.
const FLOOR_MS: f64 = 50.0;
/// Resident memory of the server, MiB.
const MEMORY_MAX_MIB: u64 = 400;

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

/// One attack.
struct Case {
    name: &'static str,
    /// In a few words.
    about: &'static str,
    /// The server's configuration.
    config: fn(&peers::Peers) -> anyhow::Result<String>,
    /// What a shell does before it becomes the server.
    limits: &'static str,
    /// Messages a second of the other application.
    rate: f64,
    /// The server may take this much memory before it is killed, MiB.
    guard_mib: u64,
    /// The server may take this much without a fault, MiB.
    memory_max_mib: u64,
    /// Whether what is prepared is the attack itself, so that the other application is measured before it.
    prepare_is_attack: bool,
    /// What is there before the attack.
    prepare: fn(&mut Stage, &Hostile) -> anyhow::Result<()>,
    /// The attack; it ends soon after [`Attack::over`].
    attack: fn(&Attack<'_>) -> anyhow::Result<Finding>,
}

impl Case {
    /// A case with the sandbox for all channels and nothing special.
    const fn new(
        name: &'static str,
        about: &'static str,
        attack: fn(&Attack<'_>) -> anyhow::Result<Finding>,
    ) -> Case {
        Case {
            name,
            about,
            config: |_| Ok(stage::sandbox()),
            limits: "ulimit -S -n 1024",
            rate: 100.0,
            guard_mib: 3072,
            memory_max_mib: MEMORY_MAX_MIB,
            prepare_is_attack: false,
            prepare: |_, _| Ok(()),
            attack,
        }
    }
}

/// What a case came to.
struct Outcome {
    name: &'static str,
    about: &'static str,
    calm: bystander::Latencies,
    attacked: bystander::Latencies,
    peak_mib: u64,
    lives: bool,
    /// The attack did not end in time.
    hung: bool,
    /// Lines of the log that tell of a panic.
    panics: usize,
    /// How long the next start took, and the memory then; none where it did not start.
    restart: Option<(Duration, u64)>,
    finding: Finding,
    memory_max_mib: u64,
}

impl Outcome {
    /// What is beyond its bounds.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let bound = FLOOR_MS.max(FACTOR_MAX * self.calm.percentile_ms(99));
        if self.attacked.percentile_ms(99) > bound {
            faults.push(format!("p99 is over {bound:.0} ms"));
        }
        if self.attacked.failed > 0 {
            faults.push(format!("{} of the other's requests failed", self.attacked.failed));
        }
        if self.peak_mib > self.memory_max_mib {
            faults.push(format!("memory is over {} MiB", self.memory_max_mib));
        }
        if !self.lives {
            faults.push("the process ended".into());
        }
        if self.hung {
            faults.push("the attack hung and was ended".into());
        }
        if self.panics > 0 {
            faults.push(format!("{} panics in the log", self.panics));
        }
        if self.restart.is_none() {
            faults.push("no start afterwards".into());
        }
        faults.extend(
            self.finding
                .promises
                .iter()
                .filter(|promise| !promise.kept)
                .map(|promise| format!("promise not kept: {}", promise.text)),
        );
        faults
    }

    fn print(&self) {
        let (calm, attacked) = (&self.calm, &self.attacked);
        println!(
            "{:<7}{:>7.1} /{:>7.1}{:>10.1} /{:>9.1}{:>8.1}{:>7}{:>8}{:>7}{:>10}   {}",
            self.name,
            calm.percentile_ms(50),
            calm.percentile_ms(99),
            attacked.percentile_ms(50),
            attacked.percentile_ms(99),
            attacked.percentile_ms(99) / calm.percentile_ms(99).max(0.001),
            attacked.failed,
            self.peak_mib,
            if self.lives { "yes" } else { "NO" },
            self.restart.map_or("NO".into(), |(took, mib)| format!("{:.1}s {mib}", took.as_secs_f64())),
            self.about,
        );
        println!("{:9}answers to the attack: {}", "", self.finding.answers);
        for promise in &self.finding.promises {
            println!("{:9}{}: {}", "", if promise.kept { "kept" } else { "NOT KEPT" }, promise.text);
        }
        let faults = self.faults();
        println!(
            "{:9}{}",
            "",
            if faults.is_empty() { "good".into() } else { format!("BAD: {}", faults.join("; ")) }
        );
    }

    fn json(&self) -> Value {
        let latencies = |of: &bystander::Latencies| {
            json!({"p50_ms": of.percentile_ms(50), "p99_ms": of.percentile_ms(99), "requests": of.count(),
                "failed": of.failed})
        };
        json!({
            "case": self.name, "about": self.about, "calm": latencies(&self.calm),
            "attacked": latencies(&self.attacked), "peak_mib": self.peak_mib, "lives": self.lives,
            "hung": self.hung, "panics": self.panics, "answers": self.finding.answers.to_string(),
            "restart_s": self.restart.map(|(took, _)| took.as_secs_f64()),
            "promises": self.finding.promises.iter()
                .map(|promise| json!({"text": promise.text, "kept": promise.kept})).collect::<Vec<_>>(),
            "faults": self.faults(),
        })
    }
}

impl Hostile {
    pub fn run(&self) -> anyhow::Result<()> {
        let program = match &self.program {
            Some(program) => program.canonicalize()?,
            None => crate::build(false)?,
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
            let outcome = stage::play(&program, case, self)?;
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

//! `cargo xtask fuzz`.

use crate::{peers, root};
use anyhow::{Context, ensure};
use std::process::Command;

/// Every target of `fuzz/`.
const TARGETS: [&str; 14] = [
    "bodies",
    "heads",
    "filters",
    "http_receipts",
    "provider_answers",
    "smpp_receipts",
    "smpp_pdus",
    "smpp_session",
    "sip_answers",
    "audio",
    "dial_plans",
    "queries",
    "files",
    "configurations",
];
/// The version of cargo-fuzz that is installed where there is none.
const VERSION: &str = "0.13.2";

/// The most memory that a target may take, MiB; and the one that reads sound, which is the most that a format from outside
/// can become.
const MEMORY_MAX: u32 = 2048;
const AUDIO_MEMORY_MAX: u32 = 256;

/// Shorter runs are not worth optimizing for, seconds.
const SHORT: u32 = 120;

/// Feed every fuzz target for a while; fails at the first finding.
#[derive(clap::Args)]
pub struct Fuzz {
    /// Seconds for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
}

impl Fuzz {
    /// Builds the targets and runs them, two at a time.
    pub fn run(self) -> anyhow::Result<()> {
        let tool = peers::cargo("cargo-fuzz", VERSION)?;
        let cargo = |arguments: &[&str]| {
            let mut command = Command::new(&tool);
            // The sanitizers need a nightly compiler; without `unsafe` code there is little for them to find.
            command.arg("fuzz").args(arguments).args(["--sanitizer", "none"]).current_dir(root());
            // To optimize takes longer than a short run.
            command.args((self.seconds < SHORT).then_some("--dev"));
            command
        };
        ensure!(cargo(&["build"]).status()?.success(), "the fuzz targets do not build");
        let targets: Vec<&str> = TARGETS
            .into_iter()
            .filter(|name| self.target.as_deref().is_none_or(|only| only == *name))
            .collect();
        ensure!(!targets.is_empty(), "there is no such target; there are {}", TARGETS.join(", "));
        for pair in targets.chunks(2) {
            let started =
                pair.iter().map(|target| self.start(cargo, target)).collect::<anyhow::Result<Vec<_>>>()?;
            for (target, process) in pair.iter().zip(started) {
                let output = process.wait_with_output()?;
                let told = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "{told}\n{target}: a finding");
                let runs =
                    told.lines().find_map(|line| line.strip_prefix("Done ")).context("it tells no runs")?;
                println!("{target}: {runs}, no finding");
            }
        }
        Ok(())
    }

    fn start(&self, cargo: impl Fn(&[&str]) -> Command, target: &str) -> anyhow::Result<std::process::Child> {
        let corpus = root().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus)?;
        let (corpus, seeds) = (corpus.to_string_lossy().into_owned(), format!("fuzz/seeds/{target}"));
        let mut command = cargo(&["run", target, &corpus]);
        if root().join(&seeds).exists() {
            command.arg(&seeds);
        }
        let memory = if target == "audio" { AUDIO_MEMORY_MAX } else { MEMORY_MAX };
        let (seconds, memory) =
            (format!("-max_total_time={}", self.seconds), format!("-rss_limit_mb={memory}"));
        command.args(["--", &seconds, &memory, "-max_len=4096"]);
        Ok(command.stderr(std::process::Stdio::piped()).spawn()?)
    }
}

//! `cargo xtask mutants`.

use crate::{run, target, works};
use anyhow::ensure;

/// Change a crate in one place at a time and see whether its own tests notice (cargo-mutants). Takes minutes
/// to hours.
#[derive(clap::Args)]
pub struct Mutants {
    /// The crate: flow.
    package: String,
    /// Only mutants whose name matches this regular expression: `decisive`.
    #[arg(long)]
    only: Option<String>,
    /// A sample: one of so many mutants, spread evenly.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    one_of: u32,
    /// Which of these samples, from 0: another one shows whether tests hold that were written for the first.
    #[arg(long, default_value_t = 0)]
    sample: u32,
    /// How many are built and tested at a time.
    #[arg(long, default_value_t = 1)]
    jobs: u16,
}

impl Mutants {
    /// Tries every mutant; the lists of those that were caught and missed are in `mutants/mutants.out`, where
    /// cargo puts what it builds.
    pub fn run(self) -> anyhow::Result<()> {
        ensure!(self.sample < self.one_of, "--sample must be below --one-of, which is {}", self.one_of);
        ensure!(
            works("cargo", &["mutants", "--version"]),
            "cargo-mutants is not installed: `cargo install --locked cargo-mutants` installs it"
        );
        let (jobs, output) = (self.jobs.to_string(), target()?.join("mutants"));
        let (shard, output) = (format!("{}/{}", self.sample, self.one_of), output.to_string_lossy());
        let mut arguments = vec!["mutants", "--package", &self.package, "--jobs", &jobs];
        arguments.extend(["--shard", &shard, "--sharding", "round-robin"]);
        // What a mutant changes, the crate's own tests have to notice, in time that a slow machine needs as
        // well.
        arguments.extend(["--test-workspace=false", "--minimum-test-timeout=60", "--cap-lints=true"]);
        arguments.extend(["--output", &output, "--colors=never"]);
        if let Some(only) = &self.only {
            arguments.extend(["--re", only]);
        }
        run("cargo", &arguments)
    }
}

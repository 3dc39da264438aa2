//! `cargo xtask bench smpp`: SMPP clients beside each other.

use crate::{run_with, target};

/// Submits and receipts a second through one SMPP session, the way of a submit to the SMSC, and bursts: the
/// client in `crates/smpp` beside rusmppc.
#[derive(clap::Args)]
pub struct Smpp {
    /// Rounds; of each figure the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

impl Smpp {
    pub fn run(&self) -> anyhow::Result<()> {
        let runs = self.runs.to_string();
        let manifest = "bench/smpp/Cargo.toml";
        let arguments = ["run", "--release", "--locked", "--manifest-path", manifest, "--", "--runs", &runs];
        // Its dependencies are built with other features than the workspace's.
        let target = target()?.join("bench-smpp");
        run_with("cargo", &arguments, &[("CARGO_TARGET_DIR", &target.to_string_lossy())])
    }
}

//! `cargo xtask simulate`: runs seeds, and tells the first promise that was broken.

use clap::Parser;
use simulation::{Bug, Options, Summary, Trial, run};
use std::process::ExitCode;
use std::time::Instant;

/// Runs whole servers in virtual time under faults drawn from seeds, and checks every promise.
#[derive(Parser)]
struct Cli {
    /// Seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them: with `--seeds 1` it repeats a run exactly.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Flows that are sent in each run.
    #[arg(long, default_value_t = 40)]
    flows: usize,
    /// Plant a bug, which is then to be found.
    #[arg(long, value_enum)]
    bug: Option<Bug>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let trial = cli.bug.map_or(Trial::Any, Bug::trial);
    let options = Options { flows: cli.flows, bug: cli.bug, trial };
    let started = Instant::now();
    let mut sum = Summary::default();
    for seed in cli.from..cli.from + cli.seeds {
        match run(seed, &options) {
            Ok(summary) => {
                sum.acknowledged += summary.acknowledged;
                sum.crashes += summary.crashes;
                sum.submissions += summary.submissions;
                sum.receipts += summary.receipts;
                sum.callbacks += summary.callbacks;
                sum.doubles += summary.doubles;
            }
            Err(broken) => {
                println!("seed {seed}: {broken}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{} seeds in {:.0} s: {} flows acknowledged, {} crashes, {} parts at carriers, {} receipts, {} callbacks; \
         0 lost, 0 steps started without a cause, {} parts arrived twice, each as docs/guarantees.md allows",
        cli.seeds,
        started.elapsed().as_secs_f64(),
        sum.acknowledged,
        sum.crashes,
        sum.submissions,
        sum.receipts,
        sum.callbacks,
        sum.doubles
    );
    ExitCode::SUCCESS
}

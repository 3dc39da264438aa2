//! `cargo xtask simulate`: runs seeds, and shows the first promise that was broken, made as small as it gets.

use clap::Parser;
use simulation::{Bug, Fault, Plan, Reach, Summary, observe, shrink};
use std::process::ExitCode;
use std::time::Instant;

/// Runs whole servers in virtual time under faults drawn from seeds, and checks every promise.
///
/// A seed that breaks one is shrunk, and shown with what happened and the command that repeats it. With
/// --only, --without, --crashes-max or --variation it is shown as it is.
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
    /// Send only the flows with these numbers.
    #[arg(long, value_delimiter = ',')]
    only: Vec<usize>,
    /// Faults that do not happen.
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Fault>,
    /// Kill the server at most so often.
    #[arg(long)]
    crashes_max: Option<u32>,
    /// Let the same clients and faults meet in another way.
    #[arg(long, default_value_t = 0)]
    variation: u64,
    /// Show which methods of the store faults reached.
    #[arg(long)]
    coverage: bool,
}

impl Cli {
    fn plan(&self, seed: u64) -> Plan {
        let plan = Plan {
            only: (!self.only.is_empty()).then(|| self.only.iter().copied().collect()),
            without: self.without.iter().copied().collect(),
            crashes_max: self.crashes_max,
            variation: self.variation,
            ..Plan::new(seed, self.flows)
        };
        match self.bug {
            Some(bug) => plan.with_bug(bug),
            None => plan,
        }
    }

    /// Returns whether a part of a seed's plan is asked for, which is shown as it is.
    fn is_shrunk(&self) -> bool {
        let parts = !self.only.is_empty() || !self.without.is_empty();
        parts || self.crashes_max.is_some() || self.variation > 0
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let started = Instant::now();
    let (mut sum, mut reach) = (Summary::default(), Reach::default());
    for seed in cli.from..cli.from.saturating_add(cli.seeds) {
        let (reached, ended) = observe(&cli.plan(seed));
        reach.add(&reached);
        match ended {
            Ok(summary) => sum.add(&summary),
            Err(failure) if cli.is_shrunk() => {
                println!("{failure}");
                return ExitCode::FAILURE;
            }
            Err(failure) => {
                println!("seed {seed}: {}\nshrinking it ...", failure.broken);
                println!("{}", shrink(failure));
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{} seeds in {:.0} s: {} flows acknowledged, {} crashes, {} parts at carriers, {} receipts, \
         {} callbacks; 0 lost, 0 steps started without a cause, {} parts arrived twice, \
         each as docs/guarantees.md allows",
        cli.seeds,
        started.elapsed().as_secs_f64(),
        sum.acknowledged,
        sum.crashes,
        sum.submissions,
        sum.receipts,
        sum.callbacks,
        sum.doubles
    );
    if cli.coverage {
        println!("{reach}");
    }
    ExitCode::SUCCESS
}

//! `cargo xtask bench lifecycle`: accepted flows and whole lifecycles a second, on loopback, everything
//! durable.

use crate::core_time::CoreTime;
use crate::drive::percentile;
use crate::figures::Figures;
use crate::stand::{Accepted, Load, Reference, Stand, Whole};
use crate::traffic::{failover_body, sms_body};
use serde_json::json;
use std::path::PathBuf;

/// Shares of the highest rate at which accepts are timed, percent.
const SHARES: [u32; 3] = [30, 60, 90];
/// The steady load, by the rate at which Sms are delivered.
const STEADY: f64 = 0.6;
/// The server's threads that are told of, by their names.
const THREADS: [&str; 3] = ["tokio-rt-worker", "store-writer", "index"];

/// Accepted flows and whole lifecycles a second, on loopback, everything durable; beside them a bare endpoint
/// and SQLite alone. docs/performance.md says what each figure means.
#[derive(clap::Args)]
pub struct Lifecycle {
    #[command(flatten)]
    load: Load,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Writes every figure of every run to a file as JSON; with `-`, to the standard output instead of the
    /// table.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Also tells the resident memory after so many Sms at 60 % of the rate at which they are delivered.
    #[arg(long, value_name = "FLOWS", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    steady: Option<u32>,
    /// Records the server with perf, and writes the shares of threads and functions into this folder, those
    /// of the last run.
    #[arg(long, value_name = "FOLDER")]
    profile: Option<PathBuf>,
}

impl Lifecycle {
    pub fn run(self) -> anyhow::Result<()> {
        let stand = Stand::build(&self.load, self.profile.as_deref())?;
        let mut figures = Figures::default();
        for number in 1..=self.runs {
            eprintln!("run {number} of {}", self.runs);
            self.once(&stand, &mut figures)?;
        }
        let Load { connections, flows, .. } = self.load;
        let cores = std::thread::available_parallelism()?;
        let head = [("cores", json!(cores)), ("connections", json!(connections)), ("flows", json!(flows))];
        match &self.json {
            Some(file) if file.as_os_str() == "-" => {
                print!("{}", figures.json(&head));
                return Ok(());
            }
            Some(file) => std::fs::write(file, figures.json(&head))?,
            None => {}
        }
        let runs = self.runs;
        println!(
            "{runs} runs of {flows} flows over {connections} connections, {cores} cores; median (least to most)\n"
        );
        print!("{}", figures.table());
        Ok(())
    }

    /// Measures everything once.
    fn once(&self, stand: &Stand, figures: &mut Figures) -> anyhow::Result<()> {
        let bare = stand.bare()?;
        let accepted = stand.accept()?;
        let sqlite = stand.sqlite_alone(&accepted)?;
        let highest = accepted.run.per_second;
        let accept_at = |share| Ok((share, stand.accept_at(highest * f64::from(share) / 100.0)?));
        let paced = SHARES.into_iter().map(accept_at).collect::<anyhow::Result<Vec<_>>>()?;
        let single = stand.lifecycles("delivered", sms_body)?;
        let failover = stand.lifecycles("failed-over", failover_body)?;
        let steady =
            self.steady.map(|flows| stand.steady_mib(STEADY * single.per_second, flows)).transpose()?;

        tell_accepted(figures, &bare, &sqlite, &accepted);
        for (share, latencies) in paced {
            tell_latency(figures, &format!("  accept latency at {share} % of that rate,"), &latencies);
        }
        figures.tell("lifecycles, Sms delivered", single.per_second, "flows/s", 0);
        figures.tell("lifecycles, Viber fails over to Sms", failover.per_second, "flows/s", 0);
        figures.tell("core time of SQLite alone for a flow", sqlite.core_us, "µs", 1);
        tell_costs(figures, &bare, [&accepted.core_us, &single.core_us, &failover.core_us]);
        tell_room(figures, &single, &failover);
        if let (Some(mib), Some(flows)) = (steady, self.steady) {
            figures.tell(&format!("resident memory after a steady load of {flows} Sms"), mib, "MiB", 1);
        }
        Ok(())
    }
}

fn tell_accepted(figures: &mut Figures, bare: &Reference, sqlite: &Reference, accepted: &Accepted) {
    figures.tell("bare endpoint, parse and echo", bare.per_second, "requests/s", 0);
    figures.tell("SQLite alone, the same documents inserted", sqlite.per_second, "flows/s", 0);
    let run = &accepted.run;
    figures.tell("accepted, durable, carrier at 500/s", run.per_second, "flows/s", 0);
    figures.tell("  ratio to bare", run.per_second / bare.per_second, "", 2);
    figures.tell("  ratio to SQLite alone", run.per_second / sqlite.per_second, "", 2);
    tell_latency(figures, "  accept latency", &run.latencies_us);
}

fn tell_latency(figures: &mut Figures, name: &str, sorted_us: &[u64]) {
    for percent in [50.0, 99.0, 99.9] {
        figures.tell(&format!("{name} p{percent}"), percentile(sorted_us, percent), "ms", 2);
    }
}

/// What a flow's core time is told of, in the order of [`tell_costs`].
pub const COSTS: [&str; 3] = ["an accepted flow", "an Sms delivered", "a failover"];

/// The figure of such a cost that another machine can be compared by.
pub fn ratio_to_bare(cost: &str) -> String {
    format!("  {cost}, ratio to bare")
}

/// Tells the bare endpoint's core time by request, and the server's by flow, of [`COSTS`].
pub fn tell_costs(figures: &mut Figures, bare: &Reference, costs: [&CoreTime; 3]) {
    figures.tell("core time of the bare endpoint for a request", bare.core_us, "µs", 1);
    for (name, core_us) in COSTS.into_iter().zip(costs) {
        figures.tell(&format!("core time of the server for {name}"), core_us.all, "µs", 0);
        figures.tell(&ratio_to_bare(name), core_us.all / bare.core_us, "", 2);
        for thread in THREADS {
            let us = core_us.threads.get(thread).copied().unwrap_or_default();
            figures.tell(&format!("  {name}, in threads {thread}"), us, "µs", 0);
        }
    }
}

fn tell_room(figures: &mut Figures, single: &Whole, failover: &Whole) {
    figures.tell("disk a finished flow, Sms delivered", single.disk_bytes, "bytes", 0);
    figures.tell("disk a finished flow, failed over", failover.disk_bytes, "bytes", 0);
    figures.tell("resident memory of a fresh, idle server", single.idle_mib, "MiB", 1);
    figures.tell("resident memory after the Sms were delivered", single.ended_mib, "MiB", 1);
    figures.tell("resident memory after the failovers", failover.ended_mib, "MiB", 1);
}

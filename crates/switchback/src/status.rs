//! `switchback status`.

use crate::client::Server;
use crate::output::say;
use crate::table::{Table, table};
use wire::health::StatusReport;

/// Show how a running server is: its carriers, and what waits and why.
#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    server: Server,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub async fn run(self) -> anyhow::Result<()> {
        let answer = self.server.ask("/health/status").await?;
        if self.json {
            say!("{}", answer.json()?);
            return Ok(());
        }
        let report: StatusReport = answer.read("the status of a server")?;
        say!("status: {}", report.status);
        say!("{}", carriers(&report));
        if report.waiting.is_empty() {
            say!("nothing waits");
        } else {
            say!("{}", waiting(&report));
        }
        Ok(())
    }
}

fn carriers(report: &StatusReport) -> Table {
    let mut table = table(["carrier", "kind", "is", "since", "state", "success", "under way", "waiting"]);
    for carrier in &report.carriers {
        let success = carrier.success.map(|share| format!("{:.1} %", share * 100.0));
        table.add_row([
            carrier.name.clone(),
            carrier.kind.clone().into_owned(),
            if carrier.up { "up" } else { "down" }.to_owned(),
            carrier.since.clone(),
            carrier.state.clone().into_owned(),
            success.unwrap_or_default(),
            format!("{} of {}", carrier.under_way, carrier.window),
            carrier.waiting.to_string(),
        ]);
    }
    table
}

fn waiting(report: &StatusReport) -> Table {
    let mut table = table(["lane", "carrier", "because", "waiting", "oldest"]);
    for waiting in &report.waiting {
        table.add_row([
            waiting.lane.clone().into_owned(),
            waiting.carrier.clone().unwrap_or_default(),
            waiting.because.clone().into_owned(),
            waiting.count.to_string(),
            waiting.oldest.clone(),
        ]);
    }
    table
}

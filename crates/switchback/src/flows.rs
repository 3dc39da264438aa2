//! `switchback flows`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use anyhow::bail;
use store::Admin;
use uuid::Uuid;
use wire::time::iso;

/// Most flows listed.
const LISTED_MAX: usize = 1000;

#[derive(clap::Subcommand)]
pub enum Flows {
    /// List the flows that were set aside, the 1000 oldest: they can't be read, changed or stored, and
    /// nothing is done for them any more.
    Quarantined {
        /// Let this one be tried again, from the server's next start on.
        #[arg(long, value_name = "TRACKING_ID")]
        release: Option<Uuid>,
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Flows {
    pub async fn run(self) -> anyhow::Result<()> {
        let Flows::Quarantined { release, place, json } = self;
        let admin = place.open()?;
        if let Some(id) = release {
            if !admin.release(id).await? {
                bail!("{id} is not set aside");
            }
            say!("{id} is tried again from the server's next start on");
            return Ok(());
        }
        let quarantined = admin.quarantined(LISTED_MAX).await?;
        if json {
            say!("{}", output::json(&quarantined)?);
            return Ok(());
        }
        let mut table = table(["flow", "since", "octets", "why"]);
        for flow in quarantined {
            let octets = flow.octets.map(|octets| octets.to_string()).unwrap_or_default();
            table.add_row([flow.tracking_id.to_string(), iso(flow.since_ms), octets, flow.reason]);
        }
        say!("{table}");
        Ok(())
    }
}

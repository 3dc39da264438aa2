//! `switchback receipts`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use server::clock::now_ms;
use store::{Admin, UnmatchedReceipt};
use wire::time::iso;

#[derive(clap::Subcommand)]
pub enum Receipts {
    /// List receipts that reached no message, newest first: those that a carrier could not make sense of, and
    /// those whose id no message had for a minute (no-message).
    Unmatched {
        /// Most that are listed.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Receipts {
    pub async fn run(self) -> anyhow::Result<()> {
        let Receipts::Unmatched { limit, place, json } = self;
        let receipts = place.open_with_keys()?.unmatched_receipts(limit, now_ms()).await?;
        if json {
            say!("{}", output::json(&receipts)?);
            return Ok(());
        }
        let mut table = table(["received", "carrier", "why", "id", "status", "error", "to", "text"]);
        for receipt in receipts {
            let UnmatchedReceipt { received_ms, carrier, reason, reference, word, error, recipient, text } =
                receipt;
            let [reference, word, error, recipient] =
                [reference, word, error, recipient].map(Option::unwrap_or_default);
            table.add_row([iso(received_ms), carrier, reason, reference, word, error, recipient, text]);
        }
        say!("{table}");
        Ok(())
    }
}

//! `switchback callbacks`.

use crate::app::{open, open_with};
use crate::output::{self, say};
use crate::serve::keys;
use crate::table::table;
use anyhow::bail;
use std::path::PathBuf;
use uuid::Uuid;

/// Most flows listed.
const LISTED_MAX: usize = 1000;

#[derive(clap::Subcommand)]
pub enum Callbacks {
    /// List callbacks that were given up, of the 1000 oldest flows that have some.
    List {
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
        /// Configuration file, where it has an encryption key.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make callbacks that were given up again: a running server takes them up within a second, else the next one.
    Replay {
        /// Of this flow only.
        #[arg(required_unless_present = "all")]
        tracking_id: Option<Uuid>,
        /// Of every flow.
        #[arg(long, conflicts_with = "tracking_id")]
        all: bool,
        /// Data directory.
        #[arg(long, value_name = "DIR", default_value = "switchback-data")]
        data: PathBuf,
    },
}

impl Callbacks {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Callbacks::List { data, config, json } => {
                let dead = open_with(&data, &keys(config.as_deref())?)?.dead_callbacks(LISTED_MAX)?;
                if json {
                    say!("{}", output::json(&dead)?);
                    return Ok(());
                }
                let mut table = table(["flow", "application", "url", "attempts", "last error"]);
                for d in dead {
                    table.add_row([
                        d.tracking_id.to_string(),
                        d.application_id,
                        d.url,
                        d.attempts.to_string(),
                        d.error,
                    ]);
                }
                say!("{table}");
            }
            Callbacks::Replay { tracking_id, data, .. } => {
                let flows = open(&data)?.request_replay(tracking_id)?;
                if flows == 0 {
                    bail!("there is nothing to replay");
                }
                say!("the callbacks of {flows} flows will be made again");
            }
        }
        Ok(())
    }
}

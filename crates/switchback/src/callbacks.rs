//! `switchback callbacks`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use server::administration::replay;
use store::Admin;
use uuid::Uuid;

/// Most flows listed.
const LISTED_MAX: usize = 1000;

#[derive(clap::Subcommand)]
pub enum Callbacks {
    /// List callbacks that were given up, of the 1000 oldest flows that have some.
    List {
        /// Of this application only.
        #[arg(long, value_name = "ID")]
        application: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make callbacks that were given up again: a running server takes them up within a second, else the next
    /// one.
    Replay {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose callbacks.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Of {
    /// Of this flow only.
    tracking_id: Option<Uuid>,
    /// Of every flow.
    #[arg(long)]
    all: bool,
}

impl Callbacks {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Callbacks::List { application, place, json } => {
                let admin = place.open_with_keys()?;
                if let Some(id) = &application
                    && admin.application(id).await?.is_none()
                {
                    anyhow::bail!("there is no application {id}");
                }
                let of = application.map(|id| [id]);
                let dead = admin.dead_callbacks(of.as_ref().map(<[_; 1]>::as_slice), LISTED_MAX).await?;
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
            Callbacks::Replay { of: Of { tracking_id, .. }, place } => {
                let flows = replay(&place.open()?, tracking_id).await?;
                say!("the callbacks of {flows} flows will be made again");
            }
        }
        Ok(())
    }
}

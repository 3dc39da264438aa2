//! `switchback carrier`.

use crate::output::{self, say};
use crate::place::Place;
use crate::table::table;
use anyhow::Context;
use server::administration::{CarrierError, Carriers, Which};
use server::clock::now_ms;
use store::{Halt, HaltedCarrier, SqliteAdmin};
use wire::time::iso;

#[derive(clap::Subcommand)]
pub enum Carrier {
    /// Hand nothing new to a carrier until it is resumed.
    ///
    /// What is under way is finished, receipts still come in, and the connection stays. Its messages go to
    /// the other carriers of their routes, or wait as long as they live. A running server follows within a
    /// second or two, and it holds over restarts.
    Pause(Of),
    /// Hand new messages to a carrier again that was paused or drained.
    Resume(Of),
    /// Hand nothing new to a carrier that is to be taken out of the configuration.
    ///
    /// It is drained when nothing is under way any more: when `switchback_carrier_under_way` of /metrics is
    /// 0. Its receipts may come for days: they are lost once the configuration has it no more.
    Drain {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// List carriers, and what was asked of them: those of the configuration if --config has one, and those
    /// that are paused or drained.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which carriers.
#[derive(clap::Args)]
pub struct Of {
    #[command(flatten)]
    which: WhichCarriers,
    #[command(flatten)]
    place: Place,
}

/// One, or all.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct WhichCarriers {
    /// Its name.
    name: Option<String>,
    /// Every carrier; to pause them, --config has to say which there are.
    #[arg(long)]
    all: bool,
}

impl Of {
    fn which(&self) -> Which {
        self.which.name.clone().map_or(Which::All, Which::Named)
    }
}

/// A carrier as `list --json` shows it.
#[derive(serde::Serialize)]
struct Shown {
    carrier: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl Carrier {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Carrier::Pause(of) => halt(&of.place, of.which(), Halt::Paused).await,
            Carrier::Drain { name, place } => halt(&place, Which::Named(name), Halt::Draining).await,
            Carrier::Resume(of) => {
                let admin = of.place.open()?;
                let resumed = carriers(&of.place, &admin)?.resume(of.which()).await?;
                say!("{resumed} carriers are resumed");
                Ok(())
            }
            Carrier::List { place, json } => list(&place, json).await,
        }
    }
}

/// The carriers of the installation. Without `--config`, nobody here knows which there are.
fn carriers<'a>(place: &Place, admin: &'a SqliteAdmin) -> anyhow::Result<Carriers<'a>> {
    let names = place.carriers()?;
    Ok(Carriers::new(admin, names))
}

async fn halt(place: &Place, which: Which, halt: Halt) -> anyhow::Result<()> {
    let admin = place.open()?;
    let halted = carriers(place, &admin)?.halt(which, halt, &who(), now_ms()).await;
    let names = match halted {
        Err(error @ CarrierError::NoConfiguration) => {
            return Err(error).context("--all needs --config FILE, the server's");
        }
        halted => halted?,
    };
    say!("{}: {}; a running server follows within seconds", halt.name(), names.join(", "));
    Ok(())
}

async fn list(place: &Place, json: bool) -> anyhow::Result<()> {
    let admin = place.open()?;
    let shown = |(carrier, halted): (String, Option<HaltedCarrier>)| {
        let (since, by) = halted.as_ref().map(|halted| (iso(halted.since_ms), halted.by.clone())).unzip();
        Shown { carrier, state: halted.map_or("running", |halted| halted.halt.name()), since, by }
    };
    let all: Vec<Shown> = carriers(place, &admin)?.list().await?.into_iter().map(shown).collect();
    if json {
        say!("{}", output::json(&all)?);
        return Ok(());
    }
    let mut table = table(["carrier", "state", "since", "by"]);
    for Shown { carrier, state, since, by } in all {
        table.add_row([carrier, state.to_owned(), since.unwrap_or_default(), by.unwrap_or_default()]);
    }
    say!("{table}");
    Ok(())
}

/// Who asks: the user that the system names, if it does.
fn who() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    user.map_or_else(|_| "command line".to_owned(), |user| format!("{user} (command line)"))
}

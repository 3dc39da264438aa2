//! `switchback suppress`.

use crate::app::open;
use crate::output::say;
use crate::table::table;
use anyhow::{Context, bail};
use flow::{Channel, is_e164};
use server::clock::{iso, now_ms};
use std::io::BufRead;
use std::path::PathBuf;
use store::{Admin, Suppression};

/// Rows that are read at once.
const PAGE: usize = 1000;
/// Recipients that are stored at once.
const BATCH: usize = 10_000;

#[derive(clap::Subcommand)]
pub enum Suppress {
    /// Send a recipient nothing any more.
    Add {
        #[command(flatten)]
        of: Of,
        /// Who, E.164.
        recipient: String,
        /// Why.
        #[arg(long, default_value = "by the command line")]
        reason: String,
    },
    /// Send a recipient messages again.
    Remove {
        #[command(flatten)]
        of: Of,
        /// Who, E.164.
        recipient: String,
    },
    /// List the recipients, by number.
    List {
        #[command(flatten)]
        of: Of,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// Add the recipients of a file: one a line, E.164, whatever follows a comma is the reason; - for standard input.
    Import {
        #[command(flatten)]
        of: Of,
        /// The file.
        file: PathBuf,
    },
}

/// Whose list.
#[derive(clap::Args)]
pub struct Of {
    /// The application's id.
    #[arg(long)]
    application: String,
    /// Sms, Viber or Voice.
    #[arg(long)]
    channel: String,
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "switchback-data")]
    data: PathBuf,
}

impl Of {
    fn open(&self) -> anyhow::Result<(Admin, Channel)> {
        let channel =
            Channel::ALL.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(&self.channel));
        let channel = channel.context("--channel must be Sms, Viber or Voice")?;
        let admin = open(&self.data)?;
        if !admin.applications()?.iter().any(|application| application.id == self.application) {
            bail!("there is no application {}", self.application);
        }
        Ok((admin, channel))
    }

    fn suppression(&self, channel: Channel, recipient: &str, reason: &str) -> anyhow::Result<Suppression> {
        if !is_e164(recipient) {
            bail!("\"{recipient}\" is not a phone number in E.164 form, such as +306900000001");
        }
        Ok(Suppression {
            application: self.application.clone(),
            channel,
            recipient: recipient.to_owned(),
            reason: reason.to_owned(),
            since_ms: now_ms(),
        })
    }
}

impl Suppress {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Suppress::Add { of, recipient, reason } => {
                let (mut admin, channel) = of.open()?;
                admin.suppress(&[of.suppression(channel, &recipient, &reason)?])?;
                say!(
                    "{recipient} is sent nothing over {channel} any more; a running server knows in a second"
                );
            }
            Suppress::Remove { of, recipient } => {
                let (admin, channel) = of.open()?;
                if !admin.unsuppress(&of.application, channel, &recipient)? {
                    bail!("{recipient} is not on the list");
                }
                say!("{recipient} is sent messages over {channel} again");
            }
            Suppress::List { of, csv } => list(&of, csv)?,
            Suppress::Import { of, file } => import(&of, &file)?,
        }
        Ok(())
    }
}

fn list(of: &Of, csv: bool) -> anyhow::Result<()> {
    let (admin, channel) = of.open()?;
    let mut table = table(["recipient", "since", "reason"]);
    let mut after = String::new();
    loop {
        let page = admin.suppressions(&of.application, channel, &after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.recipient.clone();
        for Suppression { recipient, reason, since_ms, .. } in page {
            if csv {
                say!("{recipient},\"{}\"", reason.replace('"', "\"\""));
            } else {
                table.add_row([recipient, iso(since_ms), reason]);
            }
        }
    }
    if !csv {
        say!("{table}");
    }
    Ok(())
}

fn import(of: &Of, file: &PathBuf) -> anyhow::Result<()> {
    let (mut admin, channel) = of.open()?;
    let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
        Box::new(std::io::BufReader::new(opened))
    };
    let mut all = Vec::new();
    for (i, line) in input.lines().enumerate() {
        let line = line?;
        let (recipient, reason) = line.split_once(',').unwrap_or((&line, "imported"));
        if recipient.trim().is_empty() {
            continue;
        }
        let reason = reason.trim().trim_matches('"').replace("\"\"", "\"");
        let read = of.suppression(channel, recipient.trim(), &reason);
        all.push(read.with_context(|| format!("{}: line {}", file.display(), i + 1))?);
    }
    all.chunks(BATCH).try_for_each(|batch| admin.suppress(batch))?;
    say!("{} recipients are sent nothing over {channel} any more", all.len());
    Ok(())
}

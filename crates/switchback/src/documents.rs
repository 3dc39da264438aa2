//! `switchback store`.

use crate::output::say;
use crate::place::Place;
use std::time::Instant;
use store::{Admin, Compacted};

/// Flows of one transaction: a server that runs waits for it.
const BATCH: usize = 200;

#[derive(clap::Subcommand)]
pub enum Store {
    /// Write what older versions stored as it is stored now: smaller, and encrypted with the first key. It
    /// works while a server runs, for half of the time, and can be stopped and begun again.
    ///
    /// Never needed: flows are read in every form, and written anew when they change. The database file does
    /// not shrink; new flows use what becomes free.
    Compact(Place),
}

impl Store {
    pub async fn run(self) -> anyhow::Result<()> {
        let Store::Compact(place) = self;
        let admin = place.open_with_keys()?;
        let (mut total, mut after) = (Compacted::default(), None);
        loop {
            let started = Instant::now();
            let done = admin.compact(after, BATCH).await?;
            total.add(&done);
            let Some(last) = done.last else { break };
            after = Some(last);
            if done.rewritten > 0 {
                // Whoever else needs the disk has it as long.
                tokio::time::sleep(started.elapsed()).await;
            }
        }
        let Compacted { flows, rewritten, unreadable, octets_before, octets_after, .. } = total;
        say!("{rewritten} of {flows} flows written anew: {octets_before} octets before, {octets_after} now");
        if unreadable > 0 {
            say!(
                "{unreadable} can't be read: they are damaged, or their key is missing; they stay as they are"
            );
        }
        Ok(())
    }
}

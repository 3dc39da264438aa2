//! `switchback index`.

use crate::output::{complain, say};
use crate::place::{Place, existing};
use anyhow::{Context, bail};
use clap::Subcommand;
use server::indexing::{Differences, identity, index_directory, known};
use server::{Data, Lock, lock};
use std::path::Path;
use std::time::Instant;
use store::Position;

#[derive(Subcommand)]
pub enum Index {
    /// Make the search index anew from the store; the server must not run.
    ///
    /// Never needed: a server makes it anew by itself where it is missing or damaged. This does it
    /// beforehand.
    Rebuild(Place),
    /// Hold the index on disk against the store, flow by flow; the server must not run. Fails where they
    /// differ.
    Verify(Place),
    /// Tell what the index on disk has, by application; works while a server runs.
    Stats(Place),
}

impl Index {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Index::Rebuild(of) => rebuild(&of).await,
            Index::Verify(of) => verify(&of).await,
            Index::Stats(of) => stats(&of.data()?),
        }
    }
}

/// A store that is this process's alone.
struct Opened {
    data: Data,
    _lock: Lock,
}

/// Opens the store for this process alone.
fn open(of: &Place) -> anyhow::Result<Opened> {
    let config = of.configured()?;
    let data = config.store.path.clone();
    existing(&data)?;
    let lock = lock(&data)?;
    let opened = Data::open(&data, Data::options(&config)?)?;
    Ok(Opened { data: opened, _lock: lock })
}

async fn rebuild(of: &Place) -> anyhow::Result<()> {
    let Opened { data, _lock } = open(of)?;
    let started = Instant::now();
    let (store, followed) = (&*data.store, &data.followed);
    let opened = followed.rebuild(store).await?;
    let written = followed.save(store, data.index_directory()).await?;
    say!(
        "{} flows in {} segments, {} bytes; {:.1} s",
        opened.flows,
        written.segments,
        written.bytes,
        started.elapsed().as_secs_f64()
    );
    store.close().await;
    Ok(())
}

async fn verify(of: &Place) -> anyhow::Result<()> {
    let Opened { data, _lock } = open(of)?;
    let (store, followed) = (&*data.store, &data.followed);
    let read = followed.index.read(data.index_directory(), &identity(store));
    let read = read.context("the server would make the index anew")?;
    let Some(position) = known(store, &read.position).await? else {
        bail!("the index is of another database than this: the server would make it anew");
    };
    followed.catch_up(store, &position).await?;
    let Differences { flows, differing } = followed.differences(store).await?;
    for (application, id) in differing.iter().take(10) {
        complain!("{id} of application {application} is not as in the store");
    }
    store.close().await;
    let indexed = followed.index.len();
    if !differing.is_empty() || indexed != flows {
        bail!(
            "{} of {flows} flows differ, and the index knows {indexed}: run `switchback index rebuild`, and \
             report it: this must not happen",
            differing.len()
        );
    }
    let (_, change) = position.single().unwrap_or_default();
    say!("{flows} flows, every one as in the store; the files are complete up to change {change}");
    Ok(())
}

fn stats(data: &Path) -> anyhow::Result<()> {
    let directory = index_directory(data);
    let stats = index::stats(&directory).with_context(|| directory.display().to_string())?;
    let mut table =
        crate::table::table(["application", "flows", "segments", "recipients", "bytes", "bytes a flow"]);
    for application in &stats.applications {
        table.add_row([
            application.id.clone(),
            application.flows.to_string(),
            application.segments.to_string(),
            application.recipients.to_string(),
            application.bytes.to_string(),
            format!("{:.1}", application.bytes as f64 / application.flows.max(1) as f64),
        ]);
    }
    say!("{table}");
    if let Some((_, change)) = Position::from_octets(&stats.position).and_then(|position| position.single()) {
        say!("complete up to change {change} of the store");
    }
    Ok(())
}

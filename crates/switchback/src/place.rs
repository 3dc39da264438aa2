//! Where a command finds the data: by the same configuration and environment as the server.

use crate::serve::load_with_warnings;
use anyhow::{Context, bail};
use server::config::Config;
use std::path::{Path, PathBuf};
use store::{Keyring, SqliteAdmin};

/// Where the data are; of every command that reads or writes them beside a server.
#[derive(clap::Args)]
pub struct Place {
    /// Data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file, the server's.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration with its data directory, or the one that `--data` says.
    pub fn configured(&self) -> anyhow::Result<Config> {
        let mut config = load_with_warnings(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.store.path.clone_from(data);
        }
        Ok(config)
    }

    /// The data directory.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        Ok(self.configured()?.store.path)
    }

    /// The names of the carriers, if a configuration file says which there are.
    pub fn carriers(&self) -> anyhow::Result<Option<Vec<String>>> {
        if self.config.is_none() {
            return Ok(None);
        }
        let carriers = self.configured()?.carriers;
        Ok(Some(carriers.into_iter().map(|carrier| carrier.common.name).collect()))
    }

    /// Opens a database that is there; nothing is made.
    pub fn open(&self) -> anyhow::Result<SqliteAdmin> {
        open(&self.data()?, &Keyring::default())
    }

    /// Opens it with the keys that flows are encrypted with.
    pub fn open_with_keys(&self) -> anyhow::Result<SqliteAdmin> {
        let store = self.configured()?.store;
        open(&store.path, &store.keys()?)
    }
}

/// The database of a data directory, where there is one.
pub fn existing(data: &Path) -> anyhow::Result<PathBuf> {
    let path = server::database(data);
    if !path.exists() {
        bail!(
            "there is no database at {}: --data says in which directory it is, or --config what the server is told",
            path.display()
        );
    }
    Ok(path)
}

fn open(data: &Path, keys: &Keyring) -> anyhow::Result<SqliteAdmin> {
    let path = existing(data)?;
    SqliteAdmin::open(&path, keys).with_context(|| format!("opening {}", path.display()))
}

/// Opens the database of a data directory, and creates it where there is none.
pub fn open_or_create(data: &Path) -> anyhow::Result<SqliteAdmin> {
    server::data::create_directory(data)
        .with_context(|| format!("making the data directory {}", data.display()))?;
    let path = server::database(data);
    SqliteAdmin::open(&path, &Keyring::default()).with_context(|| format!("opening {}", path.display()))
}

//! SQLite, in a new directory.

use crate::support::Backend;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use store::{Keyring, Observer, SqliteAdmin, SqliteOptions, SqliteStore};
use tempfile::TempDir;

pub struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    pub fn new() -> Sqlite {
        Sqlite { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("db")
    }
}

impl Backend for Sqlite {
    type Store = SqliteStore;
    type Admin = SqliteAdmin;

    async fn open(&self, keys: &Keyring, observer: Observer) -> (SqliteStore, usize) {
        let options = SqliteOptions {
            cached_flows_max: NonZeroUsize::new(2).unwrap(),
            keys: keys.clone(),
            observer,
            ..SqliteOptions::new(1000)
        };
        let (store, report) = SqliteStore::open(&self.path(), options).unwrap();
        (store, report.owing_flows)
    }

    async fn close(&self, store: &SqliteStore) {
        store.close().await;
    }

    fn admin(&self, keys: &Keyring) -> SqliteAdmin {
        SqliteAdmin::open(&self.path(), keys).unwrap()
    }
}

//! A new database for tests of administration.

use super::applications::{Name, create};
use super::desk::Desk;
use std::sync::Arc;
use store::{Admin, ApplicationSettings, Keyring, SqliteAdmin};
use tempfile::TempDir;

pub(super) struct TestPlace {
    pub admin: SqliteAdmin,
    /// Over another handle, as a server beside commands has it.
    pub desk: Desk,
    _directory: TempDir,
}

impl TestPlace {
    pub fn new() -> TestPlace {
        let directory = tempfile::tempdir().unwrap();
        let open = || SqliteAdmin::open(&directory.path().join("db"), &Keyring::default()).unwrap();
        TestPlace { admin: open(), desk: Desk::new(Arc::new(open())), _directory: directory }
    }
}

/// The id of a new application.
pub(super) async fn application(admin: &dyn Admin, name: &str) -> String {
    let name = Name::of(name.to_owned()).unwrap();
    create(admin, name, ApplicationSettings::default(), 1).await.unwrap().id
}

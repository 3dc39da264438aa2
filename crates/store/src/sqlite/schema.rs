//! Opening the database and bringing it up to date.

use crate::document::PLAIN_MAX;
use crate::error::{Result, StoreError};
use crate::sealing::{Keyring, attach_blind};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Every migration, in order; the database's `user_version` counts those it has.
const MIGRATIONS: [&str; 13] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
    include_str!("migrations/12.sql"),
    include_str!("migrations/13.sql"),
];

/// How long a writer waits for another process's transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A start looks through databases of at most so many octets: half a second.
const CHECKED_MAX: u64 = 256 << 20;

/// Octets of a stored document that is read at all: none is larger than it was before it was compressed.
pub(super) const DOCUMENT_MAX: i64 = PLAIN_MAX as i64;

pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(&error.to_string()),
        _ => StoreError::unavailable(error),
    }
}

fn damaged(why: &str) -> StoreError {
    StoreError::unavailable(format!(
        "the database is damaged ({why}): bring back a backup (docs/operating.md)"
    ))
}

/// Looks through a database that is not large for damage. Nothing is written.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_MAX) {
        return Ok(());
    }
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found == "ok" { Ok(()) } else { Err(damaged(found.lines().last().unwrap_or_default())) }
}

/// Opens for writing, creates what is missing and migrates what is old.
pub(super) fn open_writer(path: &Path, keys: &Keyring) -> Result<Connection> {
    create_file(path);
    let mut connection = Connection::open(path).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    keys.attach(&connection).map_err(failed)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Creates the file where there is none, for its owner alone. SQLite gives the files beside it (`-wal`,
/// `-shm`) the same permissions. Where it can't be created, SQLite says why when it opens it.
fn create_file(path: &Path) {
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Opens for reading.
pub(super) fn open_reader(path: &Path, keys: &Keyring) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    keys.attach(&connection).map_err(failed)?;
    attach_blind(&connection, secret_key(&connection).map_err(failed)?).map_err(failed)?;
    Ok(connection)
}

/// What belongs to this installation alone.
pub(super) fn secret_key(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    connection.query_row("SELECT secret_key FROM installation", [], |row| row.get(0))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on disk before it is answered.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    // What is deleted is overwritten, so that nothing of an erased message is left.
    connection.pragma_update(None, "secure_delete", "ON")?;
    // KiB, negative as SQLite wants it.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version: u32 =
        transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let version = version as usize;
    if version > MIGRATIONS.len() {
        return Err(StoreError::unavailable(format!(
            "the database has version {version}, and this program knows versions up to {}: use a newer \
             program",
            MIGRATIONS.len()
        )));
    }
    let (first, later) = MIGRATIONS.split_at(1);
    if version == 0 {
        first.iter().try_for_each(|migration| transaction.execute_batch(migration)).map_err(failed)?;
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(|error| StoreError::unavailable(error.to_string()))?;
        transaction.execute("INSERT INTO installation (secret_key) VALUES (?1)", [key]).map_err(failed)?;
    }
    // Later ones hash with it.
    attach_blind(&transaction, secret_key(&transaction).map_err(failed)?).map_err(failed)?;
    for migration in later.iter().skip(version.saturating_sub(1)) {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    // A database that has them all is not written to.
    if version < MIGRATIONS.len() {
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_and_the_files_beside_it_are_their_owners() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let _connection = open_writer(&path, &Keyring::default()).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect();
        names.sort();
        let owners = |name: &str| (name.to_owned(), 0o600);
        assert_eq!(names, [owners("db"), owners("db-shm"), owners("db-wal")]);
    }

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = open_writer(&path, &Keyring::default()).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = open_writer(&path, &Keyring::default()).unwrap_err();
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}

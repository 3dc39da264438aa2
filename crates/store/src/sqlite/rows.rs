//! Rows as values: JSON, amounts, flows and applications.

use crate::application::Application;
use crate::document;
use flow::{Flow, Price};
use rusqlite::{Connection, OptionalExtension, Row};

/// What [`application_of_row`] reads, of a table called `a`.
pub(super) const APPLICATION_COLUMNS: &str =
    "a.id, a.name, a.secret_hash, a.created_ms, a.revoked_ms, a.settings";

pub(super) fn application_of_row(row: &Row<'_>) -> rusqlite::Result<Application> {
    Ok(Application {
        id: row.get(0)?,
        name: row.get(1)?,
        secret_hash: row.get(2)?,
        created_ms: row.get(3)?,
        revoked_ms: row.get(4)?,
        settings: json(5, row.get_ref(5)?.as_str()?.as_bytes())?,
    })
}

pub(super) fn applications(connection: &Connection) -> rusqlite::Result<Vec<Application>> {
    let sql = format!("SELECT {APPLICATION_COLUMNS} FROM applications a ORDER BY a.created_ms, a.id");
    connection.prepare(&sql)?.query_map([], application_of_row)?.collect()
}

pub(super) fn application(connection: &Connection, id: &str) -> rusqlite::Result<Option<Application>> {
    let sql = format!("SELECT {APPLICATION_COLUMNS} FROM applications a WHERE a.id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], application_of_row).optional()
}

/// Reads a flow from the first column of a row.
pub(super) fn flow_of_row(row: &Row<'_>) -> rusqlite::Result<Flow> {
    document::decode(row.get_ref(0)?.as_blob()?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
    })
}

/// Reads JSON from a column.
pub(super) fn json<T: serde::de::DeserializeOwned>(column: usize, text: &[u8]) -> rusqlite::Result<T> {
    serde_json::from_slice(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
    })
}

/// Reads a word of ours from a column.
pub(super) fn word<T>(column: usize, word: &str, of: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    of(word).ok_or_else(|| {
        let unknown = format!("the word {word:?} is of a newer version").into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, unknown)
    })
}

/// Reads an amount.
pub(super) fn decimal(text: &str) -> rusqlite::Result<Price> {
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A value as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

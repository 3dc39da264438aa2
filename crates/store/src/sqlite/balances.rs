//! What applications may still spend.

use super::rows::decimal;
use flow::Price;
use rusqlite::{Connection, OptionalExtension, params};

/// An application's balance; none where nobody counts.
pub(super) fn get(connection: &Connection, application: &str) -> rusqlite::Result<Option<Price>> {
    let sql = "SELECT balance FROM applications WHERE id = ?1";
    let text: Option<Option<String>> =
        connection.prepare_cached(sql)?.query_row([application], |row| row.get(0)).optional()?;
    text.flatten().map(|text| decimal(&text)).transpose()
}

pub(super) fn set(
    connection: &Connection,
    application: &str,
    balance: Option<Price>,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE applications SET balance = ?2 WHERE id = ?1";
    let balance = balance.map(|balance| balance.to_string());
    Ok(connection.prepare_cached(sql)?.execute(params![application, balance])? > 0)
}

/// Adds to a balance where somebody counts.
pub(super) fn add(
    connection: &Connection,
    application: &str,
    amount: Price,
) -> rusqlite::Result<Option<Price>> {
    let Some(balance) = get(connection, application)? else { return Ok(None) };
    let balance = balance + amount;
    set(connection, application, Some(balance))?;
    Ok(Some(balance))
}

//! Whose changes a database has: each life of a process that wrote to it is a random number, and where in the
//! change feed it began. A database that came back from a backup, or went on elsewhere, has other lives than
//! the one that somebody followed.

use super::counters::last_change;
use rusqlite::{Connection, OptionalExtension, params};

/// Lives that are remembered; who followed an older one begins again.
const REMEMBERED_MAX: i64 = 1000;

/// Begins a life: its number.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<i64> {
    let mut random = [0; 8];
    let failed = |error: getrandom::Error| rusqlite::Error::ToSqlConversionFailure(error.to_string().into());
    getrandom::fill(&mut random).map_err(failed)?;
    // A positive one, as people read it.
    let writer = i64::from_le_bytes(random) & i64::MAX;
    let began = last_change(connection)?;
    connection.execute("INSERT INTO writers (writer, began) VALUES (?1, ?2)", params![writer, began])?;
    let sql = "DELETE FROM writers WHERE life <= (SELECT max(life) FROM writers) - ?1";
    connection.execute(sql, [REMEMBERED_MAX])?;
    Ok(writer)
}

/// Whether everything up to `position` that the life `writer` wrote or found is in this database.
pub(super) fn has(connection: &Connection, writer: i64, position: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT (SELECT later.began FROM writers later WHERE later.life > one.life
                       ORDER BY later.life LIMIT 1)
               FROM writers one WHERE one.writer = ?1";
    let next: Option<Option<i64>> =
        connection.prepare_cached(sql)?.query_row([writer], |row| row.get(0)).optional()?;
    let last = last_change(connection)?;
    Ok(next.is_some_and(|next| position <= next.unwrap_or(last).min(last)))
}

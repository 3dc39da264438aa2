//! Flows that are set aside: they can't be read, changed or stored, and nothing is done for them any more, so
//! that they hold up nobody.

use crate::admin::Quarantined;
use rusqlite::{Connection, params};
use std::collections::HashSet;
use uuid::Uuid;

/// Longest reason, characters.
const REASON_MAX: usize = 200;

/// Sets a flow aside.
pub(super) fn add(connection: &Connection, flow: Uuid, now_ms: i64, reason: &str) -> rusqlite::Result<()> {
    let reason: String = reason.chars().take(REASON_MAX).collect();
    let sql = "INSERT OR IGNORE INTO quarantine (flow, since_ms, reason) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![flow.as_bytes(), now_ms, reason])?;
    Ok(())
}

/// Those that are set aside.
pub(super) fn ids(connection: &Connection) -> rusqlite::Result<HashSet<Uuid>> {
    let mut statement = connection.prepare("SELECT flow FROM quarantine")?;
    statement.query_map([], |row| Ok(Uuid::from_bytes(row.get(0)?)))?.collect()
}

/// At most `limit` of them, the oldest first.
pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Quarantined>> {
    let sql = "SELECT flow, since_ms, reason, (SELECT length(doc) FROM flows WHERE id = flow) FROM quarantine
               ORDER BY since_ms, flow LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([limit as i64], |row| {
        Ok(Quarantined {
            tracking_id: Uuid::from_bytes(row.get(0)?),
            since_ms: row.get(1)?,
            reason: row.get(2)?,
            octets: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        })
    })?;
    rows.collect()
}

/// Lets a flow be tried again from the next start on; returns whether it was set aside.
pub(super) fn release(connection: &Connection, flow: Uuid) -> rusqlite::Result<bool> {
    Ok(connection.execute("DELETE FROM quarantine WHERE flow = ?1", [flow.as_bytes()])? > 0)
}

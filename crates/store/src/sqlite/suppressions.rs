//! The table of suppressions.

use super::rows::json;
use crate::accounts::SubmitChecks;
use crate::application::{ApplicationSettings, CallbackKey};
use crate::suppression::Suppression;
use crate::wanted::SuppressionOf;
use flow::Channel;
use rusqlite::{Connection, params};

pub(super) fn add(connection: &Connection, suppression: &Suppression) -> rusqlite::Result<()> {
    let Suppression { application, channel, recipient, reason, since_ms } = suppression;
    let sql = "INSERT INTO suppressions (application, channel, recipient, reason, since_ms)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let values = params![application, channel.name(), recipient, reason, since_ms];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Whether there was one.
pub(super) fn remove(
    connection: &Connection,
    application: &str,
    channel: Channel,
    recipient: &str,
) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM suppressions WHERE application = ?1 AND channel = ?2 AND recipient = ?3";
    Ok(connection.prepare_cached(sql)?.execute([application, channel.name(), recipient])? > 0)
}

pub(super) fn has(
    connection: &Connection,
    (application, channel, recipient): &SuppressionOf,
) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM suppressions WHERE application = ?1 AND channel = ?2 AND recipient = ?3";
    connection.prepare_cached(sql)?.exists([application, channel.name(), recipient])
}

/// At most `limit` of an application's, by recipient, behind one.
pub(super) fn list(
    connection: &Connection,
    application: &str,
    channel: Channel,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Suppression>> {
    let sql = "SELECT recipient, reason, since_ms FROM suppressions
               WHERE application = ?1 AND channel = ?2 AND recipient > ?3 ORDER BY recipient LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![application, channel.name(), after, limit as i64], |row| {
        Ok(Suppression {
            application: application.to_owned(),
            channel,
            recipient: row.get(0)?,
            reason: row.get(1)?,
            since_ms: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// The applications whose messages need a check before they are submitted.
pub(super) fn submit_checks(connection: &Connection) -> rusqlite::Result<SubmitChecks> {
    let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    Ok(SubmitChecks {
        balances: names("SELECT id FROM applications WHERE balance IS NOT NULL")?,
        // One look into the index for each application, however many suppressions there are.
        suppressions: names(
            "SELECT id FROM applications WHERE EXISTS (SELECT 1 FROM suppressions WHERE application = id)",
        )?,
    })
}

/// The callback keys that were changed, by application.
pub(super) fn callback_keys(connection: &Connection) -> rusqlite::Result<Vec<(String, CallbackKey)>> {
    // Only those that were changed have the word.
    let sql = "SELECT id, settings FROM applications WHERE instr(settings, '\"callback_key\"') > 0";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let settings: ApplicationSettings = json(1, row.get_ref(1)?.as_str()?.as_bytes())?;
        Ok((row.get(0)?, settings.callback_key))
    })?;
    rows.collect()
}

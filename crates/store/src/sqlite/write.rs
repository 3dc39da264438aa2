//! Writing a batch, inside a transaction.

use super::counters::Counters;
use super::{balances, early, inbound, references, removing, suppressions, unanswered, unmatched};
use crate::application::Token;
use crate::batch::{Batch, NewKey, Put, SuppressionChange};
use crate::later::later_recipients;
use flow::{Flow, Shortened};
use rusqlite::{Connection, params};

/// Octets that a probe writes: as many as a large flow, so that it fails where such a flow would.
const PROBE_BYTES: i64 = 16 * 1024;

/// Writes all of a batch, and sets the rows of new flows.
pub(super) fn write(
    connection: &Connection,
    counters: &mut Counters,
    secret_key: &[u8; 32],
    batch: &mut Batch,
) -> rusqlite::Result<()> {
    batch.keys.iter().try_for_each(|key| add_key(connection, key))?;
    for (of, places) in &batch.references {
        places.iter().try_for_each(|place| references::add(connection, counters, of, *place))?;
    }
    batch.taken.iter().try_for_each(|of| early::forget(connection, counters, of))?;
    batch.early.iter().try_for_each(|early| early::keep(connection, counters, early))?;
    for (place, part) in &batch.unanswered {
        unanswered::set(connection, counters, *place, part.as_ref())?;
    }
    for (application, spent) in &batch.spent {
        balances::add(connection, application, -*spent)?;
    }
    for (carrier, received_ms, receipt) in &batch.unread {
        unmatched::keep(connection, counters, carrier, *received_ms, receipt)?;
    }
    inbound::write(connection, counters, batch)?;
    write_accounts(connection, batch)?;
    write_flows(connection, counters, secret_key, &mut batch.puts)?;
    for removal in &batch.removals {
        removing::remove(connection, counters, secret_key, removal)?;
    }
    for row in &batch.unreadable {
        connection.prepare_cached("DELETE FROM flows WHERE row = ?1")?.execute([row])?;
    }
    write_upkeep(connection, batch)
}

fn write_accounts(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    batch.tokens.iter().try_for_each(|(token, tokens_max)| add_token(connection, token, *tokens_max))?;
    for change in &batch.suppressions {
        match change {
            SuppressionChange::Add(suppression) => suppressions::add(connection, suppression)?,
            SuppressionChange::Remove((application, channel, recipient)) => {
                suppressions::remove(connection, application, *channel, recipient)?;
            }
        }
    }
    Ok(())
}

fn write_upkeep(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    for id in &batch.replayed {
        connection.prepare_cached("DELETE FROM replays WHERE flow = ?1")?.execute([id.as_bytes()])?;
    }
    if let Some(now_ms) = batch.time_ms {
        connection.prepare_cached("UPDATE installation SET seen_ms = ?1")?.execute([now_ms])?;
    }
    if let Some(until) = batch.removals_until {
        removing::forget_removals(connection, until)?;
    }
    if batch.probe {
        let sql = "INSERT OR REPLACE INTO probe (row, filler) VALUES (1, randomblob(?1))";
        connection.prepare_cached(sql)?.execute([PROBE_BYTES])?;
    }
    Ok(())
}

fn add_key(connection: &Connection, new: &NewKey) -> rusqlite::Result<()> {
    let NewKey { key, body, flow, used_ms, application } = new;
    let sql =
        "INSERT INTO keys (application, key, body_hash, flow, used_ms) VALUES (?1, hex(?2), ?3, ?4, ?5)";
    let values = params![application, key, body, flow.as_bytes(), used_ms];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn add_token(connection: &Connection, token: &Token, tokens_max: usize) -> rusqlite::Result<()> {
    let sql = "DELETE FROM tokens WHERE hash IN (
                   SELECT hash FROM tokens WHERE application = ?1 ORDER BY expires_ms DESC
                   LIMIT -1 OFFSET ?2)";
    let others = i64::try_from(tokens_max.saturating_sub(1)).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.execute(params![token.application, others])?;
    let sql = "INSERT INTO tokens (hash, application, expires_ms, scope) VALUES (?1, ?2, ?3, ?4)";
    let values = params![token.hash, token.application, token.expires_ms, token.scope];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Writes every flow that is new or changed.
fn write_flows(
    connection: &Connection,
    counters: &mut Counters,
    secret_key: &[u8; 32],
    puts: &mut [Put],
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO flows (row, id, created_ms, change, owes, dead, doc)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, seal(?2, ?7))";
    let update = "UPDATE flows SET change = ?2, owes = ?3, dead = ?4, doc = seal(id, ?5) WHERE row = ?1";
    let mut insert = connection.prepare_cached(insert)?;
    let mut update = connection.prepare_cached(update)?;
    for Put { stored, is_new, document } in puts {
        counters.change += 1;
        let (change, flow) = (counters.change, &stored.flow);
        let (owes, dead) = (!flow.tasks().is_empty(), flow.callbacks.dead().count() as i64);
        if *is_new {
            write_beside(connection, secret_key, flow)?;
            counters.row += 1;
            stored.handle = counters.row;
            let id = flow.id.as_bytes();
            let values = params![stored.handle, id, flow.created_ms, change, owes, dead, &*document.octets];
            insert.execute(values)?;
        } else {
            update.execute(params![stored.handle, change, owes, dead, &*document.octets])?;
        }
    }
    Ok(())
}

/// Writes what a new flow has in other tables: short links and the recipients of its later steps.
fn write_beside(connection: &Connection, secret_key: &[u8; 32], flow: &Flow) -> rusqlite::Result<()> {
    for Shortened { validity_s, links } in flow.shortened() {
        let expires_ms = flow.created_ms.saturating_add(i64::from(*validity_s) * 1000);
        for link in links {
            let sql = "INSERT INTO links (code, url, expires_ms)
                       VALUES (?1, seal(CAST(?1 AS BLOB), CAST(?2 AS BLOB)), ?3)";
            connection.prepare_cached(sql)?.execute(params![link.code, link.url, expires_ms])?;
        }
    }
    for recipient in later_recipients(secret_key, flow) {
        let sql = "INSERT OR IGNORE INTO later_recipients (recipient, flow) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute(params![recipient, flow.id.as_bytes()])?;
    }
    Ok(())
}

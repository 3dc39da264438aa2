//! Looking up what a transaction has to know.

use super::counters::Counters;
use super::rows::flow_of_row;
use super::schema::DOCUMENT_MAX;
use super::{balances, early, inbound, references, suppressions, unanswered};
use crate::cache::Stored;
use crate::document;
use crate::error::StoreError;
use crate::wanted::{Found, KeyOf, OldFlows, Recipient, UsedKey, Wanted};
use crate::work::TO_RECIPIENT_MAX;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use uuid::Uuid;

/// Everything that is wanted.
pub(super) fn look_up(
    connection: &Connection,
    counters: &Counters,
    wanted: &Wanted,
) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    for id in &wanted.flows {
        found.flows.insert(*id, flow(connection, *id)?);
    }
    for of in &wanted.references {
        found.references.insert(of.clone(), references::find(connection, counters, of)?);
    }
    for of in &wanted.early {
        found.early.insert(of.clone(), early::of_reference(connection, of)?);
    }
    for of in &wanted.keys {
        found.keys.insert(of.clone(), key(connection, of)?);
    }
    for application in &wanted.balances {
        found.balances.insert(application.clone(), balances::get(connection, application)?);
    }
    for flow in &wanted.unanswered {
        found.unanswered.insert(*flow, unanswered::of_flow(connection, *flow)?);
    }
    for recipient in &wanted.recipients {
        let unanswered = unanswered::to_recipient(connection, recipient, TO_RECIPIENT_MAX)?;
        let early = early::of_recipient(connection, recipient, TO_RECIPIENT_MAX)?;
        found.recipients.insert(*recipient, Recipient { unanswered, early });
    }
    for message in &wanted.segments {
        found.segments.insert(*message, inbound::segments(connection, message)?);
    }
    for of in &wanted.suppressions {
        found.suppressions.insert(of.clone(), suppressions::has(connection, of)?);
    }
    if let Some((before_ms, limit)) = wanted.old_flows {
        found.old_flows = Some(old_flows(connection, before_ms, limit)?);
    }
    if let Some(limit) = wanted.replays {
        found.replays = Some(replays(connection, limit)?);
    }
    Ok(found)
}

/// A flow from a row of its document and its number.
fn stored_of_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let octets = document::plain_octets(row.get_ref(0)?.as_blob()?).unwrap_or_default();
    Ok(Stored { flow: Arc::new(flow_of_row(row)?), handle: row.get(1)?, octets })
}

fn flow(connection: &Connection, id: Uuid) -> rusqlite::Result<Result<Option<Stored>, StoreError>> {
    let sql = "SELECT iif(length(doc) <= ?2, unseal(id, doc), NULL), row FROM flows WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![id.as_bytes(), DOCUMENT_MAX];
    let found = statement.query_row(values, |row| Ok(stored_of_row(row))).optional()?;
    Ok(found.transpose().map_err(StoreError::unavailable))
}

fn key(connection: &Connection, (application, key): &KeyOf) -> rusqlite::Result<Option<UsedKey>> {
    let sql =
        "SELECT body_hash, flow FROM keys WHERE application = ?1 AND key IN (?2, hex(blind('key', ?1, ?2)))";
    let of_row = |row: &Row<'_>| Ok(UsedKey { body_hash: row.get(0)?, flow: Uuid::from_bytes(row.get(1)?) });
    connection.prepare_cached(sql)?.query_row(params![application, key], of_row).optional()
}

fn replays(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached("SELECT flow FROM replays LIMIT ?1")?;
    statement.query_map([limit as i64], |row| Ok(Uuid::from_bytes(row.get(0)?)))?.collect()
}

/// The least id of a flow that was accepted at a time, Unix milliseconds (RFC 9562, 5.7).
fn first_id(at_ms: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at_ms.max(0).to_be_bytes()[2..]);
    id
}

/// At most `limit` closed flows from before a time. An id begins with the time of its flow; only flows that
/// still owe something stay behind in their order.
fn old_flows(connection: &Connection, before_ms: i64, limit: usize) -> rusqlite::Result<OldFlows> {
    let sql = "SELECT unseal(id, doc), row FROM flows INDEXED BY flows_id
               WHERE id < ?3 AND owes = 0 AND created_ms < ?1 ORDER BY id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![before_ms, limit as i64, first_id(before_ms)];
    let rows = statement.query_map(values, |row| Ok((row.get::<_, i64>(1)?, stored_of_row(row))))?;
    let mut old = OldFlows::default();
    for row in rows {
        match row? {
            (_, Ok(stored)) => old.flows.push(stored),
            // It stands before no other: what it says is lost, and it is old enough to go.
            (handle, Err(error)) => {
                tracing::error!(%error, "a flow that can't be read is deleted by its age");
                old.unreadable.push(handle);
            }
        }
    }
    Ok(old)
}

//! Parts that were handed to a carrier whose answer is not there.

use super::counters::Counters;
use super::references::place_of_row;
use crate::place::Place;
use crate::wanted::{Blind, Unanswered};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// Recipients that a start looks at.
const STARTED_MAX: i64 = 1000;

fn of_row(row: &Row<'_>) -> rusqlite::Result<Unanswered> {
    Ok(Unanswered { place: place_of_row(row)?, recipient: row.get(3)?, awaited_by: row.get(4)? })
}

/// Recipients of parts without an answer that receipts came for early.
pub(super) fn recipients_with_early(connection: &Connection) -> rusqlite::Result<Vec<Blind>> {
    let sql = "SELECT DISTINCT recipient FROM unanswered
               WHERE recipient IN (SELECT recipient FROM early WHERE recipient IS NOT NULL) LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([STARTED_MAX], |row| row.get(0))?.collect()
}

/// Those of a flow.
pub(super) fn of_flow(connection: &Connection, flow: Uuid) -> rusqlite::Result<Vec<Unanswered>> {
    let sql = "SELECT flow, message, part, recipient, life FROM unanswered WHERE flow = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map([flow.as_bytes()], of_row)?.collect()
}

/// At most `limit` to a recipient, by place.
pub(super) fn to_recipient(
    connection: &Connection,
    recipient: &Blind,
    limit: usize,
) -> rusqlite::Result<Vec<Unanswered>> {
    let sql = "SELECT flow, message, part, recipient, life FROM unanswered WHERE recipient = ?1
               ORDER BY flow, message, part LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params![recipient, limit as i64], of_row)?.collect()
}

/// Keeps that a part waits for its answer, or that it does no more.
pub(super) fn set(
    connection: &Connection,
    counters: &mut Counters,
    place: Place,
    part: Option<&Unanswered>,
) -> rusqlite::Result<()> {
    let Place { flow, message, part: number } = place;
    let sql = "DELETE FROM unanswered WHERE flow = ?1 AND message = ?2 AND part = ?3";
    let known = connection.prepare_cached(sql)?.execute(params![flow.as_bytes(), message, number])?;
    counters.unanswered -= known as i64;
    if let Some(Unanswered { recipient, awaited_by, .. }) = part {
        let sql = "INSERT INTO unanswered (flow, message, part, recipient, life) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![flow.as_bytes(), message, number, recipient, awaited_by];
        counters.unanswered += connection.prepare_cached(sql)?.execute(values)? as i64;
    }
    Ok(())
}

/// Forgets all parts of a flow that goes.
pub(super) fn forget(connection: &Connection, counters: &mut Counters, flow: Uuid) -> rusqlite::Result<()> {
    if counters.unanswered > 0 {
        let sql = "DELETE FROM unanswered WHERE flow = ?1";
        counters.unanswered -= connection.prepare_cached(sql)?.execute([flow.as_bytes()])? as i64;
    }
    Ok(())
}

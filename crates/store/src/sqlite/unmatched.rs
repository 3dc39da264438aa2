//! Receipts that reached no message: those that can't be read, and those that wait for theirs.

use super::counters::Counters;
use super::early::Early;
use super::rows::{json, to_json};
use crate::unmatched::{UnmatchedReceipt, UnreadReceipt};
use rusqlite::{Connection, params};

/// Most that are kept; beyond it the oldest are forgotten.
const UNMATCHED_MAX: i64 = 10_000;
/// From this age on, milliseconds, an early receipt counts as one without a message.
const EARLY_MS: i64 = 60_000;

/// Keeps a receipt that can't be read.
pub(super) fn keep(
    connection: &Connection,
    counters: &mut Counters,
    carrier: &str,
    received_ms: i64,
    receipt: &UnreadReceipt,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO unmatched (carrier, received_ms, receipt)
               VALUES (?1, ?2, seal(CAST(?1 AS BLOB), ?3))";
    connection.prepare_cached(sql)?.execute(params![carrier, received_ms, to_json(receipt)?])?;
    counters.unmatched += 1;
    if counters.unmatched > UNMATCHED_MAX {
        let sql = "DELETE FROM unmatched WHERE row IN (SELECT row FROM unmatched ORDER BY row LIMIT 100)";
        counters.unmatched -= connection.execute(sql, [])? as i64;
    }
    Ok(())
}

/// The newest receipts that reached no message, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    limit: usize,
    now_ms: i64,
) -> rusqlite::Result<Vec<UnmatchedReceipt>> {
    let sql = "SELECT unseal(CAST(carrier AS BLOB), receipt), carrier, received_ms FROM unmatched
               ORDER BY row DESC LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    let unread = statement.query_map([limit as i64], |row| {
        let (carrier, received_ms) = (row.get(1)?, row.get(2)?);
        // One that can't be read keeps nobody from seeing the others.
        let receipt = row.get_ref(0)?.as_blob().ok().and_then(|text| json::<UnreadReceipt>(0, text).ok());
        Ok(receipt.map(|UnreadReceipt { reason, text, reference, word, error, recipient }| {
            UnmatchedReceipt { received_ms, carrier, reason, reference, word, error, recipient, text }
        }))
    })?;
    let mut all: Vec<UnmatchedReceipt> = unread.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let sql = "SELECT unseal(CAST(reference AS BLOB), receipt), carrier, received_ms, reference FROM early
               WHERE received_ms <= ?2 ORDER BY row DESC LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    let early = statement.query_map([limit as i64, now_ms.saturating_sub(EARLY_MS)], |row| {
        let (carrier, received_ms, reference) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let early = row.get_ref(0)?.as_blob().ok().and_then(|text| json::<Early>(0, text).ok());
        Ok(early.map(|Early { receipt, recipient }| UnmatchedReceipt {
            received_ms,
            carrier,
            reason: "no-message".into(),
            reference: Some(reference),
            word: Some(receipt.status.name().into()),
            error: Some(receipt.detail.0.into_owned()),
            recipient,
            text: receipt.description.unwrap_or_default(),
        }))
    })?;
    all.extend(early.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?);
    all.sort_by_key(|receipt| std::cmp::Reverse(receipt.received_ms));
    all.truncate(limit);
    Ok(all)
}

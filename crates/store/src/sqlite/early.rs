//! Receipts that came before their message was recorded.

use super::counters::Counters;
use super::rows::{json, to_json};
use crate::batch::NewEarly;
use crate::error::StoreError;
use crate::wanted::Blind;
use flow::{CarrierRef, Receipt};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Most that are kept; beyond it the oldest are forgotten.
const EARLY_MAX: i64 = 100_000;

/// A receipt as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Early {
    #[serde(flatten)]
    pub(super) receipt: Receipt,
    /// The last three digits of the recipient, for people.
    #[serde(rename = "to", default, skip_serializing_if = "Option::is_none")]
    pub(super) recipient: Option<String>,
}

/// Those of a reference, in the order in which they came; an error if one can't be read.
pub(super) fn of_reference(
    connection: &Connection,
    of: &CarrierRef,
) -> rusqlite::Result<Result<Vec<Receipt>, StoreError>> {
    let sql = "SELECT unseal(CAST(reference AS BLOB), receipt) FROM early
               WHERE carrier = ?1 AND reference = ?2 ORDER BY row";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([&of.carrier, &of.reference], |row| {
        Ok(row.get_ref(0)?.as_blob().map_err(Into::into).and_then(|text| json::<Early>(0, text)))
    })?;
    let mut receipts = Vec::new();
    for early in rows {
        match early? {
            Ok(early) => receipts.push(early.receipt),
            Err(error) => return Ok(Err(StoreError::unavailable(error))),
        }
    }
    Ok(Ok(receipts))
}

/// At most `limit` for a recipient, in the order in which they came: when, and their reference.
pub(super) fn of_recipient(
    connection: &Connection,
    recipient: &Blind,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, CarrierRef)>> {
    let sql = "SELECT received_ms, carrier, reference FROM early WHERE recipient = ?1 ORDER BY row LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![recipient, limit as i64], |row| {
        Ok((row.get(0)?, CarrierRef { carrier: row.get(1)?, reference: row.get(2)? }))
    })?;
    rows.collect()
}

/// Forgets those of a reference.
pub(super) fn forget(
    connection: &Connection,
    counters: &mut Counters,
    of: &CarrierRef,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM early WHERE carrier = ?1 AND reference = ?2";
    counters.early -= connection.prepare_cached(sql)?.execute([&of.carrier, &of.reference])? as i64;
    Ok(())
}

/// Keeps one.
pub(super) fn keep(
    connection: &Connection,
    counters: &mut Counters,
    early: &NewEarly,
) -> rusqlite::Result<()> {
    let NewEarly { of, receipt, shown, recipient, received_ms } = early;
    let text = to_json(&Early { receipt: receipt.clone(), recipient: shown.clone() })?;
    let sql = "INSERT INTO early (carrier, reference, received_ms, receipt, recipient)
               VALUES (?1, ?2, ?3, seal(CAST(?2 AS BLOB), ?4), ?5)";
    let values = params![of.carrier, of.reference, received_ms, text, recipient];
    connection.prepare_cached(sql)?.execute(values)?;
    counters.early += 1;
    if counters.early > EARLY_MAX {
        let sql = "DELETE FROM early WHERE row IN (SELECT row FROM early ORDER BY row LIMIT 100)";
        counters.early -= connection.execute(sql, [])? as i64;
    }
    Ok(())
}

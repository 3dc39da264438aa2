//! Receipts that came before their message was recorded.

use super::rows::{json, to_json};
use super::work::Work;
use crate::recipient::{digits, masked};
use flow::{CarrierRef, Receipt};
use rusqlite::{OptionalExtension, params};
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

impl Work<'_> {
    /// Keeps a receipt until its message is known.
    pub(super) fn keep_early(
        &mut self,
        of: &CarrierRef,
        recipient: Option<&str>,
        receipt: &Receipt,
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        let early = Early { receipt: receipt.clone(), recipient: recipient.map(masked) };
        let text = to_json(&early)?;
        let sql = "INSERT INTO early (carrier, reference, received_ms, receipt, recipient)
                   VALUES (?1, ?2, ?3, seal(CAST(?2 AS BLOB), ?4),
                           iif(?5 IS NULL, NULL, blind('unanswered', ?1, ?5)))";
        let values = params![of.carrier, of.reference, now_ms, text, recipient.and_then(digits)];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.counters.early += 1;
        if self.counters.early > EARLY_MAX {
            let sql = "DELETE FROM early WHERE row IN (SELECT row FROM early ORDER BY row LIMIT 100)";
            self.counters.early -= self.connection.execute(sql, [])? as i64;
        }
        Ok(())
    }

    /// Takes those of a carrier's id, in the order in which they came.
    pub(super) fn take_early(&mut self, of: &CarrierRef) -> rusqlite::Result<Vec<Receipt>> {
        if self.counters.early == 0 {
            return Ok(Vec::new());
        }
        let sql = "SELECT unseal(CAST(reference AS BLOB), receipt) FROM early
                   WHERE carrier = ?1 AND reference = ?2 ORDER BY row";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([&of.carrier, &of.reference], |row| {
            Ok(json::<Early>(0, row.get_ref(0)?.as_blob()?)?.receipt)
        })?;
        let receipts: Vec<Receipt> = rows.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        if !receipts.is_empty() {
            let sql = "DELETE FROM early WHERE carrier = ?1 AND reference = ?2";
            let deleted = self.connection.prepare_cached(sql)?.execute([&of.carrier, &of.reference])?;
            self.counters.early -= deleted as i64;
        }
        Ok(receipts)
    }

    /// The id of the oldest one for a recipient since a time.
    pub(super) fn early_for(&self, recipient: &[u8], since_ms: i64) -> rusqlite::Result<Option<CarrierRef>> {
        if self.counters.early == 0 {
            return Ok(None);
        }
        let sql = "SELECT carrier, reference FROM early WHERE recipient = ?1 AND received_ms >= ?2
                   ORDER BY row LIMIT 1";
        self.connection
            .prepare_cached(sql)?
            .query_row(params![recipient, since_ms], |row| {
                Ok(CarrierRef { carrier: row.get(0)?, reference: row.get(1)? })
            })
            .optional()
    }
}

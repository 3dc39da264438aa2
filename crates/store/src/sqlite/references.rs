//! What carriers call parts: `refs` has the newest part of each reference, `reused_refs` the older ones.

use super::counters::Counters;
use crate::place::Place;
use crate::wanted::Reference;
use crate::work::CANDIDATES_MAX;
use flow::CarrierRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// The first three columns of a row.
pub(super) fn place_of_row(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { flow: Uuid::from_bytes(row.get(0)?), message: row.get(1)?, part: row.get(2)? })
}

fn newest(connection: &Connection, of: &CarrierRef) -> rusqlite::Result<Option<Place>> {
    let sql = "SELECT flow, message, part FROM refs WHERE carrier = ?1 AND reference = ?2";
    connection.prepare_cached(sql)?.query_row([&of.carrier, &of.reference], place_of_row).optional()
}

fn older(connection: &Connection, of: &CarrierRef) -> rusqlite::Result<Vec<Place>> {
    let sql = "SELECT flow, message, part FROM reused_refs WHERE carrier = ?1 AND reference = ?2
               ORDER BY flow DESC, message DESC, part DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![of.carrier, of.reference, CANDIDATES_MAX as i64];
    statement.query_map(values, place_of_row)?.collect()
}

/// The parts of a reference.
pub(super) fn find(
    connection: &Connection,
    counters: &Counters,
    of: &CarrierRef,
) -> rusqlite::Result<Reference> {
    let newest = newest(connection, of)?;
    let older = if counters.reused == 0 { Vec::new() } else { older(connection, of)? };
    Ok(Reference { newest, older })
}

/// The carriers that call parts by something, found by a look-up for each of them.
const CARRIERS: &str = "WITH RECURSIVE carriers(name) AS (
    SELECT min(carrier) FROM refs UNION ALL
    SELECT (SELECT min(carrier) FROM refs WHERE carrier > name) FROM carriers WHERE name IS NOT NULL
), of_reused(name) AS (
    SELECT min(carrier) FROM reused_refs UNION ALL
    SELECT (SELECT min(carrier) FROM reused_refs WHERE carrier > name) FROM of_reused WHERE name IS NOT NULL
) SELECT name FROM carriers WHERE name IS NOT NULL
  UNION SELECT name FROM of_reused WHERE name IS NOT NULL";

/// At most `limit` flows, newest first, with a part that some carrier calls `reference`.
pub(super) fn flows(connection: &Connection, reference: &str, limit: usize) -> rusqlite::Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached(CARRIERS)?;
    let carriers = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let mut flows = Vec::new();
    for carrier in carriers {
        let of = CarrierRef { carrier, reference: reference.to_owned() };
        let places = newest(connection, &of)?.into_iter().chain(older(connection, &of)?);
        flows.extend(places.map(|place| place.flow));
    }
    // Ids begin with their time.
    flows.sort_unstable_by(|a, b| b.cmp(a));
    flows.dedup();
    flows.truncate(limit);
    Ok(flows)
}

/// Makes a part the newest of its reference. If the carrier uses the reference again, the part that had it so
/// far becomes an older one; if that is another part of the same message, the reference means both.
pub(super) fn add(
    connection: &Connection,
    counters: &mut Counters,
    of: &CarrierRef,
    place: Place,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO refs (carrier, reference, flow, message, part) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO NOTHING";
    let values = params![of.carrier, of.reference, place.flow.as_bytes(), place.message, place.part];
    if connection.prepare_cached(sql)?.execute(values)? > 0 {
        return Ok(());
    }
    let Some(known) = newest(connection, of)? else { return Ok(()) };
    if (known.flow, known.message) == (place.flow, place.message) {
        return Ok(());
    }
    let sql = "INSERT OR IGNORE INTO reused_refs (carrier, reference, flow, message, part)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![of.carrier, of.reference, known.flow.as_bytes(), known.message, known.part];
    counters.reused += connection.prepare_cached(sql)?.execute(values)? as i64;
    let sql = "UPDATE refs SET flow = ?3, message = ?4, part = ?5 WHERE carrier = ?1 AND reference = ?2";
    let values = params![of.carrier, of.reference, place.flow.as_bytes(), place.message, place.part];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Forgets what a carrier calls a part of a flow.
pub(super) fn forget(
    connection: &Connection,
    counters: &mut Counters,
    of: &CarrierRef,
    flow: Uuid,
) -> rusqlite::Result<()> {
    let values = params![of.carrier, of.reference, flow.as_bytes()];
    let sql = "DELETE FROM refs WHERE carrier = ?1 AND reference = ?2 AND flow = ?3";
    connection.prepare_cached(sql)?.execute(values)?;
    if counters.reused > 0 {
        let sql = "DELETE FROM reused_refs WHERE carrier = ?1 AND reference = ?2 AND flow = ?3";
        counters.reused -= connection.prepare_cached(sql)?.execute(values)? as i64;
    }
    Ok(())
}

//! The table of carriers that are given nothing new.

use crate::halts::{Halt, HaltedCarrier};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, params};

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<HaltedCarrier>> {
    let sql = "SELECT carrier, halt, since_ms, asked_by FROM halted_carriers ORDER BY carrier";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let halt = Halt::parse(row.get_ref(1)?.as_str()?);
        Ok(HaltedCarrier {
            carrier: row.get(0)?,
            halt: halt.ok_or_else(|| Error::InvalidColumnType(1, "halt".to_owned(), Type::Text))?,
            since_ms: row.get(2)?,
            by: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// Who asks again for the same changes nothing.
pub(super) fn set(connection: &Connection, halted: &HaltedCarrier) -> rusqlite::Result<()> {
    let HaltedCarrier { carrier, halt, since_ms, by } = halted;
    let sql = "INSERT INTO halted_carriers (carrier, halt, since_ms, asked_by) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (carrier) DO UPDATE SET
                   halt = excluded.halt, since_ms = excluded.since_ms, asked_by = excluded.asked_by
               WHERE halt <> excluded.halt";
    connection.prepare_cached(sql)?.execute(params![carrier, halt.name(), since_ms, by]).map(drop)
}

/// Returns how many there were.
pub(super) fn remove(connection: &Connection, carrier: Option<&str>) -> rusqlite::Result<usize> {
    match carrier {
        Some(carrier) => connection.execute("DELETE FROM halted_carriers WHERE carrier = ?1", [carrier]),
        None => connection.execute("DELETE FROM halted_carriers", []),
    }
}

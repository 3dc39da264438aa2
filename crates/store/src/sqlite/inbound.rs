//! What handsets send: whole messages, and segments that wait for the others of theirs.

use super::counters::Counters;
use super::rows::{json, to_json};
use crate::batch::{Batch, NewHandsetText};
use crate::inbound::StoredInbound;
use crate::recipient::sender;
use crate::wanted::{Blind, HandsetText, Segment};
use rusqlite::{Connection, params};

/// Most messages and segments that are kept; beyond it the oldest are forgotten.
const INBOUND_MAX: i64 = 1_000_000;
/// Keeps a whole message.
fn keep(connection: &Connection, counters: &mut Counters, new: &NewHandsetText) -> rusqlite::Result<()> {
    let sql = "INSERT INTO inbound (sender, received_ms, content) VALUES (?1, ?2, seal(?1, ?3))";
    let values = params![new.sender, new.received_ms, to_json(&new.text)?];
    counters.inbound += connection.prepare_cached(sql)?.execute(values)? as i64;
    Ok(())
}

/// Keeps a segment, or forgets it.
fn set_segment(
    connection: &Connection,
    counters: &mut Counters,
    (message, sequence): (&Blind, u8),
    segment: Option<&NewHandsetText>,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM inbound_segments WHERE message = ?1 AND sequence = ?2";
    counters.inbound -= connection.prepare_cached(sql)?.execute(params![message, sequence])? as i64;
    if let Some(NewHandsetText { sender, text, received_ms }) = segment {
        let sql = "INSERT INTO inbound_segments (message, sequence, sender, received_ms, content)
                   VALUES (?1, ?2, ?3, ?4, seal(?1, ?5))";
        let values = params![message, sequence, sender, received_ms, to_json(text)?];
        counters.inbound += connection.prepare_cached(sql)?.execute(values)? as i64;
    }
    Ok(())
}

/// Writes what came from handsets, and forgets the oldest if there is too much.
pub(super) fn write(connection: &Connection, counters: &mut Counters, batch: &Batch) -> rusqlite::Result<()> {
    for ((message, sequence), segment) in &batch.segments {
        set_segment(connection, counters, (message, *sequence), segment.as_ref())?;
    }
    batch.inbound.iter().try_for_each(|new| keep(connection, counters, new))?;
    // The last hundred over the limit go together, so that the limit costs little.
    while counters.inbound > INBOUND_MAX {
        let mut forgotten = 0;
        for sql in [
            "DELETE FROM inbound WHERE row IN (SELECT row FROM inbound ORDER BY row LIMIT 100)",
            "DELETE FROM inbound_segments WHERE (message, sequence) IN (
                 SELECT message, sequence FROM inbound_segments ORDER BY received_ms LIMIT 100)",
        ] {
            if forgotten == 0 {
                forgotten = connection.execute(sql, [])?;
            }
        }
        counters.inbound -= forgotten as i64;
        if forgotten == 0 {
            break;
        }
    }
    Ok(())
}

/// Segments of a message that are there, in their order.
pub(super) fn segments(connection: &Connection, message: &Blind) -> rusqlite::Result<Vec<Segment>> {
    let sql =
        "SELECT unseal(message, content), received_ms, sequence FROM inbound_segments WHERE message = ?1
               ORDER BY sequence";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([message], |row| {
        Ok(Segment { text: text_of_row(row), received_ms: row.get(1)?, sequence: row.get(2)? })
    })?;
    rows.collect()
}

/// Reads the first column; one that can't be read keeps nobody from the others.
fn text_of_row(row: &rusqlite::Row<'_>) -> Option<HandsetText> {
    row.get_ref(0).ok()?.as_blob().ok().and_then(|text| json(0, text).ok())
}

fn stored(text: HandsetText, received_ms: i64) -> StoredInbound {
    let HandsetText { carrier, from, to, total, segments } = text;
    StoredInbound { received_ms, carrier, from, to, segments, total }
}

/// The newest messages, at most `limit`, those that are not complete among them; of one sender, or of all.
pub(super) fn list(
    connection: &Connection,
    limit: usize,
    from: Option<&str>,
) -> rusqlite::Result<Vec<StoredInbound>> {
    let (sender, most) = (from.map(sender), limit as i64);
    let read = |row: &rusqlite::Row<'_>| {
        let received_ms = row.get(1)?;
        Ok(text_of_row(row).map(|text| stored(text, received_ms)))
    };
    let sql = "SELECT unseal(sender, content), received_ms FROM inbound
               WHERE ?1 IS NULL OR sender = blind('inbound', '', ?1) ORDER BY row DESC LIMIT ?2";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params![sender, most], read)?;
    let mut all: Vec<StoredInbound> = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let sql = "SELECT unseal(s.message, s.content), newest.received_ms, s.message FROM
                   (SELECT message, max(received_ms) AS received_ms FROM inbound_segments
                    WHERE ?1 IS NULL OR sender = blind('inbound', '', ?1)
                    GROUP BY message ORDER BY 2 DESC LIMIT ?2) newest
               JOIN inbound_segments s ON s.message = newest.message
               ORDER BY newest.received_ms DESC, s.message, s.sequence";
    let mut statement = connection.prepare(sql)?;
    let rows =
        statement.query_map(params![sender, most], |row| Ok((row.get::<_, Vec<u8>>(2)?, read(row)?)))?;
    let mut open: Vec<(Vec<u8>, StoredInbound)> = Vec::new();
    for row in rows {
        let (message, Some(segment)) = row? else { continue };
        match open.last_mut().filter(|(last, _)| *last == message) {
            Some((_, known)) => known.segments.extend(segment.segments),
            None => open.push((message, segment)),
        }
    }
    all.extend(open.into_iter().map(|(_, message)| message));
    all.sort_by_key(|message| std::cmp::Reverse(message.received_ms));
    all.truncate(limit);
    Ok(all)
}

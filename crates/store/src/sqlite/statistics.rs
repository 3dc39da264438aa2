//! Statistics: what a batch adds to them, and the numbers of their keys.

use super::rows;
use crate::batch::Contributions;
use crate::statistics::{Document, Keys, Span};
use flow::statistics::{MessageKey, Quarter};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Which node's documents are written. SQLite has one writer at a time, and each goes on with what those
/// before it wrote: all of them are one node.
const NODE: i64 = 0;

/// Adds what a batch contributes. All of it is summed up first, so that each document is written once.
/// `keys` are those of the database, or `None` if they were not read yet.
pub(super) fn add(
    connection: &Connection,
    keys: &mut Option<Keys>,
    contributions: &Contributions,
) -> rusqlite::Result<()> {
    if contributions.is_empty() {
        return Ok(());
    }
    let keys = match keys {
        Some(keys) => keys,
        None => keys.insert(read_keys(connection)?),
    };
    let mut new = Vec::new();
    let mut sums: BTreeMap<(&str, Span, Quarter), Document> = BTreeMap::new();
    for ((application, quarter), contribution) in contributions {
        let document = keys.numbered(contribution, &mut new);
        for span in Span::ALL {
            sums.entry((application, span, span.start(*quarter))).or_default().add(&document);
        }
    }
    for (number, key) in new {
        let sql = "INSERT INTO statistics_keys (number, key) VALUES (?1, CAST(?2 AS TEXT))";
        connection.prepare_cached(sql)?.execute(params![number, rows::to_json(&key)?])?;
    }
    sums.iter().try_for_each(|((application, span, start), sum)| {
        add_document(connection, application, *span, *start, sum)
    })
}

/// Adds to the document of a span.
pub(super) fn add_document(
    connection: &Connection,
    application: &str,
    span: Span,
    start: Quarter,
    sum: &Document,
) -> rusqlite::Result<()> {
    let sql = "SELECT row, doc FROM statistics
               WHERE application = ?1 AND span = ?2 AND start = ?3 AND node = ?4";
    let place = params![application, span.quarters(), start.0, NODE];
    let read = |row: &rusqlite::Row<'_>| {
        let document = Document::decode(row.get_ref(1)?.as_blob()?);
        Ok((row.get::<_, i64>(0)?, document))
    };
    let Some((row, known)) = connection.prepare_cached(sql)?.query_row(place, read).optional()? else {
        let sql = "INSERT INTO statistics (application, span, start, node, doc) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![application, span.quarters(), start.0, NODE, sum.encode()];
        return connection.prepare_cached(sql)?.execute(values).map(drop);
    };
    // Flows are more than what is counted of them: a damaged document keeps none from being stored.
    let mut document = known.unwrap_or_else(|error| {
        tracing::error!(%error, application, ?span, ?start, "begun anew: run `switchback statistics rebuild`");
        Document::default()
    });
    document.add(sum);
    let sql = "UPDATE statistics SET doc = ?2 WHERE row = ?1";
    connection.prepare_cached(sql)?.execute(params![row, document.encode()]).map(drop)
}

/// Every key with its number. One that can't be read keeps its number, and nothing is counted by it any more.
fn read_keys(connection: &Connection) -> rusqlite::Result<Keys> {
    let mut keys = Keys::default();
    let mut statement = connection.prepare("SELECT number, key FROM statistics_keys")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let number = row.get(0)?;
        match rows::json::<MessageKey>(1, row.get_ref(1)?.as_bytes()?) {
            Ok(key) => keys.insert(key, number),
            Err(error) => {
                tracing::error!(%error, number, "a key of statistics can't be read");
                keys.reserve(number);
            }
        }
    }
    Ok(keys)
}

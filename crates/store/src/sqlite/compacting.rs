//! Documents that an older version wrote, or another key sealed, written anew.

use super::schema::DOCUMENT_MAX;
use crate::admin::Compacted;
use crate::document;
use crate::sealing::Keyring;
use rusqlite::{Connection, params};
use uuid::Uuid;

/// Writes documents of at most `limit` flows after `after`, in the order of their ids, as they would be
/// written now. Those that can't be read stay.
pub(super) fn compact(
    connection: &Connection,
    keys: &Keyring,
    after: Option<Uuid>,
    limit: usize,
) -> rusqlite::Result<Compacted> {
    let sql = "SELECT id, row, doc FROM flows INDEXED BY flows_id
               WHERE id > ?1 AND length(doc) <= ?2 ORDER BY id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let start = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let mut rows = statement.query(params![start, DOCUMENT_MAX, limit as i64])?;
    let mut done = Compacted::default();
    while let Some(row) = rows.next()? {
        let id = Uuid::from_bytes(row.get(0)?);
        let stored = row.get_ref(2)?.as_blob()?;
        (done.last, done.flows) = (Some(id), done.flows + 1);
        let Ok(opened) = keys.unseal(id.as_bytes(), stored) else {
            done.unreadable += 1;
            continue;
        };
        if document::is_current(&opened) && keys.is_current(stored) {
            continue;
        }
        let Ok(written) = document::decode(&opened).and_then(|flow| document::encode(&flow)) else {
            done.unreadable += 1;
            continue;
        };
        let update = "UPDATE flows SET doc = seal(id, ?2) WHERE row = ?1";
        connection.prepare_cached(update)?.execute(params![row.get::<_, i64>(1)?, &*written.octets])?;
        done.rewritten += 1;
        done.octets_before += stored.len() as u64;
        done.octets_after += written.octets.len() as u64;
    }
    Ok(done)
}

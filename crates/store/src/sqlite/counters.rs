//! Numbers of the last row and change, and counts of tables that are mostly empty: a table without rows costs
//! nobody a look.

use rusqlite::Connection;

#[derive(Clone, Copy)]
pub(super) struct Counters {
    /// The last flow's row.
    pub(super) row: i64,
    /// The last change's position.
    pub(super) change: i64,
    /// Receipts kept without a message.
    pub(super) early: i64,
    /// Receipts that nobody could make sense of.
    pub(super) unmatched: i64,
    /// Rows of `reused_refs`.
    pub(super) reused: i64,
    /// Rows of `unanswered`.
    pub(super) unanswered: i64,
    /// What handsets sent, segments that wait for others among it.
    pub(super) inbound: i64,
}

impl Counters {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Counters> {
        let sql = "SELECT (SELECT ifnull(max(row), 0) FROM flows), (SELECT count(*) FROM early),
                          (SELECT count(*) FROM unmatched), (SELECT count(*) FROM reused_refs),
                          (SELECT count(*) FROM unanswered),
                          (SELECT count(*) FROM inbound) + (SELECT count(*) FROM inbound_segments)";
        let change = last_change(connection)?;
        connection.query_row(sql, [], |row| {
            Ok(Counters {
                row: row.get(0)?,
                change,
                early: row.get(1)?,
                unmatched: row.get(2)?,
                reused: row.get(3)?,
                unanswered: row.get(4)?,
                inbound: row.get(5)?,
            })
        })
    }
}

/// The position of the last change.
pub(super) fn last_change(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max((SELECT ifnull(max(change), 0) FROM flows),
                          (SELECT ifnull(max(change), 0) FROM removals))";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

//! Flows that are set aside: they can't be read, changed or stored, and nothing is done for them any more, so that they
//! hold up nobody.

use crate::admin::Quarantined;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// So often in a row a flow may fail by itself before it is set aside.
const FAILURES_MAX: u32 = 3;
/// Failing flows that are counted at the same time; beyond it all counts begin again.
const COUNTED_MAX: usize = 10_000;
/// Longest reason, characters.
const REASON_MAX: usize = 200;

/// How often flows failed, each by itself, since they last did not. A failure counts where others succeeded since the one
/// before it: else it is the database's trouble and not the flow's.
#[derive(Default)]
pub(super) struct Failures {
    flows: HashMap<Uuid, Failed>,
    /// Commits that succeeded.
    commits: u64,
}

struct Failed {
    count: u32,
    /// [`Failures::commits`] at the last one that counts.
    commits: u64,
}

impl Failures {
    /// Counts a failure; answers whether it is one too many.
    pub(super) fn note(&mut self, flow: Uuid) -> bool {
        if self.flows.len() >= COUNTED_MAX {
            self.flows.clear();
        }
        let commits = self.commits;
        let failed = self.flows.entry(flow).or_insert(Failed { count: 0, commits: 0 });
        if failed.count == 0 || failed.commits < commits {
            *failed = Failed { count: failed.count + 1, commits };
        }
        let too_many = failed.count >= FAILURES_MAX;
        if too_many {
            self.flows.remove(&flow);
        }
        too_many
    }

    /// A commit succeeded, with these flows in it.
    pub(super) fn forget<'a>(&mut self, flows: impl Iterator<Item = &'a Uuid>) {
        self.commits += 1;
        if !self.flows.is_empty() {
            for flow in flows {
                self.flows.remove(flow);
            }
        }
    }
}

/// Sets a flow aside.
pub(super) fn add(connection: &Connection, flow: Uuid, now_ms: i64, reason: &str) -> rusqlite::Result<()> {
    let reason: String = reason.chars().take(REASON_MAX).collect();
    let sql = "INSERT OR IGNORE INTO quarantine (flow, since_ms, reason) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![flow.as_bytes(), now_ms, reason])?;
    Ok(())
}

/// Those that are set aside.
pub(super) fn ids(connection: &Connection) -> rusqlite::Result<HashSet<Uuid>> {
    let mut statement = connection.prepare("SELECT flow FROM quarantine")?;
    statement.query_map([], |row| Ok(Uuid::from_bytes(row.get(0)?)))?.collect()
}

/// At most `limit` of them, the oldest first.
pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Quarantined>> {
    let sql = "SELECT flow, since_ms, reason, (SELECT length(doc) FROM flows WHERE id = flow) FROM quarantine
               ORDER BY since_ms, flow LIMIT ?1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([limit as i64], |row| {
        Ok(Quarantined {
            tracking_id: Uuid::from_bytes(row.get(0)?),
            since_ms: row.get(1)?,
            reason: row.get(2)?,
            octets: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        })
    })?;
    rows.collect()
}

/// Lets a flow be tried again from the next start on; answers whether it was set aside.
pub(super) fn release(connection: &Connection, flow: Uuid) -> rusqlite::Result<bool> {
    Ok(connection.execute("DELETE FROM quarantine WHERE flow = ?1", [flow.as_bytes()])? > 0)
}

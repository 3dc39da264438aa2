//! Flows that go: pruned when they are old, erased when somebody asks for it.

use super::admin::flow_of_row;
use super::work::Work;
use crate::{Change, Pruned, Retention};
use flow::{Content, Event, Flow, Step};
use rusqlite::params;
use uuid::Uuid;

/// The recipients of a flow that are not its first step's.
pub(super) fn later_recipients(flow: &Flow) -> impl Iterator<Item = &str> {
    let first = flow.steps.first().map(Step::to);
    flow.steps.iter().map(Step::to).filter(move |to| Some(*to) != first)
}

/// The least id of a flow that was accepted at a time, Unix milliseconds (RFC 9562, 5.7).
fn first_id(at_ms: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at_ms.max(0).to_be_bytes()[2..]);
    id
}

impl Work<'_> {
    /// Each kind in one bounded step, by an index on its time: a row whose time is wrong stands before no
    /// other.
    pub(super) fn prune(&mut self, retention: Retention, limit: usize) -> rusqlite::Result<Pruned> {
        let mut more = false;
        let most = limit as i64;
        for sql in [
            "DELETE FROM keys WHERE (application, key) IN
             (SELECT application, key FROM keys WHERE used_ms < ?1 LIMIT ?2)",
            "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires_ms < ?1 LIMIT ?2)",
            "DELETE FROM links WHERE code IN (SELECT code FROM links WHERE expires_ms < ?1 LIMIT ?2)",
        ] {
            more |= self.connection.prepare_cached(sql)?.execute([retention.keys_before_ms, most])? == limit;
        }
        let sql = "DELETE FROM early WHERE row IN (SELECT row FROM early WHERE received_ms < ?1 LIMIT ?2)";
        let early = self.connection.prepare_cached(sql)?.execute([retention.keys_before_ms, most])?;
        self.counters.early -= early as i64;
        more |= early == limit;
        more |= self.prune_unmatched(retention.unmatched_before_ms, most)? == limit;
        more |= self.prune_inbound(retention.flows_before_ms, limit)?;

        // An id begins with the time of its flow; only flows that still owe something stay behind in their order.
        let sql = "SELECT unseal(id, doc), row FROM flows INDEXED BY flows_id
                   WHERE id < ?3 AND owes = 0 AND created_ms < ?1 ORDER BY id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let before = first_id(retention.flows_before_ms);
        let rows = statement.query_map(params![retention.flows_before_ms, most, before], |row| {
            Ok((row.get::<_, i64>(1)?, flow_of_row(row)))
        })?;
        let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        more |= found.len() == limit;
        let mut old = Vec::with_capacity(found.len());
        for (row, flow) in found {
            match flow {
                Ok(flow) => old.push((row, flow)),
                // It stands before no other: what it says is lost, and it is old enough to go.
                Err(error) => {
                    tracing::error!(%error, "a flow that can't be read was deleted by its age");
                    self.connection.prepare_cached("DELETE FROM flows WHERE row = ?1")?.execute([row])?;
                }
            }
        }
        let mut flows = 0;
        for (row, flow) in &old {
            // A flow that this transaction changed is not old enough after all.
            if !self.staged.contains_key(&flow.id) {
                self.remove(*row, flow, false)?;
                flows += 1;
            }
        }
        Ok(Pruned { flows, more })
    }

    pub(super) fn see(&mut self, now_ms: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE installation SET seen_ms = ?1";
        self.connection.prepare_cached(sql)?.execute([now_ms]).map(drop)
    }

    pub(super) fn prune_flows(&mut self, application: &str, ids: &[Uuid]) -> rusqlite::Result<usize> {
        let mut pruned = 0;
        for id in ids {
            let closed = self
                .stage(*id)?
                .filter(|stored| stored.flow.application == application && stored.flow.tasks().is_empty());
            if let Some(stored) = closed.cloned() {
                self.remove(stored.row, &stored.flow, false)?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }

    pub(super) fn erase(&mut self, application: &str, ids: &[Uuid], now_ms: i64) -> rusqlite::Result<usize> {
        let mut erased = 0;
        for id in ids {
            if self.stage(*id)?.is_none_or(|stored| stored.flow.application != application) {
                continue;
            }
            // What is held of the balance for it goes back.
            self.apply(*id, &Event::Cancel, now_ms)?;
            if let Some(stored) = self.stage(*id)?.cloned() {
                self.remove(stored.row, &stored.flow, true)?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// Removes a flow with all that belongs to it.
    fn remove(&mut self, row: i64, flow: &Flow, erased: bool) -> rusqlite::Result<()> {
        let id = flow.id.as_bytes();
        for part in flow.state.messages.iter().flat_map(|message| &message.parts) {
            if let Some(of) = &part.carrier {
                self.forget_ref(of, flow.id)?;
            }
        }
        self.forget_unanswered(flow.id)?;
        for recipient in later_recipients(flow) {
            let sql = "DELETE FROM later_recipients WHERE recipient = blind('recipient', ?1, lower(?2)) AND flow = ?3";
            self.connection.prepare_cached(sql)?.execute(params![flow.application, recipient, id])?;
        }
        if erased {
            let shortened = flow.steps.iter().filter_map(|step| match &step.content {
                Content::Sms(sms) => sms.shortened.as_ref(),
                _ => None,
            });
            for link in shortened.flat_map(|shortened| &shortened.links) {
                self.connection.prepare_cached("DELETE FROM links WHERE code = ?1")?.execute([&link.code])?;
            }
        }
        self.connection.prepare_cached("DELETE FROM flows WHERE row = ?1")?.execute([row])?;
        self.staged.remove(&flow.id);
        self.counters.change += 1;
        let sql =
            "INSERT INTO removals (change, application, id, created_ms, erased) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![self.counters.change, flow.application, id, flow.created_ms, erased];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.removed.push(Change::Removed {
            application: flow.application.clone(),
            id: flow.id,
            created_ms: flow.created_ms,
            erased,
        });
        Ok(())
    }

    /// The last one stays: it keeps the feed's position where no flow does.
    pub(super) fn forget_removals(&mut self, until: u64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM removals WHERE change <= ?1 AND change < (SELECT max(change) FROM removals)";
        self.connection.execute(sql, [until as i64])?;
        Ok(())
    }
}

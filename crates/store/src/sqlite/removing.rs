//! Flows that go: pruned when they are old, erased when somebody asks for it.

use super::admin::flow_of_row;
use super::work::Work;
use crate::{Change, Retention};
use flow::{Content, Event, Flow, Step};
use rusqlite::params;
use uuid::Uuid;

/// The recipients of a flow that are not its first step's.
pub(super) fn later_recipients(flow: &Flow) -> impl Iterator<Item = &str> {
    let first = flow.steps.first().map(Step::to);
    flow.steps.iter().map(Step::to).filter(move |to| Some(*to) != first)
}

impl Work<'_> {
    pub(super) fn prune(&mut self, retention: Retention, limit: usize) -> rusqlite::Result<usize> {
        self.connection.execute("DELETE FROM keys WHERE used_ms < ?1", [retention.keys_before_ms])?;
        self.connection.execute("DELETE FROM tokens WHERE expires_ms < ?1", [retention.keys_before_ms])?;
        self.connection.execute("DELETE FROM links WHERE expires_ms < ?1", [retention.keys_before_ms])?;
        let sql = "DELETE FROM early WHERE received_ms < ?1";
        self.counters.early -= self.connection.execute(sql, [retention.keys_before_ms])? as i64;

        // Rows are in the order of acceptance, so the old ones are the first ones.
        let mut statement = self.connection.prepare_cached(
            "SELECT unseal(id, doc), row, created_ms, owes FROM flows WHERE row > ?1 ORDER BY row LIMIT 500",
        )?;
        let mut old = Vec::new();
        let mut after = 0i64;
        'pages: while old.len() < limit {
            let mut rows = statement.query([after])?;
            let mut empty = true;
            while let Some(row) = rows.next()? {
                empty = false;
                after = row.get(1)?;
                if row.get::<_, i64>(2)? >= retention.flows_before_ms {
                    break 'pages;
                }
                if row.get::<_, i64>(3)? == 0 && old.len() < limit {
                    old.push((after, flow_of_row(row)?));
                }
            }
            if empty {
                break;
            }
        }
        let mut pruned = 0;
        for (row, flow) in &old {
            // A flow that this transaction changed is not old enough after all.
            if !self.staged.contains_key(&flow.id) {
                self.remove(*row, flow, false)?;
                pruned += 1;
            }
        }
        Ok(pruned)
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
                let sql = "DELETE FROM refs WHERE carrier = ?1 AND reference = ?2 AND flow = ?3";
                self.connection.prepare_cached(sql)?.execute(params![of.carrier, of.reference, id])?;
            }
        }
        for recipient in later_recipients(flow) {
            let sql = "DELETE FROM later_recipients WHERE recipient = blind('recipient', ?1, lower(?2)) AND flow = ?3";
            self.connection.prepare_cached(sql)?.execute(params![flow.application, recipient, id])?;
        }
        if erased {
            let shortened = flow.steps.iter().filter_map(|step| match &step.content {
                Content::Sms(sms) => sms.shortened.as_ref(),
                Content::Viber(_) | Content::Voice(_) => None,
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

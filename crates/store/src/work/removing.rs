//! Flows that go: pruned when they are old, erased when somebody asks for it.

use super::transaction::{Outcome, Stop, Work};
use crate::cache::Stored;
use flow::Event;
use uuid::Uuid;

impl Work<'_> {
    /// Removes at most `limit` closed flows that were accepted before a time; returns how many, and whether
    /// there are more.
    pub(crate) fn prune_old_flows(&mut self, before_ms: i64, limit: usize) -> Outcome<(usize, bool)> {
        let Some(old) = &self.found.old_flows else {
            self.wanted.old_flows = Some((before_ms, limit));
            return Err(Stop::Missing);
        };
        self.batch.unreadable.extend(&old.unreadable);
        let mut pruned = 0;
        for stored in &old.flows {
            // A flow that this transaction changed is not old enough after all.
            if !self.has_touched(stored.flow.id) {
                self.remove(stored.clone(), false);
                pruned += 1;
            }
        }
        Ok((pruned, old.flows.len() + old.unreadable.len() == limit))
    }

    /// Removes an application's closed flows of these; returns how many.
    pub(crate) fn prune_flows(&mut self, application: &str, ids: &[Uuid]) -> Outcome<usize> {
        let mut pruned = 0;
        self.each(ids, |work, id| {
            let is_closed = |stored: &&mut Stored| {
                stored.flow.application == application && stored.flow.tasks().is_empty()
            };
            let closed = work.stage(*id)?.filter(is_closed).cloned();
            if let Some(stored) = closed {
                work.remove(stored, false);
                pruned += 1;
            }
            Ok(())
        })?;
        Ok(pruned)
    }

    /// Removes an application's flows of these, and everything about them; returns how many.
    pub(crate) fn erase(&mut self, application: &str, ids: &[Uuid], now_ms: i64) -> Outcome<usize> {
        let mut erased = 0;
        self.each(ids, |work, id| {
            if work.look(*id, |flow| flow.application == application)? != Some(true) {
                return Ok(());
            }
            // What is held of the balance for it goes back.
            work.apply(*id, &Event::Cancel { by: None }, now_ms)?;
            let stored = work.stage(*id)?.cloned();
            if let Some(stored) = stored {
                work.remove(stored, true);
                erased += 1;
            }
            Ok(())
        })?;
        Ok(erased)
    }
}

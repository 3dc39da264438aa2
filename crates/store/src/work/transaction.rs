//! A transaction: flows are staged, changed in memory, and become one batch at its end.

use crate::batch::{Batch, Put, Removal};
use crate::cache::Stored;
use crate::database::Tables;
use crate::document::{self, Document};
use crate::error::StoreError;
use crate::shared::Shared;
use crate::wanted::{Found, Wanted};
use flow::statistics::{Contribution, Quarter};
use flow::{Applied, Event, Flow, Price};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// Why a job could not be done in this run.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It has to know something that was not looked up; [`Work`] has noted what.
    Missing,
    /// Something that it needs can't be read: it alone has failed.
    Failed(StoreError),
}

/// A part of a transaction.
pub(crate) type Outcome<T> = Result<T, Stop>;

/// What stays the same for all transactions of a process.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The installation's key, for keyed hashes.
    pub(crate) secret_key: [u8; 32],
    /// This life of the process.
    pub(crate) writer: i64,
}

/// A flow as this transaction leaves it.
struct Staged {
    stored: Stored,
    /// As it was before this transaction; `None` if it is new.
    before: Option<Arc<Flow>>,
    is_dirty: bool,
    /// Its document as it was accepted, while nothing has happened to it since.
    document: Option<Document>,
}

/// One run of a transaction.
pub(crate) struct Work<'a> {
    pub(super) context: &'a Context,
    pub(super) tables: Tables,
    pub(super) found: &'a Found,
    pub(super) wanted: Wanted,
    pub(super) batch: Batch,
    staged: HashMap<Uuid, Staged>,
    /// The staged flows that changed, in the order of their first change.
    dirty: Vec<Uuid>,
    /// Flows that were removed.
    gone: HashSet<Uuid>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(context: &'a Context, tables: Tables, found: &'a Found) -> Work<'a> {
        let (wanted, batch) = (Wanted::default(), Batch::default());
        let (staged, dirty, gone) = (HashMap::new(), Vec::new(), HashSet::new());
        Work { context, tables, found, wanted, batch, staged, dirty, gone }
    }

    /// What it still has to know, or what it writes.
    ///
    /// # Errors
    /// Those of the document codec.
    pub(crate) fn finish(mut self) -> Result<Result<Batch, Wanted>, StoreError> {
        if !self.wanted.is_empty() {
            return Ok(Err(self.wanted));
        }
        self.batch.puts.reserve(self.dirty.len());
        for id in &self.dirty {
            let Some(Staged { mut stored, before, document, .. }) = self.staged.remove(id) else { continue };
            count(&mut self.batch, before.as_deref(), &stored.flow);
            let document = match document {
                Some(document) => document,
                None => document::encode(&stored.flow).map_err(StoreError::unavailable)?,
            };
            stored.octets = document.plain;
            self.batch.puts.push(Put { stored, is_new: before.is_none(), document });
        }
        self.batch.contributions.values_mut().for_each(Contribution::drop_zeros);
        Ok(Ok(self.batch))
    }

    /// A flow that is not staged: from the cache, or as it was found.
    fn known(&mut self, id: Uuid) -> Outcome<Option<Stored>> {
        if self.gone.contains(&id) {
            return Ok(None);
        }
        if let Some(stored) = self.context.shared.cache.lock().get(&id) {
            return Ok(Some(stored.clone()));
        }
        match self.found.flows.get(&id) {
            Some(Ok(stored)) => Ok(stored.clone()),
            Some(Err(error)) => Err(Stop::Failed(error.clone())),
            None => {
                self.wanted.flows.insert(id);
                Err(Stop::Missing)
            }
        }
    }

    /// The flow as this transaction has it so far.
    pub(super) fn stage(&mut self, id: Uuid) -> Outcome<Option<&mut Stored>> {
        if !self.staged.contains_key(&id) {
            let Some(stored) = self.known(id)? else { return Ok(None) };
            let before = Some(Arc::clone(&stored.flow));
            self.staged.insert(id, Staged { stored, before, is_dirty: false, document: None });
        }
        Ok(self.staged.get_mut(&id).map(|staged| &mut staged.stored))
    }

    /// Stages a new flow, whose document was made from it.
    pub(super) fn stage_new(&mut self, flow: &Arc<Flow>, document: &Document) {
        let stored = Stored { handle: 0, flow: Arc::clone(flow), octets: document.plain };
        let document = Some(document.clone());
        self.staged.insert(flow.id, Staged { stored, before: None, is_dirty: true, document });
        self.dirty.push(flow.id);
    }

    /// What `look` finds in a flow as this transaction has it so far; the flow is not staged for it.
    pub(super) fn look<T>(&mut self, id: Uuid, look: impl FnOnce(&Flow) -> T) -> Outcome<Option<T>> {
        if let Some(staged) = self.staged.get(&id) {
            return Ok(Some(look(&staged.stored.flow)));
        }
        Ok(self.known(id)?.map(|stored| look(&stored.flow)))
    }

    /// Returns whether this transaction changed a flow, or removed it.
    pub(super) fn has_touched(&self, id: Uuid) -> bool {
        self.staged.contains_key(&id) || self.gone.contains(&id)
    }

    /// Returns whether this transaction removed a flow.
    pub(super) fn has_removed(&self, id: Uuid) -> bool {
        self.gone.contains(&id)
    }

    /// Returns whether a flow was set aside.
    pub(super) fn is_quarantined(&self, id: Uuid) -> bool {
        self.context.shared.quarantined.lock().contains(&id)
    }

    /// Applies an event to a flow, and what follows from it; `None` if there is no such flow.
    pub(crate) fn apply(&mut self, id: Uuid, event: &Event, now_ms: i64) -> Outcome<Option<Applied>> {
        let Some(stored) = self.stage(id)? else { return Ok(None) };
        let (before, was_handed) = (stored.flow.committed(), has_handed_part(&stored.flow));
        let applied = Arc::make_mut(&mut stored.flow).apply(event, now_ms);
        if applied.changed {
            let spent = stored.flow.committed() - before;
            if spent != Price::ZERO {
                let application = stored.flow.application.clone();
                *self.batch.spent.entry(application).or_default() += spent;
            }
            self.mark(id);
        }
        self.follow(id, event, applied.changed, was_handed, now_ms)?;
        Ok(Some(applied))
    }

    fn mark(&mut self, id: Uuid) {
        let Some(staged) = self.staged.get_mut(&id) else { return };
        staged.document = None;
        if !staged.is_dirty {
            staged.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Removes a flow with all that belongs to it.
    pub(super) fn remove(&mut self, stored: Stored, erased: bool) {
        let id = stored.flow.id;
        if let Some(staged) = self.staged.remove(&id).filter(|staged| staged.is_dirty) {
            count(&mut self.batch, staged.before.as_deref(), &staged.stored.flow);
        }
        self.gone.insert(id);
        self.batch.unanswered.retain(|place, _| place.flow != id);
        self.batch.removals.push(Removal { stored, erased });
    }

    /// Does something for each of several items. If one misses something, the others are gone through all the
    /// same: this run is void, and what all of them miss is looked up together.
    pub(super) fn each<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut work: impl FnMut(&mut Self, T) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut missing = false;
        for item in items {
            match work(self, item) {
                Ok(()) => {}
                Err(Stop::Missing) => missing = true,
                Err(failed) => return Err(failed),
            }
        }
        if missing { Err(Stop::Missing) } else { Ok(()) }
    }

    /// Makes the dead callbacks owed again that somebody asked for, at most `limit` flows'; returns for how
    /// many.
    pub(crate) fn replay(&mut self, limit: usize, now_ms: i64) -> Outcome<usize> {
        let Some(flows) = &self.found.replays else {
            self.wanted.replays = Some(limit);
            return Err(Stop::Missing);
        };
        self.batch.replayed.extend(flows);
        // A flow that was pruned meanwhile has nothing to replay.
        self.each(flows, |work, id| work.apply(*id, &Event::CallbacksReplayed, now_ms).map(drop))?;
        Ok(flows.len())
    }

    /// Keeps a time.
    pub(crate) fn keep_time(&mut self, now_ms: i64) {
        self.batch.time_ms = Some(now_ms);
    }

    /// Forgets removals up to a number of the feed.
    pub(crate) fn forget_removals(&mut self, until: u64) {
        self.batch.removals_until = self.batch.removals_until.max(Some(until));
    }

    /// Writes something of no meaning.
    pub(crate) fn probe(&mut self) {
        self.batch.probe = true;
    }
}

/// Counts a change of a flow.
fn count(batch: &mut Batch, before: Option<&Flow>, after: &Flow) {
    let place = (after.application.clone(), Quarter::of(after.created_ms));
    let contribution = batch.contributions.entry(place).or_default();
    contribution.add(after);
    if let Some(before) = before {
        contribution.subtract(before);
    }
}

/// Returns whether a part of a flow was handed to a carrier that did not answer yet. Only such a flow has
/// unanswered parts in the database.
pub(super) fn has_handed_part(flow: &Flow) -> bool {
    let mut parts = flow.state.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(part.submit, flow::Submit::Handed { .. }))
}

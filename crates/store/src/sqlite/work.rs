//! One transaction of the writer: commands applied in memory, flows written once at its end.

use super::admin::flow_of_document;
use super::cache::Stored;
use super::schema::DOCUMENT_MAX;
use super::writer::Counters;
use super::{Shared, balances, removing};
use crate::{Accepted, Change, IdempotencyKey, Ids, Reserved, Result, StoreError, Token};
use flow::{Applied, Content, Event, Flow, Price, Shortened, Submit};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Octets that a probe writes: as many as a large flow, so that it fails where such a flow would.
const PROBE_BYTES: i64 = 16 * 1024;

/// A flow as this transaction leaves it.
pub(super) struct Staged {
    stored: Stored,
    new: bool,
    dirty: bool,
    /// Its document as it was accepted, while nothing has happened to it since.
    document: Option<Arc<[u8]>>,
}

/// One transaction. Flows are changed in memory and written once at its end.
pub(super) struct Work<'a> {
    pub(super) connection: &'a Connection,
    shared: &'a Shared,
    ids: &'a Ids,
    pub(super) counters: &'a mut Counters,
    pub(super) staged: HashMap<Uuid, Staged>,
    /// The staged flows that changed, in the order of their first change.
    dirty: Vec<Uuid>,
    pub(super) removed: Vec<Change>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        shared: &'a Shared,
        ids: &'a Ids,
        counters: &'a mut Counters,
    ) -> Work<'a> {
        let (staged, dirty, removed) = (HashMap::new(), Vec::new(), Vec::new());
        Work { connection, shared, ids, counters, staged, dirty, removed }
    }

    /// The flows that changed, in the order of their first change, and those that were removed.
    pub(super) fn into_changes(mut self) -> (Vec<Stored>, Vec<Change>) {
        let changed = self.dirty.iter().filter_map(|id| self.staged.remove(id)).map(|entry| entry.stored);
        (changed.collect(), self.removed)
    }

    /// Stores a new flow, whose document was made from it.
    pub(super) fn accept(
        &mut self,
        flow: &Arc<Flow>,
        document: &Arc<[u8]>,
        key: Option<&IdempotencyKey>,
        now_ms: i64,
    ) -> rusqlite::Result<Result<Accepted>> {
        if let Some(key) = key
            && let Some(answer) = self.use_key(flow, key, now_ms)?
        {
            return Ok(answer);
        }
        let shortened = flow.steps.iter().filter_map(|step| match &step.content {
            Content::Sms(sms) => sms.shortened.as_ref(),
            _ => None,
        });
        for Shortened { validity_s, links } in shortened {
            let expires_ms = flow.created_ms.saturating_add(i64::from(*validity_s) * 1000);
            for link in links {
                let sql = "INSERT INTO links (code, url, expires_ms)
                           VALUES (?1, seal(CAST(?1 AS BLOB), CAST(?2 AS BLOB)), ?3)";
                self.connection.prepare_cached(sql)?.execute(params![link.code, link.url, expires_ms])?;
            }
        }
        for recipient in removing::later_recipients(flow) {
            let sql = "INSERT OR IGNORE INTO later_recipients (recipient, flow) VALUES (blind('recipient', ?1, lower(?2)), ?3)";
            self.connection.prepare_cached(sql)?.execute(params![
                flow.application,
                recipient,
                flow.id.as_bytes()
            ])?;
        }
        self.counters.row += 1;
        let id = flow.id;
        let stored = Stored { row: self.counters.row, flow: Arc::clone(flow), octets: document.len() };
        let document = Some(Arc::clone(document));
        self.staged.insert(id, Staged { stored, new: true, dirty: true, document });
        self.dirty.push(id);
        Ok(Ok(Accepted::New))
    }

    /// Uses an idempotency key; answers what is to be answered where it was used before.
    fn use_key(
        &mut self,
        flow: &Flow,
        key: &IdempotencyKey,
        now_ms: i64,
    ) -> rusqlite::Result<Option<Result<Accepted>>> {
        let IdempotencyKey { key, body_hash } = key;
        // Neither the key nor the body's hash is kept as it is: whoever reads the database can't try bodies. Version
        // 0.1 kept both, for a day.
        let sql = "SELECT body_hash, body_hash = blind('body', ?1, ?3), flow FROM keys
                   WHERE application = ?1 AND key IN (?2, hex(blind('key', ?1, ?2)))";
        let used = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![flow.application, key, body_hash], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, bool>(1)?, row.get::<_, [u8; 16]>(2)?))
            })
            .optional()?;
        if let Some((known_hash, same, known_flow)) = used {
            if !same && known_hash != body_hash {
                return Ok(Some(Err(StoreError::KeyReused)));
            }
            // The flow outlives its key, unless it was erased: then nothing is sent again.
            return Ok(Some(match self.stage(Uuid::from_bytes(known_flow))? {
                Some(known) => Ok(Accepted::Replayed(Box::new(known.flow.as_ref().clone()))),
                None => Err(StoreError::KeySpent),
            }));
        }
        let sql = "INSERT INTO keys (application, key, body_hash, flow, used_ms)
                   VALUES (?1, hex(blind('key', ?1, ?2)), blind('body', ?1, ?3), ?4, ?5)";
        let values = params![flow.application, key, body_hash, flow.id.as_bytes(), now_ms];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(None)
    }

    /// The flow as this transaction has it so far.
    pub(super) fn stage(&mut self, id: Uuid) -> rusqlite::Result<Option<&mut Stored>> {
        if !self.staged.contains_key(&id) {
            let cached = self.shared.cache.lock().get(&id).cloned();
            let stored = match cached {
                Some(stored) => Some(stored),
                None => {
                    let sql =
                        "SELECT iif(length(doc) <= ?2, unseal(id, doc), NULL), row FROM flows WHERE id = ?1";
                    let of_row = |row: &rusqlite::Row<'_>| {
                        let document = row.get_ref(0)?.as_blob()?;
                        let flow = Arc::new(flow_of_document(document)?);
                        Ok(Stored { flow, row: row.get(1)?, octets: document.len() })
                    };
                    let mut statement = self.connection.prepare_cached(sql)?;
                    statement.query_row(params![id.as_bytes(), DOCUMENT_MAX], of_row).optional()?
                }
            };
            let Some(stored) = stored else { return Ok(None) };
            self.staged.insert(id, Staged { stored, new: false, dirty: false, document: None });
        }
        Ok(self.staged.get_mut(&id).map(|staged| &mut staged.stored))
    }

    pub(super) fn apply(
        &mut self,
        id: Uuid,
        event: &Event,
        now_ms: i64,
    ) -> rusqlite::Result<Option<Applied>> {
        let ids = Arc::clone(self.ids);
        let Some(stored) = self.stage(id)? else { return Ok(None) };
        let before = stored.flow.committed();
        let applied = Arc::make_mut(&mut stored.flow).apply(event, now_ms, &mut || ids(now_ms));
        if applied.changed {
            let (spent, application) = (stored.flow.committed() - before, stored.flow.application.clone());
            self.mark(id);
            if spent != Price::ZERO {
                balances::add(self.connection, &application, -spent)?;
            }
        }
        self.follow(id, event, applied.changed, now_ms)?;
        Ok(Some(applied))
    }

    /// Holds a part's price, or ends the flow.
    pub(super) fn reserve(
        &mut self,
        id: Uuid,
        message: u16,
        part: u16,
        price: Price,
        now_ms: i64,
    ) -> rusqlite::Result<Reserved> {
        let Some(stored) = self.stage(id)? else { return Ok(Reserved::Gone) };
        let application = stored.flow.application.clone();
        let state = stored.flow.state.messages.get(usize::from(message));
        let state = state.and_then(|state| state.parts.get(usize::from(part)));
        let owed = state.filter(|state| matches!(state.submit, Submit::Owed { .. }));
        let Some(held) = owed.map(|state| state.held.unwrap_or_default()) else { return Ok(Reserved::Gone) };
        let Some(balance) = balances::get(self.connection, &application)? else { return Ok(Reserved::Yes) };
        if balance + held < price {
            self.apply(id, &Event::Unaffordable { message }, now_ms)?;
            return Ok(Reserved::No);
        }
        self.apply(id, &Event::Reserved { message, part, price }, now_ms)?;
        Ok(Reserved::Yes)
    }

    fn mark(&mut self, id: Uuid) {
        let Some(staged) = self.staged.get_mut(&id) else { return };
        staged.document = None;
        if !staged.dirty {
            staged.dirty = true;
            self.dirty.push(id);
        }
    }

    /// What `look` finds in a flow as this transaction has it so far; the flow is not kept for it.
    pub(super) fn look<T>(&mut self, id: Uuid, look: impl FnOnce(&Flow) -> T) -> rusqlite::Result<Option<T>> {
        let was_staged = self.staged.contains_key(&id);
        let found = self.stage(id)?.map(|stored| look(&stored.flow));
        if !was_staged {
            self.staged.remove(&id);
        }
        Ok(found)
    }

    /// Whether a flow was set aside.
    pub(super) fn is_quarantined(&self, id: Uuid) -> bool {
        self.shared.quarantined.lock().contains(&id)
    }

    pub(super) fn replay(&mut self, now_ms: i64) -> rusqlite::Result<usize> {
        let mut statement = self.connection.prepare_cached("SELECT flow FROM replays LIMIT 100")?;
        let ids: Vec<[u8; 16]> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        for id in &ids {
            // A flow that was pruned meanwhile has nothing to replay.
            self.apply(Uuid::from_bytes(*id), &Event::CallbacksReplayed, now_ms)?;
            self.connection.prepare_cached("DELETE FROM replays WHERE flow = ?1")?.execute([id])?;
        }
        Ok(ids.len())
    }

    pub(super) fn add_token(&mut self, token: &Token, most: usize) -> rusqlite::Result<()> {
        let sql = "DELETE FROM tokens WHERE hash IN (
                       SELECT hash FROM tokens WHERE application = ?1 ORDER BY expires_ms DESC LIMIT -1 OFFSET ?2)";
        let others = i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX);
        self.connection.prepare_cached(sql)?.execute(params![token.application, others])?;
        let sql = "INSERT INTO tokens (hash, application, expires_ms, scope) VALUES (?1, ?2, ?3, ?4)";
        let values = params![token.hash, token.application, token.expires_ms, token.scope];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Writes what says nothing.
    pub(super) fn probe(&mut self) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO probe (row, filler) VALUES (1, randomblob(?1))";
        self.connection.prepare_cached(sql)?.execute([PROBE_BYTES])?;
        Ok(())
    }

    /// Writes every flow that changed.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        let insert = "INSERT INTO flows (row, id, created_ms, change, owes, dead, doc)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, seal(?2, ?7))";
        let update = "UPDATE flows SET change = ?2, owes = ?3, dead = ?4, doc = seal(id, ?5) WHERE row = ?1";
        let mut insert = self.connection.prepare_cached(insert)?;
        let mut update = self.connection.prepare_cached(update)?;
        for id in &self.dirty {
            let Some(Staged { stored, new, document, .. }) = self.staged.get_mut(id) else { continue };
            self.counters.change += 1;
            let (change, flow) = (self.counters.change, &stored.flow);
            let document = match document.take() {
                Some(document) => document,
                None => document_of(flow)?,
            };
            stored.octets = document.len();
            let (row, owes, dead) =
                (stored.row, !flow.tasks().is_empty(), flow.callbacks.dead().count() as i64);
            if *new {
                let values = params![row, id.as_bytes(), flow.created_ms, change, owes, dead, &*document];
                insert.execute(values)?;
            } else {
                update.execute(params![row, change, owes, dead, &*document])?;
            }
        }
        Ok(())
    }
}

/// A flow's document.
pub(super) fn document_of(flow: &Flow) -> rusqlite::Result<Arc<[u8]>> {
    let document = serde_json::to_vec(flow);
    document.map(Arc::from).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

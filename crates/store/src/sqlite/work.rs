//! One transaction of the writer: commands applied in memory, flows written once at its end.

use super::admin::{flow_of_row, json};
use super::writer::{Answer, Command, Counters, Reply, answer};
use super::{Shared, Stored, balances, removing, suppressions};
use crate::{Accepted, Change, IdempotencyKey, Ids, Matched, Reserved, Result, StoreError, Token};
use flow::{Applied, CarrierRef, Content, Event, Flow, Price, Receipt, Shortened, Submit};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Most receipts kept without a message; beyond it the oldest are forgotten.
const EARLY_MAX: i64 = 100_000;

/// A flow as this transaction leaves it.
pub(super) struct Staged {
    stored: Stored,
    new: bool,
    dirty: bool,
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

    /// Does one command; `skip` only answers it. An error ends the transaction.
    pub(super) fn run(
        &mut self,
        command: Command,
        answers: &mut Vec<Answer>,
        skip: bool,
    ) -> rusqlite::Result<()> {
        match command {
            Command::Accept { flow, key, now_ms, reply } => {
                self.settle(reply, answers, skip, |work| work.accept(*flow, key, now_ms))
            }
            Command::Apply { id, event, now_ms, reply } => self.settle(reply, answers, skip, |work| {
                Ok(work.apply(id, &event, now_ms)?.ok_or(StoreError::NotFound))
            }),
            Command::Receipt { carrier, receipt, now_ms, reply } => {
                self.settle(reply, answers, skip, |work| work.receipt(&carrier, receipt, now_ms).map(Ok))
            }
            Command::Prune { retention, limit, reply } => {
                self.settle(reply, answers, skip, |work| work.prune(retention, limit).map(Ok))
            }
            Command::See { now_ms, reply } => {
                self.settle(reply, answers, skip, |work| work.see(now_ms).map(Ok))
            }
            Command::PruneFlows { application, ids, reply } => {
                self.settle(reply, answers, skip, |work| work.prune_flows(&application, &ids).map(Ok))
            }
            Command::Erase { application, ids, now_ms, reply } => {
                self.settle(reply, answers, skip, |work| work.erase(&application, &ids, now_ms).map(Ok))
            }
            Command::Replay { now_ms, reply } => {
                self.settle(reply, answers, skip, |work| work.replay(now_ms).map(Ok))
            }
            Command::Reserve { id, message, part, price, now_ms, reply } => {
                self.settle(reply, answers, skip, |work| {
                    work.reserve(id, message, part, price, now_ms).map(Ok)
                })
            }
            Command::Suppress { suppression, reply } => self.settle(reply, answers, skip, |work| {
                suppressions::add(work.connection, &suppression).map(Ok)
            }),
            Command::Unsuppress { application, channel, recipient, reply } => {
                self.settle(reply, answers, skip, |work| {
                    suppressions::remove(work.connection, &application, channel, &recipient).map(Ok)
                })
            }
            Command::ForgetRemovals { until, reply } => {
                self.settle(reply, answers, skip, |work| work.forget_removals(until).map(Ok))
            }
            Command::Close { reply } => self.settle(reply, answers, skip, |_| Ok(Ok(()))),
            Command::AddToken { token, reply } => {
                self.settle(reply, answers, skip, |work| work.add_token(&token).map(Ok))
            }
        }
    }

    /// Does some work unless `skip`, and notes what is to be answered.
    fn settle<T: 'static>(
        &mut self,
        reply: Reply<T>,
        answers: &mut Vec<Answer>,
        skip: bool,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<Result<T>>,
    ) -> rusqlite::Result<()> {
        // Where the transaction fails, its error takes the place of this answer.
        let failed = || Err(StoreError::Unavailable("the transaction failed".into()));
        let (result, outcome) = match if skip { Ok(failed()) } else { work(self) } {
            Ok(result) => (result, Ok(())),
            Err(error) => (failed(), Err(error)),
        };
        answers.push(answer(reply, result));
        outcome
    }

    fn accept(
        &mut self,
        flow: Flow,
        key: Option<IdempotencyKey>,
        now_ms: i64,
    ) -> rusqlite::Result<Result<Accepted>> {
        if let Some(IdempotencyKey { key, body_hash }) = key {
            let sql = "SELECT body_hash, flow FROM keys WHERE application = ?1 AND key = ?2";
            let used = self
                .connection
                .prepare_cached(sql)?
                .query_row([&flow.application, &key], |row| {
                    Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, [u8; 16]>(1)?))
                })
                .optional()?;
            if let Some((known_hash, known_flow)) = used {
                if known_hash != body_hash {
                    return Ok(Err(StoreError::KeyReused));
                }
                // The flow outlives its key: keys are kept for a day, flows for `retention_days`.
                if let Some(known) = self.stage(Uuid::from_bytes(known_flow))? {
                    return Ok(Ok(Accepted::Replayed(Box::new(known.flow.as_ref().clone()))));
                }
            }
            let sql = "INSERT OR REPLACE INTO keys (application, key, body_hash, flow, used_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![flow.application, key, body_hash, flow.id.as_bytes(), now_ms];
            self.connection.prepare_cached(sql)?.execute(values)?;
        }
        let shortened = flow.steps.iter().filter_map(|step| match &step.content {
            Content::Sms(sms) => sms.shortened.as_ref(),
            Content::Viber(_) | Content::Voice(_) => None,
        });
        for Shortened { validity_s, links } in shortened {
            let expires_ms = flow.created_ms.saturating_add(i64::from(*validity_s) * 1000);
            for link in links {
                let sql = "INSERT INTO links (code, url, expires_ms) VALUES (?1, ?2, ?3)";
                self.connection.prepare_cached(sql)?.execute(params![link.code, link.url, expires_ms])?;
            }
        }
        for recipient in removing::recipients_beside(&flow) {
            let sql = "INSERT OR IGNORE INTO beside (application, recipient, flow) VALUES (?1, ?2, ?3)";
            self.connection.prepare_cached(sql)?.execute(params![
                flow.application,
                recipient,
                flow.id.as_bytes()
            ])?;
        }
        self.counters.row += 1;
        let id = flow.id;
        let stored = Stored { row: self.counters.row, flow: Arc::new(flow) };
        self.staged.insert(id, Staged { stored, new: true, dirty: true });
        self.dirty.push(id);
        Ok(Ok(Accepted::New))
    }

    /// The flow as this transaction has it so far.
    pub(super) fn stage(&mut self, id: Uuid) -> rusqlite::Result<Option<&mut Stored>> {
        if !self.staged.contains_key(&id) {
            let cached = self.shared.cache.lock().get(&id).cloned();
            let stored = match cached {
                Some(stored) => Some(stored),
                None => {
                    let sql = "SELECT unseal(id, doc), row FROM flows WHERE id = ?1";
                    let of_row = |row: &rusqlite::Row<'_>| {
                        Ok(Stored { flow: Arc::new(flow_of_row(row)?), row: row.get(1)? })
                    };
                    self.connection.prepare_cached(sql)?.query_row([id.as_bytes()], of_row).optional()?
                }
            };
            let Some(stored) = stored else { return Ok(None) };
            self.staged.insert(id, Staged { stored, new: false, dirty: false });
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
        if let Event::Submitted { message, part, carrier, .. } = event {
            self.remember(id, *message, *part, carrier, now_ms)?;
        }
        Ok(Some(applied))
    }

    /// Holds a part's price, or ends the flow.
    fn reserve(
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
        if let Some(staged) = self.staged.get_mut(&id)
            && !staged.dirty
        {
            staged.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Remembers what a carrier calls a message, and applies the receipts that came before.
    fn remember(
        &mut self,
        id: Uuid,
        message: u16,
        part: u16,
        of: &CarrierRef,
        now_ms: i64,
    ) -> rusqlite::Result<()> {
        // A carrier that uses an id again means the newer message.
        let sql = "INSERT OR REPLACE INTO refs (carrier, reference, flow, message, part) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![of.carrier, of.reference, id.as_bytes(), message, part];
        self.connection.prepare_cached(sql)?.execute(values)?;
        if self.counters.early == 0 {
            return Ok(());
        }
        let sql = "SELECT receipt FROM early WHERE carrier = ?1 AND reference = ?2 ORDER BY row";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows =
            statement.query_map([&of.carrier, &of.reference], |row| json(0, row.get_ref(0)?.as_blob()?))?;
        let receipts: Vec<Receipt> = rows.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        if receipts.is_empty() {
            return Ok(());
        }
        let sql = "DELETE FROM early WHERE carrier = ?1 AND reference = ?2";
        let deleted = self.connection.prepare_cached(sql)?.execute([&of.carrier, &of.reference])?;
        self.counters.early -= deleted as i64;
        for receipt in receipts {
            self.apply(id, &Event::Receipt { message, part, receipt }, now_ms)?;
        }
        Ok(())
    }

    fn receipt(&mut self, of: &CarrierRef, receipt: Receipt, now_ms: i64) -> rusqlite::Result<Matched> {
        let sql = "SELECT flow, message, part FROM refs WHERE carrier = ?1 AND reference = ?2";
        let of_row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, row.get(2)?));
        let known = self
            .connection
            .prepare_cached(sql)?
            .query_row([&of.carrier, &of.reference], of_row)
            .optional()?;
        if let Some((flow, message, part)) = known {
            let event = Event::Receipt { message, part, receipt };
            let applied = self.apply(Uuid::from_bytes(flow), &event, now_ms)?;
            // Refs are deleted with their flow.
            return Ok(Matched::Applied(applied.unwrap_or_default()));
        }
        let text = serde_json::to_vec(&receipt)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let sql = "INSERT INTO early (carrier, reference, received_ms, receipt) VALUES (?1, ?2, ?3, ?4)";
        self.connection.prepare_cached(sql)?.execute(params![of.carrier, of.reference, now_ms, text])?;
        self.counters.early += 1;
        if self.counters.early > EARLY_MAX {
            let sql = "DELETE FROM early WHERE row IN (SELECT row FROM early ORDER BY row LIMIT 100)";
            self.counters.early -= self.connection.execute(sql, [])? as i64;
        }
        Ok(Matched::Early)
    }

    fn replay(&mut self, now_ms: i64) -> rusqlite::Result<usize> {
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

    fn add_token(&mut self, token: &Token) -> rusqlite::Result<()> {
        let sql = "INSERT INTO tokens (hash, application, expires_ms, scope) VALUES (?1, ?2, ?3, ?4)";
        let values = params![token.hash, token.application, token.expires_ms, token.scope];
        self.connection.prepare_cached(sql)?.execute(values)?;
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
            let Some(Staged { stored: Stored { row, flow }, new, .. }) = self.staged.get(id) else {
                continue;
            };
            self.counters.change += 1;
            let change = self.counters.change;
            let doc = serde_json::to_vec(&**flow)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            let (owes, dead) = (!flow.tasks().is_empty(), flow.dead_callbacks.len());
            if *new {
                insert.execute(params![
                    row,
                    id.as_bytes(),
                    flow.created_ms,
                    change,
                    owes,
                    dead as i64,
                    doc
                ])?;
            } else {
                update.execute(params![row, change, owes, dead as i64, doc])?;
            }
        }
        Ok(())
    }
}

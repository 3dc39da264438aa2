//! Administration of a database that a server may be using.

use super::rows::{self, flow_of_row};
use super::schema::{failed, open_writer, secret_key};
use super::{balances, compacting, halts, inbound, quarantine, statistics_rebuild, suppressions, unmatched};
use crate::admin::{Admin, Compacted, DeadCallback, Quarantined};
use crate::application::{
    Application, ApplicationLimits, ApplicationSettings, CallbackKey, NewApplication, draw_secret,
};
use crate::error::{Result, StoreError};
use crate::halts::HaltedCarrier;
use crate::inbound::StoredInbound;
use crate::sealing::Keyring;
use crate::statistics::RebuiltStatistics;
use crate::suppression::Suppression;
use crate::unmatched::UnmatchedReceipt;
use async_trait::async_trait;
use flow::{Channel, Flow, Price};
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::path::Path;
use uuid::Uuid;

/// [`Admin`] over a connection of its own. A call blocks its thread while it works, and for at most ten
/// seconds while another process writes: it is for commands, not for a server.
pub struct SqliteAdmin {
    connection: Mutex<Connection>,
    keys: Keyring,
}

impl SqliteAdmin {
    /// Opens the database at `path`, and creates it if it is absent. Only [`Admin::dead_callbacks`],
    /// [`Admin::compact`], [`Admin::rebuild_statistics`], [`Admin::unmatched_receipts`] and
    /// [`Admin::inbound`] need the keys.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open(path: &Path, keys: &Keyring) -> Result<SqliteAdmin> {
        Ok(SqliteAdmin { connection: Mutex::new(open_writer(path, keys)?), keys: keys.clone() })
    }

    /// Does one statement, or reads.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.connection.lock()).map_err(failed)
    }

    /// Does all of it or nothing. Nobody writes in between.
    pub(super) fn transact<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut connection = self.connection.lock();
        let immediate = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(immediate).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Changes an application's settings if `which` says so of it; returns what they are then.
    fn change_settings(
        &self,
        id: &str,
        which: impl FnOnce(&Application) -> bool,
        change: impl FnOnce(&mut ApplicationSettings),
    ) -> Result<Option<ApplicationSettings>> {
        self.transact(|transaction| {
            let Some(mut known) = rows::application(transaction, id)?.filter(which) else { return Ok(None) };
            change(&mut known.settings);
            let settings = rows::to_json(&known.settings)?;
            let sql = "UPDATE applications SET settings = CAST(?2 AS TEXT) WHERE id = ?1";
            transaction.execute(sql, params![id, settings])?;
            Ok(Some(known.settings))
        })
    }
}

fn end_tokens(transaction: &Transaction<'_>, application: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tokens WHERE application = ?1", [application]).map(drop)
}

/// A flow's callbacks that were given up.
fn dead_callbacks(flow: &Flow) -> impl Iterator<Item = DeadCallback> {
    let url = flow.callback.as_ref().map(|callback| callback.url.clone()).unwrap_or_default();
    flow.callbacks.dead().map(move |dead| DeadCallback {
        tracking_id: flow.id,
        application_id: flow.application.clone(),
        url: url.clone(),
        webhook_id: flow.webhook_id(dead),
        attempts: dead.attempts,
        error: dead.error.clone().unwrap_or_default(),
    })
}

#[async_trait]
impl Admin for SqliteAdmin {
    async fn secret_key(&self) -> Result<[u8; 32]> {
        self.with(secret_key)
    }

    async fn add_application(&self, new: &NewApplication) -> Result<()> {
        let Application { id, name, secret_hash, created_ms, revoked_ms, settings } = &new.application;
        self.with(|connection| {
            let settings = rows::to_json(settings)?;
            let sql = "INSERT INTO applications (id, name, secret_hash, created_ms, revoked_ms, settings)
                       VALUES (?1, ?2, ?3, ?4, ?5, CAST(?6 AS TEXT))";
            let values = params![id, name, secret_hash, created_ms, revoked_ms, settings];
            connection.execute(sql, values).map(drop)
        })
    }

    async fn applications(&self) -> Result<Vec<Application>> {
        self.with(rows::applications)
    }

    async fn application(&self, id: &str) -> Result<Option<Application>> {
        self.with(|connection| rows::application(connection, id))
    }

    async fn set_limits(&self, id: &str, limits: ApplicationLimits) -> Result<bool> {
        Ok(self.change_settings(id, |_| true, |settings| settings.limits = limits)?.is_some())
    }

    async fn revoke_application(&self, id: &str, now_ms: i64) -> Result<bool> {
        self.transact(|transaction| {
            let sql = "UPDATE applications SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
            let revoked = transaction.execute(sql, params![id, now_ms])?;
            end_tokens(transaction, id)?;
            Ok(revoked > 0)
        })
    }

    async fn rotate_secret(&self, id: &str) -> Result<Option<String>> {
        let (secret, hash) = draw_secret(&self.with(secret_key)?)
            .map_err(|error| StoreError::unavailable(error.to_string()))?;
        self.transact(|transaction| {
            let sql = "UPDATE applications SET secret_hash = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
            let changed = transaction.execute(sql, params![id, hash])?;
            end_tokens(transaction, id)?;
            Ok((changed > 0).then_some(secret))
        })
    }

    async fn rotate_callback_key(&self, id: &str, now_ms: i64) -> Result<Option<CallbackKey>> {
        let is_valid = |application: &Application| application.revoked_ms.is_none();
        let settings = self.change_settings(id, is_valid, |settings| {
            settings.callback_key = settings.callback_key.next(now_ms);
        })?;
        Ok(settings.map(|settings| settings.callback_key))
    }

    async fn balance(&self, application: &str) -> Result<Option<Price>> {
        self.with(|connection| balances::get(connection, application))
    }

    async fn set_balance(&self, application: &str, balance: Option<Price>) -> Result<bool> {
        self.with(|connection| balances::set(connection, application, balance))
    }

    async fn add_balance(&self, application: &str, amount: Price) -> Result<Option<Price>> {
        self.transact(|transaction| balances::add(transaction, application, amount))
    }

    async fn suppress(&self, suppressions: &[Suppression]) -> Result<()> {
        self.transact(|transaction| {
            suppressions.iter().try_for_each(|suppression| suppressions::add(transaction, suppression))
        })
    }

    async fn unsuppress(&self, application: &str, channel: Channel, recipient: &str) -> Result<bool> {
        self.with(|connection| suppressions::remove(connection, application, channel, recipient))
    }

    async fn suppressions(
        &self,
        application: &str,
        channel: Channel,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.with(|connection| suppressions::list(connection, application, channel, after, limit))
    }

    async fn dead_callbacks(&self, of: Option<&[String]>, limit: usize) -> Result<Vec<DeadCallback>> {
        self.with(|connection| {
            let sql = "SELECT unseal(id, doc) FROM flows INDEXED BY flows_dead WHERE dead > 0 ORDER BY row";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let (mut found, mut flows) = (Vec::new(), 0);
            while flows < limit
                && let Some(row) = rows.next()?
            {
                // One that can't be read keeps nobody from seeing the others. Whose it is stands in the
                // document.
                let Ok(flow) = flow_of_row(row) else { continue };
                if of.is_none_or(|of| of.contains(&flow.application)) {
                    found.extend(dead_callbacks(&flow));
                    flows += 1;
                }
            }
            Ok(found)
        })
    }

    async fn request_replay(&self, id: Option<Uuid>) -> Result<usize> {
        let all = "INSERT OR IGNORE INTO replays SELECT id FROM flows WHERE dead > 0";
        let one = "INSERT OR IGNORE INTO replays SELECT id FROM flows WHERE dead > 0 AND id = ?1";
        self.with(|connection| match id {
            Some(id) => connection.execute(one, [id.as_bytes()]),
            None => connection.execute(all, []),
        })
    }

    async fn halt_carriers(&self, halted: &[HaltedCarrier]) -> Result<()> {
        self.transact(|transaction| halted.iter().try_for_each(|halted| halts::set(transaction, halted)))
    }

    async fn resume_carriers(&self, carrier: Option<&str>) -> Result<usize> {
        self.with(|connection| halts::remove(connection, carrier))
    }

    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>> {
        self.with(halts::list)
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>> {
        self.with(|connection| quarantine::list(connection, limit))
    }

    async fn release(&self, id: Uuid) -> Result<bool> {
        self.with(|connection| quarantine::release(connection, id))
    }

    async fn compact(&self, after: Option<Uuid>, limit: usize) -> Result<Compacted> {
        self.transact(|transaction| compacting::compact(transaction, &self.keys, after, limit))
    }

    async fn rebuild_statistics(&self) -> Result<RebuiltStatistics> {
        self.transact(|transaction| statistics_rebuild::rebuild(transaction, &self.keys))
    }

    async fn unmatched_receipts(&self, limit: usize, now_ms: i64) -> Result<Vec<UnmatchedReceipt>> {
        self.with(|connection| unmatched::list(connection, limit, now_ms))
    }

    async fn inbound(&self, limit: usize, from: Option<&str>) -> Result<Vec<StoredInbound>> {
        self.with(|connection| inbound::list(connection, limit, from))
    }
}

//! The small door: applications and dead callbacks, for the command line, beside a running server or without one.

use super::schema::{failed, open_writer, secret_key};
use super::{balances, inbound, quarantine, suppressions, unmatched};
use crate::application::draw_secret;
use crate::{
    Application, ApplicationLimits, CallbackKey, DeadCallback, Keyring, NewApplication, Quarantined, Result,
    StoreError, StoredInbound, Suppression, UnmatchedReceipt,
};
use flow::{Channel, Flow, Price};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::path::Path;
use uuid::Uuid;

/// A plain connection to a database that a server may be using.
pub struct Admin {
    connection: Connection,
}

impl Admin {
    /// Opens the database at `path`, and creates it where there is none. Only [`Admin::dead_callbacks`],
    /// [`Admin::unmatched_receipts`] and [`Admin::inbound`] need the keys.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open(path: &Path, keys: &Keyring) -> Result<Admin> {
        Ok(Admin { connection: open_writer(path, keys)? })
    }

    /// The key that application secrets are hashed with.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn secret_key(&self) -> Result<[u8; 32]> {
        secret_key(&self.connection).map_err(failed)
    }

    /// Stores a new application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn add_application(&self, new: &NewApplication) -> Result<()> {
        let Application { id, name, secret_hash, created_ms, revoked_ms, settings } = &new.application;
        let settings = serde_json::to_string(settings).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let sql = "INSERT INTO applications (id, name, secret_hash, created_ms, revoked_ms, settings)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![id, name, secret_hash, created_ms, revoked_ms, settings];
        self.connection.execute(sql, values).map_err(failed)?;
        Ok(())
    }

    /// Every application, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn applications(&self) -> Result<Vec<Application>> {
        applications(&self.connection).map_err(failed)
    }

    /// Gives an application limits of its own; answers whether there is such an application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn set_limits(&mut self, id: &str, limits: ApplicationLimits) -> Result<bool> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate).map_err(failed)?;
        let Some(mut known) = application(&transaction, id).map_err(failed)? else { return Ok(false) };
        known.settings.limits = limits;
        let settings =
            serde_json::to_string(&known.settings).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let sql = "UPDATE applications SET settings = ?2 WHERE id = ?1";
        transaction.execute(sql, params![id, settings]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(true)
    }

    /// An application, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn application(&self, id: &str) -> Result<Option<Application>> {
        application(&self.connection, id).map_err(failed)
    }

    /// Takes all rights from an application and ends its tokens; answers whether there was one to revoke.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn revoke_application(&mut self, id: &str, now_ms: i64) -> Result<bool> {
        let transaction = self.connection.transaction().map_err(failed)?;
        let sql = "UPDATE applications SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
        let revoked = transaction.execute(sql, params![id, now_ms]).map_err(failed)?;
        transaction.execute("DELETE FROM tokens WHERE application = ?1", [id]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(revoked > 0)
    }

    /// Gives an application another secret and ends its tokens: the new secret, or none where there is no such
    /// application, or it was revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn rotate_secret(&mut self, id: &str) -> Result<Option<String>> {
        let key = self.secret_key()?;
        let (secret, hash) = draw_secret(&key).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let transaction = self.connection.transaction().map_err(failed)?;
        let sql = "UPDATE applications SET secret_hash = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
        let changed = transaction.execute(sql, params![id, hash]).map_err(failed)?;
        transaction.execute("DELETE FROM tokens WHERE application = ?1", [id]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok((changed > 0).then_some(secret))
    }

    /// Gives an application another key for its callbacks' signatures; the one of before signs beside it for
    /// [`CallbackKey::GRACE_MS`]. The key, or none where there is no such application, or it was revoked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn rotate_callback_key(&mut self, id: &str, now_ms: i64) -> Result<Option<CallbackKey>> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate).map_err(failed)?;
        let found = application(&transaction, id).map_err(failed)?;
        let Some(mut settings) = found.filter(|found| found.revoked_ms.is_none()).map(|found| found.settings)
        else {
            return Ok(None);
        };
        settings.callback_key = settings.callback_key.next(now_ms);
        let json = serde_json::to_string(&settings).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let sql = "UPDATE applications SET settings = ?2 WHERE id = ?1";
        transaction.execute(sql, params![id, json]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Some(settings.callback_key))
    }

    /// What an application may still spend; none where nobody counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn balance(&self, application: &str) -> Result<Option<Price>> {
        balances::get(&self.connection, application).map_err(failed)
    }

    /// Sets what an application may still spend, or counts no more; answers whether there is such an application.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn set_balance(&self, application: &str, balance: Option<Price>) -> Result<bool> {
        balances::set(&self.connection, application, balance).map_err(failed)
    }

    /// Adds to what an application may still spend; answers with the new balance, or none where nobody counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn add_balance(&mut self, application: &str, amount: Price) -> Result<Option<Price>> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate).map_err(failed)?;
        let balance = balances::add(&transaction, application, amount).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(balance)
    }

    /// Remembers recipients who want no more messages, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn suppress(&mut self, suppressions: &[Suppression]) -> Result<()> {
        let transaction = self.connection.transaction().map_err(failed)?;
        for suppression in suppressions {
            suppressions::add(&transaction, suppression).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Forgets one; answers whether there was one to forget.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn unsuppress(&self, application: &str, channel: Channel, recipient: &str) -> Result<bool> {
        suppressions::remove(&self.connection, application, channel, recipient).map_err(failed)
    }

    /// At most `limit` of an application's, by recipient, behind `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn suppressions(
        &self,
        application: &str,
        channel: Channel,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        suppressions::list(&self.connection, application, channel, after, limit).map_err(failed)
    }

    /// The callbacks that were given up, of at most `limit` flows, oldest flows first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn dead_callbacks(&self, limit: usize) -> Result<Vec<DeadCallback>> {
        let sql =
            "SELECT unseal(id, doc) FROM flows INDEXED BY flows_dead WHERE dead > 0 ORDER BY row LIMIT ?1";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map([limit as i64], |row| Ok(flow_of_row(row))).map_err(failed)?;
        let mut found = Vec::new();
        for flow in rows {
            // One that can't be read keeps nobody from seeing the others.
            let Ok(flow) = flow.map_err(failed)? else { continue };
            let url = flow.callback.as_ref().map(|callback| callback.url.clone()).unwrap_or_default();
            found.extend(flow.callbacks.dead().map(|dead| DeadCallback {
                tracking_id: flow.id,
                application_id: flow.application.clone(),
                url: url.clone(),
                webhook_id: flow.webhook_id(dead),
                attempts: dead.attempts,
                error: dead.error.clone().unwrap_or_default(),
            }));
        }
        Ok(found)
    }

    /// At most `limit` flows that were set aside, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>> {
        quarantine::list(&self.connection, limit).map_err(failed)
    }

    /// Lets a flow that was set aside be tried again from the server's next start on; answers whether it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn release(&self, id: Uuid) -> Result<bool> {
        quarantine::release(&self.connection, id).map_err(failed)
    }

    /// At most `limit` receipts that reached no message, the newest first: those that a carrier could not make sense of,
    /// and those whose message was still not known after a minute. `now_ms` is the time, Unix milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn unmatched_receipts(&self, limit: usize, now_ms: i64) -> Result<Vec<UnmatchedReceipt>> {
        unmatched::list(&self.connection, limit, now_ms).map_err(failed)
    }

    /// At most `limit` messages from handsets, the newest first, those among them of which segments are missing; from one
    /// number, or from all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn inbound(&self, limit: usize, from: Option<&str>) -> Result<Vec<StoredInbound>> {
        inbound::list(&self.connection, limit, from).map_err(failed)
    }

    /// Asks the server (the running one, or the next) to make a flow's dead callbacks again, or those of every
    /// flow; answers for how many flows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn request_replay(&self, id: Option<Uuid>) -> Result<usize> {
        let all = "INSERT OR IGNORE INTO replays SELECT id FROM flows WHERE dead > 0";
        let one = "INSERT OR IGNORE INTO replays SELECT id FROM flows WHERE dead > 0 AND id = ?1";
        let requested = match id {
            Some(id) => self.connection.execute(one, [id.as_bytes()]),
            None => self.connection.execute(all, []),
        };
        requested.map_err(failed)
    }
}

/// What [`application_of_row`] reads, of a table called `a`.
pub(super) const APPLICATION_COLUMNS: &str =
    "a.id, a.name, a.secret_hash, a.created_ms, a.revoked_ms, a.settings";

pub(super) fn application_of_row(row: &Row<'_>) -> rusqlite::Result<Application> {
    Ok(Application {
        id: row.get(0)?,
        name: row.get(1)?,
        secret_hash: row.get(2)?,
        created_ms: row.get(3)?,
        revoked_ms: row.get(4)?,
        settings: json(5, row.get_ref(5)?.as_str()?.as_bytes())?,
    })
}

pub(super) fn applications(connection: &Connection) -> rusqlite::Result<Vec<Application>> {
    let sql = format!("SELECT {APPLICATION_COLUMNS} FROM applications a ORDER BY a.created_ms, a.id");
    connection.prepare(&sql)?.query_map([], application_of_row)?.collect()
}

pub(super) fn application(connection: &Connection, id: &str) -> rusqlite::Result<Option<Application>> {
    let sql = format!("SELECT {APPLICATION_COLUMNS} FROM applications a WHERE a.id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], application_of_row).optional()
}

/// Reads a flow from the first column of a row.
pub(super) fn flow_of_row(row: &Row<'_>) -> rusqlite::Result<Flow> {
    flow_of_document(row.get_ref(0)?.as_blob()?)
}

/// Reads a flow from its document.
pub(super) fn flow_of_document(document: &[u8]) -> rusqlite::Result<Flow> {
    let mut flow: Flow = json(0, document)?;
    flow.adopt_old_callbacks();
    Ok(flow)
}

/// Reads JSON from a column.
pub(super) fn json<T: serde::de::DeserializeOwned>(column: usize, text: &[u8]) -> rusqlite::Result<T> {
    serde_json::from_slice(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
    })
}

/// Reads an amount.
pub(super) fn decimal(text: &str) -> rusqlite::Result<Price> {
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

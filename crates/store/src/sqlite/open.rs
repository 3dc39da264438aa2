//! Opening the embedded store.

use super::database::SqliteDatabase;
use super::options::{OpenReport, SqliteOptions, Threads};
use super::reader::SqliteReader;
use super::reserve::Reserve;
use super::schema::{self, DOCUMENT_MAX, failed, open_writer};
use super::{counters, lives, quarantine, statistics_rebuild, unanswered};
use crate::database_store::DatabaseStore;
use crate::document;
use crate::error::{Result, StoreError};
use crate::feed::Observer;
use crate::position::Position;
use crate::sealing::{Keyring, SealError};
use crate::shared::Shared;
use crate::work::Context;
use crate::writer::{Command, Writer};
use flow::Flow;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The embedded store: one SQLite file, one writer that commits in groups, and readers beside it.
pub type SqliteStore = DatabaseStore<SqliteReader>;

impl DatabaseStore<SqliteReader> {
    /// Opens or creates the database at `path` and takes up everything that is owed. The caller makes sure
    /// that no other process has a `SqliteStore` on the same file. With [`Threads::Callers`] it needs a
    /// runtime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn open(path: &Path, options: SqliteOptions) -> Result<(SqliteStore, OpenReport)> {
        let SqliteOptions { threads, keys, now_ms, .. } = options;
        let connection = open_writer(path, &keys)?;
        schema::check(&connection, path)?;
        if threads == Threads::Callers {
            connection.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
        }
        let quarantined = quarantine::ids(&connection).map_err(failed)?;
        let shared = Shared::new(options.cached_flows_max, options.cached_bytes_max, quarantined);
        // Without the right key it would be found out late.
        let newest = "SELECT unseal(id, doc) FROM flows WHERE length(doc) <= ?1 ORDER BY row DESC LIMIT 1";
        connection.query_row(newest, [DOCUMENT_MAX], |_| Ok(())).optional().map_err(failed)?;
        if statistics_rebuild::is_owed(&connection).map_err(failed)? {
            count_all(&connection, &keys)?;
        }
        let report = take_up(&connection, &shared, &keys, now_ms)?;
        let secret_key = schema::secret_key(&connection).map_err(failed)?;
        let writer = lives::begin(&connection).map_err(failed)?;
        let early = unanswered::recipients_with_early(&connection).map_err(failed)?;
        let position = counters::last_change(&connection).map_err(failed)?;
        let position = Position::of(writer, position as u64);
        let reserve = Reserve::beside(path, threads == Threads::Own);
        let database = SqliteDatabase::new(connection, reserve, secret_key, writer).map_err(failed)?;
        let context = Context { shared: Arc::new(shared), secret_key, writer };
        let context = Arc::new(context);
        let (commands, inbox) = mpsc::channel(options.queue_max);
        start(database, Arc::clone(&context), options.observer, position, threads, inbox)?;
        let reader = SqliteReader::new(path.to_owned(), keys, threads, writer);
        let store = DatabaseStore::new(reader, context, commands, options.queue_bytes_max);
        store.settle(early, now_ms);
        Ok((store, report))
    }
}

/// Counts what an older version stored.
fn count_all(connection: &Connection, keys: &Keyring) -> Result<()> {
    tracing::info!("counting the flows that an older version stored, for the statistics");
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let counted = statistics_rebuild::count(&transaction, keys).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    tracing::info!(counted.flows, counted.unreadable, "counted them");
    Ok(())
}

/// Starts the writer.
fn start(
    database: SqliteDatabase,
    context: Arc<Context>,
    observer: Observer,
    position: Position,
    threads: Threads,
    inbox: mpsc::Receiver<Command>,
) -> Result<()> {
    let writer = Writer::new(database, context, observer, position);
    match threads {
        Threads::Own => {
            // It has a thread of its own, so it may block while it works.
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.map_err(StoreError::unavailable)?;
            let thread = std::thread::Builder::new().name("store-writer".into());
            let spawned = thread.spawn(move || runtime.block_on(writer.run(inbox)));
            spawned.map(drop).map_err(StoreError::unavailable)
        }
        Threads::Callers => {
            tokio::spawn(writer.run(inbox));
            Ok(())
        }
    }
}

/// Fills the queue from every flow that owes something. A flow that can't be read is set aside, but where a
/// key is missing: that is the configuration's fault.
fn take_up(connection: &Connection, shared: &Shared, keys: &Keyring, now_ms: i64) -> Result<OpenReport> {
    let (mut report, mut unreadable) = (OpenReport::default(), Vec::new());
    let sql = "SELECT iif(length(doc) <= ?1, doc, NULL), id FROM flows INDEXED BY flows_owing
               WHERE owes = 1 AND id NOT IN (SELECT flow FROM quarantine)";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([DOCUMENT_MAX]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let id = Uuid::from_bytes(row.get(1).map_err(failed)?);
        match row.get_ref(0).map_err(failed)?.as_blob_or_null().unwrap_or_default() {
            None => unreadable.push((id, format!("its document has more than {DOCUMENT_MAX} octets"))),
            Some(sealed) => match read_document(keys, id, sealed)? {
                Ok(flow) => {
                    shared.owe(&flow);
                    report.count(&flow);
                }
                Err(reason) => unreadable.push((id, reason)),
            },
        }
    }
    drop(rows);
    for (id, reason) in unreadable {
        tracing::error!(flow = %id, reason, "a flow that can't be read was set aside");
        quarantine::add(connection, id, now_ms, &reason).map_err(failed)?;
        shared.quarantined.lock().insert(id);
    }
    report.quarantined_flows = shared.quarantined.lock().len();
    Ok(report)
}

/// A flow of its sealed document, or why it can't be read.
fn read_document(keys: &Keyring, id: Uuid, sealed: &[u8]) -> Result<std::result::Result<Flow, String>> {
    match keys.unseal(id.as_bytes(), sealed) {
        Ok(document) => Ok(document::decode(&document).map_err(|error| error.to_string())),
        Err(error @ SealError::NoKey) => Err(StoreError::unavailable(error)),
        Err(error) => Ok(Err(error.to_string())),
    }
}

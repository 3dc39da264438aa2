//! Reads beside the writer, each on a connection of its own.

use super::counters;
use super::halts;
use super::options::Threads;
use super::rows;
use super::schema::{DOCUMENT_MAX, failed, open_reader};
use super::{lives, references, statistics_query, suppressions};
use crate::accounts::SubmitChecks;
use crate::application::{Application, CallbackKey, Token};
use crate::document;
use crate::error::{Result, StoreError};
use crate::feed::{Change, ChangePage};
use crate::halts::HaltedCarrier;
use crate::names::Names;
use crate::position::Position;
use crate::reader::Reader;
use crate::sealing::Keyring;
use crate::statistics::{Answered, StatisticsQuery, StatisticsSums};
use crate::suppression::Suppression;
use crate::wanted::{Blind, SuppressionOf};
use async_trait::async_trait;
use flow::statistics::Quarter;
use flow::{Channel, Flow};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// Open connections that are kept for the next reader.
const IDLE_READERS_MAX: usize = 8;

/// Fewer documents than this are read by one thread.
const PARSED_ALONE_MAX: usize = 200;

/// Reads of a database file.
pub struct SqliteReader {
    path: PathBuf,
    keys: Keyring,
    idle: Arc<Mutex<Vec<Connection>>>,
    threads: Threads,
    /// What statistics were asked before.
    answered: Arc<Mutex<Answered>>,
    /// This life of the process.
    writer: i64,
}

impl SqliteReader {
    pub(super) fn new(path: PathBuf, keys: Keyring, threads: Threads, writer: i64) -> SqliteReader {
        SqliteReader { path, keys, idle: Arc::default(), threads, answered: Arc::default(), writer }
    }

    /// A number of the feed as a position of this life of the process.
    fn position_at(&self, seq: i64) -> Position {
        Position::of(self.writer, seq as u64)
    }

    /// Reads on a connection of its own.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let idle_readers = Arc::clone(&self.idle);
        let (path, keys) = (self.path.clone(), self.keys.clone());
        let read = move || {
            let idle = idle_readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&path, &keys)?,
            };
            let result = work(&connection).map_err(failed);
            let mut readers = idle_readers.lock();
            if readers.len() < IDLE_READERS_MAX {
                readers.push(connection);
            }
            result
        };
        if self.threads == Threads::Callers {
            return read();
        }
        tokio::task::spawn_blocking(read).await.map_err(StoreError::unavailable)?
    }
}

/// The documents of the first of some flows: those that have at most `bytes_max` octets together, and at
/// least one; none for those that are too large or damaged.
fn documents(
    connection: &Connection,
    ids: &[Uuid],
    bytes_max: usize,
) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let sql = "SELECT unseal(id, doc) FROM flows WHERE id = ?1 AND length(doc) <= ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    for id in ids {
        let of_row = |row: &rusqlite::Row<'_>| row.get::<_, Option<Vec<u8>>>(0);
        let doc = statement.query_row(params![id.as_bytes(), DOCUMENT_MAX], of_row).optional()?.flatten();
        bytes += doc.as_deref().and_then(document::plain_octets).unwrap_or_default();
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push(doc);
    }
    Ok(found)
}

/// The number in a position; SQLite's have one at most.
fn seq_of(position: &Position) -> i64 {
    position.single().map_or(0, |(_, seq)| seq as i64)
}

/// At most `limit` flows that changed after a number, each with its own. Those that can't be read are left
/// out and not counted: a page with fewer is the last one.
fn changed_flows(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<(i64, Change)>> {
    let sql =
        "SELECT unseal(id, doc), change FROM flows WHERE change > ?1 AND length(doc) <= ?2 ORDER BY change";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([after, DOCUMENT_MAX])?;
    let (mut changes, mut names) = (Vec::new(), Names::default());
    while changes.len() < limit
        && let Some(row) = rows.next()?
    {
        match rows::flow_of_row(row) {
            Ok(flow) => changes.push((row.get(1)?, Change::put(&flow, names.shared(&flow.application)))),
            Err(error) => tracing::error!(%error, "a flow can't be read"),
        }
    }
    Ok(changes)
}

/// At most `limit` flows that were removed after a number, each with its own.
fn removed_flows(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<(i64, Change)>> {
    let sql = "SELECT application, id, created_ms, change, erased FROM removals WHERE change > ?1
               ORDER BY change LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let removals = statement.query_map([after, limit as i64], |row| {
        let id = Uuid::from_bytes(row.get(1)?);
        let (application, created_ms, erased) = (row.get(0)?, row.get(2)?, row.get(4)?);
        Ok((row.get(3)?, Change::Removed { application, id, created_ms, erased }))
    })?;
    removals.collect()
}

/// At most `limit` changes after a number, in their order, and the number of the last of them.
fn feed_page(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<(Vec<Change>, i64)> {
    let mut changes = changed_flows(connection, after, limit)?;
    changes.extend(removed_flows(connection, after, limit)?);
    changes.sort_by_key(|(seq, _)| *seq);
    changes.truncate(limit);
    let last = changes.last().map_or(after, |(seq, _)| *seq);
    Ok((changes.into_iter().map(|(_, change)| change).collect(), last))
}

/// A flow that can't be read is as one that is not there: it must not keep others from being shown.
fn parse(documents: &[Option<Vec<u8>>]) -> Vec<Option<Flow>> {
    let read = |document: &[u8]| {
        let flow = document::decode(document);
        flow.inspect_err(|error| tracing::error!(%error, "a flow can't be read")).ok()
    };
    documents.iter().map(|document| document.as_deref().and_then(read)).collect()
}

/// Parses on two threads where there are many: reading documents takes most of the time.
fn parse_all(documents: &[Option<Vec<u8>>]) -> Vec<Option<Flow>> {
    if documents.len() < PARSED_ALONE_MAX {
        return parse(documents);
    }
    let (first, second) = documents.split_at(documents.len() / 2);
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| parse(second));
        (parse(first), second.join())
    });
    let second = second.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    [first, second].concat()
}

#[async_trait]
impl Reader for SqliteReader {
    async fn load_within(&self, ids: Vec<Uuid>, bytes_max: usize) -> Result<Vec<Option<Flow>>> {
        self.read(move |connection| Ok(parse_all(&documents(connection, &ids, bytes_max)?))).await
    }

    async fn flows_to_later_recipient(&self, recipient: Blind, limit: usize) -> Result<Vec<Uuid>> {
        self.read(move |connection| {
            let sql = "SELECT flow FROM later_recipients WHERE recipient = ?1 LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let ids = statement
                .query_map(params![recipient, limit as i64], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
            ids.collect()
        })
        .await
    }

    async fn flows_by_reference(&self, reference: String, limit: usize) -> Result<Vec<Uuid>> {
        self.read(move |connection| references::flows(connection, &reference, limit)).await
    }

    async fn has_replays(&self) -> Result<bool> {
        self.read(|connection| connection.prepare_cached("SELECT 1 FROM replays LIMIT 1")?.exists([])).await
    }

    async fn link(&self, code: String, now_ms: i64) -> Result<Option<String>> {
        self.read(move |connection| {
            let sql = "SELECT CAST(unseal(CAST(code AS BLOB), url) AS TEXT) FROM links
                       WHERE code = ?1 AND expires_ms > ?2";
            connection.prepare_cached(sql)?.query_row(params![code, now_ms], |row| row.get(0)).optional()
        })
        .await
    }

    async fn application(&self, id: String) -> Result<Option<Application>> {
        self.read(move |connection| rows::application(connection, &id)).await
    }

    async fn own_retentions(&self) -> Result<Vec<(String, u32)>> {
        self.read(|connection| {
            let all = rows::applications(connection)?;
            let own =
                |application: Application| Some((application.id, application.settings.retention_days?.get()));
            Ok(all.into_iter().filter_map(own).collect())
        })
        .await
    }

    async fn changed_callback_keys(&self) -> Result<Vec<(String, CallbackKey)>> {
        self.read(suppressions::callback_keys).await
    }

    async fn token(&self, hash: [u8; 32]) -> Result<Option<(Token, Application)>> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {}, t.expires_ms, t.scope FROM tokens t JOIN applications a ON a.id = t.application
                 WHERE t.hash = ?1",
                rows::APPLICATION_COLUMNS
            );
            let of_row = |row: &rusqlite::Row<'_>| {
                let application = rows::application_of_row(row)?;
                let (expires_ms, scope) = (row.get(6)?, row.get(7)?);
                Ok((Token { hash, application: application.id.clone(), expires_ms, scope }, application))
            };
            connection.prepare_cached(&sql)?.query_row([hash], of_row).optional()
        })
        .await
    }

    async fn is_suppressed(&self, of: SuppressionOf) -> Result<bool> {
        self.read(move |connection| suppressions::has(connection, &of)).await
    }

    async fn suppressions(
        &self,
        application: String,
        channel: Channel,
        after: String,
        limit: usize,
    ) -> Result<Vec<Suppression>> {
        self.read(move |connection| suppressions::list(connection, &application, channel, &after, limit))
            .await
    }

    async fn submit_checks(&self) -> Result<SubmitChecks> {
        self.read(suppressions::submit_checks).await
    }

    async fn changes(&self, after: &Position, limit: usize) -> Result<ChangePage> {
        let after = seq_of(after);
        let (changes, last) = self.read(move |connection| feed_page(connection, after, limit)).await?;
        Ok(ChangePage { changes, position: self.position_at(last) })
    }

    async fn position(&self) -> Result<Position> {
        Ok(self.position_at(self.read(counters::last_change).await?))
    }

    async fn has(&self, position: &Position) -> Result<bool> {
        let Some((writer, seq)) = position.single() else { return Ok(*position == Position::START) };
        self.read(move |connection| lives::has(connection, writer, seq as i64)).await
    }

    async fn statistics_range(&self, application: String) -> Result<Option<Range<Quarter>>> {
        self.read(move |connection| statistics_query::range(connection, &application)).await
    }

    async fn statistics(&self, query: StatisticsQuery) -> Result<Option<StatisticsSums>> {
        let answered = Arc::clone(&self.answered);
        self.read(move |connection| statistics_query::sums(connection, &answered, &query)).await
    }

    async fn halted_carriers(&self) -> Result<Vec<HaltedCarrier>> {
        self.read(halts::list).await
    }

    async fn kept_time_ms(&self) -> Result<Option<i64>> {
        self.read(|connection| connection.query_row("SELECT seen_ms FROM installation", [], |row| row.get(0)))
            .await
    }
}

//! The search index beside the store: read or rebuilt at the start, brought up with each commit, tidied and
//! written to disk by a thread of its own.

use crate::priority::come_after_others;
use anyhow::Context;
use index::{FilesError, FilesReport, Index};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Change, ChangePage, Position, Store, StoreError};
use tokio::runtime::Handle;
use uuid::Uuid;

/// Changes read from the store at once.
const PAGE: usize = 5000;

/// The index's directory in a data directory.
pub fn index_directory(data: &Path) -> PathBuf {
    data.join("index")
}

/// An index that follows a store.
#[derive(Clone, Default)]
pub struct Followed {
    /// The index.
    pub index: Arc<Index>,
    /// Up to which change it has everything.
    position: Arc<Mutex<Position>>,
    /// The position before the first erasure that the files may not have: they are not said to be further, so
    /// that it is done again after a crash.
    erased_after: Arc<Mutex<Option<Position>>>,
}

/// How an index came up.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Flows in it.
    pub flows: usize,
    /// Changes that were read from the store.
    pub replayed: usize,
    /// Whether everything had to be read from the store.
    pub rebuilt: bool,
}

/// How an index differs from its store.
#[derive(Debug, Default)]
pub struct Differences {
    /// Flows in the store.
    pub flows: usize,
    /// Those that the index does not know as they are: application and id.
    pub differing: Vec<(String, Uuid)>,
}

impl Followed {
    /// Brings the index up with a commit.
    pub fn follow(&self, changes: &[Change], position: &Position) {
        let puts = changes.iter().filter_map(|change| match change {
            Change::Put { application, id, created_ms, facets } => {
                Some((&**application, *created_ms, *id, facets.clone()))
            }
            Change::Removed { .. } => None,
        });
        self.index.put(puts);
        for change in changes {
            match change {
                Change::Removed { application, id, created_ms, erased: true } => {
                    let mut erased_after = self.erased_after.lock();
                    erased_after.get_or_insert_with(|| self.position.lock().clone());
                    self.index.erase(application, *created_ms, *id);
                }
                Change::Removed { application, id, created_ms, erased: false } => {
                    self.index.remove(application, *created_ms, *id);
                }
                Change::Put { .. } => {}
            }
        }
        self.position.lock().clone_from(position);
    }

    /// Reads the index and what changed since it was written; where it can't be used, everything is read from
    /// the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(&self, store: &dyn Store, directory: &Path) -> anyhow::Result<Opened> {
        let read = self.index.read(directory, &identity(store));
        let from = match read {
            Ok(report) => match known(store, &report.position).await? {
                Some(position) => Some(position),
                None => {
                    tracing::warn!(
                        "the index is of another database than this, as after a backup came back: rebuilding it"
                    );
                    self.index.clear();
                    None
                }
            },
            Err(FilesError::Missing) => None,
            Err(FilesError::OtherFormat { found, expected }) => {
                tracing::info!(
                    "the index has format {found}, and this version writes format {expected}: making it anew from \
                     the store, this once"
                );
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the index can't be used: rebuilding it");
                metrics::counter!("switchback_index_rebuilds_total").increment(1);
                None
            }
        };
        match from {
            Some(position) => self.catch_up(store, &position).await,
            None => self.rebuild(store).await,
        }
    }

    /// Brings the index up with everything that changed after a position.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn catch_up(&self, store: &dyn Store, from: &Position) -> anyhow::Result<Opened> {
        let mut replayed = 0;
        let position = read_feed(store, from.clone(), |page| {
            replayed += page.changes.len();
            self.follow(&page.changes, &page.position);
        });
        *self.position.lock() = position.await?;
        Ok(Opened { flows: self.index.len(), replayed, rebuilt: false })
    }

    /// Fills the empty index from the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rebuild(&self, store: &dyn Store) -> anyhow::Result<Opened> {
        let (mut replayed, mut loader) = (0, self.index.loader());
        let position = read_feed(store, Position::START, |page| {
            replayed += page.changes.len();
            for change in page.changes {
                if let Change::Put { application, id, created_ms, facets } = change {
                    loader.add(&application, created_ms, id, &facets);
                }
            }
        });
        let position = position.await?;
        loader.finish();
        *self.position.lock() = position;
        Ok(Opened { flows: self.index.len(), replayed, rebuilt: true })
    }

    /// The flows that it does not know as the store has them; those that the store does not have are not
    /// among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn differences(&self, store: &dyn Store) -> anyhow::Result<Differences> {
        let mut found = Differences::default();
        let read = read_feed(store, Position::START, |page| {
            for change in page.changes {
                let Change::Put { application, id, created_ms, facets } = change else { continue };
                found.flows += 1;
                if self.index.get(&application, created_ms, id) != Some(facets) {
                    found.differing.push((application.to_string(), id));
                }
            }
        });
        read.await?;
        Ok(found)
    }

    /// Writes the index to disk.
    ///
    /// # Errors
    /// Those of the file system; then the files are as they were.
    pub async fn save(&self, store: &dyn Store, directory: &Path) -> anyhow::Result<FilesReport> {
        // First the position: what is put meanwhile may be written too, but nothing before it is missing.
        let mut position = self.position.lock().clone();
        {
            let mut erased_after = self.erased_after.lock();
            match &*erased_after {
                Some(after) if self.index.is_erasing() => position.clone_from(after),
                _ => *erased_after = None,
            }
        }
        let written = self.index.save(directory, &identity(store), &position.to_octets());
        let written = written.with_context(|| format!("writing {}", directory.display()))?;
        store.forget_removals(&position).await?;
        Ok(written)
    }
}

/// Reads the feed from a position to its end, a page after the other; returns the position of its last
/// change.
async fn read_feed(
    store: &dyn Store,
    from: Position,
    mut take: impl FnMut(ChangePage),
) -> Result<Position, StoreError> {
    let mut position = from;
    loop {
        let page = store.changes(&position, PAGE).await?;
        position.clone_from(&page.position);
        if page.changes.is_empty() {
            return Ok(position);
        }
        take(page);
    }
}

/// A position in the index's files, if the store has everything up to it.
///
/// # Errors
/// When the store cannot be read.
pub async fn known(store: &dyn Store, octets: &[u8]) -> anyhow::Result<Option<Position>> {
    let Some(position) = Position::from_octets(octets) else { return Ok(None) };
    Ok(store.has(&position).await?.then_some(position))
}

/// Tells one installation's index from another's.
pub fn identity(store: &dyn Store) -> String {
    let hash = Sha256::new().chain_update(b"index").chain_update(store.secret_key()).finalize();
    hash.iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

/// The thread that keeps an index tidy and on disk.
pub struct Keeper {
    followed: Followed,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    /// Starts it; what changed is written every so often.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        followed: Followed,
        store: Arc<dyn Store>,
        directory: PathBuf,
        save_every: Duration,
    ) -> anyhow::Result<Keeper> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, keeping, runtime) = (Arc::clone(&stop), followed.clone(), Handle::current());
        let keep = move || {
            // Segments can wait a little, who asked something should not.
            come_after_others();
            let (mut saved_at, mut failing) = (Instant::now(), false);
            let mut saved_position = None;
            loop {
                let stopping = stopped.load(Ordering::Acquire);
                while !stopping && keeping.index.tidy() {}
                let position = Some(keeping.position.lock().clone());
                if saved_position != position && (stopping || saved_at.elapsed() >= save_every) {
                    let started = Instant::now();
                    match runtime.block_on(keeping.save(&*store, &directory)) {
                        Ok(report) => {
                            (saved_position, failing) = (Position::from_octets(&report.position), false);
                            let milliseconds = started.elapsed().as_millis() as u64;
                            tracing::debug!(report.segments, report.bytes, milliseconds, "index written");
                        }
                        // The store has everything; it only takes longer to start.
                        Err(error) if !failing => {
                            failing = true;
                            tracing::warn!(error = format!("{error:#}"), "the index can't be written");
                        }
                        Err(_) => {}
                    }
                    saved_at = Instant::now();
                }
                if stopping {
                    return;
                }
                keeping.index.wait(save_every.min(Duration::from_secs(1)));
            }
        };
        let thread = std::thread::Builder::new().name("index".into()).spawn(keep)?;
        Ok(Keeper { followed, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Writes what is not written yet and ends the thread; returns when that is done.
    pub async fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.followed.index.wake();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // Only a panic could make it fail, and that is in the log.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

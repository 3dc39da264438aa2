//! The running service: the engine that does due tasks, the HTTP API, callbacks, configuration, metrics.

mod api;
pub mod callbacks;
pub mod clock;
pub mod config;
pub mod data;
mod descriptors;
pub mod engine;
pub mod files;
mod inbound;
pub mod indexing;
mod listener;
mod metrics;
mod numbers;
mod passing;
mod posting;
pub mod rates;
pub mod routing;
mod slots;
mod targets;

pub use numbers::country;

use anyhow::{Context, anyhow};
use api::Api;
use axum::Router;
use config::{Config, Surroundings};
use engine::{Engine, Network};
use futures::future::join_all;
use index::Index;
use indexing::{Followed, Keeper, index_directory};
use listener::Listener;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{OpenReport, SqliteOptions, SqliteStore, Store};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

/// The database's file in a data directory.
pub fn database(data: &Path) -> PathBuf {
    data.join("switchback.db")
}

/// A server that runs.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    config: Config,
    store: Arc<SqliteStore>,
    engine: Arc<Engine>,
    keeper: Keeper,
    working: JoinHandle<()>,
    listener: Listener,
    /// Keeps the metrics small.
    upkeep: JoinHandle<()>,
    _searches: Background,
    /// Held as long as the data directory is ours.
    _lock: Lock,
}

impl Server {
    /// Opens the data, takes up what is owed, connects the carriers and listens.
    ///
    /// # Errors
    /// When the data directory is in use or broken, a carrier is misconfigured, or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Server> {
        // Callbacks and TLS carriers use it; somebody may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        look_around(&config)?;
        let data = &config.store.path;
        data::create_directory(data).with_context(|| format!("creating {}", data.display()))?;
        let lock = lock(data)?;
        // The listener first: an address that is taken should cost nothing else.
        let listen = config.server.listen;
        let socket = TcpListener::bind(listen)
            .map_err(|error| anyhow!(config.origin.tell("server.listen", &format!("{listen}: {error}"))))?;
        let address = socket.local_addr()?;
        let files = descriptors::raise_limit();
        let connections_max = descriptors::connections_max(config.limits.connections_max, files);
        tracing::info!(files, connections_max, "limits of this process");
        metrics::recorder();

        let followed = Followed::default();
        let observed = followed.clone();
        let options = SqliteOptions {
            queue_max: config.store.queue_max,
            queue_bytes_max: config.store.queue_bytes_max,
            cached_flows_max: config.store.cached_flows_max,
            cached_bytes_max: config.store.cached_bytes_max,
            keys: config.store.keys().map_err(|error| anyhow!(error))?,
            observer: Box::new(move |changes, position| observed.follow(changes, position)),
            ..SqliteOptions::new(clock::now_ms(), Arc::new(clock::new_id))
        };
        let path = database(data);
        let (store, report) =
            SqliteStore::open(&path, options).with_context(|| format!("opening {}", path.display()))?;
        let store = Arc::new(store);
        let opened = followed.open(&*store, &index_directory(data)).await?;
        tracing::info!(
            flows = opened.flows,
            owing = report.owing_flows,
            replayed = opened.replayed,
            rebuilt = opened.rebuilt,
            "data opened"
        );
        data::warn_of_others(data);
        count_resumed(&report);
        let index = Arc::clone(&followed.index);
        let engine = Engine::start(&config, Arc::clone(&store) as _, Arc::clone(&index), &Network(&config))
            .await
            .map_err(|error| anyhow!(error))?;
        engine.read_cautions().await?;
        let working = tokio::spawn(Arc::clone(&engine).run());
        let save_every = config.store.index_save;
        let keeper = Keeper::start(followed, Arc::clone(&store) as _, index_directory(data), save_every)?;
        let searches =
            Background(Some(api::searches::runtime().context("starting the threads of searches")?));
        let api = Api::new(&config, Arc::clone(&store) as _, index, Arc::clone(&engine), searches.handle());
        let routes = api::router(api);
        let listener = Listener::start(&config.server, connections_max, socket, routes)?;
        let upkeep = tokio::spawn(metrics::keep_up(metrics::UPKEEP_INTERVAL));
        Ok(Server {
            address,
            config,
            store,
            engine,
            keeper,
            working,
            listener,
            upkeep,
            _searches: searches,
            _lock: lock,
        })
    }

    /// Whether a carrier could take a message now, as far as it knows.
    pub fn carrier_is_up(&self, name: &str) -> bool {
        self.engine.outlet(name).is_some_and(|outlet| outlet.carrier.is_up())
    }

    /// Reads the listener's certificate again.
    ///
    /// # Errors
    /// When there is none, or the new one can't be used; then the old one stays.
    pub async fn reload_tls(&self) -> anyhow::Result<()> {
        self.listener.reload()
    }

    /// Stops accepting, finishes what is in flight within the configured time, unbinds, and closes the store.
    pub async fn stop(self) {
        let deadline = self.config.server.shutdown;
        self.engine.close();
        self.listener.close(deadline);
        let finished = async {
            self.listener.closed().await;
            let _ = self.working.await;
        };
        if tokio::time::timeout(deadline, finished).await.is_err() {
            tracing::warn!("shutting down with work in flight; it goes on at the next start");
        }
        let carriers = self.engine.outlets().iter().map(|outlet| outlet.carrier.close());
        let _ = tokio::time::timeout(deadline, join_all(carriers)).await;
        self.keeper.stop().await;
        self.store.close().await;
        self.upkeep.abort();
    }
}

/// Finds what keeps a server from starting, before anything is made; tells what else is wrong.
fn look_around(config: &Config) -> anyhow::Result<()> {
    let Surroundings { refused, failing, unwise } = config.survey();
    if !refused.is_empty() {
        return Err(anyhow!(refused.join("\n")));
    }
    for warning in config.warnings.iter().chain(&failing).chain(&unwise) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Counts what a killed process may have handed over.
fn count_resumed(report: &OpenReport) {
    if report.quarantined_flows > 0 {
        let flows = report.quarantined_flows;
        tracing::warn!(flows, "flows are set aside: `switchback flows quarantined` lists them");
    }
    // Nobody knows which of them a killed process had handed over: the most that can be sent twice.
    ::metrics::counter!("switchback_resumed_parts_total").increment(report.owed_parts as u64);
    if report.handed_parts > 0 {
        tracing::warn!(
            parts = report.handed_parts,
            "hand-overs of unknown outcome wait for receipts (unknown_submit = \"wait\")"
        );
        let counter =
            ::metrics::counter!("switchback_unknown_submits_total", "carrier" => "", "then" => "wait");
        counter.increment(report.handed_parts as u64);
    }
}

/// A runtime of its own, whose work nobody waits for at the end.
struct Background(Option<Runtime>);

impl Background {
    fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The HTTP API over a store, its index and the engine that works on it; all of it runs in the caller's runtime.
pub fn router(config: &Config, store: Arc<dyn Store>, index: Arc<Index>, engine: Arc<Engine>) -> Router {
    api::router(Api::new(config, store, index, engine, None))
}

/// Keeps a data directory from other processes, until it is dropped.
pub struct Lock {
    _directory: File,
    _file: File,
}

/// Makes the data directory ours.
///
/// # Errors
/// When it is another process's.
pub fn lock(data: &Path) -> anyhow::Result<Lock> {
    // The directory itself, which nobody can take away from under us; versions up to 0.1 lock the file.
    let directory = locked(data, File::open(data))?;
    let path = data.join("lock");
    let file = locked(data, data::create_file(&path))?;
    Ok(Lock { _directory: directory, _file: file })
}

fn locked(data: &Path, file: std::io::Result<File>) -> anyhow::Result<File> {
    let file = file.with_context(|| format!("opening what locks {}", data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(anyhow!("another server runs on the data directory {}", data.display()))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", data.display()))
        }
    }
}

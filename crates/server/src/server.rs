//! A server that runs: its data, its listener and everything behind it.

use crate::assembly::{Assembly, Data, database};
use crate::config::{Config, Surroundings};
use crate::listener::Listener;
use crate::lock::{Lock, lock};
use crate::{data, descriptors};
use anyhow::{Context, anyhow};
use engine::Engine;
use engine::administration::{Carriers, Desk, Which, operators};
use engine::clock::now_ms;
use engine::indexing::Keeper;
use engine::metrics;
use engine::service;
use futures::future::join_all;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use store::{Halt, Keyring, OpenReport, SqliteAdmin, SqliteStore};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

/// How a server begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// With each carrier as operators last wanted it.
    AsBefore,
    /// With every carrier paused, until an operator resumes it.
    Paused,
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
        Server::begin(config, Begin::AsBefore).await
    }

    /// Starts it as [`Server::start`] does, with its carriers paused if wanted.
    ///
    /// # Errors
    /// As those of [`Server::start`].
    pub async fn begin(config: Config, begin: Begin) -> anyhow::Result<Server> {
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

        let opened = open(&config).await?;
        if begin == Begin::Paused {
            pause_all(&config).await?;
        }
        let searches = Background(Some(service::runtime().context("starting the threads of searches")?));
        let (store, followed) = (Arc::clone(&opened.store), &opened.followed);
        let network = config.network();
        let desk = if config.console.enabled { Some(open_desk(&config).await?) } else { None };
        let handle = searches.handle();
        let assembly =
            Assembly::start(&config, Arc::clone(&store) as _, followed, &network, handle, desk).await?;
        let Assembly { engine, router, .. } = assembly;
        let working = tokio::spawn(Arc::clone(&engine).run());
        let directory = opened.index_directory().to_owned();
        let save_every = config.store.index_save;
        let keeper = Keeper::start(followed.clone(), Arc::clone(&store) as _, directory, save_every)?;
        let listener = Listener::start(&config.server, connections_max, socket, router)?;
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
        self.engine.carrier(name).is_some_and(|carrier| carrier.carrier.is_up())
    }

    /// Whether an operator has a carrier paused or drained, as far as the server knows yet.
    pub fn carrier_is_halted(&self, name: &str) -> bool {
        self.engine.carrier(name).is_some_and(|carrier| carrier.halt().is_some())
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
        let carriers = self.engine.carriers().iter().map(|carrier| carrier.carrier.close());
        let _ = tokio::time::timeout(deadline, join_all(carriers)).await;
        self.keeper.stop().await;
        self.store.close().await;
        self.upkeep.abort();
    }
}

/// Opens the data of a configuration and reads the index.
async fn open(config: &Config) -> anyhow::Result<Data> {
    let directory = &config.store.path;
    let opened = Data::open(directory, Data::options(config)?)?;
    let read = opened.read_index(&*opened.store).await?;
    tracing::info!(
        flows = read.flows,
        owing = opened.report.owing_flows,
        replayed = read.replayed,
        rebuilt = read.rebuilt,
        "data opened"
    );
    data::warn_of_others(directory);
    count_resumed(&opened.report);
    Ok(opened)
}

/// What does administration for the console, over a connection of its own. While nobody can sign in yet, the
/// log has a link for the first admin.
async fn open_desk(config: &Config) -> anyhow::Result<Desk> {
    let path = database(&config.store.path);
    let admin = SqliteAdmin::open(&path, &config.store.keys()?);
    let desk = Desk::new(Arc::new(admin.with_context(|| format!("opening {}", path.display()))?));
    let invited = desk.run(async |admin| operators::first_admin(admin, now_ms()).await).await?;
    if let Some(link) = invited {
        let (base, path) = (config.public_url().unwrap_or_default(), link.path());
        tracing::info!("the console's first admin sets a password at {base}{path} (once, within a day)");
    }
    Ok(desk)
}

/// Pauses every carrier, before anything is handed over.
async fn pause_all(config: &Config) -> anyhow::Result<()> {
    let admin = SqliteAdmin::open(&database(&config.store.path), &Keyring::default())?;
    let names = config.carriers.iter().map(|carrier| carrier.common.name.clone()).collect();
    let carriers = Carriers::new(&admin, Some(names));
    carriers.halt(Which::All, Halt::Paused, "switchback serve --paused", now_ms()).await?;
    tracing::warn!("every carrier is paused: `switchback carrier resume --all` resumes them");
    Ok(())
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

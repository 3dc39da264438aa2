//! The one place where the server is put together: by a server, a simulation, the fuzz targets and the
//! command line.

use crate::config::Config;
use anyhow::Context;
use api::Api;
use axum::Router;
use console::Console;
use engine::administration::Desk;
use engine::clock::now_ms;
use engine::config::Settings;
use engine::indexing::{Followed, Opened, index_directory};
use engine::outside::Outside;
use engine::service::Service;
use engine::{Engine, StartError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{OpenReport, SqliteOptions, SqliteStore, Store};
use tokio::runtime::Handle;

/// The database's file in a data directory.
pub fn database(data: &Path) -> PathBuf {
    data.join("switchback.db")
}

/// A store that is open, and the index that follows it. The index knows nothing before [`Data::read_index`].
pub struct Data {
    /// The store.
    pub store: Arc<SqliteStore>,
    /// The index.
    pub followed: Followed,
    /// What was found in the store.
    pub report: OpenReport,
    directory: PathBuf,
}

impl Data {
    /// How a store is opened with this configuration.
    ///
    /// # Errors
    /// When an encryption key can't be used.
    pub fn options(config: &Config) -> anyhow::Result<SqliteOptions> {
        Ok(SqliteOptions {
            queue_max: config.store.queue_max,
            queue_bytes_max: config.store.queue_bytes_max,
            cached_flows_max: config.store.cached_flows_max,
            cached_bytes_max: config.store.cached_bytes_max,
            keys: config.store.keys()?,
            ..SqliteOptions::new(now_ms())
        })
    }

    /// Opens the store of a data directory. `observer` of the options, if any, is replaced: the index
    /// follows.
    ///
    /// # Errors
    /// When the database can't be opened.
    pub fn open(data: &Path, options: SqliteOptions) -> anyhow::Result<Data> {
        let followed = Followed::default();
        let observed = followed.clone();
        Data::open_observed(data, options, followed, move |changes, position| {
            observed.follow(changes, position);
        })
    }

    /// The same with an observer of the caller's, which is to let `followed` follow.
    ///
    /// # Errors
    /// When the database can't be opened.
    pub fn open_observed(
        data: &Path,
        options: SqliteOptions,
        followed: Followed,
        observer: impl FnMut(&[store::Change], &store::Position) + Send + 'static,
    ) -> anyhow::Result<Data> {
        let options = SqliteOptions { observer: Box::new(observer), ..options };
        let path = database(data);
        let (store, report) =
            SqliteStore::open(&path, options).with_context(|| format!("opening {}", path.display()))?;
        Ok(Data { store: Arc::new(store), followed, report, directory: index_directory(data) })
    }

    /// Reads the index, or makes it anew if it can't be used. `store` is what is read: the store, or one
    /// around it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn read_index(&self, store: &dyn Store) -> anyhow::Result<Opened> {
        self.followed.open(store, &self.directory).await
    }

    /// Where the index's files are.
    pub fn index_directory(&self) -> &Path {
        &self.directory
    }
}

/// The server behind its doors.
pub struct Assembly {
    /// What does what is owed.
    pub engine: Arc<Engine>,
    /// The use cases.
    pub service: Arc<Service>,
    /// The HTTP API.
    pub router: Router,
}

impl Assembly {
    /// Puts the server together over a store and the index that follows it. Nothing is done before
    /// [`Engine::run`]. Costly searches run in the runtime `searches`, or in the caller's. There is a console
    /// if there is a `desk` for it.
    ///
    /// # Errors
    /// When a carrier is misconfigured or the store does not answer.
    pub async fn start(
        config: &Config,
        store: Arc<dyn Store>,
        followed: &Followed,
        outside: &dyn Outside,
        searches: Option<Handle>,
        desk: Option<Desk>,
    ) -> anyhow::Result<Assembly> {
        let settings = config.engine_settings()?;
        let started = Assembly::engine(&settings, store, followed, outside).await?;
        let service = Arc::new(Service::new(&settings, Arc::clone(&started), searches));
        let pages =
            |desk| console::router(Console::new(config.console_settings(), Arc::clone(&service), desk));
        let pages = desk.map(pages).unwrap_or_default();
        let router = api::router(Api::new(config.api_settings(), Arc::clone(&service)), pages);
        Ok(Assembly { engine: started, service, router })
    }

    async fn engine(
        settings: &Settings,
        store: Arc<dyn Store>,
        followed: &Followed,
        outside: &dyn Outside,
    ) -> Result<Arc<Engine>, StartError> {
        let engine = Engine::start(settings, store, Arc::clone(&followed.index), outside).await?;
        engine.read_submit_checks().await?;
        engine.read_halts().await?;
        Ok(engine)
    }
}

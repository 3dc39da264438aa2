//! What the server meets outside: targets that hang, targets that answer, files, a provider, a silent trunk.

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::routing::{any, post};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// All of them, in a runtime of their own; they end with the value.
pub struct Peers {
    _runtime: tokio::runtime::Runtime,
    /// Accepts connections on every loopback address, and never says anything.
    pub silent_port: u16,
    /// Answers 200; `calls` has when.
    pub target_port: u16,
    pub calls: Arc<Mutex<Vec<Instant>>>,
    /// Serves `file` under every path.
    pub files_port: u16,
    pub file: Arc<Mutex<Vec<u8>>>,
    /// How often a file was asked for.
    pub fetched: Arc<AtomicUsize>,
    /// Gives tokens that never end, and takes messages.
    pub provider_port: u16,
    /// When each message was taken.
    pub taken: Arc<Mutex<Vec<Instant>>>,
    /// For files that a configuration names.
    pub directory: TempDir,
    /// A trunk that answers nothing.
    trunk: UdpSocket,
}

impl Peers {
    pub fn start() -> anyhow::Result<Peers> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let _entered = runtime.enter();
        let silent = runtime.block_on(TcpListener::bind("0.0.0.0:0"))?;
        let silent_port = silent.local_addr()?.port();
        runtime.spawn(async move {
            let mut held = Vec::new();
            while let Ok((connection, _)) = silent.accept().await {
                held.push(connection);
            }
        });

        let calls: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let called =
            |State(calls): State<Arc<Mutex<Vec<Instant>>>>| async move { calls.lock().push(Instant::now()) };
        let target_port = serve(&runtime, Router::new().fallback(called).with_state(Arc::clone(&calls)))?;

        let (file, fetched): (Arc<Mutex<Vec<u8>>>, Arc<AtomicUsize>) = Default::default();
        let files = {
            let (file, fetched) = (Arc::clone(&file), Arc::clone(&fetched));
            any(move || {
                fetched.fetch_add(1, Ordering::Relaxed);
                let file = file.lock().clone();
                async move { ([("content-type", "audio/wav")], file) }
            })
        };
        let files_port = serve(&runtime, Router::new().fallback_service(files))?;

        let taken: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let provider = Router::new()
            .route("/login", post(async || axum::Json(json!({"token": "t", "expires_in": i64::MAX}))))
            .route("/send", post(take))
            .with_state(Arc::clone(&taken));
        let provider_port = serve(&runtime, provider)?;
        let trunk = UdpSocket::bind("127.0.0.1:0")?;
        drop(_entered);
        Ok(Peers {
            _runtime: runtime,
            silent_port,
            target_port,
            calls,
            files_port,
            file,
            fetched,
            provider_port,
            taken,
            directory: tempfile::tempdir()?,
            trunk,
        })
    }

    /// The port of the trunk.
    pub fn trunk_port(&self) -> anyhow::Result<u16> {
        Ok(self.trunk.local_addr().context("the trunk")?.port())
    }
}

async fn take(
    State(taken): State<Arc<Mutex<Vec<Instant>>>>,
    axum::Json(message): axum::Json<Value>,
) -> axum::Json<Value> {
    taken.lock().push(Instant::now());
    axum::Json(json!({"id": message["reference"]}))
}

/// Serves on a free port of loopback.
fn serve(runtime: &tokio::runtime::Runtime, router: Router) -> anyhow::Result<u16> {
    let listener = runtime.block_on(TcpListener::bind("0.0.0.0:0"))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

//! `switchback serve`.

use anyhow::anyhow;
use server::Server;
use server::config::Config;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::Keyring;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(clap::Args)]
pub struct Serve {
    /// Configuration file; every key is explained in switchback.example.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port, instead of the configured ones; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<()> {
        start_log(self.log_json, "info");
        let mut config = load(self.config.as_deref())?;
        if let Some(data) = self.data {
            config.store.path = data;
        }
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        // Caught from now on, so that a stop during the start is a clean one.
        let stopped = stop_signal()?;
        let mut hangup = signal(SignalKind::hangup())?;
        let scheme = if config.server.tls.is_some() { "https" } else { "http" };
        let server = Server::start(config).await?;
        println!("listening on {scheme}://{}", server.address);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = hangup.recv() => match server.reload_tls().await {
                    Ok(()) => tracing::info!("certificate reloaded"),
                    Err(error) => tracing::error!("the certificate stays as it was: {error:#}"),
                },
            }
        }
        tracing::info!("stopping");
        server.stop().await;
        Ok(())
    }
}

/// Loads a configuration with this process's environment.
pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    Config::load(file, std::env::vars()).map_err(|error| anyhow!(error))
}

/// The keys of a configuration, which flows are encrypted with.
pub fn keys(file: Option<&Path>) -> anyhow::Result<Keyring> {
    load(file)?.store.keys().map_err(|error| anyhow!(error))
}

/// Logs to standard error; `RUST_LOG` chooses what.
pub fn start_log(json: bool, default: &str) {
    // The SMPP library logs every PDU as an event of its own.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{default},rusmppc=off,rusmpp=off,rsipstack=warn")));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        log.json().init();
    } else {
        log.init();
    }
}

/// Resolves at SIGTERM or Ctrl-C.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

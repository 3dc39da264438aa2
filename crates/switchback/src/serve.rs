//! `switchback serve`.

use crate::log::start_log;
use crate::output::{complain, say};
use anyhow::anyhow;
use server::config::{Config, ENV_PREFIX, parse_listen};
use server::{Begin, Server};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
pub struct Serve {
    /// Configuration file; every key is explained in switchback.example.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port, instead of the configured ones; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    listen: Option<SocketAddr>,
    /// Start with every carrier paused, after a restore: nothing is sent before they are resumed.
    ///
    /// `switchback carrier resume` resumes one or all of them.
    #[arg(long)]
    paused: bool,
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
            config.origin.override_key("store.path", "--data");
        }
        if let Some(listen) = self.listen {
            config.server.listen = listen;
            config.origin.override_key("server.listen", "--listen");
        }
        // Caught from now on, so that a stop during the start is a clean one.
        let stopped = stop_signal()?;
        let mut hangup = signal(SignalKind::hangup())?;
        let scheme = if config.server.tls.is_some() { "https" } else { "http" };
        let begin = if self.paused { Begin::Paused } else { Begin::AsBefore };
        let server = Server::begin(config, begin).await?;
        say!("listening on {scheme}://{}", server.address);
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
fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    Config::load(file, overrides()?).map_err(|error| anyhow!(error))
}

/// As [`load`], for a command without a log: tells what is taken though it should be written otherwise.
pub fn load_with_warnings(file: Option<&Path>) -> anyhow::Result<Config> {
    let config = load(file)?;
    for warning in &config.warnings {
        complain!("warning: {warning}");
    }
    Ok(config)
}

/// Looks for everything that is wrong with a configuration in this process's environment.
pub fn examine(file: &Path) -> anyhow::Result<Config> {
    Config::examine(Some(file), overrides()?).map_err(|error| anyhow!(error))
}

/// The environment's overrides. What else is in it may be anything.
fn overrides() -> anyhow::Result<Vec<(String, String)>> {
    let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = named.filter(|(name, _)| name.starts_with(ENV_PREFIX));
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(anyhow!("{name}: must be UTF-8")),
    })
    .collect()
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

//! `switchback serve`.

use crate::output::{printable, say};
use anyhow::anyhow;
use server::Server;
use server::config::{Config, ENV_PREFIX};
use std::fmt::Debug;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::Keyring;
use tokio::signal::unix::{SignalKind, signal};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

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
pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    Config::load(file, overrides()?).map_err(|error| anyhow!(error))
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
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        log.json().init();
    } else {
        log.init();
    }
}

/// Writes a field of a line of the log. Its value may come from outside, and `%value` is written as it stands: whatever
/// would steer a terminal, or begin a line of its own, is escaped.
fn write_field(writer: &mut format::Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    let value = printable(&value);
    match field.name() {
        "message" => writer.write_str(&value),
        name if writer.has_ansi_escapes() => write!(writer, "\u{1b}[3m{name}\u{1b}[0m={value}"),
        name => write!(writer, "{name}={value}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_comes_from_outside_steers_no_terminal_through_the_log() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(format::debug_fn(write_field).delimited(" "))
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        let outside = "a\u{1b}]0;PWNED\u{7}\u{9b}2J\nINFO forged";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(error = outside, url = %outside, debug = ?outside, "{outside}");
            tracing::warn!(carrier = %"acme", tries = 3, "down");
        });
        let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 2, "{written}");
        assert!(!written.contains(|c: char| c.is_control() && c != '\n'), "{written:?}");
        assert!(written.ends_with("down carrier=acme tries=3\n"), "{written}");
    }
}

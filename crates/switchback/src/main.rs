//! The command line of Switchback. Exit codes: 0 done, 1 failed, 2 wrong usage.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod app;
mod audit;
mod call;
mod callbacks;
mod carrier;
mod client;
mod course;
mod demo;
mod documents;
mod flows;
mod inbound;
mod index;
mod log;
mod output;
mod place;
mod receipts;
mod route;
mod serve;
mod statistics;
mod status;
mod suppress;
mod table;
mod user;

use clap::{Parser, Subcommand};
use output::{complain, say};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A failover messaging server: sends one message over several channels, in order, until one gets through.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    ///
    /// Without a configuration it keeps its data in ./switchback-data, listens on 127.0.0.1:8080, and lets
    /// the sandbox play all three channels. Prints `listening on http://ADDRESS` when it is ready. SIGTERM
    /// and Ctrl-C stop it after what is in flight.
    Serve(serve::Serve),
    /// Show the main job in one go: a server, an application, 500 flows over all outcomes, and what became of
    /// them.
    Demo(demo::Demo),
    /// Create, list and revoke applications; works while a server runs on the same data.
    #[command(subcommand)]
    App(app::App),
    /// Keep the operators, people with a login to the console; works while a server runs on the same data.
    #[command(subcommand)]
    User(user::User),
    Audit(audit::Audit),
    /// Send a flow: a JSON file with the body of POST /failover, or - for standard input.
    Send(api::Send),
    /// Show what became of a flow, and how: on a terminal for people, elsewhere as JSON.
    Track(api::Track),
    /// Cancel a flow that has not ended: nothing more of it is handed to a carrier.
    Cancel(api::Cancel),
    /// Leave nothing of a flow, or of all flows to a recipient.
    Erase(api::Erase),
    /// Find flows, newest first, with exact totals.
    Search(api::Search),
    /// Write every flow that a search finds, as JSON lines or CSV.
    Export(api::Export),
    Statistics(statistics::Statistics),
    Status(status::Status),
    /// List and replay callbacks that were given up; works while a server runs on the same data.
    #[command(subcommand)]
    Callbacks(callbacks::Callbacks),
    /// Pause, resume, drain and list carriers; works while a server runs on the same data.
    #[command(subcommand)]
    Carrier(carrier::Carrier),
    /// List flows that were set aside; works while a server runs on the same data.
    #[command(subcommand)]
    Flows(flows::Flows),
    /// List receipts that reached no message; works while a server runs on the same data.
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    /// List messages that handsets sent, newest first; works while a server runs on the same data.
    Inbound(inbound::Inbound),
    Call(call::Call),
    /// Say where messages go.
    #[command(subcommand)]
    Route(route::Route),
    /// Keep the lists of recipients who want no more messages; works while a server runs on the same data.
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Make anew, check and describe the search index.
    #[command(subcommand)]
    Index(index::Index),
    /// Look after what is stored.
    #[command(subcommand)]
    Store(documents::Store),
    /// Check a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read a configuration file with the environment's overrides, and say all that is wrong with it.
    ///
    /// It finds what `serve` would refuse, and what would fail later for certain: files, certificates,
    /// programs, addresses.
    Check {
        /// The file.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        // What could not be written is told already.
        Ok(()) if output::failed() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::App(app) => app.run().await,
        Command::User(user) => user.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Send(send) => send.run().await,
        Command::Track(track) => track.run().await,
        Command::Cancel(cancel) => cancel.run().await,
        Command::Erase(erase) => erase.run().await,
        Command::Search(search) => search.run().await,
        Command::Export(export) => export.run().await,
        Command::Statistics(statistics) => statistics.run().await,
        Command::Status(status) => status.run().await,
        Command::Callbacks(callbacks) => callbacks.run().await,
        Command::Carrier(carrier) => carrier.run().await,
        Command::Flows(flows) => flows.run().await,
        Command::Receipts(receipts) => receipts.run().await,
        Command::Inbound(inbound) => inbound.run().await,
        Command::Call(call) => call.run().await,
        Command::Route(route) => route.run(),
        Command::Suppress(suppress) => suppress.run().await,
        Command::Store(store) => store.run().await,
        Command::Index(index) => index.run().await,
        Command::Config(ConfigCommand::Check { file }) => {
            let config = serve::examine(&file)?;
            for warning in &config.warnings {
                complain!("warning: {warning}");
            }
            for carrier in &config.carriers {
                let channels: Vec<_> = carrier.common.channels.iter().map(|channel| channel.name()).collect();
                say!("carrier {}: {}", carrier.common.name, channels.join(", "));
            }
            say!("{} is fine", file.display());
            Ok(())
        }
    }
}

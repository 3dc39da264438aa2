//! Chores: `cargo xtask check`, `cargo xtask test`, `cargo xtask bench
//! lifecycle|gate|search|pages|overload|hostile|http|smpp|voice`, `cargo xtask check-presets DIR`.

mod audit;
mod bare_echo;
mod bench;
mod check;
mod check_presets;
mod clients;
mod command;
mod console;
mod console_pages;
mod core_time;
mod crash;
mod dependencies;
mod drive;
mod figures;
mod fuzz;
mod gate;
mod hostile;
mod http;
mod load;
mod mutants;
mod overload;
mod pages;
mod parts;
mod peers;
mod recording;
mod schema;
mod search;
mod smpp;
mod stages;
mod stand;
mod test;
mod traffic;
mod voice;

use clap::{Parser, Subcommand};
use command::{Profile, build, root, run, run_with, target, works};

/// Chores of the Switchback repository.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check what needs minutes, no peers and no network: formatting, lints, documentation, its examples, and
    /// the unit tests of the inner crates.
    Check,
    /// Install what the tests need, then check formatting, lints and documentation and run every test.
    Test,
    /// The long form of what the tests try shortly: simulate, crash, overload and fuzz for hours.
    Prove,
    /// Look for known vulnerabilities in what we depend on, by the RustSec advisory database: a copy of it in
    /// ../shared/advisory-db, or else from the network.
    Audit,
    /// Check the dependencies' licences and sources by deny.toml.
    Dependencies,
    /// Validate the API's description, and run the clients that generators make of it.
    Clients,
    /// Play the stories of the console's users in Chromium, by mouse and by keyboard, and look for what
    /// axe-core finds on each page.
    Console,
    /// Write pictures of the console's pages.
    ConsoleShots(console::Shots),
    /// Run schemathesis against a server of its own.
    Schema,
    /// Send every kind of message through the presets of carriers over HTTP to mock servers made of the
    /// providers' published descriptions.
    CheckPresets(check_presets::CheckPresets),
    /// Run whole servers in virtual time under faults drawn from seeds, and check every promise; `--help`
    /// tells more.
    #[command(disable_help_flag = true)]
    Simulate {
        /// What the simulation is told: `--seeds N`, `--from SEED`, `--flows N`, `--bug NAME`, `--coverage`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    Crash(crash::Crash),
    Fuzz(fuzz::Fuzz),
    Mutants(mutants::Mutants),
    /// Measure.
    #[command(subcommand)]
    Bench(Bench),
    /// A bare endpoint that parses JSON and echoes it: what the benchmark compares with.
    #[command(hide = true)]
    BareEcho,
}

#[derive(Subcommand)]
enum Bench {
    Lifecycle(bench::Lifecycle),
    Gate(gate::Gate),
    Search(search::Search),
    Pages(pages::Pages),
    Overload(overload::Overload),
    Hostile(hostile::Hostile),
    Http(http::Http),
    /// What an event costs in a flow of 20 parts and in one of a single part, while a callback target hangs.
    Parts(parts::Parts),
    Smpp(smpp::Smpp),
    Voice(voice::Voice),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Check => check::run_checks(),
        Chore::Test => test::run_tests(),
        Chore::Prove => test::prove(),
        Chore::Audit => audit::run(),
        Chore::Dependencies => dependencies::check(),
        Chore::Clients => clients::run(),
        Chore::Console => console::run(),
        Chore::ConsoleShots(shots) => shots.run(),
        Chore::Schema => schema::run(),
        Chore::CheckPresets(check) => check.run(),
        Chore::Simulate { arguments } => {
            let mut all = vec!["run", "--release", "--quiet", "--package", "simulation", "--"];
            all.extend(arguments.iter().map(String::as_str));
            run("cargo", &all)
        }
        Chore::Crash(crash) => crash.run(),
        Chore::Fuzz(fuzz) => fuzz.run(),
        Chore::Mutants(mutants) => mutants.run(),
        Chore::Bench(Bench::Lifecycle(lifecycle)) => lifecycle.run(),
        Chore::Bench(Bench::Gate(gate)) => gate.run(),
        Chore::Bench(Bench::Search(search)) => search.run(),
        Chore::Bench(Bench::Pages(pages)) => pages.run(),
        Chore::Bench(Bench::Overload(overload)) => overload.run(),
        Chore::Bench(Bench::Hostile(hostile)) => hostile.run(),
        Chore::Bench(Bench::Http(http)) => http.run(),
        Chore::Bench(Bench::Parts(parts)) => parts.run(),
        Chore::Bench(Bench::Smpp(smpp)) => smpp.run(),
        Chore::Bench(Bench::Voice(voice)) => voice.run(),
        Chore::BareEcho => bare_echo::serve(),
    }
}

//! `cargo xtask test`.

use crate::{audit, check, clients, console, dependencies, peers, run, run_with, schema, works};
use anyhow::bail;

/// Installs what the tests need, then runs every check; the test runner comes last.
pub fn run_tests() -> anyhow::Result<()> {
    // Who downloads does not compute, and the other way round.
    std::thread::scope(|scope| {
        let installed = scope.spawn(peers::install);
        check::check_sources()?;
        installed.join().unwrap_or_else(|_| bail!("the peers could not be installed"))
    })?;
    dependencies::check()?;
    audit::run_where_possible()?;
    // What `prove` feeds the targets with is not built here: only that its lock file fits.
    run("cargo", &["tree", "--quiet", "--locked", "--depth", "0", "--manifest-path", "fuzz/Cargo.toml"])?;
    clients::run()?;
    schema::run()?;
    console::run()?;
    run("cargo", &["xtask", "crash", "--debug", "--rounds", "10", "--rate", "400"])?;
    run(
        "cargo",
        &["xtask", "crash", "--debug", "--rounds", "10", "--rate", "400", "--unknown-submit", "wait"],
    )?;
    run("cargo", &["xtask", "bench", "overload", "--debug", "--seconds", "5"])?;
    let tester: &[&str] =
        if works("cargo", &["nextest", "--version"]) { &["nextest", "run"] } else { &["test"] };
    // In a run of its own: no other test knows the channel.
    let fourth = ["--workspace", "--features", "server/fourth-channel", "--test", "fourth_channel"];
    run("cargo", &[tester, &fourth].concat())?;
    run("cargo", &[tester, &["--workspace", "--no-fail-fast"]].concat())
}

/// The long form of what [`run_tests`] tries shortly: hours on two cores.
pub fn prove() -> anyhow::Result<()> {
    run("cargo", &["xtask", "simulate", "--seeds", "20000", "--from", "1000000"])?;
    // No faster than the SMSC, whose backlog would outlive what waits for receipts.
    run("cargo", &["xtask", "crash", "--rounds", "200", "--rate", "400"])?;
    run("cargo", &["xtask", "crash", "--rounds", "200", "--rate", "400", "--unknown-submit", "wait"])?;
    let long = [("SWITCHBACK_ROUNDS", "200")];
    let crashes = ["test", "--package", "switchback", "--", "--nocapture", "crash::", "disk::"];
    run_with("cargo", &crashes, &long)?;
    run("cargo", &["xtask", "bench", "overload"])?;
    run("cargo", &["xtask", "bench", "hostile"])?;
    run("cargo", &["xtask", "fuzz"])
}

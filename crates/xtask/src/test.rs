//! `cargo xtask test`.

use crate::{audit, check, clients, dependencies, peers, run, run_with, schema, works};

/// Installs what the tests need, then runs every check; the test runner comes last.
pub fn run_tests() -> anyhow::Result<()> {
    peers::install()?;
    check::check_sources()?;
    dependencies::check()?;
    audit::run_where_possible()?;
    clients::run()?;
    schema::run()?;
    run("cargo", &["xtask", "crash", "--debug", "--rounds", "10", "--rate", "400"])?;
    run(
        "cargo",
        &["xtask", "crash", "--debug", "--rounds", "10", "--rate", "400", "--unknown-submit", "wait"],
    )?;
    run("cargo", &["xtask", "bench", "overload", "--debug", "--seconds", "5"])?;
    run("cargo", &["xtask", "fuzz", "--seconds", "20"])?;
    if works("cargo", &["nextest", "--version"]) {
        run("cargo", &["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        run("cargo", &["test", "--workspace", "--no-fail-fast"])
    }
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

//! `cargo xtask check`: what can be checked within minutes, without peers and without a network.

use crate::{root, run, run_with, works};

/// The crates whose unit tests are run: those that decide and need no server. A crate that is not there is
/// left out.
const INNER: [&str; 8] = ["flow", "wire", "index", "smpp", "store", "carriers", "engine", "xtask"];

/// Checks formatting, lints, documentation, its examples, and the unit tests of the inner crates.
///
/// # Errors
/// The first check that fails.
pub fn run_checks() -> anyhow::Result<()> {
    check_sources()?;
    let present = INNER.iter().filter(|name| root().join("crates").join(name).exists());
    let packages: Vec<String> = present.map(|name| format!("package({name})")).collect();
    // Libraries and the tests of the house alone: the others take minutes to link. All of the workspace, so
    // that nothing is built with other features than for the tests of everything.
    let built =
        ["--workspace", "--no-fail-fast", "--lib", "--test", "arrows", "--test", "circles", "--test", "tidy"];
    if works("cargo", &["nextest", "--version"]) {
        let chosen = packages.join(" + ");
        run("cargo", &[&["nextest", "run"], &built[..], &["-E", &chosen]].concat())
    } else {
        run("cargo", &[&["test"], &built[..]].concat())
    }
}

/// Checks formatting, lints, documentation and its examples.
///
/// # Errors
/// The first check that fails.
pub fn check_sources() -> anyhow::Result<()> {
    run("cargo", &["fmt", "--all", "--check"])?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    let denied = [("RUSTDOCFLAGS", "-D warnings")];
    run_with("cargo", &["doc", "--workspace", "--no-deps"], &denied)?;
    run_with("cargo", &["test", "--workspace", "--doc", "--no-fail-fast"], &denied)
}

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
    if works("cargo", &["nextest", "--version"]) {
        // All of the workspace, so that nothing is built with other features than the tests of everything
        // have.
        let chosen = format!("({}) and (kind(lib) or package(xtask))", packages.join(" + "));
        run("cargo", &["nextest", "run", "--workspace", "--no-fail-fast", "-E", &chosen])
    } else {
        run("cargo", &["test", "--workspace", "--lib", "--no-fail-fast"])?;
        run("cargo", &["test", "--package", "xtask", "--no-fail-fast"])
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

//! `cargo xtask test`.

use crate::{peers, run, schema, works};

/// Installs what the tests need, then runs every check; the test runner comes last.
pub fn run_tests() -> anyhow::Result<()> {
    peers::install()?;
    run("cargo", &["fmt", "--all", "--check"])?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    schema::run()?;
    if works("cargo", &["nextest", "--version"]) {
        run("cargo", &["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        run("cargo", &["test", "--workspace", "--no-fail-fast"])
    }
}

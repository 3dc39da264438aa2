//! Commands that chores run, and the paths that they run them in.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// Runs a command in the repository to its end.
///
/// # Errors
/// When it can't be started, or fails.
pub fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> anyhow::Result<()> {
    run_with(program, arguments, &[])
}

/// Runs a command in the repository with more environment.
///
/// # Errors
/// When it can't be started, or fails.
pub fn run_with(
    program: impl AsRef<std::ffi::OsStr>,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<()> {
    let program = program.as_ref();
    eprintln!("$ {} {}", program.display(), arguments.join(" "));
    let mut command = Command::new(program);
    forget_package(&mut command);
    let status = command.args(arguments).envs(environment.iter().copied()).current_dir(root()).status();
    let status = status.with_context(|| program.display().to_string())?;
    if !status.success() {
        bail!("{} {} failed: {status}", program.display(), arguments.join(" "));
    }
    Ok(())
}

/// Takes away what `cargo run` tells a program of its package. Build scripts that look at it (ring's does)
/// would run again, and all that depends on them would be built again, each time that cargo is called by this
/// program or without it.
fn forget_package(command: &mut Command) {
    let of_package = |name: &str| {
        let starts = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        starts.iter().any(|start| name.starts_with(start)) || name == "OUT_DIR"
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
}

/// Returns whether a command can be run.
pub fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// How the program is built.
#[derive(Clone, Copy)]
pub enum Profile {
    /// As the tests are.
    Debug,
    /// As it is released.
    Release,
}

impl Profile {
    /// Debug where an option says so.
    pub fn of(debug: bool) -> Profile {
        if debug { Profile::Debug } else { Profile::Release }
    }
}

/// Builds the program and returns its path.
///
/// # Errors
/// When it does not build.
pub fn build(profile: Profile) -> anyhow::Result<PathBuf> {
    let (folder, arguments): (&str, &[&str]) = match profile {
        // Of the whole workspace and with a test, the smallest there is: cargo then settles on the features
        // that the build of all tests has. With others some twenty crates would be built a second time.
        Profile::Debug => ("debug", &["--workspace", "--bin", "switchback", "--test", "tidy"]),
        Profile::Release => ("release", &["--release", "--package", "switchback"]),
    };
    run("cargo", &[&["build", "--quiet"], arguments].concat())?;
    Ok(target().join(folder).join("switchback"))
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

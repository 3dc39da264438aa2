//! Commands that chores run, and the paths that they run them in.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    let arguments: &[&str] = match profile {
        // Of the whole workspace and with a test, the smallest there is: cargo then settles on the features
        // that the build of all tests has. With others some twenty crates would be built a second time.
        Profile::Debug => &["--workspace", "--bin", "switchback", "--test", "tidy"],
        Profile::Release => &["--release", "--package", "switchback"],
    };
    build_program("switchback", arguments, &[])
}

/// Builds with cargo, with these arguments and more environment, and returns the path of a program that was
/// built, wherever cargo is told to put it.
///
/// # Errors
/// When it does not build, or no such program is among what is built.
pub fn build_program(
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<PathBuf> {
    let told = ["build", "--quiet", "--message-format", "json-render-diagnostics"];
    let messages = ask_cargo(&[&told, arguments].concat(), environment)?;
    program_of(&messages, name).with_context(|| format!("cargo tells of no program {name}"))
}

/// The path of a program by the messages of a build: a JSON object a line.
fn program_of(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_program = |message: &Value| {
        let target = &message["target"];
        target["name"] == name && target["kind"][0] == "bin" && message["profile"]["test"] == false
    };
    messages.filter(of_program).find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Where cargo puts what it builds.
///
/// # Errors
/// When cargo does not tell.
pub fn target() -> anyhow::Result<PathBuf> {
    let metadata = ask_cargo(&["metadata", "--no-deps", "--format-version", "1"], &[])?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("cargo tells no target directory")
}

/// What cargo prints when it is run in the repository.
fn ask_cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<String> {
    eprintln!("$ cargo {}", arguments.join(" "));
    let mut command = Command::new("cargo");
    forget_package(&mut command);
    command.args(arguments).envs(environment.iter().copied()).current_dir(root()).stderr(Stdio::inherit());
    let output = command.output().context("cargo")?;
    ensure!(output.status.success(), "cargo {} failed: {}", arguments.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_program_is_where_cargo_says() {
        let artifact = |name: &str, kind: &str, is_test: bool, executable: Option<&str>| {
            json!({"reason": "compiler-artifact", "target": {"name": name, "kind": [kind]},
                   "profile": {"test": is_test}, "executable": executable})
            .to_string()
        };
        let messages = [
            artifact("switchback", "lib", false, None),
            artifact("switchback", "bin", true, Some("/elsewhere/deps/switchback-1")),
            artifact("tidy", "test", true, Some("/elsewhere/deps/tidy-1")),
            "not JSON".to_owned(),
            artifact("switchback", "bin", false, Some("/elsewhere/x86_64/debug/switchback")),
        ]
        .join("\n");
        let found = program_of(&messages, "switchback");
        assert_eq!(found, Some(PathBuf::from("/elsewhere/x86_64/debug/switchback")));
        assert_eq!(program_of(&messages, "tidy"), None);
    }

    #[test]
    fn this_test_is_below_the_target_directory() {
        let target = target().expect("cargo tells it").canonicalize().expect("it is there");
        let this = std::env::current_exe().expect("a path").canonicalize().expect("it is there");
        assert!(this.starts_with(&target), "{} is not below {}", this.display(), target.display());
    }
}

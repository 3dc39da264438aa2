//! What others make of our description: validators read it, and generators make clients of it, which take a
//! token, send a flow of three channels, track it and find it.

use crate::load::Server;
use crate::{Profile, build, peers, root};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the validators and the generated clients against a fresh server.
pub fn run() -> anyhow::Result<()> {
    peers::install()?;
    let server = Server::start(&build(Profile::Debug)?, "")?;
    let (basic, _) = server.login().context("creating an application")?;
    let work = tempfile::tempdir()?;
    let description = work.path().join("openapi.json");
    let fetch = "import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])";
    let url = server.url();
    succeed(Command::new("python3").args(["-c", fetch, &format!("{url}/openapi.json")]).arg(&description))?;
    validate(&description)?;
    python(work.path(), &description, &url, &basic)?;
    typescript(work.path(), &description, &url, &basic)
}

fn peer(name: &str) -> PathBuf {
    root().join("crates/server/tests/peers").join(name)
}

fn node(program: &str) -> PathBuf {
    peers::folder().join("node/node_modules/.bin").join(program)
}

fn venv(program: &str) -> PathBuf {
    peers::folder().join("python/bin").join(program)
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn validate(description: &Path) -> anyhow::Result<()> {
    succeed(Command::new(venv("openapi-spec-validator")).arg(description))?;
    let mut lint = Command::new(node("redocly"));
    lint.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    succeed(lint.arg("lint").arg("--config").arg(peer("redocly.yaml")).arg(description))
}

fn python(work: &Path, description: &Path, url: &str, basic: &str) -> anyhow::Result<()> {
    let packages = work.join("python");
    std::fs::create_dir(&packages)?;
    let mut generate = Command::new(venv("openapi-python-client"));
    generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]).arg(description);
    generate.arg("--config").arg(peer("openapi-python-client.yaml"));
    succeed(generate.arg("--output-path").arg(packages.join("switchback_client")))?;
    succeed(
        Command::new(venv("python")).arg(peer("client.py")).args([url, basic]).env("PYTHONPATH", packages),
    )
}

fn typescript(work: &Path, description: &Path, url: &str, basic: &str) -> anyhow::Result<()> {
    let package = work.join("typescript");
    std::fs::create_dir(&package)?;
    std::os::unix::fs::symlink(peers::folder().join("node/node_modules"), package.join("node_modules"))?;
    std::fs::copy(peer("client.mts"), package.join("client.mts"))?;
    succeed(
        Command::new(node("openapi-typescript")).arg(description).arg("-o").arg(package.join("api.d.ts")),
    )?;
    let compile = ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "client.mts"];
    succeed(Command::new(node("tsc")).args(compile).current_dir(&package))?;
    succeed(Command::new("node").arg("client.mjs").args([url, basic]).current_dir(&package))
}

//! schemathesis: requests made from our own description, and answers held against it.

use crate::load::Server;
use crate::{Profile, build, peers, root};
use anyhow::{Context, bail};
use std::process::Command;

/// Runs schemathesis against a fresh server.
pub fn run() -> anyhow::Result<()> {
    peers::install()?;
    let server = Server::start(&build(Profile::Debug)?, "")?;
    let (basic, token) = server.login().context("taking a token")?;
    let schemathesis = peers::folder().join("python/bin/schemathesis");
    let description = format!("{}/openapi.json", server.url());
    let authorization = format!("Authorization: Bearer {token}");
    let config = root().join("crates/server/tests/peers/schemathesis.toml");
    // A fresh folder: what it remembers of earlier runs keeps it from drawing new data.
    let memory = tempfile::tempdir()?;
    let status = Command::new(schemathesis)
        .args(["--config-file".as_ref(), config.as_os_str(), "run".as_ref(), description.as_ref()])
        .args(["--header", &authorization])
        .env("SWITCHBACK_BASIC", basic)
        .current_dir(memory.path())
        .status()?;
    if !status.success() {
        bail!("schemathesis found something: {status}");
    }
    Ok(())
}

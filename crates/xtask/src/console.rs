//! The console in a browser that is not ours: the stories of its users, axe-core on every page, and pictures.

use crate::load::Server;
use crate::{Profile, build, peers, root};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A sandbox with short minutes, a carrier over SMPP, and callbacks that are soon given up.
const CONFIG: &str = r#"
[console]
country = "GR"

[engine]
minute = "300ms"

[callbacks]
allow_private = true
retry_base = "50ms"
retry_max = "100ms"
give_up = "1s"

[[carrier]]
name = "sandbox"
kind = "sandbox"
channels = ["Sms", "Viber", "Voice"]
prices = { Sms = "0.010" }

[[carrier]]
name = "smsc"
kind = "smpp"
channels = ["Sms"]
host = "127.0.0.1"
port = PORT
system_id = "switchback"
password = "secret"
"#;

/// Plays the stories of the console's users in Chromium, and looks for what axe-core finds.
pub fn run() -> anyhow::Result<()> {
    play(None)
}

/// Writes pictures of the console's pages.
#[derive(clap::Args)]
pub struct Shots {
    /// The folder, which is made if it is absent.
    directory: PathBuf,
}

impl Shots {
    /// Writes the pictures.
    pub fn run(self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        play(Some(&self.directory.canonicalize()?))
    }
}

fn play(shots: Option<&Path>) -> anyhow::Result<()> {
    peers::install()?;
    let program = build(Profile::Debug)?;
    // Free a moment ago: the stories open and close an SMSC there.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let server = Server::start(&program, &CONFIG.replace("PORT", &port.to_string()))?;
    let data = server.data();
    let ask = |arguments: &[&str]| ask(&program, data, arguments);
    let (basic, _) = server.login()?;
    let application = ask(&["app", "list", "--json"])?;
    let application: Value = serde_json::from_str(&application)?;
    let link = ask(&["user", "add", "anna", "--role", "admin"])?;
    let start = link.find("/console/welcome").context("no link was printed")?;
    let link = link[start..].split_whitespace().next().unwrap_or_default();
    let told = json!({
        "base": server.url(),
        "basic": basic,
        "application": application[0]["applicationId"],
        "link": link,
        "data": data,
        "smsc": port,
        "shots": shots,
    });
    let stories = root().join("crates/console/tests/stories.js");
    let mut command = Command::new("node");
    command.arg(&stories).arg(told.to_string());

    command.env("NODE_PATH", peers::folder().join("node/node_modules"));
    let status = command.status().context("node")?;
    if !status.success() {
        bail!("the console's stories failed: {status}");
    }
    Ok(())
}

/// What a command prints.
fn ask(program: &Path, data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).arg("--data").arg(data).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "switchback {} failed: {told}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

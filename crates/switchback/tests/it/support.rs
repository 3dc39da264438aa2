//! Starts the program.

use reqwest::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_switchback");

/// A server that ends with its value.
pub struct Process {
    pub child: Child,
    pub url: String,
}

impl Process {
    /// Starts `serve` and waits until it is ready.
    pub fn serve(data: &Path, config: &Path) -> Process {
        Process::serve_with(data, config, &[])
    }

    /// Starts `serve` with more environment.
    pub fn serve_with(data: &Path, config: &Path, environment: &[(&str, PathBuf)]) -> Process {
        Process::serve_by(Command::new(PROGRAM), data, config, environment)
    }

    /// Starts `serve` by a command that runs the program with the arguments that it is given.
    pub fn serve_by(
        mut command: Command,
        data: &Path,
        config: &Path,
        environment: &[(&str, PathBuf)],
    ) -> Process {
        command.arg("serve").arg("--data").arg(data).arg("--config").arg(config);
        command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "error").stdout(Stdio::piped());
        command.envs(environment.iter().cloned());
        Process::of(command.spawn().unwrap())
    }

    /// A server that was started with a standard output that can be read; waits until it is ready.
    pub fn of(mut child: Child) -> Process {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("the server starts").to_owned();
        Process { child, url }
    }

    /// SIGTERM; waits for the end.
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(PROGRAM).args(arguments).envs(environment.iter().copied()).output().unwrap()
}

pub fn create_application(data: &Path) -> Value {
    let output = run(&["app", "create", "--name", "test", "--data", data.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What tells the commands for clients which server they ask, and as whom.
pub fn account<'a>(url: &'a str, application: &'a Value) -> [(&'static str, &'a str); 3] {
    let member = |name| application[name].as_str().unwrap();
    [
        ("SWITCHBACK_URL", url),
        ("SWITCHBACK_APP_ID", member("applicationId")),
        ("SWITCHBACK_APP_SECRET", member("applicationSecret")),
    ]
}

pub async fn login(client: &Client, url: &str, application: &Value) -> String {
    let request = client.post(format!("{url}/oauth/token?grant_type=client_credentials"));
    let (id, secret) =
        (application["applicationId"].as_str().unwrap(), application["applicationSecret"].as_str());
    let text = request.basic_auth(id, secret).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// How often a crash is tried: `$SWITCHBACK_ROUNDS`, or so often.
pub fn rounds(usual: usize) -> usize {
    std::env::var("SWITCHBACK_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

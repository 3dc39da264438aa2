//! Starts the SMSCs that we did not write (tests/peers), and listens to what they tell.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub struct Smsc {
    child: Child,
    pub port: u16,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Drop for Smsc {
    fn drop(&mut self) {
        // It also ends by itself when its standard input closes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of an installed peer; panics where `cargo xtask test` has not installed it.
fn installed(path: &str) -> PathBuf {
    let path = root().join(".peers").join(path);
    assert!(path.exists(), "{} is missing: `cargo xtask test` installs what the tests need", path.display());
    path
}

impl Smsc {
    /// The npm package `smpp`, with more environment.
    pub fn node(environment: &[(&str, &str)]) -> Smsc {
        let mut command = Command::new("node");
        command.arg(root().join("crates/server/tests/peers/smsc.js"));
        command.env("NODE_PATH", installed("node/node_modules")).envs(environment.iter().copied());
        Smsc::start(command)
    }

    /// The PyPI package `smpp-twisted3`.
    pub fn python() -> Smsc {
        let mut command = Command::new(installed("python/bin/python"));
        command.arg(root().join("crates/server/tests/peers/smsc.py"));
        Smsc::start(command)
    }

    fn start(mut command: Command) -> Smsc {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().expect("the SMSC starts").unwrap()).unwrap();
        let port = first["listening"].as_u64().unwrap() as u16;
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A library's own chatter is no JSON.
                if let Ok(told) = serde_json::from_str(&line) {
                    heard.lock().unwrap().push(told);
                }
            }
        });
        Smsc { child, port, told }
    }

    /// What it told under a name.
    pub fn told(&self, name: &str) -> Vec<Value> {
        self.told.lock().unwrap().iter().filter_map(|told| told.get(name).cloned()).collect()
    }

    /// The configuration of a carrier that binds to it.
    pub fn carrier(&self, system_id: &str, more: &str) -> String {
        format!(
            "[[carrier]]\nname = \"smsc\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nhost = \"localhost\"\n\
             port = {}\nsystem_id = \"{system_id}\"\npassword = \"secret\"\n{more}\n",
            self.port
        )
    }
}

//! Starts the SMSCs that we did not write (tests/peers), and listens to what they tell.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

pub struct Smsc {
    child: Child,
    orders: ChildStdin,
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

    /// The PyPI package `jasmin`, whole, which passes messages on to another SMSC; `receipts` is `deliver_sm`
    /// or `data_sm`.
    pub fn jasmin(folder: &Path, upstream: &Smsc, receipts: &str) -> Smsc {
        let mut command = Command::new(installed("jasmin/bin/python"));
        command.arg(root().join("crates/server/tests/peers/smsc_jasmin.py"));
        command.arg(folder).arg(upstream.port.to_string()).arg(receipts);
        Smsc::start(command)
    }

    /// `drive_smpp` of Debian's package `kannel-extras`; it sends as many messages as told to who receives.
    pub fn kannel(messages: u32) -> Smsc {
        let mut command = Command::new(installed("python/bin/python"));
        command.arg(root().join("crates/server/tests/peers/smsc_kannel.py")).arg(messages.to_string());
        Smsc::start(command)
    }

    fn start(mut command: Command) -> Smsc {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // A library's own chatter is no JSON.
        let first =
            lines.find_map(|line| serde_json::from_str::<Value>(&line).ok()).expect("the SMSC starts");
        let port = first["listening"].as_u64().unwrap() as u16;
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines {
                if let Ok(told) = serde_json::from_str(&line) {
                    heard.lock().unwrap().push(told);
                }
            }
        });
        Smsc { child, orders, port, told }
    }

    /// Gives an order and waits until it is carried out.
    pub async fn order(&mut self, order: &str) {
        let before = self.told("done").len();
        writeln!(self.orders, "{order}").unwrap();
        crate::support::until(order, || self.told("done").len() > before).await;
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

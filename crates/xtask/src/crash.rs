//! `cargo xtask crash`: kills a gateway under load, again and again, and counts at an SMSC what became of the
//! messages that it had taken.

use crate::load::{Client, login, post};
use crate::{Profile, build, peers, root};
use anyhow::{Context, bail, ensure};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Senders at once.
const SENDERS: usize = 8;
/// Submits that Switchback has under way at once: so many hand-overs may be of unknown outcome at each crash.
const WINDOW: usize = 10;
/// The time to live of Switchback's flows is 60 minutes of this length: long enough for any backlog, but what
/// is waited for (`unknown_submit = "wait"`) has to come to its end.
const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_WAITING: Duration = Duration::from_millis(500);
/// How long a backlog may take.
const SETTLE_MAX: Duration = Duration::from_secs(900);
/// How long a gateway may take to start, and to take a message.
const START_MAX: Duration = Duration::from_secs(120);

/// Kill a gateway with SIGKILL under load, again and again, and count at an SMSC what became of the messages
/// that it had answered.
///
/// Without `--start`, the gateway is Switchback; docs/compare.md tells how to point it at another one.
#[derive(clap::Args)]
pub struct Crash {
    /// Crashes.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Messages a second, in all; 0 for as many as it takes.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Build it without optimization, as the tests have it anyhow.
    #[arg(long)]
    debug: bool,
    /// What Switchback does about a hand-over of unknown outcome.
    #[arg(long, default_value = "resend", value_parser = ["resend", "wait"])]
    unknown_submit: String,
    /// Starts another gateway, with `sh -c`; it is killed with all its processes.
    #[arg(long, requires = "send")]
    start: Option<String>,
    /// What that gateway is asked with GET, with `{to}` and `{text}` in it: 200 says that it has the message.
    #[arg(long)]
    send: Option<String>,
    /// Where the SMSC listens that the gateway must bind to, as anybody with the password `secret`; 0 takes a
    /// free port.
    #[arg(long, default_value_t = 0)]
    smsc_port: u16,
    /// Seconds without another submit after which the other gateway is said to have sent all it will.
    #[arg(long, default_value_t = 60)]
    quiet: u64,
}

/// What the SMSC and the senders saw, by the message's text.
#[derive(Default)]
struct Seen {
    /// With Switchback's tracking id, where it is Switchback.
    acknowledged: HashMap<String, Option<String>>,
    submits: HashMap<String, usize>,
    last_submit: Option<Instant>,
}

type Shared = Arc<Mutex<Seen>>;

/// The gateway under test.
enum Gateway {
    Switchback { program: PathBuf, directory: TempDir, port: u16, token: String },
    Other { start: String, address: String, path: String },
}

/// A process with all that it started; ends with its value.
struct Group(Child);

impl Group {
    fn spawn(command: &mut Command) -> anyhow::Result<Group> {
        Ok(Group(command.process_group(0).spawn().context("starting the gateway")?))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

impl Crash {
    /// Runs it; fails where Switchback broke a promise.
    pub fn run(self) -> anyhow::Result<()> {
        peers::install()?;
        let seen = Shared::default();
        let (_smsc, port) = smsc(self.smsc_port, &seen)?;
        let gateway = self.gateway(port)?;
        let next = AtomicU64::new(0);
        let started = Instant::now();
        for _ in 0..self.rounds {
            let process = gateway.start(&next, &seen)?;
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..SENDERS {
                    scope.spawn(|| self.send(&gateway, &next, &seen, &stop));
                }
                // A moment that nobody knows.
                std::thread::sleep(Duration::from_micros(200_000 + fastrand::u64(..800_000)));
                drop(process);
                stop.store(true, Ordering::Relaxed);
            });
        }
        let process = gateway.start(&next, &seen)?;
        let settled = match &gateway {
            Gateway::Switchback { token, .. } => self.settle(&gateway.address(), token, &seen).map(Some),
            Gateway::Other { .. } => {
                let quiet = Duration::from_secs(self.quiet);
                while seen.lock().last_submit.is_none_or(|at| at.elapsed() < quiet) {
                    std::thread::sleep(Duration::from_secs(1));
                    ensure!(started.elapsed() < Duration::from_secs(3600), "it never became quiet");
                }
                Ok(None)
            }
        };
        let seen = seen.lock();
        let arrived = |text: &String| seen.submits.get(text).copied().unwrap_or_default();
        let lost = seen.acknowledged.keys().filter(|text| arrived(text) == 0).count();
        let doubled = seen.submits.values().filter(|count| **count > 1).count();
        let extra: usize = seen.submits.values().map(|count| count - 1).sum();
        println!(
            "{} crashes, {} messages acknowledged; {lost} of them never arrived at the SMSC, {doubled} messages arrived \
             more than once ({extra} copies too many)",
            self.rounds,
            seen.acknowledged.len(),
        );
        drop(process);
        // Of another gateway we promised nothing.
        let Some(report) = settled? else { return Ok(()) };
        println!("{report}");
        let at_crashes = WINDOW * self.rounds;
        match self.unknown_submit.as_str() {
            "wait" => {
                ensure!(doubled == 0, "{doubled} messages were doubled although unknown_submit is \"wait\"");
                ensure!(
                    lost <= at_crashes,
                    "{lost} messages did not arrive: only {at_crashes} were under way"
                );
            }
            _ => {
                ensure!(lost == 0, "{lost} messages were lost");
                ensure!(extra <= at_crashes, "{extra} copies too many: only {at_crashes} were under way");
            }
        }
        Ok(())
    }

    fn gateway(&self, smsc_port: u16) -> anyhow::Result<Gateway> {
        if let (Some(start), Some(send)) = (&self.start, &self.send) {
            let rest = send.strip_prefix("http://").context("--send: must be an http URL")?;
            let (address, path) = rest.split_once('/').context("--send: must have a path")?;
            return Ok(Gateway::Other {
                start: start.clone(),
                address: address.to_owned(),
                path: format!("/{path}"),
            });
        }
        let program = build(Profile::of(self.debug))?;
        let directory = tempfile::tempdir()?;
        let config = format!(
            "[engine]\nminute = \"{}ms\"\n[store]\nindex_save = \"100ms\"\n\
             [[carrier]]\nname = \"smsc\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nhost = \"127.0.0.1\"\n\
             port = {smsc_port}\nsystem_id = \"crash\"\npassword = \"secret\"\nwindow = {WINDOW}\n\
             unknown_submit = \"{}\"\n",
            if self.unknown_submit == "wait" { MINUTE_WAITING } else { MINUTE }.as_millis(),
            self.unknown_submit,
        );
        std::fs::write(directory.path().join("switchback.toml"), config)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut gateway = Gateway::Switchback { program, directory, port, token: String::new() };
        let _process = gateway.spawn()?;
        let _ = until(|| Client::connect(&gateway.address()))?;
        if let Gateway::Switchback { program, directory, port, token } = &mut gateway {
            *token = login(program, &directory.path().join("data"), &format!("127.0.0.1:{port}"))?.1;
        }
        Ok(gateway)
    }

    /// Sends until the gateway is gone.
    fn send(&self, gateway: &Gateway, next: &AtomicU64, seen: &Shared, stop: &AtomicBool) {
        let Ok(mut client) = Client::connect(&gateway.address()) else { return };
        while !stop.load(Ordering::Relaxed) {
            if gateway.send(&mut client, next, seen).is_err() {
                // Refused under load is as good as not sent; a connection that broke is the crash.
                let Ok(again) = Client::connect(&gateway.address()) else { return };
                client = again;
            }
            if let Some(pause) = (SENDERS as u64 * 1_000_000).checked_div(self.rate) {
                std::thread::sleep(Duration::from_micros(pause));
            }
        }
    }

    /// Waits until every flow that was acknowledged has ended, and holds each against what the SMSC saw.
    fn settle(&self, address: &str, token: &str, seen: &Shared) -> anyhow::Result<String> {
        let mut client = Client::connect(address)?;
        let flows = seen.lock().acknowledged.clone();
        let (mut succeeded, mut failed) = (0, 0);
        let deadline = Instant::now() + SETTLE_MAX;
        for (text, id) in flows {
            let id = id.context("an answer without a tracking id")?;
            let request = format!(
                "GET /failover/tracking/{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            loop {
                let answer = client.exchange(request.as_bytes());
                let tracking: Value =
                    serde_json::from_slice(answer.with_context(|| format!("flow {id} was lost"))?)?;
                match tracking["status"].as_str() {
                    Some("Succeeded") => succeeded += 1,
                    Some("Failed") => failed += 1,
                    _ if Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    _ => bail!("flow {id} is stuck: {tracking}"),
                }
                let arrived = seen.lock().submits.contains_key(&text);
                ensure!(
                    arrived || tracking["status"] == "Failed",
                    "flow {id} is said to have succeeded, and nothing arrived"
                );
                break;
            }
        }
        ensure!(
            self.unknown_submit == "wait" || failed == 0,
            "{failed} flows failed although everything was delivered"
        );
        Ok(format!("{succeeded} flows ended Succeeded and {failed} Failed; every one is found"))
    }
}

impl Gateway {
    fn address(&self) -> String {
        match self {
            Gateway::Switchback { port, .. } => format!("127.0.0.1:{port}"),
            Gateway::Other { address, .. } => address.clone(),
        }
    }

    fn spawn(&self) -> anyhow::Result<Group> {
        let mut command = match self {
            Gateway::Switchback { program, directory, port, .. } => {
                let mut command = Command::new(program);
                command.arg("serve").arg("--data").arg(directory.path().join("data"));
                command.arg("--config").arg(directory.path().join("switchback.toml"));
                command.args(["--listen", &format!("127.0.0.1:{port}")]).env("RUST_LOG", "error");
                command.env("SWITCHBACK__SERVER__REQUESTS_PER_SECOND", "0");
                command
            }
            Gateway::Other { start, .. } => {
                let mut command = Command::new("sh");
                command.args(["-c", start]);
                command
            }
        };
        Group::spawn(command.stdout(Stdio::null()))
    }

    /// Starts it and waits until it took a message.
    fn start(&self, next: &AtomicU64, seen: &Shared) -> anyhow::Result<Group> {
        let process = self.spawn()?;
        until(|| Client::connect(&self.address()).and_then(|mut client| self.send(&mut client, next, seen)))?;
        Ok(process)
    }

    /// Sends one message, and notes it where it was acknowledged.
    fn send(&self, client: &mut Client, next: &AtomicU64, seen: &Shared) -> anyhow::Result<()> {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let (text, to) = (format!("message {number}"), format!("30690{:06}0", number % 1_000_000));
        let id = match self {
            Gateway::Switchback { token, .. } => {
                let flow = json!({"flow": [{"type": "Sms", "order": 1, "from": "Acme", "to": format!("+{to}"),
                    "ttl": 60, "message": {"body": text}}]});
                let answer = client.exchange(&post("/failover", token, &flow.to_string()))?;
                let answer: Value = serde_json::from_slice(answer)?;
                answer["trackingId"].as_str().map(str::to_owned)
            }
            Gateway::Other { address, path, .. } => {
                let path = path.replace("{to}", &to).replace("{text}", &text.replace(' ', "%20"));
                // HTTP/1.0: the answer ends with the connection, whatever the gateway would do otherwise.
                let mut stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(Duration::from_secs(30)))?;
                write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                ensure!(answer.split(' ').nth(1) == Some("200"), "{answer}");
                None
            }
        };
        seen.lock().acknowledged.insert(text, id);
        Ok(())
    }
}

/// Tries until it works.
fn until<T>(mut attempt: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + START_MAX;
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context("the gateway does not start"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Starts the SMSC, and notes what it is handed; answers with its port.
fn smsc(port: u16, seen: &Shared) -> anyhow::Result<(Group, u16)> {
    let mut command = Command::new("node");
    command.arg(root().join("crates/server/tests/peers/smsc.js"));
    command.env("NODE_PATH", peers::folder().join("node/node_modules")).env("PORT", port.to_string());
    let mut process = Group::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut lines = BufReader::new(process.0.stdout.take().context("no standard output")?).lines();
    let first: Value = serde_json::from_str(&lines.next().context("the SMSC did not start")??)?;
    let port = first["listening"].as_u64().context("the SMSC tells no port")? as u16;
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        for told in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Value>(&line).ok()) {
            if let Some(text) = told["submit"]["text"].as_str() {
                let mut seen = seen.lock();
                *seen.submits.entry(text.to_owned()).or_default() += 1;
                seen.last_submit = Some(Instant::now());
            }
        }
    });
    Ok((process, port))
}

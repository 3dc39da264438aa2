//! SMPP against an SMSC that misbehaves as it is told: `../shared/peers/smsc.py` beside the repository.
//! Without it these tests are left out. A test is named after the rule that it holds.

mod answers;
mod bad_pdus;
mod bursts;
mod identity;
mod pdu;
mod receipts;
mod refused;
mod requests;
mod sessions;
mod settings;
mod tap;
mod texts;
mod words;

use crate::support::{TestServer, answer};
use reqwest::Method;
use serde_json::{Value, json};
use server::config::Config;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tap::Tap;
use tempfile::TempDir;

/// How long anything may take here that should happen at once.
const SOON: Duration = Duration::from_secs(30);
/// How long something is watched that must not happen.
const MEANWHILE: Duration = Duration::from_millis(400);
/// The recipient of the first step, and of the second one.
const TO: &str = "+306900000000";
const STEP_2: &str = "+306900000001";
/// A receipt that every carrier's reader understands, for m000001.
const PLAIN: &str = "0000005000000005000000000000000100010133303639303030303030303000050041636d65000400000000000000001f69643a6d30303030303120737461743a44454c49565244206572723a303030";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/peers/smsc.py")
}

/// Whether the SMSC is missing, which is said in a line.
fn left_out() -> bool {
    let missing = !script().exists();
    if missing {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        eprintln!("LEFT OUT: {test}: there is no ../shared/peers/smsc.py beside the repository");
    }
    missing
}

/// The SMSC.
struct Odd {
    child: Child,
    input: Mutex<ChildStdin>,
    port: u16,
    events: Arc<Mutex<Vec<(Instant, Value)>>>,
    _directory: TempDir,
}

impl Drop for Odd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Odd {
    /// Starts it with flags and the rules of a script.
    fn start(flags: &[&str], rules: &Value) -> Odd {
        let directory = tempfile::tempdir().unwrap();
        let rules_file = directory.path().join("rules.json");
        std::fs::write(&rules_file, json!({"rules": rules}).to_string()).unwrap();
        let mut command = Command::new("python3");
        command.arg(script()).args(flags);
        if rules.is_array() {
            command.arg("--script").arg(&rules_file);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().expect("the SMSC starts").unwrap()).unwrap();
        let port = first["port"].as_u64().unwrap() as u16;
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    heard.lock().unwrap().push((Instant::now(), event));
                }
            }
        });
        let input = Mutex::new(child.stdin.take().unwrap());
        Odd { child, input, port, events, _directory: directory }
    }

    /// Has it do something on its youngest bound session.
    fn act(&self, action: &Value) {
        writeln!(self.input.lock().unwrap(), "{action}").unwrap();
    }

    fn write(&self, octets: &[u8]) {
        self.act(&json!({"send": {"raw": pdu::hex(octets)}}));
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|(_, event)| event["event"] == name).map(|(_, event)| event.clone()).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|(_, event)| event["event"] == name).count()
    }

    fn submits_to(&self, to: &str) -> Vec<Value> {
        let to = to.trim_start_matches('+');
        self.events("submit").into_iter().filter(|submit| submit["to"] == to).collect()
    }

    /// The first submit to a number, once the SMSC has told of it: what came of it may be seen earlier.
    async fn first_submit_to(&self, to: &str) -> Value {
        assert!(so(SOON, async || !self.submits_to(to).is_empty()).await, "no submit to {to}");
        self.submits_to(to).swap_remove(0)
    }

    /// Its requests' answers under a sequence number.
    fn answers(&self, sequence: u32) -> Vec<Value> {
        self.events("answer").into_iter().filter(|answer| answer["sequence"] == sequence).collect()
    }
}

/// What is unlike the usual.
#[derive(Default)]
struct Setup<'a> {
    flags: &'a [&'a str],
    /// The rules of the SMSC's script.
    rules: Value,
    /// Keys of the carrier.
    carrier: &'a str,
    /// Tables behind the carrier.
    tables: &'a str,
    /// How long a ttl minute lasts.
    minute: &'a str,
    /// Puts a tap between the server and the SMSC.
    tap: bool,
}

/// An SMSC, and a server whose carrier it is.
struct Pair {
    smsc: Odd,
    server: TestServer,
    tap: Option<Tap>,
}

impl Pair {
    async fn try_start(setup: &Setup<'_>) -> Result<Pair, String> {
        let smsc = Odd::start(setup.flags, &setup.rules);
        let tap = if setup.tap { Some(Tap::start(smsc.port).await) } else { None };
        let port = tap.as_ref().map_or(smsc.port, |tap| tap.port);
        let mut text = String::from("[engine]\nminute = ");
        text += &format!("\"{}\"\n", if setup.minute.is_empty() { "10s" } else { setup.minute });
        text += "[[carrier]]\nname = \"smsc\"\nkind = \"smpp\"\nchannels = [\"Sms\"]\nhost = \"127.0.0.1\"\n";
        text += &format!("port = {port}\n{}\n", setup.carrier);
        for (key, value) in [
            ("window", "10"),
            ("response_timeout", "\"2s\""),
            ("reconnect_max", "\"300ms\""),
            ("system_id", "\"user\""),
            ("password", "\"secret\""),
        ] {
            if !setup.carrier.lines().any(|line| line.starts_with(&format!("{key} "))) {
                text += &format!("{key} = {value}\n");
            }
        }
        text += setup.tables;
        Config::parse(&text, Path::new(env!("CARGO_MANIFEST_DIR")), []).map_err(|error| error.to_string())?;
        Ok(Pair { smsc, server: TestServer::start(&text).await, tap })
    }

    /// Starts both, and waits for a bind that the server knows of.
    async fn start(setup: &Setup<'_>) -> Pair {
        let pair = Pair::try_start(setup).await.unwrap();
        assert!(pair.is_bound().await, "the server binds: {:?}", pair.smsc.events.lock().unwrap());
        pair
    }

    async fn is_bound(&self) -> bool {
        so(SOON, async || {
            self.smsc.count("bind") > 0 && self.metric("switchback_carrier_up{carrier=\"smsc\"}").await == 1
        })
        .await
    }

    async fn send(&self, to: &str) -> String {
        self.server.send(&json!({"flow": [self.step(1, to, "hello")]})).await
    }

    /// Sends a flow whose second step goes to [`STEP_2`].
    async fn send_two(&self, to: &str) -> String {
        let steps = [self.step(1, to, "hello"), self.step(2, STEP_2, "hello")];
        self.server.send(&json!({"flow": steps})).await
    }

    fn step(&self, order: u32, to: &str, body: &str) -> Value {
        json!({"type": "Sms", "order": order, "from": "Acme", "to": to, "ttl": 10, "message": {"body": body}})
    }

    /// Sends a flow, and waits until the SMSC has its first step; answers with the SMSC's id as well.
    async fn accepted(&self, to: &str) -> (String, String) {
        let id = self.send_two(to).await;
        assert!(self.comes_to(&id, "Sent").await, "{to}: {}", self.server.track(&id).await);
        (id, self.smsc.first_submit_to(to).await["id"].as_str().unwrap().to_owned())
    }

    /// The status of the first message, or nothing before it has one.
    async fn status(&self, id: &str) -> String {
        status(&self.server.track(id).await)
    }

    async fn detail(&self, id: &str) -> String {
        let tracking = self.server.track(id).await;
        tracking["messages"][0]["status"]["reason"]["detailedStatus"].as_str().unwrap_or_default().to_owned()
    }

    /// The status of each message.
    async fn statuses(&self, id: &str) -> Vec<String> {
        let tracking = self.server.track(id).await;
        let name = |message: &Value| message["status"]["name"].as_str().unwrap_or_default().to_owned();
        tracking["messages"].as_array().unwrap().iter().map(name).collect()
    }

    /// Whether the first message gets the status soon.
    async fn comes_to(&self, id: &str, wanted: &str) -> bool {
        self.comes_to_one_of(id, &[wanted]).await
    }

    async fn comes_to_one_of(&self, id: &str, wanted: &[&str]) -> bool {
        so(SOON, async || wanted.contains(&&*self.status(id).await)).await
    }

    /// Whether the first message still has the status after a while.
    async fn stays(&self, id: &str, wanted: &str) -> bool {
        !so(MEANWHILE, async || self.status(id).await != wanted).await
    }

    /// The sum of the samples of `/metrics` that start so.
    async fn metric(&self, start: &str) -> u64 {
        let (_, metrics) = answer(self.server.request(Method::GET, "/metrics")).await;
        let lines = metrics.as_str().unwrap().lines().filter(|line| line.starts_with(start));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// How many receipts were counted, whatever they came to.
    async fn receipts(&self) -> u64 {
        self.metric("switchback_receipts_total{carrier=\"smsc\"").await
    }

    /// How many messages from handsets were counted.
    async fn handset_messages(&self) -> u64 {
        self.metric("switchback_inbound_total{event=\"sms\"").await
    }

    /// Writes a PDU, and waits for its answer; none where there is none soon, or the session ends.
    async fn ask(&self, pdu: &[u8]) -> Option<Value> {
        let (sequence, ended) = (pdu::sequence(pdu), self.smsc.count("closed"));
        let before = self.smsc.answers(sequence).len();
        self.smsc.write(pdu);
        let over = || self.smsc.answers(sequence).len() > before || self.smsc.count("closed") > ended;
        so(SOON, async || over()).await;
        self.smsc.answers(sequence).get(before).cloned()
    }

    /// As [`Pair::ask`], with what a session that ended leaves behind put right for what is tried next.
    async fn ask_and_recover(&self, pdu: &[u8]) -> Option<Value> {
        let answer = self.ask(pdu).await;
        if answer.is_none() {
            so(SOON, async || self.smsc.count("bind") > self.smsc.count("closed")).await;
        }
        answer
    }

    /// Whether there has been one session, which is still there.
    fn one_session(&self) -> bool {
        self.smsc.count("bind") == 1 && self.smsc.count("closed") == 0
    }
}

fn status(tracking: &Value) -> String {
    tracking["messages"][0]["status"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Whether something becomes so in time.
async fn so(time: Duration, mut wanted: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if wanted().await {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A table's rows: what does not hold is told at the end, all of it.
#[derive(Default)]
struct Rows {
    broken: Vec<String>,
}

impl Rows {
    fn check(&mut self, row: impl Display, so: bool, instead: impl Display) {
        if !so {
            self.broken.push(format!("{row}: {instead}"));
        }
    }

    fn hold(self) {
        assert!(self.broken.is_empty(), "{} do not hold:\n{}", self.broken.len(), self.broken.join("\n"));
    }
}

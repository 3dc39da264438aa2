//! A server of its own for each case with two applications, and what an attacker knows and can.

use super::peers::Peers;
use super::watch::Watch;
use crate::load::{Client, Server, post};
use anyhow::Context as _;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Octets of a refusal that are shown.
const REFUSAL_SHOWN: usize = 160;

/// The sandbox for all channels, with receipts at once.
pub fn sandbox() -> String {
    crate::traffic::config("")
}

/// The sandbox, and callbacks to loopback.
pub fn private_targets() -> String {
    format!("{}[callbacks]\nallow_private = true\n", sandbox())
}

/// An application's credentials, as `Authorization: Basic` has them, and a token of it.
pub struct Login {
    pub basic: String,
    pub token: String,
}

/// A server with what is around it.
pub struct Stage {
    pub peers: Peers,
    pub hostile: Login,
    pub other: Login,
    /// None where it did not start.
    pub(super) server: Option<Server>,
    pub(super) watch: Watch,
    program: PathBuf,
    /// What a shell does before it becomes the server.
    limits: &'static str,
    guard_mib: u64,
    /// Of the next start.
    pub config: String,
    /// Its data, its log, its process id.
    directory: TempDir,
}

impl Stage {
    /// Starts a server by its configuration: `limits` is what a shell does before, and with more than
    /// `guard_mib` MiB of memory it is killed.
    ///
    /// # Errors
    /// When it does not start, or gives no token.
    pub fn start(
        program: &Path,
        config: fn(&Peers) -> anyhow::Result<String>,
        limits: &'static str,
        guard_mib: u64,
    ) -> anyhow::Result<Stage> {
        let (directory, peers) = (tempfile::tempdir()?, Peers::start()?);
        let config = config(&peers)?;
        let watch = Watch::start(directory.path().join("pid"), guard_mib);
        let server = launch(program, limits, &config, directory.path())?;
        let login = || -> anyhow::Result<Login> {
            let (basic, token) = server.login()?;
            Ok(Login { basic, token })
        };
        let (hostile, other) = (login()?, login()?);
        Ok(Stage {
            peers,
            hostile,
            other,
            server: Some(server),
            watch,
            program: program.to_owned(),
            limits,
            guard_mib,
            config,
            directory,
        })
    }

    /// The server.
    ///
    /// # Errors
    /// When it does not run.
    pub fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("the server does not run")
    }

    /// Stops the server, changes its data, starts it again.
    ///
    /// # Errors
    /// When it does not end, or does not start.
    pub fn restart(&mut self, change: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            server.stop()?;
        }
        change(&self.directory.path().join("data"))?;
        self.watch = Watch::start(self.directory.path().join("pid"), self.guard_mib);
        self.server = Some(launch(&self.program, self.limits, &self.config, self.directory.path())?);
        Ok(())
    }

    /// The attacker's view of it, without an end.
    pub fn attack(&self, lasting: Duration) -> anyhow::Result<Attack<'_>> {
        let server = self.server()?;
        Ok(Attack {
            stage: self,
            server,
            address: &server.address,
            started: Instant::now(),
            lasting,
            ended: AtomicBool::new(false),
        })
    }

    /// Octets of the data directory.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        self.server()?.disk_bytes()
    }

    /// Lines of the log that tell of a panic.
    pub fn panics(&self) -> usize {
        let log = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains("panicked")).count()
    }
}

/// Starts the server by a shell, which tells its process id first and sets its limits.
fn launch(program: &Path, limits: &str, config: &str, directory: &Path) -> anyhow::Result<Server> {
    let mut command = Command::new("sh");
    let script = format!("echo $$ >\"$STAGE/pid\"; {limits}; exec \"$@\" 2>>\"$STAGE/log\"");
    command.arg("-c").arg(script).arg("sh").arg(program).env("STAGE", directory);
    Server::start_by(command, program, config, directory.join("data"), tempfile::tempdir()?)
}

/// What the attacker knows and can.
pub struct Attack<'a> {
    pub stage: &'a Stage,
    pub server: &'a Server,
    pub address: &'a str,
    pub started: Instant,
    pub lasting: Duration,
    /// Set when it has to end before its time.
    pub(super) ended: AtomicBool,
}

impl Attack<'_> {
    /// Whether its time is over.
    pub fn over(&self) -> bool {
        self.ended.load(Ordering::Relaxed) || self.started.elapsed() > self.lasting
    }

    /// The most memory that the server took, MiB.
    pub fn peak_mib(&self) -> u64 {
        self.stage.watch.peak_mib()
    }

    /// The memory that the server takes, KiB.
    pub fn resident_kib(&self) -> u64 {
        self.stage.watch.resident_kib()
    }

    /// A connection.
    pub fn connect(&self) -> anyhow::Result<Client> {
        let mut client = Client::connect(self.address)?;
        client.set_timeout(PATIENCE)?;
        Ok(client)
    }

    /// Sends one request of an application over a connection of its own: status and body.
    pub fn post(&self, login: &Login, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let mut client = self.connect()?;
        let (status, body) = client.answer(&post(path, &login.token, body))?;
        Ok((status, String::from_utf8_lossy(body).into_owned()))
    }

    /// Sends requests over some connections, each as fast as answers come, until there are no more or its
    /// time is over.
    pub fn flood(&self, connections: usize, request: impl Fn(usize) -> Option<Vec<u8>> + Sync) -> Answers {
        let (next, answers) = (AtomicUsize::new(0), Mutex::new(Answers::default()));
        std::thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut client = None;
                    while !self.over() {
                        let Some(request) = request(next.fetch_add(1, Ordering::Relaxed)) else { return };
                        self.ask(&mut client, &request, &answers);
                    }
                });
            }
        });
        answers.into_inner()
    }

    /// Sends one request and counts its answer.
    fn ask(&self, client: &mut Option<Client>, request: &[u8], answers: &Mutex<Answers>) {
        let asked = Instant::now();
        if client.is_none() {
            *client = self.connect().ok();
        }
        match client.as_mut().map(|client| client.answer(request)) {
            Some(Ok((status, body))) => {
                let took_us = asked.elapsed().as_micros() as u64;
                answers.lock().count_one(status, body, took_us);
            }
            _ => {
                *client = None;
                answers.lock().without += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Waits for a condition until its time is over, and at least so long; how long it took, if it came.
    pub fn wait(&self, at_least: Duration, condition: impl Fn() -> bool) -> Option<Duration> {
        let asked = Instant::now();
        while !self.ended.load(Ordering::Relaxed) {
            if condition() {
                return Some(asked.elapsed());
            }
            if self.over() && asked.elapsed() > at_least {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// What the server answered to an attack.
#[derive(Default)]
pub struct Answers {
    pub by_status: BTreeMap<u16, usize>,
    /// Requests without an answer.
    pub without: usize,
    /// The largest body.
    pub octets_max: usize,
    /// The start of the first body that came with another status than 200.
    pub refusal: Option<String>,
    /// How long each answer took.
    pub took_us: Vec<u64>,
}

impl Answers {
    /// One answer.
    pub fn one((status, body): (u16, String)) -> Answers {
        let mut answers = Answers::default();
        answers.count_one(status, body.as_bytes(), 0);
        answers
    }

    fn count_one(&mut self, status: u16, body: &[u8], took_us: u64) {
        *self.by_status.entry(status).or_default() += 1;
        self.octets_max = self.octets_max.max(body.len());
        self.took_us.push(took_us);
        if status != 200 && self.refusal.is_none() {
            let start = &body[..body.len().min(REFUSAL_SHOWN)];
            self.refusal = Some(String::from_utf8_lossy(start).into_owned());
        }
    }

    /// How many were 200.
    pub fn accepted(&self) -> usize {
        self.by_status.get(&200).copied().unwrap_or_default()
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.by_status.values().sum()
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> =
            self.by_status.iter().map(|(status, count)| format!("{count} x {status}")).collect();
        formatter.write_str(&parts.join(", "))?;
        if self.without > 0 {
            write!(formatter, " and {} without an answer", self.without)?;
        }
        if let Some(refusal) = &self.refusal {
            write!(formatter, "; the first refusal: {refusal}")?;
        }
        Ok(())
    }
}

/// What an attack found out.
#[derive(Default)]
pub struct Finding {
    pub answers: Answers,
    pub promises: Vec<Promise>,
    /// The case has a bound of its own on the server's memory, MiB.
    pub memory_max_mib: Option<u64>,
}

impl Finding {
    /// Answers, and one promise.
    pub fn new(answers: Answers, text: String, kept: bool) -> Finding {
        Finding { answers, promises: vec![Promise { text, kept }], memory_max_mib: None }
    }

    /// Answers alone.
    pub fn answers(answers: Answers) -> Finding {
        Finding { answers, ..Finding::default() }
    }
}

/// A case's own promise, with its figure.
pub struct Promise {
    pub text: String,
    pub kept: bool,
}

/// How long something took, for people.
pub fn told(took: Option<Duration>) -> String {
    took.map_or("not within the time of the attack".into(), |took| {
        format!("after {:.2} s", took.as_secs_f64())
    })
}

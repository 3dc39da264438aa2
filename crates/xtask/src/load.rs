//! A server as a process of its own, and a client that is light enough to measure it with.

use crate::core_time::CoreTime;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a program may take to say its address.
const START_MAX: Duration = Duration::from_secs(120);

/// A process that ends with its value.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Starts a program.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Process> {
        command.spawn().context("starting a process").map(Process)
    }

    /// Starts a program and waits for the first line of its output, which tells its address.
    pub fn start(command: &mut Command) -> anyhow::Result<(Process, String)> {
        let mut process = Process::spawn(command.stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().context("no standard output")?;
        let (said, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            let _ = said.send(read.map(|_| line.trim().to_owned()));
        });
        let line = line.recv_timeout(START_MAX).context("a process did not say its address in time")??;
        Ok((process, line))
    }
}

/// A server on fresh data; ends with its value.
pub struct Server {
    process: Process,
    /// Its address.
    pub address: String,
    program: PathBuf,
    data: PathBuf,
    /// Where what is not kept is.
    _directory: TempDir,
}

impl Server {
    /// Starts `program serve` with a configuration.
    pub fn start(program: &Path, config: &str) -> anyhow::Result<Server> {
        Server::start_with(program, config, None, None)
    }

    /// Starts `program serve` with a configuration, in a data directory that is kept, and on a disk whose
    /// flushes take 100 ms where there is a shim for it.
    pub fn start_with(
        program: &Path,
        config: &str,
        kept: Option<&Path>,
        slow: Option<&Path>,
    ) -> anyhow::Result<Server> {
        let directory = tempfile::tempdir()?;
        let data = kept.map_or_else(|| directory.path().join("data"), Path::to_owned);
        let mut command = Command::new(program);
        // One application asks for all.
        command.env("SWITCHBACK__SERVER__REQUESTS_PER_SECOND", "0");
        if let Some(shim) = slow {
            let mode = directory.path().join("mode");
            std::fs::write(&mode, "slow")?;
            command.env("LD_PRELOAD", shim).env("DISK_DIR", &data);
            command.env("DISK_MODE", mode);
        }
        Server::start_by(command, program, config, data, directory)
    }

    /// Starts a server by a command that runs the program with whatever arguments are added to it.
    ///
    /// # Errors
    /// When it ends or says something else before it listens.
    pub fn start_by(
        mut command: Command,
        program: &Path,
        config: &str,
        data: PathBuf,
        directory: TempDir,
    ) -> anyhow::Result<Server> {
        let file = directory.path().join("switchback.toml");
        std::fs::write(&file, config)?;
        command.arg("serve").arg("--data").arg(&data).arg("--config").arg(&file);
        command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "warn");
        let (process, line) = Process::start(&mut command)?;
        let address = line.strip_prefix("listening on http://").context("the server did not start")?;
        let (address, program) = (address.to_owned(), program.to_owned());
        Ok(Server { process, address, program, data, _directory: directory })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Whether its process still runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn lives(&mut self) -> anyhow::Result<bool> {
        Ok(self.process.0.try_wait()?.is_none())
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates an application and takes a token of it.
    pub fn token(&self) -> anyhow::Result<String> {
        Ok(self.login()?.1)
    }

    /// Creates an application: its credentials as `Authorization: Basic` has them, and a token of it.
    pub fn login(&self) -> anyhow::Result<(String, String)> {
        login(&self.program, &self.data, &self.address)
    }

    /// Runs a command of the program on the server's data; returns what it prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.program).args(arguments).arg("--data").arg(&self.data).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Resident memory, KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("no VmRSS")?.parse()?)
    }

    /// Seconds of a core that it has used.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        Ok(self.core_time()?.all)
    }

    /// The core time that it has used.
    pub fn core_time(&self) -> anyhow::Result<CoreTime> {
        CoreTime::read(self.id())
    }

    /// Bytes of its database, after everything in the log was moved into it.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        let mut total = 0;
        for entry in std::fs::read_dir(&self.data)? {
            total += entry?.metadata()?.len();
        }
        Ok(total)
    }

    /// SIGTERM, and its end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.process.0.id().to_string()]).status()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.process.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the server does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Creates an application: its credentials as `Authorization: Basic` has them, and a token of it.
pub fn login(program: &Path, data: &Path, address: &str) -> anyhow::Result<(String, String)> {
    let output = Command::new(program)
        .args(["app", "create", "--name", "load", "--token-ttl", "unlimited", "--data"])
        .arg(data)
        .output()?;
    let application: Value = serde_json::from_slice(&output.stdout)?;
    let text = |name: &str| application[name].as_str().map(str::to_owned).context("no credentials");
    let basic = base64(format!("{}:{}", text("applicationId")?, text("applicationSecret")?).as_bytes());
    let mut client = Client::connect(address)?;
    let request = format!(
        "POST /oauth/token?grant_type=client_credentials HTTP/1.1\r\nhost: x\r\nauthorization: Basic {basic}\r\n\
         content-length: 0\r\n\r\n"
    );
    let answer: Value = serde_json::from_slice(client.exchange(request.as_bytes())?)?;
    let token = answer["access_token"].as_str().context("no token")?.to_owned();
    Ok((basic, token))
}

/// The body of a search for flows that have not ended.
pub fn open_flows() -> String {
    let not = |status| json!({"fieldName": "status", "searchOperator": "is_not", "searchTerm": status});
    json!([not("Succeeded"), not("Failed")]).to_string()
}

/// A request with a JSON body, ready to be written.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One HTTP/1.1 connection that asks and waits; it understands only what our servers answer (RFC 9112, 6.2).
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The head of the last answer.
    head: String,
}

impl Client {
    /// Connects.
    pub fn connect(address: &str) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Client { stream, buffer: Vec::with_capacity(16 * 1024), head: String::new() })
    }

    /// Writes a request and reads the body of its answer, which must be 200.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        let (status, body) = self.ask(request)?;
        if status != 200 {
            bail!("{}\r\n\r\n{}", self.head, String::from_utf8_lossy(&self.buffer[body]));
        }
        Ok(&self.buffer[body])
    }

    /// Writes a request and reads its answer, whatever it is: its status and its body.
    pub fn answer(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        let (status, body) = self.ask(request)?;
        Ok((status, &self.buffer[body]))
    }

    /// How long reading and writing may wait.
    pub fn set_timeout(&mut self, timeout: Duration) -> anyhow::Result<()> {
        self.stream.set_read_timeout(Some(timeout))?;
        Ok(self.stream.set_write_timeout(Some(timeout))?)
    }

    /// Writes a request and reads its answer: its status, and where its body is in the buffer.
    fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, std::ops::Range<usize>)> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let start = loop {
            self.receive()?;
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        self.head = std::str::from_utf8(&self.buffer[..start - 4])?.to_owned();
        let status = self.head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer without a status")?;
        if self.header("transfer-encoding").is_some() {
            self.read_chunks(start)?;
            return Ok((status, start..self.buffer.len()));
        }
        let length: usize =
            self.header("content-length").context("an answer without content-length")?.parse()?;
        while self.buffer.len() < start + length {
            self.receive()?;
        }
        Ok((status, start..start + length))
    }

    /// Reads a body in chunks (RFC 9112, 7.1) to its end, and leaves its octets alone in the buffer.
    fn read_chunks(&mut self, start: usize) -> anyhow::Result<()> {
        let mut at = start;
        loop {
            let line = self.buffer[at..].windows(2).position(|window| window == b"\r\n");
            let Some(line) = line else {
                self.receive()?;
                continue;
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line])?;
            let size = usize::from_str_radix(size, 16).context("a chunk without a size")?;
            while self.buffer.len() < at + line + size + 4 {
                self.receive()?;
            }
            self.buffer.drain(at..at + line + 2);
            at += size;
            self.buffer.drain(at..at + 2);
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what has come.
    fn receive(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let read = self.stream.read(&mut chunk)?;
        if read == 0 {
            bail!("the connection was closed");
        }
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }

    /// A header of the last answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// What the parts of the last answer took, in microseconds, by the header `Server-Timing`.
    pub fn server_timing(&self) -> Vec<(String, u64)> {
        let values = self.head.lines().filter_map(|line| line.strip_prefix("server-timing: "));
        let parts = values.flat_map(|value| value.split(", ")).filter_map(|part| part.split_once(";dur="));
        parts
            .filter_map(|(name, ms)| Some((name.to_owned(), (ms.parse::<f64>().ok()? * 1e3) as u64)))
            .collect()
    }
}

fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

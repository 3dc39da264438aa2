//! `cargo xtask bench search`: the benchmark of the index, with PostgreSQL beside it.

use crate::{run, works};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Beyond it, other engines take too long to fill.
const RIVAL_FLOWS_MAX: u64 = 10_000_000;

/// Searches: totals and pages, the index alone, by class, with and without updates beside them; and, up to
/// ten million flows, what other engines take for the same questions.
#[derive(clap::Args)]
pub struct Search {
    /// Flows to search among; 100 million take some 10 GiB.
    #[arg(long, default_value_t = 1_000_000)]
    flows: u64,
    /// Different recipients; a fifth of the flows when absent.
    #[arg(long)]
    recipients: Option<u64>,
    /// Only the classes whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// Without the other engines.
    #[arg(long)]
    alone: bool,
    /// Beside SQLite and PostgreSQL, DuckDB and ClickHouse (chdb), as Python packages.
    #[arg(long, conflicts_with = "alone")]
    all: bool,
}

impl Search {
    pub fn run(&self) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let mut arguments =
            ["bench", "--package", "index", "--bench", "search", "--"].map(String::from).to_vec();
        arguments.extend(["--flows".into(), self.flows.to_string(), "--only".into(), self.only.clone()]);
        if let Some(recipients) = self.recipients {
            arguments.extend(["--recipients".into(), recipients.to_string()]);
        }
        std::fs::create_dir(path("files"))?;
        arguments.extend(["--files".into(), path("files").display().to_string()]);
        let mut server = None;
        if !self.alone && self.flows <= RIVAL_FLOWS_MAX {
            let postgres = Postgres::start(directory.path())?;
            arguments.extend(["--sqlite".into(), directory.path().display().to_string()]);
            arguments.extend(["--postgres".into(), postgres.parameters()]);
            server = Some(postgres);
            if self.all {
                let python = crate::peers::python("engines", "crates/index/benches/search/requirements.txt")?;
                arguments.extend(["--python".into(), python.join("python").display().to_string()]);
            }
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let result = run("cargo", &arguments);
        drop(server);
        result
    }
}

/// A PostgreSQL server of our own, on a socket in a folder.
struct Postgres {
    folder: PathBuf,
    child: Child,
    stop: Command,
}

impl Postgres {
    fn start(directory: &Path) -> anyhow::Result<Postgres> {
        let programs = programs()?;
        let folder = directory.join("postgres");
        std::fs::create_dir(&folder)?;
        // The server refuses to run as root.
        let root = works("sh", &["-c", "test $(id -u) = 0"]);
        let command = |program: &str| {
            let program = programs.join(program);
            if root {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            } else {
                Command::new(program)
            }
        };
        if root {
            for (program, argument) in [("chmod", "755"), ("chown", "postgres")] {
                let of = if program == "chmod" { directory } else { &folder };
                run(program, &[argument, &of.display().to_string()])?;
            }
        }
        let data = folder.join("data");
        let made = command("initdb").arg("-D").arg(&data).args(["-A", "trust", "-U", "bench"]).output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let mut server = command("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(&folder);
        let settings = [
            "listen_addresses=",
            "shared_buffers=4GB",
            "work_mem=256MB",
            "effective_cache_size=12GB",
            "random_page_cost=1.1",
            "max_wal_size=16GB",
            "autovacuum=off",
            "log_min_messages=fatal",
            "jit=off",
        ];
        server.args(settings.iter().flat_map(|setting| ["-c", setting]));
        let child = server.spawn().context("starting PostgreSQL")?;
        let mut stop = command("pg_ctl");
        stop.arg("-D").arg(&data).args(["-m", "fast", "stop"]);
        let postgres = Postgres { folder, child, stop };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !postgres.folder.join(".s.PGSQL.5432").exists() {
            if Instant::now() > deadline {
                bail!("PostgreSQL does not start");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(postgres)
    }

    fn parameters(&self) -> String {
        format!("host={} user=bench dbname=postgres", self.folder.display())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.stop.output();
        let _ = self.child.wait();
    }
}

/// Where PostgreSQL's programs are; installs them where they are missing.
fn programs() -> anyhow::Result<PathBuf> {
    let find = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin")).find(|bin| bin.join("initdb").exists())
    };
    if let Some(bin) = find() {
        return Ok(bin);
    }
    crate::peers::install_packages(&["postgresql", "postgresql-contrib"])?;
    find().context("PostgreSQL's programs are not where Debian has them")
}

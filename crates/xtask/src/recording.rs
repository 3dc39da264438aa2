//! Profiles of a server by perf.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Samples a second: no multiple of what servers do every so many milliseconds.
const FREQUENCY: &str = "997";

/// A profile that is being recorded.
pub struct Recording {
    perf: Child,
    data: PathBuf,
}

impl Recording {
    /// Begins to record a process; what is recorded goes to `folder/name.data`.
    ///
    /// # Errors
    /// When perf is missing.
    pub fn start(process: u32, folder: &Path, name: &str) -> anyhow::Result<Recording> {
        std::fs::create_dir_all(folder)?;
        let data = folder.join(name).with_extension("data");
        let mut perf = Command::new("perf");
        perf.args(["record", "--quiet", "--freq", FREQUENCY, "--pid", &process.to_string(), "--output"]);
        let perf = perf.arg(&data).stdin(Stdio::null()).spawn();
        let perf = perf.context("perf can't be started; Debian has it in the package linux-perf")?;
        Ok(Recording { perf, data })
    }

    /// Ends it and writes the shares of threads, and of functions within threads, to `folder/name.txt`.
    ///
    /// # Errors
    /// When perf has recorded nothing, as where the system does not let it.
    pub fn finish(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-INT", &self.perf.id().to_string()]).status()?;
        self.perf.wait()?;
        let shares = |sort: &str| -> anyhow::Result<Vec<u8>> {
            let mut report = Command::new("perf");
            report.args(["report", "--stdio", "--percent-limit", "0.3", "--sort", sort, "--input"]);
            let output = report.arg(&self.data).stdin(Stdio::null()).output()?;
            ensure!(output.status.success(), "perf report: {}", String::from_utf8_lossy(&output.stderr));
            Ok(output.stdout)
        };
        let report = [shares("comm")?, shares("comm,symbol")?].concat();
        Ok(std::fs::write(self.data.with_extension("txt"), report)?)
    }
}

//! Profiles of a server by perf.

use crate::stages;
use anyhow::{Context, ensure};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Samples a second: no multiple of what servers do every so many milliseconds, and few, as each has a copy
/// of the stack.
const FREQUENCY: &str = "197";
/// How call graphs are told: releases have no frame pointers.
const CALL_GRAPH: &str = "dwarf,16384";

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
        perf.args(["record", "--quiet", "--freq", FREQUENCY, "--call-graph", CALL_GRAPH]);
        perf.args(["--pid", &process.to_string(), "--output"]);
        let perf = perf.arg(&data).stdin(Stdio::null()).spawn();
        let perf = perf.context("perf can't be started; Debian has it in the package linux-perf")?;
        Ok(Recording { perf, data })
    }

    /// Ends it and writes the shares of stages, of threads, and of functions within threads, to
    /// `folder/name.txt`.
    ///
    /// # Errors
    /// When perf has recorded nothing, as where the system does not let it.
    pub fn finish(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-INT", &self.perf.id().to_string()]).status()?;
        self.perf.wait()?;
        let script = self.perf(&["script", "--no-inline", "--fields", "comm,ip,sym"])?;
        let mut told = String::new();
        for (stage, share) in stages::shares(&script) {
            writeln!(told, "{share:5.1} %  {stage}")?;
        }
        for sort in ["comm", "comm,symbol"] {
            let report = ["report", "--stdio", "--no-children", "--call-graph", "none"];
            told +=
                &self.perf(&[&report, &["--percent-limit", "0.3", "--sort", sort] as &[&str]].concat())?;
        }
        Ok(std::fs::write(self.data.with_extension("txt"), told)?)
    }

    /// What perf prints about the recording.
    fn perf(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut perf = Command::new("perf");
        let output = perf.args(arguments).arg("--input").arg(&self.data).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "perf: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

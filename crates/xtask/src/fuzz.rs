//! `cargo xtask fuzz`.

use crate::command::build_program;
use crate::root;
use anyhow::{Context, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What tells libFuzzer which code ran and what was compared, as cargo-fuzz passes it for `--sanitizer none`:
/// building that tool takes longer than the short runs that this is mostly used for. Without `unsafe` code
/// there is little for sanitizers to find, and they need a nightly compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 --cfg fuzzing -Cdebug-assertions";
/// The most memory that a target may take, MiB; and the one that reads sound, which is the most that a format
/// from outside can become.
const MEMORY_MAX: u32 = 2048;
const AUDIO_MEMORY_MAX: u32 = 256;

/// Shorter runs are not worth optimizing for, seconds.
const SHORT: u32 = 120;

/// The names of all targets: each is a file of `crates/fuzzing`, whose tests hold its table against that.
fn targets() -> anyhow::Result<Vec<String>> {
    let files = std::fs::read_dir(root().join("crates/fuzzing/src/targets"))?;
    let files = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<Vec<PathBuf>>>()?;
    let names = files.iter().filter_map(|file| file.file_stem().and_then(OsStr::to_str));
    let mut names: Vec<String> = names.filter(|name| *name != "mod").map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// Feed every fuzz target for a while; fails at the first finding.
#[derive(clap::Args)]
pub struct Fuzz {
    /// Seconds for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
}

impl Fuzz {
    /// Builds the program and runs it for the targets, two at a time.
    pub fn run(self) -> anyhow::Result<()> {
        let all = targets()?;
        let targets: Vec<&String> =
            all.iter().filter(|name| self.target.as_ref().is_none_or(|only| only == *name)).collect();
        ensure!(!targets.is_empty(), "there is no such target; there are {}", all.join(", "));
        let program = self.build()?;
        for pair in targets.chunks(2) {
            let started =
                pair.iter().map(|target| self.start(&program, target)).collect::<anyhow::Result<Vec<_>>>()?;
            for (target, process) in pair.iter().zip(started) {
                let output = process.wait_with_output()?;
                let told = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "{told}\n{target}: a finding");
                let runs =
                    told.lines().find_map(|line| line.strip_prefix("Done ")).context("it tells no runs")?;
                println!("{target}: {runs}, no finding");
            }
        }
        Ok(())
    }

    /// Builds the program that feeds any target; answers where it is.
    fn build(&self) -> anyhow::Result<PathBuf> {
        let host = Command::new("rustc").arg("-vV").output()?;
        let host = String::from_utf8_lossy(&host.stdout).into_owned();
        let host =
            host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc tells no host")?;
        // With a target, build scripts are not instrumented.
        let mut arguments =
            vec!["--locked", "--bins", "--manifest-path", "fuzz/Cargo.toml", "--target", host];
        // With more units, each is instrumented and not inlined into others.
        let optimized = format!("{FLAGS} -Ccodegen-units=1");
        let is_short = self.seconds < SHORT;
        if !is_short {
            arguments.push("--release");
        }
        build_program("fuzz", &arguments, &[("RUSTFLAGS", if is_short { FLAGS } else { &optimized })])
    }

    fn start(&self, program: &Path, target: &str) -> anyhow::Result<Child> {
        let corpus = root().join("fuzz/corpus").join(target);
        let findings = root().join("fuzz/artifacts").join(target);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&findings)?;
        let mut command = Command::new(program);
        command.env("FUZZ_TARGET", target);
        command.arg(format!("-artifact_prefix={}/", findings.display())).arg(corpus);
        let seeds = root().join("fuzz/seeds").join(target);
        if seeds.exists() {
            command.arg(seeds);
        }
        let memory = if target == "audio" { AUDIO_MEMORY_MAX } else { MEMORY_MAX };
        let (seconds, memory) =
            (format!("-max_total_time={}", self.seconds), format!("-rss_limit_mb={memory}"));
        command.args([&seconds, &memory, "-max_len=4096"]);
        Ok(command.stderr(Stdio::piped()).spawn()?)
    }
}

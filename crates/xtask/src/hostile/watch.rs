//! Keeps a server's memory in bounds while it is attacked, and remembers the most that it took.

use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(10);

/// Looks at the process whose id is in a file, from its first moment on; ends with its value.
pub struct Watch {
    state: Arc<State>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    peak_kib: AtomicU64,
    resident_kib: AtomicU64,
    ended: AtomicBool,
}

impl Watch {
    /// Kills the process when it takes more memory than the guard, MiB.
    pub fn start(pid_file: PathBuf, guard_mib: u64) -> Watch {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while !shared.ended.load(Ordering::Relaxed) {
                if let Some(pid) = read_pid(&pid_file) {
                    look(pid, guard_mib, &shared);
                }
                std::thread::sleep(EVERY);
            }
        });
        Watch { state, thread: Some(thread) }
    }

    /// The most memory that it took, MiB.
    pub fn peak_mib(&self) -> u64 {
        self.state.peak_kib.load(Ordering::Relaxed) / 1024
    }

    /// The memory that it takes, KiB.
    pub fn resident_kib(&self) -> u64 {
        self.state.resident_kib.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_pid(file: &Path) -> Option<i32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn look(pid: i32, guard_mib: u64, state: &State) {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return };
    let kib = |name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    // A process that has ended and was not waited for has neither.
    let (Some(peak), Some(resident)) = (kib("VmHWM:"), kib("VmRSS:")) else { return };
    state.peak_kib.fetch_max(peak, Ordering::Relaxed);
    state.resident_kib.store(resident, Ordering::Relaxed);
    if resident > guard_mib * 1024
        && let Some(pid) = Pid::from_raw(pid)
    {
        let _ = kill_process(pid, Signal::KILL);
    }
}

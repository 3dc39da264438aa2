//! The priority of threads whose work can wait.

/// How nice such threads are to the others, as nice(1) counts.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets this thread come after those who wait for an answer. On Linux this is the thread's own. Where it is
/// refused, it only goes on as before.
pub fn come_after_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

//! How many files this process may have open, connections among them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of the open files the share, and the least and the most of it, that is kept for what is no client's
/// connection: connections to carriers and callback targets, the database, the index and files.
const KEPT_SHARE: u64 = 4;
const KEPT_MIN: u64 = 128;
const KEPT_MAX: u64 = 4096;
/// A server with fewer clients' connections would be of no use.
const CONNECTIONS_MIN: usize = 16;

/// Raises the limit on open files as far as this process may, and answers with it; none where there is no
/// limit.
pub fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    // Where it is refused, the old limit holds.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, ?current, ?maximum, "the limit on open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

/// How many connections clients may have where so many files may be open.
pub fn connections_max(configured: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return configured };
    let kept = (files / KEPT_SHARE).clamp(KEPT_MIN, KEPT_MAX);
    let room = usize::try_from(files.saturating_sub(kept)).unwrap_or(usize::MAX);
    configured.min(room.max(CONNECTIONS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(connections_max(10_000, None), 10_000);
        assert_eq!(connections_max(10_000, Some(1_048_576)), 10_000);
        assert_eq!(connections_max(10_000, Some(1024)), 768);
        assert_eq!(connections_max(10_000, Some(256)), 128);
        assert_eq!(connections_max(10_000, Some(20)), CONNECTIONS_MIN);
        assert_eq!(connections_max(2_000_000, Some(1_048_576)), 1_048_576 - 4096);
    }
}

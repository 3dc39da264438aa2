//! What the sections have in common.

use std::time::Duration;

/// The longest that anything may be waited for: well below the engine's lease, after which a task is taken up
/// again.
pub const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The most that may be done at once: more is no limit, and beyond what a semaphore can count.
pub const AT_ONCE_MAX: usize = 1_000_000_000;

/// A key that breaks a rule, relative to its table, and the rule.
pub type BrokenKey = (String, String);

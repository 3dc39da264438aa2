//! Owed work that waits, as it is shown.

use std::sync::Arc;
use store::{Lane, Why};

/// Why something waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Because {
    /// The carrier does not take it now.
    Carrier(Why),
    /// An attempt failed, and the next one is planned.
    Later,
}

impl Because {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Because::Carrier(why) => why.name(),
            Because::Later => "later",
        }
    }
}

/// Owed work of a lane that waits for the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwedWork {
    /// The lane.
    pub lane: Lane,
    /// Whose it is.
    pub application: Arc<str>,
    /// The carrier that it waits for; `None` if several could take it, or for callbacks.
    pub carrier: Option<String>,
    /// Why it waits.
    pub because: Because,
    /// How many tasks; at least one.
    pub count: usize,
    /// Since when the oldest of them is owed, Unix milliseconds, exact to ten seconds; in the future if all
    /// are planned for later.
    pub oldest_ms: i64,
}

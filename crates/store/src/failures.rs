//! Flows that fail by themselves, again and again.

use std::collections::HashMap;
use uuid::Uuid;

/// The failure in a row, by itself, that sets a flow aside.
const FAILURES_MAX: u32 = 3;
/// Failing flows that are counted at the same time; beyond it all counts begin again.
const COUNTED_MAX: usize = 10_000;

/// How often flows failed, each by itself, since they last did not. A failure counts where others succeeded
/// since the one before it: else it is the database's trouble and not the flow's.
#[derive(Default)]
pub(crate) struct Failures {
    flows: HashMap<Uuid, Failed>,
    /// Commits that succeeded.
    commits: u64,
}

struct Failed {
    count: u32,
    /// [`Failures::commits`] at the last one that counts.
    commits: u64,
}

impl Failures {
    /// Counts a failure; returns whether it is one too many.
    pub(crate) fn note(&mut self, flow: Uuid) -> bool {
        if self.flows.len() >= COUNTED_MAX {
            self.flows.clear();
        }
        let commits = self.commits;
        let failed = self.flows.entry(flow).or_insert(Failed { count: 0, commits: 0 });
        if failed.count == 0 || failed.commits < commits {
            *failed = Failed { count: failed.count + 1, commits };
        }
        let too_many = failed.count >= FAILURES_MAX;
        if too_many {
            self.flows.remove(&flow);
        }
        too_many
    }

    /// A commit succeeded, with these flows in it.
    pub(crate) fn forget<'a>(&mut self, flows: impl Iterator<Item = &'a Uuid>) {
        self.commits += 1;
        if !self.flows.is_empty() {
            for flow in flows {
                self.flows.remove(flow);
            }
        }
    }
}

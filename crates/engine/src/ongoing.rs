//! What the outside is being asked, so that it is not asked the same again meanwhile.

use flow::{Channel, TaskKind};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use store::Claim;
use uuid::Uuid;

/// A flow and what is done for it.
type Task = (Uuid, TaskKind);

/// The tasks that are being done by this process. A claim is a lease by the wall clock: when that clock is
/// set forward, a task comes again while a carrier or a target is still being asked.
#[derive(Clone, Default)]
pub(crate) struct Ongoing(Arc<Mutex<HashSet<Task>>>);

/// A task until its end, in this process.
pub(crate) struct OngoingTask {
    tasks: Ongoing,
    task: Task,
}

impl Ongoing {
    /// Begins a task; `None` if it has begun already.
    pub(crate) fn begin(&self, claim: &Claim) -> Option<OngoingTask> {
        let task = (claim.flow.id, claim.task);
        let begun = self.0.lock().insert(task);
        begun.then(|| OngoingTask { tasks: self.clone(), task })
    }

    /// Returns whether a part of a flow is being handed over, whatever its channel.
    pub(crate) fn hands_over(&self, flow: Uuid, message: u16, part: u16) -> bool {
        let tasks = self.0.lock();
        let handed = |channel| tasks.contains(&(flow, TaskKind::Submit { channel, message, part }));
        Channel::ALL.into_iter().any(handed)
    }
}

impl Drop for OngoingTask {
    fn drop(&mut self) {
        self.tasks.0.lock().remove(&self.task);
    }
}

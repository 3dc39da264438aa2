//! The tasks of this process.

use crate::error::Result;
use crate::lane::Lane;
use crate::queue::Admit;
use crate::waiting::{Wait, Waiting};
use async_trait::async_trait;
use flow::{Flow, TaskKind};
use std::sync::Arc;
use uuid::Uuid;

/// A task that the caller now has to do, with its flow as it is.
#[derive(Debug)]
pub struct Claim {
    /// The flow.
    pub flow: Arc<Flow>,
    /// What to do for it.
    pub task: TaskKind,
}

/// The tasks that this process has to do. Their queue is in its memory, whatever the database and however
/// many processes share it; so this is the one part of the store that answers without waiting, and it is a
/// trait because the simulation stands between the engine and its queue.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Takes at most `limit` due tasks of a lane that `admit` grants, from the applications in turn. A task
    /// that is still owed `lease_ms` later can be taken again. What is not granted costs no reading, and is
    /// offered again after a quarter of a second, or when it is [resumed](Tasks::resume).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable); what was granted is due again.
    async fn claim(
        &self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        lease_ms: i64,
        admit: Admit<'_>,
    ) -> Result<Vec<Claim>>;

    /// Lets a lane's tasks of an application to a target be offered again.
    fn resume(&self, lane: Lane, application: &str, target: &str);

    /// Gives a claimed task back, to be taken at `at_ms` at the earliest.
    fn put_off(&self, id: Uuid, task: TaskKind, at_ms: i64) {
        self.put_off_for(id, task, at_ms, Wait::Turn);
    }

    /// The same, and says what the task waits for.
    fn put_off_for(&self, id: Uuid, task: TaskKind, at_ms: i64, wait: Wait);

    /// What waits in a lane, by application and what it waits for: at most as many as there are applications,
    /// times what a task can wait for. What is claimed does not wait; expiries are not counted.
    fn waiting(&self, lane: Lane) -> Vec<Waiting>;

    /// Corrects the due times of a lane. If the clock `jumped`, what was decided while it was further ahead
    /// is due as much earlier. And nothing is due after `latest_ms`. Returns how many tasks were moved.
    fn pull_in(&self, lane: Lane, jumped: bool, now_ms: i64, latest_ms: i64) -> usize;

    /// When the lane's next task is due.
    fn next_due_ms(&self, lane: Lane) -> Option<i64>;

    /// Returns when the lane may have an earlier task than [`Tasks::next_due_ms`] said.
    async fn woken(&self, lane: Lane);

    /// The flow as it is now, if it is in memory.
    fn recent(&self, id: Uuid) -> Option<Arc<Flow>>;
}

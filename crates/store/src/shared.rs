//! What the writer shares with the callers.

use crate::cache::Cache;
use crate::lane::Lane;
use crate::queue::TaskQueue;
use flow::Flow;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// What the writer shares with the callers.
pub(crate) struct Shared {
    pub(crate) queue: Mutex<TaskQueue>,
    /// The zero of the monotonic clock.
    started: Instant,
    pub(crate) wakers: [Notify; Lane::COUNT],
    /// Flows that were changed lately. Only the writer puts into it, after a commit.
    pub(crate) cache: Mutex<Cache>,
    /// Flows that nothing is done for any more.
    pub(crate) quarantined: Mutex<HashSet<Uuid>>,
}

impl Shared {
    /// Nothing is owed yet, and `quarantined` is set aside.
    pub(crate) fn new(flows_max: NonZeroUsize, bytes_max: usize, quarantined: HashSet<Uuid>) -> Shared {
        Shared {
            queue: Mutex::default(),
            started: Instant::now(),
            wakers: std::array::from_fn(|_| Notify::new()),
            cache: Mutex::new(Cache::new(flows_max, bytes_max)),
            quarantined: Mutex::new(quarantined),
        }
    }

    /// A flow owes nothing any more.
    pub(crate) fn disown(&self, id: &Uuid) {
        self.queue.lock().remove(*id);
    }

    /// Tells the queue what the clock shows.
    pub(crate) fn tell(&self, now_ms: i64) {
        let ahead_ms = now_ms - self.started.elapsed().as_millis() as i64;
        self.queue.lock().tell(now_ms, ahead_ms);
    }

    pub(crate) fn owe(&self, flow: &Flow) {
        let woken = self.queue.lock().owe(flow);
        woken.iter().for_each(|lane| self.wakers[lane.index()].notify_one());
    }
}

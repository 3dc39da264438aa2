//! The owed tasks of open flows, by due time, in memory. What a flow owes is a function of its stored state, so
//! nothing here needs to be on disk: at start it is filled from the flows, and every lease ends with the process.

use flow::{Channel, Task, TaskKind};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Tasks that are worked off together, so that one kind of work never waits for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lane {
    /// Submits over one channel.
    Submit(Channel),
    /// Times to live that are over.
    Expire,
    /// Callbacks.
    Callback,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 5] = [
        Lane::Submit(Channel::Sms),
        Lane::Submit(Channel::Viber),
        Lane::Submit(Channel::Voice),
        Lane::Expire,
        Lane::Callback,
    ];

    pub(crate) fn of(task: TaskKind) -> Lane {
        match task {
            TaskKind::Submit { channel, .. } => Lane::Submit(channel),
            TaskKind::Expire { .. } => Lane::Expire,
            TaskKind::Callback { .. } => Lane::Callback,
        }
    }

    /// Its position in [`Lane::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Lane::Submit(channel) => channel as usize,
            Lane::Expire => 3,
            Lane::Callback => 4,
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    kind: TaskKind,
    /// When the flow wants it done: what tells a task that changed from one that is merely leased.
    owed_ms: i64,
    /// When it can be taken: `owed_ms`, or the end of its lease.
    due_ms: i64,
}

#[derive(Default)]
pub(crate) struct TaskQueue {
    lanes: [BTreeSet<(i64, Uuid, TaskKind)>; Lane::ALL.len()],
    flows: HashMap<Uuid, Vec<Entry>>,
}

impl TaskQueue {
    /// Makes `tasks` what the flow owes. Leases of tasks that it still owes stay. Answers the lanes whose first
    /// due time moved forward, as bits by [`Lane::index`].
    pub(crate) fn replace(&mut self, flow: Uuid, tasks: &[Task]) -> u8 {
        let old = self.flows.remove(&flow).unwrap_or_default();
        let mut woken = 0;
        let mut entries = Vec::with_capacity(tasks.len());
        for task in tasks {
            let leased = old.iter().find(|entry| entry.kind == task.kind && entry.owed_ms == task.due_ms);
            if let Some(&entry) = leased {
                entries.push(entry);
                continue;
            }
            let lane = Lane::of(task.kind).index();
            if self.lanes[lane].first().is_none_or(|(first_ms, ..)| task.due_ms < *first_ms) {
                woken |= 1 << lane;
            }
            self.lanes[lane].insert((task.due_ms, flow, task.kind));
            entries.push(Entry { kind: task.kind, owed_ms: task.due_ms, due_ms: task.due_ms });
        }
        for entry in old {
            let kept = entries.iter().any(|new| new.kind == entry.kind && new.due_ms == entry.due_ms);
            if !kept {
                self.lanes[Lane::of(entry.kind).index()].remove(&(entry.due_ms, flow, entry.kind));
            }
        }
        if !entries.is_empty() {
            self.flows.insert(flow, entries);
        }
        woken
    }

    /// Takes at most `limit` tasks that are due, and leases them until `until_ms`.
    pub(crate) fn claim(
        &mut self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        until_ms: i64,
    ) -> Vec<(Uuid, TaskKind)> {
        let due = self.lanes[lane.index()].iter().take_while(|(due_ms, ..)| *due_ms <= now_ms).take(limit);
        let claimed: Vec<_> = due.map(|&(_, flow, kind)| (flow, kind)).collect();
        for &(flow, kind) in &claimed {
            self.put_off(flow, kind, until_ms);
        }
        claimed
    }

    /// Moves a task that is still owed to another due time; answers whether its lane's first due time moved forward.
    pub(crate) fn put_off(&mut self, flow: Uuid, kind: TaskKind, until_ms: i64) -> bool {
        let entries = self.flows.get_mut(&flow).into_iter().flatten();
        let Some(entry) = entries.into_iter().find(|entry| entry.kind == kind) else { return false };
        let lane = &mut self.lanes[Lane::of(kind).index()];
        lane.remove(&(entry.due_ms, flow, kind));
        let sooner = lane.first().is_none_or(|(first_ms, ..)| until_ms < *first_ms);
        lane.insert((until_ms, flow, kind));
        entry.due_ms = until_ms;
        sooner
    }

    /// When the lane's first task is due.
    pub(crate) fn next_due_ms(&self, lane: Lane) -> Option<i64> {
        self.lanes[lane.index()].first().map(|&(due_ms, ..)| due_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRE: TaskKind = TaskKind::Expire { message: 0 };
    const CALLBACK: TaskKind = TaskKind::Callback { number: 1 };

    fn task(kind: TaskKind, due_ms: i64) -> Task {
        Task { kind, due_ms }
    }

    #[test]
    fn a_lane_is_told_when_a_lease_ends_early() {
        let (mut queue, flow) = (TaskQueue::default(), Uuid::from_u128(1));
        assert_eq!(queue.replace(flow, &[task(CALLBACK, 10)]), 1 << Lane::Callback.index());
        assert_eq!(queue.claim(Lane::Callback, 1, 10, 300_000), [(flow, CALLBACK)]);
        assert!(queue.put_off(flow, CALLBACK, 260));
        assert_eq!(queue.next_due_ms(Lane::Callback), Some(260));
        assert!(!queue.put_off(Uuid::from_u128(2), CALLBACK, 0));
    }

    #[test]
    fn a_lease_outlives_other_changes_and_ends_by_itself() {
        let mut queue = TaskQueue::default();
        let flow = Uuid::from_u128(1);
        queue.replace(flow, &[task(EXPIRE, 10), task(CALLBACK, 5)]);
        assert_eq!(queue.claim(Lane::Callback, 9, 4, 100), []);
        assert_eq!(queue.claim(Lane::Callback, 9, 5, 100), [(flow, CALLBACK)]);
        // Another event of the flow changes nothing about the lease.
        queue.replace(flow, &[task(EXPIRE, 20), task(CALLBACK, 5)]);
        assert_eq!(queue.claim(Lane::Callback, 9, 99, 200), []);
        assert_eq!(queue.claim(Lane::Callback, 9, 100, 200), [(flow, CALLBACK)]);
        // A new due time ends it.
        queue.replace(flow, &[task(CALLBACK, 50)]);
        assert_eq!(queue.next_due_ms(Lane::Callback), Some(50));
        assert_eq!(queue.next_due_ms(Lane::Expire), None);
        queue.replace(flow, &[]);
        assert_eq!(queue.next_due_ms(Lane::Callback), None);
        assert!(queue.flows.is_empty());
    }
}

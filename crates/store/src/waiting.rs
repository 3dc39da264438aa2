//! How many tasks wait, for what, and since when the oldest of them is owed: counted as tasks come and go, so
//! that asking costs as much as there are applications, however many tasks wait.

use crate::lane::Lane;
use flow::TaskKind;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Why a task waits for a carrier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Why {
    /// It is down.
    Down,
    /// An operator paused it or drains it.
    Paused,
    /// It wants to be given less.
    Throttled,
    /// Its configured rate is used up.
    Rate,
    /// As much is under way as its window allows.
    Busy,
}

impl Why {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Why::Down => "down",
            Why::Paused => "paused",
            Why::Throttled => "throttled",
            Why::Rate => "rate",
            Why::Busy => "busy",
        }
    }
}

/// What a task waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wait {
    /// Its turn in its lane.
    Turn,
    /// A time: it is planned for later.
    Time,
    /// A carrier.
    Carrier {
        /// Its number, as the caller counts carriers.
        carrier: u16,
        /// Why.
        why: Why,
    },
}

/// Tasks of an application that wait for the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The application.
    pub application: Arc<str>,
    /// What they wait for.
    pub wait: Wait,
    /// How many; at least one.
    pub count: usize,
    /// Since when the oldest of them is owed, Unix milliseconds, exact to ten seconds. It is in the future
    /// where they are all planned for later.
    pub oldest_ms: i64,
}

/// How exactly it is known since when a task is owed, milliseconds.
const EXACT_MS: i64 = 10_000;

/// How many tasks are owed since each ten seconds.
type Counts = BTreeMap<i64, u32>;

/// The tasks of each lane that wait. Expiries are not counted: each open flow has one that is not due.
#[derive(Default)]
pub(crate) struct Tally([HashMap<(Arc<str>, Wait), Counts>; Lane::COUNT]);

impl Tally {
    /// Counts a task that is owed since `owed_ms`.
    pub(crate) fn add(&mut self, application: &Arc<str>, task: TaskKind, wait: Wait, owed_ms: i64) {
        let lane = Lane::of(task);
        if lane == Lane::Expire {
            return;
        }
        let counts = self.0[lane.index()].entry((Arc::clone(application), wait)).or_default();
        *counts.entry(owed_ms.div_euclid(EXACT_MS)).or_default() += 1;
    }

    /// Forgets a task that was counted so; one that waits for nothing was not counted.
    pub(crate) fn forget(
        &mut self,
        application: &Arc<str>,
        task: TaskKind,
        wait: Option<Wait>,
        owed_ms: i64,
    ) {
        let Some(wait) = wait else { return };
        let counts = self.0[Lane::of(task).index()].get_mut(&(Arc::clone(application), wait));
        let (Some(counts), since) = (counts, owed_ms.div_euclid(EXACT_MS)) else { return };
        let Some(count) = counts.get_mut(&since) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&since);
        }
    }

    /// What waits in a lane, by application and what it waits for.
    pub(crate) fn waiting(&mut self, lane: Lane) -> Vec<Waiting> {
        let of_lane = &mut self.0[lane.index()];
        of_lane.retain(|_, counts| !counts.is_empty());
        let mut waiting: Vec<Waiting> = of_lane
            .iter()
            .map(|((application, wait), counts)| Waiting {
                application: Arc::clone(application),
                wait: *wait,
                count: counts.values().map(|count| *count as usize).sum(),
                oldest_ms: counts.keys().next().map_or(0, |since| since * EXACT_MS),
            })
            .collect();
        waiting.sort_by(|one, other| (&one.application, one.wait).cmp(&(&other.application, other.wait)));
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_counted_by_application_and_by_what_they_wait_for() {
        const CALLBACK: TaskKind = TaskKind::Callback { number: 1 };
        let (mut tally, lane) = (Tally::default(), Lane::Callback);
        let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
        let down = Wait::Carrier { carrier: 3, why: Why::Down };
        tally.add(&a, CALLBACK, Wait::Turn, 25_000);
        tally.add(&a, CALLBACK, Wait::Turn, 31_000);
        tally.add(&b, CALLBACK, down, 12_000);
        tally.add(&a, TaskKind::Expire { message: 0 }, Wait::Time, 0);
        let waiting = |application: &Arc<str>, wait, count, oldest_ms| Waiting {
            application: Arc::clone(application),
            wait,
            count,
            oldest_ms,
        };
        assert_eq!(tally.waiting(lane), [waiting(&a, Wait::Turn, 2, 20_000), waiting(&b, down, 1, 10_000)]);
        tally.forget(&a, CALLBACK, Some(Wait::Turn), 25_000);
        tally.forget(&a, CALLBACK, None, 31_000);
        tally.forget(&b, CALLBACK, Some(down), 12_000);
        tally.forget(&b, CALLBACK, Some(down), 12_000);
        assert_eq!(tally.waiting(lane), [waiting(&a, Wait::Turn, 1, 30_000)]);
        assert!(tally.waiting(Lane::Expire).is_empty());
    }
}

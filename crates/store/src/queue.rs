//! The owed tasks of open flows, in memory. What a flow owes is a function of its stored state, so nothing
//! here needs to be on disk: at start it is filled from the flows, and every lease ends with the process.
//!
//! A lane's due tasks are taken from the applications in turn, and an application's from its callback targets
//! in turn, so that neither many tasks of one application nor many of one target stand before another's.
//! Within a target, the task that was due first comes first.

use crate::lane::{Lane, Lanes};
use crate::turns::Turns;
use crate::waiting::{Tally, Wait, Waiting};
use flow::{Channel, Flow, Submit, Task, TaskKind};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// How long an application or a target is left alone that was not admitted, milliseconds, unless it is
/// resumed.
const HOLD_MS: i64 = 250;
/// Between the ends of two holds of an application's targets, microseconds: looking at many of them costs
/// little.
const HOLD_GAP_US: i64 = 200;
/// A clock was set back when it shows so much less than the monotonic clock lets expect, milliseconds.
const SET_BACK_MS: i64 = 1000;
/// What is not admitted in one claim, at most, so that the queue is not locked for long.
const NOT_ADMITTED_MAX: usize = 256;

/// A due task that could be taken.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// Its flow.
    pub flow: Uuid,
    /// The flow's application.
    pub application: &'a str,
    /// The host of the flow's callback URL in lower case; empty for other tasks than callbacks.
    pub target: &'a str,
}

/// Whether a due task is taken now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is.
    Granted,
    /// Its target has enough to do: the application's other targets go first.
    TargetFull,
    /// Its application has enough to do: other applications go first.
    ApplicationFull,
}

/// Decides about each due task before it is taken and its flow is read.
pub type Admit<'a> = &'a mut (dyn FnMut(&Offer<'_>) -> Admission + Send);

/// Admits every task.
pub fn admit_all(_: &Offer<'_>) -> Admission {
    Admission::Granted
}

#[derive(Clone, Copy)]
struct Entry {
    kind: TaskKind,
    /// When the flow wants it done: what tells a task that changed from one that is merely leased.
    owed_ms: i64,
    /// When it can be taken: `owed_ms`, or the end of its lease.
    due_ms: i64,
    /// How far the wall clock was ahead of the monotonic one when that was decided.
    ahead_ms: i64,
    /// It was corrected: its flow was written by a clock that was ahead, so that only the monotonic clock
    /// tells its time.
    corrected: bool,
    /// What it waits for; `None` while it is leased.
    wait: Option<Wait>,
}

/// What a flow owes, and whose turn it takes.
struct Owing {
    application: Arc<str>,
    /// The host of its callback URL.
    target: Arc<str>,
    entries: Vec<Entry>,
}

impl Owing {
    /// Whose turn a task takes within its application: only callbacks have a target.
    fn target<'a>(&'a self, kind: TaskKind, nowhere: &'a Arc<str>) -> &'a Arc<str> {
        if matches!(kind, TaskKind::Callback { .. }) { &self.target } else { nowhere }
    }
}

/// The tasks of an application that go to the same host.
#[derive(Default)]
struct TargetQueue {
    tasks: BTreeSet<(i64, Uuid, TaskKind)>,
    /// Not admitted before then.
    held_until_ms: Option<i64>,
}

impl TargetQueue {
    fn due_ms(&self) -> Option<i64> {
        let (due_ms, ..) = self.tasks.first()?;
        Some(self.held_until_ms.map_or(*due_ms, |held_ms| held_ms.max(*due_ms)))
    }
}

#[derive(Default)]
struct ApplicationQueue {
    turns: Turns,
    targets: HashMap<Arc<str>, TargetQueue>,
    /// Not admitted before then.
    held_until_ms: Option<i64>,
    /// The end of the last hold of one of its targets, microseconds.
    last_hold_us: i64,
}

impl ApplicationQueue {
    fn due_ms(&self) -> Option<i64> {
        let due_ms = self.turns.first_due_ms()?;
        Some(self.held_until_ms.map_or(due_ms, |held_ms| held_ms.max(due_ms)))
    }

    fn hold(&mut self, target: &Arc<str>, now_ms: i64) {
        let earliest_us = (now_ms + HOLD_MS) * 1000;
        // A clock that was set back leaves an end that lies far ahead.
        let behind = Some(self.last_hold_us + HOLD_GAP_US).filter(|us| *us - earliest_us < 60_000_000);
        self.last_hold_us = behind.map_or(earliest_us, |us| us.max(earliest_us));
        if let Some(queue) = self.targets.get_mut(target) {
            queue.held_until_ms = Some(self.last_hold_us / 1000);
        }
    }
}

/// A task that is due: its application, its target, and its place among those of the target.
type NextTask = (Arc<str>, Arc<str>, (i64, Uuid, TaskKind));

/// The tasks of a lane.
#[derive(Default)]
struct LaneQueue {
    turns: Turns,
    applications: HashMap<Arc<str>, ApplicationQueue>,
}

impl LaneQueue {
    fn insert(&mut self, application: &Arc<str>, target: &Arc<str>, task: (i64, Uuid, TaskKind)) {
        let of_application = self.applications.entry(Arc::clone(application)).or_default();
        let of_target = of_application.targets.entry(Arc::clone(target)).or_default();
        of_target.tasks.insert(task);
        if of_target.tasks.first() == Some(&task) {
            self.line_up(application, target);
        }
    }

    fn remove(&mut self, application: &Arc<str>, target: &Arc<str>, task: &(i64, Uuid, TaskKind)) {
        let queue = self.applications.get_mut(application).and_then(|queue| queue.targets.get_mut(target));
        let Some(of_target) = queue else { return };
        let was_first = of_target.tasks.first() == Some(task);
        of_target.tasks.remove(task);
        if was_first {
            self.line_up(application, target);
        }
    }

    /// Moves a task; its application and its target stay, and with them their holds.
    fn reschedule(
        &mut self,
        application: &Arc<str>,
        target: &Arc<str>,
        task: (i64, Uuid, TaskKind),
        due_ms: i64,
    ) {
        if task.0 != due_ms {
            self.insert(application, target, (due_ms, task.1, task.2));
            self.remove(application, target, &task);
        }
    }

    /// Brings the turns up to date after a change of a target's first task or of a hold.
    fn line_up(&mut self, application: &Arc<str>, target: &Arc<str>) {
        let Some(of_application) = self.applications.get_mut(application) else { return };
        let target_due_ms = of_application.targets.get(target).and_then(TargetQueue::due_ms);
        of_application.turns.set(target, target_due_ms);
        if target_due_ms.is_none() {
            of_application.targets.remove(target);
        }
        let due_ms = of_application.due_ms();
        self.turns.set(application, due_ms);
        if due_ms.is_none() {
            self.applications.remove(application);
        }
    }

    /// The next task whose turn it is.
    fn next(&mut self, now_ms: i64) -> Option<NextTask> {
        let application = self.turns.next(now_ms)?;
        let of_application = self.applications.get_mut(&application)?;
        let target = of_application.turns.next(now_ms)?;
        let task = *of_application.targets.get(&target)?.tasks.first()?;
        Some((application, target, task))
    }

    /// Lets everybody be asked for again.
    fn end_holds(&mut self) {
        let mut held = Vec::new();
        for (application, queue) in &mut self.applications {
            let of_application = queue.held_until_ms.take().is_some();
            for (target, queue) in &mut queue.targets {
                if queue.held_until_ms.take().is_some() || of_application {
                    held.push((Arc::clone(application), Arc::clone(target)));
                }
            }
        }
        held.sort_unstable();
        held.iter().for_each(|(application, target)| self.line_up(application, target));
    }

    fn hold(&mut self, application: &Arc<str>, target: &Arc<str>, admission: Admission, now_ms: i64) {
        let Some(of_application) = self.applications.get_mut(application) else { return };
        match admission {
            Admission::Granted => {}
            Admission::TargetFull => of_application.hold(target, now_ms),
            Admission::ApplicationFull => of_application.held_until_ms = Some(now_ms + HOLD_MS),
        }
        self.line_up(application, target);
    }
}

#[derive(Default)]
pub(crate) struct TaskQueue {
    lanes: [LaneQueue; Lane::COUNT],
    /// What waits in them.
    tally: Tally,
    flows: HashMap<Uuid, Owing>,
    /// The names of applications, each once. They are few, and made by operators.
    applications: HashSet<Arc<str>>,
    /// The target of what has none.
    nowhere: Arc<str>,
    /// What the clock showed when the queue was last told, Unix milliseconds.
    now_ms: i64,
    /// How far it was ahead of the monotonic clock then, milliseconds.
    ahead_ms: i64,
}

/// Whether a task was never tried: it is due at once, whatever a clock that was ahead wrote down.
fn is_first_try(flow: &Flow, kind: TaskKind) -> bool {
    match kind {
        TaskKind::Submit { message, part, .. } => {
            let parts = flow.state.messages.get(usize::from(message)).map(|message| &message.parts);
            let state = parts.and_then(|parts| parts.get(usize::from(part)));
            state.is_some_and(|state| matches!(state.submit, Submit::Owed { attempts: 0, .. }))
        }
        TaskKind::Callback { .. } => flow.callbacks.first().is_some_and(|pending| pending.attempts == 0),
        TaskKind::Expire { .. } => false,
    }
}

/// The host of a flow's callback URL, as far as it shows; lower case is taken for granted where it is written
/// so.
fn target_of(flow: &Flow) -> std::borrow::Cow<'_, str> {
    let url = flow.callback.as_ref().map(|callback| &*callback.url).unwrap_or_default();
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
    let host = &host[..port.unwrap_or(host.len())];
    if host.bytes().any(|octet| octet.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

impl TaskQueue {
    /// Makes what a flow owes now what the queue has of it. Leases of tasks that it still owes stay. Answers
    /// the lanes whose first due time moved forward.
    pub(crate) fn owe(&mut self, flow: &Flow) -> Lanes {
        let tasks = flow.tasks();
        if tasks.is_empty() {
            self.remove(flow.id);
            return Lanes::NONE;
        }
        let calls_back = tasks.iter().any(|task| matches!(task.kind, TaskKind::Callback { .. }));
        let target = if calls_back { target_of(flow) } else { "".into() };
        let now_ms = self.now_ms;
        let due_ms = |task: &Task| {
            if is_first_try(flow, task.kind) { task.due_ms.min(now_ms) } else { task.due_ms }
        };
        let tasks: Vec<_> = tasks.iter().map(|task| (*task, due_ms(task))).collect();
        self.replace(flow.id, &flow.application, &target, &tasks)
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, flow: Uuid) {
        let Some(owing) = self.flows.remove(&flow) else { return };
        for entry in &owing.entries {
            let target = owing.target(entry.kind, &self.nowhere);
            let lane = &mut self.lanes[Lane::of(entry.kind).index()];
            lane.remove(&owing.application, target, &(entry.due_ms, flow, entry.kind));
            self.tally.forget(&owing.application, entry.kind, entry.wait, entry.owed_ms);
        }
    }

    /// Each task with when it can be taken.
    fn replace(&mut self, flow: Uuid, application: &str, target: &str, tasks: &[(Task, i64)]) -> Lanes {
        let (application, target) = self.names(application, target);
        let old = self.flows.remove(&flow);
        // A flow's callbacks go to one host as long as it has any.
        let old_target = old.as_ref().map_or(&self.nowhere, |old| &old.target).clone();
        let old = old.map(|owing| owing.entries).unwrap_or_default();
        let mut owing = Owing { application, target, entries: Vec::with_capacity(tasks.len()) };
        let mut woken = Lanes::NONE;
        for &(task, due_ms) in tasks {
            let leased = old.iter().find(|entry| entry.kind == task.kind && entry.owed_ms == task.due_ms);
            if let Some(&entry) = leased {
                owing.entries.push(entry);
                continue;
            }
            let of_task = Lane::of(task.kind);
            let lane = &mut self.lanes[of_task.index()];
            let before_ms = lane.turns.first_due_ms();
            let target = owing.target(task.kind, &self.nowhere);
            lane.insert(&owing.application, target, (due_ms, flow, task.kind));
            let first_ms = lane.turns.first_due_ms();
            if first_ms.is_some_and(|ms| before_ms.is_none_or(|before_ms| ms < before_ms)) {
                woken.add(of_task);
            }
            let wait = if due_ms > self.now_ms { Wait::Time } else { Wait::Turn };
            self.tally.add(&owing.application, task.kind, wait, task.due_ms);
            let ahead_ms = self.ahead_ms;
            owing.entries.push(Entry {
                kind: task.kind,
                owed_ms: task.due_ms,
                due_ms,
                ahead_ms,
                corrected: false,
                wait: Some(wait),
            });
        }
        for entry in old {
            let is_same = |new: &Entry| new.kind == entry.kind && new.owed_ms == entry.owed_ms;
            if !owing.entries.iter().any(is_same) {
                self.tally.forget(&owing.application, entry.kind, entry.wait, entry.owed_ms);
            }
            let kept = owing.entries.iter().any(|new| new.kind == entry.kind && new.due_ms == entry.due_ms);
            if !kept {
                let is_callback = matches!(entry.kind, TaskKind::Callback { .. });
                let target = if is_callback { &old_target } else { &self.nowhere };
                let lane = &mut self.lanes[Lane::of(entry.kind).index()];
                lane.remove(&owing.application, target, &(entry.due_ms, flow, entry.kind));
            }
        }
        self.flows.insert(flow, owing);
        woken
    }

    /// The names, shared with whoever has them already.
    fn names(&mut self, application: &str, target: &str) -> (Arc<str>, Arc<str>) {
        let application = match self.applications.get(application) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = application.into();
                self.applications.insert(Arc::clone(&new));
                new
            }
        };
        if target.is_empty() {
            return (application, Arc::clone(&self.nowhere));
        }
        let callbacks = self.lanes[Lane::Callback.index()].applications.get(&application);
        let known = callbacks.and_then(|queue| queue.targets.get_key_value(target));
        let target = known.map_or_else(|| target.into(), |(known, _)| Arc::clone(known));
        (application, target)
    }

    /// Takes at most `limit` tasks that are due and that `admit` grants, from the applications in turn, and
    /// leases them until `until_ms`.
    pub(crate) fn claim(
        &mut self,
        lane: Lane,
        limit: usize,
        now_ms: i64,
        until_ms: i64,
        admit: Admit<'_>,
    ) -> Vec<(Uuid, TaskKind)> {
        let mut claimed = Vec::new();
        let mut not_admitted = 0;
        let queue = &mut self.lanes[lane.index()];
        while claimed.len() < limit && not_admitted < NOT_ADMITTED_MAX {
            let Some((application, target, task)) = queue.next(now_ms) else { break };
            let (_, flow, kind) = task;
            match admit(&Offer { flow, application: &application, target: &target }) {
                Admission::Granted => {
                    queue.reschedule(&application, &target, task, until_ms);
                    let owing = self.flows.get_mut(&flow).into_iter().flat_map(|owing| &mut owing.entries);
                    let entry = owing.into_iter().find(|entry| entry.kind == kind);
                    if let Some(entry) = entry {
                        (entry.due_ms, entry.ahead_ms, entry.corrected) = (until_ms, self.ahead_ms, false);
                        self.tally.forget(&application, kind, entry.wait.take(), entry.owed_ms);
                    }
                    claimed.push((flow, kind));
                }
                refusal => {
                    queue.hold(&application, &target, refusal, now_ms);
                    not_admitted += 1;
                }
            }
        }
        claimed
    }

    /// Lets an application and a target have their turns again that were not admitted; answers whether the
    /// lane's first due time moved forward.
    pub(crate) fn resume(&mut self, lane: Lane, application: &str, target: &str) -> bool {
        let queue = &mut self.lanes[lane.index()];
        let before_ms = queue.turns.first_due_ms();
        let Some((application, _)) = queue.applications.get_key_value(application) else { return false };
        let application = Arc::clone(application);
        let Some(of_application) = queue.applications.get_mut(&application) else { return false };
        of_application.held_until_ms = None;
        let known = of_application.targets.get_key_value(target).map(|(known, _)| Arc::clone(known));
        if let Some(of_target) = of_application.targets.get_mut(target) {
            of_target.held_until_ms = None;
        }
        queue.line_up(&application, known.as_ref().unwrap_or(&self.nowhere));
        queue.turns.first_due_ms() < before_ms
    }

    /// Moves a task that is still owed to another due time, and says what it waits for until then; `None`
    /// leaves that as it is. Answers whether its lane's first due time moved forward.
    pub(crate) fn put_off(&mut self, flow: Uuid, kind: TaskKind, until_ms: i64, wait: Option<Wait>) -> bool {
        let Some(owing) = self.flows.get_mut(&flow) else { return false };
        let (application, target) =
            (Arc::clone(&owing.application), owing.target(kind, &self.nowhere).clone());
        let Some(entry) = owing.entries.iter_mut().find(|entry| entry.kind == kind) else { return false };
        let due_ms = std::mem::replace(&mut entry.due_ms, until_ms);
        (entry.ahead_ms, entry.corrected) = (self.ahead_ms, false);
        if let Some(wait) = wait {
            self.tally.forget(&application, kind, entry.wait.replace(wait), entry.owed_ms);
            self.tally.add(&application, kind, wait, entry.owed_ms);
        }
        let lane = &mut self.lanes[Lane::of(kind).index()];
        let before_ms = lane.turns.first_due_ms();
        lane.reschedule(&application, &target, (due_ms, flow, kind), until_ms);
        lane.turns.first_due_ms() < before_ms
    }

    /// Tells what the clock shows, Unix milliseconds, and how far that is ahead of the monotonic clock.
    pub(crate) fn tell(&mut self, now_ms: i64, ahead_ms: i64) {
        (self.now_ms, self.ahead_ms) = (now_ms, ahead_ms);
    }

    /// Corrects the due times of a lane's tasks. Where the clock `jumped`, what was decided while it was
    /// further ahead is due as much earlier; from then on it keeps its time whatever the clock does. And
    /// nothing is due after `latest_ms`. Answers how many tasks were moved.
    pub(crate) fn pull_in(&mut self, lane: Lane, jumped: bool, latest_ms: i64) -> usize {
        let (now_ms, latest_ms) = (self.now_ms, latest_ms.max(self.now_ms));
        let mut moved = Vec::new();
        if jumped {
            for (flow, owing) in &self.flows {
                for entry in owing.entries.iter().filter(|entry| Lane::of(entry.kind) == lane) {
                    let back_ms = entry.ahead_ms - self.ahead_ms;
                    if back_ms >= SET_BACK_MS || (entry.corrected && back_ms <= -SET_BACK_MS) {
                        let due_ms = (entry.due_ms - back_ms).clamp(now_ms.min(entry.due_ms), latest_ms);
                        moved.push((due_ms, *flow, entry.kind));
                    }
                }
            }
        }
        moved.sort_unstable();
        let mut count = moved.len();
        for (due_ms, flow, kind) in moved {
            self.put_off(flow, kind, due_ms, None);
            let owing = self.flows.get_mut(&flow).into_iter().flat_map(|owing| &mut owing.entries);
            owing.into_iter().filter(|entry| entry.kind == kind).for_each(|entry| entry.corrected = true);
        }
        if jumped {
            self.lanes[lane.index()].end_holds();
        }
        let mut late = Vec::new();
        let targets = self.lanes[lane.index()].applications.values().flat_map(|queue| queue.targets.values());
        for target in targets {
            late.extend(target.tasks.range((latest_ms.saturating_add(1), Uuid::nil(), FIRST_KIND)..));
        }
        late.sort_unstable();
        count += late.len();
        for (_, flow, kind) in late {
            self.put_off(flow, kind, latest_ms, None);
        }
        count
    }

    /// What waits in a lane, by application and what it waits for.
    pub(crate) fn waiting(&mut self, lane: Lane) -> Vec<Waiting> {
        self.tally.waiting(lane)
    }

    /// When the lane's first task is due.
    pub(crate) fn next_due_ms(&self, lane: Lane) -> Option<i64> {
        self.lanes[lane.index()].turns.first_due_ms()
    }
}

/// The least task kind there is: submits come first, by channel.
const FIRST_KIND: TaskKind = TaskKind::Submit { channel: Channel::ALL[0], message: 0, part: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRE: TaskKind = TaskKind::Expire { message: 0 };
    const CALLBACK: TaskKind = TaskKind::Callback { number: 1 };
    const SUBMIT: TaskKind = TaskKind::Submit { channel: Channel::Sms, message: 0, part: 0 };
    const SMS: Lane = Lane::Submit(Channel::Sms);

    fn task(kind: TaskKind, due_ms: i64) -> (Task, i64) {
        (Task { kind, due_ms }, due_ms)
    }

    fn flow(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// The flows of what is claimed.
    fn claim(queue: &mut TaskQueue, lane: Lane, limit: usize, now_ms: i64) -> Vec<u128> {
        let claimed = queue.claim(lane, limit, now_ms, now_ms + 300_000, &mut admit_all);
        claimed.into_iter().map(|(flow, _)| flow.as_u128()).collect()
    }

    #[test]
    fn a_lane_is_told_when_a_lease_ends_early() {
        let mut queue = TaskQueue::default();
        let woken = queue.replace(flow(1), "a", "t", &[task(CALLBACK, 10)]);
        assert_eq!(woken.iter().collect::<Vec<_>>(), [Lane::Callback]);
        assert_eq!(claim(&mut queue, Lane::Callback, 1, 10), [1]);
        assert!(queue.put_off(flow(1), CALLBACK, 260, None));
        assert_eq!(queue.next_due_ms(Lane::Callback), Some(260));
        assert!(!queue.put_off(flow(2), CALLBACK, 0, None));
    }

    #[test]
    fn a_lease_outlives_other_changes_and_ends_by_itself() {
        let mut queue = TaskQueue::default();
        queue.replace(flow(1), "a", "t", &[task(EXPIRE, 10), task(CALLBACK, 5)]);
        assert!(claim(&mut queue, Lane::Callback, 9, 4).is_empty());
        assert_eq!(claim(&mut queue, Lane::Callback, 9, 5), [1]);
        // Another event of the flow changes nothing about the lease.
        queue.replace(flow(1), "a", "t", &[task(EXPIRE, 20), task(CALLBACK, 5)]);
        assert!(claim(&mut queue, Lane::Callback, 9, 300_004).is_empty());
        assert_eq!(claim(&mut queue, Lane::Callback, 9, 300_005), [1]);
        // A new due time ends it.
        queue.replace(flow(1), "a", "t", &[task(CALLBACK, 50)]);
        assert_eq!(queue.next_due_ms(Lane::Callback), Some(50));
        assert_eq!(queue.next_due_ms(Lane::Expire), None);
        queue.remove(flow(1));
        assert_eq!(queue.next_due_ms(Lane::Callback), None);
        assert!(queue.flows.is_empty());
        assert!(queue.lanes.iter().all(|lane| lane.applications.is_empty()));
    }

    #[test]
    fn applications_take_turns_however_much_one_of_them_has() {
        let mut queue = TaskQueue::default();
        (0..2000).for_each(|i| _ = queue.replace(flow(i), "hostile", "", &[task(SUBMIT, 1)]));
        assert_eq!(claim(&mut queue, SMS, 3, 9), [0, 1, 2]);
        queue.replace(flow(5000), "honest", "", &[task(SUBMIT, 9)]);
        queue.replace(flow(5001), "honest", "", &[task(SUBMIT, 8)]);
        assert_eq!(claim(&mut queue, SMS, 5, 9), [3, 5001, 4, 5000, 5]);
    }

    #[test]
    fn an_applications_targets_take_turns() {
        let mut queue = TaskQueue::default();
        (0..100).for_each(|i| _ = queue.replace(flow(i), "a", "slow", &[task(CALLBACK, 1)]));
        queue.replace(flow(100), "a", "good", &[task(CALLBACK, 2)]);
        assert_eq!(claim(&mut queue, Lane::Callback, 3, 9), [0, 100, 1]);
    }

    #[test]
    fn what_is_not_admitted_is_left_alone_until_it_is_resumed() {
        let mut queue = TaskQueue::default();
        (0..4000).for_each(|i| {
            let target = format!("{}.example", i % 200);
            queue.replace(flow(i), "hostile", &target, &[task(CALLBACK, 1)]);
        });
        queue.replace(flow(9000), "honest", "good", &[task(CALLBACK, 5)]);
        let mut looks = 0;
        let mut no_hostile = |offer: &Offer<'_>| {
            looks += 1;
            if offer.application == "honest" { Admission::Granted } else { Admission::TargetFull }
        };
        let claimed = queue.claim(Lane::Callback, 128, 10, 300_000, &mut no_hostile);
        assert_eq!(claimed, [(flow(9000), CALLBACK)]);
        // Each target is asked for once, not each task; then there is nothing to do for a while.
        assert_eq!(looks, 201);
        assert_eq!(queue.next_due_ms(Lane::Callback), Some(10 + HOLD_MS));
        assert!(!queue.resume(Lane::Callback, "hostile", "unknown.example"));
        assert!(queue.resume(Lane::Callback, "hostile", "7.example"));
        assert_eq!(claim(&mut queue, Lane::Callback, 2, 10), [7, 207]);
        let mut none = |_: &Offer<'_>| Admission::ApplicationFull;
        assert!(queue.claim(Lane::Callback, 9, 10, 300_000, &mut none).is_empty());
        assert!(claim(&mut queue, Lane::Callback, 1, 10).is_empty());
        assert_eq!(claim(&mut queue, Lane::Callback, 1, 10 + HOLD_MS).len(), 1);
        // A clock that was ahead when it was not admitted.
        assert!(queue.claim(Lane::Callback, 9, 9_000_000, 9_300_000, &mut none).is_empty());
        queue.tell(20, 0);
        queue.pull_in(Lane::Callback, true, i64::MAX);
        assert!(!claim(&mut queue, Lane::Callback, 1, 20).is_empty());
    }

    #[test]
    fn what_waits_is_counted_until_it_is_claimed_or_gone() {
        let mut queue = TaskQueue::default();
        queue.tell(100_000, 0);
        queue.replace(flow(1), "a", "", &[task(SUBMIT, 91_000), task(EXPIRE, 5_000_000)]);
        queue.replace(flow(2), "a", "", &[task(SUBMIT, 95_000)]);
        queue.replace(flow(3), "b", "", &[task(SUBMIT, 200_000)]);
        let waiting = |queue: &mut TaskQueue| -> Vec<(String, Wait, usize, i64)> {
            let all = queue.waiting(SMS).into_iter();
            all.map(|of| (of.application.to_string(), of.wait, of.count, of.oldest_ms)).collect()
        };
        let later = || ("b".to_owned(), Wait::Time, 1, 200_000);
        let of_a = |wait, count| ("a".to_owned(), wait, count, 90_000);
        assert_eq!(waiting(&mut queue), [of_a(Wait::Turn, 2), later()]);
        assert_eq!(claim(&mut queue, SMS, 2, 100_000), [1, 2]);
        assert_eq!(waiting(&mut queue), [later()]);
        // Put off again and again, it is owed since when it was.
        let down = Wait::Carrier { carrier: 1, why: crate::waiting::Why::Down };
        queue.put_off(flow(1), SUBMIT, 100_500, Some(down));
        queue.put_off(flow(2), SUBMIT, 100_500, Some(Wait::Turn));
        queue.put_off(flow(2), SUBMIT, 100_900, Some(down));
        assert_eq!(waiting(&mut queue), [of_a(down, 2), later()]);
        // A change of the flow that leaves the task as it is changes nothing; one that plans it anew does.
        queue.replace(flow(1), "a", "", &[task(SUBMIT, 91_000)]);
        queue.replace(flow(2), "a", "", &[task(SUBMIT, 300_000)]);
        let planned = ("a".to_owned(), Wait::Time, 1, 300_000);
        assert_eq!(waiting(&mut queue), [planned, of_a(down, 1), later()]);
        [1, 2, 3].into_iter().for_each(|number| queue.remove(flow(number)));
        assert!(queue.waiting(SMS).is_empty() && queue.waiting(Lane::Expire).is_empty());
    }

    #[test]
    fn what_a_wrong_clock_put_off_is_due_soon_when_the_clock_is_back() {
        let (mut queue, hour_ms) = (TaskQueue::default(), 3_600_000);
        queue.replace(flow(1), "a", "", &[task(SUBMIT, 0), task(EXPIRE, 5 * hour_ms)]);
        queue.replace(flow(4), "a", "", &[task(SUBMIT, 50_000)]);
        // The clock shows two hours too much.
        queue.tell(2 * hour_ms, 2 * hour_ms);
        assert_eq!(claim(&mut queue, SMS, 1, 2 * hour_ms), [1]);
        queue.put_off(flow(1), SUBMIT, 2 * hour_ms + 500, None);
        queue.replace(flow(2), "a", "", &[task(SUBMIT, 30 * hour_ms)]);
        queue.replace(flow(3), "a", "", &[task(EXPIRE, 4 * hour_ms)]);
        queue.tell(1000, 0);
        assert_eq!(queue.pull_in(SMS, true, 60_000), 2);
        assert_eq!(claim(&mut queue, SMS, 9, 1000), [1]);
        // What was decided before that is right, and what was decided meanwhile is not.
        assert_eq!(claim(&mut queue, SMS, 9, 50_000), [4]);
        assert_eq!(claim(&mut queue, SMS, 9, 60_000), [2]);
        assert_eq!(queue.pull_in(Lane::Expire, true, i64::MAX), 1);
        assert_eq!(queue.next_due_ms(Lane::Expire), Some(2 * hour_ms));
        assert_eq!(queue.pull_in(Lane::Expire, true, i64::MAX), 0);
        // It keeps its time when the clock goes on to jump, forward too.
        queue.tell(hour_ms + 1000, hour_ms);
        assert_eq!(queue.pull_in(Lane::Expire, true, i64::MAX), 1);
        assert_eq!(queue.next_due_ms(Lane::Expire), Some(3 * hour_ms));
        assert_eq!(queue.pull_in(Lane::Expire, false, 4 * hour_ms), 1);
        assert_eq!(queue.pull_in(Lane::Callback, true, 60_000), 0);
    }

    #[test]
    fn what_was_never_tried_is_due_at_once_whatever_clock_it_was_made_by() {
        let steps = vec![flow::sample::step(1, flow::sample::sms("+306900000000", "hi"))];
        let year_ms = 31_536_000_000;
        let ahead = flow::sample::flow(steps, None, year_ms, Uuid::from_u128(1));
        let mut queue = TaskQueue::default();
        queue.tell(1000, 0);
        queue.owe(&ahead);
        assert_eq!(claim(&mut queue, SMS, 1, 1000), [1]);
        // Its lease holds, whatever happens to the flow.
        queue.owe(&ahead);
        assert!(claim(&mut queue, SMS, 1, 1000).is_empty());
        assert_eq!(queue.next_due_ms(Lane::Expire), Some(year_ms + 600_000));
    }

    #[test]
    fn the_host_of_a_callback_is_found_however_the_url_is_written() {
        let flow = |url: &str| {
            let steps = vec![flow::sample::step(1, flow::sample::sms("+306900000000", "hi"))];
            let strategy = Some(flow::CallbackStrategy::OnChange);
            let mut flow = flow::sample::flow(steps, strategy, 0, Uuid::from_u128(1));
            flow.callback.as_mut().unwrap().url = url.into();
            flow
        };
        for (url, host) in [
            ("https://a.example/cb", "a.example"),
            ("https://A.Example:8443?x=http://b/", "a.example"),
            ("http://user:p@[::1]:80/x", "[::1]"),
            ("http://[::1]/x", "[::1]"),
            ("nonsense", ""),
        ] {
            assert_eq!(target_of(&flow(url)), host, "{url}");
        }
    }
}

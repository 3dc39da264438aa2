//! The callbacks that a flow owes or gave up. Each reports the state at one moment. Later changes are kept
//! with it, each as what it replaced, so that undoing them from the present state gives the state of that
//! moment. A change costs the room of what it replaced, not of another copy of the flow.

use crate::channel::Channel;
use crate::detail::Detail;
use crate::flow_status::{FlowStatus, StatusCode};
use crate::part::{Part, StatusRecord};
use crate::state::State;
use crate::status::Status;
use crate::texts::{json_octets, words};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// Most callbacks of a flow that are kept after they were given up; beyond it the oldest are forgotten.
const DEAD_MAX: usize = 8;
/// Longest reason of a failed attempt, octets.
const ERROR_MAX: usize = 200;

/// What changed a flow's tracking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A carrier accepted a part.
    Taken,
    /// A carrier refused a part.
    Refused,
    /// A carrier reported on a part.
    Receipt,
    /// A message's time to live was over.
    Expired,
    /// The application's balance could not pay a message.
    Unpayable,
    /// The application cancelled the flow.
    Cancelled,
}

/// An event and what it replaced. What it set is what the next change replaced, or the present state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// When, Unix milliseconds: the flow's `updatedAt` afterwards.
    #[serde(rename = "t")]
    pub at_ms: i64,
    /// What happened.
    #[serde(rename = "e")]
    pub kind: ChangeKind,
    /// The parts that changed, as they were before.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartBefore>,
    /// How many steps it started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub started: u32,
    /// The flow's status before, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowBefore>,
}

impl Change {
    /// Merges a later change into this one: of a part that both changed, the state before the first one
    /// stays.
    fn absorb(&mut self, later: Change) {
        for part in later.parts {
            let same = |known: &PartBefore| (known.message, known.part) == (part.message, part.part);
            if !self.parts.iter().any(same) {
                self.parts.push(part);
            }
        }
        self.started += later.started;
        self.flow = self.flow.take().or(later.flow);
    }

    /// Octets that it takes in a document, at most.
    fn size_max(&self) -> usize {
        let started = if self.started > 0 { 16 } else { 0 };
        let flow = if self.flow.is_some() { 120 } else { 0 };
        44 + started + flow + self.parts.iter().map(PartBefore::size_max).sum::<usize>()
    }
}

/// What a tracking shows of a part, before a change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartBefore {
    /// The message's position.
    #[serde(rename = "m")]
    pub message: u16,
    /// The part's position.
    #[serde(rename = "p")]
    pub part: u16,
    #[serde(rename = "s")]
    status: Status,
    /// Absent: [`Detail::plain`].
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "t")]
    at_ms: i64,
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
    /// A carrier had accepted it.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    taken: bool,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    expired_on_delivery_ms: Option<i64>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    duration_s: Option<u32>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    answered_by: Option<String>,
}

impl PartBefore {
    /// A part as it is.
    pub(crate) fn of(message: u16, part: u16, now: &Part) -> PartBefore {
        let StatusRecord { status, detail, description, at_ms, provisional } = now.status.clone();
        PartBefore {
            message,
            part,
            status,
            detail: Some(detail).filter(|detail| *detail != Detail::plain(status)),
            description,
            at_ms,
            provisional,
            taken: now.carrier.is_some(),
            operator: now.operator.clone(),
            expired_on_delivery_ms: now.expired_on_delivery_ms,
            duration_s: now.duration_s,
            answered_by: now.answered_by.clone(),
        }
    }

    /// Octets that it takes in a document, at most.
    fn size_max(&self) -> usize {
        let texts = [&self.description, &self.operator, &self.answered_by];
        let texts: usize = texts.into_iter().flatten().map(|text| 8 + json_octets(text)).sum();
        let detail = self.detail.as_ref().map_or(0, |detail| 8 + json_octets(&detail.0));
        let numbers = 24
            * (usize::from(self.expired_on_delivery_ms.is_some()) + usize::from(self.duration_s.is_some()));
        let flags = 9 * (usize::from(self.taken) + usize::from(self.provisional));
        44 + self.status.name().len() + flags + numbers + texts + detail
    }

    /// Gives a part its old values, of those that a tracking shows.
    fn restore(&self, part: &mut Part) {
        part.status = StatusRecord {
            status: self.status,
            detail: self.detail.clone().unwrap_or(Detail::plain(self.status)),
            description: self.description.clone(),
            at_ms: self.at_ms,
            provisional: self.provisional,
        };
        if !self.taken {
            (part.carrier, part.rate, part.interval_s) = (None, None, None);
        }
        part.operator.clone_from(&self.operator);
        part.expired_on_delivery_ms = self.expired_on_delivery_ms;
        part.duration_s = self.duration_s;
        part.answered_by.clone_from(&self.answered_by);
    }
}

/// A flow's status before a change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FlowBefore {
    status: FlowStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_code: Option<StatusCode>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cancelled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    termination: Option<Channel>,
}

impl FlowBefore {
    pub(crate) fn of(state: &State) -> FlowBefore {
        let State { status, status_code, cancelled, termination, .. } = *state;
        FlowBefore { status, status_code, cancelled, termination }
    }
}

/// A callback that is owed, or was given up.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PendingCallback {
    /// Counts the flow's callbacks from 1, and so identifies it.
    #[serde(rename = "n", default)]
    pub number: u32,
    /// The `updatedAt` that it shows, Unix milliseconds.
    #[serde(rename = "ms", default)]
    changed_ms: i64,
    /// Since when it has been tried, Unix milliseconds; absent: since `changed_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_ms: Option<i64>,
    /// When the next attempt is due, Unix milliseconds; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    /// Attempts so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It was given up and waits to be replayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dead: bool,
    /// What changed after it and up to the next callback's moment, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    later: Vec<Change>,
    /// Documents of version 0.1: the `webhook-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// Documents of version 0.1: the state at the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<State>>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl PendingCallback {
    /// Since when it has been tried, Unix milliseconds.
    pub fn since_ms(&self) -> i64 {
        self.since_ms.unwrap_or(self.changed_ms)
    }

    /// When the next attempt is due, Unix milliseconds.
    pub fn due_ms(&self) -> i64 {
        self.at_ms.unwrap_or(self.changed_ms)
    }

    /// Octets that it takes in a document, at most.
    fn size_max(&self) -> usize {
        // Each number is the length of the JSON around the texts.
        let tried = self.error.as_ref().map_or(0, |error| json_octets(error) + 120);
        44 + tried + self.later.iter().map(Change::size_max).sum::<usize>()
    }
}

/// A flow's callbacks in the order of the moments that they report: those given up and those owed. Only the
/// first owed one is due. It may have reached its target even if every attempt seemed to fail, so it never
/// changes; those after it were never sent, and may be merged.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Callbacks(Vec<PendingCallback>);

impl Callbacks {
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are owed, oldest first; the first one is due.
    pub fn owed(&self) -> impl Iterator<Item = &PendingCallback> {
        self.0.iter().filter(|callback| !callback.dead)
    }

    /// The one that is due.
    pub fn first(&self) -> Option<&PendingCallback> {
        self.owed().next()
    }

    /// Those that were given up.
    pub fn dead(&self) -> impl Iterator<Item = &PendingCallback> {
        self.0.iter().filter(|callback| callback.dead)
    }

    /// Whether some callback needs what a change replaces.
    pub(crate) fn keep_changes(&self) -> bool {
        self.0.last().is_some_and(|last| last.state.is_none())
    }

    /// Keeps a change, whether or not a callback reports it.
    pub(crate) fn changed(&mut self, change: Change) {
        if let Some(last) = self.0.last_mut().filter(|last| last.state.is_none()) {
            last.later.push(change);
        }
    }

    /// Adds a callback for the present state. While the target fails, and when those owed take more than
    /// `bytes_max` octets, callbacks never sent are merged into the newest.
    pub(crate) fn owe(&mut self, number: u32, changed_ms: i64, bytes_max: usize) {
        self.0.push(PendingCallback { number, changed_ms, ..PendingCallback::default() });
        if self.first().is_some_and(|first| first.attempts > 0) || self.size_max() > bytes_max {
            self.merge_unsent();
            self.forget_dead(bytes_max);
        }
    }

    /// The `webhook-id` of one of the callbacks of the flow `id`: the same on every attempt, and no other's.
    pub(crate) fn webhook_id(id: &Uuid, callback: &PendingCallback) -> Uuid {
        callback.id.unwrap_or_else(|| Uuid::new_v5(id, &callback.number.to_be_bytes()))
    }

    /// Octets that all of them take in a document, at most.
    fn size_max(&self) -> usize {
        self.0.iter().map(PendingCallback::size_max).sum()
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.0.iter().position(|callback| callback.number == number && !callback.dead)
    }

    /// Removes all that were never sent but the newest.
    fn merge_unsent(&mut self) {
        let Some(first) = self.0.iter().position(|callback| !callback.dead) else { return };
        let last = self.0.len() - 1;
        for position in (first + 1..last).rev() {
            self.remove(position);
        }
    }

    /// Removes one. Its changes go to the one before it, which needs them.
    fn remove(&mut self, position: usize) {
        let removed = self.0.remove(position);
        let before = position.checked_sub(1).and_then(|position| self.0.get_mut(position));
        let Some(before) = before.filter(|before| before.state.is_none()) else { return };
        let mut later = before.later.drain(..).chain(removed.later);
        let Some(mut all) = later.next() else { return };
        later.for_each(|change| all.absorb(change));
        before.later = vec![all];
    }

    /// Removes the oldest of those given up, while they are too many or take too much room.
    fn forget_dead(&mut self, bytes_max: usize) {
        while let Some(oldest) = self.0.iter().position(|callback| callback.dead)
            && (self.dead().count() > DEAD_MAX || self.size_max() > bytes_max)
        {
            self.remove(oldest);
        }
    }

    /// Removes one that was acknowledged; returns whether it was owed.
    pub(crate) fn done(&mut self, number: u32) -> bool {
        let position = self.position(number);
        position.map(|position| self.remove(position)).is_some()
    }

    /// Makes one that was not acknowledged due again at `at_ms`, or gives it up; returns whether that changed
    /// it.
    pub(crate) fn failed(&mut self, number: u32, at_ms: Option<i64>, error: &str, bytes_max: usize) -> bool {
        let Some(position) = self.position(number) else { return false };
        let callback = &mut self.0[position];
        match at_ms {
            // This event was applied before.
            Some(at_ms) if at_ms <= callback.due_ms() => return false,
            Some(at_ms) => callback.at_ms = Some(at_ms),
            None => callback.dead = true,
        }
        callback.attempts = callback.attempts.saturating_add(1);
        callback.error = Some(words(error, ERROR_MAX).into_owned());
        self.merge_unsent();
        self.forget_dead(bytes_max);
        true
    }

    /// Gives up all that are owed, since the target refuses more of them; returns whether `number` was owed.
    pub(crate) fn end(&mut self, number: u32, error: &str, bytes_max: usize) -> bool {
        let Some(position) = self.position(number) else { return false };
        self.0[position].attempts = self.0[position].attempts.saturating_add(1);
        self.merge_unsent();
        for callback in self.0.iter_mut().filter(|callback| !callback.dead) {
            callback.dead = true;
            callback.error = Some(words(error, ERROR_MAX).into_owned());
        }
        self.forget_dead(bytes_max);
        true
    }

    /// Makes those given up owed again; returns whether there were any.
    pub(crate) fn replay(&mut self, now_ms: i64) -> bool {
        let mut any = false;
        for callback in self.0.iter_mut().filter(|callback| callback.dead) {
            callback.dead = false;
            callback.since_ms = Some(now_ms);
            callback.at_ms = Some(now_ms);
            callback.attempts = 0;
            any = true;
        }
        any
    }

    /// The state that a callback reports; `None` if there is no such callback.
    pub(crate) fn state_at<'a>(&'a self, number: u32, now: &'a State) -> Option<Cow<'a, State>> {
        let position = self.0.iter().position(|callback| callback.number == number)?;
        let callback = &self.0[position];
        if let Some(state) = &callback.state {
            return Some(Cow::Borrowed(state));
        }
        let later = self.0[position..].iter().flat_map(|callback| &callback.later);
        let mut state = now.clone();
        for change in later.rev() {
            undo(&mut state, change);
        }
        state.updated_ms = callback.changed_ms;
        Some(Cow::Owned(state))
    }

    /// Numbers the callbacks of a document of version 0.1, and adds those given up; returns the last number.
    pub(crate) fn adopt(&mut self, dead: Vec<PendingCallback>, mut last: u32) -> u32 {
        let dead = dead.into_iter().map(|callback| PendingCallback { dead: true, ..callback });
        self.0.splice(0..0, dead);
        for callback in self.0.iter_mut().filter(|callback| callback.number == 0) {
            last += 1;
            callback.number = last;
            callback.changed_ms = callback.state.as_ref().map_or(0, |state| state.updated_ms);
        }
        last
    }
}

fn undo(state: &mut State, change: &Change) {
    state.messages.truncate(state.messages.len().saturating_sub(change.started as usize));
    for before in change.parts.iter().rev() {
        let message = state.messages.get_mut(usize::from(before.message));
        let part = message.and_then(|message| message.parts.get_mut(usize::from(before.part)));
        if let Some(part) = part {
            before.restore(part);
        }
    }
    if let Some(before) = &change.flow {
        state.status = before.status;
        state.status_code = before.status_code;
        state.cancelled = before.cancelled;
        state.termination = before.termination;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_part_was_takes_what_is_reckoned_and_not_much_less() {
        let text = |text: &str| Some(text.to_owned());
        let bare = PartBefore {
            message: 31,
            part: 254,
            status: Status::Sent,
            detail: None,
            description: None,
            at_ms: i64::from(u32::MAX) << 10,
            provisional: false,
            taken: false,
            operator: None,
            expired_on_delivery_ms: None,
            duration_s: None,
            answered_by: None,
        };
        let full = PartBefore {
            detail: Some(Detail("\"odd".into())),
            description: text("\u{1b}words"),
            provisional: true,
            taken: true,
            operator: text("\\network"),
            expired_on_delivery_ms: Some(bare.at_ms),
            duration_s: Some(u32::MAX),
            answered_by: text("machine"),
            ..bare.clone()
        };
        let change = |parts: &[&PartBefore], started, flow| Change {
            at_ms: bare.at_ms,
            kind: ChangeKind::Cancelled,
            parts: parts.iter().map(|part| (*part).clone()).collect(),
            started,
            flow,
        };
        let flow = FlowBefore {
            status: FlowStatus::InProgress,
            status_code: Some(StatusCode::InsufficientBalance),
            cancelled: true,
            termination: Some(Channel::Voice),
        };
        let changes = [
            change(&[], 0, None),
            change(&[&bare, &full], 0, None),
            change(&[&bare], 31, None),
            change(&[], 0, Some(flow)),
        ];
        for change in changes {
            let taken = serde_json::to_string(&change).unwrap();
            assert!(
                (taken.len()..taken.len() + 110).contains(&change.size_max()),
                "{} {taken}",
                change.size_max()
            );
        }
        for before in [bare, full] {
            let taken = serde_json::to_string(&before).unwrap();
            assert!(
                (taken.len()..taken.len() + 50).contains(&before.size_max()),
                "{} {taken}",
                before.size_max()
            );
        }
    }
}

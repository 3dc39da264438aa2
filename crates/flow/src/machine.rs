//! The state machine: the only place that decides what an event does to a flow.

use crate::model::{CarrierRef, Covers, State, Submit};
use crate::size::{detail as short_detail, part_words};
use crate::{
    CallbackStrategy, Callbacks, Change, ChangeKind, Channel, Detail, Flow, FlowBefore, FlowStatus, Message,
    NewFlow, Part, PartBefore, Price, Rate, Receipt, Status, StatusCode, StatusRecord,
};
use uuid::Uuid;

/// Something that happened to a flow. Positions count from 0; one that names nothing is ignored.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A part is about to be handed to a carrier that must not get it twice.
    Handed {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name.
        carrier: String,
        /// What is handed over with it, and what its receipts will be about.
        covers: Covers,
    },
    /// A part was handed to a carrier, nobody knows whether the carrier has it, and it is not handed over again.
    Unanswered {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The carrier's name.
        carrier: String,
        /// As in [`Event::Handed`].
        covers: Covers,
    },
    /// So much of the application's balance is held for a part that is about to be handed over.
    Reserved {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// What is expected to be charged.
        price: Price,
    },
    /// The application's balance can't pay a message: the flow ends (contract, section 6).
    Unaffordable {
        /// The message's position.
        message: u16,
    },
    /// A carrier may have a part: its receipts would find it.
    Expected {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it would call the message.
        carrier: CarrierRef,
        /// As in [`Event::Handed`].
        covers: Covers,
    },
    /// A carrier took a part.
    Submitted {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it calls the message.
        carrier: CarrierRef,
        /// What it charges, and the recipient's network, if known. If not, it charges what was held for the part.
        rate: Option<Rate>,
        /// What it took under this reference, and what its receipts will be about.
        covers: Covers,
    },
    /// A carrier refused a part for good.
    Refused {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// A carrier says after the fact that it does not have a part whose hand-over had an unknown outcome.
    RefusedLate {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The part's count of unknown hand-overs ([`Submit::Owed`], [`Submit::Handed`]) when the answer came. If it is
        /// another one by now, the event is out of date and changes nothing; so it can't count twice.
        unknown: u8,
        /// What the carrier said.
        refusal: LateRefusal,
    },
    /// A part could not be handed over now; it is due again at `at_ms`.
    Deferred {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// When, Unix milliseconds.
        at_ms: i64,
        /// It was handed over, and nobody knows whether the carrier has it.
        unknown: bool,
    },
    /// A carrier reports on a part.
    Receipt {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// The report.
        receipt: Receipt,
    },
    /// A message's time to live is over.
    Expire {
        /// The message's position.
        message: u16,
    },
    /// The application wants no more of it: the flow ends, and nothing is handed over any more.
    Cancel,
    /// The oldest callback that is owed was acknowledged.
    CallbackDone {
        /// Its number.
        number: u32,
    },
    /// It was not; it is due again at `at_ms`, or given up when that is `None`.
    CallbackFailed {
        /// Its number.
        number: u32,
        /// When, Unix milliseconds.
        at_ms: Option<i64>,
        /// Why.
        error: String,
    },
    /// Its target wants no more callbacks of this flow (contract, section 5: `410`); what is owed is given up.
    CallbacksEnded {
        /// Its number.
        number: u32,
        /// What it answered.
        error: String,
    },
    /// Callbacks that were given up are owed again.
    CallbacksReplayed,
}

/// A refusal that came late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LateRefusal {
    /// For good.
    Final {
        /// Why.
        detail: Detail,
        /// The carrier's words.
        description: Option<String>,
    },
    /// For now.
    Temporary {
        /// When the part may be handed over again, Unix milliseconds.
        at_ms: i64,
    },
}

/// Something worth counting about an applied event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A receipt changed a message whose step had been left.
    LateReceipt,
    /// A receipt told nothing new, or something older than what is known.
    StaleReceipt,
    /// The next step was started.
    Failover,
    /// The flow ended with this status.
    Ended(FlowStatus),
}

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether the flow is another one than before.
    pub changed: bool,
    /// What is worth counting.
    pub notes: Vec<Note>,
}

/// An event under way: what it is given, and what is to be told of it.
struct Course<'a> {
    now_ms: i64,
    ids: &'a mut dyn FnMut() -> Uuid,
    applied: Applied,
    /// What it replaces, where some callback has to find back to it.
    before: Option<Before>,
}

/// What an event is about.
enum About {
    /// The callbacks alone.
    Callbacks,
    /// What no tracking shows.
    Inside,
    /// The tracking.
    Tracking {
        kind: ChangeKind,
        /// A status changed, which is what callbacks tell.
        told: bool,
    },
}

/// What an event replaces.
struct Before {
    flow: FlowBefore,
    parts: Vec<PartBefore>,
    started: u32,
}

impl Course<'_> {
    /// A part is about to become another one.
    fn replace(&mut self, message: u16, part: u16, now: &Part) {
        let Some(before) = &mut self.before else { return };
        if !before.parts.iter().any(|known| (known.message, known.part) == (message, part)) {
            before.parts.push(PartBefore::of(message, part, now));
        }
    }
}

impl Flow {
    /// Accepts a flow and starts its first step. `ids` draws new ids.
    pub fn accept(new: NewFlow, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) -> Flow {
        assert!(!new.steps.is_empty(), "a flow has at least one step");
        let state = State {
            updated_ms: now_ms,
            status: FlowStatus::Queued,
            status_code: None,
            cancelled: false,
            termination: None,
            messages: Vec::new(),
        };
        let mut flow = Flow {
            id: new.id,
            application: new.application,
            kind: new.kind,
            created_ms: now_ms,
            minute_ms: new.minute_ms,
            steps: new.steps,
            callback: new.callback,
            restrictions: new.restrictions,
            state,
            callbacks: Callbacks::default(),
            callbacks_made: 0,
            callback_bytes_max: new.callback_bytes_max,
            callbacks_ended: false,
            old_dead_callbacks: Vec::new(),
        };
        flow.start_next(now_ms, ids);
        flow
    }

    /// Applies an event. `now_ms` is the time of the application; `ids` draws new ids.
    pub fn apply(&mut self, event: &Event, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) -> Applied {
        let status = self.state.status;
        let keep = self.callbacks.keep_changes();
        let before =
            keep.then(|| Before { flow: FlowBefore::of(&self.state), parts: Vec::new(), started: 0 });
        let mut course = Course { now_ms, ids, applied: Applied::default(), before };
        let about = self.happen(event, &mut course);
        if !course.applied.changed || matches!(about, About::Callbacks) {
            return course.applied;
        }
        self.state.updated_ms = self.state.updated_ms.max(now_ms);
        let About::Tracking { kind, told } = about else { return course.applied };
        if told {
            self.decide(&mut course);
        }
        let Course { applied, before, .. } = course;
        if let Some(before) = before {
            self.keep_change(kind, before);
        }
        if told {
            self.owe_callback(status);
        }
        applied
    }

    /// Does what an event says and no more; answers what it is about.
    fn happen(&mut self, event: &Event, course: &mut Course<'_>) -> About {
        let shown = |kind| About::Tracking { kind, told: true };
        let changed = |changed: bool| Applied { changed, notes: Vec::new() };
        let callback_bytes = self.callback_bytes_max as usize;
        match event {
            Event::Handed { message, part, covers, .. } | Event::Unanswered { message, part, covers, .. } => {
                course.applied = changed(self.hand(*message, *part, *covers));
                About::Inside
            }
            Event::Reserved { message, part, price } => {
                course.applied = changed(self.reserve(*message, *part, *price));
                About::Inside
            }
            Event::Expected { message, part, covers, .. } => {
                course.applied = changed(self.expected(*message, *part, *covers));
                About::Inside
            }
            Event::Deferred { message, part, at_ms, unknown } => {
                course.applied = changed(self.deferred(*message, *part, *at_ms, *unknown));
                About::Inside
            }
            Event::Unaffordable { message } => {
                self.end_unpaid(usize::from(*message), course);
                shown(ChangeKind::Unpayable)
            }
            Event::Submitted { message, part, carrier, rate, covers } => {
                let told = self.submitted(*message, *part, carrier, rate.as_ref(), *covers, course);
                About::Tracking { kind: ChangeKind::Taken, told }
            }
            Event::Refused { message, part, detail, description } => {
                self.refused(*message, *part, detail, description.as_ref(), course);
                shown(ChangeKind::Refused)
            }
            Event::RefusedLate { message, part, unknown, refusal } => {
                match self.refused_late(*message, *part, *unknown, refusal, course) {
                    true => shown(ChangeKind::Refused),
                    false => About::Inside,
                }
            }
            Event::Receipt { message, part, receipt } => {
                self.receipt(*message, *part, receipt, course);
                shown(ChangeKind::Receipt)
            }
            Event::Expire { message } => {
                self.expire(usize::from(*message), course);
                shown(ChangeKind::Expired)
            }
            Event::Cancel => {
                self.cancel(course);
                shown(ChangeKind::Cancelled)
            }
            Event::CallbackDone { number } => {
                course.applied = changed(self.callbacks.done(*number));
                About::Callbacks
            }
            Event::CallbackFailed { number, at_ms, error } => {
                course.applied = changed(self.callbacks.failed(*number, *at_ms, error, callback_bytes));
                About::Callbacks
            }
            Event::CallbacksEnded { number, error } => {
                course.applied = changed(self.callbacks.end(*number, error, callback_bytes));
                self.callbacks_ended |= course.applied.changed;
                About::Callbacks
            }
            Event::CallbacksReplayed => {
                course.applied = changed(self.callbacks.replay(course.now_ms));
                About::Callbacks
            }
        }
    }

    fn part_mut(&mut self, message: u16, part: u16) -> Option<&mut Part> {
        self.state.messages.get_mut(usize::from(message))?.parts.get_mut(usize::from(part))
    }

    /// The parts that are handed over with `part`.
    fn parts_of(&self, message: u16, part: u16, covers: Covers) -> std::ops::Range<u16> {
        match self.state.messages.get(usize::from(message)) {
            Some(message) if covers == Covers::Message => 0..message.parts.len() as u16,
            _ => part..part.saturating_add(1),
        }
    }

    /// The parts that a receipt for `part` is about: a carrier may give one id to several parts, or send one receipt for
    /// a whole message.
    fn parts_reported(&self, message: u16, part: u16) -> Vec<u16> {
        let Some(parts) = self.state.messages.get(usize::from(message)).map(|message| &message.parts) else {
            return Vec::new();
        };
        let Some(own) = parts.get(usize::from(part)) else { return Vec::new() };
        let is_reported = |(at, other): &(u16, &Part)| {
            *at == part || own.covers == Covers::Message || own.shares_receipts_with(other)
        };
        (0..).zip(parts).filter(is_reported).map(|(at, _)| at).collect()
    }

    fn start_next(&mut self, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) {
        let step = &self.steps[self.state.messages.len()];
        let channel = step.channel();
        let status = StatusRecord {
            status: Status::initial(channel),
            detail: Detail::plain(Status::initial(channel)),
            description: None,
            at_ms: now_ms,
            provisional: false,
        };
        let parts = (0..step.part_count()).map(|_| Part {
            id: ids(),
            status: status.clone(),
            submit: Submit::Owed { at_ms: now_ms, attempts: 0, unknown: 0 },
            carrier: None,
            covers: Covers::Part,
            rate: None,
            held: None,
            interval_s: None,
            operator: None,
            expired_on_delivery_ms: None,
            duration_s: None,
            answered_by: None,
        });
        let parts = parts.collect();
        let expires_ms = now_ms.saturating_add_unsigned(step.ttl.millis(self.minute_ms));
        self.state.messages.push(Message { id: ids(), created_ms: now_ms, expires_ms, parts });
    }

    fn hand(&mut self, message: u16, part: u16, covers: Covers) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        let Submit::Owed { attempts, unknown, .. } = state.submit else { return false };
        state.submit = Submit::Handed { attempts, unknown };
        state.covers = covers;
        true
    }

    fn reserve(&mut self, message: u16, part: u16, price: Price) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        if !matches!(state.submit, Submit::Owed { .. }) || state.held == Some(price) {
            return false;
        }
        state.held = Some(price);
        true
    }

    fn expected(&mut self, message: u16, part: u16, covers: Covers) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        if state.submit == Submit::Done || state.covers == covers {
            return false;
        }
        state.covers = covers;
        true
    }

    fn end_unpaid(&mut self, index: usize, course: &mut Course<'_>) {
        if self.live() == Some(index) {
            course.applied.changed = true;
            self.end(index, FlowStatus::Failed, Some(StatusCode::InsufficientBalance), course);
        }
    }

    fn cancel(&mut self, course: &mut Course<'_>) {
        let Some(live) = self.live() else { return };
        course.applied.changed = true;
        self.state.cancelled = true;
        self.leave(live, &Detail::CANCELLED, course);
        self.end(live, FlowStatus::Failed, Some(StatusCode::ServerError), course);
    }

    /// Answers whether a status changed.
    fn submitted(
        &mut self,
        message: u16,
        part: u16,
        carrier: &CarrierRef,
        rate: Option<&Rate>,
        covers: Covers,
        course: &mut Course<'_>,
    ) -> bool {
        let mut is_shown = false;
        for each in self.parts_of(message, part, covers) {
            // The others were handed over with this one.
            let covers = if each == part || covers != Covers::Message { covers } else { Covers::Part };
            is_shown |= self.part_submitted(message, each, carrier, rate, covers, course);
        }
        if course.applied.changed && self.state.status == FlowStatus::Queued {
            self.state.status = FlowStatus::InProgress;
            is_shown = true;
        }
        is_shown
    }

    /// Answers whether its status changed.
    fn part_submitted(
        &mut self,
        message: u16,
        part: u16,
        carrier: &CarrierRef,
        rate: Option<&Rate>,
        covers: Covers,
        course: &mut Course<'_>,
    ) -> bool {
        let (parts, is_call) = (self.part_count(message), self.is_call(message));
        let Some(state) = self.part_mut(message, part).filter(|state| state.carrier.is_none()) else {
            return false;
        };
        course.replace(message, part, state);
        course.applied.changed = true;
        state.submit = Submit::Done;
        state.carrier = Some(carrier.clone());
        state.covers = covers;
        if rate.is_none() {
            state.rate = state.held.filter(|held| *held != Price::ZERO);
        }
        if let Some(rate) = rate {
            state.rate = Some(rate.price);
            state.interval_s = rate.interval_s.filter(|_| is_call);
            let operator = rate.operator.as_ref().map(|operator| part_words(operator, parts));
            state.operator = operator.or(state.operator.take());
        }
        // The other channels have no status for it.
        let has_status = self.steps[usize::from(message)].channel() == Channel::Sms;
        let now_ms = course.now_ms;
        let is_sent =
            has_status && self.set_status(message, part, Status::Sent, &Detail::SENT, None, now_ms, course);
        let reported = self.reported_before(message, part);
        let is_reported =
            reported.is_some_and(|StatusRecord { status, detail, description, at_ms, .. }| {
                self.set_status(message, part, status, &detail, description.as_ref(), at_ms, course)
            });
        is_sent || is_reported
    }

    /// What a carrier reported as final of a part before it took it: on another part whose receipts count for both.
    fn reported_before(&self, message: u16, part: u16) -> Option<StatusRecord> {
        let channel = self.steps.get(usize::from(message))?.channel();
        let parts = &self.state.messages.get(usize::from(message))?.parts;
        let own = parts.get(usize::from(part))?;
        let is_final = |other: &&Part| {
            let StatusRecord { status, provisional, .. } = other.status;
            status.is_final_on(channel) && !provisional && other.shares_receipts_with(own)
        };
        parts.iter().find(is_final).map(|other| other.status.clone())
    }

    fn refused(
        &mut self,
        message: u16,
        part: u16,
        detail: &Detail,
        description: Option<&String>,
        course: &mut Course<'_>,
    ) {
        let Some(state) = self.part_mut(message, part).filter(|state| state.submit != Submit::Done) else {
            return;
        };
        course.applied.changed = true;
        state.submit = Submit::Done;
        let now_ms = course.now_ms;
        self.set_status(message, part, Status::Failed, detail, description, now_ms, course);
    }

    /// Answers whether a status changed.
    fn refused_late(
        &mut self,
        message: u16,
        part: u16,
        unknown: u8,
        refusal: &LateRefusal,
        course: &mut Course<'_>,
    ) -> bool {
        let live = self.live() == Some(usize::from(message));
        let detail = if self.state.cancelled { Detail::CANCELLED } else { Detail::NOT_SENT };
        let Some(state) = self.part_mut(message, part) else { return false };
        let (attempts, is_only) = match &mut state.submit {
            Submit::Owed { unknown: known, .. } | Submit::Handed { unknown: known, .. }
                if *known != unknown =>
            {
                return false;
            }
            // One more than its count have an unknown outcome: the last one is not in it.
            Submit::Handed { attempts, unknown: 0 } => (*attempts, true),
            Submit::Owed { attempts, unknown, .. } | Submit::Handed { attempts, unknown } => {
                course.applied.changed = *unknown > 0;
                *unknown = unknown.saturating_sub(1);
                (*attempts, false)
            }
            Submit::Done => return false,
        };
        if !is_only {
            return false;
        }
        match refusal {
            LateRefusal::Final { detail, description } => {
                self.refused(message, part, detail, description.as_ref(), course);
            }
            LateRefusal::Temporary { at_ms } if live => {
                let attempts = attempts.saturating_add(1);
                state.submit = Submit::Owed { at_ms: *at_ms, attempts, unknown: 0 };
                course.applied.changed = true;
                return false;
            }
            // Its step was left meanwhile.
            LateRefusal::Temporary { .. } => {
                course.replace(message, part, state);
                course.applied.changed = true;
                state.submit = Submit::Done;
                state.status = provisional(Status::Unsent, &detail, course.now_ms);
            }
        }
        true
    }

    fn deferred(&mut self, message: u16, part: u16, due_ms: i64, is_unknown: bool) -> bool {
        let live = self.live();
        let Some(state) = self.part_mut(message, part) else { return false };
        let (attempts, unknown) = match state.submit {
            _ if live != Some(usize::from(message)) => return false,
            Submit::Owed { at_ms, attempts, unknown } if at_ms < due_ms => (attempts, unknown),
            Submit::Handed { attempts, unknown } => (attempts, unknown),
            Submit::Owed { .. } | Submit::Done => return false,
        };
        let (attempts, unknown) = (attempts.saturating_add(1), unknown.saturating_add(u8::from(is_unknown)));
        state.submit = Submit::Owed { at_ms: due_ms, attempts, unknown };
        true
    }

    fn receipt(&mut self, message: u16, part: u16, receipt: &Receipt, course: &mut Course<'_>) {
        let live = self.live() == Some(usize::from(message));
        let (parts, is_call) = (self.part_count(message), self.is_call(message));
        let Receipt { status, detail, description, .. } = receipt;
        // Carriers' clocks may be wrong: nothing happened before the message or after now.
        let now_ms = course.now_ms;
        let started_ms = self.state.messages.get(usize::from(message)).map_or(now_ms, |m| m.created_ms);
        let at_ms = receipt.at_ms.map_or(now_ms, |at_ms| at_ms.max(started_ms).min(now_ms));
        for part in self.parts_reported(message, part) {
            if !self.set_status(message, part, *status, detail, description.as_ref(), at_ms, course) {
                continue;
            }
            course.applied.changed = true;
            // `set_status` found the part.
            if let Some(state) = self.part_mut(message, part) {
                let words = |text: &String| part_words(text, parts);
                state.submit = Submit::Done;
                state.operator = receipt.operator.as_ref().map(words).or(state.operator.take());
                if is_call {
                    state.duration_s = receipt.duration_s.or(state.duration_s);
                    state.answered_by = receipt.answered_by.as_ref().map(words).or(state.answered_by.take());
                }
            }
        }
        if !course.applied.changed {
            course.applied.notes.push(Note::StaleReceipt);
            return;
        }
        if self.state.status == FlowStatus::Queued {
            self.state.status = FlowStatus::InProgress;
        }
        // Seen after the flow ended with Delivered is the usual course, not a late receipt.
        let usual = *status == Status::Seen && self.state.status == FlowStatus::Succeeded;
        if !live && !usual {
            course.applied.notes.push(Note::LateReceipt);
        }
    }

    /// Sets a status that a carrier reported, if what is known yields to it.
    #[allow(clippy::too_many_arguments)] // A status and where it belongs.
    fn set_status(
        &mut self,
        message: u16,
        part: u16,
        status: Status,
        detail: &Detail,
        description: Option<&String>,
        at_ms: i64,
        course: &mut Course<'_>,
    ) -> bool {
        let Some(step) = self.steps.get(usize::from(message)) else { return false };
        let (channel, expire_on_delivery) = (step.channel(), step.expire_on_delivery());
        let parts = self.part_count(message);
        let Some(state) = self.part_mut(message, part) else { return false };
        let known = &state.status;
        if !known.status.yields_to(status, channel, known.provisional, expire_on_delivery) {
            return false;
        }
        course.replace(message, part, state);
        state.status = StatusRecord {
            status,
            detail: short_detail(detail),
            description: description.map(|text| part_words(text, parts)),
            at_ms,
            provisional: false,
        };
        true
    }

    /// Ends a message whose time to live is over, in the channel's way (contract, section 7).
    fn expire(&mut self, index: usize, course: &mut Course<'_>) {
        let now_ms = course.now_ms;
        if self.live() != Some(index) {
            return;
        }
        let Message { created_ms, expires_ms, .. } = self.state.messages[index];
        // A message of the future was made by a clock that was ahead: its end tells nothing.
        if now_ms < expires_ms && now_ms >= created_ms {
            return;
        }
        course.applied.changed = true;
        let channel = self.steps[index].channel();
        let (status, detail) = match channel {
            Channel::Sms => (Status::Undelivered, Detail::EXPIRED),
            Channel::Viber => (Status::Expired, Detail::TTL_EXPIRED),
            Channel::Voice => (Status::NoAnswer, Detail::NO_ANSWER),
        };
        for (at, part) in self.state.messages[index].parts.iter_mut().enumerate() {
            if part.status.status.is_final_on(channel) {
                continue;
            }
            course.replace(index as u16, at as u16, part);
            if part.status.status == Status::Delivered {
                part.expired_on_delivery_ms = Some(now_ms);
            }
            part.submit = Submit::Done;
            part.status = provisional(status, &detail, now_ms);
        }
    }

    /// Decides what follows from the live message: nothing yet, the next step, or the end.
    fn decide(&mut self, course: &mut Course<'_>) {
        let Some(live) = self.live() else { return };
        let step = &self.steps[live];
        let channel = step.channel();
        let message = &self.state.messages[live];
        let status = message.decisive(channel).status.status;
        let settled = status.is_final_on(channel) || status.is_success();
        let waits_for_seen = status == Status::Delivered && step.expire_on_delivery();
        if !settled || waits_for_seen {
            return;
        }
        // Voice may name Completed as a failover status, so this comes before success.
        let fails_over = step.failover_on.contains(&status);
        let has_next = live + 1 < self.steps.len();
        if fails_over && has_next {
            self.leave(live, &Detail::NOT_SENT, course);
            self.start_next(course.now_ms, course.ids);
            if let Some(before) = &mut course.before {
                before.started += 1;
            }
            course.applied.notes.push(Note::Failover);
            return;
        }
        let (status, code) = if fails_over {
            (FlowStatus::Failed, Some(StatusCode::NoNextStep))
        } else if status.is_success() {
            (FlowStatus::Succeeded, None)
        } else {
            (FlowStatus::Failed, Some(StatusCode::FailoverNotTriggered))
        };
        self.end(live, status, code, course);
    }

    /// Ends the flow with the message that decides.
    fn end(&mut self, live: usize, status: FlowStatus, code: Option<StatusCode>, course: &mut Course<'_>) {
        self.leave(live, &Detail::NOT_SENT, course);
        self.state.status = status;
        self.state.status_code = code;
        self.state.termination = Some(self.steps[live].channel());
        course.applied.notes.push(Note::Ended(status));
    }

    /// Gives up the parts of a message that were not handed to a carrier, and holds nothing for it any more: what is
    /// charged after all counts all the same.
    fn leave(&mut self, index: usize, detail: &Detail, course: &mut Course<'_>) {
        for (at, part) in self.state.messages[index].parts.iter_mut().enumerate() {
            part.held = part.held.map(|_| Price::ZERO);
            if matches!(part.submit, Submit::Owed { .. }) {
                course.replace(index as u16, at as u16, part);
                part.submit = Submit::Done;
                part.status = provisional(Status::Unsent, detail, course.now_ms);
            }
        }
    }

    /// Keeps what a change replaced, for the callbacks that tell of before.
    fn keep_change(&mut self, kind: ChangeKind, before: Before) {
        let Before { flow, parts, started } = before;
        let flow = Some(flow).filter(|flow| *flow != FlowBefore::of(&self.state));
        if !parts.is_empty() || started > 0 || flow.is_some() {
            self.callbacks.changed(Change { at_ms: self.state.updated_ms, kind, parts, started, flow });
        }
    }

    fn owe_callback(&mut self, before: FlowStatus) {
        let Some(callback) = self.callback.as_ref().filter(|_| !self.callbacks_ended) else { return };
        let ended = self.state.status.is_final() && !before.is_final();
        if callback.strategy == CallbackStrategy::OnCompletion && !ended {
            return;
        }
        self.callbacks_made += 1;
        let octets = self.callback_bytes_max as usize;
        self.callbacks.owe(self.callbacks_made, self.state.updated_ms, octets);
    }

    fn is_call(&self, message: u16) -> bool {
        self.steps.get(usize::from(message)).is_some_and(|step| step.channel() == Channel::Voice)
    }

    fn part_count(&self, message: u16) -> usize {
        self.state.messages.get(usize::from(message)).map_or(0, |message| message.parts.len())
    }
}

/// A status that we set ourselves.
fn provisional(status: Status, detail: &Detail, at_ms: i64) -> StatusRecord {
    StatusRecord { status, detail: detail.clone(), description: None, at_ms, provisional: true }
}

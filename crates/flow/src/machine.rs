//! The state machine: the only place that decides what an event does to a flow.

use crate::model::{CarrierRef, State, Submit};
use crate::{
    CallbackStrategy, Channel, Detail, Flow, FlowStatus, Message, NewFlow, Part, PendingCallback, Price,
    Rate, Receipt, Status, StatusCode, StatusRecord,
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
    /// A carrier took a part.
    Submitted {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// Which carrier, and what it calls the message.
        carrier: CarrierRef,
        /// What it charges, and the recipient's network, where that is known.
        rate: Option<Rate>,
        /// It took all parts of the message as one, under this reference.
        whole: bool,
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
    /// A part could not be handed over now; it is due again at `at_ms`.
    Deferred {
        /// The message's position.
        message: u16,
        /// The part's position.
        part: u16,
        /// When, Unix milliseconds.
        at_ms: i64,
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
    /// The oldest pending callback was acknowledged.
    CallbackDone {
        /// Its id.
        id: Uuid,
    },
    /// It was not; it is due again at `at_ms`, or given up when that is `None`.
    CallbackFailed {
        /// Its id.
        id: Uuid,
        /// When, Unix milliseconds.
        at_ms: Option<i64>,
        /// Why.
        error: String,
    },
    /// Callbacks that were given up are owed again.
    CallbacksReplayed,
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
            callbacks: Vec::new(),
            dead_callbacks: Vec::new(),
        };
        flow.start_next(now_ms, ids);
        flow
    }

    /// Applies an event. `now_ms` is the time of the application; `ids` draws new ids.
    pub fn apply(&mut self, event: &Event, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) -> Applied {
        let mut applied = Applied::default();
        let before = self.state.status;
        // Whether a status changes, which is what callbacks are about.
        let mut visible = true;
        match event {
            Event::Handed { message, part } => {
                applied.changed = self.hand(*message, *part);
                visible = false;
            }
            Event::Reserved { message, part, price } => {
                applied.changed = self.reserve(*message, *part, *price);
                visible = false;
            }
            Event::Unaffordable { message } => {
                applied.changed = self.end_unpaid(usize::from(*message), now_ms, &mut applied.notes)
            }
            Event::Submitted { message, part, carrier, rate, whole } => {
                visible = false;
                for each in self.parts_of(*message, *part, *whole) {
                    let whole = *whole && each == *part;
                    if let Some(shown) = self.submitted(*message, each, carrier, rate.as_ref(), whole, now_ms)
                    {
                        applied.changed = true;
                        visible |= shown;
                    }
                }
                if applied.changed && self.state.status == FlowStatus::Queued {
                    self.state.status = FlowStatus::InProgress;
                    visible = true;
                }
            }
            Event::Refused { message, part, detail, description } => {
                applied.changed = self.refused(*message, *part, detail, description.as_ref(), now_ms);
            }
            Event::Deferred { message, part, at_ms } => {
                applied.changed = self.deferred(*message, *part, *at_ms);
                visible = false;
            }
            Event::Receipt { message, part, receipt } => {
                self.receipt(*message, *part, receipt, now_ms, &mut applied)
            }
            Event::Expire { message } => applied.changed = self.expire(usize::from(*message), now_ms),
            Event::Cancel => applied.changed = self.cancel(now_ms, &mut applied.notes),
            Event::CallbackDone { id } => return self.callback_done(*id),
            Event::CallbackFailed { id, at_ms, error } => return self.callback_failed(*id, *at_ms, error),
            Event::CallbacksReplayed => return self.callbacks_replayed(now_ms),
        }
        if !applied.changed {
            return applied;
        }
        self.state.updated_ms = self.state.updated_ms.max(now_ms);
        if visible {
            self.decide(now_ms, ids, &mut applied);
            self.owe_callback(before, now_ms, ids);
        }
        applied
    }

    fn part_mut(&mut self, message: u16, part: u16) -> Option<&mut Part> {
        self.state.messages.get_mut(usize::from(message))?.parts.get_mut(usize::from(part))
    }

    /// The parts that a carrier's word on `part` is about.
    fn parts_of(&self, message: u16, part: u16, whole: bool) -> std::ops::Range<u16> {
        match self.state.messages.get(usize::from(message)) {
            Some(message) if whole => 0..message.parts.len() as u16,
            _ => part..part.saturating_add(1),
        }
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
            submit: Submit::Owed { at_ms: now_ms, attempts: 0 },
            carrier: None,
            whole: false,
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

    fn hand(&mut self, message: u16, part: u16) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        let Submit::Owed { attempts, .. } = state.submit else { return false };
        state.submit = Submit::Handed { attempts };
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

    fn end_unpaid(&mut self, index: usize, now_ms: i64, notes: &mut Vec<Note>) -> bool {
        if self.live() != Some(index) {
            return false;
        }
        self.end(index, FlowStatus::Failed, Some(StatusCode::InsufficientBalance), now_ms, notes);
        true
    }

    fn cancel(&mut self, now_ms: i64, notes: &mut Vec<Note>) -> bool {
        let Some(live) = self.live() else { return false };
        self.state.cancelled = true;
        self.leave(live, &Detail::CANCELLED, now_ms);
        self.end(live, FlowStatus::Failed, Some(StatusCode::ServerError), now_ms, notes);
        true
    }

    /// Answers whether a status changed; `None` when nothing did.
    fn submitted(
        &mut self,
        message: u16,
        part: u16,
        carrier: &CarrierRef,
        rate: Option<&Rate>,
        whole: bool,
        now_ms: i64,
    ) -> Option<bool> {
        let state = self.part_mut(message, part).filter(|state| state.carrier.is_none())?;
        state.submit = Submit::Done;
        state.carrier = Some(carrier.clone());
        state.whole = whole;
        if let Some(rate) = rate {
            state.rate = Some(rate.price);
            state.interval_s = rate.interval_s;
            state.operator = rate.operator.clone().or(state.operator.take());
        }
        // The other channels have no status for it.
        let has_status = self.steps[usize::from(message)].channel() == Channel::Sms;
        Some(has_status && self.set_status(message, part, Status::Sent, &Detail::SENT, None, now_ms))
    }

    fn refused(
        &mut self,
        message: u16,
        part: u16,
        detail: &Detail,
        description: Option<&String>,
        now_ms: i64,
    ) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        if state.submit == Submit::Done {
            return false;
        }
        state.submit = Submit::Done;
        self.set_status(message, part, Status::Failed, detail, description, now_ms);
        true
    }

    fn deferred(&mut self, message: u16, part: u16, due_ms: i64) -> bool {
        let live = self.live();
        let Some(state) = self.part_mut(message, part) else { return false };
        let attempts = match state.submit {
            _ if live != Some(usize::from(message)) => return false,
            Submit::Owed { at_ms, attempts } if at_ms < due_ms => attempts,
            Submit::Handed { attempts } => attempts,
            Submit::Owed { .. } | Submit::Done => return false,
        };
        state.submit = Submit::Owed { at_ms: due_ms, attempts: attempts.saturating_add(1) };
        true
    }

    fn receipt(&mut self, message: u16, part: u16, receipt: &Receipt, now_ms: i64, applied: &mut Applied) {
        let live = self.live() == Some(usize::from(message));
        let whole = self.part_mut(message, part).is_some_and(|state| state.whole);
        let Receipt { status, detail, description, .. } = receipt;
        // Carriers' clocks may be wrong: nothing happened before the message or after now.
        let started_ms = self.state.messages.get(usize::from(message)).map_or(now_ms, |m| m.created_ms);
        let at_ms = receipt.at_ms.map_or(now_ms, |at_ms| at_ms.max(started_ms).min(now_ms));
        for part in self.parts_of(message, part, whole) {
            if !self.set_status(message, part, *status, detail, description.as_ref(), at_ms) {
                continue;
            }
            applied.changed = true;
            // `set_status` found the part.
            if let Some(state) = self.part_mut(message, part) {
                state.submit = Submit::Done;
                state.operator = receipt.operator.clone().or(state.operator.take());
                state.duration_s = receipt.duration_s.or(state.duration_s);
                state.answered_by = receipt.answered_by.clone().or(state.answered_by.take());
            }
        }
        if !applied.changed {
            applied.notes.push(Note::StaleReceipt);
            return;
        }
        if self.state.status == FlowStatus::Queued {
            self.state.status = FlowStatus::InProgress;
        }
        // Seen after the flow ended with Delivered is the usual course, not a late receipt.
        let usual = *status == Status::Seen && self.state.status == FlowStatus::Succeeded;
        if !live && !usual {
            applied.notes.push(Note::LateReceipt);
        }
    }

    /// Sets a status that a carrier reported, if what is known yields to it.
    fn set_status(
        &mut self,
        message: u16,
        part: u16,
        status: Status,
        detail: &Detail,
        description: Option<&String>,
        at_ms: i64,
    ) -> bool {
        let Some(step) = self.steps.get(usize::from(message)) else { return false };
        let (channel, expire_on_delivery) = (step.channel(), step.expire_on_delivery());
        let Some(state) = self.part_mut(message, part) else { return false };
        let known = &state.status;
        if !known.status.yields_to(status, channel, known.provisional, expire_on_delivery) {
            return false;
        }
        state.status = StatusRecord {
            status,
            detail: detail.clone(),
            description: description.cloned(),
            at_ms,
            provisional: false,
        };
        true
    }

    /// Ends a message whose time to live is over, in the channel's way (contract, section 7).
    fn expire(&mut self, index: usize, now_ms: i64) -> bool {
        if self.live() != Some(index) {
            return false;
        }
        let Message { created_ms, expires_ms, .. } = self.state.messages[index];
        // A message of the future was made by a clock that was ahead: its end tells nothing.
        if now_ms < expires_ms && now_ms >= created_ms {
            return false;
        }
        let channel = self.steps[index].channel();
        let (status, detail) = match channel {
            Channel::Sms => (Status::Undelivered, Detail::EXPIRED),
            Channel::Viber => (Status::Expired, Detail::TTL_EXPIRED),
            Channel::Voice => (Status::NoAnswer, Detail::NO_ANSWER),
        };
        for part in &mut self.state.messages[index].parts {
            if part.status.status.is_final_on(channel) {
                continue;
            }
            if part.status.status == Status::Delivered {
                part.expired_on_delivery_ms = Some(now_ms);
            }
            part.submit = Submit::Done;
            part.status = StatusRecord {
                status,
                detail: detail.clone(),
                description: None,
                at_ms: now_ms,
                provisional: true,
            };
        }
        true
    }

    /// Decides what follows from the live message: nothing yet, the next step, or the end.
    fn decide(&mut self, now_ms: i64, ids: &mut dyn FnMut() -> Uuid, applied: &mut Applied) {
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
            self.leave(live, &Detail::NOT_SENT, now_ms);
            self.start_next(now_ms, ids);
            applied.notes.push(Note::Failover);
            return;
        }
        let (status, code) = if fails_over {
            (FlowStatus::Failed, Some(StatusCode::NoNextStep))
        } else if status.is_success() {
            (FlowStatus::Succeeded, None)
        } else {
            (FlowStatus::Failed, Some(StatusCode::FailoverNotTriggered))
        };
        self.end(live, status, code, now_ms, &mut applied.notes);
    }

    /// Ends the flow with the message that decides.
    fn end(
        &mut self,
        live: usize,
        status: FlowStatus,
        code: Option<StatusCode>,
        now_ms: i64,
        notes: &mut Vec<Note>,
    ) {
        self.leave(live, &Detail::NOT_SENT, now_ms);
        self.state.status = status;
        self.state.status_code = code;
        self.state.termination = Some(self.steps[live].channel());
        notes.push(Note::Ended(status));
    }

    /// Gives up the parts of a message that were not handed to a carrier, and holds nothing for it any more: what is
    /// charged after all counts all the same.
    fn leave(&mut self, index: usize, detail: &Detail, now_ms: i64) {
        for part in &mut self.state.messages[index].parts {
            part.held = part.held.map(|_| Price::ZERO);
            if matches!(part.submit, Submit::Owed { .. }) {
                part.submit = Submit::Done;
                part.status = StatusRecord {
                    status: Status::Unsent,
                    detail: detail.clone(),
                    description: None,
                    at_ms: now_ms,
                    provisional: true,
                };
            }
        }
    }

    fn owe_callback(&mut self, before: FlowStatus, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) {
        let Some(callback) = &self.callback else { return };
        let ended = self.state.status.is_final() && !before.is_final();
        if callback.strategy == CallbackStrategy::OnCompletion && !ended {
            return;
        }
        self.callbacks.push(PendingCallback {
            id: ids(),
            since_ms: now_ms,
            at_ms: now_ms,
            attempts: 0,
            error: None,
            state: self.state.clone(),
        });
    }

    fn callback_done(&mut self, id: Uuid) -> Applied {
        let before = self.callbacks.len();
        self.callbacks.retain(|callback| callback.id != id);
        Applied { changed: self.callbacks.len() != before, notes: Vec::new() }
    }

    fn callback_failed(&mut self, id: Uuid, at_ms: Option<i64>, error: &str) -> Applied {
        let Some(position) = self.callbacks.iter().position(|callback| callback.id == id) else {
            return Applied::default();
        };
        let callback = &mut self.callbacks[position];
        match at_ms {
            // Told twice.
            Some(at_ms) if at_ms <= callback.at_ms => return Applied::default(),
            Some(at_ms) => {
                callback.at_ms = at_ms;
                callback.attempts = callback.attempts.saturating_add(1);
                callback.error = Some(error.to_owned());
            }
            None => {
                let mut dead = self.callbacks.remove(position);
                dead.attempts = dead.attempts.saturating_add(1);
                dead.error = Some(error.to_owned());
                self.dead_callbacks.push(dead);
            }
        }
        Applied { changed: true, notes: Vec::new() }
    }

    fn callbacks_replayed(&mut self, now_ms: i64) -> Applied {
        let changed = !self.dead_callbacks.is_empty();
        // Older changes come first, as ever.
        let mut owed: Vec<_> = std::mem::take(&mut self.dead_callbacks);
        for callback in &mut owed {
            callback.since_ms = now_ms;
            callback.at_ms = now_ms;
            callback.attempts = 0;
        }
        owed.append(&mut self.callbacks);
        self.callbacks = owed;
        Applied { changed, notes: Vec::new() }
    }
}

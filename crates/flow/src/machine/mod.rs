//! The state machine: the only place that decides what an event does to a flow.

mod hand_over;
mod provisional;
mod record;
mod report;
mod transition;

use crate::callbacks::{Callbacks, Change, ChangeKind, FlowBefore};
use crate::detail::Detail;
use crate::event::{Applied, Event, Note};
use crate::flow::{CallbackStrategy, Flow, NewFlow};
use crate::flow_status::{FlowStatus, StatusCode};
use crate::history::History;
use crate::part::{Covers, Part, StatusRecord, Submit};
use crate::price::Price;
use crate::state::{Message, State};
use crate::status::Status;
use provisional::provisional;
use record::Known;
use transition::{Before, Transition};

/// What is shown of a part that is not sent to who opted out.
const SUPPRESSED: &str = "The recipient is on the application's list of opt-outs.";

/// What an event may have changed.
enum Effect {
    /// Callbacks alone.
    Callbacks,
    /// Something that no tracking shows.
    Internal,
    /// The tracking.
    Tracking {
        kind: ChangeKind,
        /// A status may have changed, which callbacks report.
        is_status: bool,
    },
}

impl Flow {
    /// Accepts a flow and starts its first step. `now_ms` is the time of the acceptance.
    pub fn accept(new: NewFlow, now_ms: i64) -> Flow {
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
            history: History::default(),
            old_dead_callbacks: Vec::new(),
        };
        flow.start_next(now_ms);
        flow.record_acceptance();
        flow
    }

    /// Applies an event. `now_ms` is the time of the application.
    pub fn apply(&mut self, event: &Event, now_ms: i64) -> Applied {
        let known = Known::of(self);
        let keep = self.callbacks.keep_changes();
        let before =
            keep.then(|| Before { flow: FlowBefore::of(&self.state), parts: Vec::new(), started: 0 });
        let mut transition = Transition { now_ms, applied: Applied::default(), left_with: None, before };
        let effect = self.perform(event, &mut transition);
        if transition.applied.changed {
            self.follow(effect, known.status, &mut transition);
            self.record(event, known, &transition);
        }
        transition.applied
    }

    /// Decides what follows from a change, and owes the callbacks that tell of it. `status` is the flow's
    /// status before.
    fn follow(&mut self, effect: Effect, status: FlowStatus, transition: &mut Transition) {
        if matches!(effect, Effect::Callbacks) {
            return;
        }
        self.state.updated_ms = self.state.updated_ms.max(transition.now_ms);
        let Effect::Tracking { kind, is_status } = effect else { return };
        if is_status {
            self.decide(transition);
        }
        if let Some(before) = transition.before.take() {
            self.keep_change(kind, before);
        }
        if is_status {
            self.owe_callback(status);
        }
    }

    /// Does what the event says, decides nothing that follows from it, and returns what it may have changed.
    fn perform(&mut self, event: &Event, transition: &mut Transition) -> Effect {
        let shown = |kind| Effect::Tracking { kind, is_status: true };
        let changed = |changed: bool| Applied { changed, notes: Vec::new() };
        match event {
            Event::Handed { message, part, covers, .. } => {
                transition.applied = changed(self.hand(*message, *part, *covers));
                Effect::Internal
            }
            Event::Unanswered { message, part, covers, .. } => {
                transition.applied = changed(self.unanswered(*message, *part, *covers));
                Effect::Internal
            }
            Event::Reserved { message, part, price } => {
                transition.applied = changed(self.reserve(*message, *part, *price));
                Effect::Internal
            }
            Event::Expected { message, part, covers, .. } => {
                transition.applied = changed(self.expected(*message, *part, *covers));
                Effect::Internal
            }
            Event::Deferred { message, part, at_ms, unknown, .. } => {
                transition.applied = changed(self.deferred(*message, *part, *at_ms, *unknown));
                Effect::Internal
            }
            Event::Unaffordable { message } => {
                self.end_unpaid(usize::from(*message), transition);
                shown(ChangeKind::Unpayable)
            }
            Event::Submitted { message, part, carrier, rate, covers } => {
                let is_status = self.submitted(*message, *part, carrier, rate.as_ref(), *covers, transition);
                Effect::Tracking { kind: ChangeKind::Taken, is_status }
            }
            Event::Refused { message, part, detail, description, .. } => {
                self.refused(*message, *part, detail, description.as_ref(), transition);
                shown(ChangeKind::Refused)
            }
            Event::Suppressed { message, part } => {
                let description = Some(SUPPRESSED.to_owned());
                self.refused(*message, *part, &Detail::OPTED_OUT, description.as_ref(), transition);
                shown(ChangeKind::Refused)
            }
            Event::RefusedLate { message, part, unknown, refusal, .. } => {
                match self.refused_late(*message, *part, *unknown, refusal, transition) {
                    true => shown(ChangeKind::Refused),
                    false => Effect::Internal,
                }
            }
            Event::Receipt { message, part, receipt } => {
                self.receipt(*message, *part, receipt, transition);
                shown(ChangeKind::Receipt)
            }
            Event::Expire { message } => {
                self.expire(usize::from(*message), transition);
                shown(ChangeKind::Expired)
            }
            Event::Cancel { .. } => {
                self.cancel(transition);
                shown(ChangeKind::Cancelled)
            }
            Event::CallbackDone { .. }
            | Event::CallbackFailed { .. }
            | Event::CallbacksEnded { .. }
            | Event::CallbacksReplayed => {
                transition.applied = changed(self.change_callbacks(event, transition.now_ms));
                Effect::Callbacks
            }
        }
    }

    /// Does what an event of callbacks says; returns whether that changed them.
    fn change_callbacks(&mut self, event: &Event, now_ms: i64) -> bool {
        let octets = self.callback_bytes_max as usize;
        match event {
            Event::CallbackDone { number, .. } => self.callbacks.done(*number),
            Event::CallbackFailed { number, at_ms, error, .. } => {
                self.callbacks.failed(*number, *at_ms, error, octets)
            }
            Event::CallbacksEnded { number, error, .. } => {
                let ended = self.callbacks.end(*number, error, octets);
                self.callbacks_ended |= ended;
                ended
            }
            Event::CallbacksReplayed => self.callbacks.replay(now_ms),
            _ => false,
        }
    }

    fn part_mut(&mut self, message: u16, part: u16) -> Option<&mut Part> {
        self.state.messages.get_mut(usize::from(message))?.parts.get_mut(usize::from(part))
    }

    fn start_next(&mut self, now_ms: i64) {
        let step = &self.steps[self.state.messages.len()];
        let initial = step.channel().rules().initial();
        let status = StatusRecord {
            status: initial,
            detail: Detail::plain(initial),
            description: None,
            at_ms: now_ms,
            provisional: false,
        };
        let parts = (0..step.part_count()).map(|_| Part {
            drawn_id: None,
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
        self.state.messages.push(Message { drawn_id: None, created_ms: now_ms, expires_ms, parts });
    }

    fn end_unpaid(&mut self, index: usize, transition: &mut Transition) {
        if self.live() == Some(index) {
            transition.applied.changed = true;
            self.end(index, FlowStatus::Failed, Some(StatusCode::InsufficientBalance), transition);
        }
    }

    fn cancel(&mut self, transition: &mut Transition) {
        let Some(live) = self.live() else { return };
        transition.applied.changed = true;
        self.state.cancelled = true;
        self.leave(live, &Detail::CANCELLED, transition);
        self.end(live, FlowStatus::Failed, Some(StatusCode::ServerError), transition);
    }

    /// Decides what follows from the live message: nothing yet, the next step, or the end of the flow.
    fn decide(&mut self, transition: &mut Transition) {
        let Some(live) = self.live() else { return };
        let step = &self.steps[live];
        let rules = step.channel().rules();
        let message = &self.state.messages[live];
        let status = message.decisive(step.channel()).status.status;
        let is_final = rules.is_final(status);
        let is_enough = status.is_success() && !step.content.common().expires_unseen();
        if !is_final && !is_enough {
            return;
        }
        // Voice may name Completed as a failover status, so this comes before success.
        let fails_over = step.failover_on.contains(&status);
        let has_next = live + 1 < self.steps.len();
        if fails_over && has_next {
            self.leave(live, &Detail::NOT_SENT, transition);
            self.start_next(transition.now_ms);
            if let Some(before) = &mut transition.before {
                before.started += 1;
            }
            transition.left_with = Some(status);
            transition.applied.notes.push(Note::Failover);
            return;
        }
        let (status, code) = if fails_over {
            (FlowStatus::Failed, Some(StatusCode::NoNextStep))
        } else if status.is_success() {
            (FlowStatus::Succeeded, None)
        } else {
            (FlowStatus::Failed, Some(StatusCode::FailoverNotTriggered))
        };
        self.end(live, status, code, transition);
    }

    /// Ends the flow with its live message.
    fn end(
        &mut self,
        live: usize,
        status: FlowStatus,
        code: Option<StatusCode>,
        transition: &mut Transition,
    ) {
        self.leave(live, &Detail::NOT_SENT, transition);
        self.state.status = status;
        self.state.status_code = code;
        self.state.termination = Some(self.steps[live].channel());
        transition.applied.notes.push(Note::Ended(status));
    }

    /// Gives up the parts of a message that were not handed to a carrier, and releases what is held for the
    /// message. A part that a carrier has may still be charged.
    fn leave(&mut self, index: usize, detail: &Detail, transition: &mut Transition) {
        for (at, part) in self.state.messages[index].parts.iter_mut().enumerate() {
            part.held = part.held.map(|_| Price::ZERO);
            if matches!(part.submit, Submit::Owed { .. }) {
                transition.replace(index as u16, at as u16, part);
                part.submit = Submit::Done;
                part.status = provisional(Status::Unsent, detail, transition.now_ms);
            }
        }
    }

    /// Keeps what a change replaced, for callbacks that report an earlier state.
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

    fn has_duration(&self, message: u16) -> bool {
        self.steps.get(usize::from(message)).is_some_and(|step| step.channel().rules().has_duration)
    }

    fn part_count(&self, message: u16) -> usize {
        self.state.messages.get(usize::from(message)).map_or(0, |message| message.parts.len())
    }
}

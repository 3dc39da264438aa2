//! The state machine: the only place that decides what an event does to a flow.

mod course;
mod hand_over;
mod provisional;
mod report;

use crate::callbacks::{Callbacks, Change, ChangeKind, FlowBefore};
use crate::detail::Detail;
use crate::event::{Applied, Event, Note};
use crate::flow::{CallbackStrategy, Flow, NewFlow};
use crate::flow_status::{FlowStatus, StatusCode};
use crate::part::{Covers, Part, StatusRecord, Submit};
use crate::price::Price;
use crate::state::{Message, State};
use crate::status::Status;
use course::{Before, Course};
use provisional::provisional;
use uuid::Uuid;

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

    fn start_next(&mut self, now_ms: i64, ids: &mut dyn FnMut() -> Uuid) {
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

    /// Decides what follows from the live message: nothing yet, the next step, or the end.
    fn decide(&mut self, course: &mut Course<'_>) {
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

    fn has_duration(&self, message: u16) -> bool {
        self.steps.get(usize::from(message)).is_some_and(|step| step.channel().rules().has_duration)
    }

    fn part_count(&self, message: u16) -> usize {
        self.state.messages.get(usize::from(message)).map_or(0, |message| message.parts.len())
    }
}

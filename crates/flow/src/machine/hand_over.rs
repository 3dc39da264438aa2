//! Parts on their way to a carrier: handed over, accepted, refused, deferred.

use super::provisional::provisional;
use super::transition::Transition;
use crate::detail::Detail;
use crate::event::LateRefusal;
use crate::flow::Flow;
use crate::flow_status::FlowStatus;
use crate::occurrence::Occurrence;
use crate::part::{CarrierRef, Covers, Part, StatusRecord, Submit};
use crate::price::{Price, Rate};
use crate::status::Status;
use crate::texts::part_words;

impl Flow {
    pub(super) fn hand(&mut self, message: u16, part: u16, covers: Covers) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        let Submit::Owed { attempts, unknown, .. } = state.submit else { return false };
        state.submit = Submit::Handed { attempts, unknown };
        state.covers = covers;
        true
    }

    /// A part that was handed over and that nobody knows more of: only its history changes, once.
    pub(super) fn unanswered(&mut self, message: u16, part: u16, covers: Covers) -> bool {
        if self.hand(message, part, covers) {
            return true;
        }
        let is_handed =
            self.part_mut(message, part).is_some_and(|part| matches!(part.submit, Submit::Handed { .. }));
        let last = self.history.last_of(message, part);
        is_handed && matches!(last, Some(last) if !matches!(last, Occurrence::Unknown { .. }))
    }

    pub(super) fn reserve(&mut self, message: u16, part: u16, price: Price) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        if !matches!(state.submit, Submit::Owed { .. }) || state.held == Some(price) {
            return false;
        }
        state.held = Some(price);
        true
    }

    pub(super) fn expected(&mut self, message: u16, part: u16, covers: Covers) -> bool {
        let Some(state) = self.part_mut(message, part) else { return false };
        if state.submit == Submit::Done || state.covers == covers {
            return false;
        }
        state.covers = covers;
        true
    }

    /// The parts that are handed over with `part`, itself among them.
    fn parts_of(&self, message: u16, part: u16, covers: Covers) -> std::ops::Range<u16> {
        match self.state.messages.get(usize::from(message)) {
            Some(message) if covers == Covers::Message => 0..message.parts.len() as u16,
            _ => part..part.saturating_add(1),
        }
    }

    /// Returns whether a status changed.
    pub(super) fn submitted(
        &mut self,
        message: u16,
        part: u16,
        carrier: &CarrierRef,
        rate: Option<&Rate>,
        covers: Covers,
        transition: &mut Transition,
    ) -> bool {
        let mut is_shown = false;
        for each in self.parts_of(message, part, covers) {
            // The other parts were handed over with this one, whose receipts count for all.
            let covers = if each == part || covers != Covers::Message { covers } else { Covers::Part };
            is_shown |= self.part_submitted(message, each, carrier, rate, covers, transition);
        }
        if transition.applied.changed && self.state.status == FlowStatus::Queued {
            self.state.status = FlowStatus::InProgress;
            is_shown = true;
        }
        is_shown
    }

    /// Returns whether its status changed.
    fn part_submitted(
        &mut self,
        message: u16,
        part: u16,
        carrier: &CarrierRef,
        rate: Option<&Rate>,
        covers: Covers,
        transition: &mut Transition,
    ) -> bool {
        let (parts, has_duration) = (self.part_count(message), self.has_duration(message));
        let Some(state) = self.part_mut(message, part).filter(|state| state.carrier.is_none()) else {
            return false;
        };
        transition.replace(message, part, state);
        transition.applied.changed = true;
        state.submit = Submit::Done;
        state.carrier = Some(carrier.clone());
        state.covers = covers;
        if rate.is_none() {
            state.rate = state.held.filter(|held| *held != Price::ZERO);
        }
        if let Some(rate) = rate {
            state.rate = Some(rate.price);
            state.interval_s = rate.interval_s.filter(|_| has_duration);
            let operator = rate.operator.as_ref().map(|operator| part_words(operator, parts));
            state.operator = operator.or(state.operator.take());
        }
        let now_ms = transition.now_ms;
        let accepted = self.steps[usize::from(message)].channel().rules().accepted;
        let is_sent = accepted.is_some_and(|status| {
            self.set_status(message, part, status, &Detail::plain(status), None, now_ms, transition)
        });
        let reported = self.reported_before(message, part);
        let is_reported =
            reported.is_some_and(|StatusRecord { status, detail, description, at_ms, .. }| {
                self.set_status(message, part, status, &detail, description.as_ref(), at_ms, transition)
            });
        is_sent || is_reported
    }

    /// The final status that a carrier reported on a part before it accepted it: in a receipt for another
    /// part that counts for both.
    fn reported_before(&self, message: u16, part: u16) -> Option<StatusRecord> {
        let rules = self.steps.get(usize::from(message))?.channel().rules();
        let parts = &self.state.messages.get(usize::from(message))?.parts;
        let own = parts.get(usize::from(part))?;
        let is_final = |other: &&Part| {
            let StatusRecord { status, provisional, .. } = other.status;
            rules.is_final(status) && !provisional && other.shares_receipts_with(own)
        };
        parts.iter().find(is_final).map(|other| other.status.clone())
    }

    pub(super) fn refused(
        &mut self,
        message: u16,
        part: u16,
        detail: &Detail,
        description: Option<&String>,
        transition: &mut Transition,
    ) {
        let Some(state) = self.part_mut(message, part) else { return };
        let unknown = match state.submit {
            Submit::Owed { unknown, .. } | Submit::Handed { unknown, .. } => unknown,
            Submit::Done => return,
        };
        transition.applied.changed = true;
        state.submit = Submit::Done;
        let now_ms = transition.now_ms;
        if self.set_status(message, part, Status::Failed, detail, description, now_ms, transition)
            && unknown > 0
            && let Some(state) = self.part_mut(message, part)
        {
            // The refusal is about the last hand-over. An earlier one may have been taken, and then its
            // receipts say what became of the part.
            state.status.provisional = true;
        }
    }

    /// Returns whether a status changed.
    pub(super) fn refused_late(
        &mut self,
        message: u16,
        part: u16,
        unknown: u8,
        refusal: &LateRefusal,
        transition: &mut Transition,
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
            // A part that is handed over has one more hand-over of unknown outcome than it counts: the last
            // one.
            Submit::Handed { attempts, unknown: 0 } => (*attempts, true),
            Submit::Owed { attempts, unknown, .. } | Submit::Handed { attempts, unknown } => {
                transition.applied.changed = *unknown > 0;
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
                self.refused(message, part, detail, description.as_ref(), transition);
            }
            LateRefusal::Temporary { at_ms, .. } if live => {
                let attempts = attempts.saturating_add(1);
                state.submit = Submit::Owed { at_ms: *at_ms, attempts, unknown: 0 };
                transition.applied.changed = true;
                return false;
            }
            // Its step was left meanwhile.
            LateRefusal::Temporary { .. } => {
                transition.replace(message, part, state);
                transition.applied.changed = true;
                state.submit = Submit::Done;
                state.status = provisional(Status::Unsent, &detail, transition.now_ms);
            }
        }
        true
    }

    pub(super) fn deferred(&mut self, message: u16, part: u16, due_ms: i64, is_unknown: bool) -> bool {
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
}

//! What becomes of parts that a carrier accepted: receipts, and the end of the time to live.

use super::provisional::provisional;
use super::transition::Transition;
use crate::detail::Detail;
use crate::event::Note;
use crate::flow::Flow;
use crate::flow_status::FlowStatus;
use crate::part::{Covers, Part, StatusRecord, Submit};
use crate::receipt::Receipt;
use crate::state::Message;
use crate::status::Status;
use crate::step::Step;
use crate::texts::{detail as short_detail, part_words};

impl Flow {
    /// The parts that a receipt for `part` counts for: a carrier may give one id to several parts, or send
    /// one receipt for a message.
    pub(super) fn parts_reported(&self, message: u16, part: u16) -> Vec<u16> {
        let Some(parts) = self.state.messages.get(usize::from(message)).map(|message| &message.parts) else {
            return Vec::new();
        };
        let Some(own) = parts.get(usize::from(part)) else { return Vec::new() };
        let is_reported = |(at, other): &(u16, &Part)| {
            *at == part || own.covers == Covers::Message || own.shares_receipts_with(other)
        };
        (0..).zip(parts).filter(is_reported).map(|(at, _)| at).collect()
    }

    pub(super) fn receipt(
        &mut self,
        message: u16,
        part: u16,
        receipt: &Receipt,
        transition: &mut Transition,
    ) {
        let live = self.live() == Some(usize::from(message));
        let (parts, has_duration) = (self.part_count(message), self.has_duration(message));
        let Receipt { status, detail, description, .. } = receipt;
        // Carriers' clocks may be wrong: nothing happened before the message or after now.
        let now_ms = transition.now_ms;
        let started_ms = self.state.messages.get(usize::from(message)).map_or(now_ms, |m| m.created_ms);
        let at_ms = receipt.at_ms.map_or(now_ms, |at_ms| at_ms.max(started_ms).min(now_ms));
        for part in self.parts_reported(message, part) {
            if !self.set_status(message, part, *status, detail, description.as_ref(), at_ms, transition) {
                continue;
            }
            transition.applied.changed = true;
            // `set_status` found the part.
            if let Some(state) = self.part_mut(message, part) {
                let words = |text: &String| part_words(text, parts);
                state.submit = Submit::Done;
                state.operator = receipt.operator.as_ref().map(words).or(state.operator.take());
                if has_duration {
                    state.duration_s = receipt.duration_s.or(state.duration_s);
                    state.answered_by = receipt.answered_by.as_ref().map(words).or(state.answered_by.take());
                }
            }
        }
        if !transition.applied.changed {
            transition.applied.notes.push(Note::StaleReceipt);
            return;
        }
        if self.state.status == FlowStatus::Queued {
            self.state.status = FlowStatus::InProgress;
        }
        // Seen after the flow ended with Delivered is the usual transition, not a late receipt.
        let channel = self.steps.get(usize::from(message)).map(Step::channel);
        let usual = channel.is_some_and(|channel| channel.rules().follows_success(*status))
            && self.state.status == FlowStatus::Succeeded;
        if !live && !usual {
            transition.applied.notes.push(Note::LateReceipt);
        }
    }

    /// Sets a status that a carrier reported, if what is known yields to it.
    #[allow(clippy::too_many_arguments)] // A status and where it belongs.
    pub(super) fn set_status(
        &mut self,
        message: u16,
        part: u16,
        status: Status,
        detail: &Detail,
        description: Option<&String>,
        at_ms: i64,
        transition: &mut Transition,
    ) -> bool {
        let Some(step) = self.steps.get(usize::from(message)) else { return false };
        let (rules, expires_unseen) = (step.channel().rules(), step.content.common().expires_unseen());
        let parts = self.part_count(message);
        let Some(state) = self.part_mut(message, part) else { return false };
        let known = &state.status;
        if !rules.yields(known.status, status, known.provisional, expires_unseen) {
            return false;
        }
        transition.replace(message, part, state);
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
    pub(super) fn expire(&mut self, index: usize, transition: &mut Transition) {
        let now_ms = transition.now_ms;
        if self.live() != Some(index) {
            return;
        }
        let Message { created_ms, expires_ms, .. } = self.state.messages[index];
        // A message that starts in the future was made by a clock that was ahead, so its end can't be
        // trusted.
        if now_ms < expires_ms && now_ms >= created_ms {
            return;
        }
        transition.applied.changed = true;
        let rules = self.steps[index].channel().rules();
        let (status, detail) = &rules.expired;
        for (at, part) in self.state.messages[index].parts.iter_mut().enumerate() {
            if rules.is_final(part.status.status) {
                continue;
            }
            transition.replace(index as u16, at as u16, part);
            if part.status.status.is_success() {
                part.expired_on_delivery_ms = Some(now_ms);
            }
            part.submit = Submit::Done;
            part.status = provisional(*status, detail, now_ms);
        }
    }
}

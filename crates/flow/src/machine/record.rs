//! What an event adds to its flow's history.

use super::transition::Transition;
use crate::detail::Detail;
use crate::event::{Attempt, Event, LateRefusal, Note};
use crate::flow::Flow;
use crate::flow_status::FlowStatus;
use crate::occurrence::{Because, CallbackResult, Occurrence};
use crate::part::Submit;
use crate::receipt::Receipt;
use crate::texts::{brief, carrier_name, code, detail as short_detail};

/// What is known of a flow before an event that its history needs afterwards.
pub(super) struct Known {
    pub(super) status: FlowStatus,
    started: usize,
    /// Which attempt the next one of its callback is.
    attempt: u32,
}

impl Known {
    pub(super) fn of(flow: &Flow) -> Known {
        let attempts = flow.callbacks.first().map_or(0, |first| first.attempts);
        let started = flow.state.messages.len();
        Known { status: flow.state.status, started, attempt: attempts.saturating_add(1) }
    }
}

/// How long it is from one time to another one, milliseconds.
fn wait(from_ms: i64, to_ms: i64) -> u64 {
    u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0)
}

impl Flow {
    pub(super) fn record_acceptance(&mut self) {
        self.history.push(Occurrence::Accepted, 0);
        self.history.push(Occurrence::StepStarted { message: 0, because: Because::First }, 0);
    }

    /// Adds what an event, which changed the flow, was and what it caused.
    pub(super) fn record(&mut self, event: &Event, known: Known, transition: &Transition) {
        // How much it may grow was reckoned without a history.
        if self.history.is_empty() {
            return;
        }
        let since_ms = wait(self.created_ms, transition.now_ms);
        if let Some(occurrence) = self.occurrence(event, &known, transition) {
            self.history.push(occurrence, since_ms);
        }
        if self.state.messages.len() > known.started {
            let message = self.state.messages.len() as u16 - 1;
            let because = match (event, transition.left_with) {
                (Event::Expire { .. }, _) | (_, None) => Because::Ttl,
                (_, Some(status)) => Because::Status(status),
            };
            self.history.push(Occurrence::StepStarted { message, because }, since_ms);
        }
        if self.state.status.is_final() && !known.status.is_final() {
            self.history.push(Occurrence::Ended, since_ms);
        }
    }

    /// What an event was; nothing of those that are no news to anybody.
    fn occurrence(&self, event: &Event, known: &Known, transition: &Transition) -> Option<Occurrence> {
        let now_ms = transition.now_ms;
        Some(match event {
            Event::Handed { message, part, carrier, .. } => {
                let (message, part, carrier) = (*message, *part, carrier_name(carrier));
                let attempt = match self.submit(message, part) {
                    Submit::Owed { attempts, .. } | Submit::Handed { attempts, .. } => attempts,
                    Submit::Done => 0,
                };
                Occurrence::HandedOver { message, part, carrier, attempt: attempt.saturating_add(1) }
            }
            Event::Unanswered { message, part, carrier, reason, .. } => {
                let (message, part, carrier) = (*message, *part, carrier_name(carrier));
                Occurrence::Unknown { message, part, carrier, reason: brief(reason), wait_ms: None }
            }
            Event::Submitted { message, part, .. } => Occurrence::Taken { message: *message, part: *part },
            Event::Deferred { message, part, at_ms, unknown, carrier, reason } => {
                let (message, part, wait_ms) = (*message, *part, Some(wait(now_ms, *at_ms)));
                let (carrier, reason) = (carrier_name(carrier), brief(reason));
                match unknown {
                    true => Occurrence::Unknown { message, part, carrier, reason, wait_ms },
                    false => Occurrence::Deferred { message, part, carrier, reason, wait_ms },
                }
            }
            Event::Refused { message, part, carrier, detail, description } => Occurrence::Refused {
                message: *message,
                part: *part,
                carrier: carrier.as_deref().map(carrier_name),
                detail: short_detail(detail),
                description: description.as_deref().map(brief),
            },
            Event::RefusedLate { message, part, carrier, refusal, .. } => {
                self.late_refusal(*message, *part, carrier, refusal, now_ms)
            }
            Event::Receipt { message, part, receipt } => {
                receipt_of(*message, *part, receipt, transition.applied.notes.contains(&Note::LateReceipt))
            }
            Event::Expire { message } => Occurrence::Expired { message: *message },
            Event::Suppressed { message, part } => Occurrence::Suppressed { message: *message, part: *part },
            Event::Unaffordable { message } => Occurrence::Unpayable { message: *message },
            Event::Cancel { by: None } => Occurrence::Cancelled,
            Event::Cancel { by: Some(operator) } => Occurrence::CancelledBy { operator: operator.clone() },
            Event::CallbackDone { attempt, .. } => {
                callback(CallbackResult::Acknowledged, known.attempt, attempt, "")
            }
            Event::CallbackFailed { at_ms, error, attempt, .. } => {
                let given_up = at_ms.is_none();
                let result = if given_up { CallbackResult::GivenUp } else { CallbackResult::Failed };
                callback(result, known.attempt, attempt, error)
            }
            Event::CallbacksEnded { error, attempt, .. } => {
                callback(CallbackResult::Gone, known.attempt, attempt, error)
            }
            Event::Reserved { .. } | Event::Expected { .. } | Event::CallbacksReplayed => return None,
        })
    }

    /// How a part's way to its carrier stands.
    fn submit(&self, message: u16, part: u16) -> Submit {
        let message = self.state.messages.get(usize::from(message));
        let part = message.and_then(|message| message.parts.get(usize::from(part)));
        part.map_or(Submit::Done, |part| part.submit)
    }

    fn late_refusal(
        &self,
        message: u16,
        part: u16,
        carrier: &str,
        refusal: &LateRefusal,
        now_ms: i64,
    ) -> Occurrence {
        let carrier = carrier_name(carrier);
        match refusal {
            LateRefusal::Final { detail, description } => Occurrence::Refused {
                message,
                part,
                carrier: Some(carrier),
                detail: short_detail(detail),
                description: description.as_deref().map(brief),
            },
            LateRefusal::Temporary { at_ms, reason } => {
                let is_due = matches!(self.submit(message, part), Submit::Owed { .. });
                let wait_ms = is_due.then(|| wait(now_ms, *at_ms));
                Occurrence::Deferred { message, part, carrier, reason: brief(reason), wait_ms }
            }
        }
    }
}

fn receipt_of(message: u16, part: u16, receipt: &Receipt, is_late: bool) -> Occurrence {
    let Receipt { status, detail, description, error, .. } = receipt;
    let detail = Some(detail).filter(|detail| **detail != Detail::plain(*status)).map(short_detail);
    let (description, error) = (description.as_deref().map(brief), error.as_deref().map(code));
    Occurrence::Receipt { message, part, status: *status, detail, description, error, is_late }
}

fn callback(result: CallbackResult, attempt: u32, tried: &Attempt, error: &str) -> Occurrence {
    let Attempt { status, took_ms } = *tried;
    let is_said = status.is_none() && !error.is_empty();
    Occurrence::Callback { result, attempt, status, took_ms, error: is_said.then(|| brief(error)) }
}

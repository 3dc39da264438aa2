//! What a flow waits for, and what waits in all.

use super::core::Service;
use crate::clock::now_ms;
use crate::managed_carrier::ManagedCarrier;
use crate::owed_work::{Because, OwedWork};
use crate::way::waits_for;
use flow::{Flow, Message, Submit};
use std::sync::Arc;
use store::Why;

/// What a flow waits for. Times are Unix milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlowWait {
    /// A carrier that takes a part.
    Carrier {
        /// The one that is asked next, as it looks now; `None` if no carrier can carry it, so that its step
        /// is about to end.
        carrier: Option<String>,
        /// Why it does not take the part yet.
        because: Because,
        /// Since the carrier is down or paused, else since the step was started.
        since_ms: i64,
        /// When it is tried again, if that is planned; else as soon as the carrier takes it.
        next_try_ms: Option<i64>,
    },
    /// A receipt, after every part was handed over.
    Receipt {
        /// The carrier that has it; `None` while its answer is not known.
        carrier: Option<String>,
        /// The end of the message's time to live, when the flow decides without a receipt.
        until_ms: i64,
    },
    /// The acknowledgement of a callback; what is to be sent is over.
    Callback {
        /// Since when it has been tried.
        since_ms: i64,
        /// When the next attempt is due.
        next_try_ms: i64,
        /// Attempts so far.
        attempts: u32,
    },
}

impl Service {
    /// What waited a second ago at most, by lane, application, carrier and why.
    pub fn owed_work(&self) -> Arc<Vec<OwedWork>> {
        self.engine.owed_work()
    }

    /// What a flow waits for now, as the carriers are now; `None` if nothing more is owed. Of several things
    /// it is the one that decides what happens next.
    pub fn waits_of(&self, flow: &Flow) -> Option<FlowWait> {
        let Some(live) = flow.live() else {
            let callback = flow.callbacks.first()?;
            return Some(FlowWait::Callback {
                since_ms: callback.since_ms(),
                next_try_ms: callback.due_ms(),
                attempts: callback.attempts,
            });
        };
        let message = flow.state.messages.get(live)?;
        let owed = message.parts.iter().enumerate().find_map(|(part, state)| match state.submit {
            Submit::Owed { at_ms, attempts, .. } => Some((part as u16, at_ms, attempts)),
            Submit::Handed { .. } | Submit::Done => None,
        });
        Some(match owed {
            Some((part, at_ms, attempts)) => {
                let found = waits_for(&self.engine, flow, live as u16, part, attempts);
                part_waits(found, message, Some(at_ms).filter(|at_ms| attempts > 0 && *at_ms > now_ms()))
            }
            None => FlowWait::Receipt { carrier: last_carrier(message), until_ms: message.expires_ms },
        })
    }
}

/// What a part of a message waits for: for the carrier that was found, or for its next attempt.
fn part_waits(
    found: Option<(&ManagedCarrier, Why)>,
    message: &Message,
    next_try_ms: Option<i64>,
) -> FlowWait {
    let name = found.map(|(carrier, _)| carrier.config.name.clone());
    let why = found.map_or(Why::Busy, |(_, why)| why);
    let since_ms = match found {
        Some((carrier, Why::Paused)) => carrier.halt().map(|halted| halted.since_ms),
        Some((carrier, Why::Down)) => Some(carrier.standing().since_ms),
        _ => None,
    };
    let is_planned = next_try_ms.is_some();
    FlowWait::Carrier {
        carrier: name,
        because: if is_planned { Because::Later } else { Because::Carrier(why) },
        since_ms: since_ms.filter(|_| !is_planned).unwrap_or(message.created_ms),
        next_try_ms,
    }
}

/// The carrier that has the last part that one took.
fn last_carrier(message: &Message) -> Option<String> {
    let taken = message.parts.iter().rev().find_map(|part| part.carrier.as_ref());
    taken.map(|carrier| carrier.carrier.clone())
}

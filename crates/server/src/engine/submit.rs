//! Hands one part to a carrier, and stores what came of it.

use super::{Engine, Outlet, dispatch};
use crate::clock::now_ms;
use crate::config::UnknownSubmit;
use crate::metrics;
use carriers::{Outcome, Outgoing, backoff};
use flow::{CarrierRef, Event, Flow, Submit, TaskKind};
use std::time::Duration;
use store::Claim;

/// The pause after the first refusal that allows another attempt.
const RETRY_BASE: Duration = Duration::from_millis(100);

/// How often a part was refused for now; nothing when it is not to be handed over: the flow has moved on, or the
/// message's time is over.
pub(super) fn attempts(flow: &Flow, message: u16, part: u16) -> Option<u32> {
    if flow.live() != Some(usize::from(message)) {
        return None;
    }
    let state = &flow.state.messages[usize::from(message)];
    let Submit::Owed { attempts, .. } = state.parts.get(usize::from(part))?.submit else { return None };
    (state.expires_ms > now_ms()).then_some(attempts)
}

/// Hands one part over and stores what came of it.
pub(super) async fn submit(engine: &Engine, outlet: &Outlet, claim: Claim) {
    let TaskKind::Submit { message, part, .. } = claim.task else { return };
    let flow = claim.flow;
    let id = flow.id;
    // It may have waited for the rate.
    let Some(attempts) = attempts(&flow, message, part) else { return };
    let (step, name) = (&flow.steps[usize::from(message)], &outlet.config.name);
    let time_left_ms = flow.state.messages[usize::from(message)].expires_ms - now_ms();
    let outgoing = Outgoing {
        message,
        part,
        attempts,
        time_left: Duration::from_millis(time_left_ms.max(1).unsigned_abs()),
        sender: engine.router.sender_for(step, &flow.application, name),
        flow: flow.clone(),
    };
    let whole = outlet.carrier.takes_whole();
    let resend = outlet.config.unknown_submit == UnknownSubmit::Resend;
    if !resend && !engine.apply(id, Event::Handed { message, part }).await.changed {
        return;
    }
    let outcome = outlet.carrier.submit(&outgoing).await;
    metrics::count_outcome(name, &outcome, resend);
    match outcome {
        Outcome::Accepted { .. } => outlet.health.note(true, now_ms()),
        // It says more about the message than about the carrier.
        Outcome::Refused { .. } => {}
        Outcome::Later { .. } | Outcome::Unknown { .. } => outlet.health.note(false, now_ms()),
    }
    let again = |after: Option<Duration>| {
        let pause = if dispatch::has_untried(engine, &flow, message, attempts) {
            Duration::ZERO
        } else {
            after.unwrap_or_else(|| backoff::delay(attempts, RETRY_BASE, engine.retry_max))
        };
        Event::Deferred { message, part, at_ms: now_ms().saturating_add(pause.as_millis().max(1) as i64) }
    };
    let event = match outcome {
        Outcome::Accepted { reference } => {
            let carrier = CarrierRef { carrier: name.clone(), reference };
            Event::Submitted { message, part, carrier, rate: engine.rate(step, flow.kind, outlet), whole }
        }
        Outcome::Refused { detail, description } => Event::Refused { message, part, detail, description },
        Outcome::Later { after, .. } => again(after),
        Outcome::Unknown { reason } => {
            tracing::warn!(flow = %id, carrier = name, reason, resend, "unknown outcome of a submit");
            if !resend {
                return;
            }
            again(None)
        }
    };
    engine.apply(id, event).await;
}

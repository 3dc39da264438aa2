//! Hands one part to a carrier, and stores what came of it.

use crate::choosing::Availability;
use crate::clock::now_ms;
use crate::config::{CommonConfig, UnknownSubmit};
use crate::core::{Engine, STORE_PAUSE};
use crate::managed_carrier::{ManagedCarrier, covers};
use crate::metrics;
use crate::way::{BUSY_MS, Tries, has_untried, tries};
use carriers::{Outcome, Outgoing, backoff};
use flow::{CarrierRef, Covers, Event, Flow, Message, Rate, TaskKind};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use store::{Claim, Reserved, Store, StoreError};
use uuid::Uuid;

/// The pause after the first refusal that allows another attempt.
const RETRY_BASE: Duration = Duration::from_millis(100);

/// Hands one part over; answers with what is to be stored of what came of it.
pub(crate) async fn submit(engine: &Engine, carrier: &ManagedCarrier, claim: Claim) -> Option<Event> {
    let TaskKind::Submit { message, part, .. } = claim.task else { return None };
    let id = claim.flow.id;
    // It may have waited for the rate.
    let (flow, Tries { attempts, unknown }) = still_owed(engine, &claim).await?;
    let (step, name) = (&flow.steps[usize::from(message)], &carrier.config.name);
    let Message { created_ms, expires_ms, .. } = flow.state.messages[usize::from(message)];
    // At most its whole time to live: a message of the future was made by a clock that was ahead.
    let time_left_ms = (expires_ms - now_ms()).min(expires_ms - created_ms);
    let outgoing = Outgoing {
        message,
        part,
        attempts,
        time_left: Duration::from_millis(time_left_ms.max(1).unsigned_abs()),
        sender: engine.routes.sender_for(step, &flow.application, name),
        flow: flow.clone(),
    };
    let covers = covers(&*carrier.carrier);
    let rate = engine.rate(step, flow.kind, carrier);
    if !may_be_sent(engine, &claim, &outgoing, rate.as_ref(), covers).await
        || still_owed(engine, &claim).await.is_none()
    {
        return None;
    }
    if carrier.availability() == Availability::Halted {
        // Since it was chosen: another carrier may take it, or it waits.
        engine.store.put_off(id, claim.task, now_ms() + BUSY_MS);
        return None;
    }
    let CommonConfig { unknown_submit, unknown_resends_max, .. } = carrier.config;
    let waits = unknown_submit == UnknownSubmit::Wait;
    if waits {
        let handed = Event::Handed { message, part, carrier: name.clone(), covers };
        if !engine.try_apply(id, claim.task, handed).await?.changed {
            return None;
        }
    }
    let submitted = AssertUnwindSafe(carrier.carrier.submit(&outgoing)).catch_unwind().await;
    let outcome = submitted.unwrap_or_else(|_| {
        metrics::count_panic("submit");
        Outcome::Unknown { reason: "internal error" }
    });
    let resend = !waits && unknown < unknown_resends_max;
    metrics::count_outcome(name, &outcome, resend);
    match outcome {
        Outcome::Accepted { .. } => carrier.health.note(true, now_ms()),
        // It says more about the message than about the carrier.
        Outcome::Refused { .. } => {}
        Outcome::Later { .. } | Outcome::Unknown { .. } => carrier.health.note(false, now_ms()),
    }
    let again = |after: Option<Duration>, unknown: bool, reason: &'static str| {
        let pause = if has_untried(engine, &flow, message, attempts, carrier) {
            Duration::ZERO
        } else {
            pause_before(engine, attempts, after)
        };
        let at_ms = now_ms().saturating_add(pause.as_millis().max(1) as i64);
        Event::Deferred { message, part, at_ms, unknown, carrier: name.clone(), reason }
    };
    Some(match outcome {
        Outcome::Accepted { reference } => {
            let carrier = CarrierRef::new(name, reference);
            Event::Submitted { message, part, carrier, rate, covers }
        }
        Outcome::Refused { detail, description } => {
            Event::Refused { message, part, carrier: Some(name.clone()), detail, description }
        }
        Outcome::Later { after, reason } => again(after, false, reason),
        Outcome::Unknown { reason } => {
            tracing::warn!(flow = %id, carrier = name, reason, resend, "unknown outcome of a submit");
            // Whatever becomes of it, a receipt of this one counts.
            if let Some(reference) = carrier.carrier.expected_reference(&outgoing) {
                let carrier = CarrierRef::new(name, reference);
                engine.apply(id, Event::Expected { message, part, carrier, covers }, ()).await;
            }
            if resend {
                again(None, true, reason)
            } else {
                // As configured, or it was sent often enough: it waits for a late answer, or a receipt.
                Event::Unanswered { message, part, carrier: name.clone(), covers, reason }
            }
        }
    })
}

/// How long a part waits after a refusal that allows another attempt; `after` is what the carrier told.
pub(crate) fn pause_before(engine: &Engine, attempts: u32, after: Option<Duration>) -> Duration {
    match after {
        Some(told) => told.min(engine.retry_max),
        None => backoff::delay(attempts, RETRY_BASE, engine.retry_max),
    }
}

/// The flow as it is now, where there is one.
pub(crate) async fn as_it_is(store: &dyn Store, id: Uuid) -> Result<Option<Arc<Flow>>, StoreError> {
    match store.recent(id) {
        Some(flow) => Ok(Some(flow)),
        None => Ok(store.load(vec![id]).await?.pop().flatten().map(Arc::new)),
    }
}

/// The flow as it is now, and how often the part was handed over, if it is still to be: it may have been
/// cancelled or left meanwhile.
async fn still_owed(engine: &Engine, claim: &Claim) -> Option<(Arc<Flow>, Tries)> {
    let TaskKind::Submit { message, part, .. } = claim.task else { return None };
    let Ok(flow) = as_it_is(&*engine.store, claim.flow.id).await else {
        put_off(engine, claim);
        return None;
    };
    let flow = flow?;
    let tries = tries(&flow, message, part)?;
    Some((flow, tries))
}

/// Whether the recipient wants it and the application can pay it; where not, its step or its flow ends here.
async fn may_be_sent(
    engine: &Engine,
    claim: &Claim,
    outgoing: &Outgoing,
    rate: Option<&Rate>,
    covers: Covers,
) -> bool {
    let Outgoing { flow, message, part, .. } = outgoing;
    let (suppressing, counting) = {
        let checks = engine.submit_checks.read();
        (checks.suppressions.contains(&flow.application), checks.balances.contains(&flow.application))
    };
    let step = outgoing.step();
    if suppressing {
        let (application, to) = (flow.application.clone(), step.to().to_owned());
        match engine.store.is_suppressed(application, step.channel(), to).await {
            Ok(false) => {}
            Ok(true) => {
                let event = Event::Suppressed { message: *message, part: *part };
                engine.try_apply(flow.id, claim.task, event).await;
                return false;
            }
            // Later: nobody is sent what they may not want.
            Err(_) => return put_off(engine, claim),
        }
    }
    let Some(rate) = rate.filter(|_| counting) else { return true };
    let parts =
        if covers == Covers::Message { 0..outgoing.message().parts.len() as u16 } else { *part..*part + 1 };
    for part in parts {
        match engine.store.reserve(flow.id, *message, part, rate.price, now_ms()).await {
            Ok(Reserved::Yes) => {}
            Ok(Reserved::No | Reserved::Gone) => return false,
            Err(_) => return put_off(engine, claim),
        }
    }
    true
}

/// The store did not answer: the part is due again soon.
fn put_off(engine: &Engine, claim: &Claim) -> bool {
    engine.store.put_off(claim.flow.id, claim.task, now_ms() + STORE_PAUSE.as_millis() as i64);
    false
}

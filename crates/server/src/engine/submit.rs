//! The submit lanes: one per carrier and channel, within the carrier's window and rate.

use super::{CLAIM_MAX, Engine, Outlet, take_permits};
use crate::clock::now_ms;
use crate::config::UnknownSubmit;
use crate::metrics;
use carriers::{Outcome, Outgoing, backoff};
use flow::{CarrierRef, Channel, Detail, Event, Submit, TaskKind};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::sync::Arc;
use std::time::Duration;
use store::{Claim, Lane};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The pause after the first refusal that allows another attempt.
const RETRY_BASE: Duration = Duration::from_millis(100);
/// How long a lane waits for a carrier that is down before it looks again.
const DOWN_PAUSE: Duration = Duration::from_millis(200);

/// Starts the lanes of a carrier; its channels share its window and its rate.
pub(super) fn start(engine: &Arc<Engine>, outlet: &Arc<Outlet>) -> Vec<JoinHandle<()>> {
    let window = Arc::new(Semaphore::new(outlet.config.window));
    let rate = outlet.config.rate.map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate))));
    let lane = |&channel: &Channel| {
        let (engine, outlet) = (Arc::clone(engine), Arc::clone(outlet));
        let (window, rate) = (Arc::clone(&window), rate.clone());
        tokio::spawn(async move { lane(&engine, &outlet, channel, window, rate.as_deref()).await })
    };
    outlet.config.channels.iter().map(lane).collect()
}

async fn lane(
    engine: &Arc<Engine>,
    outlet: &Arc<Outlet>,
    channel: Channel,
    window: Arc<Semaphore>,
    rate: Option<&DefaultDirectRateLimiter>,
) {
    let lane = Lane::Submit(channel);
    // Never more than a second's worth is claimed at once, so that no lease runs out while waiting for the rate.
    let batch = outlet.config.rate.map_or(CLAIM_MAX, |rate| CLAIM_MAX.min(rate.get() as usize));
    while engine.until_due(lane).await {
        if !outlet.carrier.is_up() {
            engine.pause(DOWN_PAUSE).await;
            continue;
        }
        let mut permits = take_permits(&window, batch).await;
        for claim in engine.claim(lane, permits.len()).await {
            if let Some(rate) = rate {
                rate.until_ready().await;
            }
            let (engine, outlet, permit) = (Arc::clone(engine), Arc::clone(outlet), permits.pop());
            tokio::spawn(async move {
                submit(&engine, &outlet, claim).await;
                drop(permit);
            });
        }
    }
    // What is under way finishes.
    let _ = window.acquire_many(outlet.config.window as u32).await;
}

/// Hands one part over and stores what came of it.
async fn submit(engine: &Engine, outlet: &Outlet, claim: Claim) {
    let TaskKind::Submit { message, part, .. } = claim.task else { return };
    let id = claim.flow.id;
    let Some(outgoing) = outgoing(claim, message, part) else { return };
    let whole = outlet.carrier.takes_whole();
    if whole && part > 0 {
        // It goes with the first part; until that is taken, its lease keeps it from coming up again and again.
        return;
    }
    let resend = outlet.config.unknown_submit == UnknownSubmit::Resend;
    if !resend && !engine.apply(id, Event::Handed { message, part }).await.changed {
        return;
    }
    let attempts = outgoing.attempts;
    let outcome = outlet.carrier.submit(&outgoing).await;
    metrics::count_outcome(&outlet.config.name, &outcome, resend);
    let again = |after: Option<Duration>| {
        let pause = after.unwrap_or_else(|| backoff::delay(attempts, RETRY_BASE, engine.retry_max));
        Event::Deferred { message, part, at_ms: now_ms().saturating_add(pause.as_millis().max(1) as i64) }
    };
    let event = match outcome {
        Outcome::Accepted { reference } => {
            let carrier = CarrierRef { carrier: outlet.config.name.clone(), reference };
            let rate = outlet.config.prices.get(&outgoing.step().channel()).copied();
            Event::Submitted { message, part, carrier, rate, whole }
        }
        Outcome::Refused { detail, description } => Event::Refused { message, part, detail, description },
        Outcome::Later { after, .. } => again(after),
        Outcome::Unknown { reason } => {
            tracing::warn!(flow = %id, carrier = outlet.config.name, reason, resend, "unknown outcome of a submit");
            if !resend {
                return;
            }
            again(None)
        }
    };
    engine.apply(id, event).await;
}

/// The part to hand over; `None` when the flow has moved on, or its time is over (the expiry's turn).
fn outgoing(claim: Claim, message: u16, part: u16) -> Option<Outgoing> {
    let flow = claim.flow;
    if flow.live() != Some(usize::from(message)) {
        return None;
    }
    let state = &flow.state.messages[usize::from(message)];
    let Submit::Owed { attempts, .. } = state.parts.get(usize::from(part))?.submit else { return None };
    let left_ms = state.expires_ms - now_ms();
    if left_ms <= 0 {
        return None;
    }
    let time_left = Duration::from_millis(left_ms.unsigned_abs());
    Some(Outgoing { flow, message, part, attempts, time_left })
}

/// Refuses what no configured carrier carries.
pub(super) async fn refuse_lane(engine: &Engine, channel: Channel) {
    let lane = Lane::Submit(channel);
    while engine.until_due(lane).await {
        for claim in engine.claim(lane, CLAIM_MAX).await {
            if let TaskKind::Submit { message, part, .. } = claim.task {
                let description = Some(format!("No carrier for {channel} is configured."));
                let detail = Detail::SYSTEM_FAILURE;
                engine.apply(claim.flow.id, Event::Refused { message, part, detail, description }).await;
            }
        }
    }
}

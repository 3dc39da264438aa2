//! The submit lanes, one a channel: each due message goes to the first of its carriers that takes it now.

use super::outlet::Place;
use super::under_way::UnderWay;
use super::{CLAIM_MAX, Engine, Outlet, submit};
use crate::clock::now_ms;
use flow::{Channel, Detail, Event, Flow, TaskKind};
use std::sync::Arc;
use std::time::Duration;
use store::{Claim, Lane, admit_all};
use tokio::sync::Semaphore;

/// How long a lane waits for carriers of which none takes anything before it looks again.
const DOWN_PAUSE: Duration = Duration::from_millis(200);
/// How long a message waits for a carrier that is down, and for one that has enough to do.
const DOWN_MS: i64 = 500;
const BUSY_MS: i64 = 20;
/// How long the later parts of a message wait for the first one to find its carrier.
const FIRST_PART_MS: i64 = 20;

/// Where a part goes.
enum Way {
    /// To this carrier, now.
    Now(Arc<Outlet>, Place),
    /// Nowhere before a time.
    Later { at_ms: i64 },
    /// Nowhere, ever.
    Never { why: String },
}

/// Dispatches a channel's messages until the engine closes.
pub(super) async fn lane(engine: &Arc<Engine>, channel: Channel) {
    let lane = Lane::Submit(channel);
    let outlets: Vec<&Arc<Outlet>> =
        engine.outlets.iter().filter(|outlet| outlet.config.channels.contains(&channel)).collect();
    let refusals = Arc::new(Semaphore::new(CLAIM_MAX));
    while engine.until_due(lane).await {
        // Without any carrier, everything is refused.
        let room =
            if outlets.is_empty() { CLAIM_MAX } else { outlets.iter().map(|outlet| outlet.room()).sum() };
        if room == 0 {
            engine.until_room(channel, DOWN_PAUSE).await;
            continue;
        }
        for claim in engine.claim(lane, room.min(CLAIM_MAX), &mut admit_all).await {
            let TaskKind::Submit { message, part, .. } = claim.task else { continue };
            match way(engine, &claim.flow, message, part, outlets.len()) {
                Some(Way::Now(outlet, place)) => hand_over(engine, outlet, claim, place),
                Some(Way::Later { at_ms }) => engine.store.put_off(claim.flow.id, claim.task, at_ms),
                Some(Way::Never { why }) => {
                    let (detail, description) = (Detail::SYSTEM_FAILURE, Some(why));
                    let event = Event::Refused { message, part, detail, description };
                    refuse(engine, &refusals, claim, event);
                }
                // The flow has moved on, or its time is over: the expiry's turn.
                None => {}
            }
        }
    }
    for outlet in outlets {
        outlet.drain().await;
    }
}

/// Ends a part that no carrier takes, beside the lane: what can't be stored of one flow holds up no other.
fn refuse(engine: &Arc<Engine>, refusals: &Arc<Semaphore>, claim: Claim, event: Event) {
    let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else {
        engine.store.put_off(claim.flow.id, claim.task, now_ms() + BUSY_MS);
        return;
    };
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        engine.try_apply(claim.flow.id, claim.task, event).await;
        drop(permit);
    });
}

fn hand_over(engine: &Arc<Engine>, outlet: Arc<Outlet>, claim: Claim, mut place: Place) {
    let Some(under_way) = UnderWay::begin(engine, &claim) else {
        engine.store.put_off(claim.flow.id, claim.task, now_ms() + DOWN_MS);
        return;
    };
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        outlet.wait_for_rate(&mut place).await;
        outlet.carrier.until_admitted().await;
        // Others may wait for the rate now.
        engine.announce_room();
        let (id, task) = (claim.flow.id, claim.task);
        match submit::submit(&engine, &outlet, claim).await {
            Some(event) => engine.record(id, task, event, place).await,
            None => drop(place),
        }
        drop(under_way);
        engine.announce_room();
    });
}

/// Decides where a part goes; `carriers` is how many the channel has.
fn way(engine: &Engine, flow: &Flow, message: u16, part: u16, carriers: usize) -> Option<Way> {
    let attempts = submit::tries(flow, message, part)?.attempts;
    let (step, state) = (&flow.steps[usize::from(message)], &flow.state.messages[usize::from(message)]);
    let now_ms = now_ms();
    let first = state.parts.first()?;
    let mut order = engine.router.order(step, &flow.application, state.id);
    if part > 0 && carriers > 1 {
        // All parts go one way, which the first one finds.
        match &first.carrier {
            Some(carrier) => order.sort_by_key(|name| *name != carrier.carrier),
            None if first.status.status.is_final() => {}
            None => return Some(Way::Later { at_ms: now_ms + FIRST_PART_MS }),
        }
    }
    let outlets: Vec<&Arc<Outlet>> = order.into_iter().filter_map(|name| engine.outlet(name)).collect();
    let mut refusals = Vec::new();
    let mut able: Vec<&Arc<Outlet>> = Vec::new();
    for outlet in outlets {
        match outlet.carrier.refuses(step, flow.restrictions.as_ref()) {
            Some(why) => refusals.push(format!("{}: {why}", outlet.config.name)),
            None => able.push(outlet),
        }
    }
    let Some(preferred) = able.first().copied() else {
        let why = format!("No carrier for {} takes it. {}", step.channel(), refusals.join("; "));
        return Some(Way::Never { why });
    };
    let mut ready: Vec<&Arc<Outlet>> = able.iter().copied().filter(|outlet| outlet.carrier.is_up()).collect();
    if ready.is_empty() {
        return Some(Way::Later { at_ms: preferred.park(&flow.application, now_ms, DOWN_MS) });
    }
    ready.sort_by_key(|outlet| !outlet.health.is_well(now_ms));
    // Whoever was asked last did not take it: the next one's turn.
    let chosen = ready[attempts as usize % ready.len()];
    if part > 0 && chosen.carrier.takes_whole() {
        // It goes with the first part.
        return Some(Way::Later { at_ms: now_ms + DOWN_MS });
    }
    Some(match chosen.enter() {
        Some(place) => Way::Now(Arc::clone(chosen), place),
        None => Way::Later { at_ms: chosen.park(&flow.application, now_ms, BUSY_MS) },
    })
}

/// Whether another carrier than the one that was just asked could take a part at once; each is asked once before
/// anybody waits.
pub(super) fn has_untried(engine: &Engine, flow: &Flow, message: u16, attempts: u32, asked: &Outlet) -> bool {
    let (step, state) = (&flow.steps[usize::from(message)], &flow.state.messages[usize::from(message)]);
    let order = engine.router.order(step, &flow.application, state.id);
    let able: Vec<&Arc<Outlet>> = order
        .into_iter()
        .filter_map(|name| engine.outlet(name))
        .filter(|outlet| outlet.carrier.refuses(step, flow.restrictions.as_ref()).is_none())
        .collect();
    let ready = |outlet: &&&Arc<Outlet>| outlet.config.name != asked.config.name && outlet.carrier.is_up();
    (attempts as usize) + 1 < able.len() && able.iter().any(|outlet| ready(&outlet))
}

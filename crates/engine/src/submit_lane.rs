//! The submit lanes, one a channel: each due message goes to the first of its carriers that takes it now.

use crate::clock::now_ms;
use crate::core::{CLAIM_MAX, Engine};
use crate::managed_carrier::{ManagedCarrier, Place};
use crate::submit;
use crate::way::{BUSY_MS, DOWN_MS, Way, way};
use flow::{Channel, Detail, Event, TaskKind};
use std::sync::Arc;
use std::time::Duration;
use store::{Claim, Lane, admit_all};
use tokio::sync::Semaphore;

/// How long a lane waits for carriers of which none takes anything before it looks again.
const DOWN_PAUSE: Duration = Duration::from_millis(200);

/// Dispatches a channel's messages until the engine closes.
pub(crate) async fn run(engine: &Arc<Engine>, channel: Channel) {
    let lane = Lane::Submit(channel);
    let carriers: Vec<&Arc<ManagedCarrier>> = engine.carriers_of(channel).collect();
    let refusals = Arc::new(Semaphore::new(CLAIM_MAX));
    while engine.until_due(lane).await {
        // Without any carrier, everything is refused.
        let room =
            if carriers.is_empty() { CLAIM_MAX } else { carriers.iter().map(|carrier| carrier.room()).sum() };
        if room == 0 {
            engine.until_room(channel, DOWN_PAUSE).await;
            continue;
        }
        for claim in engine.claim(lane, room.min(CLAIM_MAX), &mut admit_all).await {
            let TaskKind::Submit { message, part, .. } = claim.task else { continue };
            match way(engine, &claim.flow, message, part) {
                Some(Way::Now(carrier, place)) => hand_over(engine, carrier, claim, place),
                Some(Way::Later { at_ms, wait }) => {
                    engine.store.put_off_for(claim.flow.id, claim.task, at_ms, wait);
                }
                Some(Way::Never { why }) => {
                    let (detail, description) = (Detail::SYSTEM_FAILURE, Some(why));
                    let event = Event::Refused { message, part, carrier: None, detail, description };
                    refuse(engine, &refusals, claim, event);
                }
                // The flow has moved on, or its time is over: the expiry's turn.
                None => {}
            }
        }
    }
    for carrier in carriers {
        carrier.drain().await;
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

fn hand_over(engine: &Arc<Engine>, carrier: Arc<ManagedCarrier>, claim: Claim, mut place: Place) {
    let Some(ongoing) = engine.ongoing.begin(&claim) else {
        engine.store.put_off(claim.flow.id, claim.task, now_ms() + DOWN_MS);
        return;
    };
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        carrier.wait_for_rate(&mut place).await;
        carrier.carrier.until_admitted().await;
        // Others may wait for the rate now.
        engine.announce_room();
        let (id, task) = (claim.flow.id, claim.task);
        match submit::submit(&engine, &carrier, claim).await {
            Some(event) => engine.record(id, task, event, place).await,
            None => drop(place),
        }
        drop(ongoing);
        engine.announce_room();
    });
}

//! Makes the callbacks that are due.

use crate::clock::now_ms;
use crate::core::{CLAIM_MAX, Engine, PUT_OFF_MS};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Lane, Offer};

/// Makes callbacks until the engine closes.
pub(crate) async fn run(engine: &Arc<Engine>) {
    while engine.until_due(Lane::Callback).await {
        let free = engine.callbacks.until_free().await.min(CLAIM_MAX);
        let mut slots = HashMap::new();
        let mut admit = |offer: &Offer<'_>| engine.callbacks.admit(offer, &mut slots);
        let claims = engine.claim(Lane::Callback, free, &mut admit).await;
        for claim in claims {
            let Some(slot) = slots.remove(&claim.flow.id) else { continue };
            let Some(under_way) = engine.ongoing.begin(&claim) else {
                engine.store.put_off(claim.flow.id, claim.task, now_ms() + PUT_OFF_MS);
                continue;
            };
            let engine = Arc::clone(engine);
            tokio::spawn(async move {
                engine.look_at_clocks();
                let tells_age = engine.tells_age();
                let called = engine.callbacks.call(&claim.flow, &slot, tells_age).await;
                let (application, target) = (slot.application().to_owned(), slot.host().to_owned());
                match called {
                    Some(event) => engine.record(claim.flow.id, claim.task, event, slot).await,
                    None => drop(slot),
                }
                engine.store.resume(Lane::Callback, &application, &target);
                drop(under_way);
            });
        }
    }
    // What is under way finishes.
    engine.callbacks.drain().await;
}

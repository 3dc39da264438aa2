//! Ends times to live.

use crate::clock::now_ms;
use crate::core::{CLAIM_MAX, Engine, PUT_OFF_MS, take_permits};
use crate::watch::WATCH_INTERVAL;
use flow::{Event, TaskKind};
use std::sync::Arc;
use std::time::Duration;
use store::{Lane, admit_all};
use tokio::sync::Semaphore;

/// How long the store may take to end a time to live, before others have their turn.
const EXPIRE_MAX: Duration = Duration::from_secs(30);

/// Ends times to live. Each flow by itself: one that the store fails for holds up no other.
pub(crate) async fn run(engine: &Arc<Engine>) {
    let slots = Arc::new(Semaphore::new(CLAIM_MAX));
    while engine.until_due(Lane::Expire).await {
        engine.look_at_clocks();
        if !engine.is_settled() {
            // A clock that is wrong for some seconds ends no time to live.
            engine.pause(WATCH_INTERVAL).await;
            continue;
        }
        let mut permits = take_permits(&slots, CLAIM_MAX).await;
        for claim in engine.claim(Lane::Expire, permits.len(), &mut admit_all).await {
            let TaskKind::Expire { message } = claim.task else { continue };
            let (engine, permit) = (Arc::clone(engine), permits.pop());
            tokio::spawn(async move {
                let (id, task) = (claim.flow.id, claim.task);
                let expired = engine.try_apply(id, task, Event::Expire { message });
                // Where it takes longer, the lease ends and it comes again.
                let applied = tokio::time::timeout(EXPIRE_MAX, expired).await.ok().flatten();
                if applied.is_some_and(|applied| !applied.changed) {
                    // It came too early, by a clock that was ahead, or the flow has moved on and owes it
                    // no more.
                    let ends_ms = claim.flow.state.messages.get(usize::from(message));
                    let ends_ms = ends_ms.map_or(0, |message| message.expires_ms);
                    engine.store.put_off(id, task, ends_ms.max(now_ms() + PUT_OFF_MS));
                }
                drop(permit);
            });
        }
    }
    let _ = slots.acquire_many(CLAIM_MAX as u32).await;
}

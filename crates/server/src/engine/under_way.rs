//! What the outside is being asked, so that it is not asked the same again meanwhile.

use super::Engine;
use flow::TaskKind;
use std::sync::Arc;
use store::Claim;
use uuid::Uuid;

/// A task until its end, in this process. A claim is a lease by the wall clock: when that clock is set forward, the
/// task comes again while a carrier or a target is still being asked.
pub(super) struct UnderWay {
    engine: Arc<Engine>,
    task: (Uuid, TaskKind),
}

impl UnderWay {
    /// None when it has begun already.
    pub(super) fn begin(engine: &Arc<Engine>, claim: &Claim) -> Option<UnderWay> {
        let task = (claim.flow.id, claim.task);
        let begun = engine.under_way.lock().insert(task);
        begun.then(|| UnderWay { engine: Arc::clone(engine), task })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.engine.under_way.lock().remove(&self.task);
    }
}

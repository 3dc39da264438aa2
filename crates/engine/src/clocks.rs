//! What the engine knows of the time: whether the wall clock can be trusted, and what follows when it jumps.

use crate::clock::now_ms;
use crate::core::{Engine, LEASE_MS};
use crate::steady::Look;
use std::time::Duration;
use store::Lane;

/// Reading both clocks takes no longer, milliseconds, or they tell nothing about each other.
const READ_MAX_MS: i64 = 100;

impl Engine {
    /// The time, Unix milliseconds, where the clock is believed.
    pub(crate) fn trusted_ms(&self) -> Option<i64> {
        self.clock.lock().trusted_ms()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.clock.lock().is_settled()
    }

    pub(crate) fn tells_age(&self) -> bool {
        self.clock.lock().tells_age()
    }

    /// Looks at the clocks, and sees to what a jump of the wall clock calls for.
    pub(crate) fn look_at_clocks(&self) {
        let Some(look) = self.read_clocks() else { return };
        let (jump_ms, needed_ms) = {
            let mut clock = self.clock.lock();
            (clock.look(look), clock.needed_ms())
        };
        let Some(jump_ms) = jump_ms else { return };
        let (by_s, for_s) = (jump_ms / 1000, needed_ms / 1000);
        tracing::warn!(
            by_s,
            for_s,
            "the clock jumped; nothing is deleted by age until it was steady for a while"
        );
        self.carriers.iter().for_each(|carrier| carrier.forget_parked());
        self.pull_in(&Lane::ALL, true, self.longest_planned());
    }

    /// Both clocks at the same moment; nothing where this thread was held up between them.
    pub(crate) fn read_clocks(&self) -> Option<Look> {
        let monotonic = || self.started.elapsed().as_millis() as i64;
        (0..3).find_map(|_| {
            let (before_ms, wall_ms, monotonic_ms) = (monotonic(), now_ms(), monotonic());
            (monotonic_ms - before_ms <= READ_MAX_MS).then_some(Look { wall_ms, monotonic_ms })
        })
    }

    /// The longest that what is to be handed over can be put off on purpose.
    pub(crate) fn longest_planned(&self) -> Duration {
        self.retry_max.max(Duration::from_millis(LEASE_MS.unsigned_abs()))
    }

    /// Makes due soon what a wrong clock put off. Nothing that waits for a carrier waits longer than
    /// `submits_max`.
    pub(crate) fn pull_in(&self, lanes: &[Lane], jumped: bool, submits_max: Duration) {
        let now_ms = now_ms();
        for &lane in lanes {
            let latest_ms = match lane {
                Lane::Submit(_) => now_ms.saturating_add(submits_max.as_millis() as i64),
                Lane::Callback => now_ms.saturating_add(self.callbacks.pause_max_ms().max(LEASE_MS)),
                Lane::Expire => now_ms.saturating_add(self.ttl_max_ms),
            };
            let moved = self.store.pull_in(lane, jumped, now_ms, latest_ms);
            if moved > 0 {
                tracing::info!(?lane, moved, "tasks that a wrong clock had put off are due sooner");
            }
        }
    }
}

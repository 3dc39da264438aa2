//! A histogram of frame lateness, in half milliseconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const STEPS: usize = 400;
const STEP_US: u128 = 500;

/// Counts frames by their lateness.
pub(super) struct Pacing {
    counts: [AtomicU64; STEPS],
}

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing { counts: [const { AtomicU64::new(0) }; STEPS] }
    }
}

impl Pacing {
    pub(super) fn note(&self, late: Duration) {
        let step = (late.as_micros() / STEP_US).min(STEPS as u128 - 1) as usize;
        self.counts[step].fetch_add(1, Ordering::Relaxed);
    }

    /// 99th percentile of frame lateness, milliseconds.
    pub(super) fn p99_ms(&self) -> f64 {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let mut seen = 0;
        let step = counts.iter().position(|count| {
            seen += count;
            seen * 100 >= all * 99
        });
        (step.unwrap_or_default() + 1) as f64 * STEP_US as f64 / 1000.0
    }

    /// Frames that were sent.
    pub(super) fn frames(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_may_be_later() {
        let pacing = Pacing::default();
        (0..99).for_each(|_| pacing.note(Duration::from_micros(700)));
        pacing.note(Duration::from_secs(9));
        assert_eq!((pacing.p99_ms(), pacing.frames()), (1.0, 100));
    }
}

//! Exponential backoff with jitter: those refused together don't retry together.

use std::time::Duration;

/// How long to wait before attempt `attempt + 1` (`attempt` counts from 0): `base` doubled per attempt, at
/// most `max`, of which a random half to whole.
pub fn delay(attempt: u32, base: Duration, max: Duration) -> Duration {
    let full = base.saturating_mul(2u32.saturating_pow(attempt)).min(max);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_limit() {
        let (base, max) = (Duration::from_millis(100), Duration::from_secs(60));
        for (attempt, full_ms) in [(0, 100), (3, 800), (9, 51_200), (10, 60_000), (4000, 60_000)] {
            let delay = delay(attempt, base, max).as_millis();
            assert!((full_ms / 2..=full_ms).contains(&delay), "{attempt}: {delay}");
        }
    }
}

//! How long a step may take.

use serde::{Deserialize, Serialize};

/// A time to live in tenths of a minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl {
    /// Tenths of a minute.
    pub tenths: u32,
}

impl Ttl {
    /// A whole number of minutes.
    pub const fn minutes(minutes: u32) -> Ttl {
        Ttl { tenths: minutes.saturating_mul(10) }
    }

    /// Its length in milliseconds when a minute lasts `minute_ms`.
    pub const fn millis(self, minute_ms: u64) -> u64 {
        self.tenths as u64 * minute_ms / 10
    }
}

/// The times to live that the steps of a channel may have (contract, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TtlRule {
    /// The ttl of a step that names none.
    pub default: Ttl,
    /// The shortest.
    pub min: Ttl,
    /// The longest.
    pub max: Ttl,
    /// Whether it may have a decimal place: tenths of minutes.
    pub has_tenths: bool,
}

impl TtlRule {
    /// Whether a step may have this ttl.
    pub const fn allows(&self, ttl: Ttl) -> bool {
        self.min.tenths <= ttl.tenths
            && ttl.tenths <= self.max.tenths
            && (self.has_tenths || ttl.tenths.is_multiple_of(10))
    }
}

impl std::fmt::Display for TtlRule {
    /// The rule in words, for the client that broke it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (min, max) = (f64::from(self.min.tenths) / 10.0, f64::from(self.max.tenths) / 10.0);
        if self.has_tenths {
            write!(f, "must be {min:.1} to {max:.1} minutes, with at most one decimal place")
        } else {
            write!(f, "must be a whole number of minutes, {min} to {max}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_lasts_as_long_as_given() {
        assert_eq!(Ttl::minutes(3).millis(60_000), 180_000);
        assert_eq!(Ttl { tenths: 5 }.millis(1000), 500);
        assert_eq!(Ttl::minutes(u32::MAX).tenths, u32::MAX);
    }

    #[test]
    fn rules_hold_at_their_boundaries_and_say_what_is_allowed() {
        let (min, max) = (Ttl { tenths: 5 }, Ttl::minutes(1440));
        let tenths = TtlRule { default: Ttl::minutes(10), min, max, has_tenths: true };
        for (ttl, is_allowed) in [(4, false), (5, true), (6, true), (14_400, true), (14_401, false)] {
            assert_eq!(tenths.allows(Ttl { tenths: ttl }), is_allowed, "{ttl}");
        }
        assert_eq!(tenths.to_string(), "must be 0.5 to 1440.0 minutes, with at most one decimal place");
        let whole = TtlRule { min: Ttl::minutes(1), has_tenths: false, ..tenths };
        for (ttl, is_allowed) in [(0, false), (10, true), (11, false), (14_400, true), (14_410, false)] {
            assert_eq!(whole.allows(Ttl { tenths: ttl }), is_allowed, "{ttl}");
        }
        assert_eq!(whole.to_string(), "must be a whole number of minutes, 1 to 1440");
    }
}
